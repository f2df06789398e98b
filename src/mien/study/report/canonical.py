"""Where the visualisation network looks: class maps laid on one canonical face, and their mass per named face part.

A class map belongs to a whole-face crop, and faces differ. Each crop is therefore warped, triangle by triangle, so
that its 68 landmarks fall on those of the data set's mean face; only then is a mean over faces a mean over the same
spot of the face. Needs scipy (extra ``study``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import MissingExtraError
from mien.face.areas import bounding_box, square_of
from mien.face.draw import blend, jet
from mien.face.landmarks import BROWS, EYES, JAW, LIPS, MOUTH_CORNERS, NOSE
from mien.face.spec import CropSpec
from mien.study.report.canvas import PERCEPTUAL
from mien.types import Area, Float32, Float64, UInt8

FACE_PARTS = (
    "forehead", "brows", "eyes", "around the eyes", "nose", "cheeks", "mouth", "chin and jaw", "outside the face",
)  # fmt: skip
"""The named parts; together they cover the canonical face without overlap."""

_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), *(45, 44, 43, 42, 47, 46),
     *(39, 38, 37, 36, 41, 40), *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)  # fmt: skip
"""Landmark that takes a landmark's place in the mirror image."""

_RING = 16
"""Anchors on a wide circle around the face; they move with the face as a whole and carry the warp beyond the jaw."""


def mean_shape(landmarks: Float32, rounds: int = 5) -> Float64:
    """Mean of face shapes after removing position, size and rotation (Procrustes), made symmetric.

    Args:
        landmarks: float32 [N, 68, 2], (x, y) in pixels.
        rounds: of aligning to the mean so far.

    Returns:
        float64 [68, 2], centred at 0, root mean square distance 1 from it.
    """
    shapes = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1]
    shapes -= shapes.mean(axis=1, keepdims=True)
    mean = shapes.mean(axis=0)
    for _ in range(rounds):
        turn = (shapes.conj() @ mean) / (np.abs(shapes) ** 2).sum(axis=1)
        mean = (turn[:, None] * shapes).mean(axis=0)
        mean = (mean - mean.conj()[_MIRROR]) / 2
        mean -= mean.mean()
        mean /= np.sqrt((np.abs(mean) ** 2).mean())
    return np.stack([mean.real, mean.imag], axis=1)


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """The face on which every heatmap is laid.

    Attributes:
        shape: float64 [68, 2], the mean shape (see :func:`mean_shape`).
        side: pixels of the canonical picture, which is the whole-face crop of the mean shape.
    """

    shape: Float64
    side: int = 64

    @cached_property
    def landmarks(self) -> Float32:
        """float32 [68, 2], (x, y) in pixels of the canonical picture."""
        square = square_of(bounding_box(self.shape.astype(np.float32), Area.WHOLE_FACE), padded=True)
        step = (square[2] - square[0]) / self.side
        return np.asarray((self.shape - square[:2]) / step - 0.5, np.float32)

    @cached_property
    def _ring(self) -> Float64:
        angles = 2 * np.pi * np.arange(_RING) / _RING
        return np.asarray(self._centre + self.side * np.stack([np.cos(angles), np.sin(angles)], axis=1), np.float64)

    @cached_property
    def _centre(self) -> Float64:
        return np.asarray(self.landmarks.mean(axis=0), np.float64)

    @cached_property
    def _weights(self) -> Float32:
        """float32 [side * side, 68 + ring]: each canonical pixel as a mix of the corners of its triangle."""
        try:
            from scipy.spatial import Delaunay
        except ImportError as error:
            raise MissingExtraError("scipy", "study", "warping heatmaps") from error
        corners = np.concatenate([self.landmarks, self._ring])
        mesh = Delaunay(corners)
        ys, xs = np.mgrid[: self.side, : self.side]
        pixels = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float64)
        triangle = mesh.find_simplex(pixels)
        affine = mesh.transform[triangle]
        two = np.einsum("nij,nj->ni", affine[:, :2], pixels - affine[:, 2])
        mix = np.concatenate([two, 1 - two.sum(axis=1, keepdims=True)], axis=1)
        weights = np.zeros((len(pixels), len(corners)), np.float32)
        np.put_along_axis(weights, mesh.simplices[triangle], mix.astype(np.float32), axis=1)
        return weights

    def positions(self, landmarks: Float32) -> Float32:
        """Where the canonical pixels lie in each face.

        Args:
            landmarks: float32 [N, 68, 2], (x, y) in pixels of any picture of the face.

        Returns:
            float32 [N, side * side, 2], (x, y) in the same pixels.
        """
        own = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1]
        middle = own.mean(axis=1, keepdims=True)
        standard = (self.landmarks - self._centre) @ np.array([1, 1j])
        turn = ((own - middle) @ standard.conj()) / (np.abs(standard) ** 2).sum()
        ring = turn[:, None] * ((self._ring - self._centre) @ np.array([1, 1j]))[None] + middle
        corners = np.concatenate([own, ring], axis=1)
        mixed = corners @ self._weights.T
        return np.stack([mixed.real, mixed.imag], axis=-1).astype(np.float32)

    def warp(self, maps: Float32 | UInt8, landmarks: Float32, size: int, chunk: int = 128) -> Float32:
        """Lay maps of crops on the canonical face.

        Args:
            maps: [N, s, s]; they cover the crop, whatever their own resolution s.
            landmarks: float32 [N, 68, 2] in pixels of the crop.
            size: side of the crop in pixels.
            chunk: faces at a time, to bound memory.

        Returns:
            float32 [N, side, side], bilinear; beyond the crop its edge is repeated.
        """
        out = np.zeros((len(maps), self.side, self.side), np.float32)
        for piece in _slices(len(maps), chunk):
            points = (self.positions(landmarks[piece]) + 0.5) * (maps.shape[-1] / size) - 0.5
            out[piece] = _bilinear(maps[piece], points).reshape(-1, self.side, self.side)
        return out

    @cached_property
    def parts(self) -> dict[str, npt.NDArray[np.bool_]]:
        """The named parts as bool [side, side]: every canonical pixel belongs to exactly one."""
        return _named_parts(self.landmarks, self.side)


