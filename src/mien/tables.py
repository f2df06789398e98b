"""Result tables in a folder of models: authenticity, contribution. One CSV a table, all network families in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mien.errors import ModelError
from mien.fitted import SHIPPED

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
    folder.mkdir(parents=True, exist_ok=True)
    rows = [table[list(COLUMNS[name])].assign(network=network) for network, table in tables.items()]
    whole = pd.concat(rows, ignore_index=True)[["network", *COLUMNS[name]]]
    scratch = folder / f"{name}.csv.tmp"
    whole.to_csv(scratch, index=False, float_format="%.6g")
    scratch.replace(folder / f"{name}.csv")


def lookup(table: pd.DataFrame, *columns: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows as dicts, by the values of some columns."""
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return {tuple(str(row[c]) for c in columns): row for row in rows}


def markdown(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> str:
    """A DataFrame as a Markdown table.

    Args:
        table: rows and columns as they are to be shown.
        formats: format specification by column (``.1%``); others are written as they are.
    """
    formats = formats or {}

    def text(column: str, value: Any) -> str:
        if value is None or (isinstance(value, float) and value != value):
            return "-"
        return format(value, formats[column]) if column in formats else str(value)

    rows = [[text(str(c), v) for c, v in row.items()] for row in table.to_dict("records")]
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
