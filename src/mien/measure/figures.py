"""Pictures of trust and contribution tables. Needs matplotlib (extra ``data``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mien.errors import MissingExtraError
from mien.face.colours import BLUE, PART_COLOURS
from mien.jobs.files import replacing
from mien.trust.fitted import lookup
from mien.types import AREAS, EMOTIONS, PARTS

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtraError("matplotlib", "data", "drawing") from error


"""Okabe and Ito's colours, told apart by colour-blind readers too."""


def draw_trust(table: pd.DataFrame, path: Path, title: str = "") -> None:
    """Heat map of an AuthenticityTable: areas down, emotions across, how often the answer is right.

    Args:
        table: columns emotion, area, p, low, high, n.
        path: picture to write; its ending decides the format (png, svg, pdf).
        title: above the picture.
    """
    areas = [a for a in AREAS if a.value in set(table["area"])]
    figure = Figure(figsize=(10.5, 1.6 + 0.62 * len(areas)), layout="constrained")
    axes = figure.subplots()
    cells = lookup(table, "area", "emotion")
    values = np.array([[cells[a.value, e.value]["p"] for e in EMOTIONS] for a in areas], float)
    image = axes.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for y, area in enumerate(areas):
        for x, emotion in enumerate(EMOTIONS):
            row = cells[area.value, emotion.value]
            text = f"{row['p']:.0%}\n{row['low']:.0%} to {row['high']:.0%}\nn {int(row['n'])}"
            axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color="black" if row["p"] > 0.55 else "white")
    axes.set_xticks(range(len(EMOTIONS)), [f"says {e.value}" for e in EMOTIONS], fontsize=8.5)
    axes.set_yticks(range(len(areas)), [a.words for a in areas])
    axes.set_title(title or "How often is the answer right? (95% interval, n on validation)")
    figure.colorbar(image, ax=axes, label="probability that the answer is right", shrink=0.9)
    _save(figure, path)


def draw_reliability(reliability: pd.DataFrame, calibration: pd.DataFrame, path: Path) -> None:
    """Reliability diagrams, one panel a source: confidence against share right, before and after calibration.

    Args:
        reliability: ``TrustCheck.reliability``.
        calibration: ``TrustCheck.calibration``, whose errors are written in the panels.
        path: picture to write.
    """
    names = list(calibration["source"])
    columns = 4
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.1 * columns, 3.1 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for axes, name in zip(panels, names, strict=False):
        axes.plot([0, 1], [0, 1], color="0.7", lw=1)
        for kind, color in (("raw", "0.55"), ("probability", BLUE)):
            part = reliability[(reliability["source"] == name) & (reliability["confidence_of"] == kind)]
            around = np.abs(part[["low", "high"]].to_numpy().T - part["right"].to_numpy())
            axes.errorbar(part["confidence"], part["right"], yerr=around, fmt="o-", ms=3, lw=1, color=color, label=kind)
        row = calibration.set_index("source").loc[name]
        axes.set_title(name.replace("_", " "), fontsize=9)
        axes.text(0.03, 0.93, f"ECE {row['ece_raw']:.3f} -> {row['ece']:.3f}", transform=axes.transAxes, fontsize=8)
        axes.set(xlim=(0, 1), ylim=(0, 1))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    panels[0].legend(["perfect", "softmax", "calibrated"], fontsize=7, loc="lower right")
    figure.supxlabel("confidence of the answer")
    figure.supylabel("share right on test")
    _save(figure, path)


def draw_contribution(table: pd.DataFrame, path: Path, game: str = "information") -> None:
    """Bars with intervals: each part's Shapley value, over all emotions and for each.

    Args:
        table: the ContributionTable.
        path: picture to write.
        game: ``information`` or ``recall`` (with its overall game, ``accuracy``).
    """
    overall = "information" if game == "information" else "accuracy"
    groups = [(overall, "all"), *((game, e.value) for e in EMOTIONS)]
    kept = lookup(table, "game", "emotion", "part")
    groups = [g for g in groups if (*g, PARTS[0].value) in kept]
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots()
    for at, part in enumerate(PARTS):
        rows = [kept[(*g, part.value)] for g in groups]
        middle = np.array([r["value"] for r in rows], float)
        around = np.abs(np.array([[r["low"], r["high"]] for r in rows], float).T - middle)
        places = np.arange(len(groups)) + (at - 1) * 0.27
        axes.bar(places, middle, 0.25, yerr=around, capsize=2, label=part.value, color=PART_COLOURS[part])
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xticks(range(len(groups)), ["all faces" if e == "all" else e for _, e in groups])
    axes.set_ylabel("bits a face" if game == "information" else "share of faces answered rightly")
    axes.set_title(f"Contribution of each part (exact Shapley values, {game}, 95% bootstrap interval)")
    axes.legend()
    _save(figure, path)


def draw_occlusion(table: pd.DataFrame, path: Path) -> None:
    """Accuracy with each part covered: the whole-face network on the covered face, and mien's visible areas.

    Args:
        table: ``occlusion.summary``: columns covered, whole_face, visible_areas, each with _low and _high, and bare.
        path: picture to write.
    """
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    kinds = (("whole_face", "occluded whole face", "0.6"), ("visible_areas", "visible areas only", BLUE))
    for at, (column, label, color) in enumerate(kinds):
        middle = table[column].to_numpy(float)
        around = np.abs(table[[f"{column}_low", f"{column}_high"]].to_numpy(float).T - middle)
        places = np.arange(len(table)) + (at - 0.5) * 0.36
        axes.bar(places, middle, 0.34, yerr=around, capsize=2, label=label, color=color)
    axes.axhline(float(table["bare"].iloc[0]), color="black", lw=0.8, ls="--", label="nothing covered")
    axes.set_xticks(range(len(table)), [f"{c} covered" for c in table["covered"]])
    axes.set(ylabel="accuracy on test", ylim=(0, 1))
    axes.legend(fontsize=8)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """Write a figure; the same table gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "mien"}):
        metadata = {"Software": None} if path.suffix == ".png" else {"Date": None} if path.suffix == ".svg" else None
        with replacing(path) as scratch:
            figure.savefig(scratch, dpi=130, metadata=metadata)
