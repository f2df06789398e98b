"""FER+ in the layouts people have: Microsoft's folders, or Kaggle's csv beside fer2013new.csv; each also in a zip.

Two files hold votes. The folders' own ``label.csv`` are the default: they give the paper's Table 1 to the last face
(30,268 and 3,404), and by the FER+ authors' majority rule the 3,137 test faces that others publish on.
``fer2013new.csv``, which the FER+ repository documents and both layouts have, differs from them in about 1,600 of
35,710 faces: ``votes="fer2013new"``. Kaggle's layout has no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.data.dataset import Candidate, Dataset, Findings, finish
from mien.data.samples import Split
from mien.data.selection import VOTE_COLUMNS, select
from mien.data.store import PixelTable, Store, pixel_table
from mien.errors import DatasetError, UsageError
from mien.types import EMOTIONS

Votes = Literal["fer2013new", "label"]
VOTES: tuple[Votes, ...] = ("label", "fer2013new")
LABEL_FILE = "fer2013new.csv"
OWN_FILE = "label.csv"
KAGGLE_FILES = ("fer2013.csv", "icml_face_data.csv")

FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}

_PARTS: dict[str, Split] = {"Training": "train", "PublicTest": "train", "PrivateTest": "test"}
_COUNT = re.compile(r"[0-9]{1,4}")
_HEAD = ["Usage", "Image name", *VOTE_COLUMNS]


_OTHER_COUNTS = "about 1,600 faces differ, and the counts are not quite the paper's"


@dataclass(frozen=True)
class _Row:
    usage: str
    name: str
    votes: tuple[int, ...]
    where: str
    row: int

    @property
    def member(self) -> str:
        """The picture in Microsoft's folders."""
        return f"{FOLDERS[self.usage]}/{self.name}"


def read_ferplus(name: str, store: Store, votes: Votes | None = None) -> Dataset:
    """Read FER+.

    Args:
        name: what to call it.
        store: the folder or zip.
        votes: ``label`` (the folders' own label.csv, Microsoft layout only) or ``fer2013new``; None is label.csv where
            it lies in all three folders, and else, with a note, fer2013new.csv.

    Raises:
        DatasetError: neither layout is there, or a table is not what it should be; names file and line.
    """
    findings = Findings()
    folders = _folder_base(store)
    if folders is not None:
        return _read_folders(name, store.below(folders), votes, findings)
    table = _kaggle_table(store)
    if table is None:
        raise DatasetError(
            f"{store.root} is not FER+: expected the folders {', '.join(FOLDERS.values())} with pictures, "
            f"or {' or '.join(KAGGLE_FILES)}, beside {LABEL_FILE}"
        )
    if votes == "label":
        raise UsageError("the Kaggle layout has no label.csv: its votes are those of fer2013new.csv")
    return _read_kaggle(name, store, table, findings)


def _folder_base(store: Store) -> str | None:
    for folder in FOLDERS.values():
        for base in store.folders_of(folder):
            inside = f"{base}{folder}/"
            if any(n.startswith(inside) and n.endswith(".png") for n in store.names):
                return base
    return None


def _kaggle_table(store: Store) -> str | None:
    for file in KAGGLE_FILES:
        bases = store.bases_of(file)
        if bases:
            return bases[0] + file
    return None


def _read_folders(name: str, store: Store, votes: Votes | None, findings: Findings) -> Dataset:
    votes = _usable(store, votes, findings)
    own = _own_rows(store, findings)
    if votes == "label":
        rows = own
        documented = _to_compare(store)
    else:
        rows = documented = _documented_rows(store, LABEL_FILE, findings)
    _compare(documented, own, votes, findings)
    rule = {"reader": "ferplus", "votes": votes}
    return finish(name, store, "Microsoft's folders", rule, _select(rows, findings), findings)


def _to_compare(store: Store) -> list[_Row]:
    """fer2013new.csv where it is there and can be read; it is not what is used."""
    try:
        return _documented_rows(store, LABEL_FILE, Findings()) if LABEL_FILE in store.names else []
    except DatasetError:
        return []


def _usable(store: Store, votes: Votes | None, findings: Findings) -> Votes:
    """Which votes to take; those asked for must be there."""
    lacking = [f"{folder}/{OWN_FILE}" for folder in FOLDERS.values() if f"{folder}/{OWN_FILE}" not in store.names]
    if lacking and votes == "label":
        raise DatasetError(f"{store.root}: {store.base}{lacking[0]} is missing")
    if LABEL_FILE not in store.names and (votes == "fer2013new" or lacking):
        raise DatasetError(
            f"{store.root}: {store.base}{LABEL_FILE} is missing (it belongs beside {FOLDERS['Training']}; "
            f"votes=label, or --votes label, uses the folders' own {OWN_FILE})"
        )
    if votes is None and lacking:
        findings.note(
            store.where(lacking[0]), f"it is missing, so the votes are those of {LABEL_FILE}; {_OTHER_COUNTS}"
        )
    return votes or ("fer2013new" if lacking else "label")


