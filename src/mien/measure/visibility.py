"""How well the visibility network tells hidden parts: the views it is measured on, and the measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import FaceCache
from mien.data.samples import Split
from mien.face.areas import PIECES
from mien.face.crops import Frame
from mien.measure import metrics
from mien.measure.covered import HIDDEN
from mien.measure.occluders import HELD_OUT_KINDS, TRAINING_KINDS, Occluded, occlude
from mien.trust.authenticity import Z95
from mien.trust.visibility import VIEW_SIDE, PieceVisibility, VisibilityModel, view_of
from mien.types import PARTS, Float32, Part, UInt8


@dataclass(frozen=True)
class VisibilityConfig:
    """What decides a training.

    Attributes:
        faces: views drawn for training, each a random training face with or without occluders.
        epochs: passes over them.
        batch: views a step.
        rate: highest learning rate (AdamW, one-cycle).
        bare: share of views without an occluder.
        jitter: standard deviation of the landmark error, as a share of the face size.
        seed: of everything.
    """

    faces: int = 160_000
    epochs: int = 7
    batch: int = 128
    rate: float = 4e-3
    bare: float = 0.25
    jitter: float = 0.025
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Views:
    """Occluded faces as the network sees them.

    Attributes:
        pixels: uint8 [N, 2, 48, 48].
        hidden: float32 [N, 4], share of each piece that is hidden.
        kinds: of occluder, N names.
    """

    pixels: UInt8
    hidden: Float32
    kinds: tuple[str, ...]


def draw_views(
    cache: FaceCache,
    split: Split,
    kinds: Sequence[str],
    count: int,
    config: VisibilityConfig,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Views:
    """Random faces of a split, bare or with one or two occluders, disturbed as photos are.

    Args:
        cache: the prepared data set.
        split: whose faces.
        kinds: of occluders.
        count: how many views.
        config: shares and jitter.
        seed: of everything random.
        progress: gets a line now and then.
    """
    generator, rows = np.random.default_rng([config.seed, seed]), cache.rows(split)
    pixels, hidden, names = np.empty((count, 2, VIEW_SIDE, VIEW_SIDE), np.uint8), np.empty((count, 4), np.float32), []
    for i in range(count):
        frame = cache.frame(int(generator.choice(rows)))
        donor = np.asarray(cache.frames[int(generator.choice(rows))])
        face = _random_occlusion(frame, donor, kinds, config.bare, generator)
        pixels[i] = view_of(_disturbed(face.frame, config.jitter, generator))
        hidden[i] = [face.covered[piece] for piece in PIECES]
        names.append(face.kind)
        if progress and (i + 1) % 20_000 == 0:
            progress(f"{i + 1} of {count} {split} views drawn")
    return Views(pixels, hidden, tuple(names))


def _random_occlusion(
    frame: Frame, donor: UInt8, kinds: Sequence[str], bare: float, generator: np.random.Generator
) -> Occluded:
    if generator.random() < bare:
        return occlude(frame, "none", generator)
    target = PARTS[int(generator.integers(len(PARTS)))] if generator.random() < 0.6 else None
    face = occlude(frame, str(generator.choice(list(kinds))), generator, donor, target)
    if generator.random() < 0.15:
        second = occlude(face.frame, str(generator.choice(list(kinds))), generator, donor)
        covered = {piece: max(share, second.covered[piece]) for piece, share in face.covered.items()}
        return Occluded(second.frame, face.kind, covered, face.mask | second.mask)
    return face


def _disturbed(frame: Frame, jitter: float, generator: np.random.Generator) -> Frame:
    """Landmark error, loss of resolution, light, noise, JPEG, mirror image left aside (see ``_mirrored``)."""
    points, size = frame.landmarks, float(np.sqrt(np.prod(np.maximum(np.ptp(frame.landmarks, axis=0), 1.0))))
    centre = points.mean(axis=0)
    angle, scale = generator.normal(0, 0.05), np.exp(generator.normal(0, 2 * jitter))
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = (points - centre) @ turn + centre + generator.normal(0, jitter * size, 2)
    moved = moved + generator.normal(0, 0.4 * jitter * size, points.shape)
    pixels, side = np.asarray(frame.pixels), frame.pixels.shape[0]
    if generator.random() < 0.3:
        small = round(side * generator.uniform(0.4, 0.9))
        pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA).astype(np.uint8)
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if generator.random() < 0.5:
        levels = 255 * (np.arange(256) / 255) ** float(np.exp(generator.normal(0, 0.35)))
        pixels = cv2.LUT(pixels, levels.astype(np.uint8)).astype(np.uint8)
    if generator.random() < 0.15:
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(25, 90))])
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return Frame(pixels, moved.astype(np.float32), frame.extent)


def balanced_accuracy(said: npt.NDArray[np.bool_], visible: npt.NDArray[np.bool_]) -> float:
    """Mean of the share of visible ones said to be visible and of hidden ones said to be hidden."""
    return float((said[visible].mean() + (~said[~visible]).mean()) / 2)


def measure(model: VisibilityModel, cache: FaceCache, count: int, config: VisibilityConfig) -> pd.DataFrame:
    """How well parts are found visible or hidden on test faces, with occluders seen and never seen in training.

    Args:
        model: as shipped: network, geometry and thresholds.
        cache: the prepared data set; its test split is used.
        count: faces for each set of occluders.
        config: share of bare faces and landmark error, as in training.

    Returns:
        Columns occluders (``held out``, ``training``, ``none`` or the name of one kind), part (``right_eye``, ``eyes``
        (both), ``nose``, ``mouth``), n, hidden (of them), balanced_accuracy, low, high (95% interval over faces),
        visible_found and hidden_found (shares; NaN where there is none to find).
    """
    rows = []
    for name, kinds in (("held out", HELD_OUT_KINDS), ("training", TRAINING_KINDS)):
        views, frames = [], []
        for face, frame in _test_faces(cache, kinds, count, config):
            views.append(face)
            frames.append(frame)
        pieces = [p for start in range(0, count, 256) for p in model.pieces(frames[start : start + 256])]
        used = np.array([face.kind for face in views])
        for part in ("right_eye", "eyes", "nose", "mouth"):
            said, hidden = _said(pieces, part), _hidden(views, part)
            rows.append(_row(name, part, said, hidden, np.ones(count, bool)))
            rows += [_row(kind, part, said, hidden, used == kind) for kind in kinds]
            if name == "held out":
                rows.append(_row("none", part, said, hidden, used == "none"))
    return pd.DataFrame(rows)


def _test_faces(
    cache: FaceCache, kinds: Sequence[str], count: int, config: VisibilityConfig
) -> Iterator[tuple[Occluded, Frame]]:
    generator, rows = np.random.default_rng([config.seed, 3]), cache.rows("test")
    for _ in range(count):
        frame = cache.frame(int(generator.choice(rows)))
        donor = np.asarray(cache.frames[int(generator.choice(rows))])
        face = _random_occlusion(frame, donor, kinds, config.bare, generator)
        yield face, _disturbed(face.frame, config.jitter, generator)


def _said(pieces: list[PieceVisibility], part: str) -> npt.NDArray[np.bool_]:
    if part == "right_eye":
        return np.array([Part.EYES in p.to_visibility("one").visible for p in pieces])
    return np.array([Part(part) in p.to_visibility("both").visible for p in pieces])


def _hidden(faces: list[Occluded], part: str) -> npt.NDArray[np.bool_]:
    if part == "right_eye":
        return np.array([face.share(Part.EYES, "one") > HIDDEN for face in faces])
    return np.array([face.share(Part(part), "both") > HIDDEN for face in faces])


def _row(
    name: str,
    part: str,
    said: npt.NDArray[np.bool_],
    hidden: npt.NDArray[np.bool_],
    chosen: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    seen = metrics.wilson(int((said & ~hidden)[chosen].sum()), int((~hidden)[chosen].sum()))
    caught = metrics.wilson(int((~said & hidden)[chosen].sum()), int(hidden[chosen].sum()))
    shares = [share.value if share.n else float("nan") for share in (seen, caught)]
    middle = (shares[0] + shares[1]) / 2
    spread = [p * (1 - p) / max(1, share.n) for p, share in zip(shares, (seen, caught), strict=True)]
    half = Z95 * float(np.sqrt(sum(spread))) / 2
    return {
        "occluders": name, "part": part, "n": int(chosen.sum()), "hidden": int(hidden[chosen].sum()),
        "balanced_accuracy": middle, "low": middle - half, "high": middle + half, "visible_found": shares[0],
        "hidden_found": shares[1],
    }  # fmt: skip
