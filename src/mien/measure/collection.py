"""A collection of the user's own photos: answers for all faces, and the mix of emotions or how far trust holds there.

What was answered is kept a photo at a time in mien's cache folder, so that the same command goes on where it ended.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mien.data.pictures import load_gray
from mien.data.samples import Sample
from mien.errors import InputError, TableError, UsageError, writable
from mien.face import images
from mien.face.detect import detect
from mien.face.formats import SUFFIXES
from mien.jobs import places
from mien.jobs.files import hash_of
from mien.jobs.progress import Progress
from mien.measure.fit.mix import MixEstimate, SourceAnswers, estimate_mix
from mien.trust.answer import AnswerPath, PictureFaces
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.trust.reference import ReferenceAnswers, read_reference
from mien.types import Emotion, UInt8


@dataclass(frozen=True)
class FaceAnswer:
    """What the networks say of one face.

    Attributes:
        photo: its file, or the id of a data set's sample.
        number: of the face in the photo; 0 is the largest.
        source: what the answer came from; empty where no part is visible.
        logits: 8 numbers.
        size: of the face, in pixels.
        yaw: degrees that the head is turned; None where it is not known.
    """

    photo: str
    number: int
    source: str
    logits: tuple[float, ...]
    size: float
    yaw: float | None = None


def photos_of(folder: Path) -> list[Path]:
    """All photos in a folder and below, in the order of their names.

    Raises:
        InputError: it is no folder, or holds no photo.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise InputError(f"{folder}: there is no photo in it")
    return found


Item = tuple[str, str, Callable[[], UInt8]]
"""A picture's name, what changes when it does, and what loads it."""


def answers_of(photos: Sequence[Path], models: Models, quiet: bool = False) -> Iterator[FaceAnswer]:
    """Answers for all faces of photos; photos that cannot be read are said and left out.

    Args:
        photos: files.
        models: the networks.
        quiet: show no progress.
    """
    items: list[Item] = [(str(photo), _key(photo), partial(images.load, photo)) for photo in photos]
    return _answered(items, models, quiet)


def answers_of_samples(samples: Sequence[Sample], models: Models, quiet: bool = False) -> Iterator[FaceAnswer]:
    """Answers for a data set's pictures (within their boxes); ``photo`` is the sample's id.

    Args:
        samples: labelled.
        models: the networks.
        quiet: show no progress.
    """
    items: list[Item] = [
        (s.id, f"{s.source}|{None if s.box is None else s.box.tolist()}", partial(load_gray, s)) for s in samples
    ]
    return _answered(items, models, quiet)


def _answered(items: Sequence[Item], models: Models, quiet: bool) -> Iterator[FaceAnswer]:
    path = AnswerPath.of(models, Fusion.load(models.folder, models.network))
    kept_at = places.predictions() / f"collection-{hash_of([models.manifest.to_dict(), models.network])}.jsonl"
    kept = _kept(kept_at)
    progress = Progress("photos", len(items), "photos", quiet=quiet)
    kept_at.parent.mkdir(parents=True, exist_ok=True)
    with kept_at.open("a", encoding="utf-8") as file:
        for name, key, load in items:
            if key not in kept:
                kept[key] = _looked(name, load, path)
                file.write(json.dumps([key, kept[key]]) + "\n")
                file.flush()
            progress.add(1)
            for number, face in enumerate(kept[key]):
                yield FaceAnswer(name, number, face["source"], tuple(face["logits"]), face["size"], face.get("yaw"))
    progress.close()


def _key(photo: Path) -> str:
    state = photo.stat()
    return f"{photo.resolve()}|{state.st_size}|{state.st_mtime_ns}"


def _kept(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What earlier calls answered; a line that a kill cut off is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                key, faces = json.loads(line)
            except ValueError:
                continue
            found[key] = faces
    return found


def _looked(name: str, load: Callable[[], UInt8], path: AnswerPath) -> list[dict[str, Any]]:
    try:
        picture = load()
    except InputError as error:
        print(f"mien: {error}", file=sys.stderr)
        return []
    faces = detect(picture)
    if not faces:
        print(f"mien: {writable(name)}: no face found", file=sys.stderr)
        return []
    looked = path.look(PictureFaces(picture if picture.ndim == 2 else images.to_gray(picture), faces), areas=())
    return [
        {"source": source, "logits": [round(float(z), 4) for z in row], "size": round(face.size, 1),
         "yaw": None if face.pose is None else round(face.pose.yaw, 1)}
        for source, row, face in zip(looked.sources, looked.logits, faces, strict=True)
    ]  # fmt: skip


def mix_of(
    folder: Path, models: Models, labels: Mapping[str, Emotion] | None = None, draws: int = 200, quiet: bool = False
) -> MixEstimate:
    """Estimate the mix of emotions of a folder of photos.

    Args:
        folder: with the photos.
        models: calibrated networks.
        labels: emotion of the largest face, by the photo's name without its ending; None where none is labelled.
        draws: bootstrap replicates.
        quiet: show no progress.

    Raises:
        InputError: there is no photo, or no face in any.
        ModelError: the networks were never calibrated, or what that was done on is not there.
        TableError: a labelled photo is not in the folder.
    """
    calibration = Calibration.load(models.folder, models.network)
    reference = read_reference(models.folder, models.network)
    photos = photos_of(folder)
    missing = set(labels or {}) - {photo.stem for photo in photos}
    if missing:
        raise TableError(f"{folder} lacks {len(missing)} of the labelled photos, {min(missing)} first")
    answers = by_source(answers_of(photos, models, quiet), reference, labels or {})
    if not answers:
        raise InputError(f"{folder}: no face was found in any photo")
    return estimate_mix(answers, reference, calibration.prior, draws)


def by_source(
    faces: Iterator[FaceAnswer], reference: Mapping[str, ReferenceAnswers], labels: Mapping[str, Emotion]
) -> dict[str, SourceAnswers]:
    """Answers by source, where there is a reference for it; a photo's label is that of its largest face."""
    rows: dict[str, list[tuple[tuple[float, ...], int]]] = {}
    for face in faces:
        if face.source in reference:
            label = labels.get(Path(face.photo).stem) if face.number == 0 else None
            rows.setdefault(face.source, []).append((face.logits, -1 if label is None else label.position))
    return {
        source: SourceAnswers(np.array([z for z, _ in of], np.float32), np.array([y for _, y in of], np.int64))
        for source, of in rows.items()
    }


def mix_in_words(estimate: MixEstimate) -> str:
    """The estimate as a table for the terminal."""
    lines = [f"mix of emotions, estimated from {estimate.faces:,} faces, {estimate.labelled:,} of them labelled"]
    rows = zip(estimate.prior.to_dict().items(), estimate.low, estimate.high, strict=True)
    lines += [f"  {name:<10}{share:>7.1%}   ({low:.1%} to {high:.1%})" for (name, share), low, high in rows]
    lines += [f"Note: {warning}" for warning in estimate.warnings]
    return "\n".join([*lines, f"use it:  mien analyze ... --prior {estimate.prior.text}"])


def checked_draws(draws: int) -> int:
    """At least one bootstrap replicate.

    Raises:
        UsageError: there is none.
    """
    if draws < 1:
        raise UsageError(f"--draws must be at least 1, got {draws}")
    return draws
