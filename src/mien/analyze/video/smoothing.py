"""Answers over time: each frame counts as much as it can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mien.types import Float32, Float64

REACH = 3.0
"""The kernel ends at this many widths."""


def smooth(
    times: Float64, probabilities: npt.NDArray[np.floating[Any]], authenticity: npt.NDArray[Any], width: float = 0.3
) -> Float32:
    """Smooth one face's probabilities by a Gaussian in time, weighted by authenticity.

    A frame whose answer is right 9 times in 10 pulls three times as much as one that is right 3 times in 10; time
    stamps need not be even.

    Args:
        times: float64 [N], seconds, not decreasing.
        probabilities: float [N, 8], rows sum to 1; a row of NaN has no answer and counts nothing.
        authenticity: float [N], 0..1; NaN (not calibrated) counts as 1.
        width: standard deviation of the Gaussian in seconds; 0 changes nothing.

    Returns:
        float32 [N, 8], rows sum to 1; NaN where no answer is near.

    Raises:
        ValueError: the lengths differ, or the times decrease.
    """
    n = len(times)
    if len(probabilities) != n or len(authenticity) != n:
        raise ValueError(f"expected {n} rows each, got {len(probabilities)} and {len(authenticity)}")
    if n and np.any(np.diff(times) < 0):
        raise ValueError("expected times that do not decrease")
    if width <= 0 or n == 0:
        return np.asarray(probabilities, np.float32)
    answered = np.isfinite(probabilities).all(axis=1)
    weight = np.where(answered, np.nan_to_num(np.asarray(authenticity, np.float64), nan=1.0), 0.0)
    values = np.where(answered[:, None], probabilities, 0.0)
    out = _kernel_means(times, values, np.where(answered, np.maximum(weight, 1e-6), 0.0), width)
    return np.asarray(out / out.sum(axis=1, keepdims=True), np.float32)


def covered(times: Float64, visible: npt.NDArray[np.bool_], width: float = 0.3) -> npt.NDArray[np.bool_]:
    """Frames of stretches in which a part is hidden: flickering of the frame-by-frame judgement is taken out.

    Args:
        times: float64 [N], seconds, not decreasing.
        visible: bool [N], as judged in each frame.
        width: standard deviation in seconds of the Gaussian whose majority decides.

    Returns:
        bool [N].
    """
    if len(times) == 0:
        return np.zeros(0, bool)
    share = _kernel_means(times, visible[:, None].astype(np.float64), np.ones(len(times)), max(width, 1e-9))
    return np.asarray(share[:, 0] < 0.5)


def _kernel_means(times: Float64, values: Float64, weight: Float64, width: float) -> Float64:
    """Weighted Gaussian means float64 [N, K] of values float64 [N, K]; NaN where all weights are 0."""
    first = np.searchsorted(times, times - REACH * width, "left")
    last = np.searchsorted(times, times + REACH * width, "right")
    out = np.full(values.shape, np.nan)
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        kernel = weight[a:b] * np.exp(-0.5 * ((times[a:b] - times[i]) / width) ** 2)
        if kernel.sum() > 0:
            out[i] = kernel @ values[a:b] / kernel.sum()
    return out
