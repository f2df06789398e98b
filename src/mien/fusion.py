"""What is visible -> one answer. Which rule does it was measured on validation (``mien.calibrate``). numpy only.

When k parts are visible, 2^k - 1 areas can be cut (the visible parts, and all their subsets). Their networks are not
independent: they look at the same face. A rule turns their logits into one row of logits:

========  ===========================================================================================
largest   the logits of the one area that shows all visible parts
best      the logits of the one area among them that was most often right on validation
product   mean of the areas' calibrated log probabilities (product of experts)
weighted  weighted sum of the areas' logits, one weight an area, fitted by multinomial log loss
stacking  multinomial logistic regression on the logits of all areas: 8 outputs, 8 inputs an area
========  ===========================================================================================

Every rule is written as ``fused = bias + sum over areas of logits_a @ matrix_a``, so that one line applies them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelError
from mien.fitted import read_fitted
from mien.types import AREAS, N_EMOTIONS, Area, Float32, Float64, Part

FILE_NAME = "fusion.json"
RULES = ("largest", "best", "product", "weighted", "stacking")


def areas_within(visible: Iterable[Part]) -> tuple[Area, ...]:
    """The areas that show visible parts only, in canonical order.

    Raises:
        ValueError: no part is visible.
    """
    shown = Area.of(visible).parts
    return tuple(area for area in AREAS if area.parts <= shown)


@dataclass(frozen=True, eq=False)
class Fused:
    """Logits of the fused answer.

    Attributes:
        area: the area that shows exactly the visible parts (or, where that cannot be had, the largest one used).
        logits: float32 [N, 8].
        fused: False when they are that area's own logits (one visible part, or the rule ``largest``): they are then
            calibrated as that area, otherwise as ``fused_AREA``.
        rule: the rule that was applied.
    """

    area: Area
    logits: Float32
    fused: bool
    rule: str


@dataclass(frozen=True, eq=False)
class FusionRule:
    """How the logits of the areas within one visible area become one row.

    Attributes:
        rule: its name, one of ``RULES``.
        matrices: float64 [8, 8] an area; an absent area counts nothing.
        bias: float64 [8].
    """

    rule: str
    matrices: Mapping[Area, Float64]
    bias: Float64

    def apply(self, logits: Mapping[Area, Float32]) -> Float32:
        """Logits float32 [N, 8] an area -> float32 [N, 8].

        Raises:
            KeyError: the logits of an area are missing.
        """
        return (self.bias + sum(logits[area] @ matrix for area, matrix in self.matrices.items())).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON; a matrix that is a multiple of the identity is written as that number."""
        matrices = {area.value: _short(matrix) for area, matrix in self.matrices.items()}
        return {"rule": self.rule, "matrices": matrices, "bias": [round(float(b), 6) for b in self.bias]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FusionRule:
        """Inverse of :meth:`to_dict`."""
        matrices = {Area(name): _long(value) for name, value in values["matrices"].items()}
        return cls(str(values["rule"]), matrices, np.asarray(values["bias"], np.float64).reshape(N_EMOTIONS))


@dataclass(frozen=True, eq=False)
class Fusion:
    """The shipped rule for every set of visible parts.

    Attributes:
        rules: by the area that shows exactly the visible parts; an absent one uses the largest visible area.
    """

    rules: Mapping[Area, FusionRule]

    @classmethod
    def load(cls, folder: Path | str | None = None, network: str | None = None) -> Fusion:
        """Read fusion.json of a folder of models (None: the shipped one).

        Raises:
            ModelError: it is missing or damaged, or holds nothing for this network.
        """
        values, path = read_fitted(folder, FILE_NAME, network)
        try:
            return cls.from_dict(values)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is damaged: {error!r}") from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fusion:
        """Inverse of :meth:`to_dict`."""
        return cls({Area(name): FusionRule.from_dict(rule) for name, rule in values["rules"].items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {"rules": {area.value: rule.to_dict() for area, rule in self.rules.items()}}

    def fuse(self, logits: Mapping[Area, Float32], visible: Iterable[Part]) -> Fused:
        """One answer from the areas of the visible parts.

        Args:
            logits: float32 [N, 8] an area; areas that show hidden parts are left aside.
            visible: the visible parts, at least one.

        Returns:
            The fused logits; where the rule's areas are not all given, those of the largest visible area given.

        Raises:
            ValueError: no part is visible, or no area of visible parts only is given.
        """
        return fuse(logits, visible, self)


LARGEST = Fusion({})
"""Always the largest visible area: what is used where nothing was fitted."""


def fuse(logits: Mapping[Area, Float32], visible: Iterable[Part], fusion: Fusion = LARGEST) -> Fused:
    """As :meth:`Fusion.fuse`."""
    target = Area.of(visible)
    inside = [area for area in areas_within(target.parts) if area in logits]
    if not inside:
        raise ValueError(f"fuse: no logits of an area within {target.words}; got {', '.join(logits) or 'none'}")
    rule = fusion.rules.get(target)
    if rule is not None and rule.rule != "largest" and set(rule.matrices) <= set(inside):
        return Fused(target, rule.apply(logits), True, rule.rule)
    largest = max(inside, key=lambda area: len(area.parts))
    return Fused(largest, np.asarray(logits[largest], np.float32), False, "largest")


def _short(matrix: Float64) -> float | list[list[float]]:
    weight = float(matrix[0, 0])
    if np.array_equal(matrix, weight * np.eye(N_EMOTIONS)):
        return round(weight, 6)
    return [[round(float(v), 6) for v in row] for row in matrix]


def _long(value: float | list[list[float]]) -> Float64:
    if isinstance(value, int | float):
        return np.asarray(float(value) * np.eye(N_EMOTIONS), np.float64)
    return np.asarray(value, np.float64).reshape(N_EMOTIONS, N_EMOTIONS)
