"""One network on one area: resumable from its last epoch, every epoch logged. Needs torch (extra ``train``)."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mien.areas import cut
from mien.augment import PUBLISHED_AUGMENTATION, Augmentation, at_resolution, random_crop
from mien.cache import FaceCache
from mien.errors import ModelError
from mien.fusion import blanked_within
from mien.networks import AnyAreaVGG, DenseNetBC, build
from mien.types import AREAS, PARTS, Area, CropSpec, NetworkName, Part, Split, hash_of

ANY_AREA_WEIGHTS = {
    Area.MOUTH: 0.13, Area.NOSE: 0.11, Area.EYES: 0.13, Area.NOSE_MOUTH: 0.13,
    Area.NOSE_EYES: 0.13, Area.MOUTH_EYES: 0.15, Area.WHOLE_FACE: 0.22,
}  # fmt: skip
"""How often the any-area network sees each area."""

BLANKED_PARTS = {a: tuple(p for p in PARTS if a in blanked_within(frozenset(PARTS) - {p})) for a in AREAS}
"""The parts that may be blanked in a crop of each area, see ``mien.fusion``."""


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


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        folder: holds config.json, curve.csv and model.safetensors.
        config: what made it.
        network: in eval mode, with the kept weights.
        stage: side of the stage at whose end it was taken; 0 is the end of the training.
    """

    folder: Path
    config: TrainConfig
    network: nn.Module
    stage: int = 0

    @property
    def name(self) -> str:
        """Name of the run, ``RUN@32`` where an earlier stage was taken."""
        return f"{self.folder.name}@{self.stage}" if self.stage else self.folder.name

    @property
    def curve(self) -> list[dict[str, str]]:
        """The rows of the run's curve.csv, one an epoch, up to where it was taken; empty where there is none."""
        file = self.folder / "curve.csv"
        rows = list(csv.DictReader(file.read_text().splitlines())) if file.is_file() else []
        return rows[: len(epochs_of(self.config.stages))]

    @property
    def teachers(self) -> list[str]:
        """Names of the runs whose mean answer was its teacher (``mien.distill``); empty where it had none."""
        file = self.folder.parent / "teachers" / self.config.teacher
        if not self.config.teacher or not file.with_suffix(".json").is_file():
            return []
        names: list[str] = json.loads(file.with_suffix(".json").read_text())["runs"]
        return names


def stage_file(side: int) -> str:
    """Where a run keeps its weights at the end of an earlier stage: ``stage-32.safetensors``."""
    return f"stage-{side}.safetensors"


def load_stage(folder: Path | str, side: int) -> Trained:
    """A training as it was at the end of the stage with this side length; as if it had ended there.

    Raises:
        ModelError: the folder holds no such weights.
    """
    folder = Path(folder).expanduser()
    try:
        config = TrainConfig.from_dict(json.loads((folder / "config.json").read_text()))
        sides = [pixels for _, pixels in config.stages]
        stages = config.stages[: sides.index(side) + 1]
        network = build(config.network, config.dropout)
        network.load_state_dict(load_file(folder / stage_file(side)))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no weights of a stage at {side} pixels ({error})") from error
    return Trained(folder, replace(config, stages=stages), network.eval(), side)


def stages_kept(folder: Path | str) -> list[Trained]:
    """A finished training at the end of each of its stages, the last one last.

    Raises:
        ModelError: the training is not finished.
    """
    last, sides = load(folder), []
    for _, side in last.config.stages[:-1]:
        if side not in sides and (last.folder / stage_file(side)).is_file():
            sides.append(side)
    return [*(load_stage(folder, side) for side in sides), last]


def watched_accuracy(trained: Trained) -> float:
    """Accuracy on the watched split at the end of a training, or of the stage where it was taken; from its curve."""
    return float(trained.curve[-1][f"{trained.config.select_on}_accuracy"])


def load(folder: Path | str) -> Trained:
    """A finished training from its run folder; ``FOLDER@32`` is the same at the end of its stage at 32 pixels.

    Raises:
        ModelError: the folder holds no finished training, or no such stage.
    """
    name, mark, side = str(folder).rpartition("@")
    if mark and side.isdigit():
        return load_stage(name, int(side))
    folder = Path(folder).expanduser()
    if not (folder / "model.safetensors").is_file() or not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no finished training (model.safetensors and config.json)")
    config = TrainConfig.from_dict(json.loads((folder / "config.json").read_text()))
    network = build(config.network, config.dropout)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return Trained(folder, config, network.eval())


