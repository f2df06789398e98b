"""Files of fitted numbers in a folder of models: calibration.json, fusion.json. One entry a network family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mien.errors import ModelError

SHIPPED = Path(__file__).parent / "models"
FORMAT = 1


def read_fitted(folder: Path | str | None, name: str, network: str | None) -> tuple[dict[str, Any], Path]:
    """The entry of one network family in a file of fitted numbers.

    Args:
        folder: a folder of models, or the file itself; None is the folder shipped in the package.
        name: of the file in the folder.
        network: ``vgg`` or ``anyarea``; None is the default the file names.

    Returns:
        The entry, and the path it was read from.

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
    return entry, path


def write_fitted(path: Path, default: str, networks: dict[str, dict[str, Any]]) -> None:
    """Write a file of fitted numbers; it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(json.dumps({"format": FORMAT, "default": default, "networks": networks}, indent=1) + "\n")
    scratch.replace(path)
