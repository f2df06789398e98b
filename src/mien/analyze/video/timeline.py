"""A picture of a video's faces over time: smoothed emotions, authenticity, and what was hidden. Needs matplotlib."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.analyze.video.series import Series
from mien.errors import InputError, MissingExtraError, UsageError
from mien.face.colours import EMOTION_COLOURS, INK, PART_COLOURS, SOFT_INK
from mien.jobs.files import replacing
from mien.types import EMOTIONS, PARTS

MOST_FACES = 12


def save_timeline(series: Sequence[Series], path: Path, seconds: float | None = None) -> None:
    """Draw the faces of one video, one band a face; those seen longest first where there are many.

    Args:
        series: of one video.
        path: .png, .svg or .pdf.
        seconds: length of the time axis; None ends with the last face.

    Raises:
        UsageError: the picture's name ends otherwise.
        InputError: it cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--timeline: the file name ends with .png, .svg or .pdf, got {path.name}")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "video", "the timeline picture") from error
    shown = sorted(sorted(series, key=lambda s: -len(s.times))[:MOST_FACES], key=lambda s: s.face_id)
    figure = Figure(figsize=(11, 1.1 + 2.5 * max(len(shown), 1)), layout="constrained")
    FigureCanvasAgg(figure)
    end = seconds or max((float(s.times[-1]) for s in shown), default=1.0)
    if not shown:
        figure.text(0.5, 0.5, "no face found", ha="center", va="center", color=SOFT_INK)
    for row, one in enumerate(shown):
        axes = figure.add_subplot(len(shown), 1, row + 1)
        _band(axes, one, end)
        axes.set_title(f"{Path(one.input).name}, face {one.face_id}", loc="left", fontsize=10)
        if row == len(shown) - 1:
            axes.set_xlabel("time (s)")
    _legend(figure)
    try:
        with replacing(path) as scratch:
            figure.savefig(scratch, dpi=130)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _band(axes: Any, one: Series, end: float) -> None:
    """Smoothed probabilities stacked, authenticity as a line over them, hidden parts as bars below."""
    colors = [EMOTION_COLOURS[emotion] for emotion in EMOTIONS]
    for first, last in _pieces(one):
        times, values = one.times[first:last], np.nan_to_num(one.smooth[first:last])
        if len(times) == 1:
            times, values = np.array([times[0], times[0] + 0.04]), np.repeat(values, 2, axis=0)
        axes.stackplot(times, values.T, colors=colors, alpha=0.85, linewidth=0)
        right = one.authenticity[first:last]
        axes.plot(one.times[first:last], right, color=INK, linewidth=1.1)
    for column, part in enumerate(PARTS):
        color = PART_COLOURS[part]
        for stretch in one.stretches:
            if stretch.part is part:
                axes.barh(-0.07 - 0.09 * column, stretch.end - stretch.start, 0.07, stretch.start, color=color)
    axes.set(xlim=(0, end), ylim=(-0.32, 1), yticks=[0, 0.5, 1], ylabel="share")
    axes.set_yticks([-0.07 - 0.09 * i for i in range(3)], [f"{part.value} hidden" for part in PARTS], minor=True)
    axes.tick_params(axis="y", which="minor", labelsize=6.5, length=0)
    axes.axhline(0, color=SOFT_INK, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _pieces(one: Series) -> list[tuple[int, int]]:
    """Index ranges between times out of sight."""
    starts = {stretch.start for stretch in one.stretches if stretch.part is None}
    cuts = [i + 1 for i, time in enumerate(one.times) if float(time) in starts]
    bounds = [0, *cuts, len(one.times)]
    return [(a, b) for a, b in itertools.pairwise(bounds) if b > a]


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [Patch(color=EMOTION_COLOURS[e], label=e.value, alpha=0.85) for e in EMOTIONS]
    entries.append(Line2D([], [], color=INK, linewidth=1.1, label="how often each frame's answer is right"))
    figure.legend(handles=entries, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
