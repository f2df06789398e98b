"""Which of eyes, nose and mouth of a face can be seen. For any user of dlib's landmarks: :func:`part_visibility`.

dlib, like every landmark library, places all 68 points on every face, also those it cannot see. Three things hide a
part:

- something in front of it (mask, sunglasses, hand, hair): a small network looks, see ``mien.train.visibility``;
- the border of the picture: the share of the part's hull that lies outside is computed;
- the head turned away: the landmarks of the far side crowd together.

The eyes of the published areas are the person's right brow and eye (left in the picture); with ``eyes="both"`` both
count, and the less visible one decides.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import ModelError
from mien.face.areas import PIECES, PIECES_OF_PART, hull_mask
from mien.face.crops import Frame, frame_of
from mien.trust.folder import SHIPPED, ModelEntry
from mien.trust.models import open_session
from mien.types import PARTS, Float32, Part, UInt8, Visibility

VIEW_SIDE = 48
"""Side in pixels of what the network looks at."""

REACH = 1.3
"""Side of that view in the landmarks' own extent."""

TURNED_AWAY = 0.1
"""An eye is turned away when the bridge of the nose is nearer than this share of the face's width to that side's edge.
Of 33,666 FER+ faces 15 are turned so far to one side; see ``docs/visibility.md``."""


