"""What is visible -> one answer. Which rule does it was measured on validation (``mien.measure.fit``). numpy only.

When k parts are visible, 2^k - 1 areas can be cut (the visible parts, and all their subsets). Their networks are not
independent: they look at the same face. A rule turns their logits into one row of logits:

========  ===========================================================================================
largest   the logits of the one area that shows all visible parts
best      the logits of the one area among them that was most often right on validation
product   mean of the areas' calibrated log probabilities (product of experts)
weighted  weighted sum of the areas' logits, one weight an area, fitted by multinomial log loss
stacking  multinomial logistic regression on the logits of all areas: 8 outputs, 8 inputs an area
========  ===========================================================================================

Every rule is written as ``fused = bias + sum over views of logits_v @ matrix_v``, so that one line applies them all.

Where something was *found* in front of one part, there is more to see than the areas of the other two: the whole face
with the hidden part blanked still shows those two, with jaw and cheeks; and when the nose is hidden, the box of mouth
and eyes would show what hides it, so that it is blanked there too. These crops are further views; their rules are
fitted on validation faces with occluders drawn on them, and their answers are called ``partial_AREA``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mien.trust.fitted import read_fitted
from mien.trust.sources import Source
from mien.types import AREAS, N_EMOTIONS, Area, Float32, Float64, Part

FILE_NAME = "fusion.json"

Logits = Mapping[Area, Float32]

RULES = ("largest", "best", "product", "weighted", "stacking")


def areas_within(visible: Iterable[Part]) -> tuple[Area, ...]:
    """The areas that show visible parts only, in canonical order.

    Raises:
        ValueError: no part is visible.
    """
    shown = Area.of(visible).parts
    return tuple(area for area in AREAS if area.parts <= shown)


def blanked_within(visible: Iterable[Part]) -> tuple[Area, ...]:
    """The areas to be cut with the hidden part blanked, where one part of a face was found hidden; else none."""
    shown = Area.of(visible).parts
    if len(shown) != 2:
        return ()
    return (Area.WHOLE_FACE,) if Part.NOSE in shown else (Area.MOUTH_EYES, Area.WHOLE_FACE)


def views_within(visible: Iterable[Part], blanked: bool = False) -> tuple[str, ...]:
    """Names of the views a rule may use: areas of visible parts only; with ``blanked`` the blanked ones too."""
    shown = frozenset(visible)
    areas = tuple(area.value for area in areas_within(shown))
    if not blanked:
        return areas
    extra = blanked_within(shown)
    return tuple(name for name in areas if name not in extra) + tuple(Source.of("blanked", area) for area in extra)


@dataclass(frozen=True, eq=False)
class Fused:
    """Logits of the fused answer.

    Attributes:
        area: the area that shows exactly the visible parts (or, where that cannot be had, the largest one used).
        logits: float32 [N, 8].
        source: under which the answer is calibrated: ``AREA`` when the logits are that area's own (one visible part, or
            the rule ``largest``), ``fused_AREA``, or ``partial_AREA`` when blanked crops had a say.
        rule: the rule that was applied.
    """

    area: Area
    logits: Float32
    source: Source
    rule: str


@dataclass(frozen=True, eq=False)
class FusionRule:
    """How the logits of several views become one row.

    Attributes:
        rule: its name, one of ``RULES``.
        matrices: float64 [8, 8] a view (see :func:`views_within`); an absent view counts nothing.
        bias: float64 [8].
    """

    rule: str
    matrices: Mapping[str, Float64]
    bias: Float64

    def apply(self, logits: Mapping[str, Float32]) -> Float32:
        """Logits float32 [N, 8] a view -> float32 [N, 8].

        Raises:
            KeyError: the logits of a view are missing.
        """
        return (self.bias + sum(logits[view] @ matrix for view, matrix in self.matrices.items())).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON; a matrix that is a multiple of the identity is written as that number."""
        matrices = {str(view): _short(matrix) for view, matrix in self.matrices.items()}
        return {"rule": self.rule, "matrices": matrices, "bias": [round(float(b), 6) for b in self.bias]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FusionRule:
        """Inverse of :meth:`to_dict`."""
        matrices = {str(view): _long(value) for view, value in values["matrices"].items()}
        return cls(str(values["rule"]), matrices, np.asarray(values["bias"], np.float64).reshape(N_EMOTIONS))


@dataclass(frozen=True, eq=False)
class Fusion:
    """The shipped rule for every set of visible parts.

    Attributes:
        rules: by the area that shows exactly the visible parts; an absent one uses the largest visible area.
        partial: the same, for faces of which one part was found hidden, with the blanked views.
    """

    rules: Mapping[Area, FusionRule]
    partial: Mapping[Area, FusionRule] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path | str | None = None, network: str | None = None) -> Fusion:
        """Read fusion.json of a folder of models (None: the shipped one).

        Raises:
            ModelError: it is missing or damaged, or holds nothing for this network.
        """
        return read_fitted(folder, FILE_NAME, network, cls.from_dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fusion:
        """Inverse of :meth:`to_dict`."""
        rules, partial = (
            {Area(name): FusionRule.from_dict(rule) for name, rule in values.get(key, {}).items()}
            for key in ("rules", "partial")
        )
        return cls(rules, partial)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        kinds = {"rules": self.rules, "partial": self.partial}
        return {key: {area.value: rule.to_dict() for area, rule in rules.items()} for key, rules in kinds.items()}


LARGEST = Fusion({})
"""Always the largest visible area: what is used where nothing was fitted."""


def fuse(logits: Logits, visible: Iterable[Part], fusion: Fusion = LARGEST, blanked: Logits | None = None) -> Fused:
    """One answer from the views of the visible parts.

    Args:
        logits: float32 [N, 8] an area; areas that show hidden parts are left aside.
        visible: the visible parts, at least one.
        fusion: the rules.
        blanked: float32 [N, 8] of each of :func:`blanked_within` where something was found in front of one part (see
            ``areas.cut``, hidden); None where the user said which parts are visible.

    Returns:
        The fused logits; where the rule's views are not all given, those of the largest visible area given.

    Raises:
        ValueError: no part is visible, or no area of visible parts only is given.
    """
    target = Area.of(visible)
    inside = [area for area in areas_within(target.parts) if area in logits]
    if not inside:
        raise ValueError(f"fuse: no logits of an area within {target.words}; got {', '.join(logits) or 'none'}")
    views = {area.value: logits[area] for area in inside}
    views |= {Source.of("blanked", area): rows for area, rows in (blanked or {}).items()}
    partial = fusion.partial.get(target) if blanked else None
    if partial is not None and set(partial.matrices) <= set(views):
        return Fused(target, partial.apply(views), Source.of("partial", target), partial.rule)
    rule = fusion.rules.get(target)
    if rule is not None and rule.rule != "largest" and set(rule.matrices) <= set(views):
        return Fused(target, rule.apply(views), Source.of("fused", target), rule.rule)
    largest = max(inside, key=lambda area: len(area.parts))
    return Fused(largest, np.asarray(logits[largest], np.float32), Source.of("area", largest), "largest")


def _short(matrix: Float64) -> float | list[list[float]]:
    weight = float(matrix[0, 0])
    if np.array_equal(matrix, weight * np.eye(N_EMOTIONS)):
        return round(weight, 6)
    return [[round(float(v), 6) for v in row] for row in matrix]


def _long(value: float | list[list[float]]) -> Float64:
    if isinstance(value, int | float):
        return np.asarray(float(value) * np.eye(N_EMOTIONS), np.float64)
    return np.asarray(value, np.float64).reshape(N_EMOTIONS, N_EMOTIONS)
