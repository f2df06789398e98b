"""Fits the sources of faces of which something was found hidden (``mien.trust.sources``), partially pooled.

Covered eyes are common among the fitting faces, a nose covered alone is not. So each source has its own temperatures,
vector scaling, judge and thresholds, drawn towards those of all sources together, the more so the fewer its faces:
temperatures and scaling by a penalty, the judge by its hierarchy (``mien.measure.fit.judge``), thresholds by letting
the other sources' faces count as a fixed number of own ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from mien.measure.fit.judge import fit_judge
from mien.measure.fit.probabilities import COVERAGES, Labels
from mien.trust.authenticity import SourceCalibration, softmax
from mien.types import N_EMOTIONS, Float32, Float64

SOURCE_SPREAD = 0.1
"""Expected spread of log temperatures between sources."""

EMOTION_SPREAD = 0.1
"""Expected spread of log temperatures between the emotions one source says."""

VECTOR_SPREAD = 0.2
"""Expected spread of vector scaling's scales and shifts between sources."""

BORROWED = 100.0
"""How many own faces the other sources' faces count as, together, in the thresholds of prediction sets."""


def fit_pieces(
    logits: Float32, labels: Labels, sources: npt.NDArray[np.str_], names: tuple[str, ...], faces: Labels | None = None
) -> dict[str, SourceCalibration]:
    """Calibrate every source of partly hidden faces.

    Args:
        logits: float32 [N, 8].
        labels: int64 [N], position of the right emotion.
        sources: str [N], the source of each answer, as found.
        names: sources to calibrate; one without any face gets what all together say.
        faces: int64 [N], whose face each row shows, where one face was covered in several ways; None takes all as
            different.

    Raises:
        ValueError: there is no row, or a row has a source that is not named.
    """
    if not len(labels) or not set(np.unique(sources)) <= set(names):
        raise ValueError(f"fit_pieces: expected rows of {', '.join(names)}; got {len(labels)} rows")
    centre, common = _log_temperature(logits, labels, 0.0, 1e6), _vector(logits, labels, _plain(), 1.0)
    rows = {name: np.flatnonzero(sources == name) for name in names}
    temperatures = {name: _temperatures(logits[r], labels[r], centre) for name, r in rows.items()}
    vectors = {name: _vector(logits[r], labels[r], common, VECTOR_SPREAD) for name, r in rows.items()}
    p = np.zeros((len(labels), N_EMOTIONS))
    for name, r in rows.items():
        p[r] = _tempered(logits[r], temperatures[name])
    present = [name for name in names if len(rows[name])]
    judge = fit_judge(
        [p[rows[name]] for name in present], [labels[rows[name]] for name in present],
        None if faces is None else [faces[rows[name]] for name in present],
    )  # fmt: skip
    level = _of_all(judge.intercept, judge.covariance, judge.spreads)
    own, out = p[np.arange(len(labels)), labels], {}
    for name in names:
        r = rows[name]
        if name in present:
            i = present.index(name)
            intercept, slope, covariance = judge.intercept[i], float(judge.slope[i]), judge.covariance[i]
        else:
            intercept, slope, covariance = level[0], float(judge.slope.mean()), level[1]
        said = np.bincount(logits[r].argmax(axis=1), minlength=N_EMOTIONS).astype(np.int64)
        thresholds = borrowed_thresholds(own, sources == name)
        vector = vectors[name]
        out[name] = SourceCalibration(
            "pooled_temperature", temperatures[name], intercept, slope, covariance, said, COVERAGES, thresholds,
            vector[:N_EMOTIONS], vector[N_EMOTIONS:],
        )  # fmt: skip
    return out


def borrowed_thresholds(own: Float64, chosen: npt.NDArray[np.bool_], borrowed: float = BORROWED) -> Float64:
    """Thresholds float64 [K] of one source's prediction sets, by coverage (``COVERAGES``).

    Args:
        own: float64 [N], probability that the right emotion of each face got.
        chosen: bool [N], the source's own faces; the others count as ``borrowed`` faces together.
        borrowed: see above.
    """
    others = int((~chosen).sum())
    weights = np.where(chosen, 1.0, borrowed / max(others, 1))
    order = np.argsort(own, kind="stable")
    below, total = np.cumsum(weights[order]), float(weights.sum()) + 1.0
    found = np.searchsorted(below + 1.0, (1 - COVERAGES) * total + 1e-9, side="right")
    return np.where(found > 0, own[order[np.minimum(found, len(own) - 1)]], 0.0)


def _of_all(intercept: Float64, covariance: Float64, spreads: tuple[float, float, float]) -> tuple[Float64, Float64]:
    """Intercepts [8] and covariance [8, 3] of a source of which no face was found: the others' mean, less sure."""
    wider = np.array([spreads[0] ** 2 + spreads[2] ** 2, 0.0, 0.0])
    return intercept.mean(axis=0), covariance.mean(axis=0) + wider


def _tempered(logits: Float32, temperatures: Float64) -> Float64:
    return softmax(logits / temperatures[logits.argmax(axis=1)][:, None])


def _temperatures(logits: Float32, labels: Labels, centre: float) -> Float64:
    """A temperature for each emotion a source says, float64 [8], drawn to the source's and that to all sources'."""
    if not len(labels):
        return np.full(N_EMOTIONS, np.exp(centre))
    own = _log_temperature(logits, labels, centre, SOURCE_SPREAD)
    said, out = logits.argmax(axis=1), np.full(N_EMOTIONS, own)
    for emotion in np.unique(said):
        out[emotion] = _log_temperature(logits[said == emotion], labels[said == emotion], own, EMOTION_SPREAD)
    return np.asarray(np.exp(out), np.float64)


def _log_temperature(logits: Float32, labels: Labels, centre: float, spread: float) -> float:
    def loss(log_t: float) -> float:
        p = softmax(logits / np.exp(log_t))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(p, 1e-12)).sum() + 0.5 * ((log_t - centre) / spread) ** 2)

    return float(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded", options={"xatol": 1e-4}).x)


def _plain() -> Float64:
    return np.repeat([1.0, 0.0], N_EMOTIONS)


def _vector(logits: Float32, labels: Labels, centre: Float64, spread: float) -> Float64:
    """Vector scaling's scales and shifts, float64 [16], drawn to a centre."""
    target = np.eye(N_EMOTIONS)[labels]

    def loss(theta: Float64) -> tuple[float, Float64]:
        p = softmax(logits * theta[:N_EMOTIONS] + theta[N_EMOTIONS:])
        away, pull = p - target, (theta - centre) / spread**2
        value = -np.log(np.maximum(p[np.arange(len(labels)), labels], 1e-12)).sum() + 0.5 * pull @ (theta - centre)
        return float(value), np.concatenate([(away * logits).sum(axis=0), away.sum(axis=0)]) + pull

    return np.asarray(minimize(loss, centre, jac=True, method="L-BFGS-B").x, np.float64)
