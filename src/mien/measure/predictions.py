"""PredictionTables of shipped models, kept between calls: one file an area, named by everything that decides it.

They lie in ``mien.jobs.places.predictions()`` and hold logits without the logit bias, so
that a changed bias costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import FaceCache, SelectionName, crops_of
from mien.data.samples import Split
from mien.errors import TableError
from mien.face.spec import CropSpec
from mien.jobs import places
from mien.jobs.files import hash_of, replacing
from mien.trust.fusion import Fusion, fuse
from mien.trust.models import Models, with_bias
from mien.trust.sources import Source
from mien.types import AREAS, EMOTIONS, N_EMOTIONS, Area, Float32


def cached_predict(
    cache: FaceCache,
    models: Models,
    split: Split,
    progress: Callable[[str], None] | None = None,
    folder: Path | None = None,
) -> pd.DataFrame:
    """As ``evaluate.predict``, over all areas of the models, from the kept files where there are any.

    Args:
        cache: the prepared data set.
        models: the networks.
        split: train, validation or test.
        progress: gets one line an area that has to be computed.
        folder: where files are kept; None is the usual place.
    """
    folder = places.predictions() if folder is None else folder
    tables = []
    for area in models.areas:
        entry = models.entry(area)
        key = hash_of([identity_of(cache), entry.sha256, entry.spec.key, entry.flip, split, area.value])
        path = folder / f"{split}-{models.network}-{area.value}-{key}.parquet"
        if not path.is_file():
            table = predict(cache, models, split, (area,), progress, bias=False)
            with replacing(path) as scratch:
                table.to_parquet(scratch, index=False)
        table = pd.read_parquet(path)
        table[list(LOGIT_COLUMNS)] = with_bias(logits_of(table), entry.logit_bias)
        tables.append(table.assign(network=models.network))
    return pd.concat(tables, ignore_index=True)


def identity_of(cache: FaceCache) -> list[object]:
    """Changes when the cache's faces change: its settings, its index, and the size and time of its pictures."""
    canvases = (cache.folder / "canvases.npy").stat()
    labels = pd.util.hash_pandas_object(cache.index[["id", "split", "label"]], index=False).sum()
    return [(cache.folder / "settings.json").read_text(), int(labels), canvases.st_size, canvases.st_mtime_ns]


def by_area(table: pd.DataFrame) -> tuple[dict[Area, Float32], npt.NDArray[np.int64]]:
    """A PredictionTable of one split and network as logits float32 [N, 8] an area, and labels int64 [N].

    Raises:
        TableError: a column is missing, a name is unknown, or the areas do not hold the same samples.
    """
    missing = [c for c in ("sample_id", "area", "label", *LOGIT_COLUMNS) if c not in table]
    if missing:
        raise TableError(f"a PredictionTable needs the columns {', '.join(missing)}, which are missing")
    logits: dict[Area, Float32] = {}
    first: pd.DataFrame | None = None
    known = {area.value: area for area in AREAS}
    for name, rows in table.groupby("area", sort=False):
        if str(name) not in known:
            raise TableError(f"PredictionTable: {name!r} is no area: choose from {', '.join(known)}")
        ordered = rows.sort_values("sample_id", kind="stable")
        if ordered["sample_id"].duplicated().any():
            raise TableError(f"PredictionTable: the area {name} holds a sample twice (several seeds or networks?)")
        if first is None:
            first = ordered
        elif not np.array_equal(first["sample_id"].to_numpy(), ordered["sample_id"].to_numpy()):
            raise TableError(f"PredictionTable: the area {name} does not hold the same samples as the others")
        logits[known[str(name)]] = logits_of(ordered)
    if first is None:
        raise TableError("PredictionTable: it is empty")
    if first["label"].isna().any() or not set(first["label"]) <= _emotion_names():
        unknown = sorted(set(map(str, first["label"])) - _emotion_names())
        raise TableError(f"PredictionTable: unknown labels: {', '.join(unknown)}")
    in_order = {area: logits[area] for area in AREAS if area in logits}
    return in_order, labels_of(first)


def fused_table(table: pd.DataFrame, fusion: Fusion) -> tuple[pd.DataFrame, dict[Area, Source]]:
    """What mien answers where an area of several parts is visible: a PredictionTable of the fused logits.

    Args:
        table: PredictionTable of one split and network, all seven areas.
        fusion: the rules.

    Returns:
        One row a sample and area of several parts, ``network`` is ``fused``; and of each area the name under which its
        answers are calibrated.
    """
    logits, _ = by_area(table)
    one = table[table["area"] == next(iter(logits)).value].sort_values("sample_id", kind="stable")
    tables, sources = [], {}
    for area in (a for a in logits if len(a.parts) > 1):
        fused = fuse(logits, area.parts, fusion)
        rows = one.assign(area=area.value, network="fused")
        rows[list(LOGIT_COLUMNS)] = fused.logits
        tables.append(rows)
        sources[area] = fused.source
    return pd.concat(tables, ignore_index=True), sources


def _emotion_names() -> set[str]:
    return {column.removeprefix("logit_") for column in LOGIT_COLUMNS}


def prior_of(labels: npt.NDArray[np.int64]) -> Float32:
    """Share of each emotion, float32 [8], with one imagined face spread over all so that none is 0."""
    counts = np.bincount(labels, minlength=N_EMOTIONS) + 1 / N_EMOTIONS
    return np.asarray(counts / counts.sum(), np.float32)


def of_networks(table: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """A PredictionTable of several network families, one by one."""
    if "network" not in table:
        raise TableError("a PredictionTable needs the column network, which is missing")
    return {str(name): rows for name, rows in table.groupby("network", sort=False)}


def read_predictions(path: Path) -> pd.DataFrame:
    """A PredictionTable from a Parquet or CSV file.

    Raises:
        TableError: it cannot be read.
    """
    try:
        return pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise TableError(f"{path} is no PredictionTable: {error}") from error


LOGIT_COLUMNS = tuple(f"logit_{emotion.value}" for emotion in EMOTIONS)


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
