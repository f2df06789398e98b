"""Tables and figures as the report holds them: numbers for csv and json, and what a reader sees."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mien.types import Interval


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One numbered table or figure.

    Attributes:
        id: unique in the page and name of its files: ``table-6-ferplus``.
        label: ``Table 6`` or ``Fig. 5``.
        title: in words.
        caption: how to read it, and what it rests on.
        kind: table or figure.
        data: its numbers, for csv and json.
        shown: a table's cells as text, first column is the row's head; None for a figure.
        image: a figure's file; None where it is missing.
        alt: what a figure shows, for those who cannot see it.
        missing: why it is not there yet; empty when it is.
        folded: a long table that opens on demand.
    """

    id: str
    label: str
    title: str
    caption: str
    kind: Literal["table", "figure"]
    data: pd.DataFrame
    shown: pd.DataFrame | None = None
    image: Path | None = None
    alt: str = ""
    missing: str = ""
    folded: bool = False

    def write_data(self, results: Path) -> None:
        """Write ID.csv and ID.json; nothing where it is missing."""
        if self.missing:
            return
        results.mkdir(parents=True, exist_ok=True)
        self.data.to_csv(results / f"{self.id}.csv", index=False, float_format="%.6g")
        about = {"id": self.id, "label": self.label, "title": self.title, "caption": self.caption}
        rows = self.data.to_json(orient="records", double_precision=6)
        (results / f"{self.id}.json").write_text(f'{json.dumps(about)[:-1]}, "rows": {rows}}}\n')

    def table_html(self) -> str:
        """The table's head and body as HTML."""
        if self.shown is None:
            return ""
        wordy = [self.shown[name].astype(str).str.len().max() > WORDY for name in self.shown.columns]
        heads = zip(self.shown.columns, wordy, strict=True)
        head = "".join(f'<th scope="col"{_style(w)}>{html.escape(str(name))}</th>' for name, w in heads)
        body = "".join(_row(list(row), wordy) for row in self.shown.itertuples(index=False))
        return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


WORDY = 40
"""A column with a longer cell is text: left-aligned and wrapped."""

VERDICTS = {"yes": "yes", "agree": "yes", "no": "no", "disagree": "no", "undecided": "undecided"}


def _style(wordy: bool) -> str:
    return ' class="text"' if wordy else ""


def _row(cells: list[object], wordy: list[bool]) -> str:
    first = f'<th scope="row"{_style(wordy[0])}>{html.escape(str(cells[0]))}</th>'
    rest = zip(cells[1:], wordy[1:], strict=True)
    return f"<tr>{first}{''.join(_cell(str(cell), w) for cell, w in rest)}</tr>"


def _cell(text: str, wordy: bool) -> str:
    style = f' class="{VERDICTS[text]}"' if text in VERDICTS else _style(wordy)
    return f"<td{style}>{html.escape(text)}</td>"


def absent(id: str, label: str, title: str, kind: Literal["table", "figure"], why: str) -> Exhibit:
    """A place kept for a table or figure that cannot be made yet."""
    return Exhibit(id, label, title, "", kind, pd.DataFrame(), missing=why)


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the report.

    Attributes:
        id: its anchor.
        title: its heading.
        text: paragraphs of HTML.
        exhibits: its tables and figures, in order.
    """

    id: str
    title: str
    text: tuple[str, ...] = ()
    exhibits: tuple[Exhibit, ...] = field(default_factory=tuple)


def percent(value: float | None, digits: int = 1) -> str:
    """``0.8123`` -> ``81.2``; a dash where there is nothing."""
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.{digits}f}"


def signed(value: float | None, digits: int = 1) -> str:
    """Percentage points with their sign."""
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:+.{digits}f}".replace("-", "−")


def with_interval(interval: Interval | None) -> str:
    """``81.2 (79.8–82.5)``, percent."""
    if interval is None:
        return "–"
    return f"{percent(interval.value)} ({percent(interval.low)}–{percent(interval.high)})"


def points(interval: Interval | None) -> str:
    """``+5.0 (+3.1 to +6.8)``, percentage points."""
    if interval is None:
        return "–"
    return f"{signed(interval.value)} ({signed(interval.low)} to {signed(interval.high)})"


def verdict(difference: Interval | None) -> str:
    """``yes`` when the interval lies above 0, ``no`` when below, else ``undecided``."""
    if difference is None:
        return "undecided"
    return "yes" if difference.low > 0 else "no" if difference.high < 0 else "undecided"
