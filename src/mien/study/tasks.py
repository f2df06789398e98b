"""The study's steps for one data set: train, predict, class maps."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mien.jobs.steps import Say, Step
from mien.study.cost import Speeds, epochs_done
from mien.study.plan import PlannedRun
from mien.study.trainings import DataSet, finish, write_class_maps, write_predictions
from mien.train.config import TrainConfig, epochs_of


def steps_of(data: DataSet, runs: Sequence[PlannedRun], speeds: Speeds, train: bool) -> list[Step]:
    """Every step of every training, each right after the training it needs.

    Args:
        data: the data set.
        runs: what is planned.
        speeds: of this machine.
        train: False leaves out what is not trained yet.
    """
    steps: list[Step] = []
    for config in dict.fromkeys(run.config for run in runs):
        if train:
            steps.append(training_step(data, config, speeds))
        elif not data.finished(config):
            continue
        steps.append(prediction_step(data, config, speeds))
        if config.network == "densenet":
            steps.append(class_maps_step(data, config, speeds))
    return steps


def seconds_left(data: DataSet, config: TrainConfig, speeds: Speeds) -> float:
    """Expected seconds until a training is finished."""
    if data.finished(config):
        return 0.0
    epochs, faces = epochs_of(config.stages), data.training_faces(config)
    left = epochs[epochs_done(data.folder(config)) :]
    return sum(share * faces / speeds.images[config.network, side] for share, side in left)


def training_step(data: DataSet, config: TrainConfig, speeds: Speeds) -> Step:
    """One training."""

    def run(say: Say) -> bool:
        return finish(data, config, lambda line: say(_epoch(line)))

    return Step(
        f"train {data.name} {config.name}", lambda: (data.folder(config) / "model.safetensors",), run,
        lambda: seconds_left(data, config, speeds),
    )  # fmt: skip


def _epoch(line: str) -> str:
    """``NAME epoch 3/9: {...}`` -> ``epoch 3/9, validation accuracy 61.2%``."""
    head, _, values = line.partition(": ")
    row = json.loads(values)
    watched = next(key for key in row if key.endswith("_accuracy"))
    return f"{head.partition(' ')[2]}, {watched.replace('_', ' ')} {row[watched]:.1%}"


def prediction_step(data: DataSet, config: TrainConfig, speeds: Speeds) -> Step:
    """Predictions of one finished training."""

    def run(say: Say) -> bool:
        if not data.finished(config):
            return False
        say("predicting validation and test")
        write_predictions(data, config)
        return True

    faces = data.count("validation", "test", selection="any")
    return Step(
        f"predict {data.name} {config.name}", lambda: (data.predictions_file(config),), run,
        lambda: speeds.prediction_seconds(config, faces),
    )  # fmt: skip


def class_maps_step(data: DataSet, config: TrainConfig, speeds: Speeds) -> Step:
    """Class maps of one finished visualisation network."""

    def run(say: Say) -> bool:
        if not data.finished(config):
            return False
        say("class maps of the test faces")
        write_class_maps(data, config)
        return True

    faces = data.count("test")
    return Step(
        f"class maps {data.name} {config.name}", lambda: (data.class_maps_file(config),), run,
        lambda: speeds.prediction_seconds(config, faces),
    )  # fmt: skip
