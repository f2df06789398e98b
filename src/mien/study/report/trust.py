"""Authenticity and contribution of the study's own networks: the question the paper asked, answered.

Fitted on validation, checked on test, by ``mien.measure.fit.trust``; one seed of the seven area networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mien.measure import figures as trust_figures
from mien.measure.fit.check import TrustCheck, check_trust, coverage_of
from mien.measure.fit.contribution import ContributionCheck, measure_contribution
from mien.measure.fit.trust import MINIMUM_FACES, TrustFit, fit_trust
from mien.measure.predictions import prior_of
from mien.study.report.exhibits import Exhibit, absent, percent
from mien.study.report.inputs import Evidence, Setting
from mien.trust.sources import Source, is_own
from mien.types import AREAS, EMOTIONS, PARTS

TITLES = {
    "table-k": "Authenticity: how often an answer is right",
    "fig-d": "Authenticity of every emotion and area",
    "table-l": "Calibration on test",
    "fig-e": "Reliability on test",
    "table-m": "Contribution of eyes, nose and mouth",
    "fig-f": "Contribution to the information gained",
    "table-n": "What the parts give together",
    "table-o": "Beside what psychology measured in people",
}


@dataclass(frozen=True, eq=False)
class Trust:
    """Fit, check and contribution of one data set."""

    seed: int
    fit: TrustFit
    check: TrustCheck
    contribution: ContributionCheck


def trust_of(evidence: Evidence, setting: Setting) -> Trust | str:
    """Fit and check; or the reason why not."""
    if setting.select_on != "validation":
        return "the published protocol trains on the validation split too, so nothing is left to fit authenticity on"
    fitting, checking = evidence.role("areas", "validation"), evidence.role("areas", "test")
    complete = checking.groupby("seed")["area"].nunique() == len(AREAS)
    seeds = [int(str(s)) for s in complete.index[complete]]
    if not seeds:
        return "it needs all seven area networks of one seed"
    seed = min(seeds)
    fitting, checking = fitting[fitting["seed"] == seed], checking[checking["seed"] == seed]
    if fitting["sample_id"].nunique() < MINIMUM_FACES:
        return f"it needs at least {MINIMUM_FACES} validation faces"
    fit = fit_trust(fitting, prior_of(evidence.cache.labels[evidence.cache.rows("train")]), dataset=evidence.name)
    return Trust(seed, fit, check_trust(fit, checking), measure_contribution(fit.calibration, checking))


def trust_exhibits(evidence: Evidence, setting: Setting) -> list[Exhibit]:
    """Authenticity and contribution of one data set."""
    found = trust_of(evidence, setting)
    if isinstance(found, str):
        return [
            absent(f"{key}-{evidence.name}", title, "table" if key.startswith("table") else "figure", found)
            for key, title in TITLES.items()
        ]
    errors = found.check.calibration[["source", "ece_raw", "ece"]]
    return [
        _authenticity_table(evidence, found),
        _figure("fig-d", evidence, found.fit.authenticity_table(),
                "Share of right answers by what was said (columns) from which area (rows), with 95% intervals, fitted "
                "on validation with partial pooling."),
        _calibration_table(evidence, found),
        _figure("fig-e", evidence, found.check.reliability.merge(errors, on="source", how="left"),
                "Confidence against the share right on test, before and after calibration; fused_AREA is the answer "
                "fused from all areas within AREA."),
        _contribution_table(evidence, found),
        _figure("fig-f", evidence, found.contribution.contributions,
                "Shapley value of each part in bits per face, over all faces and over the faces of each emotion."),
        _interaction_table(evidence, found),
        _psychology_table(evidence, found),
    ]  # fmt: skip


def draw_authenticity(exhibit: Exhibit, path: Path) -> None:
    """Fig. D."""
    trust_figures.draw_trust(exhibit.data, path)


def draw_reliability(exhibit: Exhibit, path: Path) -> None:
    """Fig. E."""
    errors = exhibit.data[["source", "ece_raw", "ece"]].drop_duplicates("source")
    trust_figures.draw_reliability(exhibit.data, errors, path)


def draw_contribution(exhibit: Exhibit, path: Path) -> None:
    """Fig. F."""
    trust_figures.draw_contribution(exhibit.data, path)


def _exhibit(key: str, evidence: Evidence, caption: str, data: pd.DataFrame, shown: pd.DataFrame) -> Exhibit:
    return Exhibit(f"{key}-{evidence.name}", TITLES[key], caption, "table", data, shown)


def _figure(key: str, evidence: Evidence, data: pd.DataFrame, caption: str) -> Exhibit:
    alt = f"{TITLES[key]}: {caption} The numbers are in the table beside it."
    return Exhibit(f"{key}-{evidence.name}", TITLES[key], caption, "figure", data, alt=alt)


def _span(value: float, low: float, high: float) -> str:
    return f"{percent(value, 0)} ({percent(low, 0)}–{percent(high, 0)})"


def _authenticity_table(evidence: Evidence, trust: Trust) -> Exhibit:
    data = trust.fit.authenticity_table()
    cells = []
    for emotion in EMOTIONS:
        own: dict[Any, Any] = data[data["emotion"] == emotion.value].set_index("area").to_dict("index")
        cell = {"says": emotion.value}
        for area in AREAS:
            cell[area.words] = _span(*(own[area.value][c] for c in ("p", "low", "high")))
        cells.append(cell)
    held = coverage_of(trust.check.pairs[is_own(trust.check.pairs["source"])])
    caption = (
        f"Percent of the answers that are right when the network of an area says an emotion, with 95% intervals; "
        "fitted "
        f"on {trust.fit.calibration.n:,} validation faces (seed {trust.seed}), rare pairs pooled towards their area "
        "and "
        f"emotion. On test, the intervals hold {percent(held['covered'])}% of the {held['pairs']:.0f} pairs said at "
        "least "
        "20 times."
    )
    return _exhibit("table-k", evidence, caption, data, pd.DataFrame(cells))


def _calibration_table(evidence: Evidence, trust: Trust) -> Exhibit:
    data = trust.check.calibration
    shown = pd.DataFrame({
        "source": [Source(s).words for s in data["source"]],
        "accuracy": [f"{percent(a)} ({percent(lo)}–{percent(hi)})" for a, lo, hi in
                     zip(data["accuracy"], data["accuracy_low"], data["accuracy_high"], strict=True)],
        "ECE, raw": [f"{v:.3f}" for v in data["ece_raw"]],
        "ECE": [f"{v:.3f}" for v in data["ece"]],
        "Brier, raw": [f"{v:.4f}" for v in data["brier_raw"]],
        "Brier": [f"{v:.4f}" for v in data["brier"]],
        "Brier better": ["yes" if lo > 0 else "no" if hi < 0 else "undecided" for lo, hi in
                         zip(data["brier_gain_low"], data["brier_gain_high"], strict=True)],
        "method": data["method"],
    })  # fmt: skip
    n = int(data["n"].iloc[0])
    caption = (
        f"{n:,} test faces, seed {trust.seed}. ECE over 15 equal-width bins; 'Brier better': the "
        "paired 95% interval of the gain over the raw softmax lies above 0."
    )
    return _exhibit("table-l", evidence, caption, data, shown)


def _contribution_table(evidence: Evidence, trust: Trust) -> Exhibit:
    data, cells = trust.contribution.contributions, []
    for (game, emotion), own in data.groupby(["game", "emotion"], sort=False):
        bits = game == "information"
        cell = {"game": str(game).replace("_", " ") + ("" if emotion == "all" else f" of {emotion}")}
        rows: dict[Any, Any] = own.set_index("part").to_dict("index")
        for part in PARTS:
            numbers = [rows[part.value][c] for c in ("value", "low", "high")]
            cell[part.value] = _bits(*numbers) if bits else _points(*numbers)
        cell["unit"] = "bits" if bits else "points"
        cells.append(cell)
    caption = (
        "Exact Shapley values over the seven areas, with 95% bootstrap intervals over test faces: how much each part "
        "adds, "
        "averaged over the orders in which the parts can be uncovered. Accuracy, recall and macro recall in percentage "
        "points; information in bits gained on the class prior. The whole face also shows jaw and cheeks, and a "
        "bounding "
        "box shows pieces of its neighbours (Table I)."
    )
    return _exhibit("table-m", evidence, caption, data, pd.DataFrame(cells))


def _bits(value: float, low: float, high: float) -> str:
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})".replace("-", "−")


def _points(value: float, low: float, high: float) -> str:
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})".replace("-", "−")


def _interaction_table(evidence: Evidence, trust: Trust) -> Exhibit:
    data, cells = trust.contribution.interactions, []
    chosen = data[data["game"].isin(("accuracy", "macro_recall", "information"))]
    for (game, emotion), own in chosen.groupby(["game", "emotion"], sort=False):
        cell = {"game": str(game).replace("_", " ") + ("" if emotion == "all" else f" of {emotion}")}
        for _, r in own.iterrows():
            numbers = [float(r[c]) for c in ("value", "low", "high")]
            cell[str(r["parts"]).replace("+", " + ")] = _bits(*numbers) if game == "information" else _points(*numbers)
        cells.append(cell)
    caption = (
        "Shapley interaction of each pair: above 0 the two give more than both alone; below 0 they tell much the same. "
        "Units as in Table M."
    )
    return _exhibit("table-n", evidence, caption, data, pd.DataFrame(cells))


def _psychology_table(evidence: Evidence, trust: Trust) -> Exhibit:
    data = trust.contribution.psychology
    own = data[data["game"] == "information"]
    shown = pd.DataFrame({
        "in people": own["finding"],
        "study": own["study"],
        "here, bits": [_bits(*numbers) for numbers in own[["difference", "low", "high"]].itertuples(index=False)],
        "compared": [f"{a} minus {b}" for a, b in zip(own["part"], own["rival"], strict=True)],
        "faces": [f"{n:,}" for n in own["n"]],
        "verdict": own["verdict"],
    })  # fmt: skip
    caption = (
        "What studies of people found, beside the difference of the parts' contributions to the information gained "
        "here; "
        "agree or disagree needs the whole 95% interval on one side. The csv also holds the same for recall."
    )
    return _exhibit("table-o", evidence, caption, data, shown)
