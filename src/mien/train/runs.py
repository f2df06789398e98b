"""Finished and interrupted trainings on disk: stages, checkpoints, loading."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from mien.errors import ModelError
from mien.jobs.files import replace_file
from mien.train.config import TrainConfig, epochs_of
from mien.train.networks import build


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
        """Names of the runs whose mean answer was its teacher (``mien.train.teachers``); empty where it had none."""
        file = self.folder.parent / "teachers" / self.config.teacher
        if not self.config.teacher or not file.with_suffix(".json").is_file():
            return []
        names: list[str] = json.loads(file.with_suffix(".json").read_text())["runs"]
        return names


def keep_command(folder: Path, command: str) -> None:
    """Keep what was typed beside a training, for its card; of one that goes on, the first."""
    if not (folder / "command.txt").is_file():
        replace_file(folder / "command.txt", f"{command}\n")


def command_of(folder: Path | str) -> str:
    """What was typed to make a training; empty where it was made from Python."""
    file = Path(folder).expanduser() / "command.txt"
    return file.read_text().strip() if file.is_file() else ""


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


def within(folder: Path, name: str) -> Path:
    """A name in a folder, or the path that it is."""
    inside = folder / name
    return inside if (folder / name.partition("@")[0]).exists() else Path(name).expanduser()
