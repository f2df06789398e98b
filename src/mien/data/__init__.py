"""Data sets in their official layouts -> :class:`Dataset`: labelled samples, and by name what is wrong with the rest.

Each layout's own label integers live in its reader (``ferplus``, ``rafdb``, ``expw``, ``folder``) and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mien.data.dataset import SPLIT_RULES, Dataset, Problem, SplitRule
from mien.data.expw import read_expw
from mien.data.ferplus import VOTES, Votes, read_ferplus
from mien.data.folder import TABLE, read_folder
from mien.data.pictures import Inspection, inspect, load_gray
from mien.data.published import PUBLISHED_COUNTS, PUBLISHED_TABLES
from mien.data.rafdb import read_rafdb
from mien.data.store import Store
from mien.errors import DatasetError, UsageError, path_of

Layout = Literal["auto", "ferplus", "rafdb", "expw", "folder"]

LAYOUTS: tuple[Layout, ...] = ("auto", "ferplus", "rafdb", "expw", "folder")

_LAYOUT_OF: dict[str, Layout] = {"ferplus": "ferplus", "rafdb": "rafdb", "expw": "expw"}


def read(
    name: str,
    root: Path | str,
    layout: Layout = "auto",
    split_rule: SplitRule = "default",
    votes: Votes | None = None,
) -> Dataset:
    """Read a data set's labels; its pictures are not opened yet (see :func:`inspect`).

    Args:
        name: ``ferplus``, ``rafdb``, ``expw``, or any name for a data set of your own.
        root: its folder, or a zip of it, read without unpacking; for ``folder`` also a csv.
        layout: how it lies there; ``auto`` is the layout of that name, ``folder`` for any other name.
        split_rule: ``published`` is the paper's own split where ours differs (ExpW: face by face, not photo by photo).
        votes: FER+ only: ``label`` (None, the default, is the same where label.csv is there) or ``fer2013new``; see
            ``mien.data.ferplus``.

    Raises:
        UsageError: an option does not go with the layout.
        DatasetError: it is not there, or not in that layout; names file and line.
    """
    if layout not in LAYOUTS or split_rule not in SPLIT_RULES or votes not in (None, *VOTES):
        raise UsageError(
            f"layout is one of {', '.join(LAYOUTS)}, split rule {' or '.join(SPLIT_RULES)}, "
            f"votes {' or '.join(VOTES)}; got {layout}, {split_rule}, {votes}"
        )
    if layout == "auto":
        layout = _LAYOUT_OF.get(name, "folder")
    if votes is not None and layout != "ferplus":
        raise UsageError(f"votes={votes} goes with FER+ only")
    _check_name(name)
    path = path_of(root)
    if layout == "folder" and path.suffix.lower() == ".csv" and not path.is_dir():
        if not path.is_file():
            raise DatasetError(f"{path}: no such file")
        return read_folder(name, Store.open(path.parent), path.name)
    store = Store.open(path)
    if layout == "ferplus":
        return read_ferplus(name, store, votes)
    if layout == "rafdb":
        return read_rafdb(name, store)
    return read_expw(name, store, split_rule) if layout == "expw" else read_folder(name, store)


def _check_name(name: str) -> None:
    """A data set's name becomes a folder's, and a word in tables."""
    if (
        not name.strip()
        or name.startswith(".")
        or any(c in "/\\" or not c.isprintable() for c in name)
        or len(name) > 100
    ):
        raise UsageError(f"NAME is a plain word such as ferplus or mine, without slashes; got {name!r}")


__all__ = [
    "LAYOUTS", "PUBLISHED_COUNTS", "PUBLISHED_TABLES", "SPLIT_RULES", "TABLE", "VOTES",
    "Dataset", "Inspection", "Layout", "Problem", "SplitRule", "Store", "Votes",
    "inspect", "load_gray", "read",
]  # fmt: skip
