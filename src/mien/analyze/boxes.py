"""The user's own boxes of faces, from a table: what no detector found, or another program did."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import TableError, UsageError
from mien.types import Face, Float32

COLUMNS = ("face_x", "face_y", "face_width", "face_height")
"""As in mien's own tables, so that a table can be corrected and given back; ``input`` names the photo."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes by photo.

    Attributes:
        by_input: float32 [4] boxes (x0, y0, x1, y1) of each photo, in pixels of the upright picture.
        path: the table.
    """

    by_input: Mapping[str, Sequence[Float32]]
    path: Path

    def of(self, name: str) -> Sequence[Float32]:
        """Boxes of a photo, by its path as given, or by its file name alone."""
        for key in (name, Path(name).name, ""):
            if key in self.by_input:
                return self.by_input[key]
        raise TableError(f"{self.path}: holds no box for {name}")


@cache
def read_boxes(path: Path) -> Boxes:
    """Read a CSV file with the columns ``input`` (not needed for one photo) and :data:`COLUMNS`.

    Raises:
        TableError: the file cannot be read, lacks a column, or holds a box that is none.
    """
    try:
        with path.expanduser().open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: cannot be read ({error})") from None
    if not rows:
        raise TableError(f"{path}: holds no box")
    missing = [name for name in COLUMNS if name not in rows[0]]
    if missing:
        raise TableError(
            f"{path}: the column {missing[0]} is missing; boxes have the columns input, {', '.join(COLUMNS)}"
        )
    boxes: dict[str, list[Float32]] = {}
    for number, row in enumerate(rows, 2):
        boxes.setdefault(row.get("input") or "", []).append(_box(row, f"{path}, line {number}"))
    return Boxes(boxes, path)


def _box(row: Mapping[str, str], where: str) -> Float32:
    try:
        x, y, width, height = (float(row[name]) for name in COLUMNS)
    except (TypeError, ValueError):
        raise TableError(f"{where}: {', '.join(COLUMNS)} must be numbers") from None
    if not (abs(x) < 1e6 and abs(y) < 1e6 and 1 <= width < 1e6 and 1 <= height < 1e6):
        raise TableError(f"{where}: a box is at least one pixel wide and high, and finite")
    return np.array([x, y, x + width, y + height], np.float32)


FARTHEST = 1e6
"""Pixels; no picture's face lies farther out."""


def given_boxes(
    faces: Sequence[Face] | None, boxes: Sequence[npt.ArrayLike] | None, whole: bool
) -> list[Float32 | None] | None:
    """Where the caller says that faces are; None looks for them, and a None among them is the whole picture.

    Raises:
        UsageError: more than one was given, or a box is none.
    """
    if (faces is not None) + (boxes is not None) + whole > 1:
        raise UsageError("give faces, boxes or whole_picture, not two of them")
    if whole:
        return [None]
    if boxes is None:
        return None
    checked: list[Float32 | None] = []
    for box in boxes:
        values = np.asarray(box, np.float32)
        if values.shape != (4,) or not (np.abs(values) < FARTHEST).all() or (values[2:] - values[:2]).min() < 1:
            raise UsageError("boxes: a box is (x0, y0, x1, y1), finite, and at least one pixel wide and high")
        checked.append(values)
    return checked


def check_faces(faces: Sequence[Face]) -> None:
    """Raises UsageError where a face of the caller's is nowhere: NaN, infinite, or all its landmarks in one place."""
    for face in faces:
        values = np.concatenate([face.box.ravel(), face.landmarks.ravel()])
        if not (np.abs(values) < FARTHEST).all():  # false for NaN too
            raise UsageError("faces: a box or a landmark is NaN, infinite or beyond any picture")
        if np.ptp(face.landmarks, axis=0).min() < 1.0:
            raise UsageError("faces: the landmarks of a face span less than a pixel")
