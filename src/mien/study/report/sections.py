"""The report's order: the paper's tables and figures by their numbers, the findings, and what lies beyond the paper."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mien.data import PUBLISHED_TABLES
from mien.study.report import accuracy_tables, confusion_figures, data_tables, heatmap_figures
from mien.study.report.crop_figure import crops_figure
from mien.study.report.exhibits import Exhibit, Section, percent, with_interval
from mien.study.report.faces import shown_faces
from mien.study.report.feature_figure import tsne_figure
from mien.study.report.findings import FINDINGS, answer_of, findings_table
from mien.study.report.inputs import Evidence, Setting
from mien.study.report.measured import Measured
from mien.study.report.run_exhibits import curves_figure, runs_table
from mien.study.report.trust import trust_section
from mien.types import AREAS


def sections_of(evidences: Sequence[Evidence], setting: Setting, folder: Path) -> list[Section]:
    """Every section, figures drawn into ``folder``."""
    measured = [Measured.of(evidence, setting) for evidence in evidences]
    return [
        _findings(measured),
        _data(evidences),
        _areas(evidences, setting, folder),
        _padding(measured, setting),
        _accuracy(measured, setting, folder),
        _confusions(measured, folder),
        _heatmaps(measured, setting, folder),
        trust_section([m.evidence for m in measured], setting, folder),
        _beyond(measured, setting, folder),
        _runs(measured, folder),
    ]


def _findings(measured: Sequence[Measured]) -> Section:
    cells = []
    for number, text in FINDINGS.items():
        cell = {"finding": f"{number}. {text}"}
        cell |= {m.evidence.title: answer_of(m.claims, number) for m in measured}
        cells.append(cell)
    data = pd.DataFrame(cells)
    caption = (
        "yes: every claim of the finding holds with its whole 95% interval; no: one fails with it; else undecided."
    )
    summary = Exhibit("table-findings", "Summary", "The paper's five findings", caption, "table", data, data)
    text = (
        "The paper's findings, put to the test on this data. Table A takes each apart into claims with their margins."
    )
    return Section(
        "findings", "The five findings", (text,), (summary, *(findings_table(m.evidence, m.claims) for m in measured))
    )


def _data(evidences: Sequence[Evidence]) -> Section:
    known = {e.name: e for e in evidences}
    shown = [
        data_tables.counts_table(known[name]) if name in known else data_tables.paper_counts_table(name)
        for name in PUBLISHED_TABLES
    ]
    shown += [data_tables.counts_table(e) for e in evidences if e.name not in PUBLISHED_TABLES]
    text = "Faces per emotion, beside the paper's counts and the difference that remains."
    return Section("data", "Tables 1–3: the data", (text,), tuple(shown))


def _areas(evidences: Sequence[Evidence], setting: Setting, folder: Path) -> Section:
    exhibits: list[Exhibit] = []
    for evidence in evidences:
        exhibits.append(data_tables.areas_table(evidence))
        exhibits.append(crops_figure(evidence, shown_faces(evidence, setting.show_faces), folder))
    return Section("areas", "Table 4 and Fig. 4: the areas", (), tuple(exhibits))


def _padding(measured: Sequence[Measured], setting: Setting) -> Section:
    text = (
        "The paper pads every crop to a square before resizing and finds that it helps (Table 5, RAF-DB). The same "
        "comparison on the data given here; below it the same for the hull crops and for both eyes."
    )
    exhibits = [
        accuracy_tables.padding_table(m.evidence, m.crops, name, letter)
        for m in measured
        for name, letter in (("published", ""), ("hull", "b"), ("both_eyes", "c"), ("hull_both_eyes", "d"))
    ]
    return Section("padding", "Table 5: padding against no padding", (text,), tuple(exhibits))


def _accuracy(measured: Sequence[Measured], setting: Setting, folder: Path) -> Section:
    exhibits: list[Exhibit] = [confusion_figures.accuracies_figure([(m.evidence, m.areas) for m in measured], folder)]
    if len(measured) > 1:
        exhibits.insert(0, _all_data_sets(measured))
    for m in measured:
        exhibits += [
            accuracy_tables.accuracy_table(m.evidence, m.areas, m.majority, setting.best_run),
            accuracy_tables.pairs_table(m.evidence, m.areas),
            accuracy_tables.stages_table(m.evidence),
            accuracy_tables.recall_table(m.evidence, m.areas),
        ]
    return Section("comparison", "Table 6: the seven areas compared", (), tuple(exhibits))


def _all_data_sets(measured: Sequence[Measured]) -> Exhibit:
    """Table 6 as published: areas by data sets."""
    cells, rows = [], []
    for area in AREAS:
        cell = {"area": area.words}
        for m in measured:
            found = m.areas.accuracy(area) if m.areas is not None and area in m.areas.arms else None
            cell[m.evidence.title] = with_interval(found)
            if found:
                rows.append({"area": area.value, "dataset": m.evidence.name, **found.to_dict()})
        cells.append(cell)
    caption = "Test accuracy in percent with 95% bootstrap intervals over faces."
    return Exhibit(
        "table-6-all",
        "Table 6",
        "The seven areas on all data sets",
        caption,
        "table",
        pd.DataFrame(rows),
        pd.DataFrame(cells),
    )


def _confusions(measured: Sequence[Measured], folder: Path) -> Section:
    exhibits: list[Exhibit] = []
    for m in measured:
        exhibits += [
            confusion_figures.confusion_figure(m.evidence, m.areas, folder),
            tsne_figure(m.evidence, folder),
        ]
    return Section("confusion", "Fig. 5: confusions and features", (), tuple(exhibits))


def _heatmaps(measured: Sequence[Measured], setting: Setting, folder: Path) -> Section:
    exhibits: list[Exhibit] = []
    for m in measured:
        exhibits += [
            heatmap_figures.heatmaps_figure(m.evidence, m.attention, setting.show_faces, folder),
            confusion_figures.basic_confusions_figure(m.evidence, m.areas, folder),
        ]
    return Section("heatmaps", "Fig. 6 and Fig. 7: heatmaps, and confusions of the basic areas", (), tuple(exhibits))


def _beyond(measured: Sequence[Measured], setting: Setting, folder: Path) -> Section:
    text = (
        "Two questions the paper leaves open. How much does a bounding box leak of the parts around it? And what are "
        "'forehead and cheeks contribute little' and its like as numbers?"
    )
    exhibits: list[Exhibit] = []
    lines = [text]
    for m in measured:
        exhibits += [
            accuracy_tables.specs_table(m.evidence, m.crops),
            heatmap_figures.canonical_figure(m.evidence, m.attention, setting.show_faces, folder),
            heatmap_figures.density_figure(m.evidence, m.attention, folder),
            heatmap_figures.mass_table(m.evidence, m.attention),
        ]
        if m.attention is not None and m.attention.emotions:
            lines.append(html.escape(_sentence(m)))
    return Section(
        "beyond", "Beyond the paper: clean crops, both eyes, attention in numbers", tuple(lines), tuple(exhibits)
    )


GROUPS = {
    "forehead and cheeks": ("forehead", "cheeks"),
    "eyes, brows and what lies around them": ("eyes", "brows", "around the eyes"),
    "the nose": ("nose",),
    "the mouth": ("mouth",),
}


def _sentence(m: Measured) -> str:
    """'Forehead and cheeks contribute little' as a measured sentence."""
    assert m.attention is not None
    mean = m.attention.table().groupby("part")[["mass", "area"]].mean()
    shares = []
    for words, parts in GROUPS.items():
        area, mass = (float(mean.loc[list(parts), column].sum()) for column in ("area", "mass"))
        shares.append(f"{words} {percent(area, 0)}% of the picture and {percent(mass, 0)}% of the attention")
    return f"{m.evidence.title}, means over the emotions: {'; '.join(shares)}."


def _runs(measured: Sequence[Measured], folder: Path) -> Section:
    exhibits: list[Exhibit] = []
    for m in measured:
        exhibits += [runs_table(m.evidence), curves_figure(m.evidence, folder)]
    text = (
        "Every training that the preset plans, and how far it is. Its config.json and curve.csv lie in its run folder."
    )
    return Section("runs", "Trainings", (text,), tuple(exhibits))
