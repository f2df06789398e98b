"""Fits what turns logits into probabilities: temperatures, isotonic maps, thresholds of prediction sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from sklearn.isotonic import IsotonicRegression

from mien.measure import metrics
from mien.trust.authenticity import softmax
from mien.types import N_EMOTIONS, Float32, Float64

Labels = npt.NDArray[np.int64]

Calibrator = Callable[[Float32], Float64]
"""Logits [N, 8] -> probabilities [N, 8]."""

KEEPING = ("temperature", "temperature_by_emotion")
"""Methods that never change the most probable emotion: one of them is shipped."""

METHODS = ("none", *KEEPING, "vector", "isotonic")

COVERAGES = np.round(np.concatenate([np.arange(0.5, 0.995, 0.01), [0.995]]), 3)

_TEMPERATURE_SPREAD = 0.3


def folds_of(labels: Labels, folds: int = 5, seed: int = 0) -> npt.NDArray[np.int64]:
    """int64 [N], fold of each sample, stratified by label."""
    generator, fold = np.random.default_rng(seed), np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        fold[members] = (np.arange(len(members)) + int(generator.integers(folds))) % folds
    return fold


def fit_temperature(logits: Float32, labels: Labels) -> float:
    """The temperature with the lowest log loss (Guo et al. 2017)."""
    return float(np.exp(_log_temperature(logits, labels, 0.0, 1e6)))


def _log_temperature(logits: Float32, labels: Labels, centre: float, spread: float) -> float:
    def loss(log_t: float) -> float:
        p = softmax(logits / np.exp(log_t))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(p, 1e-12)).sum() + 0.5 * ((log_t - centre) / spread) ** 2)

    return float(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded", options={"xatol": 1e-4}).x)


def fit_temperatures(logits: Float32, labels: Labels) -> Float64:
    """A temperature for each emotion said, float64 [8], shrunk towards the common one."""
    common = _log_temperature(logits, labels, 0.0, 1e6)
    said, out = logits.argmax(axis=1), np.full(N_EMOTIONS, common)
    for emotion in np.unique(said):
        rows = said == emotion
        out[emotion] = _log_temperature(logits[rows], labels[rows], common, _TEMPERATURE_SPREAD)
    return np.asarray(np.exp(out), np.float64)


def fit_vector(logits: Float32, labels: Labels) -> tuple[Float64, Float64]:
    """Scale and shift of every logit, each float64 [8], with a weak pull to 1 and 0."""
    target = np.eye(N_EMOTIONS)[labels]

    def loss(theta: Float64) -> tuple[float, Float64]:
        scale, shift = theta[:N_EMOTIONS], theta[N_EMOTIONS:]
        p = softmax(logits * scale + shift)
        away = p - target
        pull = theta - np.repeat([1.0, 0.0], N_EMOTIONS)
        gradient = np.concatenate([(away * logits).sum(axis=0), away.sum(axis=0)])
        value = -np.log(np.maximum(p[np.arange(len(labels)), labels], 1e-12)).sum() + 0.5 * pull @ pull
        return float(value), gradient + pull

    theta = minimize(loss, np.repeat([1.0, 0.0], N_EMOTIONS), jac=True, method="L-BFGS-B").x
    return theta[:N_EMOTIONS], theta[N_EMOTIONS:]


def _fit_isotonic(logits: Float32, labels: Labels) -> Calibrator:
    """One isotonic regression an emotion, against all others, then normalised."""
    raw, curves = softmax(logits), []
    for emotion in range(N_EMOTIONS):
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        curves.append(curve.fit(raw[:, emotion], (labels == emotion).astype(float)))

    def apply(z: Float32) -> Float64:
        q = softmax(z)
        p = np.stack([curve.predict(q[:, i]) for i, curve in enumerate(curves)], axis=1) + 1e-3
        return np.asarray(p / p.sum(axis=1, keepdims=True), np.float64)

    return apply


def temperatures_of(method: str, logits: Float32, labels: Labels) -> Float64:
    """The fitted temperatures float64 [8] of a method that keeps the answer."""
    if method == "none":
        return np.ones(N_EMOTIONS)
    if method == "temperature":
        return np.full(N_EMOTIONS, fit_temperature(logits, labels))
    if method == "temperature_by_emotion":
        return fit_temperatures(logits, labels)
    raise ValueError(f"{method!r} has no temperatures: choose from {', '.join(KEEPING)}")


def fit_calibrator(method: str, logits: Float32, labels: Labels) -> Calibrator:
    """Fit any of ``METHODS``."""
    if method == "vector":
        scale, shift = fit_vector(logits, labels)
        return lambda z: softmax(z * scale + shift)
    if method == "isotonic":
        return _fit_isotonic(logits, labels)
    temperature = temperatures_of(method, logits, labels)
    return lambda z: softmax(z / temperature[z.argmax(axis=1)][:, None])


@dataclass(frozen=True)
class MethodScore:
    """A calibration method in cross-validation on the fitting split.

    Attributes:
        method: one of ``METHODS``.
        log_loss: in nats.
        brier: mean squared distance, 0..2.
        ece: expected calibration error, 15 equal-width bins.
        changed: share of faces whose answer it changes.
        chosen: True for the one that is shipped.
    """

    method: str
    log_loss: float
    brier: float
    ece: float
    changed: float
    chosen: bool = False


def compare_methods(logits: Float32, labels: Labels, folds: int = 5) -> list[MethodScore]:
    """Cross-validate every method, and choose one of ``KEEPING``.

    Chosen is the simplest (earliest) whose log loss is within one standard error, over the same faces, of the lowest.
    """
    fold, scores, losses = folds_of(labels, folds), [], {}
    for method in METHODS:
        p = np.empty((len(labels), N_EMOTIONS))
        for k in range(folds):
            held = fold == k
            p[held] = fit_calibrator(method, logits[~held], labels[~held])(logits[held])
        changed = float((p.argmax(axis=1) != logits.argmax(axis=1)).mean())
        losses[method] = -np.log(np.maximum(p[np.arange(len(labels)), labels], 1e-12))
        log_loss, brier = metrics.log_loss(labels, p), metrics.brier(labels, p)
        scores.append(MethodScore(method, log_loss, brier, metrics.expected_calibration_error(labels, p), changed))
    lowest = min(KEEPING, key=lambda name: losses[name].mean())
    gaps = {name: losses[name] - losses[lowest] for name in KEEPING}
    best = next(n for n, g in gaps.items() if g.mean() <= g.std(ddof=1) / np.sqrt(len(g)))
    return [MethodScore(s.method, s.log_loss, s.brier, s.ece, s.changed, s.method == best) for s in scores]


def fit_thresholds(probabilities: Float64, labels: Labels, coverages: Float64 = COVERAGES) -> Float64:
    """Split conformal: the threshold of each coverage.

    An emotion belongs to the set when its probability reaches the threshold: the k-th smallest probability that the
    right emotion got, k = floor((n + 1) * (1 - coverage)), so that a new face's right emotion is in its set with at
    least that coverage (Sadinle, Lei and Wasserman 2019).

    Args:
        probabilities: calibrated, float64 [N, 8].
        labels: int64 [N].
        coverages: float64 [K].

    Returns:
        float64 [K]; 0 (all emotions) where so few samples cannot promise the coverage.
    """
    own = np.sort(probabilities[np.arange(len(labels)), labels])
    ranks = np.floor((len(labels) + 1) * (1 - coverages) + 1e-9).astype(int)
    return np.where(ranks >= 1, own[np.maximum(ranks - 1, 0)], 0.0)
