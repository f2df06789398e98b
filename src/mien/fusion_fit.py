"""Fit and compare the fusion rules of ``mien.fusion`` on validation. Needs scipy (``study``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from mien import metrics
from mien.authenticity_fit import fit_temperature, folds_of
from mien.fusion import RULES, Fusion, FusionRule, areas_within
from mien.metrics import softmax
from mien.types import AREAS, N_EMOTIONS, Area, Float32, Float64

Labels = npt.NDArray[np.int64]
Logits = Mapping[Area, Float32]
FUSABLE = tuple(area for area in AREAS if len(area.parts) > 1)
"""With one visible part there is one area, and nothing to fuse."""
ACCURACY_COST = 0.005
"""Share of validation accuracy that a rule may give up for macro recall: as the networks' logit adjustment does."""
_STACKING_RIDGE = 30.0


@dataclass(frozen=True)
class RuleScore:
    """A rule in cross-validation on the fitting split.

    Attributes:
        visible: the area that shows exactly the visible parts.
        rule: one of ``fusion.RULES``.
        accuracy: share of right answers.
        macro_recall: mean recall over the emotions.
        log_loss: in nats, after a temperature.
        gain: accuracy minus that of ``largest``, with ``gain_low`` and ``gain_high`` its 95% paired interval.
        chosen: True for the one that is shipped.
    """

    visible: Area
    rule: str
    accuracy: float
    macro_recall: float
    log_loss: float
    gain: float
    gain_low: float
    gain_high: float
    chosen: bool = False


@dataclass(frozen=True, eq=False)
class FusionFit:
    """The shipped rules and how they were found.

    Attributes:
        fusion: the chosen rule of every visible area of two or three parts, fitted on all of the split.
        scores: every rule of every visible area.
        held_out: by visible area, logits float32 [N, 8] of the chosen rule, each row fused by a rule fitted without it.
    """

    fusion: Fusion
    scores: list[RuleScore]
    held_out: dict[Area, Float32]


def fit_rule(rule: str, target: Area, logits: Logits, labels: Labels) -> FusionRule:
    """Fit one rule for one set of visible parts.

    Args:
        rule: one of ``fusion.RULES``.
        target: the area that shows exactly the visible parts.
        logits: float32 [N, 8] of every area within it.
        labels: int64 [N].
    """
    inside, eye, none = areas_within(target.parts), np.eye(N_EMOTIONS), np.zeros(N_EMOTIONS)
    if rule == "largest":
        return FusionRule(rule, {target: eye}, none)
    if rule == "best":
        best = max(inside, key=lambda area: float((logits[area].argmax(axis=1) == labels).mean()))
        return FusionRule(rule, {best: eye}, none)
    if rule == "product":
        return FusionRule(rule, {a: eye / (len(inside) * fit_temperature(logits[a], labels)) for a in inside}, none)
    if rule == "weighted":
        return FusionRule(
            rule, {a: eye * w for a, w in zip(inside, _weights(inside, logits, labels), strict=True)}, none
        )
    if rule == "stacking":
        return _stacking(inside, logits, labels)
    raise ValueError(f"no fusion rule is called {rule!r}: choose from {', '.join(RULES)}")


def _weights(inside: tuple[Area, ...], logits: Logits, labels: Labels) -> Float64:
    """One weight an area with the lowest log loss, and a weak pull to zero."""
    stack = np.stack([logits[a] for a in inside], axis=2).astype(np.float64)
    rows, target = np.arange(len(labels)), np.eye(N_EMOTIONS)[labels]

    def loss(w: Float64) -> tuple[float, Float64]:
        p = softmax(stack @ w)
        value = -np.log(np.maximum(p[rows, labels], 1e-12)).sum() + 0.5 * w @ w
        return float(value), (p - target).ravel() @ stack.reshape(-1, len(inside)) + w

    found = minimize(loss, np.full(len(inside), 1 / len(inside)), jac=True, method="L-BFGS-B").x
    return np.asarray(np.round(found, 6), np.float64)


