"""BlazeFace: a picture -> boxes of faces with six points each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np

from mien.face.session import session
from mien.types import Float32, UInt8

Range = Literal["short", "back"]


@dataclass(frozen=True)
class _Kind:
    """side: of the network's picture in pixels. grids: (cells a side, anchors a cell), in the order of the outputs."""

    side: int
    grids: tuple[tuple[int, int], ...]


KINDS: dict[Range, _Kind] = {
    "short": _Kind(128, ((16, 2), (8, 6))),
    "back": _Kind(256, ((16, 2), (8, 6))),
}
OVERLAP = 0.3
"""Boxes whose intersection over union is above this are one face."""


@dataclass(frozen=True)
class Found:
    """Faces of one picture, surest first.

    Attributes:
        boxes: float32 [N, 4], (x0, y0, x1, y1).
        points: float32 [N, 6, 2], (x, y) of the eyes (the picture's left one first), nose tip, mouth and ears.
        scores: float32 [N], 0 to 1.
    """

    boxes: Float32
    points: Float32
    scores: Float32

    def __len__(self) -> int:
        return len(self.scores)


@cache
def _anchors(kind: Range) -> Float32:
    rows = []
    for cells, each in KINDS[kind].grids:
        at = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        rows.append(np.repeat(grid, each, axis=0))
    return np.asarray(np.concatenate(rows) * KINDS[kind].side, np.float32)


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies in a network's square: pixels of the square a pixel (x, y), and its corner (x, y) there."""

    scale: tuple[float, float]
    corner: tuple[float, float]

    def back(self, points: Float32) -> Float32:
        """Square (edges) -> picture (pixel centres)."""
        moved = (points - np.array(self.corner, np.float32)) / np.array(self.scale, np.float32)
        return (moved - 0.5).astype(np.float32)


def letterboxed(rgb: UInt8, side: int, margin: float) -> tuple[UInt8, Letterbox]:
    """A picture in the middle of a square, its rim mirrored outwards by ``margin`` of its longer side on every side.

    Args:
        rgb: uint8 [H, W, 3].
        side: of the square, pixels.
        margin: share of the picture's longer side.
    """
    height, width = rgb.shape[:2]
    scale = side / (max(height, width) * (1 + 2 * margin))
    wide, tall = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, (wide, tall), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (side - wide) // 2, (side - tall) // 2
    border = cv2.BORDER_REFLECT if margin else cv2.BORDER_CONSTANT
    square = cv2.copyMakeBorder(small, top, side - tall - top, left, side - wide - left, border)
    return square.astype(np.uint8, copy=False), Letterbox((wide / width, tall / height), (float(left), float(top)))


@dataclass(frozen=True)
class Look:
    """One way of looking at a picture.

    Attributes:
        kind: which network.
        margin: how far the picture's rim is mirrored outwards, as a share of its longer side.
        turns: quarter turns (counter-clockwise) of the picture before the network sees it.
        least: least score.
    """

    kind: Range
    margin: float = 0.0
    turns: int = 0
    least: float = 0.5


def look(pictures: Sequence[UInt8], how: Look) -> list[Found]:
    """Faces of pictures uint8 [H, W, 3], RGB: for each those whose middle lies in it, in its pixels."""
    return _looked(pictures, [letterboxed(rgb, KINDS[how.kind].side, how.margin) for rgb in pictures], how)


def looks(rgb: UInt8, hows: Sequence[Look]) -> list[Found]:
    """:func:`look` in several ways at one picture, which is brought to each size once."""
    boxed: dict[tuple[Range, float], tuple[UInt8, Letterbox]] = {}
    for how in hows:
        if (how.kind, how.margin) not in boxed:
            boxed[how.kind, how.margin] = letterboxed(rgb, KINDS[how.kind].side, how.margin)
    return [_looked([rgb], [boxed[how.kind, how.margin]], how)[0] for how in hows]


def _looked(pictures: Sequence[UInt8], boxed: Sequence[tuple[UInt8, Letterbox]], how: Look) -> list[Found]:
    side = KINDS[how.kind].side
    squares = np.stack([np.rot90(square, how.turns) for square, _ in boxed])
    raw, logits = session(f"blazeface_{how.kind}").run(["boxes", "scores"], {"image": squares})
    scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    found = []
    for rgb, (_, letterbox), values, score in zip(pictures, boxed, raw, scores, strict=True):
        kept = np.flatnonzero(score >= how.least)
        corners_and_points = _decoded(values[kept], _anchors(how.kind)[kept])
        for _ in range(how.turns % 4):
            corners_and_points = np.stack([side - corners_and_points[..., 1], corners_and_points[..., 0]], axis=-1)
        placed = letterbox.back(corners_and_points)
        boxes = np.concatenate([placed[:, :2].min(axis=1), placed[:, :2].max(axis=1)], axis=1)
        found.append(merged(_inside(Found(boxes, placed[:, 2:], score[kept]), rgb.shape[:2])))
    return found


MOST = 60
"""Anchors that :func:`raw` looks at."""


def raw(squares: UInt8, kind: Range) -> list[Found]:
    """The most likely boxes of each square uint8 [N, side, side, 3], unmerged, in its pixels; scores are logits."""
    values, logits = session(f"blazeface_{kind}").run(["boxes", "scores"], {"image": squares})
    found = []
    for of_square, scores in zip(values, logits, strict=True):
        top = np.argsort(-scores, kind="stable")[:MOST]
        placed = _decoded(of_square[top], _anchors(kind)[top])
        found.append(Found(placed[:, :2].reshape(-1, 4), placed[:, 2:], scores[top]))
    return found


def _decoded(values: Float32, anchors: Float32) -> Float32:
    """Two corners and six points float32 [N, 8, 2] in pixels of the square (edges), of a network's raw [N, 16]."""
    points = values.reshape(-1, 8, 2).copy()
    centre, half = points[:, 0] + anchors, np.abs(points[:, 1]) / 2
    points[:, 2:] += anchors[:, None]
    points[:, 0], points[:, 1] = centre - half, centre + half
    return points


def _inside(found: Found, shape: tuple[int, ...]) -> Found:
    """Without what lies in the mirrored margin."""
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    kept = ((centres > -0.5) & (centres < np.array(shape[1::-1]) - 0.5)).all(axis=1)
    return Found(found.boxes[kept], found.points[kept], found.scores[kept])


def overlaps(box: Float32, boxes: Float32) -> Float32:
    """Intersection over union of one box with many."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(common / np.maximum(areas + np.prod(box[2:] - box[:2]) - common, 1e-9), np.float32)


def merged(found: Found) -> Found:
    """Boxes that overlap become one: their mean, weighted by score, with the highest score."""
    order = np.argsort(-found.scores, kind="stable")
    boxes, points, scores = found.boxes[order], found.points[order], found.scores[order]
    kept: list[tuple[Float32, Float32, float]] = []
    left = np.arange(len(order))
    while len(left):
        same = left[overlaps(boxes[left[0]], boxes[left]) > OVERLAP]
        same = np.union1d(same, left[:1])
        weights = scores[same] / scores[same].sum()
        kept.append((weights @ boxes[same], np.einsum("n,nij->ij", weights, points[same]), float(scores[left[0]])))
        left = np.setdiff1d(left, same)
    return Found(
        np.array([k[0] for k in kept], np.float32).reshape(-1, 4),
        np.array([k[1] for k in kept], np.float32).reshape(-1, 6, 2),
        np.array([k[2] for k in kept], np.float32),
    )
