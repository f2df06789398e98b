"""Partial pooling of many small proportions: a hierarchical Beta-Binomial model. Needs scipy (extra ``study``).

How often is source s right when it says emotion e? Some pairs were said a thousand times, some never. The model::

    right_se ~ Binomial(said_se, p_se)
    p_se     ~ Beta(m_se * strength, (1 - m_se) * strength)
    logit m_se = level + source_s + emotion_e

so that a pair that was hardly ever said leans on its source and its emotion and claims neither 0% nor 100%. The level,
the effects and the strength have weak normal priors; their joint posterior is approximated at its mode (Laplace), and
their uncertainty is carried into the intervals by drawing from it.

All sources look at the same faces, so that what they tell of an emotion is not independent. The covariance of level and
effects allows for it (a sandwich with the sources' measured correlation, see :func:`correlation`); a pair's own count,
in which each face occurs once, needs no such care.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit
from scipy.stats import binom

from mien.types import N_EMOTIONS, Float64

Counts = npt.NDArray[np.int64]
_PRIOR_SPREAD = {"level": 1.5, "source": 1.0, "emotion": 1.0, "log_strength": 1.0}
_PRIOR_STRENGTH = 10.0


@dataclass(frozen=True, eq=False)
class Pooled:
    """Posterior of every pair's proportion.

    Attributes:
        draws: float32 [draws, S, E], from the posterior of p.
        said: int64 [S, E].
        right: int64 [S, E].
    """

    draws: npt.NDArray[np.float32]
    said: Counts
    right: Counts

    @property
    def mean(self) -> Float64:
        """float64 [S, E], posterior mean."""
        return np.asarray(self.draws.mean(axis=0), np.float64)

    def interval(self) -> tuple[Float64, Float64]:
        """The central 95% of the posterior: low and high, float64 [S, E]."""
        low, high = np.quantile(self.draws, [0.025, 0.975], axis=0)
        return low.astype(np.float64), high.astype(np.float64)

    def predicted_cdf(self, said: Counts, right: Counts) -> tuple[Float64, Float64]:
        """Of new data, P(count < right) and P(count <= right) under the posterior, each float64 [S, E].

        Args:
            said: int64 [S, E], how often each pair was said in the new data.
            right: int64 [S, E], how often it was right there.
        """
        below = np.asarray(binom.cdf(right - 1, said, self.draws), np.float64).mean(axis=0)
        up_to = np.asarray(binom.cdf(right, said, self.draws), np.float64).mean(axis=0)
        return below, up_to


def count(answers: Counts, labels: Counts) -> tuple[Counts, Counts]:
    """How often each source said each emotion, and how often that was right: said and right, int64 [S, 8].

    Args:
        answers: int64 [S, N], emotion said by each source of each face.
        labels: int64 [N].
    """
    said = np.stack([np.bincount(row, minlength=N_EMOTIONS) for row in answers])
    right = np.stack([np.bincount(row[row == labels], minlength=N_EMOTIONS) for row in answers])
    return said.astype(np.int64), right.astype(np.int64)


def correlation(answers: Counts, labels: Counts) -> float:
    """Mean correlation, 0..1, of two sources' being right, over faces of which both say the same.

    Args:
        answers: int64 [S, N].
        labels: int64 [N].
    """
    said, right = count(answers, labels)
    share = (right + 0.5) / (said + 1)
    away = (answers == labels) - np.take_along_axis(share, answers, axis=1)
    norms, mixed = np.sqrt(np.square(away).sum(axis=1)), []
    for i in range(len(answers)):
        for j in range(i):
            same = answers[i] == answers[j]
            mixed.append(float((away[i] * away[j])[same].sum() / max(norms[i] * norms[j], 1e-9)))
    return max(0.0, float(np.mean(mixed))) if mixed else 0.0


def pool(said: Counts, right: Counts, shared: float = 0.0, draws: int = 4000, seed: int = 0) -> Pooled:
    """Fit the model.

    Args:
        said: int64 [S, E], predictions of emotion e from source s.
        right: int64 [S, E], how many of them were right.
        shared: correlation of the sources' being right, 0..1 (see :func:`correlation`).
        draws: from the posterior.
        seed: of the draws.

    Raises:
        ValueError: the shapes differ, or a count is negative or larger than its total.
    """
    if said.shape != right.shape or said.ndim != 2 or (right < 0).any() or (right > said).any():
        raise ValueError(f"pool: expected 0 <= right <= said, both [S, E]; got {list(said.shape)}, {list(right.shape)}")
    sources, emotions = said.shape
    start = np.zeros(2 + sources + emotions)
    start[0], start[1] = 0.3, np.log(_PRIOR_STRENGTH)
    fit = minimize(_loss, start, args=(said, right), jac=True, method="L-BFGS-B")
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky(_covariance(fit.x, said, right, shared))
    points = fit.x + generator.standard_normal((draws, len(start))) @ root.T
    mean, strength = _unpacked(points, sources)
    a = right + mean * strength[:, None, None]
    b = said - right + (1 - mean) * strength[:, None, None]
    return Pooled(generator.beta(np.maximum(a, 1e-3), np.maximum(b, 1e-3)).astype(np.float32), said, right)


def _unpacked(theta: Float64, sources: int) -> tuple[Float64, Float64]:
    """[..., parameters] -> mean [..., S, E] and strength [...]."""
    level, by_source, by_emotion = theta[..., 0], theta[..., 2 : 2 + sources], theta[..., 2 + sources :]
    mean = expit(level[..., None, None] + by_source[..., :, None] + by_emotion[..., None, :])
    return np.clip(mean, 1e-4, 1 - 1e-4), np.exp(np.clip(theta[..., 1], -2, 9))


def _scores(theta: Float64, said: Counts, right: Counts) -> tuple[float, Float64, float]:
    """Log likelihood, its derivative by every pair's logit [S, E], and that by the log strength."""
    m, k = _unpacked(theta, said.shape[0])
    a, b = m * k, (1 - m) * k
    likelihood = betaln(right + a, said - right + b) - betaln(a, b)
    total = digamma(said + k) - digamma(k)
    by_a = digamma(right + a) - digamma(a) - total
    by_b = digamma(said - right + b) - digamma(b) - total
    by_logit = (by_a - by_b) * k * m * (1 - m)
    return float(likelihood.sum()), np.asarray(by_logit, np.float64), float((by_a * a + by_b * b).sum())


