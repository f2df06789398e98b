"""The whole face as the one network sees it: turned upright, brought to one size and place, with some margin.

A similarity (turn, scale, shift) lays the 51 inner landmarks (brows, eyes, nose, mouth) on a fixed template, by least
squares; the jaw is left out, since it moves with the mouth and is where landmarks differ most. So a covered part pulls
little: the others hold the face in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.face.areas import PIECES, bounding_box
from mien.face.crops import Canvas, cut
from mien.face.landmarks import BROWS, EYES, MOUTH, NOSE, indices
from mien.face.spec import CropSpec
from mien.types import Area, Float32, Float64, UInt8

SIDE = 112
"""Side of an aligned face in pixels."""
MARGIN = 1.28
"""Side of an aligned face in units of ``Face.size``: a face of FER+ (38 pixels in 48) then fills it to the border."""
RAISED = 0.05
"""The middle of an aligned face lies so far (in units of ``Face.size``) above that of the landmarks' box: forehead."""
BLANK_GROWTH = 1.5
"""A blanked hull is this much larger than the piece's own: what hides a piece is seldom as small as the piece."""

INNER = indices(BROWS, NOSE, EYES, MOUTH)
"""0-based landmarks that decide the alignment."""

TEMPLATE: Float64 = np.array([
    (-0.5114, -0.4149), (-0.5032, -0.2146), (-0.4951, -0.1128), (-0.4449, 0.1151), (-0.3992, 0.2149),
    (-0.3480, 0.2905), (-0.2277, 0.4027), (-0.0981, 0.4769), (-0.0052, 0.4888), (0.0882, 0.4775),
    (0.2206, 0.4042), (0.3443, 0.2921), (0.3973, 0.2167), (0.4444, 0.1167), (0.4961, -0.1117),
    (0.5046, -0.2137), (0.5114, -0.4143), (-0.4300, -0.4298), (-0.3859, -0.4693), (-0.3176, -0.4883),
    (-0.2264, -0.4822), (-0.1189, -0.4674), (0.1094, -0.4677), (0.2177, -0.4827), (0.3101, -0.4888),
    (0.3796, -0.4697), (0.4249, -0.4298), (-0.0050, -0.3326), (-0.0059, -0.2106), (-0.0066, -0.1063),
    (-0.0070, -0.0433), (-0.1348, 0.0219), (-0.0636, 0.0404), (-0.0062, 0.0415), (0.0516, 0.0406),
    (0.1241, 0.0226), (-0.3449, -0.3111), (-0.2947, -0.3348), (-0.2131, -0.3381), (-0.1346, -0.2945),
    (-0.1999, -0.2794), (-0.2790, -0.2798), (0.1273, -0.2946), (0.2059, -0.3382), (0.2879, -0.3350),
    (0.3389, -0.3109), (0.2720, -0.2797), (0.1925, -0.2795), (-0.1974, 0.1895), (-0.1225, 0.1459),
    (-0.0644, 0.1342), (-0.0063, 0.1419), (0.0519, 0.1343), (0.1108, 0.1466), (0.1878, 0.1907),
    (0.1049, 0.2727), (0.0541, 0.2940), (-0.0061, 0.3005), (-0.0659, 0.2937), (-0.1163, 0.2723),
    (-0.1694, 0.1869), (-0.0490, 0.1837), (-0.0058, 0.1860), (0.0377, 0.1841), (0.1601, 0.1877),
    (0.0414, 0.2256), (-0.0060, 0.2285), (-0.0530, 0.2255),
])  # fmt: skip
"""float64 [68, 2], (x, y): the mean face of FER+'s training split, level, in units of ``Face.size``, (0, 0) in the
middle of its box. Made by ``scripts/measure/face_template.py``."""


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """One face, aligned.

    Attributes:
        pixels: uint8 [112, 112], grey; 0 = not visible (beyond the picture, or blanked), visible pixels in 1..255.
        landmarks: float32 [68, 2], (x, y) in its pixels.
        matrix: float64 [2, 3], from pixels of the canvas it was cut from to its own.
        inside: bool [112, 112], where the picture reaches.
    """

    pixels: UInt8
    landmarks: Float32
    matrix: Float64
    inside: npt.NDArray[np.bool_]


def similarity(points: Float64, onto: Float64) -> Float64:
    """Turn, scale and shift that bring points nearest to others, by least squares.

    Args:
        points: float64 [N, 2].
        onto: float64 [N, 2].

    Returns:
        float64 [2, 3].
    """
    middle, goal = points.mean(axis=0), onto.mean(axis=0)
    a, b = points - middle, onto - goal
    size = max(float((a**2).sum()), 1e-9)
    c, s = float((a * b).sum()) / size, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    turn = np.array([[c, -s], [s, c]])
    return np.hstack([turn, (goal - turn @ middle)[:, None]])


