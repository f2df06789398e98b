"""Videos -> one table, resumable: frames, tracks, answers, then smoothing over each face's whole time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mien.analyze.analyzer import Analyzer
from mien.analyze.identity import files_as_they_are, identity_of
from mien.analyze.video.detection import VideoDetector, describe
from mien.analyze.video.frames import VideoFrame, VideoReader
from mien.analyze.video.result import VideoResult
from mien.analyze.video.series import VIDEO_COLUMNS, Amendment, series_of
from mien.analyze.video.tracks import Tracker, TrackSettings
from mien.errors import InputError, UsageError, path_of, writable
from mien.face.device import on
from mien.jobs.journal import Journal
from mien.jobs.limits import TooSlow, time_limit
from mien.jobs.progress import Progress

PIECE_SECONDS = 10.0
"""Seconds of video a piece: what a kill can lose."""


@dataclass(frozen=True)
class VideoSettings:
    """How videos are analysed.

    Attributes:
        rate: frames a second that are analysed; None is every frame.
        smoothing: standard deviation of the Gaussian over time, in seconds; 0 smooths nothing.
        tracks: how faces are followed.
    """

    rate: float | None = None
    smoothing: float = 0.3
    tracks: TrackSettings = field(default_factory=TrackSettings)

    def __post_init__(self) -> None:
        if self.rate is not None and self.rate <= 0:
            raise UsageError(f"the rate must be positive, got {self.rate:g} frames a second")
        if self.smoothing < 0:
            raise UsageError(f"the smoothing cannot be negative, got {self.smoothing:g} s")


def analyze_videos(
    paths: Sequence[str],
    out: Path,
    analyzer: Analyzer,
    settings: VideoSettings = VideoSettings(),
    *,
    overwrite: bool = False,
    quiet: bool = False,
) -> VideoResult:
    """Analyse videos into a table with one row a face and frame.

    A frame without a face has one row with status ``no face``. A file that breaks off keeps what was read.

    Args:
        paths: the videos.
        out: the table, .csv or .parquet; what could not be read is listed in ``OUT.failures.csv``.
        analyzer: answers for each face.
        settings: how.
        overwrite: replace an earlier result.
        quiet: show no progress.

    Raises:
        UsageError: the result exists, or its journal was begun with other settings.
        InputError: none of the videos can be read.
        MissingExtraError: PyAV is not installed, or pyarrow where Parquet is asked for.
    """
    identity, made_by = _identity(paths, settings, analyzer), analyzer.provenance()
    with Journal(out, identity, VIDEO_COLUMNS, overwrite, made_by) as journal:
        for number, path in enumerate(paths):
            _read(journal, number, path, analyzer, settings, alone=len(paths) == 1, quiet=quiet)
        notes = [note for _, note in journal.pieces()]
        series = series_of(journal, settings.smoothing)
        journal.finish(Amendment(series))
    frames = {path: sum(note["frames"] for note in notes if note["video"] == i) for i, path in enumerate(paths)}
    problems = [(failure[0], failure[2]) for note in notes for failure in note["failures"]]
    return VideoResult(out, series, frames, problems)


def _identity(paths: Sequence[str], settings: VideoSettings, analyzer: Analyzer) -> dict[str, Any]:
    """What must be the same for a run that goes on."""
    own = asdict(settings)
    return {"paths": list(paths), **own, **identity_of(analyzer), **files_as_they_are(paths)}


def _read(
    journal: Journal, number: int, path: str, analyzer: Analyzer, settings: VideoSettings, *, alone: bool, quiet: bool
) -> None:
    """Bring one video's pieces into the journal, from where an earlier run ended."""
    before = [note for _, note in journal.pieces() if note["video"] == number]
    if before and before[-1]["complete"]:
        return
    try:
        reader = VideoReader(path_of(path), analyzer.options.limits)
    except InputError as error:
        if alone:
            raise
        note = _note(number, 0, 0, failures=[[writable(path), type(error).__name__, str(error)]], complete=True)
        journal.commit(journal.next_number, _frame_of([]), note)
        return
    with reader:
        first = before[-1]["next_frame"] if before else 0
        walk = _Walk(analyzer, settings, path)
        if before:
            walk.tracker.restore(before[-1]["state"])
        progress = Progress(Path(path).name, reader.frames_expected, "frames", done=first, quiet=quiet)
        failures = []
        try:
            for frames in _pieces(reader.frames(first, settings.rate)):
                rows = [row for frame in frames for row in walk.rows(frame, progress)]
                note = _note(number, frames.last_index + 1, len(frames), state=walk.tracker.state())
                journal.commit(journal.next_number, _frame_of(rows), note)
                walk.fresh = True
        except TooSlow as error:  # what was read before this piece is kept
            failures = [[writable(path), type(error).__name__, f"frame {reader.frames_read - 1}: {error}"]]
        if reader.problem:
            failures.append([writable(path), "damaged", reader.problem])
        if reader.frames_read == 0:
            failures = [[writable(path), "InputError", f"{writable(path)}: no frame can be read"]]
        end = _note(number, reader.frames_read, 0, failures=failures, complete=True)
        journal.commit(journal.next_number, _frame_of([]), end)
        progress.done = reader.frames_read
        progress.close(reader.problem)


