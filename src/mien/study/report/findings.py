"""The paper's five findings, each put as a number that is above 0 when the finding holds, with its 95% interval.

``yes``: the interval lies above 0. ``no``: below. ``undecided``: it holds 0, or the data cannot tell. A finding made of
several claims is ``yes`` when all its claims are, ``no`` when one is ``no``, else ``undecided``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mien.study.report.attention import Attention
from mien.study.report.exhibits import Exhibit, points, verdict
from mien.study.report.inputs import Evidence
from mien.study.report.resample import AreaArms, accuracy, recall, shares
from mien.types import AREAS, BASIC_AREAS, EMOTIONS, Area, Emotion, Float64, Interval

Measure = Callable[[Float64], Float64]

RANKED = tuple(e for e in EMOTIONS if e is not Emotion.CONTEMPT)
"""The paper leaves contempt out of its comparisons for lack of samples; so do the findings."""


@dataclass(frozen=True)
class Claim:
    """One testable sentence.

    Attributes:
        finding: 1 to 5.
        text: the claim.
        measure: what the number is, in words.
        margin: the number with its interval; None when it cannot be measured yet.
        unit: of the margin.
        lacking: why there is no margin.
    """

    finding: int
    text: str
    measure: str
    margin: Interval | None
    unit: str = "points"
    lacking: str = "not measured yet"

    @property
    def answer(self) -> str:
        """yes, no or undecided."""
        return verdict(self.margin)


FINDINGS = {
    1: "Happiness has the highest recall; disgust and fear the lowest; fear is confused with surprise.",
    2: "A compound area beats each of its parts; the whole face beats every area.",
    3: "Mouth is the best basic area overall, and best for neutral, happiness and anger.",
    4: "Eyes give the least confusion for surprise among basic areas.",
    5: "Heatmaps: forehead and cheeks contribute little; mouth for happiness; eyes and mouth for surprise and fear; "
    "the whole face for disgust and anger.",
}


def claims_of(areas: AreaArms | None, attention: Attention | None) -> list[Claim]:
    """Every claim of the five findings on one data set."""
    claims: list[Claim] = []
    for make in (_recall_order, _compound_areas, _best_basic_area, _eyes_for_surprise):
        claims += make(areas)
    return claims + _heatmaps(attention)


def answer_of(claims: Sequence[Claim], finding: int) -> str:
    """A finding's answer from its claims'."""
    answers = {claim.answer for claim in claims if claim.finding == finding}
    if "no" in answers:
        return "no"
    return "yes" if answers == {"yes"} else "undecided"


def _margin(areas: AreaArms | None, needed: Sequence[Area], measure: Measure, n: int | None = None) -> Interval | None:
    if areas is None or not set(needed) <= set(areas.arms):
        return None
    return areas.interval(measure, n)


def _faces(areas: AreaArms | None, *emotions: Emotion) -> int | None:
    return None if areas is None else min(areas.faces_of(e.position) for e in emotions)


def _recall_order(areas: AreaArms | None) -> list[Claim]:
    whole, i = Area.WHOLE_FACE, {e: e.position for e in EMOTIONS}
    rare = [i[Emotion.DISGUST], i[Emotion.FEAR]]
    common = [e.position for e in RANKED if e.position not in rare]
    others = [e.position for e in RANKED if e is not Emotion.HAPPINESS]
    wrong_for_fear = [e.position for e in RANKED if e not in (Emotion.FEAR, Emotion.SURPRISE)]

    def of(c: Float64) -> Float64:
        assert areas is not None
        return np.asarray(c[..., areas.at(whole), :, :])

    def happiness(c: Float64) -> Float64:
        return np.asarray(recall(of(c))[..., i[Emotion.HAPPINESS]] - recall(of(c))[..., others].max(axis=-1))

    def lowest(c: Float64) -> Float64:
        return np.asarray(recall(of(c))[..., common].min(axis=-1) - recall(of(c))[..., rare].max(axis=-1))

    def fear(c: Float64) -> Float64:
        row = shares(of(c))[..., i[Emotion.FEAR], :]
        return np.asarray(row[..., i[Emotion.SURPRISE]] - row[..., wrong_for_fear].max(axis=-1))

    return [
        Claim(1, "Happiness has the highest recall", "its recall minus the next best, whole face",
              _margin(areas, [whole], happiness, _faces(areas, Emotion.HAPPINESS))),
        Claim(1, "Disgust and fear have the lowest", "the lowest other recall minus the better of the two, whole face",
              _margin(areas, [whole], lowest, _faces(areas, Emotion.DISGUST, Emotion.FEAR))),
        Claim(1, "Fear is confused with surprise",
              "share of fear called surprise minus the next most frequent wrong answer, whole face",
              _margin(areas, [whole], fear, _faces(areas, Emotion.FEAR))),
    ]  # fmt: skip


def _compound_areas(areas: AreaArms | None) -> list[Claim]:
    claims = []
    pairs = [a for a in AREAS if len(a.parts) == 2]
    versus = [(a, part) for a in pairs for part in BASIC_AREAS if part.parts < a.parts]
    versus += [(Area.WHOLE_FACE, other) for other in AREAS if other is not Area.WHOLE_FACE]
    for better, other in versus:

        def gap(c: Float64, better: Area = better, other: Area = other) -> Float64:
            assert areas is not None
            return np.asarray(accuracy(c)[..., areas.at(better)] - accuracy(c)[..., areas.at(other)])

        text = f"{better.words.capitalize()} beats {other.words}"
        claims.append(Claim(2, text, "difference of accuracies", _margin(areas, [better, other], gap)))
    return claims


def _best_basic_area(areas: AreaArms | None) -> list[Claim]:
    def lead(score: Measure) -> Measure:
        def measure(c: Float64) -> Float64:
            assert areas is not None
            mouth, nose, eyes = (score(c[..., areas.at(a), :, :]) for a in (Area.MOUTH, Area.NOSE, Area.EYES))
            return np.asarray(mouth - np.maximum(nose, eyes))

        return measure

    claims = [
        Claim(3, "Mouth is the best basic area", "its accuracy minus the better of nose and eyes",
              _margin(areas, BASIC_AREAS, lead(accuracy)))
    ]  # fmt: skip
    for emotion in (Emotion.NEUTRAL, Emotion.HAPPINESS, Emotion.ANGER):

        def of(c: Float64, i: int = emotion.position) -> Float64:
            return np.asarray(recall(c)[..., i])

        margin = _margin(areas, BASIC_AREAS, lead(of), _faces(areas, emotion))
        claims.append(Claim(3, f"Mouth is best for {emotion.value}", "its recall minus the better of the two", margin))
    return claims


def _eyes_for_surprise(areas: AreaArms | None) -> list[Claim]:
    i = Emotion.SURPRISE.position

    def lead(c: Float64) -> Float64:
        assert areas is not None
        mouth, nose, eyes = (recall(c[..., areas.at(a), :, :])[..., i] for a in (Area.MOUTH, Area.NOSE, Area.EYES))
        return np.asarray(eyes - np.maximum(mouth, nose))

    margin = _margin(areas, BASIC_AREAS, lead, _faces(areas, Emotion.SURPRISE))
    return [Claim(4, "Eyes confuse surprise least", "recall of surprise, eyes minus the better of the two", margin)]


def _heatmaps(attention: Attention | None) -> list[Claim]:
    """Density: a part's share of the attention over its share of the picture; 1 is what spreading evenly would give."""
    names: list[tuple[str, str, Callable[[Attention], Interval | None]]] = [
        ("Forehead and cheeks contribute little", "1 minus their density, mean over emotions",
         lambda a: a.quiet(("forehead", "cheeks"))),
        ("Mouth for happiness", "density of the mouth minus that of the next part",
         lambda a: a.lead(Emotion.HAPPINESS, ("mouth",))),
        ("Eyes and mouth for surprise", "the lower of both densities minus that of the next part",
         lambda a: a.lead(Emotion.SURPRISE, ("eyes and brows", "mouth"))),
        ("Eyes and mouth for fear", "the lower of both densities minus that of the next part",
         lambda a: a.lead(Emotion.FEAR, ("eyes and brows", "mouth"))),
        ("Whole face for disgust", "evenness over the parts minus the mean of the other emotions",
         lambda a: a.evenness_lead(Emotion.DISGUST)),
        ("Whole face for anger", "evenness over the parts minus the mean of the other emotions",
         lambda a: a.evenness_lead(Emotion.ANGER)),
    ]  # fmt: skip
    lacking = "not measured yet" if attention is None else "none recognised rightly"
    return [
        Claim(
            5,
            text,
            words,
            None if attention is None else measure(attention),
            "density" if i < 4 else "evenness",
            lacking,
        )
        for i, (text, words, measure) in enumerate(names)
    ]


