"""Logit adjustment: biases that make a network say rare emotions, chosen on validation. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mien.types import N_EMOTIONS, Float32, Float64

LEAST_SAID = (0.5, 0.25)
"""Every emotion is said at least so often, as a share of how often it is the label; the first that costs nothing."""

FREE = 0.001
"""Accuracy that a share of LEAST_SAID may cost, and still counts as costing nothing."""

_MOST_RAISES = 200

_MARGIN, _IMPATIENCE = 1e-4, 1.05
"""A raised emotion wins its faces by this logit, more with every raise: two that bid for the same faces end it soon."""

_HALVINGS = 6
"""So often less is asked where that does not end it, before nothing is."""


def prior_bias(shares: npt.NDArray[np.floating], strength: float) -> Float64:
    """Logit adjustment (Menon et al. 2021): minus the log share of each emotion, times a strength; mean 0.

    Args:
        shares: [8], above 0.
        strength: 0 (none) to 1 (as if all emotions were equally frequent).
    """
    bias = -strength * np.log(np.asarray(shares, np.float64))
    return np.asarray(bias - bias.mean(), np.float64)


def say_every(
    logits: Float32 | Float64, labels: npt.NDArray[np.int64], shares: Sequence[float] = LEAST_SAID
) -> Float64:
    """The smallest biases with which every emotion that is a label is said, and not too seldom.

    A network that never says contempt is worth little for the question which area tells it. Raising one emotion's bias
    until it is said a few times moves those answers only, where a uniform adjustment moves all.

    Args:
        logits: [N, 8] on validation.
        labels: int64 [N].
        shares: an emotion is said at least so often as this share of the times that it is the label (and once): the
            first share that costs at most ``FREE`` of accuracy, or else the last. Where that cannot be had, half
            of it, and half again.

    Returns:
        float64 [8], 0 for emotions that are said often enough.
    """
    plain = float((logits.argmax(axis=1) == labels).mean())
    halves = [shares[-1] / 2**halving for halving in range(1, _HALVINGS + 1)]
    for place, share in enumerate([*shares, *halves], start=1):
        bias = _raising(logits, labels, share)
        if bias is None:
            continue
        if place >= len(shares) or ((logits + bias).argmax(axis=1) == labels).mean() >= plain - FREE:
            return bias
    return np.zeros(N_EMOTIONS)


def _raising(logits: Float32 | Float64, labels: npt.NDArray[np.int64], least: float) -> Float64 | None:
    """Biases with which every emotion is said often enough, by auction; None if it does not end."""
    bias = np.zeros(N_EMOTIONS)
    counts = np.bincount(labels, minlength=N_EMOTIONS)
    wanted = np.where(counts > 0, np.maximum(1, np.ceil(least * counts)), 0).astype(int)
    rarest_last = np.argsort(-counts, kind="stable")
    for raised in range(_MOST_RAISES):
        adjusted = np.asarray(logits, np.float64) + bias
        said = np.bincount(adjusted.argmax(axis=1), minlength=N_EMOTIONS)
        lacking = [int(e) for e in rarest_last if said[e] < wanted[e]]
        if not lacking:
            return bias
        emotion = lacking[0]
        others = np.delete(adjusted, emotion, axis=1).max(axis=1)
        gap = np.sort(others - adjusted[:, emotion])[wanted[emotion] - 1]
        bias[emotion] += gap + _MARGIN * _IMPATIENCE**raised
    return None
