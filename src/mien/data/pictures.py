"""One sample's face as pixels, and a look at every picture of a data set before any long work starts."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mien.data.dataset import Dataset, Problem
from mien.data.samples import Sample
from mien.data.store import Source, csv_row, pixel_table, read_bytes
from mien.errors import ImageError, InterruptedWork
from mien.face.images import load, to_gray
from mien.jobs.progress import Progress
from mien.types import Float32, UInt8


def load_gray(sample: Sample) -> UInt8:
    """A sample's face.

    Returns:
        uint8 [H, W], grey; cropped by the sample's box where it has one (the part inside the picture).

    Raises:
        ImageError: the picture is missing or broken, or the box lies outside of it.
    """
    try:
        return crop(picture(sample.source), sample.box)
    except ImageError as error:
        raise ImageError(f"{sample.source}: {error}") from None


def picture(source: Source) -> UInt8:
    """The whole picture that a source names, uint8 [H, W], grey, upright.

    Raises:
        ImageError: it is missing or broken; the message does not name it.
    """
    row = csv_row(source)
    return to_gray(load(read_bytes(source))) if row is None else _row_pixels(*row)


def crop(gray: UInt8, box: Float32 | None) -> UInt8:
    """The part of a picture inside a box (x0, y0, x1, y1) in pixels, x1 and y1 not included.

    Raises:
        ImageError: no part of it is inside.
    """
    if box is None:
        return gray
    height, width = gray.shape
    x0, y0 = np.clip(np.floor(box[:2]), 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(box[2:]), 0, [width, height]).astype(int)
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise ImageError(f"the box {_words(box)} lies outside the picture, which is {width} x {height}")
    return gray[y0:y1, x0:x1]


def _words(box: Float32) -> str:
    return "(" + ", ".join(f"{v:g}" for v in box) + ")"


def _row_pixels(table: Source, row: int) -> UInt8:
    read = pixel_table(table)
    if not 1 <= row <= len(read.pixels):
        raise ImageError(f"there are only {len(read.pixels)} rows")
    if row in read.bad:
        raise ImageError(read.bad[row])
    pixels: UInt8 = read.pixels[row - 1]
    return pixels


@dataclass(frozen=True, eq=False)
class Inspection:
    """What looking at every picture once has told.

    Attributes:
        digests: for each sample, a hash of its picture's content; "" where the picture is broken.
        problems: broken pictures and boxes outside their picture, by name.
        notes: boxes that leave their picture; pictures that several faces share.
    """

    digests: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


@dataclass(frozen=True)
class _Look:
    digest: str
    shape: tuple[int, int]
    error: str = ""


def inspect(dataset: Dataset, workers: int | None = None, quiet: bool = False) -> Inspection:
    """Read, decode and hash every picture: broken ones are known before hours are spent.

    Args:
        workers: threads; None is one a core.
        quiet: no progress line.

    Raises:
        InterruptedWork: stopped by the user.
    """
    faces: dict[Source, list[int]] = defaultdict(list)
    for position, sample in enumerate(dataset.samples):
        faces[sample.source].append(position)
    digests = [""] * len(dataset.samples)
    problems: list[tuple[int, Problem]] = []
    notes: list[tuple[int, Problem]] = []
    progress = Progress("looking at every picture", len(faces), "pictures", quiet=quiet)
    for (source, positions), look in zip(faces.items(), _looks(list(faces), workers, _look), strict=True):
        for position in positions:
            where, box = dataset.where[position], dataset.samples[position].box
            if look.error:
                problems.append((position, Problem(where, f"{dataset.store.relative(source)}: {look.error}")))
                continue
            fault, remark = _box_remarks(box, look.shape)
            if fault:
                problems.append((position, Problem(where, fault)))
                continue
            digests[position] = look.digest
            if remark:
                notes.append((position, Problem(where, remark)))
        progress.add()
    progress.close()
    shared = _shared(dataset, digests)
    in_order = [tuple(p for _, p in sorted(found, key=lambda pair: pair[0])) for found in (problems, notes)]
    return Inspection(tuple(digests), in_order[0], in_order[1] + shared)


def hash_pictures(dataset: Dataset, workers: int | None = None) -> Inspection:
    """Hash every picture as :func:`inspect` does, and decode none: what is broken, or beside its box, is not noticed.

    Raises:
        InterruptedWork: stopped by the user.
    """
    sources = list(dict.fromkeys(sample.source for sample in dataset.samples))
    looks = dict(zip(sources, _looks(sources, workers, _hash), strict=True))
    problems = [Problem(str(source), look.error) for source, look in looks.items() if look.error]
    return Inspection(tuple(looks[sample.source].digest for sample in dataset.samples), tuple(problems), ())


def _looks(sources: list[Source], workers: int | None, look: Callable[[Source], _Look]) -> Iterator[_Look]:
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        try:
            yield from pool.map(look, sources)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise InterruptedWork("stopped while looking at the pictures; nothing was written yet") from None


def _hash(source: Source) -> _Look:
    """Without decoding; the shape is known of a csv's rows only."""
    try:
        row = csv_row(source)
        if row is not None:
            pixels = _row_pixels(*row)
            return _Look(_digest(pixels.tobytes()), pixels.shape)
        return _Look(_digest(read_bytes(source)), (0, 0))
    except ImageError as error:
        return _Look("", (0, 0), str(error))


def _look(source: Source) -> _Look:
    if csv_row(source) is not None:
        return _hash(source)
    try:
        content = read_bytes(source)
        height, width = load(content).shape[:2]
    except ImageError as error:
        return _Look("", (0, 0), str(error))
    return _Look(_digest(content), (height, width))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _box_remarks(box: Float32 | None, shape: tuple[int, int]) -> tuple[str, str]:
    """(What makes the face unusable, what was handled) about its box; "" where there is nothing to say."""
    if box is None:
        return "", ""
    height, width = shape
    if box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
        return f"the box {_words(box)} lies outside the picture, which is {width} x {height}", ""
    if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
        return "", f"the box {_words(box)} leaves the picture, which is {width} x {height}; the part inside is used"
    return "", ""


def _shared(dataset: Dataset, digests: list[str]) -> tuple[Problem, ...]:
    """Pictures that occur more than once byte for byte, told by number."""
    splits: dict[tuple[str, bytes], list[str]] = defaultdict(list)
    for sample, digest in zip(dataset.samples, digests, strict=True):
        if digest and sample.published:
            box = b"" if sample.box is None else sample.box.tobytes()
            splits[digest, box].append("test" if sample.split == "test" else "train")
    repeated = [found for found in splits.values() if len(found) > 1]
    if not repeated:
        return ()
    leaked = sum(found.count("test") for found in repeated if len(set(found)) > 1)
    faces = sum(len(found) for found in repeated)
    text = (
        f"{faces:,} faces share {len(repeated):,} pictures, byte for byte; "
        f"{leaked:,} faces of the test split also occur in train or validation"
    )
    return (Problem(dataset.name, text),)
