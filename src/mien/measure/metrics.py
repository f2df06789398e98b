"""Measures of a classifier and their intervals, on plain arrays. Labels and predictions are emotion positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.trust.authenticity import Z95, Probabilities
from mien.types import EMOTIONS, N_EMOTIONS, Float64, Interval

Labels = npt.NDArray[np.int64]

CALIBRATION_BINS = 15


def wilson(right: float, n: int) -> Interval:
    """Wilson's 95% interval of a proportion; 0 of 0 is (0, 0, 1). ``right`` may be a mean over trainings."""
    if n == 0:
        return Interval(0.0, 0.0, 1.0, 0)
    share = right / n
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return Interval(share, float(min(share, max(0.0, middle - half))), float(max(share, min(1.0, middle + half))), n)


def accuracy(labels: Labels, predicted: Labels) -> Interval:
    """Share of right predictions, Wilson interval."""
    return wilson(int((labels == predicted).sum()), len(labels))


def confusion_matrix(labels: Labels, predicted: Labels) -> npt.NDArray[np.int64]:
    """int64 [8, 8]: rows are labels, columns predictions."""
    matrix = np.bincount(labels * N_EMOTIONS + predicted, minlength=N_EMOTIONS**2)
    return np.asarray(matrix.reshape(N_EMOTIONS, N_EMOTIONS), np.int64)


def recalls(labels: Labels, predicted: Labels) -> list[Interval]:
    """Recall of each of the eight emotions, Wilson intervals; n is the number of faces with that label."""
    matrix = confusion_matrix(labels, predicted)
    return [wilson(int(matrix[i, i]), int(matrix[i].sum())) for i in range(N_EMOTIONS)]


def macro_recall(labels: Labels, predicted: Labels) -> float:
    """Mean recall over the emotions that occur among the labels."""
    matrix = confusion_matrix(labels, predicted)
    counts = matrix.sum(axis=1)
    return float(np.mean(np.diag(matrix)[counts > 0] / counts[counts > 0])) if counts.any() else 0.0


def expected_calibration_error(labels: Labels, probabilities: Probabilities, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error of the top answer, equal-width bins of confidence over 0..1.

    Args:
        labels: int64 [N].
        probabilities: [N, C], rows sum to 1.
        bins: number of bins.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    weight = np.bincount(place, minlength=bins)
    sums = np.bincount(place, confidence, bins) - np.bincount(place, right, bins)
    return float(np.abs(sums[weight > 0]).sum() / max(1, len(labels)))


def brier(labels: Labels, probabilities: Probabilities) -> float:
    """Mean squared distance of the probability rows from the one-hot labels (0 is perfect, 2 the worst)."""
    target = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - target).sum(axis=1).mean())


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Mean negative natural logarithm of the probability of the right emotion, in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def bootstrap(
    n: int, statistic: Callable[[npt.NDArray[np.int64]], float], draws: int = 1000, seed: int = 0
) -> Interval:
    """Percentile bootstrap over n samples.

    Args:
        n: number of samples.
        statistic: gets row numbers int64 [n] (drawn with replacement; first of all ``arange(n)``), gives a number.
        draws: resamples.
        seed: of the draws; the same seed resamples the same rows, so differences are paired.
    """
    value = statistic(np.arange(n))
    generator = np.random.default_rng(seed)
    drawn = [statistic(generator.integers(0, n, n)) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value), n)


def paired_difference(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_], draws: int = 2000) -> Interval:
    """Accuracy of a minus accuracy of b on the same samples, paired bootstrap interval."""
    difference = right_a.astype(np.float64) - right_b.astype(np.float64)
    counts = np.array([(difference == v).sum() for v in (-1.0, 0.0, 1.0)])
    n = int(counts.sum())
    drawn = np.random.default_rng(0).multinomial(n, counts / n, draws) @ np.array([-1.0, 0.0, 1.0]) / n
    value = float(difference.mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value), n)


def bootstrap_weights(n: int, draws: int, seed: int = 0, block: int = 250) -> Iterator[npt.NDArray[np.float32]]:
    """How often each of ``n`` samples is drawn in each bootstrap replicate, in blocks of replicates.

    The same seed gives the same replicates, so that quantities computed one after the other stay paired.

    Yields:
        float32 [at most block, n]; every row sums to ``n``.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        chosen = generator.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n).astype(np.float32)


def percentile_interval(value: float, replicates: Float64, n: int) -> Interval:
    """The 95% percentile interval of bootstrap replicates around an estimate.

    Args:
        value: the estimate on all samples.
        replicates: float64 [draws]; NaN (a replicate without the class) is left out.
        n: how many samples it rests on.
    """
    kept = replicates[np.isfinite(replicates)]
    if not len(kept) or not np.isfinite(value):
        raise ValueError("percentile_interval: no finite replicate")
    low, high = np.quantile(kept, [0.025, 0.975])
    return Interval(float(value), float(min(low, value)), float(max(high, value)), n)


def reliability_table(confidence: Float64, right: npt.NDArray[np.bool_], bins: int = 15) -> pd.DataFrame:
    """One row a bin of confidence that holds an answer.

    Args:
        confidence: float64 [N], 0..1.
        right: bool [N].
        bins: of equal width over 0..1.

    Returns:
        Columns bin_low, bin_high, n, confidence (mean), right (share), low, high (Wilson's 95% interval of the share).
    """
    place, rows = _places(confidence, bins), []
    for at in np.unique(place):
        inside = place == at
        share = wilson(int(right[inside].sum()), int(inside.sum()))
        mean = float(confidence[inside].mean())
        rows.append((at / bins, (at + 1) / bins, share.n, mean, share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["bin_low", "bin_high", "n", "confidence", "right", "low", "high"])


def calibration_error(confidence: Float64, right: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error of any confidence: mean over answers of |confidence - share right| of their bin.

    Args:
        confidence: float64 [N], 0..1.
        right: bool [N].
        bins: of equal width over 0..1.
    """
    if not len(confidence):
        return float("nan")
    gaps = np.bincount(_places(confidence, bins), confidence - right, bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _places(confidence: Float64, bins: int) -> npt.NDArray[np.int64]:
    return np.clip((confidence * bins).astype(np.int64), 0, bins - 1)


def by_emotion(
    said: npt.NDArray[np.int64], confidence: Float64, right: npt.NDArray[np.bool_], bins: int = 15
) -> pd.DataFrame:
    """Calibration of the answers that say each emotion.

    Returns:
        Columns emotion, n, confidence (mean), right (share), low, high, ece; emotions never said have n = 0.
    """
    rows = []
    for index, emotion in enumerate(EMOTIONS):
        chosen = said == index
        share = wilson(int(right[chosen].sum()), int(chosen.sum()))
        mean = float(confidence[chosen].mean()) if chosen.any() else float("nan")
        value = share.value if chosen.any() else float("nan")
        error = calibration_error(confidence[chosen], right[chosen], bins)
        rows.append((emotion.value, share.n, mean, value, share.low, share.high, error))
    return pd.DataFrame(rows, columns=["emotion", "n", "confidence", "right", "low", "high", "ece"])
