"""The trust table under another mix of emotions, from the answers that the calibration was fitted on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.measure.metrics import wilson
from mien.trust.authenticity import Calibration
from mien.trust.prior import Prior
from mien.trust.reference import ReferenceAnswers
from mien.trust.sources import Source
from mien.types import AREAS, EMOTIONS, Float64, Interval

IMAGINED = 2.0
"""Answers that what the calibration says itself counts as, beside those counted."""


def trust_under(
    prior: Prior, calibration: Calibration, reference: Mapping[str, ReferenceAnswers], fused: bool = False
) -> pd.DataFrame:
    """Of the answers that say an emotion from an area under a mix, how many are right.

    Fitting faces count as their emotion's new share over its old one. Few faces of an emotion that the mix makes
    frequent give a wide interval.

    Args:
        prior: the mix.
        calibration: of the networks.
        reference: by source, from :func:`mien.trust.reference.read_reference`.
        fused: of the answers fused from all areas within an area.

    Returns:
        Columns emotion, area, p, low, high, n (answers counted), n_right; emotions never said under the mix have n 0
        and the whole interval.
    """
    weights, rows = prior.weights(calibration.prior), []
    for area in AREAS:
        name = Source.of("fused" if fused and Source.of("fused", area) in reference else "area", area)
        if name not in reference:
            continue
        kept = reference[name]
        probabilities, (sure, _, _) = calibration.source(name).under(kept.logits, weights)
        said, own = probabilities.argmax(axis=1), weights[kept.labels]
        for e, emotion in enumerate(EMOTIONS):
            chosen = said == e
            right = chosen & (kept.labels == e)
            share = _share(own[chosen], right[chosen], sure[chosen])
            numbers = [round(v, 4) for v in (share.value, share.low, share.high)]
            rows.append((emotion.value, area.value, *numbers, int(chosen.sum()), int(right.sum())))
    return pd.DataFrame(rows, columns=["emotion", "area", "p", "low", "high", "n", "n_right"])


def _share(weights: Float64, right: npt.NDArray[np.bool_], sure: Float64) -> Interval:
    """Weighted share right, drawn a little to what the calibration says; interval by Kish's number of even answers."""
    if not weights.sum() > 0:
        return Interval(0.5, 0.0, 1.0, 0)
    even = float(weights.sum() ** 2 / np.square(weights).sum())
    counted, believed = np.average(right, weights=weights), np.average(sure, weights=weights)
    n = even + IMAGINED
    value = float((even * counted + IMAGINED * believed) / n)
    exact = wilson(round(value * n), max(round(n), 1))
    return Interval(value, min(value, exact.low), max(value, exact.high), round(even))
