"""Training data: faces and areas in batches, augmented by worker threads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.data.cache import FaceCache
from mien.face.crops import cut
from mien.face.spec import CropSpec
from mien.train.augment import random_crop
from mien.train.config import TrainConfig, at_resolution
from mien.train.runs import within
from mien.trust.fusion import blanked_within
from mien.types import AREAS, PARTS, Area, Part

ANY_AREA_WEIGHTS = {
    Area.MOUTH: 0.13, Area.NOSE: 0.11, Area.EYES: 0.13, Area.NOSE_MOUTH: 0.13,
    Area.NOSE_EYES: 0.13, Area.MOUTH_EYES: 0.15, Area.WHOLE_FACE: 0.22,
}  # fmt: skip
"""How often the any-area network sees each area."""

BLANKED_PARTS = {a: tuple(p for p in PARTS if a in blanked_within(frozenset(PARTS) - {p})) for a in AREAS}
"""The parts that may be blanked in a crop of each area, see ``mien.trust.fusion``."""


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
                random_crop(self.cache.canvas(row), area, spec, self.config.augmentation, generator, hidden)
                for row, area, hidden in zip(rows, areas, self.hidden(areas, generator), strict=True)
            ]
            targets = self.targets[rows]
            if self.teacher is not None:
                column = [a.position if self.teacher.shape[1] > 1 else 0 for a in areas]
                taught = torch.from_numpy(np.asarray(self.teacher[rows, column])).softmax(dim=1)
                targets = (1 - self.config.teacher_weight) * targets + self.config.teacher_weight * taught
            yield torch.from_numpy(np.stack(crops)), part_bits(areas), targets

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
        crops = [cut(self.cache.canvas(r), a, spec) for r, a in zip(self.watched, chosen, strict=True)]
        return torch.from_numpy(np.stack(crops)), part_bits(chosen)


def steps_of(faces: int, batch: int, share: float) -> int:
    """Optimiser steps in a share of an epoch; a last batch of fewer than two faces is left out."""
    return max(1, math.floor(share * (faces / batch if faces >= batch else 1)))


def part_bits(areas: list[Area]) -> Tensor:
    """float32 [N, 3]: 1 where the part (in the order of PARTS) is visible."""
    return torch.tensor([[float(part in area.parts) for part in PARTS] for area in areas])
