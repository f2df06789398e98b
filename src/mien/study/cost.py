"""What a training costs on this machine: from the curves of finished runs, else from a few timed steps."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from mien.data import Dataset, load_gray
from mien.face.detect import detect_one
from mien.study.trainings import DataSet
from mien.train.config import TrainConfig, epochs_of

TIMED_IMAGES = {"vgg": 128, "anyarea": 128, "densenet": 32}
"""Images of one timed step: enough to fill both cores, few enough that the whole timing takes seconds."""
LEAST_SECONDS = 5.0
"""Shorter epochs are mostly start and stop."""


@dataclass
class Speeds:
    """Images a second, by network and side.

    Attributes:
        images: (network, side) -> training images a second.
        source: (network, side) -> where that number comes from, in words.
        predicted: (network, side) -> images predicted a second, timed.
    """

    images: dict[tuple[str, int], float] = field(default_factory=dict)
    source: dict[tuple[str, int], str] = field(default_factory=dict)
    predicted: dict[tuple[str, int], float] = field(default_factory=dict)

    @classmethod
    def of(cls, configs: Sequence[TrainConfig], sets: Sequence[DataSet]) -> Speeds:
        """Speeds for every (network, side) that the configs need: from finished epochs, else timed now."""
        speeds, seen = cls(), _finished_epochs(sets)
        for network, side in sorted({(c.network, side) for c in configs for _, side in c.stages}):
            rates = seen.get((network, side), [])
            if rates:
                speeds.images[network, side] = median(rates)
                speeds.source[network, side] = f"median of {len(rates)} finished epochs"
            else:
                speeds.images[network, side] = _timed(network, side)
                speeds.source[network, side] = "timed training steps"
        for network, side in sorted({(c.network, c.stages[-1][1]) for c in configs}):
            speeds.predicted[network, side] = _timed(network, side, training=False)
        return speeds

    def lines(self) -> list[str]:
        """Every speed with its source, for the user."""
        return [
            f"{network} at {side} px: {rate:.0f} training images/s ({self.source[network, side]})"
            for (network, side), rate in sorted(self.images.items())
        ]

    def seconds(self, config: TrainConfig, faces: int) -> float:
        """Expected cost of a training on ``faces`` training faces."""
        faces = min(faces, config.limit) if config.limit else faces
        return sum(share * faces / self.images[config.network, side] for share, side in epochs_of(config.stages))

    def prediction_seconds(self, config: TrainConfig, faces: int) -> float:
        """Expected cost of predicting ``faces`` faces at the config's last side."""
        return faces / self.predicted[config.network, config.stages[-1][1]]


def preparation_seconds(dataset: Dataset, timed: int = 24) -> float:
    """Expected cost of preparing a data set: a few of its pictures, spread evenly, are timed on one core."""
    places = np.linspace(0, len(dataset.samples) - 1, min(timed, len(dataset.samples))).round().astype(int)
    chosen, begun = [dataset.samples[int(i)] for i in places], time.monotonic()
    for sample in chosen:
        detect_one(load_gray(sample), "dlib")
    return (time.monotonic() - begun) / max(1, len(chosen)) * len(dataset.samples) / (os.cpu_count() or 1)


def core_seconds(curve: pd.DataFrame) -> pd.Series:
    """Seconds of every epoch times the threads it ran on; a curve that does not tell had every core."""
    threads = curve["threads"] if "threads" in curve else pd.Series(os.cpu_count() or 1, curve.index)
    return curve["seconds"] * threads


def core_seconds_spent(folder: Path) -> float:
    """Core seconds that a run's finished epochs took."""
    curve = folder / "curve.csv"
    return float(core_seconds(pd.read_csv(curve)).sum()) if curve.is_file() else 0.0


def epochs_done(folder: Path) -> int:
    """Finished epochs of a run."""
    curve = folder / "curve.csv"
    return len(pd.read_csv(curve)) if curve.is_file() else 0


def _finished_epochs(sets: Sequence[DataSet]) -> dict[tuple[str, int], list[float]]:
    """Images a second, on all cores, of every finished epoch that is long enough to tell."""
    cores = os.cpu_count() or 1
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    for data in sets:
        for file in sorted(data.runs.glob("*/curve.csv")):
            try:
                config = TrainConfig.from_dict(json.loads((file.parent / "config.json").read_text()))
                curve, faces = pd.read_csv(file), data.training_faces(config)
            except (OSError, ValueError, KeyError, TypeError):  # a run being made, or of another version
                continue
            curve = curve.assign(alone=core_seconds(curve) / cores)[curve["seconds"] >= LEAST_SECONDS]
            for share, side, seconds in zip(curve["share"], curve["side"], curve["alone"], strict=True):
                rates[config.network, int(side)].append(float(share) * faces / float(seconds))
    return rates


def _timed(network: str, side: int, training: bool = True) -> float:
    """Images a second of a training step, or of a prediction; the best of three, as the first warms up."""
    import torch
    import torch.nn.functional as F

    from mien.train.networks import build, forward
    from mien.train.precision import mixed_precision

    net = build(network).train(training)  # type: ignore[arg-type]
    count = TIMED_IMAGES[network]
    crops = torch.randint(1, 256, (count, side, side), dtype=torch.uint8)
    parts, targets = torch.ones(count, 3), torch.randint(0, 8, (count,))
    optimizer, best = torch.optim.AdamW(net.parameters(), fused=True), float("inf")
    for _ in range(3):
        start = time.monotonic()
        with torch.set_grad_enabled(training), mixed_precision():
            logits = forward(net, crops, parts)
        if training:
            optimizer.zero_grad()
            F.cross_entropy(logits.float(), targets).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        best = min(best, time.monotonic() - start)
    return count / best
