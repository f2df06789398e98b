"""The video once more, with faces, numbers and smoothed answers drawn on it; same time stamps, no sound."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from mien.analyze.video.frames import VideoReader, import_av
from mien.errors import InputError, UsageError
from mien.face.draw import mark_face
from mien.jobs.files import replacing
from mien.jobs.progress import Progress
from mien.jobs.tables import table_format
from mien.types import PARTS, Face, Part, UInt8

TICKS = 90_000
"""Time stamps of the written video, a second."""

SHORTEST, LONGEST = 640, 1280
"""The longer side of a frame is brought into this range before drawing, so that words can be read."""

ROWS = 2_000

_MARKS = ("input", "frame", "face_id", "face_x", "face_y", "face_width", "face_height", "face_score", "p_correct",
          "occluded", "smooth_emotion", *(f"visible_{part.value}" for part in PARTS),
          *(f"{axis}_{i}" for axis in "xy" for i in range(68)))  # fmt: skip

Mark = tuple[Face, frozenset[Part], str]
"""A face, its visible parts, and the words at it."""


def annotate_video(video: Path, table: Path, target: Path, name: str, quiet: bool = False) -> None:
    """Draw a result on its video.

    Args:
        video: what was analysed.
        table: the result, .csv or .parquet.
        target: .mp4, .mkv or .mov; its frames have a longer side of 640 to 1280 pixels.
        name: the video's name in the column ``input``.
        quiet: show no progress.

    Raises:
        UsageError: the target's name ends otherwise, or it is the video itself.
        InputError: the video cannot be read, or the target cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    if target.suffix.lower() not in (".mp4", ".mkv", ".mov"):
        raise UsageError(f"--annotate: the file name ends with .mp4, .mkv or .mov, got {target.name}")
    if target.exists() and target.samefile(video):
        raise UsageError(f"--annotate {target} would overwrite the video itself")
    marks = _Marks(marks_of(table, name))
    with VideoReader(video) as reader, replacing(target) as scratch:
        progress = Progress(target.name, reader.frames_expected, "frames", quiet=quiet)
        writer = _Writer(scratch)
        try:
            for frame in reader:
                writer.write(_drawn(frame.pixels, marks.at(frame.index)), frame.time)
                progress.add()
        finally:
            writer.close()
        progress.close()


def marks_of(table: Path, name: str) -> Iterator[tuple[int, list[Mark]]]:
    """Frame index and marks of every analysed frame of one video, in order; little of the table is in memory."""
    frame, marks = -1, list[Mark]()
    for rows in _chunks(table):
        for row in rows[rows["input"] == name].to_dict("records"):
            if int(row["frame"]) != frame:
                if frame >= 0:
                    yield frame, marks
                frame, marks = int(row["frame"]), []
            if not pd.isna(row["face_id"]):
                marks.append(_mark(row))
    if frame >= 0:
        yield frame, marks


def _chunks(table: Path) -> Iterator[pd.DataFrame]:
    if table_format(table) == "csv":
        yield from pd.read_csv(table, usecols=list(_MARKS), chunksize=ROWS, dtype={"occluded": "object"})
        return
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(table).iter_batches(ROWS, columns=list(_MARKS)):
        yield batch.to_pandas()


def _mark(row: dict[Any, Any]) -> Mark:
    x, y = float(row["face_x"]), float(row["face_y"])
    box = np.array([x, y, x + float(row["face_width"]), y + float(row["face_height"])], np.float32)
    points = np.array([[row[f"x_{i}"], row[f"y_{i}"]] for i in range(68)], np.float32)
    occluded = "" if pd.isna(row["occluded"]) else str(row["occluded"])
    visible = frozenset(part for part in PARTS if part.value not in occluded.split())
    words = f"{int(row['face_id'])}: " + ("no answer" if pd.isna(row["smooth_emotion"]) else row["smooth_emotion"])
    if not pd.isna(row["p_correct"]):
        words += f", right {float(row['p_correct']):.0%}"
    if occluded:
        words += f", {occluded.replace(' ', ' and ')} hidden"
    return Face(box, points, "track", float(row["face_score"])), visible, words


class _Marks:
    """The marks of each frame; one that was not analysed keeps those before it."""

    def __init__(self, frames: Iterator[tuple[int, list[Mark]]]) -> None:
        self._frames = frames
        self._marks: list[Mark] = []
        self._next = next(frames, None)

    def at(self, index: int) -> list[Mark]:
        while self._next is not None and self._next[0] <= index:
            self._marks = self._next[1]
            self._next = next(self._frames, None)
        return self._marks


def _drawn(pixels: UInt8, marks: list[Mark]) -> UInt8:
    """uint8 [H', W', 3], both sides even as video needs them."""
    height, width = pixels.shape[:2]
    scale = float(np.clip(max(height, width), SHORTEST, LONGEST)) / max(height, width)
    size = (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas = np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
    for face, visible, words in marks:
        mark_face(canvas, face, visible, scale, words)
    return canvas


class _Writer:
    """An H.264 file (MPEG-4 where the encoder is missing) whose frames keep their times."""

    def __init__(self, path: Path) -> None:
        self._av = import_av()
        self._path = path
        self._stream: Any = None
        try:
            self._container = self._av.open(str(path), "w")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error

    def write(self, pixels: UInt8, time: float) -> None:
        """One more frame uint8 [H, W, 3], RGB, at its time in seconds."""
        if self._stream is None:
            self._stream = self._new_stream(pixels.shape[1], pixels.shape[0])
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))

    def _new_stream(self, width: int, height: int) -> Any:
        codec = "libx264" if "libx264" in self._av.codecs_available else "mpeg4"
        stream = self._container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        return stream

    def close(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
