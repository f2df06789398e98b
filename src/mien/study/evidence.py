"""Finished trainings of a data set -> the report's :class:`Evidence`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.jobs.files import hash_of, replacing
from mien.study.cost import core_seconds_spent, epochs_done
from mien.study.plan import PlannedRun
from mien.study.report import ClassMaps, Evidence
from mien.study.report.feature_figure import embed
from mien.study.trainings import DataSet, read_class_maps
from mien.train.config import TrainConfig, epochs_of
from mien.types import Float32

LEAST_FACES = 8
"""t-SNE of fewer says nothing."""


def evidence_of(data: DataSet, runs: Sequence[PlannedRun], scratch: Path) -> Evidence:
    """Everything the report needs of one data set; slow parts are kept in ``scratch``.

    A training that another process finished since the predictions were made waits for the next report.
    """
    tables = [_table(data, run) for run in runs if data.predictions_file(run.config).is_file()]
    predictions = pd.concat(tables, ignore_index=True) if tables else _no_predictions()
    maps = _class_maps(data, runs)
    return Evidence(
        data.name, data.cache, runs_frame(data, runs), predictions, curves_frame(data, runs), maps,
        None if maps is None else _embedding(maps, scratch),
    )  # fmt: skip


def _table(data: DataSet, run: PlannedRun) -> pd.DataFrame:
    table = pd.read_parquet(data.predictions_file(run.config))
    return table.assign(run=run.config.name, role=run.role, trained_spec=run.config.spec)


def _no_predictions() -> pd.DataFrame:
    words = ("sample_id", "split", "area", "seed", "label", "run", "role", "trained_spec")
    kinds: dict[str, Any] = {**dict.fromkeys(words, object), "published": bool, "majority": bool, "chosen": bool}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def runs_frame(data: DataSet, runs: Sequence[PlannedRun]) -> pd.DataFrame:
    """One row a planned training; the columns of ``Evidence.runs``."""
    rows = []
    for role, config in ((run.role, run.config) for run in runs):
        folder = data.folder(config)
        rows.append({
            "run": config.name, "role": role, "network": config.network, "area": config.area, "spec": config.spec,
            "seed": config.seed, "stages": stages_text(config), "finished": data.finished(config),
            "epochs": epochs_done(folder), "epochs_planned": len(epochs_of(config.stages)),
            "core_seconds": round(core_seconds_spent(folder), 1),
        })  # fmt: skip
    return pd.DataFrame(rows)


def stages_text(config: TrainConfig) -> str:
    """``14 × 32 px, 5 × 48 px, 2 × 64 px``."""
    return ", ".join(f"{epochs:g} × {side} px" for epochs, side in config.stages)


def curves_frame(data: DataSet, runs: Sequence[PlannedRun]) -> pd.DataFrame:
    """curve.csv of every begun training, with its run."""
    names = dict.fromkeys(run.config.name for run in runs)
    files = {name: data.runs / name / "curve.csv" for name in names}
    tables = [pd.read_csv(file).assign(run=name) for name, file in files.items() if file.is_file()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"run": pd.Series(dtype=str)})


def visualisation_of(data: DataSet, runs: Sequence[PlannedRun]) -> TrainConfig | None:
    """Of the finished visualisation trainings the one that ended with the largest crops; the first of equals."""
    finished = [r.config for r in runs if r.role == "visualisation" and data.class_maps_file(r.config).is_file()]
    return max(finished, key=lambda config: config.stages[-1][1]) if finished else None


def _class_maps(data: DataSet, runs: Sequence[PlannedRun]) -> ClassMaps | None:
    config = visualisation_of(data, runs)
    return None if config is None else read_class_maps(data, config)


def _embedding(maps: ClassMaps, scratch: Path) -> Float32 | None:
    """t-SNE, kept by the hash of what it was made from."""
    if len(maps.features) < LEAST_FACES:
        return None
    file = scratch / f"tsne-{hash_of(maps.features.tobytes().hex())}.npy"
    if not file.is_file():
        with replacing(file) as unfinished:
            np.save(unfinished, embed(maps.features))
    found: Float32 = np.load(file)
    return found
