"""Bootstrap over samples, paired and vectorised. numpy only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mien.types import Float64, Interval


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
