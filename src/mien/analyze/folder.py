"""Folders of photos -> one table: in parallel, resumable, in bounded memory; one bad file never stops it.

The work is cut into pieces of a few dozen photos. A finished piece is kept in a journal beside the result
(:mod:`mien.jobs.journal`), so that the same command goes on after a kill. The result is the folder as it is when the
last run starts: photos that came, went or changed in between are treated accordingly.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from mien.analyze.analyzer import Analyzer
from mien.analyze.answers import Answers
from mien.analyze.listing import Key, Listing, Photo, list_photos
from mien.analyze.table import COLUMNS, table_of
from mien.errors import InputError
from mien.face import images
from mien.jobs.files import hash_of
from mien.jobs.journal import Journal, failures_path
from mien.jobs.progress import Progress
from mien.jobs.workers import worker_map
from mien.trust.models import Models

PIECE = 32
"""Photos a piece: a few seconds of work, which is what a kill can lose."""

Failure = list[str]
"""[input, error type, message]."""


@dataclass(frozen=True)
class BatchSettings:
    """How photos are analysed.

    Attributes:
        models: folder of models; None is the shipped ones.
        network: ``vgg`` or ``anyarea``; None is the models' default.
        detector: ``auto``, ``hog`` or ``cnn``.
        area: the parts that are visible, where the user knows.
        coverage: see :class:`~mien.analyze.analyzer.Analyzer`.
        min_authenticity: see :class:`~mien.analyze.analyzer.Analyzer`.
        save_image: folder for drawn pictures; None draws none.
        heatmap: folder for class maps laid over the pictures; None draws none.
    """

    models: Path | None = None
    network: str | None = None
    detector: Any = "auto"
    area: tuple[str, ...] | None = None
    coverage: float | None = None
    min_authenticity: float = 0.0
    save_image: Path | None = None
    heatmap: Path | None = None

    def analyzer(self) -> Analyzer:
        """An Analyzer with one thread."""
        return Analyzer(
            Models(self.models, self.network, threads=1),
            detector=self.detector,
            area=self.area,
            heatmap=self.heatmap is not None,
            coverage=self.coverage,
            min_authenticity=self.min_authenticity,
        )


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
class Piece:
    """A few photos, analysed in one go by a worker.

    Attributes:
        number: its place in the journal.
        photos: to analyse.
        settings: how.
    """

    number: int
    photos: tuple[Photo, ...]
    settings: BatchSettings


@dataclass(frozen=True)
class Finished:
    """What a worker gives back."""

    piece: Piece
    rows: list[dict[str, Any]]
    failures: list[Failure]

    @property
    def note(self) -> dict[str, Any]:
        """For the journal."""
        return {"photos": [list(photo.key) for photo in self.piece.photos], "failures": self.failures}


@cache
def _analyzer(settings: BatchSettings) -> Analyzer:
    return settings.analyzer()


def analyze_piece(piece: Piece) -> Finished:
    """Analyse the photos of a piece; what cannot be read is named among the failures."""
    analyzer = _analyzer(piece.settings)
    rows: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for photo in piece.photos:
        try:
            answers = analyzer.analyze(photo.input)
            _draw(answers, photo, piece.settings)
        except InputError as error:
            failures.append([photo.input, type(error).__name__, str(error)])
        except Exception as error:  # one photo must not end the batch, whatever it does to mien
            failures.append([photo.input, type(error).__name__, f"mien failed on it: {error}"])
        else:
            rows += answers.to_rows()
    return Finished(piece, rows, failures)


def _draw(answers: Answers, photo: Photo, settings: BatchSettings) -> None:
    for folder, draw in ((settings.save_image, answers.annotated), (settings.heatmap, answers.overlaid)):
        if folder is not None:
            target = (folder / photo.name).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            images.save(draw(), target)


def analyze_folder(
    paths: Sequence[str],
    out: Path,
    settings: BatchSettings = BatchSettings(),
    *,
    recursive: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    listing: Listing | None = None,
) -> Summary:
    """Analyse folders of photos into a table with one row a face (:data:`mien.analyze.table.COLUMNS`).

    Args:
        paths: folders, and photos.
        out: the table, .csv or .parquet; failures go to ``OUT.failures.csv`` beside it.
        settings: how.
        recursive: also the folders below.
        workers: processes; None is one a core.
        overwrite: replace an earlier result.
        quiet: show no progress.
        listing: of these paths, where the caller has made one already.

    Raises:
        UsageError: the result exists, or its journal was begun with other settings.
        InputError: a path cannot be read.
        MissingExtraError: Parquet is asked for and pyarrow is missing.
        ModelError: the models are missing or damaged.
    """
    analyzer = settings.analyzer()  # a wrong option is said once, here, and not by every worker
    listing = list_photos(paths, recursive) if listing is None else listing
    with Journal(out, _identity(paths, settings, recursive, analyzer), COLUMNS, overwrite) as journal:
        wanted = {photo.key for photo in listing.photos}
        kept = {key: number for key, number in _covered(journal).items() if key in wanted}
        progress = Progress("analyse", len(wanted), "photos", done=len(kept), quiet=quiet)
        pieces = _pieces([p for p in listing.photos if p.key not in kept], journal.next_number, settings)
        for finished in _results(pieces, (os.cpu_count() or 1) if workers is None else workers):
            journal.commit(finished.piece.number, table_of(finished.rows), finished.note)
            kept |= {photo.key: finished.piece.number for photo in finished.piece.photos}
            progress.add(len(finished.piece.photos))
        progress.close()
        return _finish(journal, kept)


def _identity(paths: Sequence[str], settings: BatchSettings, recursive: bool, analyzer: Analyzer) -> dict[str, Any]:
    """What must be the same for a run that goes on."""
    return {
        "paths": list(paths),
        "recursive": recursive,
        "models": hash_of(analyzer.models.manifest),
        **{name: str(value) for name, value in vars(settings).items() if name != "models"},
    }


def _covered(journal: Journal) -> dict[Key, int]:
    """Which piece holds a photo, as it was then."""
    return {
        (input, size, changed): number for number, note in journal.pieces() for input, size, changed in note["photos"]
    }


def _pieces(photos: Sequence[Photo], first: int, settings: BatchSettings) -> list[Piece]:
    starts = range(0, len(photos), PIECE)
    return [Piece(first + n, tuple(photos[start : start + PIECE]), settings) for n, start in enumerate(starts)]


def _results(pieces: Iterable[Piece], workers: int) -> Iterator[Finished]:
    """Finished pieces, in order. A photo that kills a worker process is found and becomes a failure."""
    waiting = deque(pieces)
    while waiting:
        try:
            with worker_map(workers) as run:
                for finished in run(analyze_piece, list(waiting)):
                    yield finished
                    waiting.popleft()
        except BrokenProcessPool:
            yield _one_by_one(waiting.popleft())


def _one_by_one(piece: Piece) -> Finished:
    """A piece whose worker may have died: each photo in a process that may die without harm."""
    rows: list[dict[str, Any]] = []
    failures: list[Failure] = []
    photos = deque(piece.photos)
    while photos:
        try:
            with worker_map(2) as run:
                singles = [replace(piece, photos=(photo,)) for photo in photos]
                for finished in run(analyze_piece, singles):
                    photos.popleft()
                    rows += finished.rows
                    failures += finished.failures
        except BrokenProcessPool:
            rows, failures = _alone(replace(piece, photos=(photos.popleft(),)), rows, failures)
    return Finished(piece, rows, failures)


def _alone(
    single: Piece, rows: list[dict[str, Any]], failures: list[Failure]
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """One photo in a pool of its own: it may have been the one beside it that killed the pool before."""
    try:
        with worker_map(2) as run:
            finished = next(iter(run(analyze_piece, [single])))
    except BrokenProcessPool:
        message = "the process that analysed it died"
        return rows, [*failures, [single.photos[0].input, "BrokenProcessPool", message]]
    return rows + finished.rows, failures + finished.failures


def _finish(journal: Journal, kept: Mapping[Key, int]) -> Summary:
    """Join the pieces, without what a later one replaced or what is no longer there."""
    counts = dict.fromkeys(("photos", "faces", "without_face", "failed"), 0)

    def amend(number: int, note: dict[str, Any], rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Failure]]:
        valid = {input for input, size, changed in note["photos"] if kept.get((input, size, changed)) == number}
        rows = rows[rows["input"].isin(valid)]
        failures = [failure for failure in note["failures"] if failure[0] in valid]
        empty = int((rows["status"] != "ok").sum())
        counts["photos"] += rows["input"].nunique()
        counts["faces"] += len(rows) - empty
        counts["without_face"] += empty
        counts["failed"] += len(failures)
        return rows, failures

    journal.finish(amend)
    return Summary(**counts, out=journal.out)