@dataclass
class _Data:
    """Training faces in memory and the watched split as finished crops, per resolution."""

    cache: FaceCache
    config: TrainConfig
    rows: npt.NDArray[np.int64]
    targets: Tensor
    watched: npt.NDArray[np.int64]
    teacher: npt.NDArray[np.float32] | None = None

    @classmethod
    def load(cls, cache: FaceCache, config: TrainConfig, runs: Path = Path()) -> _Data:
        rows = cache.rows("train")
        if config.select_on == "test":
            rows = np.sort(np.concatenate([rows, cache.rows("validation")]))
        if config.limit:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[: config.limit])
        if config.target == "votes":
            targets = torch.from_numpy(cache.votes.copy())
        else:
            targets = F.one_hot(torch.from_numpy(cache.labels.copy()), 8).float()
        teacher = None
        if config.teacher:
            teacher = np.load(within(runs / "teachers", config.teacher), mmap_mode="r")
        return cls(cache, config, rows, targets, cache.rows(config.select_on), teacher)

    def area_of(self, generator: np.random.Generator) -> Area:
        if self.config.network != "anyarea":
            return Area(self.config.area)
        return AREAS[generator.choice(len(AREAS), p=[ANY_AREA_WEIGHTS[a] for a in AREAS])]

    def order(self, generator: np.random.Generator) -> npt.NDArray[np.int64]:
        if not self.config.balance:
            return generator.permutation(self.rows)
        labels = self.cache.labels[self.rows]
        weights = (np.bincount(labels, minlength=8)[labels] / len(labels)) ** -self.config.balance
        return generator.choice(self.rows, len(self.rows), p=weights / weights.sum())

    def batches(self, epoch: int, side: int, share: float) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Crops uint8 [B, S, S], parts float32 [B, 3], targets float32 [B, 8], of a share of an epoch."""
        generator = np.random.default_rng([self.config.seed, epoch])
        order, spec = self.order(generator), at_resolution(CropSpec.from_key(self.config.spec), side)
        steps = steps_of(len(order), self.config.batch, share)
        for step in range(steps):
            rows = order[step * self.config.batch : (step + 1) * self.config.batch]
            areas = [self.area_of(generator) for _ in rows]
            crops = [
                random_crop(self.cache.frame(row), area, spec, self.config.augmentation, generator, hidden)
                for row, area, hidden in zip(rows, areas, self.hidden(areas, generator), strict=True)
            ]
            targets = self.targets[rows]
            if self.teacher is not None:
                column = [a.position if self.teacher.shape[1] > 1 else 0 for a in areas]
                taught = torch.from_numpy(np.asarray(self.teacher[rows, column])).softmax(dim=1)
                targets = (1 - self.config.teacher_weight) * targets + self.config.teacher_weight * taught
            yield torch.from_numpy(np.stack(crops)), parts_of(areas), targets

    def hidden(self, areas: list[Area], generator: np.random.Generator) -> list[tuple[Part, ...]]:
        """Of every face the part to blank, if any: one that is blanked in this area when mien answers."""
        if not self.config.hide:
            return [()] * len(areas)
        return [
            (parts[int(generator.integers(len(parts)))],) if parts and roll < self.config.hide else ()
            for parts, roll in zip((BLANKED_PARTS[a] for a in areas), generator.random(len(areas)), strict=True)
        ]

    def watched_crops(self, side: int) -> tuple[Tensor, Tensor]:
        spec = at_resolution(CropSpec.from_key(self.config.spec), side)
        areas = self.config.areas
        chosen = [areas[i % len(areas)] for i in range(len(self.watched))]
        crops = [cut(self.cache.frame(r), a, spec) for r, a in zip(self.watched, chosen, strict=True)]
        return torch.from_numpy(np.stack(crops)), parts_of(chosen)


def steps_of(faces: int, batch: int, share: float) -> int:
    """Optimiser steps in a share of an epoch; a last batch of fewer than two faces is left out."""
    return max(1, math.floor(share * (faces / batch if faces >= batch else 1)))


def parts_of(areas: list[Area]) -> Tensor:
    """float32 [N, 3]: 1 where the part (in the order of PARTS) is visible."""
    return torch.tensor([[float(part in area.parts) for part in PARTS] for area in areas])


def epochs_of(stages: tuple[tuple[float, int], ...]) -> list[tuple[float, int]]:
    """(share, side) of every epoch: ((1.5, 32),) -> [(1.0, 32), (0.5, 32)]."""
    plan: list[tuple[float, int]] = []
    for epochs, side in stages:
        whole = math.floor(epochs)
        plan += [(1.0, side)] * whole
        if epochs - whole > 1e-6:
            plan.append((epochs - whole, side))
    return plan


def forward(network: nn.Module, crops: Tensor, parts: Tensor) -> Tensor:
    """Logits float32 [N, 8] of any of the three networks."""
    if isinstance(network, AnyAreaVGG):
        logits = network(crops, parts)
    elif isinstance(network, DenseNetBC):
        logits = network(crops)[0]
    else:
        logits = network(crops)
    return cast(Tensor, logits).float()


def train(
    cache: FaceCache,
    config: TrainConfig,
    runs: Path,
    progress: Callable[[str], None] = print,
    stop_after: int = 0,
) -> Trained:
    """Train one network, or go on from its last finished epoch.

    Args:
        cache: the prepared data set.
        config: what to train.
        runs: the run's folder is made in here, named ``config.name``.
        progress: gets one line an epoch.
        stop_after: stop after so many epochs of this call (0: never); the next call goes on.

    Returns:
        The finished training; where it was finished before, it is only loaded.
    """
    folder = Path(runs).expanduser() / config.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1))
    torch.manual_seed(config.seed)
    network = build(config.network, config.dropout)
    if config.network != "densenet":  # batch norm over the DenseNet's many channels is 1.6 times faster without
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.start_from:
        _start_from(network, within(folder.parent, config.start_from))
    final = folder / "model.safetensors"
    if not final.is_file():
        _Run(_Data.load(cache, config, folder.parent), network, folder, progress).go(stop_after)
    if final.is_file():
        network.load_state_dict(load_file(final))
    return Trained(folder, config, network.eval())


def within(folder: Path, name: str) -> Path:
    """A name in a folder, or the path that it is."""
    inside = folder / name
    return inside if (folder / name.partition("@")[0]).exists() else Path(name).expanduser()


def _start_from(network: nn.Module, run: Path) -> None:
    """Take over the weights of a finished run wherever name and shape fit."""
    own, weights = network.state_dict(), load(run).network.state_dict()
    own.update({key: value for key, value in weights.items() if key in own and own[key].shape == value.shape})
    network.load_state_dict(own)


class _Run:
    """The loop over epochs with its state on disk."""

    def __init__(self, data: _Data, network: nn.Module, folder: Path, progress: Callable[[str], None]) -> None:
        self.data, self.network, self.folder, self.progress = data, network, folder, progress
        self.config = data.config
        self.plan = epochs_of(self.config.stages)
        steps = [steps_of(len(data.rows), self.config.batch, share) for share, _ in self.plan]
        self.stages = _stages_of(self.plan, steps)
        self.done, self.epoch, self.averaged_steps = 0, 0, 0
        kind = torch.optim.AdamW if self.config.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(_groups(network, self.config.decay), lr=self.config.rate, fused=True)
        self.averaged = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.best, self.best_epoch, self.rate = -1.0, -1, self.config.rate
        self.watched: dict[int, tuple[Tensor, Tensor]] = {}
        self.state_file = folder / "last.pt"
        if self.state_file.is_file():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.state_file, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averaged = state["averaged"]
        self.epoch, self.done, self.averaged_steps = state["epoch"], state["done"], state["averaged_steps"]
        self.best, self.best_epoch, self.rate = state["best"], state["best_epoch"], state["rate"]
        self._forget_after(self.epoch)

    def _forget_after(self, epoch: int) -> None:
        """Drop the curve's rows of epochs that a kill undid: their row was written, their state was not."""
        curve = self.folder / "curve.csv"
        lines = curve.read_text().splitlines(keepends=True) if curve.is_file() else []
        if len(lines) > epoch + 1:
            scratch = curve.with_suffix(".tmp")
            scratch.write_text("".join(lines[: epoch + 1]))
            scratch.replace(curve)

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "averaged": self.averaged,
            "epoch": self.epoch, "done": self.done, "averaged_steps": self.averaged_steps,
            "best": self.best, "best_epoch": self.best_epoch,
            "rate": self.rate,
        }  # fmt: skip
        scratch = self.state_file.with_suffix(".tmp")
        torch.save(state, scratch)
        scratch.replace(self.state_file)

    def go(self, stop_after: int) -> None:
        first = self.epoch
        while self.epoch < len(self.plan):
            if stop_after and self.epoch - first >= stop_after:
                return
            if self.config.patience and self.epoch - self.best_epoch > self.config.patience:
                break
            self._one_epoch(*self.plan[self.epoch])
        kept = self.folder / "best.safetensors"
        if self.config.keep == "best" and kept.is_file():
            kept.replace(self.folder / "model.safetensors")
        else:
            self._write_weights(self.folder / "model.safetensors")
        self.state_file.unlink(missing_ok=True)

    def _write_weights(self, path: Path) -> None:
        weights = self.averaged if self.config.average else self.network.state_dict()
        scratch = path.with_suffix(".tmp")
        save_file({k: v.contiguous() for k, v in weights.items()}, scratch)
        scratch.replace(path)

    def _one_epoch(self, share: float, side: int) -> None:
        start, losses = time.monotonic(), []
        torch.manual_seed(hash((self.config.seed, self.epoch)) % 2**31)
        self.network.train()
        for crops, parts, targets in self.data.batches(self.epoch, side, share):
            self._set_rate()
            with torch.autocast("cpu", torch.bfloat16):
                logits = forward(self.network, crops, parts)
            loss = F.cross_entropy(logits.float(), targets)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.done += 1
            self._average()
            losses.append(float(loss.detach()))
        accuracy, log_loss = self._watch(side)
        self.epoch += 1
        if self.epoch < len(self.plan) and self.plan[self.epoch][1] != side:
            self._write_weights(self.folder / stage_file(side))
        self._note(side, share, float(np.mean(losses)), accuracy, log_loss, time.monotonic() - start)
        self._save()

    def _set_rate(self) -> None:
        if self.config.schedule == "onecycle":
            self.rate = self.config.rate * _one_cycle(self.done, self.stages, again=self.config.again)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate

    def _average(self) -> None:
        """Follow the weights; start anew where the side length changes, as batch norm has to learn it afresh."""
        if not self.config.average:
            return
        if self.done - 1 in self.stages[:-1]:
            self.averaged_steps = 0
        decay = min(self.config.average, self.averaged_steps / (9 + self.averaged_steps))
        self.averaged_steps += 1
        for key, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.averaged[key].lerp_(value, 1 - decay)
            else:
                self.averaged[key].copy_(value)

    def _watch(self, side: int) -> tuple[float, float]:
        """Accuracy and log loss on the watched split with the weights that would be kept."""
        if side not in self.watched:
            self.watched = {side: self.data.watched_crops(side)}
        crops, parts = self.watched[side]
        if not len(crops):
            return float("nan"), float("nan")
        own = {k: v.clone() for k, v in self.network.state_dict().items()}
        if self.config.average:
            self.network.load_state_dict(self.averaged)
        logits = predict(self.network, crops, parts)
        self.network.load_state_dict(own)
        labels = torch.from_numpy(self.data.cache.labels[self.data.watched])
        accuracy = float((logits.argmax(1) == labels).float().mean())
        return accuracy, float(F.cross_entropy(logits, labels))

    def _note(self, side: int, share: float, loss: float, accuracy: float, log_loss: float, seconds: float) -> None:
        if self.config.schedule == "plateau" and accuracy < self.best:
            self.rate /= 10
        if accuracy > self.best:
            self.best, self.best_epoch = accuracy, self.epoch
            if self.config.keep == "best":
                self._write_weights(self.folder / "best.safetensors")
        row = {
            "epoch": self.epoch, "side": side, "share": round(share, 3), "loss": round(loss, 4),
            f"{self.config.select_on}_accuracy": round(accuracy, 4),
            f"{self.config.select_on}_log_loss": round(log_loss, 4),
            "rate": f"{self.rate:.2e}", "seconds": round(seconds, 1), "threads": torch.get_num_threads(),
        }  # fmt: skip
        curve = self.folder / "curve.csv"
        new = self.epoch == 1 or not curve.is_file()
        with curve.open("w" if new else "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        self.progress(f"{self.config.name} epoch {self.epoch}/{len(self.plan)}: " + json.dumps(row))


def _stages_of(plan: list[tuple[float, int]], steps: list[int]) -> list[int]:
    """The step at which each stage (a run of epochs of one side length) begins, and the end of the last."""
    starts, total = [], 0
    for place, count in enumerate(steps):
        if place == 0 or plan[place][1] != plan[place - 1][1]:
            starts.append(total)
        total += count
    return [*starts, total]


def _one_cycle(step: int, stages: list[int], rise: float = 0.15, *, again: float) -> float:
    """Share of the highest rate at a step.

    Over the whole training: up in the first ``rise``, then down by a cosine. Each later stage starts from at least
    ``again`` and goes down to the next, so that the last few epochs, at another side length, still learn.
    """
    t = step / max(1, stages[-1])
    overall = 0.04 + 0.96 * t / rise if t < rise else 0.5 * (1 + math.cos(math.pi * (t - rise) / (1 - rise)))
    place = max(i for i, start in enumerate(stages[:-1]) if start <= step)
    if place > 0:
        inside = (step - stages[place]) / max(1, stages[place + 1] - stages[place])
        overall = max(overall, again * 0.5 * (1 + math.cos(math.pi * inside)))
    return max(overall, 1e-3)


def predict(network: nn.Module, crops: Tensor, parts: Tensor, batch: int = 256) -> Tensor:
    """Logits float32 [N, 8] in eval mode, in bf16 autocast."""
    network.eval()
    out = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(crops), batch):
            piece = slice(start, start + batch)
            out.append(forward(network, crops[piece], parts[piece]).float())
    return torch.cat(out)


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and filters, none on norms and biases."""
    heavy = [p for p in network.parameters() if p.ndim > 1]
    light = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": heavy, "weight_decay": decay}, {"params": light, "weight_decay": 0.0}]
