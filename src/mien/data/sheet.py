"""Contact sheet like the paper's Fig. 4: each face with its landmarks, and its seven crops. Needs extra ``data``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.data import Dataset, load_gray
from mien.data.samples import Split
from mien.errors import DatasetError, InputError, MissingExtraError, UsageError
from mien.face.crops import canvas_of, cut
from mien.face.detect import FOUND_BY, DetectorChoice, detect_one
from mien.face.spec import CropSpec
from mien.jobs.files import replacing
from mien.types import AREAS, Emotion, Float32, UInt8

TILE = 160
"""Side of a photo or crop on the sheet in pixels."""

GAP = 8

SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")


@dataclass(frozen=True, eq=False)
class SheetRow:
    """One face.

    Attributes:
        title: what is said of it.
        photo: uint8 [160, 160, 3], RGB: the picture with the landmarks drawn in.
        crops: uint8 [7, size, size], in the order of AREAS.
    """

    title: str
    photo: UInt8
    crops: UInt8


@dataclass(frozen=True, eq=False)
class Sheet:
    """A contact sheet, not yet drawn.

    Attributes:
        heading: what it shows.
        rows: one a face.
    """

    heading: str
    rows: tuple[SheetRow, ...]


def draw_sheet(
    dataset: Dataset,
    spec: CropSpec,
    emotion: Emotion | None = None,
    split: Split | None = None,
    n: int = 6,
    seed: int = 0,
    detector: DetectorChoice = "mesh",
) -> Sheet:
    """Draw n faces of a data set at random, and cut them.

    Args:
        dataset: what ``mien.data.read`` gave.
        spec: how the crops are cut.
        emotion: only this class; None is any.
        split: only this split; None is any.
        n: how many faces at most.
        seed: of the draw.
        detector: see ``mien.face.detect.detect_one``.

    Raises:
        UsageError: n is below 1.
        DatasetError: there is no such face.
        ImageError: a picture is missing or broken.
    """
    if n < 1:
        raise UsageError(f"at least one face must be shown, got {n}")
    wanted = [s for s in dataset.samples if s.published and emotion in (None, s.label) and split in (None, s.split)]
    words = f"{emotion or 'any emotion'}, {split or 'any split'}"
    if not wanted:
        raise DatasetError(f"{dataset.root}: no face with {words}")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(wanted))[:n])
    rows = []
    for position in drawn:
        sample = wanted[int(position)]
        gray = load_gray(sample)
        face = detect_one(gray, detector)
        canvas = canvas_of(gray, face.landmarks, spec.face_size, spec.sampling)
        found = "no detector found it" if face.detector == "frame" else "found by " + FOUND_BY[face.detector]
        title = f"{sample.id}\n{sample.label}, {sample.split}\n{found}\nface of {face.size:.0f} px"
        crops = np.stack([cut(canvas, area, spec) for area in AREAS])
        rows.append(SheetRow(title, marked(gray, face.landmarks), crops))
    return Sheet(f"{dataset.name}: {words}; crops {spec.key}", tuple(rows))


def marked(gray: UInt8, landmarks: Float32) -> UInt8:
    """A picture fitted into a tile, its landmarks drawn as dots.

    Args:
        gray: uint8 [H, W].
        landmarks: float32 [68, 2], pixels of ``gray``.

    Returns:
        uint8 [160, 160, 3], RGB, white around.
    """
    scale = TILE / max(gray.shape)
    width, height = (max(1, round(side * scale)) for side in (gray.shape[1], gray.shape[0]))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    x0, y0 = (TILE - width) // 2, (TILE - height) // 2
    tile[y0 : y0 + height, x0 : x0 + width] = cv2.resize(gray, (width, height), interpolation=method)[..., None]
    for x, y in (landmarks + 0.5) * scale - 0.5 + [x0, y0]:
        cv2.circle(tile, (round(float(x) * 16), round(float(y) * 16)), 28, (0, 200, 60), -1, cv2.LINE_AA, shift=4)
    return tile


def mosaic(sheet: Sheet) -> UInt8:
    """The sheet's pictures without words: uint8 [H, W, 3], one row a face, the photo and then its crops."""
    lines = []
    for row in sheet.rows:
        crops = [cv2.resize(c, (TILE, TILE), interpolation=cv2.INTER_NEAREST) for c in row.crops]
        tiles = [row.photo, *(np.repeat(c[..., None], 3, axis=2) for c in crops)]
        lines.append(_joined(tiles, axis=1))
    return _joined(lines, axis=0)


def _joined(pictures: Sequence[Any], axis: int) -> UInt8:
    """Side by side (axis 1) or one above the other (0), with a white gap."""
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(parts[:-1], axis=axis)


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Draw a sheet into a file.

    Raises:
        UsageError: the file's ending is none of SUFFIXES.
        MissingExtraError: matplotlib is not installed.
        InputError: the file cannot be written.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"a contact sheet's name ends with one of {', '.join(SUFFIXES)}, got {path.name}")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "data", "a contact sheet") from None
    picture = mosaic(sheet)
    height, width = picture.shape[:2]
    left, top = TILE, 44
    figure = Figure(figsize=((width + left + GAP) / 100, (height + top + GAP) / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-left, width + GAP)
    axes.set_ylim(height + GAP, -top)
    axes.axis("off")
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="nearest")
    axes.text(GAP - left, GAP - top, sheet.heading, va="top", fontsize=10, weight="bold")
    for column, title in enumerate(["landmarks", *(area.words for area in AREAS)]):
        axes.text(column * (TILE + GAP) + TILE / 2, -GAP, title, ha="center", va="bottom", fontsize=9)
    for line, row in enumerate(sheet.rows):
        axes.text(-GAP, line * (TILE + GAP) + TILE / 2, _shortened(row.title), ha="right", va="center", fontsize=7)
    try:
        with replacing(path) as scratch:
            figure.savefig(scratch)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from error


def _shortened(title: str, width: int = 26) -> str:
    """Each line's end, where it is too long: the end of a file's name tells more than its folders."""
    return "\n".join(line if len(line) <= width else "..." + line[3 - width :] for line in title.split("\n"))
