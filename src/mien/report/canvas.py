"""How every figure of the report is drawn and saved: one look, no display, the same bytes for the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.types import EMOTIONS, Emotion, UInt8

STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#5f6368", "axes.labelcolor": "#202124",
    "text.color": "#202124", "xtick.color": "#3c4043", "ytick.color": "#3c4043", "figure.facecolor": "white",
    "svg.hashsalt": "mien", "svg.fonttype": "path", "legend.frameon": False, "axes.grid": False,
}  # fmt: skip
EMOTION_COLORS: dict[Emotion, str] = dict(
    zip(
        EMOTIONS,
        ("#7f7f7f", "#e69f00", "#56b4e9", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"),
        strict=True,
    )
)
"""Okabe and Ito's palette: told apart with any colour vision."""
BLUE = "#1f5fa8"


def figure(width: float, height: float) -> Figure:
    """An empty figure, inches; to be drawn within ``rc_context(STYLE)``."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def save(drawn: Figure, folder: Path, name: str, kind: Literal["png", "svg"] = "svg", dpi: int = 130) -> Path:
    """Write FOLDER/NAME.KIND and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{kind}"
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    drawn.savefig(path, format=kind, dpi=dpi, metadata=metadata)
    return path


def matrix(
    axes: Axes, values: npt.NDArray[np.floating[Any]], rows: list[str], columns: list[str], texts: list[list[str]],
    top: float = 1.0, colours: str = "Blues",
) -> None:  # fmt: skip
    """A labelled matrix with a number in every cell; NaN stays empty."""
    axes.imshow(np.nan_to_num(values), cmap=colours, vmin=0, vmax=top, aspect="equal")
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for i, line in enumerate(texts):
        for j, text in enumerate(line):
            dark = np.isfinite(values[i, j]) and values[i, j] > 0.55 * top
            axes.text(j, i, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "#202124")


def picture(axes: Axes, image: UInt8, title: str = "") -> None:
    """A picture without axes; grey [H, W] or RGB [H, W, 3]."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if title:
        axes.set_title(title, fontsize=8.5, fontweight="normal")
