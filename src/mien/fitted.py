"""Files of fitted numbers in a folder of models: calibration.json, fusion.json. One entry a network family."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mien.errors import ModelError

SHIPPED = Path(__file__).parent / "models"
FORMAT = 1
Fitted = TypeVar("Fitted")


def read_fitted(
    folder: Path | str | None, name: str, network: str | None, build: Callable[[dict[str, Any]], Fitted]
) -> Fitted:
    """What a file of fitted numbers holds for one network family.

    Args:
        folder: a folder of models, or the file itself; None is the folder shipped in the package.
        name: of the file in the folder.
        network: ``vgg`` or ``anyarea``; None is the default the file names.
        build: makes it out of the entry's plain values.

    Raises:
        ModelError: the file is missing or damaged, or holds nothing for this network.
    """
    path = SHIPPED if folder is None else Path(folder).expanduser()
    path = path if path.is_file() else path / name
    try:
        values = json.loads(path.read_text())
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): make it with  mien calibrate") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged ({error}): make it again with  mien calibrate") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelError(f"{path} is not in the format this version of mien reads: make it with  mien calibrate")
    entry = values.get("networks", {}).get(network or values.get("default"))
    if not isinstance(entry, dict):
        raise ModelError(f"{path} holds nothing for the network {network!r}: make it with  mien calibrate")
    try:
        return build(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from error


def write_fitted(path: Path, default: str, networks: dict[str, dict[str, Any]]) -> None:
    """Write a file of fitted numbers; it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(json.dumps({"format": FORMAT, "default": default, "networks": networks}, indent=1) + "\n")
    scratch.replace(path)
