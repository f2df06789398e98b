"""Figures 5a and 7 of the paper: confusion matrices; and Table 6 as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mien.study.report.canvas import DATASET_COLOURS, figure, matrix, save
from mien.study.report.exhibits import Exhibit, absent, percent
from mien.study.report.inputs import Evidence
from mien.study.report.paper import TEST_ACCURACY
from mien.study.report.resample import AreaArms, recall, shares
from mien.types import AREAS, BASIC_AREAS, EMOTIONS, Area, Float64

NO_AREAS = "no area network is trained yet"


def _confusion_cells(share: Float64, faces: Float64) -> tuple[Float64, list[str], list[list[str]]]:
    """Row shares, row heads with counts and cell texts, of the labels that have faces."""
    rows = [i for i in range(len(EMOTIONS)) if faces[i].sum() > 0]
    heads = [f"{EMOTIONS[i].value} ({round(float(faces[i].sum())):,})" for i in rows]
    return share[rows], heads, [[percent(v, 0) if v >= 0.005 else "" for v in line] for line in share[rows]]


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


def confusion_figure(evidence: Evidence, areas: AreaArms | None) -> Exhibit:
    """Fig. 5a: confusion matrix of the whole-face VGG."""
    id, title = f"fig-5a-{evidence.name}", "Confusion matrix, whole face (VGG)"
    if areas is None or Area.WHOLE_FACE not in areas.arms:
        return absent(id, title, "figure", "the whole-face network is not trained yet")
    data = pd.DataFrame(_confusion_rows(areas.point[areas.at(Area.WHOLE_FACE)], Area.WHOLE_FACE))
    caption = (
        f"{evidence.title} test faces, n = {areas.n:,}. Rows are labels (faces in brackets), columns what the network "
        "says, percent of the row; under 0.5% left empty."
    )
    return Exhibit(id, title, caption, "figure", data, alt=_confusion_alt(areas, [Area.WHOLE_FACE]))


def basic_confusions_figure(evidence: Evidence, areas: AreaArms | None) -> Exhibit:
    """Fig. 7: confusion matrices of mouth, nose and eyes."""
    id, title = f"fig-7-{evidence.name}", "Confusion matrices of the basic areas (VGG)"
    shown = [area for area in BASIC_AREAS if areas is not None and area in areas.arms]
    if areas is None or not shown:
        return absent(id, title, "figure", NO_AREAS)
    data = pd.DataFrame([row for area in shown for row in _confusion_rows(areas.point[areas.at(area)], area)])
    caption = (
        f"{evidence.title} test faces, n = {areas.n:,}; as Fig. 5a. The paper leaves contempt out from here on; it is "
        "kept here with its count, and counts for none of the findings."
    )
    return Exhibit(id, title, caption, "figure", data, alt=_confusion_alt(areas, shown))


def draw_confusions(exhibit: Exhibit, path: Path) -> None:
    """Fig. 5a and Fig. 7: a matrix for each area among the numbers."""
    areas = [Area(name) for name in exhibit.data["area"].unique()]
    drawn = figure(5.8, 4.9) if len(areas) == 1 else figure(4.7 * len(areas), 4.3)
    grid = drawn.subplots(1, len(areas), squeeze=False)[0]
    names = [emotion.value for emotion in EMOTIONS]
    for axes, area in zip(grid, areas, strict=True):
        own = exhibit.data[exhibit.data["area"] == area.value]
        share, faces = (
            own.pivot(index="label", columns="said", values=c).loc[names, names].to_numpy(float)
            for c in ("share", "faces")
        )
        share, heads, texts = _confusion_cells(share, faces)
        matrix(axes, share, heads, names, texts)
        axes.set_title(f"{area.words} ({percent(float(np.trace(faces) / faces.sum()))}% right)")
        axes.set_xlabel("said")
        if axes is grid[0]:
            axes.set_ylabel("label")
    save(drawn, path)


def _confusion_alt(areas: AreaArms, shown: Sequence[Area]) -> str:
    """The diagonal in words."""
    lines = []
    for area in shown:
        found = recall(areas.point)[areas.at(area)]
        said = [f"{e.value} {percent(found[e.position], 0)}%" for e in EMOTIONS if np.isfinite(found[e.position])]
        lines.append(f"{area.words}: recall {', '.join(said)}")
    return "Confusion matrices. " + "; ".join(lines) + "."


def accuracies_figure(found: Sequence[tuple[Evidence, AreaArms | None]]) -> Exhibit:
    """Fig. A, Table 6 as a picture: accuracy of the areas with intervals, all data sets."""
    id, title = "fig-a", "Test accuracy of the seven areas"
    known = [(evidence, areas) for evidence, areas in found if areas is not None]
    if not known:
        return absent(id, title, "figure", NO_AREAS)
    records = [
        {
            "dataset": evidence.name, "title": evidence.title, "area": area.value, "accuracy": i.value, "low": i.low,
            "high": i.high, "n": i.n, "trainings": ", ".join(percent(s) for s in areas.by_seed[area]),
            "paper": TEST_ACCURACY.get(evidence.name, {}).get(area, float("nan")) / 100,
        }
        for evidence, areas in known
        for area in AREAS
        if area in areas.arms
        for i in [areas.accuracy(area)]
    ]  # fmt: skip
    caption = "Dots with 95% bootstrap intervals over test faces; ticks below a dot are its single trainings."
    alt = "; ".join(f"{r['dataset']} {r['area']} {percent(float(str(r['accuracy'])))}%" for r in records)
    return Exhibit(id, title, caption, "figure", pd.DataFrame(records), alt=alt)


def draw_accuracies(exhibit: Exhibit, path: Path) -> None:
    """Fig. A."""
    names = list(exhibit.data["dataset"].unique())
    drawn = figure(7.2, 3.2)
    axes = drawn.subplots()
    for k, name in enumerate(names):
        own = exhibit.data[exhibit.data["dataset"] == name]
        places = [AREAS.index(Area(area)) + 0.18 * (k - (len(names) - 1) / 2) for area in own["area"]]
        values = 100 * own[["accuracy", "low", "high"]].to_numpy(float)
        colour = DATASET_COLOURS[k % len(DATASET_COLOURS)]
        spread = [values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]]
        title = own["title"].iloc[0]
        axes.errorbar(values[:, 0], places, xerr=spread, fmt="o", color=colour, capsize=3, ms=5, label=title)
        for trainings, place in zip(own["trainings"], places, strict=True):
            seeds = [float(s) for s in str(trainings).split(",")]
            axes.plot(seeds, [place + 0.2] * len(seeds), "|", color=colour, ms=6, alpha=0.7)
    axes.set_yticks(range(len(AREAS)), [area.words for area in AREAS])
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy, %")
    axes.grid(axis="x", color="#e0e0e0", lw=0.7)
    axes.set_axisbelow(True)
    if len(names) > 1:
        axes.legend()
    save(drawn, path)
