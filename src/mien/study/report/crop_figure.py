"""Fig. 4 of the paper: the seven crops of a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mien.face.areas import bounding_box, square_of
from mien.face.crops import CANVAS_SIDE, cut
from mien.face.spec import STUDY_SPECS, CropSpec
from mien.study.report.canvas import figure, mosaic, save, tiles_of
from mien.study.report.exhibits import Exhibit
from mien.study.report.faces import SAMPLE_NAME, ShownFace
from mien.study.report.inputs import Evidence
from mien.types import AREAS, Area, Float32, UInt8

TILE = 160

SPECS = (("box", STUDY_SPECS["published"]), ("hull", STUDY_SPECS["hull"]))
"""The two rows of a face."""

DOT = (0, 229, 255)


def crops_figure(evidence: Evidence, faces: Sequence[ShownFace]) -> Exhibit:
    """Fig. 4: a face with its landmarks, and its seven crops; below each the clean (hull) crop."""
    records = [
        {"face": face.name, "sample_id": face.id, "area": area.value, "spec": spec.key, **_square(face, area, spec)}
        for face in faces
        for _, spec in SPECS
        for area in AREAS
    ]
    whose = (
        "The bundled public-domain photo (NASA's portrait of astronaut Eileen Collins) stands for the data set's "
        "people."
        if faces and faces[0].name == SAMPLE_NAME
        else f"Faces of {evidence.title}, with their labels."
    )
    caption = (
        f"{whose} Upper rows: bounding boxes padded to a square, as published; lower rows: only the convex hulls of "
        "the named parts. Black is not visible."
    )
    alt = "A grid of face pictures: the face with 68 landmarks, then its seven crops from mouth to whole face."
    tiles = [
        np.hstack([_dotted(f), *(_tile(cut(f.canvas, a, spec)) for a in AREAS)]) for f in faces for _, spec in SPECS
    ]
    pictures = {"tiles": np.vstack(tiles).astype(np.uint8)}
    title = "The seven crops of a face"
    return Exhibit(
        f"fig-4-{evidence.name}", title, caption, "figure", pd.DataFrame(records), pictures=pictures, alt=alt
    )


def draw_crops(exhibit: Exhibit, path: Path) -> None:
    """Fig. 4."""
    names = [f"{face}\n{name}" for face in exhibit.data["face"].unique() for name, _ in SPECS]
    tiles = tiles_of(exhibit.pictures["tiles"], TILE)
    drawn = figure(9.6, 1.17 * len(names) + 0.3)
    mosaic(drawn, tiles, names, ["landmarks", *(area.words for area in AREAS)], TILE)
    save(drawn, path)


def _tile(crop: UInt8) -> UInt8:
    method = cv2.INTER_NEAREST if crop.shape[0] < TILE else cv2.INTER_AREA
    large = cv2.resize(crop, (TILE, TILE), interpolation=method)
    return np.asarray(np.repeat(large[..., None], 3, axis=2), np.uint8)


def _dotted(face: ShownFace) -> UInt8:
    """The face with its 68 landmarks."""
    return dotted(_tile(face.canvas.pixels), face.canvas.landmarks, CANVAS_SIDE)


def dotted(picture: UInt8, landmarks: Float32, side: int) -> UInt8:
    """A square picture, uint8 [S, S, 3], with landmarks float32 [68, 2] of the face at ``side`` pixels drawn on it."""
    for x, y in (landmarks + 0.5) * (picture.shape[0] / side) - 0.5:
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, DOT, -1, cv2.LINE_AA)
    return picture


def _square(face: ShownFace, area: Area, spec: CropSpec) -> dict[str, float]:
    """The crop's square in pixels of the canvas."""
    square = square_of(bounding_box(face.canvas.landmarks, area, spec), spec.padded)
    return dict(zip(("x0", "y0", "x1", "y1"), (float(v) for v in square), strict=True))
