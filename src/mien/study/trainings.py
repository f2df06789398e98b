"""Finished trainings of one data set: where they lie, who may train them, and their predictions kept beside them.

A run's folder (see ``mien.train.loop``) also gets::

    predictions-KEY.parquet   PredictionTable of validation and test; KEY changes with the weights and the cache
    classmaps-KEY.npz         visualisation network only: logits, class maps and GAP features of the test faces

Beside the folder lies ``NAME.lock``, held by the process that trains it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from mien.data import Dataset
from mien.data.cache import FaceCache, crops_of
from mien.data.samples import Split
from mien.errors import DatasetError
from mien.face.crops import cut
from mien.jobs.files import hash_of, replace_json, replacing
from mien.jobs.lock import claimed
from mien.measure.predictions import table_of
from mien.study.report.faces import sample_face
from mien.study.report.inputs import ClassMaps
from mien.train.batches import part_bits
from mien.train.config import TrainConfig
from mien.train.loop import train
from mien.train.networks import DenseNetBC, predict
from mien.train.runs import load, stages_kept, watched_accuracy, within
from mien.types import Area, Float32

PREDICTED_SPLITS: tuple[Split, ...] = ("validation", "test")

MAIN_DATASET = "ferplus"
"""Its trainings lie in the runs folder itself, where the shipped models' trainings lie too."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """One data set of the study.

    Attributes:
        name: ``ferplus``, ``rafdb``, ``expw`` or the user's own.
        faces: id, split, label, published: one row a face.
        runs: folder of its trainings.
        prepared: its cache; None while it is only planned.
    """

    name: str
    faces: pd.DataFrame
    runs: Path
    prepared: FaceCache | None = None

    @classmethod
    def of_cache(cls, cache: FaceCache, runs: Path) -> DataSet:
        """A prepared data set; its folder of trainings is found or begun."""
        faces = faces_of(cache.index)
        name = str(cache.index["dataset"].iloc[0])
        folder = runs_folder(name, faces, runs)
        if _mark_of(folder) is None:
            mark = {"dataset": name, "faces": faces_hash(faces), "cache": str(cache.folder)}
            replace_json(folder / "data.json", mark)
        return cls(name, faces, folder, cache)

    @classmethod
    def of_samples(cls, dataset: Dataset, runs: Path) -> DataSet:
        """A data set that was read but not prepared: enough to plan with."""
        rows = [(s.id, s.split, s.label.value, s.published) for s in dataset.samples]
        faces = pd.DataFrame(rows, columns=["id", "split", "label", "published"])
        return cls(dataset.name, faces, runs_folder(dataset.name, faces, runs))

    @property
    def cache(self) -> FaceCache:
        """Its cache.

        Raises:
            DatasetError: it is not prepared yet.
        """
        if self.prepared is None:
            raise DatasetError(f"{self.name} is not prepared yet (mien data prepare)")
        return self.prepared

    @cached_property
    def key(self) -> str:
        """Changes with the faces, their labels and splits, and the way they were detected."""
        settings = (self.cache.folder / "settings.json").read_text()
        return hash_of([faces_hash(self.faces), settings])

    def count(self, *splits: Split, selection: str = "published") -> int:
        """Faces in these splits; of ``any`` selection or of the published one."""
        chosen = self.faces["split"].isin(splits)
        return int((chosen if selection == "any" else chosen & self.faces["published"]).sum())

    def training_faces(self, config: TrainConfig) -> int:
        """Faces that a training sees in one epoch."""
        faces = self.count("train") if config.select_on == "validation" else self.count("train", "validation")
        return min(faces, config.limit) if config.limit else faces

    def folder(self, config: TrainConfig) -> Path:
        """Folder of a run."""
        return self.runs / config.name

    def finished(self, config: TrainConfig) -> bool:
        """True when the run's weights are there."""
        return (self.folder(config) / "model.safetensors").is_file()

    def predictions_file(self, config: TrainConfig) -> Path:
        """Where the predictions of a run lie or will lie."""
        return self.folder(config) / f"predictions-{self._weights_key(config)}.parquet"

    def class_maps_file(self, config: TrainConfig) -> Path:
        """Where the class maps of a visualisation run lie or will lie."""
        return self.folder(config) / f"classmaps-{self._weights_key(config)}.npz"

    def _weights_key(self, config: TrainConfig) -> str:
        weights = self.folder(config) / "model.safetensors"
        if not weights.is_file():
            return "untrained"
        return hash_of([self.key, _sha256(weights, weights.stat().st_mtime_ns), "every stage"])


