"""Fit everything that says how far to trust an answer, and check it on faces that chose nothing.

Fitted on one split (validation), checked on another (test). Starts from PredictionTables and never sees a picture.
Needs scipy and scikit-learn (extra ``study``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien import contribution, metrics, psychology
from mien.authenticity import Calibration
from mien.authenticity_fit import compare_methods, fit_sources
from mien.errors import TableError
from mien.fusion import Fusion, fuse
from mien.fusion_fit import FUSABLE, FusionFit, fit_fusion, fit_partial
from mien.occluded import OccludedViews
from mien.pooling import Pooled, correlation, count, pool
from mien.predictions import by_area
from mien.reliability import by_emotion, calibration_error, reliability_table
from mien.types import AREAS, EMOTIONS, N_EMOTIONS, Area, Float32, Float64, Interval

Labels = npt.NDArray[np.int64]
MINIMUM_FACES = 100
"""Fewer labelled faces cannot fit a calibration worth the name."""
MINIMUM_SAID = 20
"""Pairs <emotion, area> said less often than this are not counted when interval coverage is measured."""


@dataclass(frozen=True, eq=False)
class TrustFit:
    """Everything fitted on one split, of one network family.

    Attributes:
        calibration: what ``mien analyze`` reads.
        fusion: the rules, and how they were chosen.
        methods: every calibration method of every source in cross-validation.
        sources: the sources that every face has: the areas, and those that are fused from them.
        pooled: the posterior behind the authenticity table, in the order of ``sources``.
    """

    calibration: Calibration
    fusion: FusionFit
    methods: pd.DataFrame
    sources: tuple[str, ...]
    pooled: Pooled

    def authenticity_table(self, fused: bool = False) -> pd.DataFrame:
        """The AuthenticityTable: emotion, area, p, low, high, n, n_right.

        Of the answers that say ``emotion`` from ``area``, the probability ``p`` that they are right, with its 95%
        interval; ``n`` answers on the fitting split, ``n_right`` of them right.

        Args:
            fused: of the answers fused from all areas within ``area``, instead of the area's own network; the same
                where the rule is ``largest``.
        """
        low, high = self.pooled.interval()
        rows, names = [], list(self.sources)
        for area in AREAS:
            name = f"fused_{area.value}" if fused else area.value
            if fused and area in self.fusion.fusion.rules and name not in names:
                name = area.value  # the rule is the area's own answer
            if name not in names:
                continue
            s = names.index(name)
            for e, emotion in enumerate(EMOTIONS):
                n, right = int(self.pooled.said[s, e]), int(self.pooled.right[s, e])
                numbers = [round(float(v), 4) for v in (self.pooled.mean[s, e], low[s, e], high[s, e])]
                rows.append((emotion.value, area.value, *numbers, n, right))
        return pd.DataFrame(rows, columns=["emotion", "area", "p", "low", "high", "n", "n_right"])


def fit_trust(
    table: pd.DataFrame,
    prior: Float32,
    models: Mapping[str, str] | None = None,
    dataset: str | None = None,
    occluded: Mapping[Area, OccludedViews] | None = None,
) -> TrustFit:
    """Fit calibration, judge, prediction sets, authenticity table and fusion.

    Args:
        table: PredictionTable of the fitting split, one network family.
        prior: float32 [8], share of each emotion among the training faces.
        models: fingerprint of each area's network (``authenticity.fingerprint``).
        dataset: its name; None takes the table's.
        occluded: faces of the fitting split with one part covered (``occluded.occluded_views``); None fits no rules for
            faces on which something was found in front of a part, and they are answered from the areas alone.

    Raises:
        TableError: the table is not complete, or holds too few faces.
    """
    logits, labels = by_area(table)
    if len(labels) < MINIMUM_FACES:
        raise TableError(f"calibration needs at least {MINIMUM_FACES} labelled faces, got {len(labels)}")
    whole = fit_fusion(logits, labels)
    partial = fit_partial({area: (faces.views, faces.labels) for area, faces in (occluded or {}).items()})
    sources: dict[str, Float32] = {area.value: z for area, z in logits.items()}
    for area, held_out in whole.held_out.items():
        if whole.fusion.rules[area].rule != "largest":
            sources[f"fused_{area.value}"] = held_out
    covered = {f"partial_{area.value}": held_out for area, held_out in partial.held_out.items()}
    covered_labels = {f"partial_{area.value}": faces.labels for area, faces in (occluded or {}).items()}
    scores = {name: compare_methods(z, labels) for name, z in sources.items()}
    scores |= {name: compare_methods(z, covered_labels[name]) for name, z in covered.items()}
    methods = {name: next(s.method for s in rows if s.chosen) for name, rows in scores.items()}
    fitted = fit_sources(sources, labels, methods) | fit_sources(covered, covered_labels, methods)
    name = str(table["dataset"].iloc[0]) if dataset is None else dataset
    calibration = Calibration(name, len(labels), prior, fitted, dict(models or {}))
    answers = np.stack([z.argmax(axis=1) for z in sources.values()])
    compared = pd.DataFrame([{"source": name, **asdict(s)} for name, rows in scores.items() for s in rows])
    pooled = pool(*count(answers, labels), correlation(answers, labels))
    fusion = FusionFit(
        Fusion(whole.fusion.rules, partial.fusion.partial), whole.scores + partial.scores, whole.held_out
    )
    return TrustFit(calibration, fusion, compared, tuple(sources), pooled)


def source_logits(fit: TrustFit, logits: Mapping[Area, Float32]) -> dict[str, Float32]:
    """Logits float32 [N, 8] of every source that a face has, fused ones included."""
    out = {}
    for name in fit.sources:
        area = Area(name.removeprefix("fused_"))
        out[name] = fuse(logits, area.parts, fit.fusion.fusion).logits if name.startswith("fused_") else logits[area]
    return out


@dataclass(frozen=True, eq=False)
class TrustCheck:
    """Everything measured on the checking split. See ``docs/authenticity.md`` for the columns of each table."""

    calibration: pd.DataFrame
    reliability: pd.DataFrame
    by_emotion: pd.DataFrame
    pairs: pd.DataFrame
    prediction_sets: pd.DataFrame
    abstention: pd.DataFrame
    fusion: pd.DataFrame


def check_trust(fit: TrustFit, table: pd.DataFrame) -> TrustCheck:
    """Measure a fit on other faces.

    Args:
        fit: from the fitting split.
        table: PredictionTable of the checking split, same networks.
    """
    logits, labels = by_area(table)
    rows = source_logits(fit, logits)
    one = {name: _check_source(fit, name, z, labels) for name, z in rows.items()}
    return TrustCheck(
        pd.DataFrame([{"source": name, **c[0]} for name, c in one.items()]),
        _stacked({name: c[1] for name, c in one.items()}),
        _stacked({name: c[2] for name, c in one.items()}),
        check_pairs(fit.pooled, list(rows), np.stack([z.argmax(axis=1) for z in rows.values()]), labels),
        _stacked({name: _check_sets(fit, name, z, labels) for name, z in rows.items()}),
        _stacked({name: _abstention(fit, name, z, labels) for name, z in rows.items()}),
        _check_fusion(fit, logits, labels),
    )


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([t.assign(source=name)[["source", *t.columns]] for name, t in tables.items()], ignore_index=True)


def _check_source(
    fit: TrustFit, name: str, logits: Float32, labels: Labels
) -> tuple[dict[str, object], pd.DataFrame, pd.DataFrame]:
    source, raw = fit.calibration.sources[name], metrics.softmax(logits)
    p = source.probabilities(logits)
    judged, _, _ = source.judge(p)
    said = p.argmax(axis=1)
    right = said == labels
    share = metrics.accuracy(labels, said)
    gain = _brier_gain(raw, p, labels)
    numbers: dict[str, object] = {
        "method": source.method, "n": len(labels), "accuracy": share.value, "accuracy_low": share.low,
        "accuracy_high": share.high, "macro_recall": metrics.macro_recall(labels, said),
        "ece_raw": calibration_error(raw.max(axis=1), right), "ece": calibration_error(p.max(axis=1), right),
        "ece_authenticity": calibration_error(judged, right),
        "brier_raw": metrics.brier(labels, raw), "brier": metrics.brier(labels, p),
        "brier_gain": gain.value, "brier_gain_low": gain.low, "brier_gain_high": gain.high,
        "log_loss_raw": metrics.log_loss(labels, raw), "log_loss": metrics.log_loss(labels, p),
    }  # fmt: skip
    diagrams = [("probability", p.max(axis=1)), ("raw", raw.max(axis=1)), ("authenticity", judged)]
    tables = [reliability_table(c, right).assign(confidence_of=kind) for kind, c in diagrams]
    return numbers, pd.concat(tables, ignore_index=True), by_emotion(said, judged, right)


def _brier_gain(raw: Float64, calibrated: Float64, labels: Labels) -> Interval:
    """Brier score of the raw softmax minus that of the calibrated probabilities, normal 95% interval, paired."""
    target = np.eye(N_EMOTIONS)[labels]
    each = np.square(raw - target).sum(axis=1) - np.square(calibrated - target).sum(axis=1)
    half = metrics.Z95 * float(each.std(ddof=1)) / np.sqrt(len(each))
    return Interval(float(each.mean()), float(each.mean() - half), float(each.mean() + half), len(each))


def check_pairs(pooled: Pooled, names: list[str], answers: Labels, labels: Labels) -> pd.DataFrame:
    """Of every pair, what the fit predicted of the new faces and what came.

    Args:
        pooled: the posterior from the fitting split.
        names: of the sources.
        answers: int64 [S, N], said of the new faces.
        labels: int64 [N].

    Returns:
        Columns source, emotion, p, low, high (fitted), said, right, share (observed), rank_low, rank_high (P(count <
        right) and P(count <= right) under the fit) and covered: the probability, 0..1, that the observed count lies
        within the central 95% of what was predicted, ties split at random (a count is discrete: "inside" and
        "outside" would make every interval too wide).
    """
    said, right = count(answers, labels)
    below, up_to = pooled.predicted_cdf(said, right)
    low, high = pooled.interval()
    inside = np.minimum(up_to, 0.975) - np.maximum(below, 0.025)
    covered = np.clip(inside / np.maximum(up_to - below, 1e-12), 0, 1)
    rows = []
    for s, name in enumerate(names):
        for e, emotion in enumerate(EMOTIONS):
            n, k = int(said[s, e]), int(right[s, e])
            share = k / n if n else float("nan")
            rows.append((
                name, emotion.value, pooled.mean[s, e], low[s, e], high[s, e], n, k, share,
                below[s, e], up_to[s, e], covered[s, e] if n else float("nan"),
            ))  # fmt: skip
    columns = ["source", "emotion", "p", "low", "high", "said", "right", "share", "rank_low", "rank_high", "covered"]
    return pd.DataFrame(rows, columns=columns)


def coverage_of(pairs: pd.DataFrame, minimum: int = MINIMUM_SAID) -> dict[str, float]:
    """Coverage over the pairs said at least ``minimum`` times: pairs, covered (mean), inside (ties count as inside)."""
    kept = pairs[pairs["said"] >= minimum]
    inside = (kept["rank_high"] >= 0.025) & (kept["rank_low"] <= 0.975)
    return {"pairs": len(kept), "covered": float(kept["covered"].mean()), "inside": float(inside.mean())}


def repeated_coverage(
    fitting: pd.DataFrame, checking: pd.DataFrame, splits: int = 100, seed: int = 0
) -> dict[str, float]:
    """Interval coverage over many random halves of all faces of both tables: fitted on one half, checked on the other.

    One split of the data gives one number with a spread of several points, since the pairs share faces; this is its
    mean over many splits, on real predictions.

    Returns:
        splits, pairs (mean number a split), covered (mean), covered_sd (spread of one split), inside.
    """
    both = pd.concat([
        fitting.assign(sample_id="a" + fitting["sample_id"].astype(str)),
        checking.assign(sample_id="b" + checking["sample_id"].astype(str)),
    ])  # fmt: skip
    logits, labels = by_area(both)
    answers, found = np.stack([z.argmax(axis=1) for z in logits.values()]), []
    generator, names = np.random.default_rng(seed), [area.value for area in logits]
    for split in range(splits):
        first = np.zeros(len(labels), bool)
        first[generator.permutation(len(labels))[: len(labels) // 2]] = True
        fit_answers, fit_labels = answers[:, first], labels[first]
        shared = correlation(fit_answers, fit_labels)
        pooled = pool(*count(fit_answers, fit_labels), shared, draws=1000, seed=split)
        found.append(coverage_of(check_pairs(pooled, names, answers[:, ~first], labels[~first])))
    table = pd.DataFrame(found)
    return {
        "splits": splits, "pairs": float(table["pairs"].mean()), "covered": float(table["covered"].mean()),
        "covered_sd": float(table["covered"].std()), "inside": float(table["inside"].mean()),
    }  # fmt: skip


def _check_sets(fit: TrustFit, name: str, logits: Float32, labels: Labels) -> pd.DataFrame:
    rows = []
    for coverage in (0.8, 0.9, 0.95):
        sets = fit.calibration.prediction_set(name, logits, coverage)
        held = np.array([EMOTIONS[label] in chosen for label, chosen in zip(labels, sets, strict=True)])
        sizes = np.array([len(chosen) for chosen in sets])
        share = metrics.wilson(int(held.sum()), len(held))
        of_class = {
            f"covered_{e.value}": float(held[labels == i].mean()) if (labels == i).any() else float("nan")
            for i, e in enumerate(EMOTIONS)
        }
        rows.append({
            "coverage": coverage, "covered": share.value, "low": share.low, "high": share.high, "n": share.n,
            "size": float(sizes.mean()), "single": float((sizes == 1).mean()), **of_class,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _abstention(fit: TrustFit, name: str, logits: Float32, labels: Labels) -> pd.DataFrame:
    """What ``--min-authenticity`` buys: share of faces still answered, and how many of those answers are right."""
    source = fit.calibration.sources[name]
    p = source.probabilities(logits)
    judged, _, _ = source.judge(p)
    right, rows = p.argmax(axis=1) == labels, []
    for least in (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        kept = judged >= least
        share = metrics.wilson(int(right[kept].sum()), int(kept.sum()))
        rows.append((least, float(kept.mean()), share.value if kept.any() else float("nan"), share.low, share.high))
    return pd.DataFrame(rows, columns=["min_authenticity", "answered", "right", "low", "high"])


def _check_fusion(fit: TrustFit, logits: Mapping[Area, Float32], labels: Labels) -> pd.DataFrame:
    """The shipped rule against the largest visible area, on the checking split."""
    rows = []
    for area in FUSABLE:
        if area not in fit.fusion.fusion.rules:
            continue
        fused, largest = fuse(logits, area.parts, fit.fusion.fusion), logits[area]
        said, plain = fused.logits.argmax(axis=1), largest.argmax(axis=1)
        gain = metrics.paired_difference(said == labels, plain == labels)
        rows.append((
            area.value, fused.rule, float((said == labels).mean()), float((plain == labels).mean()), gain.value,
            gain.low, gain.high, metrics.macro_recall(labels, said), metrics.macro_recall(labels, plain), len(labels),
        ))  # fmt: skip
    columns = ["visible", "rule", "accuracy", "accuracy_largest", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=[*columns, "macro_recall", "macro_recall_largest", "n"])


@dataclass(frozen=True, eq=False)
class ContributionCheck:
    """Contribution of the parts, measured on one split.

    Attributes:
        contributions: the ContributionTable.
        interactions: pairwise.
        values: of every coalition.
        psychology: beside what was measured in people.
    """

    contributions: pd.DataFrame
    interactions: pd.DataFrame
    values: pd.DataFrame
    psychology: pd.DataFrame


def measure_contribution(calibration: Calibration, table: pd.DataFrame, draws: int = 2000) -> ContributionCheck:
    """Play every game on a PredictionTable.

    Raises:
        TableError: one of the seven areas is missing.
    """
    logits, labels = by_area(table)
    known = {area: z for area, z in logits.items() if area.value in calibration.sources}
    answers = {area: z.argmax(axis=1) for area, z in known.items()}
    informative = {area: calibration.source(area).informative(z) for area, z in known.items()}
    games = contribution.play(answers, informative, labels, calibration.prior, draws)
    return ContributionCheck(
        contribution.contribution_table(games), contribution.interaction_table(games),
        contribution.value_table(games), psychology.compare(games),
    )  # fmt: skip