def _slices(n: int, chunk: int) -> Iterator[slice]:
    return (slice(start, min(start + chunk, n)) for start in range(0, n, chunk))


def _bilinear(maps: npt.NDArray[Any], points: Float32) -> Float32:
    """Maps [N, s, s] at points float32 [N, P, 2] -> float32 [N, P]."""
    last = maps.shape[-1] - 1
    points = np.clip(points, 0, last)
    low = np.minimum(points.astype(np.int32), max(last - 1, 0))
    high = np.minimum(low + 1, last)
    share = points - low
    row = np.arange(len(maps))[:, None]
    x0, y0, x1, y1 = low[..., 0], low[..., 1], high[..., 0], high[..., 1]
    top = maps[row, y0, x0] * (1 - share[..., 0]) + maps[row, y0, x1] * share[..., 0]
    bottom = maps[row, y1, x0] * (1 - share[..., 0]) + maps[row, y1, x1] * share[..., 0]
    return np.asarray(top * (1 - share[..., 1]) + bottom * share[..., 1], np.float32)


def crop_landmarks(landmarks: Float32, spec: CropSpec) -> Float32:
    """Landmarks float32 [N, 68, 2] in pixels of a canvas -> in pixels of the whole-face crop of that canvas."""
    moved = np.empty_like(landmarks, dtype=np.float32)
    for i, points in enumerate(landmarks):
        square = square_of(bounding_box(np.asarray(points), Area.WHOLE_FACE, spec), spec.padded)
        moved[i] = (points - square[:2]) / ((square[2] - square[0]) / spec.size) - 0.5
    return moved


def attention_mass(maps: Float32, parts: dict[str, npt.NDArray[np.bool_]]) -> Float64:
    """Share of each map's positive evidence that lies in each part.

    Args:
        maps: float32 [N, S, S], class maps on the canonical face; only what speaks for the class (> 0) counts.
        parts: name -> bool [S, S].

    Returns:
        float64 [N, len(parts)], rows sum to 1 where the parts cover the picture (a map without any positive evidence
        gives 0 everywhere).
    """
    positive = np.maximum(maps, 0).reshape(len(maps), -1).astype(np.float64)
    masks = np.stack([mask.ravel() for mask in parts.values()], axis=1).astype(np.float64)
    return np.asarray((positive @ masks) / np.maximum(positive.sum(axis=1, keepdims=True), 1e-12), np.float64)


