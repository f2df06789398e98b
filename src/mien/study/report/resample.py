"""Confusion matrices of several arms on the same test faces, with paired bootstrap replicates.

An *arm* is what is compared: an area, or an area under a crop spec. Accuracy, recall and every difference between arms
are functions of these matrices, so all intervals in the report come from one set of replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.errors import TableError
from mien.measure.metrics import bootstrap_weights, percentile_interval, wilson
from mien.measure.predictions import labels_of, logits_of
from mien.types import N_EMOTIONS, Area, Float32, Float64, Interval

DRAWS = 4000

FEW = 100
"""Shares of fewer faces get Wilson's interval: resampling 0 of 21 gives 0 every time, which is not certainty."""

Arm = TypeVar("Arm")


@dataclass(frozen=True, eq=False)
class Confusions(Generic[Arm]):
    """Row = label, column = said; each face counts 1, shared over the seeds of an arm.

    Attributes:
        arms: what is compared.
        point: float64 [A, 8, 8], on all faces.
        replicates: float64 [draws, A, 8, 8], on resampled faces, the same faces for every arm.
        n: number of faces.
        by_seed: accuracy of each arm's single trainings.
    """

    arms: tuple[Arm, ...]
    point: Float64
    replicates: Float64
    n: int
    by_seed: dict[Arm, tuple[float, ...]]

    def at(self, arm: Arm) -> int:
        """Place of an arm.

        Raises:
            TableError: it was not measured.
        """
        if arm not in self.arms:
            raise TableError(f"nothing was measured for {arm}")
        return self.arms.index(arm)

    def interval(self, measure: Callable[[Float64], Float64], n: int | None = None) -> Interval | None:
        """A measure of the matrices with its 95% interval.

        Args:
            measure: maps [..., A, 8, 8] to [...]; NaN where a class has no face.
            n: faces it rests on; None is all.

        Returns:
            None when it cannot be measured (no face of a class).
        """
        value = float(measure(self.point))
        if not np.isfinite(value):
            return None
        return percentile_interval(value, np.asarray(measure(self.replicates)), self.n if n is None else n)

    def share(self, measure: Callable[[Float64], Float64], n: int) -> Interval | None:
        """As :meth:`interval`, of a share of ``n`` faces; Wilson's interval where they are few."""
        found = self.interval(measure, n)
        return found if found is None or n >= FEW else wilson(found.value * n, n)

    def accuracy(self, arm: Arm) -> Interval:
        """Share of right answers."""
        place = self.at(arm)
        found = self.interval(lambda c: accuracy(c)[..., place])
        assert found is not None
        return found

    def difference(self, first: Arm, second: Arm) -> Interval:
        """Accuracy of the first minus that of the second, on the same faces."""
        i, j = self.at(first), self.at(second)
        found = self.interval(lambda c: accuracy(c)[..., i] - accuracy(c)[..., j])
        assert found is not None
        return found

    def p_value(self, first: Arm, second: Arm) -> float:
        """Two-sided bootstrap p-value of equal accuracy (at least 1 / draws)."""
        i, j = self.at(first), self.at(second)
        drawn = accuracy(self.replicates)[:, i] - accuracy(self.replicates)[:, j]
        tail = min(float((drawn <= 0).mean()), float((drawn >= 0).mean()))
        return min(1.0, max(2 * tail, 1 / len(drawn)))

    def faces_of(self, emotion: int) -> int:
        """Faces with this label."""
        return round(float(self.point[0, emotion].sum()))


AreaArms = Confusions[Area]

CropArm = tuple[Area, str]
"""An area and the key of the CropSpec it was trained with."""

CropArms = Confusions[CropArm]


def accuracy(confusions: Float64) -> Float64:
    """[..., 8, 8] -> [...]."""
    right = np.trace(confusions, axis1=-2, axis2=-1)
    return np.asarray(right / confusions.sum(axis=(-2, -1)), np.float64)


def recall(confusions: Float64) -> Float64:
    """[..., 8, 8] -> [..., 8]; NaN where an emotion has no face."""
    return np.asarray(np.diagonal(shares(confusions), axis1=-2, axis2=-1), np.float64)


