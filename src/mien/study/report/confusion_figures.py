"""Figures 5 (left) and 7 of the paper: confusion matrices; and Table 6 as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mien.face.colours import BLUE, EMOTION_COLOURS, GREY
from mien.study.report.canvas import figure, matrix, save
from mien.study.report.exhibits import Exhibit, absent, percent
from mien.study.report.inputs import Evidence
from mien.study.report.resample import AreaArms, accuracy, recall, shares
from mien.types import AREAS, BASIC_AREAS, EMOTIONS, Area, Float64

NO_AREAS = "no area network is trained yet"


def _confusion_cells(confusion: Float64) -> tuple[Float64, list[str], list[list[str]], list[int]]:
    """Row shares, row heads with counts, cell texts and the rows that have faces."""
    rows = [i for i in range(len(EMOTIONS)) if confusion[i].sum() > 0]
    share = shares(confusion)[rows]
    heads = [f"{EMOTIONS[i].value} ({round(float(confusion[i].sum())):,})" for i in rows]
    return share, heads, [[percent(v, 0) if v >= 0.005 else "" for v in line] for line in share], rows


def _confusion_rows(confusion: Float64, area: Area) -> list[dict[str, object]]:
    share = shares(confusion)
    return [
        {
            "area": area.value, "label": label.value, "said": said.value,
            "faces": float(confusion[label.position, said.position]),
            "share": float(share[label.position, said.position]),
        }
        for label in EMOTIONS
        for said in EMOTIONS
    ]  # fmt: skip


def confusion_figure(evidence: Evidence, areas: AreaArms | None, folder: Path) -> Exhibit:
    """Fig. 5, left: confusion matrix of the whole-face VGG."""
    id, title = f"fig-5-confusion-{evidence.name}", "Confusion matrix, whole face (VGG)"
    if areas is None or Area.WHOLE_FACE not in areas.arms:
        return absent(id, "Fig. 5", title, "figure", "the whole-face network is not trained yet")
    drawn = figure(5.8, 4.9)
    _draw_confusion(drawn, [Area.WHOLE_FACE], areas)
    confusion = areas.point[areas.at(Area.WHOLE_FACE)]
    data = pd.DataFrame(_confusion_rows(confusion, Area.WHOLE_FACE))
    caption = (
        f"{evidence.title} test faces, n = {areas.n:,}. Rows are labels (faces in brackets), columns what the network "
        "says, percent of the row; under 0.5% left empty."
    )
    return Exhibit(
        id,
        "Fig. 5",
        title,
        caption,
        "figure",
        data,
        None,
        save(drawn, folder, id),
        _confusion_alt(areas, [Area.WHOLE_FACE]),
    )


def _draw_confusion(drawn: Figure, shown: Sequence[Area], areas: AreaArms) -> None:
    grid = drawn.subplots(1, len(shown), squeeze=False)[0]
    for axes, area in zip(grid, shown, strict=True):
        share, heads, texts, _ = _confusion_cells(areas.point[areas.at(area)])
        matrix(axes, share, heads, [e.value for e in EMOTIONS], texts)
        axes.set_title(f"{area.words} ({percent(float(accuracy(areas.point)[areas.at(area)]))}% right)")
        axes.set_xlabel("said")
        if axes is grid[0]:
            axes.set_ylabel("label")


def _confusion_alt(areas: AreaArms, shown: Sequence[Area]) -> str:
    """The diagonal in words."""
    lines = []
    for area in shown:
        found = recall(areas.point)[areas.at(area)]
        said = [f"{e.value} {percent(found[e.position], 0)}%" for e in EMOTIONS if np.isfinite(found[e.position])]
        lines.append(f"{area.words}: recall {', '.join(said)}")
    return "Confusion matrices. " + "; ".join(lines) + "."


def basic_confusions_figure(evidence: Evidence, areas: AreaArms | None, folder: Path) -> Exhibit:
    """Fig. 7: confusion matrices of mouth, nose and eyes."""
    id, title = f"fig-7-{evidence.name}", "Confusion matrices of the basic areas (VGG)"
    shown = [area for area in BASIC_AREAS if areas is not None and area in areas.arms]
    if areas is None or not shown:
        return absent(id, "Fig. 7", title, "figure", NO_AREAS)
    drawn = figure(4.7 * len(shown), 4.3)
    _draw_confusion(drawn, shown, areas)
    data = pd.DataFrame([row for area in shown for row in _confusion_rows(areas.point[areas.at(area)], area)])
    caption = (
        f"{evidence.title} test faces, n = {areas.n:,}; as Fig. 5. The paper leaves contempt out from here on; it is "
        "kept "
        "here with its count, and counts for none of the findings."
    )
    return Exhibit(
        id, "Fig. 7", title, caption, "figure", data, None, save(drawn, folder, id), _confusion_alt(areas, shown)
    )


def accuracies_figure(found: Sequence[tuple[Evidence, AreaArms | None]], folder: Path) -> Exhibit:
    """Table 6 as a picture: accuracy of the areas with intervals, all data sets."""
    id, title = "fig-a-accuracy", "Test accuracy of the seven areas"
    known = [(evidence, areas) for evidence, areas in found if areas is not None]
    if not known:
        return absent(id, "Fig. A", title, "figure", NO_AREAS)
    records = [
        {"dataset": evidence.name, "area": area.value, "accuracy": i.value, "low": i.low, "high": i.high, "n": i.n}
        for evidence, areas in known
        for area in AREAS
        if area in areas.arms
        for i in [areas.accuracy(area)]
    ]
    drawn = figure(7.2, 3.2)
    axes = drawn.subplots()
    for k, (evidence, areas) in enumerate(known):
        own = [r for r in records if r["dataset"] == evidence.name]
        places = [AREAS.index(Area(str(r["area"]))) + 0.18 * (k - (len(known) - 1) / 2) for r in own]
        values = np.array([[float(str(r[c])) for c in ("accuracy", "low", "high")] for r in own]) * 100
        colour = (BLUE, *list(EMOTION_COLOURS.values())[4:6], GREY)[k % 4]
        spread = [values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]]
        axes.errorbar(values[:, 0], places, xerr=spread, fmt="o", color=colour, capsize=3, ms=5, label=evidence.title)
        for r, place in zip(own, places, strict=True):
            seeds = [100 * s for s in areas.by_seed[Area(str(r["area"]))]]
            axes.plot(seeds, [place + 0.2] * len(seeds), "|", color=colour, ms=6, alpha=0.7)
    axes.set_yticks(range(len(AREAS)), [area.words for area in AREAS])
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy, %")
    axes.grid(axis="x", color="#e0e0e0", lw=0.7)
    axes.set_axisbelow(True)
    if len(known) > 1:
        axes.legend()
    caption = "Dots with 95% bootstrap intervals over test faces; ticks below a dot are its single trainings."
    alt = "; ".join(f"{r['dataset']} {r['area']} {percent(float(str(r['accuracy'])))}%" for r in records)
    return Exhibit(id, "Fig. A", title, caption, "figure", pd.DataFrame(records), None, save(drawn, folder, id), alt)
