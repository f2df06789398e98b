"""Numbers and pictures of an exhibit -> its figure file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mien.study.report.canvas import STYLE
from mien.study.report.confusion_figures import draw_accuracies, draw_confusions
from mien.study.report.crop_figure import draw_crops
from mien.study.report.exhibits import Exhibit
from mien.study.report.feature_figure import draw_features
from mien.study.report.heatmap_figures import draw_canonical, draw_densities, draw_heatmaps
from mien.study.report.run_exhibits import draw_curves
from mien.study.report.trust import draw_authenticity, draw_contribution, draw_reliability

DRAW: dict[str, tuple[str, Callable[[Exhibit, Path], None]]] = {
    "fig-4": ("png", draw_crops),
    "fig-5a": ("svg", draw_confusions),
    "fig-5b": ("svg", draw_features),
    "fig-6": ("png", draw_heatmaps),
    "fig-7": ("svg", draw_confusions),
    "fig-a": ("svg", draw_accuracies),
    "fig-b": ("png", draw_canonical),
    "fig-c": ("svg", draw_densities),
    "fig-d": ("svg", draw_authenticity),
    "fig-e": ("svg", draw_reliability),
    "fig-f": ("svg", draw_contribution),
    "fig-g": ("svg", draw_curves),
}
"""By key: ending of the file, and what draws it."""


def draw(exhibit: Exhibit, folder: Path) -> Path:
    """Write FOLDER/ID.svg or ID.png and return it; the same numbers give the same bytes."""
    from matplotlib import rc_context

    ending, drawn_by = DRAW[exhibit.key]
    path = folder / f"{exhibit.id}.{ending}"
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        drawn_by(exhibit, path)
    return path
