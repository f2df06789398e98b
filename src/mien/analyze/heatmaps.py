"""Where in a face an emotion was seen: class activation maps of the visualisation network, laid over the picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mien.analyze.answers import Heatmap
from mien.face.areas import bounding_box, square_of
from mien.face.crops import cut
from mien.trust.answer import PictureFaces
from mien.trust.models import Models
from mien.types import Area, Emotion


def heatmaps_of(models: Models, canvases: PictureFaces, emotions: Sequence[Emotion | None]) -> list[Heatmap | None]:
    """One map a face (paper, section 3.3).

    Args:
        models: with a visualisation network.
        canvases: of all faces of a picture.
        emotions: whose map, one a face; None asks for none, and no network runs where none is asked for.

    Raises:
        ModelError: the models have no visualisation network.
    """
    if all(emotion is None for emotion in emotions):
        return [None] * len(emotions)
    spec = models.visualisation.spec
    _, maps, _ = models.class_maps(np.stack([cut(c, Area.WHOLE_FACE, spec) for c in canvases.of(spec)]))
    heatmaps: list[Heatmap | None] = []
    for face, emotion, of_face in zip(canvases.faces, emotions, maps, strict=True):
        if emotion is None:
            heatmaps.append(None)
            continue
        values = cv2.resize(of_face[emotion.position], (spec.size,) * 2, interpolation=cv2.INTER_LINEAR)
        box = square_of(bounding_box(face.landmarks, Area.WHOLE_FACE, spec), spec.padded)
        heatmaps.append(Heatmap(emotion, values.astype(np.float32), box))
    return heatmaps
