"""How far an answer can be trusted: calibrated probabilities and P(right | emotion, area). Needs numpy only.

A *source* is what an answer came from: one of the seven areas (``mouth``), ``fused_AREA``, the answer fused from every
area that can be cut from the parts of AREA, or ``partial_AREA``, the same of a face on which something was found in
front of the other part (see ``mien.trust.fusion``). For each source three things are fitted on the validation split
(see ``mien.measure.fit.trust``) and read here:

- a temperature for each emotion said, which turns logits into probabilities and never changes the answer;
- the judge: log odds of being right = intercept of the pair <emotion, source> + slope of the source x log odds of the
  answer's probability; intercepts are partially pooled, so that a pair that was hardly ever said stays near its
  source and its emotion. The covariance of intercept and slope gives the interval;
- the conformal thresholds: a set of emotions that holds the right one at a stated coverage.

A fourth, scale and shift of the logits (vector scaling), gives the most informative probabilities there are. They may
change the answer, since they also undo the networks' logit bias towards rare emotions, so that they serve only to
measure how much an area tells (``mien.measure.fit.games``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelError, UsageError
from mien.trust.fitted import read_fitted
from mien.trust.prior import judged_under
from mien.types import EMOTIONS, N_EMOTIONS, Area, Emotion, Float32, Float64, Interval

if TYPE_CHECKING:
    from mien.trust.models import Models

FILE_NAME = "calibration.json"


DRAWN_IN = 1e-3
"""How far a probability of 1 is drawn in: a few thousand validation faces cannot tell 0.999 from 1."""


def log_odds(probabilities: npt.NDArray[np.floating[Any]]) -> Float64:
    """log(p / (1 - p)), float64, of p drawn a little towards one half: certainty has an end, and no two answers that
    differ are judged alike."""
    p = 0.5 + (1 - 2 * DRAWN_IN) * (probabilities.astype(np.float64) - 0.5)
    return np.asarray(np.log(p) - np.log1p(-p), np.float64)


@dataclass(frozen=True, eq=False)
class SourceCalibration:
    """What was fitted for one source.

    Attributes:
        method: name of the calibration chosen on validation.
        temperature: float64 [8], by which logits are divided when the answer is that emotion.
        intercept: float64 [8], of the judge, by emotion said.
        slope: of the judge.
        covariance: float64 [8, 3]: variance of the intercept, covariance of intercept and slope, variance of slope.
        said: int64 [8], how often validation faces were said to show the emotion.
        coverages: float64 [K], rising, at which a threshold was fitted.
        thresholds: float64 [K]: an emotion belongs to the set when its probability reaches the threshold.
        scale: float64 [8], and
        shift: float64 [8], of vector scaling.
    """

    method: str
    temperature: Float64
    intercept: Float64
    slope: float
    covariance: Float64
    said: npt.NDArray[np.int64]
    coverages: Float64
    thresholds: Float64
    scale: Float64 = field(default_factory=lambda: np.ones(N_EMOTIONS))
    shift: Float64 = field(default_factory=lambda: np.zeros(N_EMOTIONS))

    def probabilities(self, logits: Float32) -> Float64:
        """Calibrated probabilities, float64 [N, 8], of logits [N, 8]; the most probable emotion stays the same."""
        return softmax(logits / self.temperature[logits.argmax(axis=1)][:, None])

    def informative(self, logits: Float32) -> Float64:
        """Vector-scaled probabilities, float64 [N, 8], of logits [N, 8]; may put another emotion first."""
        return softmax(logits * self.scale + self.shift)

    def judge(self, probabilities: Float64) -> tuple[Float64, Float64, Float64]:
        """P(right) of the most probable emotion and its 95% interval: value, low, high, each float64 [N]."""
        said = probabilities.argmax(axis=1)
        odds = log_odds(probabilities.max(axis=1))
        mean = self.intercept[said] + self.slope * odds
        own, mixed, steep = self.covariance[said].T
        variance = np.maximum(own + 2 * odds * mixed + odds**2 * steep, 0.0)
        value = _expected_share(mean, variance)
        low, high = _sigmoid(mean - Z95 * np.sqrt(variance)), _sigmoid(mean + Z95 * np.sqrt(variance))
        return value, np.minimum(low, value), np.maximum(high, value)

    def under(self, logits: Float32, weights: Float64) -> tuple[Float64, tuple[Float64, Float64, Float64]]:
        """Probabilities and P(right) under another mix of emotions: see ``mien.trust.prior.judged_under``.

        Args:
            logits: float32 [N, 8].
            weights: float64 [8], new share over old share (``Prior.weights``).
        """
        probabilities = self.probabilities(logits)
        judged = self.judge(probabilities)
        return judged_under(self.informative(logits), probabilities.argmax(axis=1), judged, weights)

    def threshold(self, coverage: float) -> float:
        """The threshold of the smallest fitted coverage that is at least ``coverage``; 0 (all emotions) beyond."""
        at = int(np.searchsorted(self.coverages, coverage - 1e-9))
        return float(self.thresholds[at]) if at < len(self.thresholds) else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "method": self.method,
            "temperature": _rounded(self.temperature),
            "judge": {
                "intercept": _rounded(self.intercept),
                "slope": round(float(self.slope), 6),
                "covariance": [_rounded(row) for row in self.covariance],
                "said": [int(n) for n in self.said],
            },
            "conformal": {"coverages": _rounded(self.coverages), "thresholds": _rounded(self.thresholds)},
            "vector": {"scale": _rounded(self.scale), "shift": _rounded(self.shift)},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SourceCalibration:
        """Inverse of :meth:`to_dict`."""
        judge, sets, vector = values["judge"], values["conformal"], values["vector"]
        return cls(
            str(values["method"]),
            np.asarray(values["temperature"], np.float64).reshape(N_EMOTIONS),
            np.asarray(judge["intercept"], np.float64).reshape(N_EMOTIONS),
            float(judge["slope"]),
            np.asarray(judge["covariance"], np.float64).reshape(N_EMOTIONS, 3),
            np.asarray(judge["said"], np.int64).reshape(N_EMOTIONS),
            np.asarray(sets["coverages"], np.float64),
            np.asarray(sets["thresholds"], np.float64),
            np.asarray(vector["scale"], np.float64).reshape(N_EMOTIONS),
            np.asarray(vector["shift"], np.float64).reshape(N_EMOTIONS),
        )


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibration of one network family: all its sources.

    Attributes:
        dataset: on whose validation split it was fitted.
        n: how many faces that was.
        prior: float32 [8], share of each emotion in the fitting data's training split; what is known with no part seen.
        sources: by name: ``AREA``, ``fused_AREA``, ``partial_AREA``.
        models: what each area's network was, by area (see :func:`fingerprint`); empty where nothing is known.
    """

    dataset: str
    n: int
    prior: Float32
    sources: Mapping[str, SourceCalibration]
    models: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path | str | None = None, network: str | None = None) -> Calibration:
        """Read a calibration.

        Args:
            folder: with calibration.json, or that file; None is the one shipped in the package.
            network: ``vgg`` or ``anyarea``; None is the default the file names.

        Raises:
            ModelError: it is missing or damaged, or holds nothing for this network.
        """
        return read_fitted(folder, FILE_NAME, network, cls.from_dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Inverse of :meth:`to_dict`."""
        sources = {name: SourceCalibration.from_dict(v) for name, v in values["sources"].items()}
        prior = np.asarray(values["prior"], np.float32).reshape(N_EMOTIONS)
        return cls(str(values["dataset"]), int(values["n"]), prior, sources, dict(values["models"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "dataset": self.dataset,
            "n": self.n,
            "prior": _rounded(self.prior.astype(np.float64)),
            "models": dict(self.models),
            "sources": {name: source.to_dict() for name, source in self.sources.items()},
        }

    def source(self, name: str) -> SourceCalibration:
        """What was fitted for a source.

        Raises:
            ModelError: nothing was.
        """
        if name not in self.sources:
            raise ModelError(f"the calibration holds nothing for {name}: run  mien calibrate")
        return self.sources[name]

    def probabilities(self, source: str, logits: Float32) -> Float32:
        """Calibrated probabilities of one source.

        Args:
            source: an ``Area``, or the ``source`` of a ``fusion.Fused``.
            logits: float32 [N, 8].

        Returns:
            float32 [N, 8], rows sum to 1; the most probable emotion is that of the logits.

        Raises:
            ModelError: this source was never calibrated.
        """
        return self.source(source).probabilities(_checked(logits)).astype(np.float32)

    def judge(self, source: str, logits: Float32) -> list[Interval]:
        """Authenticity: the probability that the most probable emotion is right, with its 95% interval.

        Args and raises as :meth:`probabilities`. ``Interval.n`` counts the validation faces of which this source said
        this emotion: few of them give a wide interval.
        """
        fitted = self.source(source)
        probabilities = fitted.probabilities(_checked(logits))
        counts = fitted.said[probabilities.argmax(axis=1)]
        rows = zip(*fitted.judge(probabilities), counts, strict=True)
        return [Interval(float(v), float(low), float(high), int(n)) for v, low, high, n in rows]

    def prediction_set(self, source: str, logits: Float32, coverage: float = 0.9) -> list[tuple[Emotion, ...]]:
        """Emotions that together hold the right one with the stated coverage (split conformal, over all faces).

        Args:
            source: as in :meth:`probabilities`.
            logits: float32 [N, 8].
            coverage: between 0 and 1, both excluded.

        Returns:
            One tuple a row, most probable first, never empty.

        Raises:
            UsageError: the coverage is not between 0 and 1.
            ModelError: this source was never calibrated.
        """
        if not 0 < coverage < 1:
            raise UsageError(f"coverage: expected a number between 0 and 1, got {coverage}")
        fitted = self.source(source)
        probabilities = fitted.probabilities(_checked(logits))
        threshold = fitted.threshold(coverage)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        sizes = np.maximum((probabilities >= threshold).sum(axis=1), 1)
        return [tuple(EMOTIONS[i] for i in row[:size]) for row, size in zip(order, sizes, strict=True)]

    def belongs_to(self, models: Models) -> bool:
        """True when it was fitted for exactly these networks: weights, crops, flip and logit bias."""
        return all(self.models.get(area.value) == fingerprint(models, area) for area in models.areas)


def fingerprint(models: Models, area: Area) -> str:
    """Text that changes when anything that decides an area's logits changes: weights, crops, flip, logit bias."""
    entry = models.entry(area)
    bias = ",".join(f"{b:g}" for b in entry.logit_bias)
    return f"{entry.sha256[:16]} {entry.spec.key} flip={int(entry.flip)} bias={bias}"


def in_words(area: Area, emotion: Emotion, authenticity: Interval) -> str:
    """An answer in plain words: ``mouth only, says fear: right 4 times in 10``."""
    shown = area.words if area is Area.WHOLE_FACE else f"{area.words} only"
    return f"{shown}, says {emotion.value}: right {times(authenticity.value)}"


def times(share: float) -> str:
    """A share in plain words: 0.42 -> ``4 times in 10``, 0.97 -> ``97 times in 100``."""
    if not 0 <= share <= 1:
        raise ValueError(f"times: expected a share between 0 and 1, got {share}")
    whole = 10 if 0.1 <= share < 0.95 else 100
    count = min(round(share * whole), whole - 1)
    if count < 1:
        return "less than once in 100"
    return f"once in {whole}" if count == 1 else f"{count} times in {whole}"


def _checked(logits: Float32) -> Float32:
    if logits.ndim != 2 or logits.shape[1] != N_EMOTIONS:
        raise ValueError(f"logits: expected float32 [N, {N_EMOTIONS}], got {logits.dtype} {list(logits.shape)}")
    return logits


def _sigmoid(x: Float64) -> Float64:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float64)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


def _expected_share(mean: Float64, variance: Float64) -> Float64:
    """Mean of sigmoid(x) for x normal: P(right) with the parameters' uncertainty averaged over (Gauss-Hermite)."""
    points = mean[:, None] + np.sqrt(variance)[:, None] * _NODES
    return np.asarray(_sigmoid(points) @ (_WEIGHTS / _WEIGHTS.sum()), np.float64)


def _rounded(values: Float64) -> list[float]:
    return [round(float(v), 6) for v in values]


Probabilities = npt.NDArray[np.floating]

Z95 = 1.959963984540054


def softmax(logits: Probabilities) -> Float64:
    """Rows of logits [N, C] -> probabilities float64 [N, C]."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