def faces_of(index: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``DataSet.faces`` out of a cache's index."""
    published = index["published"].to_numpy(bool) if "published" in index else True
    return index[["id", "split", "label"]].assign(published=published)


def faces_hash(faces: pd.DataFrame) -> str:
    """Twelve digits that change with the published selection's faces, their labels or their splits."""
    table = faces.loc[faces["published"], ["id", "split", "label"]].sort_values("id")
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()[:12]


def runs_folder(name: str, faces: pd.DataFrame, runs: Path) -> Path:
    """Where the trainings of these faces lie. A folder belongs to one set of faces: ``data.json`` in it says which."""
    mark = faces_hash(faces)
    folder = runs if name == MAIN_DATASET else runs / name
    return folder if _mark_of(folder) in (None, mark) else runs / f"{name}-{mark}"


def _mark_of(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / "data.json").read_text())["faces"])
    except (OSError, ValueError, KeyError):
        return None


_digests: dict[tuple[Path, int], str] = {}


def _sha256(file: Path, changed: int) -> str:
    if (file, changed) not in _digests:
        with file.open("rb") as stream:
            _digests[file, changed] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _digests[file, changed]


def finish(data: DataSet, config: TrainConfig, progress: Callable[[str], None]) -> bool:
    """Train a run to its end unless it is finished; False when another process is at it, or at what it starts from."""
    if data.finished(config):
        return True
    start = within(data.runs, config.start_from.partition("@")[0])
    if config.start_from and not (start / "model.safetensors").is_file():
        return False
    folder = data.folder(config)
    with claimed(folder.with_name(f"{folder.name}.lock")) as mine:
        if mine:
            train(data.cache, config, data.runs, progress)
        return mine


def write_predictions(data: DataSet, config: TrainConfig) -> None:
    """PredictionTable of validation and test at the end of every stage; plain, without mirror images.

    Every area that the network answers for, faces of both selections. Of the any-area network, which only compares
    crops, the chosen stage on test: the rest would be most of the work and is shown nowhere. The published test
    protocol is one centre crop. In the precision of training. Two more columns: ``side``, pixels of the stage;
    ``chosen``, True for the stage that was best on the watched split (of equals the last), which is the one that is
    reported.
    """
    stages, tables = stages_kept(data.folder(config)), []
    best = max(reversed(stages), key=watched_accuracy)
    wanted = product(stages, PREDICTED_SPLITS, config.areas)
    if config.network == "anyarea":
        wanted = product([best], PREDICTED_SPLITS[-1:], config.areas)
    for trained, split, area in wanted:
        rows, spec = data.cache.rows(split, "any"), trained.config.final_spec
        crops = torch.from_numpy(crops_of(data.cache, rows, area, spec))
        parts = part_bits([area]).expand(len(rows), 3)
        logits = predict(trained.network, crops, parts).numpy() if len(rows) else np.zeros((0, 8), np.float32)
        table = table_of(data.cache, rows, area, spec, logits, config.network, config.seed)
        tables.append(table.assign(side=spec.size, chosen=trained is best))
    with replacing(data.predictions_file(config)) as scratch:
        pd.concat(tables, ignore_index=True).to_parquet(scratch, index=False)


def write_class_maps(data: DataSet, config: TrainConfig) -> None:
    """Logits [N, 8], class maps [N, 8, S/4, S/4] and GAP features [N, K] of the test faces; the sample photo's maps.

    Kept as float16.
    """
    rows, spec, area = data.cache.rows("test"), config.final_spec, Area(config.area)
    photo = cut(sample_face().canvas, area, spec)[None]
    network = load(data.folder(config)).network
    logits, maps, features = class_maps_of(network, np.concatenate([crops_of(data.cache, rows, area, spec), photo]))
    arrays = {"logits": logits[:-1], "maps": maps[:-1], "features": features[:-1], "photo": maps[-1]}
    with replacing(data.class_maps_file(config)) as scratch:
        np.savez(scratch, **{name: array.astype(np.float16) for name, array in arrays.items()})


def read_class_maps(data: DataSet, config: TrainConfig) -> ClassMaps:
    """What :func:`write_class_maps` wrote."""
    with np.load(data.class_maps_file(config)) as kept:
        found = {name: kept[name].astype(np.float32) for name in ("logits", "maps", "features", "photo")}
    return ClassMaps(
        data.cache.rows("test"), found["logits"], found["maps"], found["features"], config.final_spec, found["photo"]
    )


def class_maps_of(network: nn.Module, crops: Any, batch: int = 128) -> tuple[Float32, Float32, Float32]:
    """Logits, class maps and GAP features (float32) of a DenseNet on crops uint8 [N, S, S]."""
    if not isinstance(network, DenseNetBC):
        raise ValueError("class maps come from the visualisation network (densenet)")
    pieces = []
    with torch.no_grad():
        for start in range(0, len(crops), batch):
            pieces.append(network(torch.from_numpy(crops[start : start + batch])))
    logits, maps, features = (torch.cat(column).numpy() for column in zip(*pieces, strict=True))
    return logits, maps, features