def _read_kaggle(name: str, store: Store, table: str, findings: Findings) -> Dataset:
    bases = store.bases_of(LABEL_FILE)
    if not bases:
        raise DatasetError(f"{store.root}: {LABEL_FILE} is missing (it belongs beside {table}, row by row)")
    rows = _documented_rows(store, bases[0] + LABEL_FILE, findings)
    findings.note(
        store.where(bases[0] + LABEL_FILE), f"the votes, since this layout has no {OWN_FILE}; {_OTHER_COUNTS}"
    )
    pixels = pixel_table(store.source(table))
    _check_aligned(store, table, pixels, rows, bases[0] + LABEL_FILE)
    candidates = []
    for face in _select(rows, findings):
        if face.row in pixels.bad:
            findings.problem(store.where(table, face.row + 1), f"{face.id}: {pixels.bad[face.row]}")
            continue
        candidates.append(face)
    rule = {"reader": "ferplus", "votes": "fer2013new"}
    return finish(name, store, f"Kaggle's {table}", rule, candidates, findings, table)


def _check_aligned(store: Store, table: str, pixels: PixelTable, rows: list[_Row], labels: str) -> None:
    last = max((row.row for row in rows), default=0)
    if last > len(pixels.usage):
        raise DatasetError(
            f"{store.where(labels)} has a row {last:,}, but {store.where(table)} only {len(pixels.usage):,} rows: "
            "both must be complete and in their original order"
        )
    for row in rows:
        usage = pixels.usage[row.row - 1]
        if usage != row.usage:
            raise DatasetError(
                f"{store.where(table, row.row + 1)} says {usage or 'nothing'} where {row.where} says {row.usage}: "
                "the two files are not row by row the same faces"
            )


def _documented_rows(store: Store, file: str, findings: Findings) -> list[_Row]:
    """Rows of fer2013new.csv, those with a picture's name or not."""
    head, table = store.table(file)
    if [cell.lower() for cell in head] != [cell.lower() for cell in _HEAD]:
        raise DatasetError(f"{store.where(file, 1)}: expected the columns {','.join(_HEAD)}, got {','.join(head)}")
    rows = []
    for number, (line, cells) in enumerate(table, 1):
        where = store.where(file, line)
        usage = cells[0]
        if usage not in FOLDERS:
            findings.problem(where, f"Usage is Training, PublicTest or PrivateTest, got {usage!r}")
            continue
        votes = _votes(cells[2:], where, findings)
        if votes is not None:
            rows.append(_Row(usage, cells[1], votes, where, number))
    return rows


def _own_rows(store: Store, findings: Findings) -> list[_Row]:
    """Rows of the three folders' label.csv: name, box, ten votes, no head."""
    rows: list[_Row] = []
    for usage, folder in FOLDERS.items():
        file = f"{folder}/label.csv"
        if file not in store.names:
            continue
        for line, cells in store.rows(file):
            where = store.where(file, line)
            votes = _votes(cells[2:], where, findings)
            if votes is not None:
                rows.append(_Row(usage, cells[0], votes, where, line))
    return rows


def _votes(cells: list[str], where: str, findings: Findings) -> tuple[int, ...] | None:
    if len(cells) != len(VOTE_COLUMNS) or not all(_COUNT.fullmatch(cell) for cell in cells):
        findings.problem(
            where, f"expected {len(VOTE_COLUMNS)} whole vote counts, got {','.join(cells)[:200] or 'none'}"
        )
        return None
    return tuple(int(cell) for cell in cells)


def _compare(documented: list[_Row], own: list[_Row], votes: Votes, findings: Findings) -> None:
    known = {(row.usage, row.name): row.votes for row in reversed(documented) if row.name}
    different = [row for row in own if known.get((row.usage, row.name), row.votes) != row.votes]
    if different:
        other = "fer2013new" if votes == "label" else "label"
        used, left = (OWN_FILE, LABEL_FILE) if votes == "label" else (LABEL_FILE, OWN_FILE)
        findings.note(
            different[0].where,
            f"here begin {len(different):,} faces whose votes in {OWN_FILE} differ from {LABEL_FILE}; "
            f"{used} is used (--votes {other} uses {left})",
        )


def _select(rows: list[_Row], findings: Findings) -> list[Candidate]:
    """Faces that the paper's rule or the FER+ authors' majority rule keeps."""
    named = [row for row in rows if row.name]
    for _ in range(len(rows) - len(named)):
        findings.leave_out("no picture's name (dropped by FER+)")
    counts: npt.NDArray[np.int64] = np.array([row.votes for row in named], np.int64).reshape(-1, len(VOTE_COLUMNS))
    chosen = select(counts)
    _note_quarrels(named, findings)
    candidates = []
    for position, row in enumerate(named):
        if not (chosen.keep[position] or chosen.majority[position]):
            findings.leave_out("too few votes agree (published rule)")
            continue
        votes = chosen.votes[position]
        candidates.append(
            Candidate(
                row.name.removesuffix(".png"), _PARTS[row.usage], EMOTIONS[int(votes.argmax())], row.member, row.where,
                votes=votes, majority=bool(chosen.majority[position]), published=bool(chosen.keep[position]),
                row=row.row,
            )
        )  # fmt: skip
    return candidates


def _note_quarrels(rows: list[_Row], findings: Findings) -> None:
    """The real file names one picture twice with different votes."""
    first: dict[tuple[str, str], _Row] = {}
    for row in rows:
        before = first.setdefault((row.usage, row.name), row)
        if before.votes != row.votes:
            findings.note(
                row.where, f"{row.name} was named before ({before.where}) with other votes; the rule judges each"
            )
