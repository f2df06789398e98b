"""Fig. 4 of the paper: the seven crops of a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mien.face.areas import bounding_box, square_of
from mien.face.crops import CANVAS_SIDE, cut
from mien.face.spec import STUDY_SPECS, CropSpec
from mien.study.report.canvas import GAP, figure, mosaic, save
from mien.study.report.exhibits import Exhibit
from mien.study.report.faces import SAMPLE_NAME, ShownFace
from mien.study.report.inputs import Evidence
from mien.types import AREAS, Area

TILE = 128


def crops_figure(evidence: Evidence, faces: Sequence[ShownFace], folder: Path) -> Exhibit:
    """Fig. 4: a face with its landmarks, and its seven crops; below each the clean (hull) crop."""
    id = f"fig-4-{evidence.name}"
    specs = (("box", STUDY_SPECS["published"]), ("hull", STUDY_SPECS["hull"]))
    lines = [(face, name, spec) for face in faces for name, spec in specs]
    tiles = [[face.canvas.pixels, *(cut(face.canvas, area, spec) for area in AREAS)] for face, _, spec in lines]
    drawn = figure(9.6, 1.17 * len(lines) + 0.3)
    names = [f"{face.name}\n{name}" for face, name, _ in lines]
    axes = mosaic(drawn, tiles, names, ["landmarks", *(area.words for area in AREAS)])
    for row, (face, _, _) in enumerate(lines):
        scale = TILE / CANVAS_SIDE
        x, y = (face.canvas.landmarks.T + 0.5) * scale - 0.5
        axes.scatter(x, y + row * (TILE + GAP), s=1.5, c="#00e5ff", linewidths=0)
    records = [
        {"face": face.name, "sample_id": face.id, "area": area.value, "spec": spec.key, **_square(face, area, spec)}
        for face, _, spec in lines
        for area in AREAS
    ]
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


def _square(face: ShownFace, area: Area, spec: CropSpec) -> dict[str, float]:
    """The crop's square in pixels of the canvas."""
    square = square_of(bounding_box(face.canvas.landmarks, area, spec), spec.padded)
    return dict(zip(("x0", "y0", "x1", "y1"), (float(v) for v in square), strict=True))
