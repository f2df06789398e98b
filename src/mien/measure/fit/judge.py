"""Fit what ``mien.trust.authenticity`` reads. Works on logits and labels alone. Needs scipy and scikit-learn.

Calibration must not change the answer (the networks' logit bias, which lets them say rare emotions, was chosen on
purpose), so that only methods that keep the most probable emotion can be chosen; the others are measured beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from mien.measure.fit.probabilities import Labels
from mien.trust.authenticity import log_odds
from mien.types import N_EMOTIONS, Float64


@dataclass(frozen=True, eq=False)
class Judge:
    """P(right | emotion, source, probability of the answer); see ``mien.trust.authenticity``.

    Attributes:
        intercept: float64 [S, 8].
        slope: float64 [S].
        covariance: float64 [S, 8, 3]: variance of intercept, covariance with the slope, variance of slope.
        spreads: standard deviations of the source, emotion and pair effects, as estimated.
    """

    intercept: Float64
    slope: Float64
    covariance: Float64
    spreads: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class _JudgeData:
    """One row a source and sample: which pair was said, its log odds, right or wrong, and whose face it is."""

    sources: int
    pair: npt.NDArray[np.int64]
    odds: Float64
    right: Float64
    face: npt.NDArray[np.int64]

    @property
    def source(self) -> npt.NDArray[np.int64]:
        return self.pair // N_EMOTIONS

    @classmethod
    def of(
        cls, probabilities: Sequence[Float64], labels: Labels | Sequence[Labels], faces: Sequence[Labels] | None
    ) -> _JudgeData:
        said = [p.argmax(axis=1) for p in probabilities]
        pair = np.concatenate([s * N_EMOTIONS + a for s, a in enumerate(said)])
        odds = np.concatenate([log_odds(p.max(axis=1)) for p in probabilities])
        if isinstance(labels, np.ndarray):
            right, face = [a == labels for a in said], np.tile(np.arange(len(labels)), len(said))
        else:
            right, face = [a == own for a, own in zip(said, labels, strict=True)], np.arange(len(pair))
            if faces is not None:
                face = np.unique(np.concatenate(faces), return_inverse=True)[1]
        return cls(len(said), pair, odds, np.concatenate(right).astype(np.float64), face)


def fit_judge(
    probabilities: Sequence[Float64], labels: Labels | Sequence[Labels], faces: Sequence[Labels] | None = None
) -> Judge:
    """Hierarchical logistic regression by empirical Bayes.

    log odds of being right = intercept_se + slope_s * log odds of the answer's calibrated probability. Were the
    calibration perfect, every intercept would be 0 and every slope 1: that is where the priors are centred.
    intercept_se = source_s + emotion_e + pair_se, all normal around 0; their spreads maximise the marginal likelihood.

    Args:
        probabilities: calibrated, float64 [N, 8] a source.
        labels: int64 [N], of the same faces for every source; or one array a source, each of other faces.
        faces: with one array of labels a source: int64 [N] a source, whose face each row shows, where sources share
            some.
    """
    data = _JudgeData.of(probabilities, labels, faces)

    def loss(log_spreads: Float64) -> float:
        spreads = np.exp(log_spreads)
        _, curvature, value = _mode(data, spreads)
        precision = _precision(data.sources, spreads)
        evidence = -value - 0.5 * np.linalg.slogdet(curvature)[1] + 0.5 * np.linalg.slogdet(precision)[1]
        return float(-evidence + 0.5 * np.square(spreads / 0.5).sum() - log_spreads.sum())

    start = np.full(3, np.log(0.2))
    found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 0.05, "fatol": 0.05, "maxiter": 80})
    spreads = np.asarray(np.exp(found.x), np.float64)
    theta, curvature, _ = _mode(data, spreads)
    covariance, pairs = _covariance(data, theta, curvature, spreads), data.sources * N_EMOTIONS
    own = np.diag(covariance)[:pairs].reshape(data.sources, N_EMOTIONS)
    mixed = np.stack([covariance[s * N_EMOTIONS : (s + 1) * N_EMOTIONS, pairs + s] for s in range(data.sources)])
    steep = np.repeat(np.diag(covariance)[pairs:, None], N_EMOTIONS, axis=1)
    triple = (float(spreads[0]), float(spreads[1]), float(spreads[2]))
    intercept = theta[:pairs].reshape(data.sources, N_EMOTIONS)
    return Judge(intercept, theta[pairs:], np.stack([own, mixed, steep], axis=2), triple)


_SLOPE_SPREAD = 0.3


def _covariance(data: _JudgeData, theta: Float64, curvature: Float64, spreads: Float64) -> Float64:
    """Posterior covariance, robust to the sources' sharing faces: all rows of one face are one cluster (sandwich)."""
    pairs = data.sources * N_EMOTIONS
    eta = theta[data.pair] + theta[pairs + data.source] * data.odds
    away = 0.5 * (1 + np.tanh(eta / 2)) - data.right
    scores = np.zeros((int(data.face.max()) + 1, len(theta)))
    scores[data.face, data.pair] = away
    scores[data.face, pairs + data.source] = away * data.odds
    inverse = np.linalg.inv(curvature)
    robust = inverse @ (scores.T @ scores + _precision(data.sources, spreads)) @ inverse
    wider = np.maximum(np.sqrt(np.diag(robust) / np.diag(inverse)), 1.0)
    return np.asarray(inverse * np.outer(wider, wider), np.float64)


