"""The report's order: what the paper numbers by its numbers, what is ours by letters, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mien.study.report.exhibits import Exhibit

FIRST_SCREEN = ("table-a", "fig-a")
"""The five findings and the answer in a picture."""


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        id: its anchor.
        title: its heading.
        keys: of its exhibits, in order.
        text: a paragraph under the heading.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    text: str = ""


SECTIONS = (
    Section(
        "data", "Tables 1–3: the data", ("table-1", "table-2", "table-3", "table-3b"),
        "Faces per emotion, beside the paper's counts and the difference that remains.",
    ),
    Section("areas", "Table 4 and Fig. 4: the areas", ("table-4", "fig-4")),
    Section(
        "padding", "Table 5: padding against no padding", ("table-5",),
        "The paper pads every crop to a square before resizing and finds that it helps (Table 5, RAF-DB).",
    ),
    Section("comparison", "Table 6: the seven areas compared", ("table-6",)),
    Section("confusion", "Fig. 5: confusions and features", ("fig-5a", "fig-5b")),
    Section("heatmaps", "Fig. 6: heatmaps", ("fig-6",)),
    Section("basic", "Fig. 7: confusions of the basic areas", ("fig-7",)),
    Section(
        "claims", "Ours: the findings, claim by claim", ("table-b",),
        "Each of the paper's findings taken apart into claims, each a margin that is above 0 when the claim holds.",
    ),
    Section("comparisons", "Ours: the areas in more detail", ("table-c", "table-d", "table-e")),
    Section(
        "crops", "Ours: other ways of cutting", ("table-f", "table-g", "table-h", "table-i"),
        "How much does a bounding box leak of the parts around it, and what do both eyes give?",
    ),
    Section(
        "attention", "Ours: attention in numbers", ("fig-b", "fig-c", "table-j"),
        "'Forehead and cheeks contribute little' and its like, as numbers.",
    ),
    Section(
        "trust", "Ours: how far an answer can be trusted, and what each part contributes",
        ("table-k", "fig-d", "table-l", "fig-e", "table-m", "fig-f", "table-n", "table-o"),
        "Given an answer from part of a face, how far can it be trusted; and how much does each part contribute? "
        "Calibration and authenticity are fitted on the validation split and checked here on the test split; the seven "
        "areas are exactly the non-empty subsets of eyes, nose and mouth, so the Shapley values are exact.",
    ),
    Section(
        "shipped", "Ours: the networks that mien ships, and others", ("table-p", "table-q"),
        "Measured by mien evaluate, on the votes of label.csv, which give the paper's counts to the last face.",
    ),
    Section(
        "runs", "Ours: the trainings", ("table-r", "fig-g"),
        "Every training that the preset plans, and how far it is. Its config.json and curve.csv lie in its run folder.",
    ),
)  # fmt: skip
"""In the order of the page, below the first screen. Letters of tables and figures rise in this order."""

ORDER = (*FIRST_SCREEN, *(key for section in SECTIONS for key in section.keys))
"""Every key that a report may hold."""


def in_order(exhibits: Sequence[Exhibit], keys: Sequence[str], datasets: Sequence[str]) -> Iterator[Exhibit]:
    """Exhibits of some keys: key by key; of one key what is about all first, then data set by data set."""
    places = {name: place for place, name in enumerate(["", *datasets])}
    for key in keys:
        own = [e for e in exhibits if e.key == key]
        yield from sorted(own, key=lambda e: (places.get(e.dataset, len(places)), e.dataset))
