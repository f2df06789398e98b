"""The face mesh: the rough place of a face -> 468 points in three dimensions, and dlib's 68 from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.face.session import session
from mien.types import Float32, Float64, UInt8

SIDE = 192
"""Side of the network's picture in pixels."""
REACH = 1.5
"""The network sees a square so many times the longer side of the face's box."""
ROUNDS = 2
"""The first round's mesh places the second's square: steadier than a detector's box."""
EYES = (33, 263)
"""Outer corners of the eyes, the picture's left one first."""
WIDEST = 8
"""Faces that go through the network together; of more, each takes longer (``benchmarks/NOTES.md``)."""

# fmt: off
TO_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,  # mouth
)
"""The point of the mesh that stands for each of dlib's 68 landmarks."""
# fmt: on


@dataclass(frozen=True)
class Place:
    """A turned square around a face, in pixels of a picture.

    Attributes:
        centre: (x, y).
        side: of the square.
        angle: of the line through the eyes, in radians, clockwise.
    """

    centre: tuple[float, float]
    side: float
    angle: float = 0.0

    @classmethod
    def of_box(cls, box: Float32, points: Float32 | None = None) -> Place:
        """For a detector's box float32 [4] and, where it gave them, its points float32 [6, 2] (the eyes first)."""
        x, y = ((box[:2] + box[2:]) / 2).tolist()
        side = max(REACH * float(np.max(box[2:] - box[:2])), 1.0)
        return cls((x, y), side, 0.0 if points is None else _angle(points[1] - points[0]))

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Place:
        """For a picture (height, width) that is all face."""
        height, width = shape[:2]
        return cls(((width - 1) / 2, (height - 1) / 2), 1.25 * max(height, width))

    @classmethod
    def of_mesh(cls, points: Float32) -> Place:
        """For a mesh float32 [468, 3]: the box of its points once the eyes are level."""
        flat = points[:, :2].astype(np.float64)
        angle = _angle(flat[EYES[1]] - flat[EYES[0]])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        level = flat @ turn
        low, high = level.min(axis=0), level.max(axis=0)
        x, y = (turn @ ((low + high) / 2)).tolist()
        return cls((x, y), max(REACH * float(np.max(high - low)), 1.0), angle)

    def moved(self, by: Float32) -> Place:
        """The same square, shifted by (x, y)."""
        return replace(self, centre=(self.centre[0] + float(by[0]), self.centre[1] + float(by[1])))

    def matrix(self, side: int = SIDE) -> Float64:
        """float64 [2, 3], from pixels of a network's picture of this side to pixels of the photo."""
        step = self.side / side
        cosine, sine = np.cos(self.angle) * step, np.sin(self.angle) * step
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return np.hstack([turn, (np.array(self.centre) - turn @ np.full(2, (side - 1) / 2))[:, None]])


def _angle(line: Float32 | Float64) -> float:
    return float(np.arctan2(line[1], line[0]))


def cut(rgb: UInt8, place: Place, side: int = SIDE) -> UInt8:
    """What a network sees of a photo, uint8 [side, side, 3]; beyond the photo it is mirrored."""
    matrix = place.matrix(side)
    if place.side > 1.5 * side:
        rgb, matrix = _reduced(rgb, place, matrix, side)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(rgb, matrix, (side, side), flags=how, borderMode=cv2.BORDER_REFLECT)
    return seen.astype(np.uint8, copy=False)


def _reduced(rgb: UInt8, place: Place, matrix: Float64, side: int) -> tuple[UInt8, Float64]:
    """The neighbourhood of a large face by areas, so that nothing flickers: no pixel of it is left out."""
    centre, reach = np.array(place.centre), 0.75 * place.side
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, rgb.shape[1::-1]).astype(int)
    if (high - low).min() < 2:
        return rgb, matrix
    size = np.maximum(np.round((high - low) * side / place.side), 1).astype(int)
    factors = (high - low) / size
    piece = rgb[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(piece, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    shift = (matrix[:, 2] - low + 0.5) / factors - 0.5
    return small, np.hstack([matrix[:, :2] / factors[:, None], shift[:, None]])


@dataclass(frozen=True, eq=False)
class Meshes:
    """One round of the mesh for N faces.

    Attributes:
        points: float32 [N, 468, 3], (x, y) in pixels of the picture and depth in the same unit, away from the camera.
        presence: float32 [N], 0 to 1: the network's word on whether it sees an uncovered face.
        features: float32 [N, 288], what the network knows before it says so.
    """

    points: Float32
    presence: Float32
    features: Float32


def run(pictures: Sequence[UInt8], places: Sequence[Place]) -> Meshes:
    """One round.

    Args:
        pictures: uint8 [H, W, 3], RGB, one for each place (the same one may come again).
        places: where to look.
    """
    parts = [_run(pictures[i : i + WIDEST], places[i : i + WIDEST]) for i in range(0, len(places), WIDEST)]
    if not parts:
        return Meshes(np.zeros((0, 468, 3), np.float32), np.zeros(0, np.float32), np.zeros((0, 288), np.float32))
    points, logits, features = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Meshes(points, (1 / (1 + np.exp(-logits))).astype(np.float32), features)


def _run(pictures: Sequence[UInt8], places: Sequence[Place]) -> tuple[Float32, Float32, Float32]:
    seen = np.stack([cut(rgb, place) for rgb, place in zip(pictures, places, strict=True)])
    raw, logits, features = session("face_mesh").run(None, {"image": seen})
    points = np.empty_like(raw)
    for number, place in enumerate(places):
        matrix = place.matrix()
        points[number, :, :2] = (raw[number, :, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2]
        points[number, :, 2] = raw[number, :, 2] * (place.side / SIDE)
    return points, logits, features


def rounds(pictures: Sequence[UInt8], places: Sequence[Place]) -> list[Meshes]:
    """All ``ROUNDS`` rounds, each from the places that the one before found; see :func:`run`."""
    found = [run(pictures, places)]
    for _ in range(ROUNDS - 1):
        found.append(run(pictures, [Place.of_mesh(points) for points in found[-1].points]))
    return found


def settled(pictures: Sequence[UInt8], places: Sequence[Place]) -> Meshes:
    """The last of all rounds; see :func:`rounds`."""
    return rounds(pictures, places)[-1]


def landmarks_of(points: Float32) -> Float32:
    """dlib's 68 landmarks, float32 [68, 2], of a mesh float32 [468, 3]."""
    return np.ascontiguousarray(points[list(TO_68), :2], np.float32)


def box_of(points: Float32) -> Float32:
    """The box (x0, y0, x1, y1), float32 [4], of a mesh float32 [468, 3]: from the forehead to the chin."""
    flat = points[:, :2]
    return np.concatenate([flat.min(axis=0), flat.max(axis=0)]).astype(np.float32)
