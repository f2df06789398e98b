"""How a network is trained: networks, stages, epochs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from mien.data.samples import Split
from mien.face.spec import CropSpec
from mien.jobs.files import hash_of
from mien.train.augment import PUBLISHED_AUGMENTATION, Augmentation
from mien.types import AREAS, Area


def at_resolution(spec: CropSpec, pixels: int) -> CropSpec:
    """The same crop at another side length (progressive resizing)."""
    return replace(spec, size=pixels)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training; written beside the weights as config.json.

    Attributes:
        network: ``vgg`` (Fig. 1), ``densenet`` (Fig. 2) or ``anyarea``.
        area: the area it learns; ignored by ``anyarea``, which learns all.
        spec: key of the CropSpec.
        stages: (epochs, side in pixels) in order; epochs may be a fraction.
        seed: of the weights, the order and the augmentation.
        batch: images a step.
        optimizer: ``adamw`` (default) or ``adam`` (paper).
        rate: highest learning rate.
        decay: weight decay.
        schedule: ``onecycle``, or ``plateau`` (paper: lowered when the watched accuracy drops).
        hide: probability that a part is blanked (``areas.cut``, hidden) where an area is cut so when something was
            found in front of that part: any of the whole face, the nose between mouth and eyes.
        again: share of ``rate`` from which each later stage of ``onecycle`` starts at least.
        target: ``votes`` (soft labels) or ``label``.
        dropout: before the classifier.
        average: decay of the exponential moving average of the weights; 0 keeps the last weights.
        select_on: ``validation``, or ``test`` (published protocol only: then validation joins training).
        keep: ``last`` epoch or ``best`` on ``select_on``.
        patience: epochs without a new best before stopping; 0 never stops early.
        balance: exponent of inverse class frequency by which training faces are drawn; 0 is as they come.
        limit: at most so many training faces (for tests and quick studies); 0 is all.
        teacher: file of soft targets (float32 [N, 7 or 1, 8] logits) in the runs' folder ``teachers``, or its path;
            empty: none.
        teacher_weight: share of the teacher in the target, 0..1.
        start_from: run whose weights (where name and shape fit) are the start, by its name in the same folder of runs
            or its path, ``RUN@32`` for the end of its stage at 32 pixels; empty: random weights.
    """

    network: NetworkName = "vgg"
    area: str = "whole_face"
    spec: str = field(default_factory=lambda: CropSpec().key)
    stages: tuple[tuple[float, int], ...] = ((8.0, 32), (1.0, 64))
    seed: int = 0
    batch: int = 128
    optimizer: Literal["adamw", "adam"] = "adamw"
    rate: float = 2e-3
    decay: float = 0.05
    schedule: Literal["onecycle", "plateau"] = "onecycle"
    target: Literal["votes", "label"] = "votes"
    dropout: float = 0.3
    average: float = 0.998
    augmentation: Augmentation = field(default_factory=Augmentation)
    select_on: Split = "validation"
    keep: Literal["last", "best"] = "last"
    patience: int = 0
    balance: float = 0.0
    limit: int = 0
    teacher: str = ""
    teacher_weight: float = 0.5
    start_from: str = ""
    again: float = 0.2
    hide: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Inverse of :meth:`to_dict`."""
        values = dict(values)
        values["stages"] = tuple((float(e), int(p)) for e, p in values["stages"])
        values["augmentation"] = Augmentation(**values["augmentation"])
        return cls(**values)

    @property
    def areas(self) -> tuple[Area, ...]:
        """The areas that the finished network answers for."""
        return AREAS if self.network == "anyarea" else (Area(self.area),)

    @property
    def final_spec(self) -> CropSpec:
        """The crops that the finished network takes: its spec at the side length of the last stage."""
        return at_resolution(CropSpec.from_key(self.spec), self.stages[-1][1])

    @property
    def name(self) -> str:
        """Folder name of the run: readable, and different whenever a setting differs.

        Settings at their default do not count, so a setting that is added later renames no earlier run.
        """
        what = self.network if self.network == "anyarea" else f"{self.network}-{self.area}"
        default = TrainConfig().to_dict()
        changed = {key: value for key, value in self.to_dict().items() if value != default[key]}
        return f"{what}-seed{self.seed}-{hash_of(changed)}"


def paper_config(network: NetworkName, area: Area, seed: int, rate: float = 0.05) -> TrainConfig:
    """The published protocol to the letter: Adam at 0.05, labels, flip and crop, selection on the test set."""
    return TrainConfig(
        network=network, area=area.value, seed=seed, stages=((100.0, 64),), optimizer="adam", rate=rate, decay=0.0,
        schedule="plateau", target="label", dropout=0.0, average=0.0, augmentation=PUBLISHED_AUGMENTATION,
        select_on="test", keep="best", patience=10,
    )  # fmt: skip


def epochs_of(stages: tuple[tuple[float, int], ...]) -> list[tuple[float, int]]:
    """(share, side) of every epoch: ((1.5, 32),) -> [(1.0, 32), (0.5, 32)]."""
    plan: list[tuple[float, int]] = []
    for epochs, side in stages:
        whole = math.floor(epochs)
        plan += [(1.0, side)] * whole
        if epochs - whole > 1e-6:
            plan.append((epochs - whole, side))
    return plan


NetworkName = Literal["vgg", "densenet", "anyarea"]

NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)
"""The network of an area (Fig. 1), the visualisation network (Fig. 2), and one network for every area."""