def _stacking(inside: tuple[Area, ...], logits: Logits, labels: Labels) -> FusionRule:
    """Multinomial logistic regression on all logits, with a ridge that pulls it to the weighted sum."""
    features = np.concatenate([logits[a] for a in inside], axis=1).astype(np.float64)
    rows, target = np.arange(len(labels)), np.eye(N_EMOTIONS)[labels]
    start = np.concatenate([w * np.eye(N_EMOTIONS) for w in _weights(inside, logits, labels)])
    size = start.size

    def loss(theta: Float64) -> tuple[float, Float64]:
        matrix, bias = theta[:size].reshape(start.shape), theta[size:]
        p = softmax(features @ matrix + bias)
        away = np.concatenate([(matrix - start).ravel(), bias])
        by_matrix = features.T @ (p - target)
        gradient = np.concatenate([by_matrix.ravel(), (p - target).sum(axis=0)]) + _STACKING_RIDGE * away
        value = -np.log(np.maximum(p[rows, labels], 1e-12)).sum() + 0.5 * _STACKING_RIDGE * away @ away
        return float(value), gradient

    first = np.concatenate([start.ravel(), np.zeros(N_EMOTIONS)])
    theta = np.round(minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x, 6)
    blocks = theta[:size].reshape(len(inside), N_EMOTIONS, N_EMOTIONS)
    return FusionRule("stacking", dict(zip(inside, blocks, strict=True)), theta[size:])


def cross_fit(rule: str, target: Area, logits: Logits, labels: Labels, folds: int = 5) -> Float32:
    """Fused logits float32 [N, 8], each row by a rule that was fitted without its fold."""
    fold, out = folds_of(labels, folds), np.empty((len(labels), N_EMOTIONS), np.float32)
    for k in range(folds):
        held = fold == k
        kept = {a: logits[a][~held] for a in areas_within(target.parts)}
        out[held] = fit_rule(rule, target, kept, labels[~held]).apply({a: z[held] for a, z in logits.items()})
    return out


def fit_fusion(logits: Logits, labels: Labels, folds: int = 5) -> FusionFit:
    """Compare every rule for every set of two or three visible parts, and fit the best.

    Among the rules whose cross-validated accuracy is within ``ACCURACY_COST`` of the best, the one with the highest
    macro recall is chosen; of equals the simpler (earlier in ``fusion.RULES``).

    Args:
        logits: float32 [N, 8] of every area there is; sets of parts whose areas are not all there are left out.
        labels: int64 [N].
        folds: of cross-validation.
    """
    rules, scores, held_out = {}, [], {}
    for target in FUSABLE:
        if not set(areas_within(target.parts)) <= set(logits):
            continue
        fused = {rule: cross_fit(rule, target, logits, labels, folds) for rule in RULES}
        rows = [_score(target, rule, fused[rule], fused["largest"], labels) for rule in RULES]
        floor = max(row.accuracy for row in rows) - ACCURACY_COST
        best = max((r for r in rows if r.accuracy >= floor), key=lambda r: round(r.macro_recall, 6))
        scores += [RuleScore(**{**vars(row), "chosen": row.rule == best.rule}) for row in rows]
        rules[target] = fit_rule(best.rule, target, logits, labels)
        held_out[target] = fused[best.rule]
    return FusionFit(Fusion(rules), scores, held_out)


def _score(target: Area, rule: str, fused: Float32, largest: Float32, labels: Labels) -> RuleScore:
    said = fused.argmax(axis=1)
    gain = metrics.paired_difference(said == labels, largest.argmax(axis=1) == labels)
    log_loss = metrics.log_loss(labels, softmax(fused / fit_temperature(fused, labels)))
    accuracy, macro = float((said == labels).mean()), metrics.macro_recall(labels, said)
    return RuleScore(target, rule, accuracy, macro, log_loss, gain.value, gain.low, gain.high)
