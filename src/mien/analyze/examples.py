"""Faces to try: the bundled photo, the same face behind things drawn over it, and a group of them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from mien.assets import SAMPLE
from mien.face.images import load
from mien.face.landmarks import CHIN, LEFT_BROW, LEFT_EAR, LEFT_EYE, MOUTH, RIGHT_BROW, RIGHT_EAR, RIGHT_EYE
from mien.types import Float32, UInt8

PLAIN = "portrait"
"""The bundled photo as it is."""

TITLES = {PLAIN: "Whole face", "mask": "Mask", "sunglasses": "Sunglasses", "hand": "Hand",
          "mask-sunglasses": "Mask and sunglasses", "group": "Group"}  # fmt: skip
"""Name -> what it is called; ``group`` is a picture of four."""

_GROUP = (PLAIN, "mask", "sunglasses", "hand")

_FINE = 4
"""Covers are drawn on a picture so many times larger and made smaller again, which smooths their edges."""


_Cover = Callable[[UInt8, Float32], None]


def example_picture(name: str, landmarks: Callable[[], Float32]) -> bytes:
    """A JPEG: the bundled photo, with a cover drawn over its face.

    Args:
        name: one of :data:`TITLES`.
        landmarks: finds those of the bundled photo, float32 [68, 2] in its pixels; called where something is drawn.
    """
    if name == PLAIN:
        return SAMPLE.read_bytes()
    image = np.asarray(load(SAMPLE))
    points = landmarks()
    if name == "group":
        four = [image if one == PLAIN else _drawn(one, image, points) for one in _GROUP]
        rows = [np.hstack(four[:2]), np.hstack(four[2:])]
        drawn = cv2.resize(np.vstack(rows), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    else:
        drawn = _drawn(name, image, points)
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(drawn[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def _drawn(name: str, image: UInt8, points: Float32) -> UInt8:
    """uint8 [H, W, 3], RGB: the photo with one or two covers."""
    fine = np.asarray(cv2.resize(image, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC), np.uint8)
    for cover in name.split("-"):
        _COVERS[cover](fine, points * _FINE)
    return np.asarray(cv2.resize(fine, image.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _width(points: Float32) -> float:
    return float(np.linalg.norm(points[LEFT_EAR] - points[RIGHT_EAR]))


def _fill(image: UInt8, points: Float32, colour: tuple[int, int, int]) -> None:
    cv2.fillPoly(image, [np.round(points).astype(np.int32)], colour, cv2.LINE_AA)


def _line(image: UInt8, points: Float32, colour: tuple[int, int, int], width: float) -> None:
    cv2.polylines(image, [np.round(points).astype(np.int32)], False, colour, max(1, round(width)), cv2.LINE_AA)


def _mask(image: UInt8, points: Float32) -> None:
    """A surgical mask from the bridge of the nose to below the chin, with pleats and ear loops."""
    wide, outline = _width(points), np.concatenate([points[1:16], points[28:29]])
    chin = outline.copy()
    chin[4:11, 1] += 0.03 * wide
    for side, ear in ((1, 0), (15, 16)):
        _line(image, np.stack([points[side], points[ear] - [0, 0.06 * wide]]), (226, 236, 240), 0.012 * wide)
    _fill(image, chin, (146, 190, 208))
    for low in (0.3, 0.5, 0.7):
        left, right = (points[a] + low * (points[b] - points[a]) for a, b in ((2, 5), (14, 11)))
        middle = points[29] + low * (points[CHIN] - points[29]) + [0, 0.03 * wide]
        _line(image, np.stack([left, middle, right]), (122, 168, 188), 0.012 * wide)
    _line(image, chin[[0, 15, 14]], (206, 226, 234), 0.02 * wide)


def _sunglasses(image: UInt8, points: Float32) -> None:
    """Two dark glasses over eyes and brows, a bridge and temples."""
    wide = _width(points)
    for eye, brow, ear in (
        (points[RIGHT_EYE], points[RIGHT_BROW], points[RIGHT_EAR]),
        (points[LEFT_EYE], points[LEFT_BROW], points[LEFT_EAR]),
    ):
        both = np.concatenate([eye, brow])
        centre, reach = (both.min(axis=0) + both.max(axis=0)) / 2, np.ptp(both, axis=0) / 2
        axes = (round(float(reach[0]) * 1.12), round(max(float(reach[1]) * 1.3, 0.11 * wide)))
        cv2.line(image, _at(centre), _at(ear), (24, 22, 22), round(0.03 * wide), cv2.LINE_AA)
        cv2.ellipse(
            image, _at(centre + np.array([0, 0.015 * wide], np.float32)), axes, 0, 0, 360, (28, 26, 27), -1, cv2.LINE_AA
        )
        cv2.ellipse(image, _at(centre - reach * 0.3), (axes[0] // 3, axes[1] // 5), -25, 0, 360, (62, 64, 70), -1)
    cv2.line(image, _at(points[21]), _at(points[22]), (24, 22, 22), round(0.035 * wide), cv2.LINE_AA)


def _hand(image: UInt8, points: Float32) -> None:
    """A hand before the mouth: four fingers beside each other, from the face's left side."""
    wide = _width(points)
    skin = np.median(image[_near(points[29], image)].reshape(-1, 3), axis=0)
    centre = points[MOUTH].mean(axis=0)
    for number in range(4):
        tip = centre + np.array([-0.27 + 0.03 * abs(number - 1.4), -0.135 + 0.105 * number]) * wide
        root = centre + np.array([0.62, 0.10 + 0.105 * number]) * wide
        for width, shade in ((0.118, 0.62), (0.1, 0.86), (0.05, 0.95)):
            colour = tuple(int(v * shade) for v in skin)
            cv2.line(image, _at(tip), _at(root), colour, round(width * wide), cv2.LINE_AA)


def _near(point: Float32, image: UInt8) -> tuple[slice, slice]:
    x, y = _at(point)
    return slice(max(0, y - 24), y + 24), slice(max(0, x - 24), x + 24)


def _at(point: Float32) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


_COVERS: dict[str, _Cover] = {"mask": _mask, "sunglasses": _sunglasses, "hand": _hand}