def _prior(sources: int, emotions: int) -> tuple[Float64, Float64]:
    """Centre and standard deviation of the prior of every parameter."""
    centre, spread = np.zeros(2 + sources + emotions), np.empty(2 + sources + emotions)
    centre[1] = np.log(_PRIOR_STRENGTH)
    spread[:2] = _PRIOR_SPREAD["level"], _PRIOR_SPREAD["log_strength"]
    spread[2 : 2 + sources], spread[2 + sources :] = _PRIOR_SPREAD["source"], _PRIOR_SPREAD["emotion"]
    return centre, spread


def _loss(theta: Float64, said: Counts, right: Counts) -> tuple[float, Float64]:
    """Negative log posterior and its gradient."""
    likelihood, by_logit, by_strength = _scores(theta, said, right)
    gradient = np.concatenate([[by_logit.sum(), by_strength], by_logit.sum(axis=1), by_logit.sum(axis=0)])
    centre, spread = _prior(*said.shape)
    away = (theta - centre) / spread
    return -likelihood + 0.5 * float(away @ away), -gradient + away / spread


def _covariance(theta: Float64, said: Counts, right: Counts, shared: float) -> Float64:
    """Posterior covariance of the parameters: curvature^-1 (prior + covariance of the scores) curvature^-1."""
    step, n = 1e-4, len(theta)
    rows = []
    for i in range(n):
        shift = np.zeros(n)
        shift[i] = step
        above, below = (_loss(theta + sign * shift, said, right)[1] for sign in (1, -1))
        rows.append((above - below) / (2 * step))
    hessian = np.array(rows)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    inverse = (vectors / np.maximum(values, 0.1)) @ vectors.T
    if shared <= 0:
        return np.asarray(inverse, np.float64)
    extra = inverse @ _shared_scores(theta, said, right, shared) @ inverse
    return np.asarray(inverse + (extra + extra.T) / 2, np.float64)


def _shared_scores(theta: Float64, said: Counts, right: Counts, shared: float) -> Float64:
    """Covariance that the sources' correlation adds to the scores: between pairs of one emotion."""
    sources, emotions = said.shape
    step = np.zeros(len(theta))
    step[0] = 1e-4
    information = (_scores(theta - step, said, right)[1] - _scores(theta + step, said, right)[1]) / 2e-4
    root = np.sqrt(np.maximum(information, 0.0))
    added = np.zeros((len(theta), len(theta)))
    for emotion in range(emotions):
        block = shared * np.outer(root[:, emotion], root[:, emotion]) * (1 - np.eye(sources))
        to = np.zeros((sources, len(theta)))
        to[:, 0], to[:, 2 + sources + emotion] = 1, 1
        to[np.arange(sources), 2 + np.arange(sources)] = 1
        added += to.T @ block @ to
    values, vectors = np.linalg.eigh(added)
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T, np.float64)
