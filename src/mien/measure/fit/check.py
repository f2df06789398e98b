"""Checks fitted trust on other faces than it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mien.measure import metrics
from mien.measure.fit.fusion import FUSABLE
from mien.measure.fit.pooling import Pooled, correlation, count, pool
from mien.measure.fit.probabilities import Labels
from mien.measure.fit.trust import TrustFit, source_logits
from mien.measure.metrics import by_emotion, calibration_error, reliability_table
from mien.measure.predictions import by_area
from mien.trust.authenticity import Z95, softmax
from mien.trust.fusion import fuse
from mien.types import EMOTIONS, N_EMOTIONS, Area, Float32, Float64, Interval

MINIMUM_SAID = 20
"""Pairs <emotion, area> said less often than this are not counted when interval coverage is measured."""


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
    source, raw = fit.calibration.sources[name], softmax(logits)
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
    half = Z95 * float(each.std(ddof=1)) / np.sqrt(len(each))
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
    """What ``--min-p-correct`` buys: share of faces still answered, and how many of those answers are right."""
    source = fit.calibration.sources[name]
    p = source.probabilities(logits)
    judged, _, _ = source.judge(p)
    right, rows = p.argmax(axis=1) == labels, []
    for least in (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        kept = judged >= least
        share = metrics.wilson(int(right[kept].sum()), int(kept.sum()))
        rows.append((least, float(kept.mean()), share.value if kept.any() else float("nan"), share.low, share.high))
    return pd.DataFrame(rows, columns=["min_p_correct", "answered", "right", "low", "high"])


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