def template(side: int = SIDE) -> Float64:
    """float64 [68, 2]: the template in pixels of an aligned face."""
    return np.asarray((TEMPLATE + np.array([0, RAISED])) * side / MARGIN + (side - 1) / 2, np.float64)


def alignment(landmarks: Float32, side: int = SIDE) -> Float64:
    """float64 [2, 3], from pixels of the landmarks [68, 2] to those of the aligned face."""
    inner = list(INNER)
    return similarity(landmarks[inner].astype(np.float64), template(side)[inner])


def aligned(canvas: Canvas, warp: Float64 | None = None, side: int = SIDE) -> AlignedFace:
    """Align the face on a canvas.

    Args:
        canvas: see :func:`mien.face.crops.canvas_of`.
        warp: float64 [2, 3], for augmentation: moves the aligned face.
        side: in pixels.
    """
    matrix = alignment(canvas.landmarks, side)
    if warp is not None:
        matrix = warp[:, :2] @ matrix + np.hstack([np.zeros((2, 2)), warp[:, 2:]])
    pixels = cv2.warpAffine(canvas.pixels, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = _inside(canvas.extent, matrix, side)
    landmarks = (canvas.landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return AlignedFace(np.asarray(np.maximum(pixels, 1) * inside, np.uint8), landmarks, matrix, inside)


def area_mask(face: AlignedFace, area: Area, canvas_landmarks: Float32) -> UInt8:
    """Where the paper's box of an area (Table 4) lies, upright in the picture.

    Args:
        face: the aligned face.
        area: which of the seven.
        canvas_landmarks: float32 [68, 2], in pixels of the canvas it was cut from.

    Returns:
        uint8 [112, 112], 1 inside.
    """
    x0, y0, x1, y1 = bounding_box(canvas_landmarks, area)
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    return filled(corners @ face.matrix[:, :2].T + face.matrix[:, 2], face.pixels.shape[0])


def area_view(canvas: Canvas, area: Area, spec: CropSpec) -> UInt8:
    """What a network sees of one area, as its crop spec says.

    Of an ``aligned`` spec the whole face is all that is on the canvas, and every other area only its published box.

    Returns:
        uint8 [size, size]; 0 = not visible.
    """
    return area_views(canvas, [area], spec)[area]


def area_views(canvas: Canvas, areas: Iterable[Area], spec: CropSpec) -> dict[Area, UInt8]:
    """What a network sees of several areas of one face; see :func:`area_view`. The face is aligned once.

    Returns:
        uint8 [size, size] an area; 0 = not visible.
    """
    if spec.mask != "aligned":
        return {area: cut(canvas, area, spec) for area in areas}
    face, views = aligned(canvas, side=spec.size), {}
    for area in areas:
        shown = 1 if area is Area.WHOLE_FACE else area_mask(face, area, canvas.landmarks)
        views[area] = np.asarray(face.pixels * shown, np.uint8)
    return views


def blanked(face: AlignedFace, pieces: Iterable[str], growth: float = BLANK_GROWTH) -> UInt8:
    """The face with some of :data:`PIECES` blanked, each with a margin.

    Returns:
        uint8 [112, 112].
    """
    pixels = face.pixels.copy()
    for piece in pieces:
        pixels[piece_mask(face.landmarks, piece, pixels.shape[0], growth) > 0] = 0
    return pixels


def piece_mask(landmarks: Float32, piece: str, side: int = SIDE, growth: float = 1.0) -> UInt8:
    """uint8 [side, side], 1 inside the hull of a piece, grown about its middle."""
    points = landmarks[list(PIECES[piece])]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return filled(cv2.convexHull(((points - middle) * growth + middle).astype(np.float32))[:, 0], side)


def filled(outline: npt.NDArray[np.floating], side: int, convex: bool = True) -> UInt8:
    """uint8 [side, side], 1 inside an outline [N, 2]."""
    mask, points = np.zeros((side, side), np.uint8), np.round(outline * 16).astype(np.int32)
    if convex:
        cv2.fillConvexPoly(mask, points, 1, shift=4)
    else:
        cv2.fillPoly(mask, [points], 1, shift=4)
    return mask


def _inside(extent: Float32, matrix: Float64, side: int) -> npt.NDArray[np.bool_]:
    """bool [side, side], where a pixel of the aligned face falls inside the picture."""
    low, high = extent[:2].astype(np.float64) - 0.5, extent[2:].astype(np.float64) + 0.5
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    return filled(corners @ matrix[:, :2].T + matrix[:, 2], side) > 0
