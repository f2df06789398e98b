"""Measures of a classifier and their intervals, on plain arrays. Labels and predictions are emotion positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mien.types import N_EMOTIONS, Float64, Interval

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.floating]
Z95 = 1.959963984540054
CALIBRATION_BINS = 15


def softmax(logits: Probabilities) -> Float64:
    """Rows of logits [N, C] -> probabilities float64 [N, C]."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def wilson(right: int, n: int) -> Interval:
    """Wilson's 95% interval of a proportion; 0 of 0 is (0, 0, 1)."""
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
