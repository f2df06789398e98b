"""A data set -> a cache of faces (``mien.data.cache``): found once, in parallel, resumable after a kill at any moment.

While it runs, OUT holds ``.NAME-HASH.partial/`` with what is found so far; it is renamed to ``NAME-HASH/`` when all is
there. HASH covers the pictures' content, labels, splits and every setting that decides a pixel, so a changed setting
makes another cache and never reads a stale one. Crops are cut from the
canvases when they are needed. Same data, same settings, same library versions: same bytes, whatever the number of
workers or kills.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.data import Dataset, Inspection, inspect, read
from mien.data.cache import VOTE_COLUMNS, FaceCache
from mien.data.dataset import summary_of
from mien.data.find import DETECTOR_CODES, ChunkTask, find_faces, pieces, probe, warm_up
from mien.data.pictures import hash_pictures
from mien.data.rows import FaceRows
from mien.data.store import csv_row
from mien.data.summary import Preparation, contents, speed_of, wall_clock
from mien.errors import DatasetError, ImageError, InputError, InterruptedWork, MissingExtraError, UsageError
from mien.face.crops import CANVAS_SIDE
from mien.face.detect import ONE_FACE, DetectorChoice, check_detector
from mien.face.spec import STUDY_SPECS
from mien.jobs import places
from mien.jobs.files import hash_of, replace_json, replacing, sync_folder
from mien.jobs.lock import claimed
from mien.jobs.progress import Progress
from mien.jobs.workers import Lost, Map, worker_map

FORMAT = 3
"""Raised when the same settings would give other bytes."""

CHUNK = 64
"""Faces a piece: a kill loses at most so many a worker."""
BYTES_A_FACE = 13_000
"""On the disk: a canvas, landmarks, the mesh, and a line of the index."""


@dataclass(frozen=True)
class PrepareConfig:
    """How to prepare a data set.

    Attributes:
        detector: ``mesh`` (BlazeFace and the face mesh), or ``dlib`` (HOG, then CNN), as published.
        workers: processes; 0 is one a core.
        limit: only so many faces, spread evenly, for a trial; 0 is all.
        skip_broken: go on without the faces that are missing or broken, instead of refusing.
        quiet: no progress line.
    """

    detector: DetectorChoice = "mesh"
    workers: int = 0
    limit: int = 0
    skip_broken: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        check_detector(self.detector)
        if self.workers < 0 or self.limit < 0:
            raise UsageError("workers and limit are at least 0")

    @property
    def processes(self) -> int:
        """Worker processes."""
        return self.workers or os.cpu_count() or 1


def prepared(
    data: str, out: Path | str | None = None, quiet: bool = False, detector: DetectorChoice = "mesh"
) -> FaceCache:
    """The cache of ``NAME:ROOT``, such as ``ferplus:~/data/ferplus.zip``; prepared now where it is not there yet.

    Crops are cut from its canvases when they are needed.

    Raises:
        UsageError: ``data`` has another form.
        DatasetError: see :func:`prepare`.
    """
    name, colon, root = data.partition(":")
    if not (name and colon and root):
        raise UsageError(f"a data set is given as NAME:ROOT, such as ferplus:~/data/ferplus; got {data!r}")
    return prepare(read(name, root), out, PrepareConfig(detector, quiet=quiet)).cache


def prepare(dataset: Dataset, out: Path | str | None, config: PrepareConfig = PrepareConfig()) -> Preparation:
    """Prepare a data set, or go on where an earlier run was stopped, or just open what is there.

    Args:
        dataset: what ``mien.data.read`` gave.
        out: folder of caches (None: ``mien.jobs.places.caches()``); the cache is ``out/NAME-HASH``.
        config: see :class:`PrepareConfig`.

    Raises:
        DatasetError: faces are missing or broken (unless ``skip_broken``).
        InputError: ``out`` cannot be written.
        UsageError: another process is preparing the same.
        InterruptedWork: stopped by the user; the same call goes on.
        MissingExtraError: pyarrow is not installed.
    """
    _need_pyarrow()
    out = _place(out)
    try:
        job = _job_of(dataset, out, config)
        out.mkdir(parents=True, exist_ok=True)
        return _run(job)
    except OSError as error:
        raise InputError(f"{error.filename or out} cannot be written ({error.strerror})") from error
    except ImageError as error:
        raise DatasetError(f"{error} (it could be read a moment ago)") from error
    except Lost as error:
        raise InputError("a worker process was ended from outside, perhaps for want of memory; what is done is kept: "
                         "run the same command again, with fewer --workers") from error  # fmt: skip
    except KeyboardInterrupt:
        raise InterruptedWork("stopped; what is done is kept, and the same command goes on from there") from None


def folder_of(dataset: Dataset, out: Path | str | None = None, config: PrepareConfig = PrepareConfig()) -> Path:
    """Where :func:`prepare` puts, or has put, the cache of a data set; raises as it does for missing pictures."""
    return _job_of(dataset, _place(out), config).folder


def _place(out: Path | str | None) -> Path:
    return places.caches() if out is None else Path(out).expanduser()


def _job_of(dataset: Dataset, out: Path, config: PrepareConfig) -> _Job:
    """The preparation; where its cache is there already, no picture is decoded."""
    if not dataset.problems and any(out.glob(f"{dataset.name}-*")):
        hashed = hash_pictures(dataset, config.processes)
        if not hashed.problems:
            job = _Job.of(dataset, hashed, out, config)
            if job.folder.is_dir():
                return job
    return _Job.of(dataset, inspect(dataset, config.processes, config.quiet), out, config)


def _need_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("pyarrow", "data", "preparing a data set") from None


@dataclass(frozen=True, eq=False)
class _Job:
    """One preparation: which faces, where to, and how."""

    dataset: Dataset
    digests: tuple[str, ...]
    chosen: tuple[int, ...]
    out: Path
    config: PrepareConfig
    settings: dict[str, Any]
    skipped: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset, inspection: Inspection, out: Path, config: PrepareConfig) -> _Job:
        """Check the pictures and settle which faces are prepared.

        Raises:
            DatasetError: faces are missing or broken and are not to be skipped, or none is left.
        """
        problems = dataset.problems + inspection.problems
        if problems and not config.skip_broken:
            raise DatasetError(
                f"{dataset.root}: {len(problems):,} faces are missing or broken: {summary_of(problems)} "
                "(mien data check lists all; --skip-broken goes on without them)"
            )
        usable = [i for i, digest in enumerate(inspection.digests) if digest]
        if config.limit and config.limit < len(usable):
            usable = [usable[i] for i in np.linspace(0, len(usable) - 1, config.limit).round().astype(int)]
        if not usable:
            raise DatasetError(f"{dataset.root}: no picture can be read ({summary_of(problems, 1)})")
        digests = tuple(inspection.digests[i] for i in usable)
        settings = _settings(dataset, usable, digests, config.detector)
        return cls(dataset, digests, tuple(usable), out, config, settings, tuple(str(p) for p in problems))

    @property
    def folder(self) -> Path:
        return self.out / f"{self.dataset.name}-{hash_of(self.settings)}"

    @property
    def work(self) -> Path:
        return self.out / f".{self.folder.name}.partial"

    def tasks(self) -> list[ChunkTask]:
        samples = [self.dataset.samples[i] for i in self.chosen]
        return [
            ChunkTask(
                tuple(s.source for s in samples[start:stop]), tuple(s.box for s in samples[start:stop]),
                self.config.detector, FACE_SIZE,
            )
            for start, stop in pieces(len(samples), CHUNK)
        ]  # fmt: skip


FACE_SIZE = STUDY_SPECS["published"].face_size
"""Every study spec has the same, so one set of canvases serves all."""


def _settings(
    dataset: Dataset, chosen: Sequence[int], digests: Sequence[str], detector: DetectorChoice
) -> dict[str, Any]:
    """Everything that decides a byte of the cache; written into it, and its hash is the cache's name."""
    faces = []
    for i, digest in zip(chosen, digests, strict=True):
        s = dataset.samples[i]
        box = None if s.box is None else [float(v) for v in s.box]
        votes = [round(float(v), 6) for v in s.votes]
        name = dataset.store.relative(s.source)
        faces.append([s.id, s.split, s.label.value, votes, s.majority, s.published, name, box, digest])
    return {
        "format": FORMAT,
        "dataset": dataset.name,
        "layout": dataset.layout,
        "rule": dataset.rule,
        "faces": len(faces),
        "data": hash_of(faces),
        "detector": detector,
        "attempts": _attempts(detector),
        "canvas_side": CANVAS_SIDE,
        "face_size": FACE_SIZE,
        "probe": probe(FACE_SIZE, detector),
    }


