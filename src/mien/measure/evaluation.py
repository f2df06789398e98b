"""Crops -> PredictionTable -> metrics with intervals. The narrow waist: everything after it needs no picture.

PredictionTable, one row a sample and area:

=============  ========  ==========================================================
sample_id      str       ``Sample.id``
dataset        str
split          str       train, validation or test
area           str       ``Area`` value
spec           str       ``CropSpec.key``
network        str       vgg, anyarea, densenet
seed           int       of the training; -1 for a shipped or fused model
label          str       ``Emotion`` value
published      bool      kept by the paper's rule
majority       bool      kept by the FER+ authors' majority rule
logit_<emotion>  float32  eight columns in canonical order
=============  ========  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import SelectionName
from mien.measure import metrics
from mien.measure.predictions import labels_of, logits_of
from mien.trust.authenticity import softmax
from mien.types import EMOTIONS, Area, Float32


def summary(table: pd.DataFrame, probabilities: Float32 | None = None) -> dict[str, Any]:
    """Every measure of one area's PredictionTable, for one selection.

    Args:
        table: rows of one area.
        probabilities: [N, 8], calibrated; None takes the softmax of the logits.

    Returns:
        n, accuracy, macro_recall, recall per emotion (each with interval), ece, brier, log_loss, and the confusion
        matrix (rows are labels).
    """
    labels, logits = labels_of(table), logits_of(table)
    spread = softmax(logits) if probabilities is None else probabilities
    said = spread.argmax(axis=1)
    recalls = metrics.recalls(labels, said)
    return {
        "n": len(table),
        "accuracy": metrics.accuracy(labels, said).to_dict(),
        "macro_recall": metrics.macro_recall(labels, said),
        "recall": {e.value: r.to_dict() for e, r in zip(EMOTIONS, recalls, strict=True)},
        "emotions_said": [EMOTIONS[i].value for i in np.unique(said)],
        "ece": metrics.expected_calibration_error(labels, spread),
        "brier": metrics.brier(labels, spread),
        "log_loss": metrics.log_loss(labels, spread),
        "confusion_matrix": metrics.confusion_matrix(labels, said).tolist(),
    }


SELECTIONS: tuple[SelectionName, ...] = ("published", "majority")
"""The paper's rule, and the FER+ authors' majority rule (39 of its test faces are not in the paper's selection)."""

UNREPEATED = "unrepeated"
"""The paper's selection without the faces whose picture, byte for byte, also stands in another split."""


def summaries(
    table: pd.DataFrame,
    calibrate: Callable[[Area, Float32], Float32] | None = None,
    repeated: Collection[str] = (),
) -> dict[str, Any]:
    """:func:`summary` of every area and selection: ``result[area][selection]``.

    Args:
        table: a PredictionTable.
        calibrate: area and logits [N, 8] -> probabilities [N, 8]; None is the plain softmax.
        repeated: ids of samples whose picture also stands in another split; with any, ``unrepeated`` is one more
            selection.
    """
    masks: dict[str, npt.NDArray[np.bool_]] = {selection: table[selection].to_numpy(bool) for selection in SELECTIONS}
    if repeated:
        masks[UNREPEATED] = masks["published"] & ~table["sample_id"].isin(set(repeated)).to_numpy(bool)
    result: dict[str, Any] = {}
    for area in (Area(str(name)) for name in table["area"].unique()):
        result[area.value] = {}
        for selection, mask in masks.items():
            kept = table[mask & (table["area"] == area.value)]
            spread = None if calibrate is None else calibrate(area, logits_of(kept))
            result[area.value][selection] = summary(kept, spread)
    return result