def _note(video: int, next_frame: int, frames: int, **more: Any) -> dict[str, Any]:
    note = {"video": video, "next_frame": next_frame, "frames": frames, "failures": [], "complete": False}
    return note | {"state": None} | more


def _pieces(frames: Iterator[VideoFrame]) -> Iterator[_Lazy]:
    """Runs of frames that end every ``PIECE_SECONDS``; only one frame is in memory."""
    upcoming = next(frames, None)
    while upcoming is not None:
        piece = _Lazy(upcoming, frames)
        yield piece
        upcoming = piece.rest()


class _Lazy:
    """The frames of one piece, read while they are walked through; then it knows its length and its last frame."""

    def __init__(self, first: VideoFrame, frames: Iterator[VideoFrame]) -> None:
        self._first, self._frames = first, frames
        self._next: VideoFrame | None = None
        self._last_index, self._count = first.index, 0

    def __iter__(self) -> Iterator[VideoFrame]:
        frame: VideoFrame | None = self._first
        end = (int(self._first.time // PIECE_SECONDS) + 1) * PIECE_SECONDS
        while frame is not None and frame.time < end:
            self._last_index, self._count = frame.index, self._count + 1
            yield frame
            frame = next(self._frames, None)
        self._next = frame

    def __len__(self) -> int:
        return self._count

    @property
    def last_index(self) -> int:
        """Index of the last frame walked through."""
        return self._last_index

    def rest(self) -> VideoFrame | None:
        """The first frame of the next piece."""
        return self._next


class _Walk:
    """Goes through a video's frames and gives the rows of each."""

    def __init__(self, analyzer: Analyzer, settings: VideoSettings, path: str) -> None:
        self.analyzer, self.path = analyzer, path
        options = analyzer.options
        self.detector = VideoDetector(options.detector, settings.tracks.detect_seconds, options.min_face)
        self.tracker = Tracker(self.detector, describe if options.detector == "dlib" else None, settings.tracks)
        self.fresh = True

    def rows(self, frame: VideoFrame, progress: Progress) -> list[dict[str, Any]]:
        """One dict a face, keyed by the columns; the faces are numbered by track."""
        with time_limit(self.analyzer.options.limits.seconds):
            return self._rows(frame, progress)

    def _rows(self, frame: VideoFrame, progress: Progress) -> list[dict[str, Any]]:
        if self.fresh:
            self.detector.reset()
        with on(self.analyzer.device):
            tracked = self.tracker.update(frame.pixels, frame.time, forget_flow=self.fresh)
        self.fresh = False
        faces = [one.face for one in tracked]
        rows = self.analyzer.analyze(frame.pixels, faces=faces, input=self.path).to_rows(frame.index, frame.time)
        progress.add(frame.index + 1 - progress.done)
        return [row | {"face_id": one.track} for row, one in zip(rows, tracked, strict=True)] if tracked else rows


def _frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(VIDEO_COLUMNS))
    return table.astype({name: "object" if kind == "str" else kind for name, kind in VIDEO_COLUMNS.items()})