def view_of(frame: Frame) -> UInt8:
    """What the network looks at.

    Returns:
        uint8 [2, 48, 48]: the face, 0 where the picture ends; and where its pieces should be: 0 elsewhere, 1 right
        eye and brow, 2 left eye and brow, 3 nose, 4 mouth.
    """
    low, high = frame.landmarks.min(axis=0), frame.landmarks.max(axis=0)
    side = max(float((high - low).max()) * REACH, 8.0)
    step, corner = side / VIEW_SIDE, (low + high) / 2 - side / 2
    matrix = np.array([[step, 0, corner[0] + step / 2], [0, step, corner[1] + step / 2]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (VIEW_SIDE, VIEW_SIDE)
    face = cv2.warpAffine(np.asarray(frame.pixels), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    centres = corner + (np.arange(VIEW_SIDE)[:, None] + 0.5) * step
    inside = (centres >= frame.extent[:2] - 0.5) & (centres <= frame.extent[2:] + 0.5)
    pieces = np.zeros(size, np.uint8)
    for number, indices in enumerate(PIECES.values(), start=1):
        points = (frame.landmarks[list(indices)] - corner) / step - 0.5
        pieces[hull_mask(points.astype(np.float32), VIEW_SIDE) > 0] = number
    face = np.maximum(face, 1).astype(np.uint8) * np.outer(inside[:, 1], inside[:, 0])
    return np.stack([face, pieces]).astype(np.uint8)


def outside(frame: Frame) -> dict[str, float]:
    """By piece of the face, the share (0..1) of its hull that lies outside the picture."""
    shares = {}
    x0, y0, x1, y1 = (float(v) for v in frame.extent + np.array([-0.5, -0.5, 0.5, 0.5], np.float32))
    border = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    for piece, indices in PIECES.items():
        hull = cv2.convexHull(frame.landmarks[list(indices)].astype(np.float32))
        area = float(cv2.contourArea(hull))
        if area < 1e-3:
            centre = frame.landmarks[list(indices)].mean(axis=0)
            shares[piece] = float(not (x0 <= centre[0] <= x1 and y0 <= centre[1] <= y1))
            continue
        kept = float(cv2.intersectConvexConvex(hull, border)[0]) if x1 > x0 and y1 > y0 else 0.0
        shares[piece] = float(np.clip(1 - kept / area, 0, 1))
    return shares


def turned_away(landmarks: Float32) -> dict[str, bool]:
    """Of each eye, whether the head is turned so far that it lies behind the face's edge.

    Args:
        landmarks: float32 [68, 2], (x, y).
    """
    down = landmarks[8] - landmarks[17:27].mean(axis=0)
    across = np.array([down[1], -down[0]]) / max(float(np.linalg.norm(down)), 1e-3)
    start, end, bridge = (float(p @ across) for p in (landmarks[0], landmarks[16], landmarks[27:31].mean(axis=0)))
    share = (bridge - start) / max(end - start, 1e-3)
    return {"right_eye": share < TURNED_AWAY, "left_eye": share > 1 - TURNED_AWAY}


@dataclass(frozen=True, eq=False)
class PieceVisibility:
    """Of each piece of the face (``right_eye``, ``left_eye``, ``nose``, ``mouth``), how surely it is visible.

    Attributes:
        seen: the network's probability that nothing lies in front of it.
        outside: share of its hull outside the picture.
        turned: True for an eye that is turned away.
        thresholds: the probability from which a piece counts as seen.
    """

    seen: Mapping[str, float]
    outside: Mapping[str, float]
    turned: Mapping[str, bool]
    thresholds: Mapping[str, float]

    def probability(self, piece: str) -> float:
        """0..1; one half is the border between hidden and visible, whatever the threshold."""
        if self.outside[piece] > 0.5 or self.turned.get(piece, False):
            return 0.0
        p, border = self.seen[piece], self.thresholds[piece]
        return 0.5 * p / border if p < border else 0.5 + 0.5 * (p - border) / max(1 - border, 1e-6)

    def to_visibility(self, eyes: str = "one") -> Visibility:
        """By part; ``eyes`` is ``one`` (the published eyes area) or ``both``."""
        probability = {}
        for part in PARTS:
            pieces = ("right_eye",) if part is Part.EYES and eyes == "one" else PIECES_OF_PART[part]
            probability[part] = min(self.probability(piece) for piece in pieces)
        return Visibility(probability, frozenset(part for part in PARTS if probability[part] >= 0.5))


class VisibilityModel:
    """The small network that sees what lies in front of a face, with the geometry beside it.

    Args:
        folder: of models, whose manifest names a visibility network; None is the one shipped in the package.
        threads: onnxruntime's threads; 0 lets it choose.

    Raises:
        ModelError: there is no such network, or it is damaged.
    """

    def __init__(self, folder: Path | str | None = None, threads: int = 1) -> None:
        folder = SHIPPED if folder is None else Path(folder).expanduser()
        try:
            entry = json.loads((folder / "manifest.json").read_text())["visibility"]
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder} has no visibility network ({error!r})") from error
        self._session = open_session(ModelEntry.from_dict(folder, entry), threads)
        self._thresholds = {piece: float(entry.get("thresholds", {}).get(piece, 0.5)) for piece in PIECES}

    def pieces(self, frames: list[Frame]) -> list[PieceVisibility]:
        """Of several faces at once, how surely each piece is visible."""
        if not frames:
            return []
        feed: dict[str, Any] = {"views": np.stack([view_of(frame) for frame in frames])}
        rows: npt.NDArray[np.float32] = self._session.run(["seen"], feed)[0]
        return [self._of(frame, row) for frame, row in zip(frames, rows, strict=True)]

    def visibility(self, frame: Frame, eyes: str = "one") -> Visibility:
        """Of one face, how surely each part is visible.

        Args:
            frame: see ``areas.frame_of``.
            eyes: ``one``, the published eyes area (right brow and eye), or ``both``.
        """
        return self.pieces([frame])[0].to_visibility(eyes)

    def _of(self, frame: Frame, row: Float32) -> PieceVisibility:
        seen = {piece: float(p) for piece, p in zip(PIECES, row, strict=True)}
        return PieceVisibility(seen, outside(frame), turned_away(frame.landmarks), self._thresholds)


_shipped: list[VisibilityModel] = []

_lock = threading.Lock()


def shipped_visibility() -> VisibilityModel:
    """The package's own network, opened once."""
    with _lock:
        if not _shipped:
            _shipped.append(VisibilityModel())
        return _shipped[0]


def part_visibility(
    image: UInt8, landmarks: npt.NDArray[Any], eyes: str = "both", model: VisibilityModel | None = None
) -> Visibility:
    """Which parts of a face can be seen, for any user of dlib's 68 landmarks.

    Args:
        image: uint8 [H, W] grey, or [H, W, 3] RGB or [H, W, 4] RGBA.
        landmarks: [68, 2], (x, y) in pixels of the image, in dlib's order; may leave the image.
        eyes: ``both`` eyes and brows, or ``one``, the published eyes area (right brow and eye).
        model: None is the shipped one.

    Raises:
        ValueError: a shape, the dtype or ``eyes`` is another.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(f"image: expected uint8 [H, W], [H, W, 3] or [H, W, 4], got {image.dtype} {list(image.shape)}")
    points = np.asarray(landmarks, np.float32)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"landmarks: expected 68 finite (x, y), got {list(points.shape)}")
    if eyes not in ("one", "both"):
        raise ValueError(f"eyes: expected one or both, got {eyes!r}")
    gray = image if image.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(image[:, :, :3]), cv2.COLOR_RGB2GRAY)
    frame = frame_of(gray.astype(np.uint8, copy=False), points)
    return (model or shipped_visibility()).visibility(frame, eyes)


__all__ = [
    "PieceVisibility", "VisibilityModel", "outside", "part_visibility", "shipped_visibility",
    "turned_away", "view_of",
]  # fmt: skip
