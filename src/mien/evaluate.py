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

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien import metrics
from mien.areas import cut
from mien.cache import FaceCache, SelectionName
from mien.inference import Models
from mien.types import AREAS, EMOTIONS, Area, CropSpec, Float32, Split, UInt8

LOGIT_COLUMNS = tuple(f"logit_{emotion.value}" for emotion in EMOTIONS)


def crops_of(cache: FaceCache, rows: npt.NDArray[np.int64], area: Area, spec: CropSpec) -> UInt8:
    """uint8 [len(rows), size, size], cut from the cache's frames (about 20 microseconds a crop)."""
    if not len(rows):
        return np.zeros((0, spec.size, spec.size), np.uint8)
    return np.stack([cut(cache.frame(int(row)), area, spec) for row in rows])


def table_of(
    cache: FaceCache, rows: npt.NDArray[np.int64], area: Area, spec: CropSpec, logits: Float32, network: str, seed: int
) -> pd.DataFrame:
    """A PredictionTable of one area from its logits float32 [len(rows), 8]."""
    index = cache.index.iloc[rows]
    table = pd.DataFrame({
        "sample_id": index["id"].to_numpy(), "dataset": index["dataset"].to_numpy(),
        "split": index["split"].to_numpy(), "area": area.value, "spec": spec.key, "network": network, "seed": seed,
        "label": index["label"].to_numpy(),
        "published": index["published"].to_numpy(bool) if "published" in index else True,
        "majority": index["majority"].to_numpy(bool),
    })  # fmt: skip
    table[list(LOGIT_COLUMNS)] = logits.astype(np.float32)
    return table


def predict(
    cache: FaceCache,
    models: Models,
    split: Split,
    areas: Iterable[Area] = AREAS,
    progress: Callable[[str], None] | None = None,
    selection: SelectionName = "published",
    bias: bool = True,
) -> pd.DataFrame:
    """PredictionTable of shipped (ONNX) models on one split of a cache; without their logit bias where it is False."""
    rows = cache.rows(split, selection)
    tables = []
    for area in areas:
        if progress:
            progress(f"{area.words}: {len(rows)} faces")
        spec = models.entry(area).spec
        logits = models.logits(area, crops_of(cache, rows, area, spec), bias=bias)
        tables.append(table_of(cache, rows, area, spec, logits, models.network, -1))
    return pd.concat(tables, ignore_index=True)


def predict_visualisation(
    cache: FaceCache, models: Models, split: Split, selection: SelectionName = "published"
) -> pd.DataFrame:
    """PredictionTable of the visualisation network (whole face) on one split of a cache.

    Raises:
        ModelError: this folder has none.
    """
    rows, spec = cache.rows(split, selection), models.visualisation.spec
    logits, _, _ = models.class_maps(crops_of(cache, rows, Area.WHOLE_FACE, spec))
    return table_of(cache, rows, Area.WHOLE_FACE, spec, logits, "densenet", -1)


def logits_of(table: pd.DataFrame) -> Float32:
    """float32 [N, 8] from a PredictionTable."""
    return table[list(LOGIT_COLUMNS)].to_numpy(np.float32)


def labels_of(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """int64 [N], index of the label in the canonical order."""
    order = {emotion.value: i for i, emotion in enumerate(EMOTIONS)}
    return np.asarray(table["label"].map(order), np.int64)


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
    spread = metrics.softmax(logits) if probabilities is None else probabilities
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