def claims_table(evidence: Evidence, claims: Sequence[Claim]) -> Exhibit:
    """Table B: the five findings, claim by claim."""
    data = pd.DataFrame([
        {"finding": c.finding, "claim": c.text, "measure": c.measure, "answer": c.answer, "unit": c.unit,
         "margin": c.margin and c.margin.value, "low": c.margin and c.margin.low, "high": c.margin and c.margin.high,
         "n": c.margin and c.margin.n}
        for c in claims
    ])  # fmt: skip
    shown = pd.DataFrame({
        "claim": [f"{c.finding}. {c.text}" for c in claims],
        "answer": [c.answer for c in claims],
        "margin (95% interval)": [_margin_text(c) for c in claims],
        "the margin is": [c.measure for c in claims],
        "faces": ["–" if c.margin is None else f"{c.margin.n:,}" for c in claims],
    })  # fmt: skip
    caption = (
        "A margin above 0 speaks for the claim; 'yes' and 'no' need the whole 95% interval on one side, anything else "
        "is undecided. Recalls and accuracies are differences in percentage points. Contempt is left out, as in the "
        "paper."
    )
    title = f"The five findings on {evidence.title}, claim by claim"
    return Exhibit(f"table-b-{evidence.name}", title, caption, "table", data, shown)


