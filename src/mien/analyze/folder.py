"""Folders of photos -> one table: in parallel, resumable, in bounded memory; one bad file never stops it.

Every photo is a task of its own (:mod:`mien.jobs.workers`), with a limit of time and of memory. What is finished is
kept in a journal beside the result (:mod:`mien.jobs.journal`) every few seconds, and at Ctrl-C, so that the same
command goes on. The result is the folder as it is when the last run starts, in the order of its names: photos that
came, went or changed in between are treated accordingly.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.analyze.analyzer import Analyzer
from mien.analyze.answers import Answers
from mien.analyze.boxes import read_boxes
from mien.analyze.drawings import Drawings
from mien.analyze.identity import identity_of
from mien.analyze.listing import Key, Listing, Photo, list_photos
from mien.analyze.options import DEFAULT_OPTIONS, AnalyzerOptions
from mien.analyze.table import COLUMNS, table_of
from mien.errors import InputError, ModelError, one_line, writable
from mien.face import images
from mien.jobs.journal import Journal
from mien.jobs.progress import Progress
from mien.jobs.tables import failures_path
from mien.jobs.workers import Crew, Lost, Outcome, WorkLimits
from mien.trust.models import Models

PIECE_SECONDS = 3.0
"""What a kill can lose: finished photos are kept this often."""
PIECES_AT_HAND = 8
"""Pieces in memory while the table is put together."""
ROWS_AT_ONCE = 2_000
"""Rows that are written at a time."""

Engine = Literal["processes", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

Failure = list[str]
"""[input, error type, message]."""


@dataclass(frozen=True)
class FolderSettings:
    """How folders are analysed.

    Attributes:
        options: how each photo is.
        models: folder of models; None is the shipped ones.
        network: of the folder; None is its default.
        boxes: table of the user's own boxes (:mod:`mien.analyze.boxes`); None looks for faces.
        whole_picture: every photo is one face.
        save_image: folder for drawn pictures; None draws none.
        save_heatmap: folder for class maps laid over the pictures; None draws none.
    """

    options: AnalyzerOptions = DEFAULT_OPTIONS
    models: Path | None = None
    network: str | None = None
    boxes: Path | None = None
    whole_picture: bool = False
    save_image: Path | None = None
    save_heatmap: Path | None = None

    def analyzer(self) -> Analyzer:
        """An Analyzer with one thread."""
        heatmap = self.options.heatmap or self.save_heatmap is not None
        return Analyzer(Models(self.models, self.network, threads=1), options=self.options, heatmap=heatmap)


@dataclass(frozen=True)
class Summary:
    """What came out.

    Attributes:
        photos: analysed, failures not counted.
        faces: found in them.
        without_face: photos in which none was found.
        failed: photos that could not be analysed.
        out: the table.
    """

    photos: int
    faces: int
    without_face: int
    failed: int
    out: Path

    def __str__(self) -> str:
        words = (
            f"{self.photos:,} photos: {self.faces:,} faces, {self.without_face:,} photos without one; see {self.out}"
        )
        if self.failed:
            words += f"; {self.failed:,} files could not be analysed: {failures_path(self.out)}"
        return words


@dataclass(frozen=True)
class PhotoTask:
    """What a worker is told.

    Attributes:
        photo: to analyse.
        settings: how.
        drawn: where its drawing goes; None draws none.
        overlaid: where its class map goes; None draws none.
    """

    photo: Photo
    settings: FolderSettings
    drawn: Path | None = None
    overlaid: Path | None = None


@dataclass(frozen=True)
class Finished:
    """What a worker gives back."""

    rows: list[dict[str, Any]]
    failures: list[Failure]


@cache
def _analyzer(settings: FolderSettings) -> Analyzer:
    return settings.analyzer()


def analyze_photo(task: PhotoTask) -> Finished:
    """Analyse a photo; one that cannot be read is a failure, and so is a drawing that cannot be written."""
    name = writable(task.photo.input)
    try:
        boxes = None if task.settings.boxes is None else read_boxes(task.settings.boxes).of(task.photo.input)
        whole = task.settings.whole_picture
        answers = _analyzer(task.settings).analyze(task.photo.input, boxes=boxes, whole_picture=whole)
        rows = answers.to_rows()
    except ModelError:
        raise  # no photo's fault: it ends the run
    except InputError as error:
        return Finished([], [[name, type(error).__name__, str(error)]])
    except Exception as error:  # one photo must not end the batch, whatever it does to mien
        return Finished([], [[name, type(error).__name__, f"mien failed on it: {one_line(error)}"]])
    return Finished(rows, list(_draw(answers, task)))


def _draw(answers: Answers, task: PhotoTask) -> Iterator[Failure]:
    for target, draw in ((task.drawn, answers.annotated), (task.overlaid, answers.overlaid)):
        if target is None:
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            images.save(draw(), target)
        except Exception as error:
            words = (
                error
                if isinstance(error, InputError)
                else f"its drawing {target} cannot be written ({one_line(error)})"
            )
            yield [writable(task.photo.input), type(error).__name__, writable(str(words))]


@dataclass
class _Piece:
    """Finished photos that are not kept yet."""

    photos: list[Photo] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome[PhotoTask, Finished]) -> None:
        """One more photo."""
        photo = outcome.task.photo
        self.photos.append(photo)
        if outcome.result is not None:
            self.rows += outcome.result.rows
            self.failures += outcome.result.failures
        else:
            kind = "WorkerError" if isinstance(outcome.error, Lost) else type(outcome.error).__name__
            self.failures.append([writable(photo.input), kind, one_line(outcome.error)])


def analyze_folder(
    paths: Sequence[str],
    out: Path,
    settings: FolderSettings = FolderSettings(),
    *,
    recursive: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    listing: Listing | None = None,
    engine: Engine = "processes",
) -> Summary:
    """Analyse folders of photos into a table with one row a face (:data:`mien.analyze.table.COLUMNS`).

    Args:
        paths: folders, and photos.
        out: the table, .csv or .parquet; failures go to ``OUT.failures.csv`` beside it.
        settings: how.
        recursive: also the folders below.
        workers: processes; None is one a core, 0 works in this process, without the limits of time and memory.
        overwrite: replace an earlier result.
        quiet: show no progress.
        listing: of these paths, where the caller has made one already.
        engine: ``processes`` of this machine, or ``ray``, a cluster (:mod:`mien.analyze.cluster`). The table is the
            same, and either goes on with what the other began.

    Raises:
        UsageError: the result exists, or its journal was begun with other settings.
        InputError: a path cannot be read.
        MissingExtraError: Parquet is asked for and pyarrow is missing, or Ray is.
        ModelError: the models are missing or damaged.
        WorkerError: no process could be started.
    """
    analyzer = settings.analyzer()  # a wrong option is said once, here, and not by every worker
    drawings = Drawings(settings.save_image, settings.save_heatmap)
    listing = list_photos(paths, recursive, drawings.folders) if listing is None else listing
    targets = drawings.targets(listing.photos)
    identity = _identity(paths, settings, recursive, analyzer)
    with Journal(out, identity, COLUMNS, overwrite, analyzer.provenance()) as journal:
        wanted = {photo.key for photo in listing.photos}
        kept = {key: number for key, number in _covered(journal).items() if key in wanted}
        progress = Progress("analyse", len(wanted), "photos", done=len(kept), quiet=quiet)
        tasks = [PhotoTask(photo, settings, *targets[photo.input]) for photo in listing.photos if photo.key not in kept]
        keep = _Keeper(journal, kept)
        try:
            with _outcomes(tasks, settings, workers, engine) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome.error, ModelError):
                        raise outcome.error
                    keep.add(outcome)
                    progress.add()
        finally:  # at Ctrl-C too
            keep.commit()
        progress.close()
        return _finish(journal, listing, kept)


@contextmanager
def _outcomes(
    tasks: Sequence[PhotoTask], settings: FolderSettings, workers: int | None, engine: Engine
) -> Iterator[Iterator[Outcome[PhotoTask, Finished]]]:
    """What becomes of every photo, in the order in which it does; no processes for ``workers`` 0."""
    if workers == 0:
        yield (Outcome(task, analyze_photo(task)) for task in tasks)
        return
    if engine == "ray":
        from mien.analyze.cluster import on_ray

        seconds = settings.options.limits.seconds
        with on_ray(analyze_photo, tasks, partial(_analyzer, settings), workers, seconds) as far:
            yield far
        return
    limits = WorkLimits(settings.options.limits.seconds, settings.options.limits.memory)
    workers = (os.cpu_count() or 1) if workers is None else workers
    with Crew(min(workers, max(len(tasks), 1)), partial(_analyzer, settings), limits) as crew:
        yield crew.outcomes(analyze_photo, tasks, ordered=False)


class _Keeper:
    """Brings finished photos into the journal, every few seconds."""

    def __init__(self, journal: Journal, kept: dict[Key, int]) -> None:
        self._journal, self._kept = journal, kept
        self._piece = _Piece()
        self._next = journal.next_number  # asked once: the journal reads every piece's note to tell

    def add(self, outcome: Outcome[PhotoTask, Finished]) -> None:
        self._piece.add(outcome)
        if time.monotonic() - self._piece.since >= PIECE_SECONDS:
            self.commit()

    def commit(self) -> None:
        piece, self._piece = self._piece, _Piece()
        if not piece.photos:
            return
        number, self._next = self._next, self._next + 1
        note = {"photos": [list(photo.key) for photo in piece.photos], "failures": piece.failures}
        self._journal.commit(number, table_of(piece.rows), note)
        self._kept.update({photo.key: number for photo in piece.photos})


def _identity(paths: Sequence[str], settings: FolderSettings, recursive: bool, analyzer: Analyzer) -> dict[str, Any]:
    """What must be the same for a run that goes on."""
    own = {name: str(value) for name, value in vars(settings).items() if name not in ("models", "options")}
    return {"paths": list(paths), "recursive": recursive, **own, **identity_of(analyzer)}


def _covered(journal: Journal) -> dict[Key, int]:
    """Which piece holds a photo, as it was then."""
    return {
        (input, size, changed): number for number, note in journal.pieces() for input, size, changed in note["photos"]
    }


def _finish(journal: Journal, listing: Listing, kept: Mapping[Key, int]) -> Summary:
    """Put the pieces together, in the order of the folder whenever each photo was done."""
    counts = dict.fromkeys(("photos", "faces", "without_face", "failed"), 0)
    failures = [[writable(path), "InputError", f"{writable(path)}: {why}"] for path, why in listing.unreadable]
    failures += _failures_in_order(journal, listing, kept)
    counts["failed"] = len({failure[0] for failure in failures})

    def counted(rows: pd.DataFrame) -> pd.DataFrame:
        empty = int((rows["status"] != "ok").sum())
        counts["photos"] += rows["input"].nunique()
        counts["faces"] += len(rows) - empty
        counts["without_face"] += empty
        return rows

    journal.write((counted(rows) for rows in _rows_in_order(journal, listing, kept)), failures)
    return Summary(**counts, out=journal.out)


def _failures_in_order(journal: Journal, listing: Listing, kept: Mapping[Key, int]) -> list[Failure]:
    of_piece: dict[int, dict[str, list[Failure]]] = {}
    for number, note in journal.pieces():
        for failure in note["failures"]:
            of_piece.setdefault(number, {}).setdefault(failure[0], []).append(failure)
    return [
        failure
        for photo in listing.photos
        for failure in of_piece.get(kept[photo.key], {}).get(writable(photo.input), [])
    ]


def _rows_in_order(journal: Journal, listing: Listing, kept: Mapping[Key, int]) -> Iterator[pd.DataFrame]:
    """The table's rows, a few thousand at a time; a few pieces are in memory."""
    at_hand: dict[int, tuple[pd.DataFrame, Mapping[Any, npt.NDArray[np.intp]]]] = {}
    waiting: list[tuple[pd.DataFrame, list[int]]] = []  # rows of pieces, a run of photos each: a table a photo is slow
    count = 0
    for photo in listing.photos:
        number = kept[photo.key]
        piece = at_hand.pop(number, None)
        if piece is None:
            rows = journal.read(number)
            piece = rows, cast("Mapping[Any, npt.NDArray[np.intp]]", rows.groupby("input", sort=False).indices)
        at_hand[number] = piece
        if len(at_hand) > PIECES_AT_HAND:
            at_hand.pop(next(iter(at_hand)))
        places = piece[1].get(writable(photo.input))
        if places is None:
            continue
        if not waiting or waiting[-1][0] is not piece[0]:
            waiting.append((piece[0], []))
        waiting[-1][1].extend(places.tolist())
        count += len(places)
        if count >= ROWS_AT_ONCE:
            yield pd.concat([rows.take(of_run) for rows, of_run in waiting])
            waiting, count = [], 0
    if waiting:
        yield pd.concat([rows.take(of_run) for rows, of_run in waiting])
