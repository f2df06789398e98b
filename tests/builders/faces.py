"""Drawn faces whose landmarks are known: a whole FaceCache in a second, without a detector and without a download.

Each emotion moves brows, lids and mouth its own way, so that even a tiny training learns something.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mien.face.crops import canvas_of
from mien.study.report.faces import sample_face
from mien.types import EMOTIONS, Emotion, Float32, UInt8

# brows up, lids open, mouth corners up, mouth open, brows together; in pixels of a 44-pixel face
MOVES: dict[Emotion, tuple[float, float, float, float, float]] = {
    Emotion.NEUTRAL: (0.0, 0.0, 0.0, 0.0, 0.0),
    Emotion.HAPPINESS: (0.0, -0.3, 3.0, 1.5, 0.0),
    Emotion.SURPRISE: (2.5, 1.2, -0.5, 5.0, 0.0),
    Emotion.SADNESS: (0.5, -0.5, -2.5, 0.0, 0.5),
    Emotion.ANGER: (-2.0, -0.3, -1.0, 0.3, 1.5),
    Emotion.DISGUST: (-1.0, -0.8, -1.0, 1.0, 0.8),
    Emotion.FEAR: (2.0, 1.0, -1.5, 2.5, 0.6),
    Emotion.CONTEMPT: (0.0, -0.4, 1.0, 0.0, 0.0),
}


SPLIT_CYCLE = ("train", "validation", "test")
"""Many to watch and to test on, few to train on: a study of minutes needs 100 validation faces to fit authenticity."""


@cache
def template() -> Float32:
    """float32 [68, 2]: landmarks of the sample photo, made symmetric, centred at 0, 44 pixels high."""
    from mien.study.report.canonical import mean_shape

    shape = mean_shape(sample_face().canvas.landmarks[None])
    return np.asarray(shape * 44 / np.ptp(shape[:, 1]), np.float32)


def landmarks_of(emotion: Emotion, generator: np.random.Generator) -> Float32:
    """float32 [68, 2] around 0: the template with the emotion's moves, some noise, size and turn."""
    brows, lids, corners, open_, together = np.array(MOVES[emotion]) * generator.normal(1, 0.25)
    points = template() + generator.normal(0, 0.35, (68, 2)).astype(np.float32)
    points[17:27, 1] -= brows
    points[[20, 21], 0] += together
    points[[22, 23], 0] -= together
    points[[21, 22], 1] += together
    points[[37, 38, 43, 44], 1] -= lids
    points[[48, 54], 1] -= corners
    points[[60, 64], 1] -= corners * 0.8
    points[[55, 56, 57, 58, 59, 65, 66, 67], 1] += open_
    points[5:12, 1] += open_ * 0.7
    angle, scale = generator.normal(0, 0.06), generator.normal(0.95, 0.06)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    return np.asarray(points @ turn.T, np.float32)


def draw(points: Float32, generator: np.random.Generator, side: int = 80) -> tuple[UInt8, Float32]:
    """A grey picture uint8 [side, side] of a face with these landmarks, and the landmarks in its pixels."""
    own = (points + side / 2).astype(np.float32)
    skin = int(generator.integers(120, 200))
    picture = np.full((side, side), generator.integers(30, 220), np.uint8)
    cv2.ellipse(picture, (side // 2, side // 2), (side * 2 // 7, side * 2 // 5), 0, 0, 360, skin, -1, cv2.LINE_AA)

    def fill(indices: range, grey: int) -> None:
        cv2.fillPoly(picture, [np.round(own[list(indices)] * 16).astype(np.int32)], grey, cv2.LINE_AA, shift=4)

    fill(range(17), skin)
    for eye in (range(36, 42), range(42, 48)):
        fill(eye, 235)
        cv2.circle(picture, tuple(int(v) for v in own[list(eye)].mean(axis=0)), 1, 20, -1)
    for brow in (range(17, 22), range(22, 27)):
        cv2.polylines(picture, [np.round(own[list(brow)]).astype(np.int32)], False, skin // 3, 2, cv2.LINE_AA)
    cv2.polylines(picture, [np.round(own[27:36]).astype(np.int32)], False, skin * 3 // 4, 1, cv2.LINE_AA)
    fill(range(48, 60), skin // 2)
    fill(range(60, 68), 25)
    noise = generator.normal(0, 6, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), own


def make_cache(folder: Path, faces: int = 240, dataset: str = "drawn", seed: int = 0) -> Path:
    """Write a FaceCache of drawn faces, every emotion in every split, and return its folder."""
    generator = np.random.default_rng(seed)
    rows, canvases, landmarks, extents = [], [], [], []
    for i in range(faces):
        emotion = EMOTIONS[i % len(EMOTIONS)]
        picture, points = draw(landmarks_of(emotion, generator), generator)
        canvas = canvas_of(picture, points)
        canvases.append(canvas.pixels)
        landmarks.append(canvas.landmarks)
        extents.append(canvas.extent)
        split = SPLIT_CYCLE[(i // len(EMOTIONS)) % len(SPLIT_CYCLE)]
        row = {"id": f"{dataset}{i:05}", "dataset": dataset, "split": split, "label": emotion.value}
        row |= {"published": i % 21 != 20, "majority": i % 5 != 0}
        row |= {f"votes_{e.value}": np.float32(e is emotion) for e in EMOTIONS}
        row |= {"source": f"{dataset}{i:05}", "detector": "given", "score": 0.0, "face_size": 42.0}
        rows.append(row | dict.fromkeys(("box_x0", "box_y0", "box_x1", "box_y1"), 0.0))
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / "index.parquet", index=False)
    for name, arrays in (("canvases", canvases), ("landmarks", landmarks), ("extents", extents)):
        np.save(folder / f"{name}.npy", np.stack(arrays))
    (folder / "settings.json").write_text(json.dumps({"drawn": seed}))
    return folder