def summary_table(found: Sequence[tuple[str, str, pd.DataFrame]]) -> Exhibit:
    """Table A: each finding's answer, and the claim that decides it.

    Args:
        found: name and title of each data set, and the numbers of its Table B.
    """
    rows = [
        {"finding": finding, "text": text, "dataset": name, "title": title, **_decided(own)}
        for finding, text in FINDINGS.items()
        for name, title, claims in found
        for own in [claims[claims["finding"] == finding]]
    ]
    data = pd.DataFrame(rows)
    shown = pd.DataFrame({
        "finding": [f"{r['finding']}. {r['text']}" for r in rows],
        "data": data["title"],
        "answer": data["answer"],
        "claims that hold": [f"{r['yes']} of {r['claims']}" for r in rows],
        "decided by": data["claim"],
        "margin (95% interval)": [margin_text(r["unit"], r["margin"], r["low"], r["high"]) for r in rows],
    })  # fmt: skip
    caption = (
        "yes: every claim of the finding holds with its whole 95% interval; no: one fails with it; else undecided. "
        "A margin above 0 speaks for its claim. Shown is the claim with the least room (yes), the first that fails "
        "(no) or the first that is open; Table B has all."
    )
    return Exhibit("table-a", "The paper's five findings", caption, "table", data, shown)


def _decided(claims: pd.DataFrame) -> dict[str, Any]:
    """A finding's answer and the claim that decides it."""
    counts = claims["answer"].value_counts()
    answer = "no" if counts.get("no", 0) else "yes" if counts.get("yes", 0) == len(claims) else "undecided"
    own = claims[claims["answer"] == answer]
    chosen = own.iloc[int(own["low"].astype(float).to_numpy().argmin()) if answer == "yes" else 0]
    numbers = {name: None if pd.isna(chosen[name]) else float(chosen[name]) for name in ("margin", "low", "high")}
    return {
        "answer": answer, "claims": len(claims),
        **{name: int(counts.get(name, 0)) for name in ("yes", "no", "undecided")},
        "claim": chosen["claim"], "measure": chosen["measure"], **numbers, "unit": chosen["unit"],
        "n": None if pd.isna(chosen["n"]) else int(chosen["n"]),
    }  # fmt: skip


def margin_text(unit: str, margin: float | None, low: float | None, high: float | None) -> str:
    """A margin with its interval, in its unit; a dash where there is none."""
    if margin is None or low is None or high is None or pd.isna(margin):
        return "–"
    if unit == "points":
        return f"{points(Interval(margin, low, high, 0))} points"
    return f"{margin:+.2f} ({low:+.2f} to {high:+.2f})".replace("-", "−") + f" {unit}"


def _margin_text(claim: Claim) -> str:
    m = claim.margin
    return claim.lacking if m is None else margin_text(claim.unit, m.value, m.low, m.high)
