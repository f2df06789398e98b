"""The first screen of the report: the paper's question, the answer in a picture, the five findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mien.study.report.canvas import DATASET_COLOURS
from mien.study.report.exhibits import Exhibit, percent
from mien.study.report.findings import margin_text
from mien.types import AREAS, BASIC_AREAS, PARTS, Area

QUESTION = (
    "When only part of a face can be seen, how far can the emotion read from it be trusted: how much do eyes, nose and "
    "mouth each tell?"
)


LEAST_SAID = 50
"""Answers of a kind on validation, below which its share of right ones is not put on the first screen."""


@dataclass(frozen=True)
class Bar:
    """One accuracy, percent.

    Attributes:
        dataset: in words.
        colour: of the data set.
        value: share right.
        low: of its 95% interval.
        high: of its 95% interval.
        paper: what the paper reports; None where our copy of it is silent.
    """

    dataset: str
    colour: str
    value: float
    low: float
    high: float
    paper: float | None


@dataclass(frozen=True)
class AreaBars:
    """One area's line in the picture: ``parts`` are the visible ones."""

    words: str
    parts: tuple[str, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Finding:
    """One of the paper's findings on one data set, in words."""

    number: int
    text: str
    dataset: str
    answer: str
    why: str


def lines_of(accuracies: Exhibit | None) -> list[AreaBars]:
    """The picture: a line an area, a bar a data set; empty where nothing is trained."""
    if accuracies is None or accuracies.missing:
        return []
    data = accuracies.data
    colours = dict(zip(data["dataset"].unique(), DATASET_COLOURS * 9, strict=False))
    return [
        AreaBars(area.words, tuple(part.value for part in PARTS if part in area.parts), tuple(_bars(own, colours)))
        for area in AREAS
        for own in [data[data["area"] == area.value]]
        if len(own)
    ]


def _bars(own: pd.DataFrame, colours: dict[object, str]) -> list[Bar]:
    return [
        Bar(
            r["title"], colours[r["dataset"]], _percent(r["accuracy"]), _percent(r["low"]), _percent(r["high"]),
            None if pd.isna(r["paper"]) else _percent(r["paper"]),
        )
        for _, r in own.iterrows()
    ]  # fmt: skip


def _percent(share: object) -> float:
    return round(100 * float(str(share)), 1)


def findings_of(summary: Exhibit | None) -> list[Finding]:
    """The five findings, each with what decides it."""
    if summary is None or summary.missing:
        return []
    return [Finding(int(r["finding"]), r["text"], r["title"], r["answer"], _why(r)) for _, r in summary.data.iterrows()]


def _why(row: pd.Series) -> str:
    """``15 of 15 claims hold; the closest: ...``."""
    held = "its claim holds" if row["yes"] == row["claims"] == 1 else f"{row['yes']} of {row['claims']} claims hold"
    held += f", {row['no']} fail" if row["no"] else ""
    lead = {"yes": "the closest", "no": "the first that fails", "undecided": "open"}[row["answer"]]
    margin = margin_text(row["unit"], row["margin"], row["low"], row["high"])
    return f"{held}; {lead}: {row['claim'][0].lower()}{row['claim'][1:]}, {margin}"


def answer_of(accuracies: Exhibit | None, contributions: Sequence[Exhibit], authenticity: Sequence[Exhibit]) -> str:
    """The answer in three sentences, of the first data set."""
    if accuracies is None or accuracies.missing:
        return "No area network is trained yet."
    first = accuracies.data["dataset"].iloc[0]
    own = accuracies.data[accuracies.data["dataset"] == first].set_index("area")
    named = [(a, own.loc[a.value]) for a in (*BASIC_AREAS, Area.WHOLE_FACE) if a.value in own.index]
    shares = [f"{area.words} {percent(float(r['accuracy']))}%" for area, r in named]
    said = [f"Right on {int(own['n'].iloc[0]):,} test faces of {own['title'].iloc[0]}: {', '.join(shares)}."]
    said += [_trusted(e.data) for e in authenticity if not e.missing and e.dataset == first]
    for found in (e.data for e in contributions if not e.missing and e.dataset == first):
        bits = found[(found["game"] == "information") & (found["emotion"] == "all")]
        given = [f"{r['part']} {float(r['value']):.2f}" for _, r in bits.iterrows()]
        said.append(f"Bits that each part adds to what is known of the emotion: {', '.join(given)}.")
    return " ".join(said)


def _trusted(table: pd.DataFrame) -> str:
    """The most and the least trustworthy answer from one part alone, of those given often enough to tell."""
    often = table[table["area"].isin([a.value for a in BASIC_AREAS]) & (table["n"] >= LEAST_SAID)]
    if not len(often):
        return ""
    order = often["p"].to_numpy().argsort()
    best, worst = often.iloc[int(order[-1])], often.iloc[int(order[0])]
    words = [
        f"{r['emotion']} read from the {r['area']} alone is right {percent(float(r['p']), 0)}%" for r in (best, worst)
    ]
    return f"{words[0].capitalize()} of the time, {words[1]}."
