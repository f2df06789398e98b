"""Which landmarks make which part and area: boxes, squares and hulls."""

from __future__ import annotations

import cv2
import numpy as np

from mien.face.landmarks import BROWS, EYES, LEFT_BROW, LEFT_EYE, MOUTH, NOSE, RIGHT_BROW, RIGHT_EYE, indices
from mien.face.spec import PUBLISHED_SPEC, CropSpec
from mien.types import Area, Float32, Part, UInt8

PART_LANDMARKS: dict[str, dict[Part, tuple[int, ...]]] = {
    "one": {
        Part.EYES: indices(RIGHT_BROW, RIGHT_EYE),
        Part.NOSE: indices(NOSE)[1:],
        Part.MOUTH: indices(MOUTH),
    },
    "both": {
        Part.EYES: indices(BROWS, EYES),
        Part.NOSE: indices(NOSE)[1:],
        Part.MOUTH: indices(MOUTH),
    },
}
"""The paper's Table 4, by ``CropSpec.eyes``; published, and numbered from 1 there: eyes 18-22 and 37-42, nose 29-36,
mouth 49-68."""

_EYE_PATCHES = {
    "one": (indices(RIGHT_BROW, RIGHT_EYE),),
    "both": (indices(RIGHT_BROW, RIGHT_EYE), indices(LEFT_BROW, LEFT_EYE)),
}


def landmark_indices(area: Area, spec: CropSpec = PUBLISHED_SPEC) -> tuple[int, ...]:
    """0-based landmark indices whose bounding box is the area (Table 4).

    The whole face is landmarks 1-68, except in ``hull`` mode, where it is the union of the three parts.
    """
    if area is Area.WHOLE_FACE and spec.mask == "box":
        return tuple(range(68))
    return tuple(sorted(i for part in area.parts for i in PART_LANDMARKS[spec.eyes][part]))


def hull_groups(area: Area, spec: CropSpec) -> list[tuple[int, ...]]:
    """Groups of 0-based landmark indices; the convex hull of each group is visible in ``hull`` mode."""
    groups: list[tuple[int, ...]] = []
    for part in sorted(area.parts):
        if part is Part.EYES:
            groups += _EYE_PATCHES[spec.eyes]
        else:
            groups.append(PART_LANDMARKS[spec.eyes][part])
    return groups


def bounding_box(landmarks: Float32, area: Area, spec: CropSpec = PUBLISHED_SPEC) -> Float32:
    """Box of an area.

    Args:
        landmarks: float32 [68, 2], (x, y) in pixels.

    Returns:
        float32 [4]: (x0, y0, x1, y1) in pixels, at least 2 pixels wide and high.
    """
    points = landmarks[list(landmark_indices(area, spec))]
    low, high = points.min(axis=0), points.max(axis=0)
    short = np.maximum(2.0 - (high - low), 0.0) / 2
    return np.concatenate([low - short, high + short]).astype(np.float32)


def square_of(box: Float32, padded: bool) -> Float32:
    """The square crop of a box, same centre: side = longer side when padded, shorter side when cut.

    Returns:
        float32 [4]: (x0, y0, x1, y1) in pixels.
    """
    sides = box[2:] - box[:2]
    half = (sides.max() if padded else sides.min()) / 2
    centre = (box[:2] + box[2:]) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


PIECES: dict[str, tuple[int, ...]] = {
    "right_eye": indices(RIGHT_BROW, RIGHT_EYE),
    "left_eye": indices(LEFT_BROW, LEFT_EYE),
    "nose": indices(NOSE)[1:],
    "mouth": indices(MOUTH),
}
"""Pieces of the face and their 0-based landmarks. Right and left are the person's; ``right_eye`` is the brow and eye
of the published eyes area."""

MIRRORED_PIECES = (1, 0, 2, 3)
"""Which of PIECES each becomes in the mirror image."""

PIECES_OF_PART: dict[Part, tuple[str, ...]] = {
    Part.EYES: ("right_eye", "left_eye"),
    Part.NOSE: ("nose",),
    Part.MOUTH: ("mouth",),
}


def hull_mask(points: Float32, side: int) -> UInt8:
    """uint8 [side, side], 1 inside the convex hull of points [N, 2]."""
    mask = np.zeros((side, side), np.uint8)
    hull = cv2.convexHull(points.astype(np.float32))
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 1, shift=4)
    return mask
