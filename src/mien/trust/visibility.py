"""Which of eyes, nose and mouth of a face can be seen. For any user of dlib's landmarks: :func:`part_visibility`.

Every landmark library places its points on every face, also those it cannot see. Two things hide a part here:

- something in front of it (mask, sunglasses, hand, hair), or a head turned away: the one network, which looks at the
  whole face for the emotion, says in the same pass how much of each piece is hidden (``mien.train.resnet``);
- the border of the picture: the share of the piece's hull that lies outside is computed.

Left and right eye are the person's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import ModelError
from mien.face import images
from mien.face.aligned import area_view
from mien.face.areas import PIECES, PIECES_OF_PART
from mien.face.crops import Canvas, canvas_of
from mien.face.images import ImageSource
from mien.trust.models import Models
from mien.types import PARTS, Area, Face, Float32, Part, UInt8, Visibility

Eyes = Literal["any", "one", "both"]
"""Which eye decides whether the eyes are visible: the more visible one, the person's right one (as published), or the
less visible one."""


def outside(canvas: Canvas) -> dict[str, float]:
    """By piece of the face, the share (0..1) of its hull that lies outside the picture."""
    shares = {}
    x0, y0, x1, y1 = (float(v) for v in canvas.extent + np.array([-0.5, -0.5, 0.5, 0.5], np.float32))
    border = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    for piece, indices in PIECES.items():
        hull = cv2.convexHull(canvas.landmarks[list(indices)].astype(np.float32))
        area = float(cv2.contourArea(hull))
        if area < 1e-3:
            centre = canvas.landmarks[list(indices)].mean(axis=0)
            shares[piece] = float(not (x0 <= centre[0] <= x1 and y0 <= centre[1] <= y1))
            continue
        kept = float(cv2.intersectConvexConvex(hull, border)[0]) if x1 > x0 and y1 > y0 else 0.0
        shares[piece] = float(np.clip(1 - kept / area, 0, 1))
    return shares


HIDDEN_FROM = 0.5
"""Share of a piece from which it counts as hidden where the models' manifest does not say."""


def visibility_of(canvas: Canvas, hidden: Float32, thresholds: Mapping[str, float], eyes: Eyes = "any") -> Visibility:
    """What a network that looks at the whole face found hidden, with what lies outside the picture.

    Args:
        canvas: the face.
        hidden: float32 [4], share (0..1) hidden of each of ``areas.PIECES``.
        thresholds: by piece, the share from which it counts as hidden.
        eyes: see :data:`Eyes`.
    """
    beyond = outside(canvas)
    shares = {piece: max(float(share), beyond[piece]) for piece, share in zip(PIECES, hidden, strict=True)}
    borders = {piece: thresholds.get(piece, HIDDEN_FROM) for piece in PIECES}
    gone = tuple(piece for piece in PIECES if shares[piece] >= borders[piece] or beyond[piece] > HIDDEN_FROM)
    seen = {piece: _probability(1 - shares[piece], 1 - borders[piece]) for piece in PIECES}
    deciding = {part: PIECES_OF_PART[part] for part in PARTS}
    if eyes == "one":
        deciding[Part.EYES] = ("right_eye",)
    most = min if eyes == "both" else max
    probability = {part: most(seen[piece] for piece in pieces) for part, pieces in deciding.items()}
    hides = any if eyes == "both" else all
    visible = frozenset(part for part, pieces in deciding.items() if not hides(piece in gone for piece in pieces))
    return Visibility(probability, visible, False, shares, gone)


def _probability(share: float, border: float) -> float:
    """0..1 with one half at the border."""
    return 0.5 * share / max(border, 1e-6) if share < border else 0.5 + 0.5 * (share - border) / max(1 - border, 1e-6)


class VisibilityModel:
    """Says what is hidden of faces; nothing else of what its network says is kept.

    Args:
        models: a folder of models or opened ones, with a network that sees what is hidden; None is the package's own.

    Raises:
        ModelError: there is no such network, or it is damaged.
    """

    def __init__(self, models: Models | Path | str | None = None) -> None:
        opened = models if isinstance(models, Models) else Models(models)
        if not opened.sees_hidden:
            opened = Models(opened.folder, _seeing(opened))
        self.models = opened
        self._entry = opened.entry(Area.WHOLE_FACE)

    def visibilities(self, canvases: Sequence[Canvas], eyes: Eyes = "any") -> list[Visibility]:
        """Of several faces at once, how surely each part is visible.

        Args:
            canvases: see ``crops.canvas_of``, at this network's ``face_size`` and ``sampling``.
            eyes: see :data:`Eyes`.
        """
        if not canvases:
            return []
        faces = np.stack([area_view(canvas, Area.WHOLE_FACE, self._entry.spec) for canvas in canvases])
        _, hidden = self.models.one_pass(faces)
        return [
            visibility_of(canvas, row, self._entry.thresholds, eyes)
            for canvas, row in zip(canvases, hidden, strict=True)
        ]

    def of_picture(self, gray: UInt8, landmarks: Float32, eyes: Eyes = "both") -> Visibility:
        """Of one face of a picture uint8 [H, W] with landmarks float32 [68, 2] in its pixels."""
        spec = self._entry.spec
        return self.visibilities([canvas_of(gray, landmarks, spec.face_size, spec.sampling)], eyes)[0]


@dataclass(frozen=True, eq=False)
class FaceVisibility:
    """A face of a photo, and what of it can be seen."""

    face: Face
    visibility: Visibility


def photo_visibility(source: ImageSource, model: VisibilityModel) -> tuple[list[FaceVisibility], UInt8]:
    """What can be seen of every face of a photo, largest first.

    Args:
        source: as in :func:`mien.face.images.load`.
        model: looks.

    Returns:
        The faces, and the photo as uint8 [H, W, 3], RGB.

    Raises:
        ImageError: the photo cannot be read.
    """
    from mien.face.detect import detect

    picture = images.load(source)
    gray = images.to_gray(picture)
    faces = detect(gray)
    return [FaceVisibility(face, model.of_picture(gray, face.landmarks, "any")) for face in faces], picture


def _seeing(models: Models) -> str:
    """The network of a folder that sees what is hidden."""
    for name in models.manifest.networks:
        if Models(models.folder, name).sees_hidden:
            return name
    raise ModelError(f"{models.folder} has no network that says what is hidden")


@cache
def shipped_visibility() -> VisibilityModel:
    """The package's own, opened once."""
    return VisibilityModel()


def part_visibility(
    image: UInt8, landmarks: npt.NDArray[Any], eyes: Eyes = "both", model: VisibilityModel | None = None
) -> Visibility:
    """Which parts of a face can be seen, for any user of dlib's 68 landmarks.

    Args:
        image: uint8 [H, W] grey, or [H, W, 3] RGB or [H, W, 4] RGBA.
        landmarks: [68, 2], (x, y) in pixels of the image, in dlib's order; may leave the image.
        eyes: see :data:`Eyes`.
        model: None is the shipped one.

    Raises:
        ValueError: a shape, the dtype or ``eyes`` is another.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(f"image: expected uint8 [H, W], [H, W, 3] or [H, W, 4], got {image.dtype} {list(image.shape)}")
    points = np.asarray(landmarks, np.float32)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"landmarks: expected 68 finite (x, y), got {list(points.shape)}")
    if eyes not in ("any", "one", "both"):
        raise ValueError(f"eyes: expected any, one or both, got {eyes!r}")
    gray = image if image.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(image[:, :, :3]), cv2.COLOR_RGB2GRAY)
    return (model or shipped_visibility()).of_picture(gray.astype(np.uint8, copy=False), points, eyes)