def _attempts(detector: DetectorChoice) -> list[Any]:
    if detector == "mesh":
        return [[look.kind, look.margin, look.turns, look.least] for look in ONE_FACE]
    from mien.face import dlib_faces

    return [dlib_faces.CROP_SIDE, *(list(attempt) for attempt in dlib_faces._ATTEMPTS)]


def _run(job: _Job) -> Preparation:
    load, started = _load(), time.monotonic()
    complete = job.folder.is_dir()
    speed: dict[str, Any] = {}
    if complete:
        _check_whole(job.folder)
    else:
        _check_space(job)
        with claimed(job.work / "lock") as mine:
            if not mine:
                raise UsageError(f"another process is preparing {job.folder}")
            speed = _prepare(job, load, started)
        _give_name(job)
    report = {"dataset": job.dataset.name, "layout": job.dataset.layout} | contents(job.folder)
    return Preparation(job.folder, report | {"skipped": list(job.skipped), "settings": job.settings} | speed)


def _prepare(job: _Job, load: float | None, started: float) -> dict[str, Any]:
    """Find every face and write the index; returns the report of how fast it went."""
    speed: dict[str, Any] = {}
    if not (job.work / "settings.json").is_file():
        with worker_map(job.config.processes, _warm_up(job)) as mapped:
            rows = FaceRows(job.work, len(job.chosen), CHUNK, job.config.detector == "mesh")
            before = _find(job, rows, mapped)
            _describe(job, rows)
        times = rows["detectors"], rows["seconds"], rows["cpu_seconds"]
        speed = speed_of(*times, job.config.processes, job.config.detector in ("mesh", "dlib"))
        speed |= wall_clock(len(job.chosen), before, time.monotonic() - started, load)
    shutil.rmtree(job.work / "found", ignore_errors=True)
    return {"speed": speed} if speed else {}


