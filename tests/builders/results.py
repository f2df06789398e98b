"""PredictionTables with a known accuracy, and the Evidence of a study that trained what it is told to have trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mien.data.cache import FaceCache
from mien.data.samples import Split
from mien.face.spec import PUBLISHED_SPEC, STUDY_SPECS
from mien.measure.predictions import LOGIT_COLUMNS, table_of
from mien.study.report import ClassMaps, Evidence
from mien.types import AREAS, EMOTIONS, Area

ACCURACY: dict[Area, float] = dict(zip(AREAS, (0.65, 0.5, 0.45, 0.75, 0.6, 0.8, 0.92), strict=True))
"""Made so that every compound area beats its parts and mouth is the best part."""


def predictions(
    cache: FaceCache,
    split: Split,
    area: Area,
    accuracy: float,
    seed: int,
    spec: str = PUBLISHED_SPEC.key,
    role: str = "areas",
) -> pd.DataFrame:
    """Answers of which about ``accuracy`` are right, the rest spread over the other emotions."""
    rows = cache.rows(split, "any")
    generator = np.random.default_rng([seed, area.position, len(spec)])
    labels = cache.labels[rows]
    said = np.where(generator.random(len(rows)) < accuracy, labels, (labels + generator.integers(1, 8, len(rows))) % 8)
    logits = (3 * np.eye(8)[said] + generator.normal(0, 0.5, (len(rows), 8))).astype(np.float32)
    table = table_of(cache, rows, area, PUBLISHED_SPEC, logits, "vgg", seed)
    run = f"vgg-{area.value}-seed{seed}-{spec}"
    return table.assign(run=run, role=role, trained_spec=spec, side=64, chosen=True)


def evidence(
    folder: Path,
    accuracy: Mapping[Area, float] = ACCURACY,
    seeds: Sequence[int] = (0,),
    specs: Mapping[str, float] | None = None,
    maps: bool = True,
) -> Evidence:
    """What a study of a prepared cache found.

    Args:
        folder: of the cache.
        accuracy: of the area networks that are trained.
        seeds: of each.
        specs: name of a crop spec -> points of accuracy it loses against ``accuracy``; None: nothing trained.
        maps: whether the visualisation network is trained.
    """
    cache = FaceCache.open(folder)
    tables, runs = [], []
    for area in AREAS:
        for seed in seeds:
            for split in ("validation", "test"):
                if area in accuracy:
                    tables.append(predictions(cache, split, area, accuracy[area], seed))  # type: ignore[arg-type]
            runs.append(_run(area, seed, PUBLISHED_SPEC.key, "areas", area in accuracy))
    for name, loss in (specs or {}).items():
        key = STUDY_SPECS[name].key
        for area in accuracy:
            tables.append(predictions(cache, "test", area, accuracy[area] - loss, 0, key, "crops"))
            runs.append(_run(area, 0, key, "crops", True))
    runs.append(_run(Area.WHOLE_FACE, 0, PUBLISHED_SPEC.key, "visualisation", maps) | {"network": "densenet"})
    columns = ["sample_id", "split", "area", "seed", "label", "run", "role", "trained_spec", "side", *LOGIT_COLUMNS]
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in columns}).assign(
        published=True, majority=True, chosen=True
    )
    table = pd.concat(tables, ignore_index=True) if tables else empty
    frame = pd.DataFrame(runs)
    curves = [{"run": run, "epoch": e, "side": 32, "validation_accuracy": 0.3 + 0.1 * e, "seconds": 5.0}
              for run in frame.loc[frame["finished"], "run"] for e in (1, 2)]  # fmt: skip
    found = class_maps(cache) if maps else None
    points = None if found is None else np.random.default_rng(0).normal(size=(len(found.rows), 2)).astype(np.float32)
    return Evidence(
        "drawn", cache, frame, table, pd.DataFrame(curves, columns=[*curves[0]] if curves else ["run"]), found, points
    )


def _run(area: Area, seed: int, spec: str, role: str, finished: bool) -> dict[str, object]:
    return {
        "run": f"vgg-{area.value}-seed{seed}-{spec}" if role != "visualisation" else "densenet-whole_face-seed0",
        "role": role, "network": "vgg", "area": area.value, "spec": spec, "seed": seed, "stages": "2 × 32 px",
        "finished": finished, "epochs": 2 * finished, "epochs_planned": 2, "core_seconds": 10.0 * finished,
    }  # fmt: skip


def class_maps(cache: FaceCache, spots: Mapping[str, Sequence[int]] | None = None) -> ClassMaps:
    """Class maps that light one landmark group up: the mouth for everyone, unless ``spots`` says which by emotion."""
    from mien.study.report.canonical import crop_landmarks

    rows, generator = cache.rows("test"), np.random.default_rng(0)
    labels = cache.labels[rows]
    points = crop_landmarks(np.asarray(cache.landmarks[rows]), PUBLISHED_SPEC)
    maps = generator.uniform(0, 0.02, (len(rows), 8, 16, 16)).astype(np.float32)
    for i, label in enumerate(labels):
        for landmark in (spots or {}).get(EMOTIONS[label].value, range(48, 60)):
            x, y = np.clip(np.round((points[i, landmark] + 0.5) / 4 - 0.5).astype(int), 0, 15)
            maps[i, label, y, x] += 1.0
    logits = (4 * np.eye(8)[labels] + generator.normal(0, 0.3, (len(rows), 8))).astype(np.float32)
    features = (np.eye(8)[labels] + generator.normal(0, 0.1, (len(rows), 8))).astype(np.float32)
    return ClassMaps(rows, logits, maps, features, PUBLISHED_SPEC, maps[0])
