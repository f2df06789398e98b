"""Files of fitted numbers in a folder of models: calibration.json, fusion.json. One entry a network family."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mien.errors import ModelError, NotCalibratedError
from mien.jobs.files import replace_json, replacing
from mien.trust.folder import SHIPPED, fitted_bytes

if TYPE_CHECKING:
    import pandas as pd

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
        NotCalibratedError: there is no such file, or it holds nothing for this network.
        ModelError: it is damaged.
    """
    path = SHIPPED if folder is None else Path(folder).expanduser()
    path = path if path.is_file() else path / name
    content = fitted_bytes(path.parent, path.name)
    try:
        values = json.loads(content)
    except ValueError as error:
        raise ModelError(f"{path} is damaged ({error}): make it again with  mien calibrate") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelError(f"{path} is not in the format this version of mien reads: make it with  mien calibrate")
    entry = values.get("networks", {}).get(network or values.get("default"))
    if entry is None:
        raise NotCalibratedError(f"{path} holds nothing for the network {network!r}: make it with  mien calibrate")
    try:
        return build(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from error


def write_fitted(path: Path, default: str, networks: dict[str, dict[str, Any]]) -> None:
    """Write a file of fitted numbers; it is there as a whole or not at all."""
    replace_json(path, {"format": FORMAT, "default": default, "networks": networks})


COLUMNS: dict[str, tuple[str, ...]] = {
    "authenticity": ("emotion", "area", "p", "low", "high", "n", "n_right"),
    "authenticity_fused": ("emotion", "area", "p", "low", "high", "n", "n_right"),
    "contribution": ("game", "emotion", "part", "value", "low", "high", "n"),
    "interactions": ("game", "emotion", "parts", "value", "low", "high", "n"),
    "coalitions": ("game", "emotion", "area", "value", "low", "high", "n"),
    "psychology": (
        "study", "finding", "emotion", "part", "rival", "game", "unit", "difference", "low", "high", "n", "verdict",
    ),
}  # fmt: skip
"""Columns of each table, after ``network``."""


def read_table(folder: Path | str | None, name: str, network: str | None = None) -> pd.DataFrame:
    """One table of one network family.

    Args:
        folder: of models; None is the one shipped in the package.
        name: one of ``COLUMNS``.
        network: ``vgg`` or ``anyarea``; None is the first in the file, the default when it was written.

    Raises:
        ModelError: there is no such table, it is damaged, or it holds nothing of this network.
    """
    import pandas as pd

    path = (SHIPPED if folder is None else Path(folder).expanduser()) / f"{name}.csv"
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): make it with  mien calibrate") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged ({error}): make it again with  mien calibrate") from error
    missing = [c for c in ("network", *COLUMNS[name]) if c not in table]
    if missing or not len(table):
        raise ModelError(f"{path} lacks {', '.join(missing) or 'any row'}: make it again with  mien calibrate")
    wanted = network or str(table["network"].iloc[0])
    kept = table[table["network"] == wanted]
    if not len(kept):
        raise ModelError(f"{path} holds nothing for the network {wanted!r}: make it with  mien calibrate")
    return kept[list(COLUMNS[name])].reset_index(drop=True)


def write_table(folder: Path, name: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write one table; the default network first."""
    import pandas as pd

    rows = [table[list(COLUMNS[name])].assign(network=network) for network, table in tables.items()]
    whole = pd.concat(rows, ignore_index=True)[["network", *COLUMNS[name]]]
    with replacing(folder / f"{name}.csv") as scratch:
        whole.to_csv(scratch, index=False, float_format="%.6g")


def lookup(table: pd.DataFrame, *columns: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows as dicts, by the values of some columns."""
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return {tuple(str(row[c]) for c in columns): row for row in rows}
