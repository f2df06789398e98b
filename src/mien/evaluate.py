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
majority       bool      kept by the FER+ authors' majority rule too
logit_<emotion>  float32  eight columns in canonical order
=============  ========  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.areas import cut
from mien.cache import FaceCache
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
        "label": index["label"].to_numpy(), "majority": index["majority"].to_numpy(bool),
    })  # fmt: skip
    table[list(LOGIT_COLUMNS)] = logits.astype(np.float32)
    return table


def predict(
    cache: FaceCache,
    models: Models,
    split: Split,
    areas: Iterable[Area] = AREAS,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """PredictionTable of shipped (ONNX) models on one split of a cache."""
    rows = cache.rows(split)
    tables = []
    for area in areas:
        if progress:
            progress(f"{area.words}: {len(rows)} faces")
        spec = models.entry(area).spec
        logits = models.logits(area, crops_of(cache, rows, area, spec))
        tables.append(table_of(cache, rows, area, spec, logits, models.network, -1))
    return pd.concat(tables, ignore_index=True)


def logits_of(table: pd.DataFrame) -> Float32:
    """float32 [N, 8] from a PredictionTable."""
    return table[list(LOGIT_COLUMNS)].to_numpy(np.float32)


def labels_of(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """int64 [N], index of the label in the canonical order."""
    order = {emotion.value: i for i, emotion in enumerate(EMOTIONS)}
    return np.asarray(table["label"].map(order), np.int64)
