"""The table of a video: one row a face and frame, with smoothed answers and occluded stretches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.analyze.table import COLUMNS
from mien.analyze.video.smoothing import covered, smooth
from mien.jobs.journal import Journal
from mien.types import EMOTIONS, PARTS, Float32, Float64, Part

SMOOTH_COLUMNS = tuple(f"smooth_{emotion.value}" for emotion in EMOTIONS)

VIDEO_COLUMNS: dict[str, str] = COLUMNS | {
    "occluded": "str", "smooth_emotion": "str", **dict.fromkeys(SMOOTH_COLUMNS, "float64"),
}  # fmt: skip
"""The columns of every table, and three more kinds: ``occluded`` (parts that are hidden for a while, separated by
spaces; empty where none is), ``smooth_emotion`` and the smoothed probabilities."""

_EMOTION_COLUMNS = [emotion.value for emotion in EMOTIONS]

_SERIES_COLUMNS = ["input", "face_id", "frame", "approx_time", "p_correct", *_EMOTION_COLUMNS,
                   *(f"visible_{part.value}" for part in PARTS)]  # fmt: skip

SHORTEST_STRETCH = 0.3
"""In seconds: what is hidden for less is no stretch."""


@dataclass(frozen=True)
class Stretch:
    """A time in which a part of a face is hidden, or the whole face out of sight.

    Attributes:
        part: what is hidden; None is the whole face, which no detector found.
        start: seconds.
        end: seconds.
    """

    part: Part | None
    start: float
    end: float

    def __str__(self) -> str:
        what = "out of sight" if self.part is None else f"{self.part.value} hidden"
        return f"{what} {self.start:.1f} to {self.end:.1f} s"


@dataclass(frozen=True, eq=False)
class Series:
    """One face through a video.

    Attributes:
        input: the video.
        face_id: the track's number.
        frames: int64 [N], index of each frame it is in.
        times: float64 [N], seconds.
        authenticity: float64 [N], of each frame's answer; NaN where there is none.
        emotions: float64 [N, 8], each frame's probabilities; NaN where there is no answer.
        smooth: float32 [N, 8], smoothed.
        hidden: bool [N, 3], by part in the order of PARTS: hidden for a while.
        stretches: in order of time.
    """

    input: str
    face_id: int
    frames: npt.NDArray[np.int64]
    times: Float64
    authenticity: Float64
    emotions: Float64
    smooth: Float32
    hidden: npt.NDArray[np.bool_]
    stretches: tuple[Stretch, ...]

    @cached_property
    def said(self) -> list[str | None]:
        """The smoothed answer of each frame; None where there is none."""
        return [None if np.isnan(row).any() else EMOTIONS[int(row.argmax())].value for row in self.smooth]


def series_of(journal: Journal, width: float) -> list[Series]:
    """Every face of a journal's videos, in order of video and number.

    Args:
        journal: its pieces hold the rows.
        width: of the smoothing, in seconds.
    """
    kept = []
    for number, _ in journal.pieces():
        rows = journal.read(number)[_SERIES_COLUMNS]
        kept.append(rows[rows["face_id"].notna()])
    if not kept:
        return []
    rows = pd.concat(kept, ignore_index=True)
    names = list(dict.fromkeys(rows["input"]))
    found = []
    for name in names:
        own = rows[rows["input"] == name].sort_values("frame")
        for face_id in sorted(own["face_id"].unique()):
            found.append(_series(str(name), int(face_id), own[own["face_id"] == face_id], width))
    return found


def _series(name: str, face_id: int, rows: pd.DataFrame, width: float) -> Series:
    times = rows["approx_time"].to_numpy(np.float64)
    emotions = rows[_EMOTION_COLUMNS].to_numpy(np.float64)
    authenticity = rows["p_correct"].to_numpy(np.float64)
    seen = [rows[f"visible_{part.value}"].to_numpy(bool) for part in PARTS]
    hidden = np.stack([_lasting(times, covered(times, visible, width)) for visible in seen], axis=1)
    frames = rows["frame"].to_numpy(np.int64)
    stretches = _stretches(times, hidden)
    return Series(name, face_id, frames, times, authenticity, emotions,
                  smooth(times, emotions, authenticity, width), hidden, stretches)  # fmt: skip


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _lasting(times: Float64, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The same without runs shorter than ``SHORTEST_STRETCH``."""
    kept = np.zeros_like(flags)
    for first, last in _runs(flags):
        if times[last] - times[first] >= SHORTEST_STRETCH or last - first + 1 == len(flags):
            kept[first : last + 1] = True
    return kept


def _stretches(times: Float64, hidden: npt.NDArray[np.bool_]) -> tuple[Stretch, ...]:
    found = [
        Stretch(part, float(times[first]), float(times[last]))
        for column, part in enumerate(PARTS)
        for first, last in _runs(hidden[:, column])
    ]
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    gaps = np.flatnonzero(np.diff(times) > max(SHORTEST_STRETCH, 2.5 * step))
    found += [Stretch(None, float(times[i]), float(times[i + 1])) for i in gaps]
    return tuple(sorted(found, key=lambda stretch: (stretch.start, stretch.end)))


class Amendment:
    """Adds the columns that need the whole video to the rows of a piece; see ``mien.jobs.journal``."""

    def __init__(self, series: list[Series]) -> None:
        self._places = {
            (one.input, one.face_id, int(frame)): (one, i) for one in series for i, frame in enumerate(one.frames)
        }

    def __call__(self, number: int, note: dict[str, Any], rows: pd.DataFrame) -> tuple[pd.DataFrame, list[list[str]]]:
        """Rows with ``occluded`` and the smoothed columns."""
        extra = [self._columns_of(row) for row in rows[["input", "face_id", "frame"]].itertuples(index=False)]
        names = ["occluded", "smooth_emotion", *SMOOTH_COLUMNS]
        more = pd.DataFrame(extra, columns=names, index=rows.index)
        return pd.concat([rows.drop(columns=names, errors="ignore"), more], axis=1), note.get("failures", [])

    def _columns_of(self, row: Any) -> list[Any]:
        place = None if pd.isna(row.face_id) else self._places.get((row.input, int(row.face_id), int(row.frame)))
        if place is None:
            return [None] * (2 + len(EMOTIONS))
        one, i = place
        hidden = " ".join(part.value for column, part in enumerate(PARTS) if one.hidden[i, column])
        return [hidden or None, one.said[i], *(float(p) for p in one.smooth[i])]
