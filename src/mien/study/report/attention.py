"""Fig. 6 as numbers: the class maps of the visualisation network on the canonical face, by emotion and face part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import crops_of
from mien.measure.metrics import bootstrap_weights, percentile_interval
from mien.study.report.canonical import (
    FACE_PARTS,
    CanonicalFace,
    area_share,
    attention_mass,
    crop_landmarks,
    mean_shape,
)
from mien.study.report.inputs import Evidence
from mien.types import EMOTIONS, Area, Emotion, Float32, Float64, Interval

SHAPE_FACES = 5000
"""Training faces from which the canonical face is made."""

DRAWS = 2000

MERGED = {"eyes and brows": ("eyes", "brows", "around the eyes")}
"""Coarser parts for the findings, where the paper's words are coarse."""


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention of the visualisation network on one data set's test faces.

    Only faces that it recognised rightly count, each with the map of its own emotion.

    Attributes:
        face: the canonical face.
        emotions: those with at least one such face.
        labels: int64 [N], of the faces used.
        mass: float64 [N, parts], see :func:`mien.study.report.canonical.attention_mass`.
        mean_maps: by emotion, float32 [side, side] on the canonical face.
        mean_faces: by emotion, float32 [side, side], the mean picture on the canonical face.
        crop_maps: by emotion, float32 [s, s], the mean map in crop coordinates, as published.
        crop_faces: by emotion, float32 [S, S], the mean crop.
        samples: by emotion, the row of the cache it is surest of, and its map float32 [s, s].
    """

    face: CanonicalFace
    emotions: tuple[Emotion, ...]
    labels: npt.NDArray[np.int64]
    mass: Float64
    mean_maps: dict[Emotion, Float32]
    mean_faces: dict[Emotion, Float32]
    crop_maps: dict[Emotion, Float32]
    crop_faces: dict[Emotion, Float32]
    samples: dict[Emotion, tuple[int, Float32]]

    @property
    def counts(self) -> dict[Emotion, int]:
        """Faces used of each emotion."""
        return {emotion: int((self.labels == emotion.position).sum()) for emotion in self.emotions}

    def table(self) -> pd.DataFrame:
        """emotion, part, n, mass with interval, area (share of the picture), density = mass / area."""
        rows, area = [], area_share(self.face.parts)
        for emotion in self.emotions:
            own = self.mass[self.labels == emotion.position]
            for part, name in enumerate(FACE_PARTS):
                found = _bootstrap(own, lambda m: m[..., part])  # noqa: B023
                rows.append({
                    "emotion": emotion.value, "part": name, "n": len(own), "mass": found.value,
                    "mass_low": found.low, "mass_high": found.high, "area": area[part],
                    "density": found.value / max(area[part], 1e-9),
                })  # fmt: skip
        return pd.DataFrame(rows)

    def _density(self, mass: Float64, parts: tuple[str, ...]) -> Float64:
        places = [FACE_PARTS.index(name) for part in parts for name in MERGED.get(part, (part,))]
        return np.asarray(mass[..., places].sum(axis=-1) / area_share(self.face.parts)[places].sum())

    def lead(self, emotion: Emotion, parts: tuple[str, ...]) -> Interval | None:
        """The lowest density among ``parts`` minus the highest among the other parts of the face."""
        if emotion not in self.emotions:
            return None
        coarse = ("forehead", "eyes and brows", "nose", "cheeks", "mouth", "chin and jaw")
        rivals = [part for part in coarse if part not in parts]

        def measure(mass: Float64) -> Float64:
            own = np.min([self._density(mass, (part,)) for part in parts], axis=0)
            return np.asarray(own - np.max([self._density(mass, (part,)) for part in rivals], axis=0))

        return _bootstrap(self.mass[self.labels == emotion.position], measure)

    def quiet(self, parts: tuple[str, ...]) -> Interval | None:
        """1 minus the density of ``parts`` together, mean over emotions."""
        if not self.emotions:
            return None
        draws = [
            _draws(self.mass[self.labels == emotion.position], lambda m: 1 - self._density(m, parts))
            for emotion in self.emotions
        ]
        value = float(np.mean([point for point, _ in draws]))
        return percentile_interval(value, np.mean([drawn for _, drawn in draws], axis=0), len(self.labels))

    def evenness_lead(self, emotion: Emotion) -> Interval | None:
        """Evenness of an emotion's attention minus the mean evenness of the others'."""
        if emotion not in self.emotions or len(self.emotions) < 2:
            return None
        found = {e: _draws(self.mass[self.labels == e.position], self._evenness) for e in self.emotions}
        others = [e for e in self.emotions if e is not emotion]
        value = found[emotion][0] - float(np.mean([found[e][0] for e in others]))
        drawn = found[emotion][1] - np.mean([found[e][1] for e in others], axis=0)
        return percentile_interval(value, drawn, int((self.labels == emotion.position).sum()))

    def _evenness(self, mass: Float64) -> Float64:
        """1 when attention lies on the parts of the face as their areas do, less when it is drawn to some of them."""
        inside = [i for i, name in enumerate(FACE_PARTS) if name != "outside the face"]
        own = mass[..., inside] / np.maximum(mass[..., inside].sum(axis=-1, keepdims=True), 1e-12)
        even = area_share(self.face.parts)[inside]
        even = even / even.sum()
        divergence = (own * np.log(np.maximum(own, 1e-12) / even)).sum(axis=-1)
        return np.asarray(np.exp(-divergence))


def _draws(mass: Float64, measure: Callable[[Float64], Float64]) -> tuple[float, Float64]:
    drawn = [measure(w @ mass / len(mass)) for w in bootstrap_weights(len(mass), DRAWS)]
    return float(measure(mass.mean(axis=0))), np.concatenate(drawn)


def _bootstrap(mass: Float64, measure: Callable[[Float64], Float64]) -> Interval:
    value, drawn = _draws(mass, measure)
    return percentile_interval(value, drawn, len(mass))


def attention_of(evidence: Evidence) -> Attention | None:
    """Lay the class maps of rightly recognised test faces on the canonical face; None without a trained network."""
    found = evidence.class_maps
    if found is None or not len(found.rows):
        return None
    cache = evidence.cache
    chosen = np.sort(np.random.default_rng(0).permutation(cache.rows("train"))[:SHAPE_FACES])
    face = CanonicalFace(mean_shape(np.asarray(cache.landmarks[chosen])))
    labels = cache.labels[found.rows]
    right = np.flatnonzero(found.logits.argmax(axis=1) == labels)
    rows, labels = found.rows[right], labels[right]
    maps = found.maps[right, labels].astype(np.float32)
    points = crop_landmarks(np.asarray(cache.landmarks[rows]), found.spec)
    crops = crops_of(cache, rows, Area.WHOLE_FACE, found.spec)
    warped = face.warp(maps, points, found.spec.size)
    pictures = face.warp(crops, points, found.spec.size)
    odds = found.logits[right]
    sure = odds[np.arange(len(right)), labels] - np.log(np.exp(odds.astype(np.float64)).sum(axis=1))
    emotions = tuple(e for e in EMOTIONS if (labels == e.position).any())
    of = {e: np.flatnonzero(labels == e.position) for e in emotions}
    best = {e: of[e][sure[of[e]].argmax()] for e in emotions}
    return Attention(
        face, emotions, labels, attention_mass(warped, face.parts),
        {e: warped[of[e]].mean(axis=0) for e in emotions}, {e: pictures[of[e]].mean(axis=0) for e in emotions},
        {e: maps[of[e]].mean(axis=0) for e in emotions},
        {e: crops[of[e]].mean(axis=0, dtype=np.float32) for e in emotions},
        {e: (int(rows[best[e]]), maps[best[e]]) for e in emotions},
    )  # fmt: skip
