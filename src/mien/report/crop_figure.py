"""Fig. 4 of the paper: the seven crops of a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mien.areas import bounding_box, cut, square_of
from mien.report.canvas import figure, picture, save
from mien.report.exhibits import Exhibit
from mien.report.faces import SAMPLE_NAME, ShownFace
from mien.report.inputs import Evidence
from mien.types import AREAS, STUDY_SPECS


def crops_figure(evidence: Evidence, faces: Sequence[ShownFace], folder: Path) -> Exhibit:
    """Fig. 4: a face with its landmarks, and its seven crops; below each the clean (hull) crop."""
    id, records = f"fig-4-{evidence.name}", []
    specs = (("box", STUDY_SPECS["published"]), ("hull", STUDY_SPECS["hull"]))
    lines = [(face, name, spec) for face in faces for name, spec in specs]
    drawn = figure(9.6, 1.25 * len(lines) + 0.3)
    grid = drawn.subplots(len(lines), len(AREAS) + 1, squeeze=False)
    for row, (face, name, spec) in zip(grid, lines, strict=True):
        picture(row[0], face.frame.pixels, "landmarks" if row is grid[0] else "")
        row[0].scatter(*face.frame.landmarks.T, s=1.5, c="#00e5ff", linewidths=0)
        row[0].set_ylabel(f"{face.name}\n{name}", fontsize=8)
        for axes, area in zip(row[1:], AREAS, strict=True):
            picture(axes, cut(face.frame, area, spec), area.words if row is grid[0] else "")
            square = square_of(bounding_box(face.frame.landmarks, area, spec), spec.padded)
            records.append({
                "face": face.name, "sample_id": face.id, "area": area.value, "spec": spec.key,
                **dict(zip(("x0", "y0", "x1", "y1"), (float(v) for v in square), strict=True)),
            })  # fmt: skip
    path = save(drawn, folder, id, "png")
    whose = (
        "The bundled public-domain photo (NASA's portrait of astronaut Eileen Collins) stands for the data set's "
        "people."
        if faces and faces[0].name == SAMPLE_NAME
        else f"Faces of {evidence.title}, with their labels."
    )
    caption = (
        f"{whose} Upper rows: bounding boxes padded to a square, as published; lower rows: only the convex hulls of "
        "the "
        "named parts. Black is not visible."
    )
    alt = "A grid of face pictures: the face with 68 landmarks, then its seven crops from mouth to whole face."
    return Exhibit(id, "Fig. 4", "The seven crops of a face", caption, "figure", pd.DataFrame(records), None, path, alt)
