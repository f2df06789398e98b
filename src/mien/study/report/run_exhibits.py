"""How the trainings went: what is planned, what is finished, and every curve."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from mien.face.colours import AREA_COLOURS, GREY, GRID
from mien.study.report.canvas import figure, save
from mien.study.report.exhibits import Exhibit, absent
from mien.study.report.inputs import Evidence
from mien.types import AREAS, Area

ROLE_WORDS = {"areas": "seven areas", "visualisation": "visualisation", "crops": "comparison of crops"}


def runs_table(evidence: Evidence) -> Exhibit:
    """What was planned and what is finished."""
    runs = evidence.runs
    states = zip(runs["finished"], runs["epochs"], runs["epochs_planned"], strict=True)
    shown = pd.DataFrame({
        "run": runs["run"],
        "for": [ROLE_WORDS[role] for role in runs["role"]],
        "crops": runs["spec"],
        "schedule": runs["stages"],
        "state": ["finished" if f else f"epoch {done} of {n}" if done else "not begun" for f, done, n in states],
        "core-hours": [f"{s / 3600:.2f}" if s else "–" for s in runs["core_seconds"]],
    })  # fmt: skip
    once = runs.drop_duplicates("run")
    hours = once["core_seconds"].sum() / 3600
    caption = (
        f"{int(once['finished'].sum())} of {len(once)} trainings finished; {hours:.1f} core-hours so far (wall clock "
        "of finished epochs times their threads, on a machine that may have done other work too). Schedule: epochs × "
        "pixels."
    )
    title = f"Trainings on {evidence.title}"
    return Exhibit(f"table-r-{evidence.name}", title, caption, "table", runs, shown, folded=True)


def curves_figure(evidence: Evidence) -> Exhibit:
    """Fig. G: how every training went."""
    id, title = f"fig-g-{evidence.name}", "Training curves"
    if not len(evidence.curves):
        return absent(id, title, "figure", "no training has begun")
    first = ["run", "role", "area", "spec"]
    known = evidence.runs[first].drop_duplicates("run")
    curves = evidence.curves.merge(known, on="run")
    split = _watched(curves).removesuffix("_accuracy")
    caption = (
        f"Accuracy on the {split} split after each epoch, with the weights that would be kept; jumps are changes of "
        "input size. One line a training."
    )
    alt = f"Line chart of {curves['run'].nunique()} trainings; the numbers are in the csv file."
    data = curves[[*first, *(c for c in evidence.curves.columns if c != "run")]]
    return Exhibit(id, title, caption, "figure", data, alt=alt)


def _watched(curves: pd.DataFrame) -> str:
    return str(next(c for c in curves.columns if c.endswith("_accuracy")))


def draw_curves(exhibit: Exhibit, path: Path) -> None:
    """Fig. G."""
    curves, watched = exhibit.data.fillna({"area": ""}), _watched(exhibit.data)
    roles = [role for role in ROLE_WORDS if (curves["role"] == role).any()]
    drawn = figure(3.4 * len(roles) + 1.4, 3.3)
    grid = drawn.subplots(1, len(roles), squeeze=False, sharey=True)[0]
    for axes, role in zip(grid, roles, strict=True):
        for _, own in curves[curves["role"] == role].groupby("run"):
            area = str(own["area"].iloc[0])
            colour = AREA_COLOURS[Area(area)] if area else GREY
            axes.plot(own["epoch"], 100 * own[watched], color=colour, lw=1.1, alpha=0.85, marker=".", ms=3)
        axes.set_title(ROLE_WORDS[role])
        axes.set_xlabel("epoch")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color=GRID, lw=0.7)
    grid[0].set_ylabel(f"{watched.removesuffix('_accuracy')} accuracy, %")
    for area in AREAS:
        grid[-1].plot([], [], color=AREA_COLOURS[area], label=area.words)
    if (curves["area"] == "").any():
        grid[-1].plot([], [], color=GREY, label="all areas, one network")
    drawn.legend(*grid[-1].get_legend_handles_labels(), loc="outside right upper")
    save(drawn, path)
