"""Partial pooling of many small proportions: a hierarchical Beta-Binomial model. Needs scipy (extra ``study``).

How often is source s right when it says emotion e? Some pairs were said a thousand times, some never. The model::

    right_se ~ Binomial(said_se, p_se)
    p_se     ~ Beta(m_se * strength, (1 - m_se) * strength)
    logit m_se = level + source_s + emotion_e

so that a pair that was hardly ever said leans on its source and its emotion and claims neither 0% nor 100%. All have
weak normal priors. The strength is averaged over a grid, by its evidence; for each strength the posterior of level and
effects is approximated by a normal at its mode (Laplace). Their uncertainty is carried into the intervals by drawing.

All sources look at the same faces, so that what they tell of an emotion is not independent. The covariance of level and
effects allows for it (a sandwich with the sources' measured correlation, see :func:`correlation`); a pair's own count,
in which each face occurs once, needs no such care.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, digamma, expit, polygamma
from scipy.stats import binom

from mien.types import N_EMOTIONS, Float64

Counts = npt.NDArray[np.int64]

_PRIOR_SPREAD = {"level": 1.5, "source": 1.0, "emotion": 1.0, "log_strength": 1.2}

_PRIOR_STRENGTH = 10.0

_STRENGTHS = tuple(float(k) for k in np.geomspace(1.0, 1000.0, 13))


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
    generator, grid = np.random.default_rng(seed), [_Conditional.fit(said, right, k) for k in _STRENGTHS]
    log_weight = np.array([c.evidence + _log_prior(c.strength) for c in grid])
    weight = np.exp(log_weight - log_weight.max())
    parts = []
    for conditional, n in zip(grid, generator.multinomial(draws, weight / weight.sum()), strict=True):
        if n:
            root = np.linalg.cholesky(conditional.covariance(shared))
            points = conditional.mode + generator.standard_normal((n, len(conditional.mode))) @ root.T
            mean, k = _means(points, said.shape[0]), conditional.strength
            a, b = np.maximum(right + mean * k, 1e-3), np.maximum(said - right + (1 - mean) * k, 1e-3)
            parts.append(generator.beta(a, b).astype(np.float32))
    return Pooled(np.concatenate(parts), said, right)


def _log_prior(strength: float) -> float:
    return float(-0.5 * (np.log(strength / _PRIOR_STRENGTH) / _PRIOR_SPREAD["log_strength"]) ** 2)


def _means(effects: Float64, sources: int) -> Float64:
    """Level, source and emotion effects [..., 1 + S + E] -> mean [..., S, E]."""
    level, by_source, by_emotion = effects[..., 0], effects[..., 1 : 1 + sources], effects[..., 1 + sources :]
    odds = level[..., None, None] + by_source[..., :, None] + by_emotion[..., None, :]
    return np.asarray(np.clip(expit(odds), 1e-4, 1 - 1e-4), np.float64)


@dataclass(frozen=True, eq=False)
class _Conditional:
    """The posterior of level and effects for one strength: normal around its mode.

    Attributes:
        strength: imagined answers that each pair's mean is worth.
        mode: float64 [1 + S + E].
        information: float64 [S, E], what each pair tells about its logit.
        curvature: float64 [1 + S + E, 1 + S + E], at the mode.
        evidence: log marginal likelihood (Laplace).
    """

    strength: float
    mode: Float64
    information: Float64
    curvature: Float64
    evidence: float

    @classmethod
    def fit(cls, said: Counts, right: Counts, strength: float) -> _Conditional:
        """Newton's method."""
        design, precision = _design(*said.shape), _precision(*said.shape)
        mode = np.zeros(len(precision))
        for _ in range(40):
            _, by_logit, information = _scores(_means(mode, len(said)), said, right, strength)
            curvature = design.T @ (information.ravel()[:, None] * design) + np.diag(precision)
            step = np.linalg.solve(curvature, design.T @ by_logit.ravel() - precision * mode)
            mode = mode + step * min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))
            if np.abs(step).max() < 1e-6:
                break
        likelihood, _, information = _scores(_means(mode, len(said)), said, right, strength)
        curvature = design.T @ (information.ravel()[:, None] * design) + np.diag(precision)
        spread = float(np.linalg.slogdet(curvature)[1] - np.log(precision).sum())
        evidence = likelihood - 0.5 * float(precision @ mode**2) - 0.5 * spread
        return cls(strength, mode, information, curvature, evidence)

    def covariance(self, shared: float) -> Float64:
        """Covariance of level and effects; the sources' correlation adds to it: curvature^-1 extra curvature^-1."""
        inverse = np.linalg.inv(self.curvature)
        sources, emotions = self.information.shape
        root, design = np.sqrt(self.information), _design(sources, emotions).reshape(sources, emotions, -1)
        extra = np.zeros_like(inverse)
        for emotion in range(emotions):
            block = shared * np.outer(root[:, emotion], root[:, emotion]) * (1 - np.eye(sources))
            extra += design[:, emotion].T @ block @ design[:, emotion]
        values, vectors = np.linalg.eigh(extra)
        extra = (vectors * np.maximum(values, 0)) @ vectors.T
        out = inverse + inverse @ extra @ inverse
        return np.asarray((out + out.T) / 2, np.float64)


def _design(sources: int, emotions: int) -> Float64:
    """float64 [S * E, 1 + S + E]: which effects make each pair's logit."""
    pairs = [(s, e) for s in range(sources) for e in range(emotions)]
    design = np.zeros((len(pairs), 1 + sources + emotions))
    for row, (s, e) in enumerate(pairs):
        design[row, [0, 1 + s, 1 + sources + e]] = 1
    return design


def _precision(sources: int, emotions: int) -> Float64:
    """Prior precision of level and effects, float64 [1 + S + E]."""
    kinds = ["level"] + ["source"] * sources + ["emotion"] * emotions
    return np.array([_PRIOR_SPREAD[kind] ** -2 for kind in kinds])


def _scores(m: Float64, said: Counts, right: Counts, k: float) -> tuple[float, Float64, Float64]:
    """Of every pair's Beta-Binomial: log likelihood (sum), its derivative by the pair's logit, and minus the second."""
    a, b, slope = m * k, (1 - m) * k, k * m * (1 - m)
    likelihood = betaln(right + a, said - right + b) - betaln(a, b)
    by_mean = digamma(right + a) - digamma(a) - digamma(said - right + b) + digamma(b)
    bend = polygamma(1, right + a) - polygamma(1, a) + polygamma(1, said - right + b) - polygamma(1, b)
    information = -(bend * slope**2 + by_mean * slope * (1 - 2 * m))
    return float(likelihood.sum()), np.asarray(by_mean * slope, np.float64), np.maximum(information, 0.0)
