"""What the report is made from: one :class:`Evidence` a data set, and the :class:`Setting` of the whole study."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import FaceCache
from mien.face.spec import CropSpec
from mien.study.report.paper import TITLES
from mien.types import Float32


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """What the visualisation network says of the test faces.

    Attributes:
        rows: int64 [N], rows of the cache.
        logits: float32 [N, 8].
        maps: float32 [N, 8, s, s], class activation maps.
        features: float32 [N, K], after global average pooling.
        spec: of the crops it saw.
        photo: float32 [8, s, s], its class maps of the bundled sample photo.
    """

    rows: npt.NDArray[np.int64]
    logits: Float32
    maps: Float32
    features: Float32
    spec: CropSpec
    photo: Float32


@dataclass(frozen=True, eq=False)
class Evidence:
    """All results of one data set.

    Attributes:
        name: of the data set.
        cache: its faces.
        runs: one row a planned training: run, role, network, area (empty: all seven), spec, seed, stages,
            finished, epochs, epochs_planned, core_seconds.
        predictions: PredictionTables of the finished runs at the end of each stage, with the columns ``run``, ``role``,
            ``side`` (pixels of the stage) and ``chosen`` (the stage that was best on the watched split) added.
        curves: curve.csv of every begun run, with the column ``run`` added.
        class_maps: None until the visualisation network is trained.
        embedding: float32 [N, 2], t-SNE of ``class_maps.features``; None without them.
    """

    name: str
    cache: FaceCache
    runs: pd.DataFrame
    predictions: pd.DataFrame
    curves: pd.DataFrame
    class_maps: ClassMaps | None
    embedding: Float32 | None

    @property
    def title(self) -> str:
        """``FER+`` for ``ferplus``; a data set of the user's own keeps its name."""
        return TITLES.get(self.name, self.name)

    @property
    def faces(self) -> pd.DataFrame:
        """The index rows of the published selection; the cache may hold faces that only the majority rule keeps."""
        index = self.cache.index
        return index[index["published"].to_numpy(bool)] if "published" in index else index

    @property
    def votes(self) -> str:
        """FER+: the file whose votes the labels are from; empty for other data sets."""
        rule = json.loads((self.cache.folder / "settings.json").read_text()).get("rule")
        return f"{rule['votes']}.csv" if isinstance(rule, dict) and "votes" in rule else ""

    def role(self, role: str, split: str = "test", selection: str = "published") -> pd.DataFrame:
        """Predictions of one role on one split, faces of the ``published`` or the ``majority`` selection."""
        return self.every_stage(role, split, selection).query("chosen")

    def every_stage(self, role: str, split: str = "test", selection: str = "published") -> pd.DataFrame:
        """As :meth:`role`, at the end of every stage instead of the chosen one only."""
        table = self.predictions
        return table[(table["role"] == role) & (table["split"] == split) & table[selection].to_numpy(bool)]

    def planned(self, role: str, spec: str) -> bool:
        """True when the preset trains this crop spec for this role."""
        return bool(((self.runs["role"] == role) & (self.runs["spec"] == spec)).any())


@dataclass(frozen=True)
class Setting:
    """How the study was run; printed at the head of the report.

    Attributes:
        preset: its name.
        protocol: one sentence.
        select_on: the split that chose; ``test`` only in the published protocol.
        best_run: report the best of several runs (published protocol) instead of their mean.
        command: what was typed.
        facts: further lines (commit, versions, machine).
        show_faces: pictures of the data set's people may be shown.
        trainings: the configuration of every training.
    """

    preset: str
    protocol: str
    select_on: str
    best_run: bool
    command: str
    facts: dict[str, Any] = field(default_factory=dict)
    show_faces: bool = True
    trainings: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For settings.json."""
        return asdict(self)
