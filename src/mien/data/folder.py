"""A data set of the user's own: a folder an emotion, or a csv.

Folders::

    ROOT/happiness/any.jpg                    split by mien: a fifth for test, a tenth of the rest for validation
    ROOT/{train,validation,test}/happiness/any.jpg

Csv (ROOT is the csv, or a folder with ``labels.csv``), its pictures named relative to it::

    image,emotion                             and as wanted: split (train, validation, test); group (faces that stay on
                                              one side, such as one person's); id; x0,y0,x1,y1 (face box in pixels)
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from mien.data.dataset import Candidate, Dataset, Findings, finish
from mien.data.samples import Split
from mien.data.selection import held_out
from mien.data.store import Store
from mien.errors import DatasetError
from mien.face.formats import SUFFIXES
from mien.types import EMOTIONS, Emotion, Float32

TABLE = "labels.csv"

TEST_SHARE = 0.2
_NOT_DATA = frozenset({".txt", ".md", ".csv", ".json", ".db", ".ini", ".xml", ".html", ".pdf", ".py", ".log"})
"""Endings that are never meant as pictures; any other is named as left out."""
BOX_COLUMNS = ("x0", "y0", "x1", "y1")

_OTHER_WORDS = {
    "happy": Emotion.HAPPINESS, "joy": Emotion.HAPPINESS, "sad": Emotion.SADNESS, "angry": Emotion.ANGER,
    "surprised": Emotion.SURPRISE, "disgusted": Emotion.DISGUST, "fearful": Emotion.FEAR, "afraid": Emotion.FEAR,
    "contemptuous": Emotion.CONTEMPT,
}  # fmt: skip

_SPLIT_WORDS: dict[str, Split] = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


def emotion_of(word: str) -> Emotion | None:
    """``Happy`` -> happiness; None for a word that is no emotion of ours."""
    word = word.strip().lower()
    return Emotion(word) if word in set(EMOTIONS) else _OTHER_WORDS.get(word)


def read_folder(name: str, store: Store, table: str = TABLE) -> Dataset:
    """Read a folder-per-emotion or csv data set.

    Args:
        name: what to call it.
        store: the folder or zip.
        table: the csv's name; without such a file the folders are read.

    Raises:
        DatasetError: there is neither; or the csv lacks a column.
    """
    findings = Findings()
    tables = store.bases_of(table)
    if tables:
        below = store.below(tables[0])
        candidates, split = _from_table(below, table, findings)
    else:
        below = store
        candidates, split = _from_folders(store, findings)
    if not split:
        candidates = _divided(candidates)
    rule = {"reader": "folder", "split": "given" if split else "a fifth for test, stratified, seed 0"}
    return finish(name, below, table if tables else "a folder an emotion", rule, candidates, findings)


def _divided(candidates: list[Candidate]) -> list[Candidate]:
    labels = np.array([face.label.position for face in candidates], np.int64)
    groups = [face.group or f"\0{i}" for i, face in enumerate(candidates)]
    chosen = held_out(labels, groups, TEST_SHARE, seed=0)
    return [replace(face, part="test" if test else "train") for face, test in zip(candidates, chosen, strict=True)]


def _from_folders(store: Store, findings: Findings) -> tuple[list[Candidate], bool]:
    candidates: list[Candidate] = []
    unknown: dict[str, int] = {}
    others: Counter[str] = Counter()
    with_split = 0
    for member in sorted(store.names):
        suffix = PurePosixPath(member).suffix.lower()
        if suffix not in SUFFIXES:
            others[suffix or "without an ending"] += suffix not in _NOT_DATA
            continue
        folders = member.split("/")[:-1]
        emotion = emotion_of(folders[-1]) if folders else None
        if emotion is None:
            unknown["/".join(folders) or "."] = unknown.get("/".join(folders) or ".", 0) + 1
            continue
        part = next((_SPLIT_WORDS[f.lower()] for f in reversed(folders[:-1]) if f.lower() in _SPLIT_WORDS), None)
        with_split += part is not None
        candidates.append(Candidate(member, part or "train", emotion, member, store.where(member)))
    known = ", ".join(e.value for e in EMOTIONS)
    left_out = ", ".join(f"{n:,} {suffix}" for suffix, n in sorted(others.items()) if n)
    if not candidates:
        more = f"; its files are {left_out}" if left_out else ""
        raise DatasetError(
            f"{store.root} is not a folder-an-emotion data set: expected folders named {known}, or {TABLE}{more}"
        )
    if left_out:
        findings.note(
            store.base or store.root.name, f"files left out because mien reads no pictures so called: {left_out}"
        )
    for folder, n in unknown.items():
        findings.problem(store.where(folder), f"{n:,} pictures in a folder that names no emotion (known: {known})")
    if 0 < with_split < len(candidates):
        raise DatasetError(f"{store.root}: some pictures lie below train, validation or test and some do not")
    return candidates, with_split > 0


def _from_table(store: Store, file: str, findings: Findings) -> tuple[list[Candidate], bool]:
    head, rows = store.table(file)
    columns = [cell.lower() for cell in head]
    if not {"image", "emotion"} <= set(columns):
        raise DatasetError(f"{store.where(file, 1)}: expected the columns image and emotion, got {','.join(head)}")
    boxed = set(BOX_COLUMNS) & set(columns)
    if boxed and len(boxed) < len(BOX_COLUMNS):
        raise DatasetError(f"{store.where(file, 1)}: a box needs all of {', '.join(BOX_COLUMNS)}")
    candidates = []
    for line, cells in rows:
        where = store.where(file, line)
        if len(cells) != len(columns):
            findings.problem(where, f"expected {len(columns)} cells, got {len(cells)}")
            continue
        face = _from_row(dict(zip(columns, cells, strict=True)), where, findings)
        candidates += [] if face is None else [face]
    return candidates, "split" in columns


def _from_row(row: dict[str, str], where: str, findings: Findings) -> Candidate | None:
    emotion = emotion_of(row["emotion"])
    if emotion is None:
        findings.problem(where, f"unknown emotion {row['emotion']!r} (known: {', '.join(e.value for e in EMOTIONS)})")
        return None
    part = _SPLIT_WORDS.get(row.get("split", "train").lower())
    if part is None:
        findings.problem(where, f"split is train, validation or test, got {row['split']!r}")
        return None
    box, fault = _box(row)
    if fault:
        findings.problem(where, fault)
        return None
    image = row["image"].replace("\\", "/").removeprefix("./")
    return Candidate(row.get("id") or image, part, emotion, image, where, box, group=row.get("group", ""))


def _box(row: dict[str, str]) -> tuple[Float32 | None, str]:
    """The row's box, or what is wrong with it; a row may leave it empty."""
    texts = [row.get(column, "") for column in BOX_COLUMNS]
    if not any(texts):
        return None, ""
    try:
        values = [float(text) for text in texts]
    except ValueError:
        values = [math.nan]
    if not all(math.isfinite(v) for v in values):
        return None, f"x0, y0, x1, y1 are numbers, got {','.join(texts)}"
    if values[2] <= values[0] or values[3] <= values[1]:
        return None, f"the box {','.join(texts)} is empty"
    return np.array(values, np.float32), ""
