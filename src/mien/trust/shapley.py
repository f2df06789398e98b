"""Exact Shapley values and pairwise interactions of a few players; numpy only.

A coalition of n players is a bit mask, 0 .. 2^n - 1; the last axis of every array of values is indexed by it.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

from mien.types import Float64


def players_of(values: npt.NDArray[np.floating]) -> int:
    """How many players an array of coalition values has.

    Raises:
        ValueError: the last axis is not a power of two.
    """
    n = int(values.shape[-1]).bit_length() - 1
    if values.shape[-1] != 1 << n or n < 1:
        raise ValueError(f"coalition values: expected [..., 2^players], got {list(values.shape)}")
    return n


def shapley(values: npt.NDArray[np.floating]) -> Float64:
    """Shapley value of every player: mean gain from joining, over all orders in which the players can come.

    Args:
        values: [..., 2^n], v of every coalition by its bit mask.

    Returns:
        float64 [..., n]; sums to v(all) - v(none) over the last axis.
    """
    n = players_of(values)
    v = values.astype(np.float64)
    shares = np.zeros((*v.shape[:-1], n))
    for player in range(n):
        for mask in range(1 << n):
            if mask >> player & 1:
                continue
            size = mask.bit_count()
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            shares[..., player] += weight * (v[..., mask | 1 << player] - v[..., mask])
    return shares


def interactions(values: npt.NDArray[np.floating]) -> tuple[list[tuple[int, int]], Float64]:
    """Shapley interaction index (Grabisch and Roubens 1999) of every pair of players.

    Positive: together they give more than both alone (they complement each other). Negative: they tell much the same.

    Args:
        values: as :func:`shapley`.

    Returns:
        The pairs, and float64 [..., pairs].
    """
    n = players_of(values)
    v = values.astype(np.float64)
    pairs = list(combinations(range(n), 2))
    out = np.zeros((*v.shape[:-1], len(pairs)))
    for column, (i, j) in enumerate(pairs):
        both = 1 << i | 1 << j
        for mask in range(1 << n):
            if mask & both:
                continue
            size = mask.bit_count()
            weight = factorial(size) * factorial(n - size - 2) / factorial(n - 1)
            gain = v[..., mask | both] - v[..., mask | 1 << i] - v[..., mask | 1 << j] + v[..., mask]
            out[..., column] += weight * gain
    return pairs, out
