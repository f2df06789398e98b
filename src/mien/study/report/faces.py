"""Whose face is shown in the report: people of the data set, or only the public-domain sample photo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from mien.face.crops import Canvas, canvas_of
from mien.face.detect import detect
from mien.study.report.inputs import Evidence
from mien.types import EMOTIONS, Emotion

SAMPLE_PHOTO = Path(__file__).parents[2] / "assets" / "astronaut.jpg"

SAMPLE_NAME = "sample photo"

SHOWN_EMOTIONS = (Emotion.HAPPINESS, Emotion.SURPRISE, Emotion.SADNESS, Emotion.ANGER)


@dataclass(frozen=True, eq=False)
class ShownFace:
    """A face that the report may show.

    Attributes:
        name: below the picture.
        id: of the sample, for the csv.
        canvas: the face.
    """

    name: str
    id: str
    canvas: Canvas


@cache
def sample_face() -> ShownFace:
    """The bundled public-domain photo (NASA's portrait of Eileen Collins)."""
    gray = cv2.imread(str(SAMPLE_PHOTO), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    pixels = gray.astype(np.uint8)
    return ShownFace(SAMPLE_NAME, SAMPLE_PHOTO.name, canvas_of(pixels, detect(pixels, "hog")[0].landmarks))


def shown_faces(evidence: Evidence, allowed: bool) -> list[ShownFace]:
    """The faces of Fig. 4: one of each of a few emotions, or the sample photo."""
    if not allowed:
        return [sample_face()]
    index = evidence.cache.index
    faces: list[ShownFace] = []
    found = index["detector"] != "frame"
    for emotion in [*SHOWN_EMOTIONS, *EMOTIONS]:
        rows = np.flatnonzero((index["label"] == emotion.value) & found)
        if len(rows) and len(faces) < len(SHOWN_EMOTIONS) and emotion.value not in {face.name for face in faces}:
            row = int(rows[0])
            faces.append(ShownFace(emotion.value, str(index["id"].iloc[row]), evidence.cache.canvas(row)))
    return faces