def shares(confusions: Float64) -> Float64:
    """Rows that sum to 1; NaN where an emotion has no face."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(confusions / confusions.sum(axis=-1, keepdims=True), np.float64)


def macro_recall(confusions: Float64) -> Float64:
    """[..., 8, 8] -> [...], over the emotions that have a face."""
    found = recall(confusions)
    present = np.isfinite(found)
    return np.asarray(np.where(present, found, 0.0).sum(axis=-1) / present.sum(axis=-1), np.float64)


def confusions_of(
    tables: Sequence[tuple[Arm, pd.DataFrame]], best_run: bool = False, draws: int = DRAWS, seed: int = 0
) -> Confusions[Arm]:
    """Confusion matrices of several arms.

    Args:
        tables: an arm's PredictionTable; several seeds count as their mean.
        best_run: keep only each arm's most accurate seed (published protocol).
        draws: bootstrap replicates.
        seed: of the bootstrap.

    Raises:
        TableError: no table, or the arms do not hold the same faces.
    """
    if not tables:
        raise TableError("no predictions to compare")
    reference = tables[0][1].drop_duplicates("sample_id").sort_values("sample_id")
    labels, said = labels_of(reference), []
    by_seed: dict[Arm, tuple[float, ...]] = {}
    for arm, table in tables:
        own = _shares_said(table, reference["sample_id"].to_numpy(), arm)
        right = {s: float(_right(share, labels).mean(dtype=np.float64)) for s, share in own.items()}
        by_seed[arm] = tuple(right.values())
        kept = [own[max(right, key=lambda s: right[s])]] if best_run else list(own.values())
        said.append(np.mean(kept, axis=0))
    point, replicates = _resampled(labels, np.stack(said), draws, seed)
    return Confusions(tuple(arm for arm, _ in tables), point, replicates, len(labels), by_seed)


def _right(said: Float32, labels: npt.NDArray[np.int64]) -> Float32:
    return np.asarray(said[np.arange(len(labels)), labels], np.float32)


def _shares_said(table: pd.DataFrame, ids: npt.NDArray[np.object_], arm: object) -> dict[int, Float32]:
    """One-hot answers float32 [N, 8] by seed, in the order of ``ids``."""
    own = {}
    for seed, rows in table.groupby("seed", sort=True):
        rows = rows.sort_values("sample_id")
        if not np.array_equal(rows["sample_id"].to_numpy(), ids):
            raise TableError(f"{arm}: its predictions are not of the same faces as the others'")
        own[int(str(seed))] = np.eye(N_EMOTIONS, dtype=np.float32)[logits_of(rows).argmax(axis=1)]
    return own


def _resampled(labels: npt.NDArray[np.int64], said: Float32, draws: int, seed: int) -> tuple[Float64, Float64]:
    arms = len(said)
    flat = said.transpose(1, 0, 2).reshape(len(labels), arms * N_EMOTIONS)
    replicates = np.zeros((draws, arms, N_EMOTIONS, N_EMOTIONS))
    point = np.zeros((arms, N_EMOTIONS, N_EMOTIONS))
    members = [np.flatnonzero(labels == e) for e in range(N_EMOTIONS)]
    for emotion, rows in enumerate(members):
        point[:, emotion] = flat[rows].sum(axis=0, dtype=np.float64).reshape(arms, N_EMOTIONS)
    start = 0
    for weights in bootstrap_weights(len(labels), draws, seed):
        piece = slice(start, start + len(weights))
        for emotion, rows in enumerate(members):
            replicates[piece, :, emotion] = (weights[:, rows] @ flat[rows]).reshape(len(weights), arms, N_EMOTIONS)
        start += len(weights)
    return point, replicates


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction for testing many pairs at once."""
    order = np.argsort(p_values)
    corrected, running = np.empty(len(p_values)), 0.0
    for place, i in enumerate(order):
        running = max(running, (len(p_values) - place) * p_values[i])
        corrected[i] = min(1.0, running)
    return [float(p) for p in corrected]
