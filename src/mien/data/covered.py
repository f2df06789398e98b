"""Faces looked at by eye for what is hidden: a table beside a data set, one row a face.

Columns: ``name`` (the picture's file), ``left_eye``, ``right_eye`` (sides of the picture; eye and brow), ``nose``,
``mouth``: 0 visible, 1 partly (20 to 50%), 2 hidden, x unclear; and ``what`` lies there.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from mien.errors import DatasetError

COLUMNS = {"right_eye": "left_eye", "left_eye": "right_eye", "nose": "nose", "mouth": "mouth"}
"""Piece (left and right are the person's) and its column (left and right are the picture's)."""
SCORES = {"0": 0, "1": 1, "2": 2}


@dataclass(frozen=True)
class CoveredFace:
    """What is hidden of one face.

    Attributes:
        scores: by piece 0 (visible), 1 (partly) or 2 (hidden); a piece that was unclear is missing.
        what: hand, hair, glasses, ...
    """

    scores: dict[str, int]
    what: str

    @property
    def hidden(self) -> tuple[str, ...]:
        """The pieces that are hidden."""
        return tuple(piece for piece, score in self.scores.items() if score == 2)


def read_covered(path: Path | str) -> dict[str, CoveredFace]:
    """Read a table, by the name of the picture without its ending (a FER+ sample's id).

    Raises:
        DatasetError: it cannot be read or has other columns.
    """
    path = Path(path).expanduser()
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read ({error})") from error
    wanted = {"name", "what", *COLUMNS.values()}
    if not rows or not wanted <= set(rows[0]):
        raise DatasetError(f"{path} is no table of covered faces: it needs the columns {', '.join(sorted(wanted))}")
    return {Path(row["name"]).stem: _face_of(row) for row in rows}


def _face_of(row: dict[str, str]) -> CoveredFace:
    scores = {piece: SCORES[row[column]] for piece, column in COLUMNS.items() if row[column] in SCORES}
    return CoveredFace(scores, row["what"])
