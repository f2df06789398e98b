"""Fit what ``mien.authenticity`` reads. Works on logits and labels alone. Needs scipy and scikit-learn (``study``).

Calibration must not change the answer (the networks' logit bias, which lets them say rare emotions, was chosen on
purpose), so that only methods that keep the most probable emotion can be chosen; the others are measured beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from sklearn.isotonic import IsotonicRegression

from mien import metrics
from mien.authenticity import SourceCalibration, log_odds
from mien.metrics import softmax
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


# --- probabilities ---------------------------------------------------------------------------------------------------


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


# --- the judge -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Judge:
    """P(right | emotion, source, probability of the answer); see ``mien.authenticity``.

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
    def of(cls, probabilities: Sequence[Float64], labels: Labels | Sequence[Labels]) -> _JudgeData:
        said = [p.argmax(axis=1) for p in probabilities]
        pair = np.concatenate([s * N_EMOTIONS + a for s, a in enumerate(said)])
        odds = np.concatenate([log_odds(p.max(axis=1)) for p in probabilities])
        if isinstance(labels, np.ndarray):
            right, face = [a == labels for a in said], np.tile(np.arange(len(labels)), len(said))
        else:
            right, face = [a == own for a, own in zip(said, labels, strict=True)], np.arange(len(pair))
        return cls(len(said), pair, odds, np.concatenate(right).astype(np.float64), face)


def fit_judge(probabilities: Sequence[Float64], labels: Labels | Sequence[Labels]) -> Judge:
    """Hierarchical logistic regression by empirical Bayes.

    log odds of being right = intercept_se + slope_s * log odds of the answer's calibrated probability. Were the
    calibration perfect, every intercept would be 0 and every slope 1: that is where the priors are centred.
    intercept_se = source_s + emotion_e + pair_se, all normal around 0; their spreads maximise the marginal likelihood.

    Args:
        probabilities: calibrated, float64 [N, 8] a source.
        labels: int64 [N], of the same faces for every source; or one array a source, each of other faces.
    """
    data = _JudgeData.of(probabilities, labels)

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


# --- prediction sets -------------------------------------------------------------------------------------------------


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


# --- everything ------------------------------------------------------------------------------------------------------


def fit_sources(
    logits: Mapping[str, Float32], labels: Labels | Mapping[str, Labels], methods: Mapping[str, str]
) -> dict[str, SourceCalibration]:
    """Temperatures, judge and thresholds of every source.

    Args:
        logits: float32 [N, 8] a source; those of fused sources cross-fitted.
        labels: int64 [N], of the same faces in the same order for every source; or one array a source, of other faces.
        methods: the calibration method of each source, one of ``KEEPING``.
    """
    if not logits:
        return {}
    own = {name: labels if isinstance(labels, np.ndarray) else labels[name] for name in logits}
    temperatures = {name: temperatures_of(methods[name], z, own[name]) for name, z in logits.items()}
    p = {name: softmax(z / temperatures[name][z.argmax(axis=1)][:, None]) for name, z in logits.items()}
    judge = fit_judge(list(p.values()), labels if isinstance(labels, np.ndarray) else list(own.values()))
    out = {}
    for row, name in enumerate(logits):
        said = np.bincount(p[name].argmax(axis=1), minlength=N_EMOTIONS).astype(np.int64)
        out[name] = SourceCalibration(
            methods[name], temperatures[name], judge.intercept[row], float(judge.slope[row]), judge.covariance[row],
            said, COVERAGES, fit_thresholds(p[name], own[name]), *fit_vector(logits[name], own[name]),
        )  # fmt: skip
    return out
