"""Fit and compare the fusion rules of ``mien.trust.fusion`` on validation. Needs scipy (``study``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from mien.measure import metrics
from mien.measure.fit.bias import say_every
from mien.measure.fit.probabilities import fit_temperature, folds_of
from mien.trust.authenticity import softmax
from mien.trust.fusion import RULES, Fusion, FusionRule, areas_within
from mien.trust.sources import Source
from mien.types import AREAS, N_EMOTIONS, Area, Float32, Float64

Labels = npt.NDArray[np.int64]

Views = Mapping[str, Float32]
"""Logits float32 [N, 8] by name of the view (see ``fusion.views_within``)."""

FUSABLE = tuple(area for area in AREAS if len(area.parts) > 1)
"""With one visible part there is one area, and nothing to fuse."""

_STACKING_RIDGE = 30.0


@dataclass(frozen=True)
class RuleScore:
    """A rule in cross-validation on the fitting split.

    Attributes:
        visible: the area that shows exactly the visible parts.
        blanked: of faces of which the third part was found hidden.
        rule: one of ``fusion.RULES``.
        accuracy: share of right answers.
        macro_recall: mean recall over the emotions.
        log_loss: in nats, after a temperature.
        gain: accuracy minus that of ``largest``, with ``gain_low`` and ``gain_high`` its 95% paired interval.
        chosen: True for the one that is shipped.
    """

    visible: Area
    blanked: bool
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


def fit_rule(rule: str, largest: str, views: Views, labels: Labels) -> FusionRule:
    """Fit one rule for one set of visible parts.

    Args:
        rule: one of ``fusion.RULES``.
        largest: name of the view that shows all visible parts and nothing else.
        views: every view the rule may use.
        labels: int64 [N].
    """
    eye, none = np.eye(N_EMOTIONS), np.zeros(N_EMOTIONS)
    if rule == "largest":
        return FusionRule(rule, {largest: eye}, none)
    if rule == "best":
        best = max(views, key=lambda view: float((views[view].argmax(axis=1) == labels).mean()))
        return FusionRule(rule, {best: eye}, none)
    if rule == "product":
        return FusionRule(rule, {v: eye / (len(views) * fit_temperature(z, labels)) for v, z in views.items()}, none)
    if rule == "weighted":
        return FusionRule(rule, {v: eye * w for v, w in zip(views, _weights(views, labels), strict=True)}, none)
    if rule == "stacking":
        return _stacking(views, labels)
    raise ValueError(f"no fusion rule is called {rule!r}: choose from {', '.join(RULES)}")


def _weights(views: Views, labels: Labels) -> Float64:
    """One weight a view with the lowest log loss, and a weak pull to zero."""
    stack = np.stack(list(views.values()), axis=2).astype(np.float64)
    rows, target = np.arange(len(labels)), np.eye(N_EMOTIONS)[labels]

    def loss(w: Float64) -> tuple[float, Float64]:
        p = softmax(stack @ w)
        value = -np.log(np.maximum(p[rows, labels], 1e-12)).sum() + 0.5 * w @ w
        return float(value), (p - target).ravel() @ stack.reshape(-1, len(views)) + w

    found = minimize(loss, np.full(len(views), 1 / len(views)), jac=True, method="L-BFGS-B").x
    return np.asarray(np.round(found, 6), np.float64)


def _stacking(views: Views, labels: Labels) -> FusionRule:
    """Multinomial logistic regression on all logits, with a ridge that pulls it to the weighted sum."""
    features = np.concatenate(list(views.values()), axis=1).astype(np.float64)
    rows, target = np.arange(len(labels)), np.eye(N_EMOTIONS)[labels]
    start = np.concatenate([w * np.eye(N_EMOTIONS) for w in _weights(views, labels)])
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
    theta = np.round(minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 60}).x, 6)
    blocks = theta[:size].reshape(len(views), N_EMOTIONS, N_EMOTIONS)
    return FusionRule("stacking", dict(zip(views, blocks, strict=True)), theta[size:])


def cross_fit(rule: str, largest: str, views: Views, labels: Labels, folds: int = 5) -> Float32:
    """Fused logits float32 [N, 8], each row by a rule that was fitted without its fold."""
    fold, out = folds_of(labels, folds), np.empty((len(labels), N_EMOTIONS), np.float32)
    for k in range(folds):
        held = fold == k
        fitted = fit_rule(rule, largest, {v: z[~held] for v, z in views.items()}, labels[~held])
        out[held] = fitted.apply({v: z[held] for v, z in views.items()})
    return out


@dataclass(frozen=True, eq=False)
class _Choice:
    """The chosen rule of one set of visible parts."""

    rule: FusionRule
    scores: list[RuleScore]
    held_out: Float32


def _choose(target: Area, blanked: bool, largest: str, views: Views, labels: Labels, folds: int) -> _Choice:
    fused = {rule: cross_fit(rule, largest, views, labels, folds) for rule in RULES}
    plain = {r: _score(target, blanked, r, fused[r], fused["largest"], labels) for r in RULES}
    able = [row for row in plain.values() if row.accuracy >= plain["largest"].accuracy]
    best = min(able, key=lambda row: round(row.log_loss, 6))
    scores = [replace(row, chosen=row is best) for row in plain.values()]
    rule, bias = fit_rule(best.rule, largest, views, labels), np.zeros(N_EMOTIONS)
    if best.rule != "largest":
        bias = say_every(fused[best.rule], labels)
        rule = replace(rule, bias=np.round(rule.bias + bias, 6))
    return _Choice(rule, scores, (fused[best.rule] + bias).astype(np.float32))


def fit_fusion(logits: Mapping[Area, Float32], labels: Labels, folds: int = 5) -> FusionFit:
    """Compare every rule for every set of two or three visible parts, and fit the best.

    In cross-validation: of the rules that are right at least as often as ``largest``, the one with the lowest log loss;
    of equals the simpler (earlier in ``fusion.RULES``). Fitting undoes the networks' own logit bias, so the chosen rule
    gets one of its own, with which every emotion is said (``adjustment.say_every``).

    Args:
        logits: float32 [N, 8] of every area there is; sets of parts whose areas are not all there are left out.
        labels: int64 [N].
        folds: of cross-validation.
    """
    rules, scores, held_out = {}, [], {}
    for target in FUSABLE:
        if set(areas_within(target.parts)) <= set(logits):
            views = {area.value: logits[area] for area in areas_within(target.parts)}
            choice = _choose(target, False, target.value, views, labels, folds)
            rules[target], held_out[target] = choice.rule, choice.held_out
            scores += choice.scores
    return FusionFit(Fusion(rules), scores, held_out)


def fit_partial(occluded: Mapping[Area, tuple[Views, Labels]], folds: int = 5) -> FusionFit:
    """As :func:`fit_fusion`, for faces of which one part was found hidden: the result's rules are the partial ones.

    Args:
        occluded: by the area that shows exactly the two visible parts: the logits of each of
            ``fusion.views_within(visible, blanked=True)``, and labels int64 [N].
        folds: of cross-validation.
    """
    rules, scores, held_out = {}, [], {}
    for target, (views, labels) in occluded.items():
        blanked = Source.of("blanked", target)
        largest = blanked if blanked in views else Source.of("area", target)
        choice = _choose(target, True, largest, views, labels, folds)
        rules[target], held_out[target] = choice.rule, choice.held_out
        scores += choice.scores
    return FusionFit(Fusion({}, rules), scores, held_out)


def _score(
    target: Area,
    blanked: bool,
    rule: str,
    fused: npt.NDArray[np.floating],
    largest: Float32,
    labels: Labels,
) -> RuleScore:
    said = fused.argmax(axis=1)
    gain = metrics.paired_difference(said == labels, largest.argmax(axis=1) == labels)
    log_loss = metrics.log_loss(labels, softmax(fused / fit_temperature(fused.astype(np.float32), labels)))
    accuracy, macro = float((said == labels).mean()), metrics.macro_recall(labels, said)
    return RuleScore(target, blanked, rule, accuracy, macro, log_loss, gain.value, gain.low, gain.high)
