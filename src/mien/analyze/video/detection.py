"""Detection at video pace: BlazeFace; or HOG on the frame, and dlib's CNN only where it is needed."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.face.detect import MIN_FACE, DetectorChoice, detect
from mien.face.dlib_faces import detect_one, model_file, predict_landmarks
from mien.types import Face, Float32, UInt8

SMALL_FRAME = 640
"""A frame whose longer side is below this is doubled, so that faces of 40 pixels are found."""

EMPTY_SECONDS = 2.0
"""How often, in seconds of video, the CNN looks at a whole frame in which HOG finds nothing."""

DESCRIPTOR_SIDE = 150

_descriptor_lock = threading.Lock()


class VideoDetector:
    """Finds the faces of a frame, knowing which to expect.

    With ``dlib``, a face that is expected and that HOG does not find (turned, partly covered) is sought by the CNN in
    its neighbourhood only. The CNN sees a whole frame only where there is nothing to expect and HOG finds nothing, and
    then every two seconds.

    Args:
        choice: ``mesh``, ``dlib``, or ``hog`` or ``cnn`` for one half of dlib only.
        seconds_per_call: time between two calls, in seconds.
        min_face: of ``mesh``, longer side in pixels of the smallest face that is looked for.
    """

    def __init__(
        self, choice: DetectorChoice = "mesh", seconds_per_call: float = 0.5, min_face: float = MIN_FACE
    ) -> None:
        self.choice: DetectorChoice = choice
        self.min_face = min_face
        self._empty_calls = max(1, round(EMPTY_SECONDS / seconds_per_call))
        self._calls_until_cnn = 0

    def reset(self) -> None:
        """Forget what was seen before, so that a resumed run goes on as an uninterrupted one."""
        self._calls_until_cnn = 0

    def __call__(self, pixels: UInt8, expected: list[Face]) -> list[Face]:
        """Faces in a frame uint8 [H, W, 3], RGB, in its pixels."""
        if self.choice == "mesh":
            return detect(pixels, "mesh", self.min_face)
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        if self.choice != "dlib":
            return _detect(gray, self.choice)
        faces = _detect(gray, "hog")
        missed = [known for known in expected if not any(_near(known, face) for face in faces)]
        faces += [face for face in (_sought(gray, known) for known in missed) if face is not None]
        if faces or expected:
            self._calls_until_cnn = 0
            return faces
        if self._calls_until_cnn == 0:
            faces = _detect(gray, "cnn")
            self._calls_until_cnn = self._empty_calls
        self._calls_until_cnn -= 1
        return faces


def _detect(gray: UInt8, choice: DetectorChoice) -> list[Face]:
    if max(gray.shape) >= SMALL_FRAME:
        return detect(gray, choice)
    large = np.asarray(cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    return [replace(f, box=_halved(f.box), landmarks=_halved(f.landmarks)) for f in detect(large, choice)]


def _halved(points: Float32) -> Float32:
    return ((points + 0.5) / 2 - 0.5).astype(np.float32)


def _near(one: Face, other: Face) -> bool:
    """True where the middle of one face lies in the box of the other."""
    x, y = (one.box[:2] + one.box[2:]) / 2
    return bool(other.box[0] <= x <= other.box[2] and other.box[1] <= y <= other.box[3])


def _sought(gray: UInt8, known: Face) -> Face | None:
    """The face that the CNN finds in the neighbourhood of a known one."""
    reach = float(max(known.box[2:] - known.box[:2])) * 0.9
    centre = (known.box[:2] + known.box[2:]) / 2
    x0, y0 = np.maximum(np.floor(centre - reach), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(centre + reach), [gray.shape[1], gray.shape[0]]).astype(int)
    piece = np.ascontiguousarray(gray[y0:y1, x0:x1])
    if min(piece.shape, default=0) < 16:
        return None
    found = detect_one(piece, "cnn")
    if found.detector == "frame":
        return None
    corner = np.array([x0, y0], np.float32)
    box = found.box + np.tile(corner, 2)
    return Face(box, predict_landmarks(gray, box), "cnn", found.score)


@cache
def _descriptor_network() -> Any:
    import dlib

    return dlib.face_recognition_model_v1(str(model_file("dlib_face_recognition_resnet_model_v1.dat")))


def describe(pixels: UInt8, face: Face) -> npt.NDArray[np.float64]:
    """dlib's face descriptor: two of the same person lie within about 0.6.

    Args:
        pixels: uint8 [H, W, 3], RGB.
        face: a face of it.

    Returns:
        float64 [128].
    """
    import dlib

    shape = dlib.full_object_detection(
        dlib.rectangle(*(round(float(v)) for v in face.box)),
        dlib.points([dlib.point(round(float(x)), round(float(y))) for x, y in face.landmarks]),
    )
    chip = dlib.get_face_chip(pixels, shape, size=DESCRIPTOR_SIDE)
    with _descriptor_lock:
        return np.asarray(_descriptor_network().compute_face_descriptor(chip), np.float64)
