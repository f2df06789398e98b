"""Evidence -> every table and figure of the report, in no order: ``contents`` has that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from mien.data import PUBLISHED_TABLES
from mien.study.report import accuracy_tables, confusion_figures, data_tables, heatmap_figures
from mien.study.report.crop_figure import crops_figure
from mien.study.report.exhibits import Exhibit, with_interval
from mien.study.report.faces import shown_faces
from mien.study.report.feature_figure import tsne_figure
from mien.study.report.findings import claims_table, summary_table
from mien.study.report.inputs import Evidence, Setting
from mien.study.report.measured import Measured
from mien.study.report.run_exhibits import curves_figure, runs_table
from mien.study.report.trust import trust_exhibits
from mien.types import AREAS

PADDED = {"table-5": "published", "table-f": "hull", "table-g": "both_eyes", "table-h": "hull_both_eyes"}
"""Tables of padding against no padding, and the way of cutting of each."""


def exhibits_of(evidences: Sequence[Evidence], setting: Setting) -> list[Exhibit]:
    """Every table and figure that the evidence gives; those it cannot give yet say why."""
    measured = [Measured.of(evidence, setting) for evidence in evidences]
    claims = [claims_table(m.evidence, m.claims) for m in measured]
    named = [(m.evidence.name, m.evidence.title, table.data) for m, table in zip(measured, claims, strict=True)]
    found = [summary_table(named), *claims, *_counts(evidences)]
    found.append(confusion_figures.accuracies_figure([(m.evidence, m.areas) for m in measured]))
    if len(measured) > 1:
        found.append(_all_data_sets(measured))
    for m in measured:
        found += [*_published(m, setting), *_ours(m, setting)]
    return found


def _counts(evidences: Sequence[Evidence]) -> Iterator[Exhibit]:
    known = {e.name: e for e in evidences}
    for name in PUBLISHED_TABLES:
        yield data_tables.counts_table(known[name]) if name in known else data_tables.paper_counts_table(name)
    yield from (data_tables.counts_table(e) for e in evidences if e.name not in PUBLISHED_TABLES)


def _published(m: Measured, setting: Setting) -> Iterator[Exhibit]:
    """What the paper numbers."""
    evidence = m.evidence
    yield data_tables.areas_table(evidence)
    yield crops_figure(evidence, shown_faces(evidence, setting.show_faces))
    yield accuracy_tables.accuracy_table(evidence, m.areas, m.majority, setting.best_run)
    yield confusion_figures.confusion_figure(evidence, m.areas)
    yield tsne_figure(evidence)
    yield heatmap_figures.heatmaps_figure(evidence, m.attention, setting.show_faces)
    yield confusion_figures.basic_confusions_figure(evidence, m.areas)


def _ours(m: Measured, setting: Setting) -> Iterator[Exhibit]:
    """What is beyond the paper, and its Table 5 with the tables like it."""
    evidence = m.evidence
    yield from (accuracy_tables.padding_table(evidence, m.crops, spec, key) for key, spec in PADDED.items())
    yield accuracy_tables.pairs_table(evidence, m.areas)
    yield accuracy_tables.recall_table(evidence, m.areas)
    yield accuracy_tables.stages_table(evidence)
    yield accuracy_tables.specs_table(evidence, m.crops)
    yield heatmap_figures.canonical_figure(evidence, m.attention, setting.show_faces)
    yield heatmap_figures.density_figure(evidence, m.attention)
    yield heatmap_figures.mass_table(evidence, m.attention)
    yield from trust_exhibits(evidence, setting)
    yield runs_table(evidence)
    yield curves_figure(evidence)


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
    title = "The seven areas on all data sets"
    return Exhibit("table-6", title, caption, "table", pd.DataFrame(rows), pd.DataFrame(cells))