def _give_name(job: _Job) -> None:
    """The lock was let go before, as an open file cannot be moved everywhere; a second process finds all of it done."""
    (job.work / "lock").unlink(missing_ok=True)
    sync_folder(job.work)
    job.work.rename(job.folder)
    sync_folder(job.out)


def _check_space(job: _Job) -> None:
    """Refuse before hours of work rather than be killed when the disk is full."""
    need = len(job.chosen) * BYTES_A_FACE
    free = shutil.disk_usage(job.out).free
    if need > free:
        raise InputError(f"{job.out} has {free / 1e9:.1f} GB free and the cache needs {need / 1e9:.1f} GB")


def _check_whole(folder: Path) -> None:
    try:
        FaceCache.open(folder)
    except DatasetError as error:
        raise DatasetError(f"{folder} was damaged from outside: delete it and run the same command again") from error


def _find(job: _Job, rows: FaceRows, mapped: Map) -> int:
    """Find the faces of every piece that is not there yet; returns how many faces an earlier run had found."""
    missing = rows.missing
    before = len(job.chosen) - rows.length(missing)
    progress = Progress("finding faces", len(job.chosen), "faces", done=before, quiet=job.config.quiet)
    tasks = job.tasks()
    for number, chunk in zip(missing, mapped(find_faces, (tasks[n] for n in missing)), strict=True):
        rows.put(number, chunk)
        progress.add(len(chunk.canvases))
    progress.close()
    return before


def _describe(job: _Job, rows: FaceRows) -> None:
    """The cache's index, and settings.json last, so that it vouches for all other files."""
    table = _index(job, rows)
    with replacing(job.work / "index.parquet") as scratch:
        table.to_parquet(scratch, index=False, compression="zstd")
    replace_json(job.work / "settings.json", job.settings, sort_keys=True)


def _index(job: _Job, rows: FaceRows) -> pd.DataFrame:
    boxes, poses = rows["boxes"], rows["poses"]
    samples = [job.dataset.samples[i] for i in job.chosen]
    columns: dict[str, Any] = {
        "id": [s.id for s in samples],
        "dataset": [s.dataset for s in samples],
        "split": [s.split for s in samples],
        "label": [s.label.value for s in samples],
        "majority": [s.majority for s in samples],
        "published": [s.published for s in samples],
    }
    votes = np.stack([s.votes for s in samples])
    columns |= {name: votes[:, i] for i, name in enumerate(VOTE_COLUMNS)}
    columns["source"] = [job.dataset.store.relative(s.source) for s in samples]
    columns["picture"] = list(job.digests)
    columns["detector"] = [DETECTOR_CODES[code] for code in rows["detectors"]]
    columns["score"] = rows["scores"]
    columns["presence"] = rows["presences"]
    columns |= {f"pose_{name}": poses[:, i] for i, name in enumerate(("yaw", "pitch", "roll"))}
    columns |= {name: boxes[:, i] for i, name in enumerate(("box_x0", "box_y0", "box_x1", "box_y1"))}
    columns["face_size"] = rows["sizes"]
    return pd.DataFrame(columns)


def _warm_up(job: _Job) -> Callable[[], Any]:
    row = csv_row(job.dataset.samples[0].source)
    return partial(warm_up, job.config.detector, None if row is None else row[0])


def _load() -> float | None:
    """Load average of the last minute, where the system tells it."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