def area_share(parts: dict[str, npt.NDArray[np.bool_]]) -> Float64:
    """Share of the canonical picture that each part takes: what attention spread evenly would give it."""
    return np.array([mask.mean() for mask in parts.values()])


def _named_parts(points: Float32, side: int) -> dict[str, npt.NDArray[np.bool_]]:
    """First come, first served: eyes, mouth, brows, nose, then what is left of the face by height."""
    face = _filled([_outline(points)], side)
    found = {
        "eyes": _filled([_grown(points[a:b], 1.45) for a, b in ((36, 42), (42, 48))], side),
        "mouth": _filled([_grown(points[LIPS], 1.15)], side),
        "brows": _filled([_grown(_hull(points[BROWS]), 1.08)], side),
        "nose": _filled([_grown(_hull(points[NOSE]), 1.2)], side),
    }
    ys = np.mgrid[:side, :side][0]
    brow_line, lid_line, mouth_line = points[BROWS, 1].min(), points[EYES, 1].max(), points[MOUTH_CORNERS, 1].mean()
    rest = {
        "outside the face": ~face & (ys > brow_line),
        "forehead": ys <= _brow_height(points, side),
        "around the eyes": ys <= lid_line,
        "cheeks": ys <= mouth_line,
        "chin and jaw": np.ones_like(face),
    }
    parts, taken = {}, np.zeros_like(face)
    for name, mask in {**found, **rest}.items():
        parts[name] = mask & ~taken
        taken |= mask
    return {name: parts[name] for name in FACE_PARTS}


def _brow_height(points: Float32, side: int) -> Float32:
    """float32 [side]: height of the upper edge of the brows above each column."""
    return np.interp(np.arange(side), points[17:27, 0], points[BROWS, 1]).astype(np.float32)[None, :]


def _outline(points: Float32) -> Float32:
    """Jaw line closed over the top of the brows."""
    return np.concatenate([points[JAW], points[26:16:-1] - [0, 2]]).astype(np.float32)


def _hull(points: Float32) -> Float32:
    return np.asarray(cv2.convexHull(points)[:, 0], np.float32)


def _grown(polygon: Float32, factor: float) -> Float32:
    centre = polygon.mean(axis=0)
    return np.asarray((polygon - centre) * factor + centre, np.float32)


def _filled(polygons: list[Float32], side: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros((side, side), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    return mask.astype(bool)


def brightness(class_map: Float32) -> Float32:
    """A map stretched to 0..1 for colouring; a flat map gives 0."""
    low, high = float(class_map.min()), float(class_map.max())
    return np.zeros_like(class_map) if high - low < 1e-12 else ((class_map - low) / (high - low)).astype(np.float32)


def overlay(gray: Float32 | UInt8, class_map: Float32, side: int = 192) -> UInt8:
    """Heatmap over a grey picture with the published colours and weights: JET x 0.4 + picture x 0.5.

    Args:
        gray: [H, W], 0..255.
        class_map: [s, s]; stretched to its own smallest and largest value.
        side: of the result, pixels.

    Returns:
        uint8 [side, side, 3], RGB.
    """
    picture = cv2.resize(np.clip(gray, 0, 255).astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    return blend(jet(brightness(large(class_map, side))), np.repeat(picture[..., None], 3, axis=2))


def perceptual(gray: Float32 | UInt8, class_map: Float32, side: int = 192) -> UInt8:
    """As :func:`overlay` in colours whose lightness rises evenly with the value; the picture only shines through.

    Returns:
        uint8 [side, side, 3], RGB: colours x 0.75 + picture x 0.25.
    """
    from matplotlib import colormaps

    picture = cv2.resize(np.clip(gray, 0, 255).astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    colours = 255 * colormaps[PERCEPTUAL](brightness(large(class_map, side)))[..., :3]
    return np.asarray(np.round(0.75 * colours + 0.25 * picture[..., None]), np.uint8)


def large(class_map: Float32, side: int) -> Float32:
    """A class map float32 [s, s] enlarged to [side, side], bicubic."""
    found = cv2.resize(np.asarray(class_map, np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(found, np.float32)