def _precision(sources: int, spreads: Float64) -> Float64:
    """Prior precision of (intercepts, slopes)."""
    by_source, by_emotion, by_pair = np.square(spreads)
    same_source = np.kron(np.eye(sources), np.ones((N_EMOTIONS, N_EMOTIONS)))
    same_emotion = np.kron(np.ones((sources, sources)), np.eye(N_EMOTIONS))
    prior = by_source * same_source + by_emotion * same_emotion + by_pair * np.eye(sources * N_EMOTIONS)
    out = np.zeros((sources * (N_EMOTIONS + 1),) * 2)
    out[: len(prior), : len(prior)] = np.linalg.inv(prior)
    out[len(prior) :, len(prior) :] = np.eye(sources) / _SLOPE_SPREAD**2
    return out


def _mode(data: _JudgeData, spreads: Float64) -> tuple[Float64, Float64, float]:
    """Newton's method: the posterior mode, the curvature there, and the negative log posterior."""
    pairs, precision = data.sources * N_EMOTIONS, _precision(data.sources, spreads)
    centre = np.concatenate([np.zeros(pairs), np.ones(data.sources)])
    theta = centre.copy()
    for _ in range(25):
        gradient, curvature, _ = _derivatives(data, theta, centre, precision)
        step = np.linalg.solve(curvature, gradient)
        theta = theta - step
        if np.abs(step).max() < 1e-6:
            break
    _, curvature, value = _derivatives(data, theta, centre, precision)
    return theta, curvature, value


def _derivatives(
    data: _JudgeData, theta: Float64, centre: Float64, precision: Float64
) -> tuple[Float64, Float64, float]:
    pairs, source = data.sources * N_EMOTIONS, data.source
    eta = theta[data.pair] + theta[pairs + source] * data.odds
    p = 0.5 * (1 + np.tanh(eta / 2))
    away, weight = p - data.right, p * (1 - p)
    gradient = np.concatenate([
        np.bincount(data.pair, away, pairs), np.bincount(source, away * data.odds, data.sources)
    ])  # fmt: skip
    curvature = precision.copy()
    diagonal = np.arange(len(theta))
    own = np.bincount(data.pair, weight, pairs)
    mixed = np.bincount(data.pair, weight * data.odds, pairs)
    steep = np.bincount(source, weight * data.odds**2, data.sources)
    curvature[diagonal, diagonal] += np.concatenate([own, steep])
    rows = np.arange(pairs)
    curvature[rows, pairs + rows // N_EMOTIONS] += mixed
    curvature[pairs + rows // N_EMOTIONS, rows] += mixed
    offset = theta - centre
    value = -(data.right * eta - np.logaddexp(0, eta)).sum() + 0.5 * offset @ precision @ offset
    return gradient + precision @ offset, curvature, float(value)
