"""The face mesh: a picture and the rough place of a face -> 468 points in three dimensions, and a presence."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.face.session import session
from mien.types import Float32, UInt8

SIDE = 192
"""Side of the network's picture in pixels."""
REACH = 1.5
"""The network sees a square so many times the longer side of the face's box."""
EYES = (33, 263)
"""Outer corners of the eyes in the mesh, the picture's left one first."""


@dataclass(frozen=True)
class Place:
    """A turned square around a face: centre (x, y), side, and angle in radians of the line through its eyes."""

    centre: tuple[float, float]
    side: float
    angle: float

    def matrix(self, side: int = SIDE) -> Float32:
        """float64 [2, 3], from pixels of the network's picture to pixels of the photo."""
        step = self.side / side
        cosine, sine = np.cos(self.angle) * step, np.sin(self.angle) * step
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return np.hstack([turn, (np.array(self.centre) - turn @ np.full(2, (side - 1) / 2))[:, None]])


def place_of(box: Float32, left_eye: Float32, right_eye: Float32) -> Place:
    """The square that the mesh should see for a detector's box and eyes."""
    angle = float(np.arctan2(right_eye[1] - left_eye[1], right_eye[0] - left_eye[0]))
    centre = (box[:2] + box[2:]) / 2
    return Place((float(centre[0]), float(centre[1])), REACH * float(np.max(box[2:] - box[:2])), angle)


def place_of_mesh(mesh: Float32) -> Place:
    """The square for the next round: the box of the points once the eyes are level."""
    points = mesh[:, :2].astype(np.float64)
    line = points[EYES[1]] - points[EYES[0]]
    angle = float(np.arctan2(line[1], line[0]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = points @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    centre = turn @ ((low + high) / 2)
    return Place((float(centre[0]), float(centre[1])), max(REACH * float(np.max(high - low)), 1.0), angle)


def cut(rgb: UInt8, place: Place) -> UInt8:
    """uint8 [192, 192, 3], what the network sees of a photo; a face larger than that is reduced without aliasing."""
    matrix = place.matrix()
    step = place.side / SIDE
    if step > 2:
        low = np.floor(np.array(place.centre) - 0.75 * place.side).astype(int)
        high = np.ceil(np.array(place.centre) + 0.75 * place.side).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, rgb.shape[1::-1])
        if (high - low).min() >= 2:
            size = np.maximum(np.round((high - low) / (step / 1.0)), 1).astype(int)
            piece = rgb[low[1] : high[1], low[0] : high[0]]
            factors = (high - low) / size
            small = cv2.resize(piece, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
            matrix = matrix.copy()
            matrix[:, 2] = (matrix[:, 2] - low + 0.5) / factors - 0.5
            matrix[:, :2] /= factors[:, None]
            rgb = small.astype(np.uint8, copy=False)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(rgb, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return seen.astype(np.uint8, copy=False)


def run(pictures: list[UInt8], places: list[Place]) -> tuple[Float32, Float32]:
    """One round of the mesh for faces of one or several pictures.

    Args:
        pictures: uint8 [H, W, 3], RGB, one for each place (the same one may come again).
        places: where to look.

    Returns:
        float32 [N, 468, 3], (x, y) in pixels of the picture and depth in the same unit (smaller is nearer);
        float32 [N], presence, 0 to 1.
    """
    if not places:
        return np.zeros((0, 468, 3), np.float32), np.zeros(0, np.float32)
    seen = np.stack([cut(rgb, place) for rgb, place in zip(pictures, places, strict=True)])
    raw, logits = session("face_mesh").run(None, {"image": seen})
    meshes = np.empty_like(raw)
    for number, place in enumerate(places):
        matrix = place.matrix()
        meshes[number, :, :2] = (raw[number, :, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2]
        meshes[number, :, 2] = raw[number, :, 2] * (place.side / SIDE)
    return meshes, (1 / (1 + np.exp(-logits))).astype(np.float32)
