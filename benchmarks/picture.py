"""One picture of a run: bars of wall time an item, one panel a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(result: dict[str, Any], path: Path) -> None:
    """Write it as PNG; whoever failed has no bar."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tasks = result["tasks"]
    columns = 3
    rows = -(-len(tasks) // columns)
    figure, panels = pyplot.subplots(rows, columns, figsize=(14, 2.2 * rows), layout="constrained", squeeze=False)
    for panel in panels.flat[len(tasks) :]:
        panel.axis("off")
    for panel, (task, found) in zip(panels.flat, tasks.items(), strict=False):
        walls = {name: 1e3 * one["wall"] for name, one in found["results"].items() if "wall" in one}
        bars = panel.barh(list(walls), list(walls.values()), color=["C0" if "mien" in n else "C7" for n in walls])
        panel.bar_label(bars, fmt="%.3g", padding=3)
        panel.margins(x=0.2)
        panel.invert_yaxis()
        panel.set_title(f"{task} (load {found['load_average'][0]:.1f})", loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("milliseconds an item, wall time, median")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
