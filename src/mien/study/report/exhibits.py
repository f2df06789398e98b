"""Tables and figures as the report holds them: numbers for csv and json, and what a reader sees."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd

from mien.errors import TableError
from mien.jobs.files import replace_file, replacing
from mien.types import Interval, UInt8


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One numbered table or figure, as its result files hold it: the page is made from these alone.

    Attributes:
        id: unique in the page and name of its files: ``table-6-ferplus``; its first two words are its ``key``.
        title: in words.
        caption: how to read it, and what it rests on.
        kind: table or figure.
        data: its numbers, for csv and json; a figure is drawn from them.
        shown: a table's cells as text, first column is the row's head; None for a figure.
        pictures: what a figure needs beside its numbers: name -> uint8 [H, W] or [H, W, 3] (RGB).
        alt: what a figure shows, for those who cannot see it.
        missing: why it is not there yet; empty when it is.
        folded: a long table that opens on demand.
    """

    id: str
    title: str
    caption: str
    kind: Literal["table", "figure"]
    data: pd.DataFrame
    shown: pd.DataFrame | None = None
    pictures: Mapping[str, UInt8] = field(default_factory=dict)
    alt: str = ""
    missing: str = ""
    folded: bool = False

    @property
    def key(self) -> str:
        """``table-6`` of ``table-6-ferplus``: its place in the report."""
        return "-".join(self.id.split("-")[:2])

    @property
    def dataset(self) -> str:
        """``ferplus`` of ``table-6-ferplus``; empty where it is about all."""
        return "-".join(self.id.split("-")[2:])

    @property
    def label(self) -> str:
        """``Table 6``, ``Fig. 5a``; letters stand for what is ours."""
        return label_of(self.key)

    def write(self, results: Path) -> None:
        """Write ID.json, ID.csv and ID.NAME.png for each picture; only the json where it is missing."""
        results.mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {
            "id": self.id, "label": self.label, "title": self.title, "caption": self.caption, "kind": self.kind,
            "alt": self.alt, "missing": self.missing, "folded": self.folded,
        }  # fmt: skip
        if self.shown is not None:
            about["shown"] = {"columns": list(self.shown.columns), "rows": self.shown.astype(str).to_numpy().tolist()}
        rows = self.data.to_json(orient="records", double_precision=6)
        text = f'{json.dumps(about, ensure_ascii=False)[:-1]}, "rows": {rows}}}\n'
        replace_file(results / f"{self.id}.json", text)
        if not self.missing:
            with replacing(results / f"{self.id}.csv") as scratch:
                self.data.to_csv(scratch, index=False, float_format="%.6g")
        for name, picture in self.pictures.items():
            stored = picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., ::-1])
            with replacing(results / f"{self.id}.{name}.png") as scratch:
                cv2.imwrite(str(scratch), stored, [cv2.IMWRITE_PNG_COMPRESSION, 9])

    @classmethod
    def read(cls, file: Path) -> Exhibit:
        """What :meth:`write` wrote.

        Raises:
            TableError: the file is no result of a study.
        """
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
            shown = about.get("shown")
            return cls(
                about["id"], about["title"], about["caption"], about["kind"], pd.DataFrame(about["rows"]),
                None if shown is None else pd.DataFrame(shown["rows"], columns=shown["columns"]),
                _pictures(file, about["id"]), about["alt"], about["missing"], about["folded"],
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TableError(f"{file} is no result file of mien study ({error})") from error

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


def label_of(key: str) -> str:
    """``table-6`` -> ``Table 6``, ``fig-b`` -> ``Fig. B``; paper's parts of a figure stay small: ``Fig. 5a``."""
    kind, _, number = key.partition("-")
    return f"{'Table' if kind == 'table' else 'Fig.'} {number if number[0].isdigit() else number.upper()}"


def _pictures(file: Path, id: str) -> dict[str, UInt8]:
    found = {}
    for path in sorted(file.parent.glob(f"{id}.*.png")):
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if stored is None:
            raise TableError(f"{path} is no picture")
        found[path.name.removeprefix(f"{id}.").removesuffix(".png")] = np.asarray(
            stored if stored.ndim == 2 else stored[..., ::-1], np.uint8
        )
    return found


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


def absent(id: str, title: str, kind: Literal["table", "figure"], why: str) -> Exhibit:
    """A place kept for a table or figure that cannot be made yet."""
    return Exhibit(id, title, "", kind, pd.DataFrame(), missing=why)


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
