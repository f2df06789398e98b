"""Reliability diagrams as tables: of the answers given with confidence c, which share was right? numpy and pandas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien import metrics
from mien.types import EMOTIONS, Float64


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
        share = metrics.wilson(int(right[inside].sum()), int(inside.sum()))
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
        share = metrics.wilson(int(right[chosen].sum()), int(chosen.sum()))
        mean = float(confidence[chosen].mean()) if chosen.any() else float("nan")
        value = share.value if chosen.any() else float("nan")
        error = calibration_error(confidence[chosen], right[chosen], bins)
        rows.append((emotion.value, share.n, mean, value, share.low, share.high, error))
    return pd.DataFrame(rows, columns=["emotion", "n", "confidence", "right", "low", "high", "ece"])
