"""How every figure of the report is drawn and saved: one look, no display, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.face.colours import BLUE, GREY, INK, SOFT_INK
from mien.types import UInt8

STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": SOFT_INK, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": "#3c4043", "ytick.color": "#3c4043", "figure.facecolor": "white",
    "svg.hashsalt": "mien", "svg.fonttype": "path", "legend.frameon": False, "axes.grid": False,
}  # fmt: skip

DATASET_COLOURS = (BLUE, "#d55e00", "#009e73", GREY)

PERCEPTUAL = "viridis"
"""Beside the published JET: lightness rises evenly with the value, in any colour vision and in print."""


def figure(width: float, height: float) -> Figure:
    """An empty figure, inches; to be drawn within ``rc_context(STYLE)``."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def save(drawn: Figure, path: Path, dpi: int = 130) -> None:
    """Write a figure; the same numbers give the same bytes."""
    metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    drawn.savefig(path, format=path.suffix[1:], dpi=dpi, metadata=metadata)


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
            axes.text(j, i, text, ha="center", va="center", fontsize=7.5, color="white" if dark else INK)


GAP = 6
"""Pixels between the tiles of a mosaic."""


def mosaic(
    drawn: Figure, tiles: Sequence[Sequence[UInt8]], rows: Sequence[str], columns: Sequence[str], side: int = 128
) -> Axes:
    """Pictures in a grid on one pair of axes, which is many times faster than axes for each.

    Args:
        drawn: the figure to fill.
        tiles: rows of pictures, grey uint8 [h, w] or RGB [h, w, 3], each square; brought to one size.
        rows: words at the left.
        columns: words above.
        side: of a tile in pixels.

    Returns:
        The axes; a tile's upper left corner is at (column, row) x (side + GAP).
    """
    step = side + GAP
    canvas = np.full((step * len(tiles) - GAP, step * len(columns) - GAP, 3), 255, np.uint8)
    for i, line in enumerate(tiles):
        for j, tile in enumerate(line):
            method = cv2.INTER_NEAREST if tile.shape[0] < side else cv2.INTER_AREA
            large = cv2.resize(tile, (side, side), interpolation=method)
            canvas[i * step : i * step + side, j * step : j * step + side] = (
                large if large.ndim == 3 else large[..., None]
            )
    axes = drawn.subplots()
    axes.imshow(canvas, interpolation="nearest")
    axes.set_xticks([j * step + side / 2 for j in range(len(columns))], list(columns), fontsize=8.5)
    axes.set_yticks([i * step + side / 2 for i in range(len(rows))], list(rows), fontsize=8.5)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def tiles_of(picture: UInt8, side: int) -> list[list[UInt8]]:
    """A grid of square tiles, as :class:`Exhibit` keeps them in one picture, row by row."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    return [
        [picture[i * side : (i + 1) * side, j * side : (j + 1) * side] for j in range(columns)] for i in range(rows)
    ]
