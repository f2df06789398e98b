"""Picture -> faces. BlazeFace finds them, the face mesh gives points, pose and a second word on what was found.

Three doors. :func:`detect` is for photos: every face, and none where there is none. :func:`detect_one` is for data
sets, whose every picture is one face: it always answers, and says ``frame`` where no detector found the face.
:func:`face_at` takes the caller's word for where the face is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Literal, ParamSpec, TypeVar, get_args

import cv2
import numpy as np

from mien.errors import ImageError, MienError, UsageError
from mien.face import blazeface, mesh, search
from mien.face.blazeface import Look
from mien.face.pose import pose_of
from mien.face.verify import Candidate
from mien.types import DetectorName, Face, Float32, UInt8

DetectorChoice = Literal["mesh", "dlib", "hog", "cnn"]
DETECTORS: tuple[DetectorChoice, ...] = get_args(DetectorChoice)
"""``hog`` and ``cnn`` are the two halves of ``dlib``, for measuring."""
FOUND_BY = {"mesh": "BlazeFace", "hog": "HOG", "cnn": "CNN"}
"""A detector's name in sentences."""

MIN_FACE = 40.0
"""Longer side in pixels of the smallest face that is looked for by default."""
LEAST_SIDE = 8
"""A narrower picture holds no face that any detector could see."""
BATCH = 16
"""Pictures of one face that go through a network together."""

ONE_FACE: tuple[Look, ...] = (
    Look("short", 0.25), Look("short", 0.4), Look("back", 0.4), Look("back", 0.9), Look("short", 0.15),
    Look("short", 0.25, least=0.3), Look("back", 0.4, least=0.3),
)  # fmt: skip
"""Tried in this order on a data set's picture, until one finds the face (what each finds: docs/results/detection)."""

P = ParamSpec("P")
R = TypeVar("R")


def _told(search: Callable[P, R]) -> Callable[P, R]:
    """An error inside a detector or a library becomes one sentence about the picture."""

    @wraps(search)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return search(*args, **kwargs)
        except (MienError, KeyboardInterrupt):
            raise
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ImageError(f"the face detector failed on this picture ({reason})") from error

    return guarded


@_told
def detect(picture: UInt8, detector: DetectorChoice = "mesh", min_face: float = MIN_FACE) -> list[Face]:
    """Every face of a photo, largest first; an empty list where there is none.

    Args:
        picture: uint8 [H, W, 3], RGB, or uint8 [H, W], upright.
        detector: ``mesh`` (BlazeFace and the face mesh) or ``dlib`` (HOG, then CNN where HOG finds none; 68 points).
        min_face: longer side in pixels of the smallest face that is looked for; ``dlib`` has its own.

    Returns:
        Faces in pixels of ``picture``.

    Raises:
        ImageError: the detector failed on this picture.
        MissingExtraError: ``dlib`` is not installed.
    """
    if min(picture.shape[:2]) < LEAST_SIDE:
        return []
    if detector != "mesh":
        from mien.face import dlib_faces

        return dlib_faces.detect(_gray(picture), _half(detector))
    rgb = _rgb(picture)
    faces = [_face(found, "mesh") for found in search.faces(rgb, min_face)]
    return sorted(faces, key=lambda face: -face.size)


@_told
def detect_one(picture: UInt8, detector: DetectorChoice = "mesh") -> Face:
    """The one face of a data set's picture; see :func:`detect_each`."""
    return detect_each([picture], detector)[0]


def detect_each(pictures: Sequence[UInt8], detector: DetectorChoice = "mesh") -> list[Face]:
    """The one face of each of a data set's pictures, several at a time.

    Args:
        pictures: uint8 [H, W, 3], RGB, or uint8 [H, W]; the face fills most of each.
        detector: as in :func:`detect`.

    Returns:
        One face a picture, in its pixels. Its detector is ``frame`` where none was found: box and points are then the
        mesh's best guess over the whole frame.
    """
    if detector != "mesh":
        from mien.face import dlib_faces

        return [dlib_faces.detect_one(_gray(picture), _half(detector)) for picture in pictures]
    faces: list[Face] = []
    for start in range(0, len(pictures), BATCH):
        faces += _detect_batch([_rgb(picture) for picture in pictures[start : start + BATCH]])
    return faces


@_told
def face_at(picture: UInt8, box: Float32 | None = None, detector: DetectorChoice = "mesh") -> Face:
    """The face that the caller knows to be there: landmarks and pose, whatever a detector thinks.

    Args:
        picture: uint8 [H, W, 3], RGB, or uint8 [H, W].
        box: (x0, y0, x1, y1) in pixels, from brows to chin; None is the whole picture.
        detector: who places the landmarks.

    Returns:
        The face; its detector is ``given``.
    """
    height, width = picture.shape[:2]
    given = np.array([0, 0, width, height], np.float32) if box is None else np.asarray(box, np.float32)
    if detector != "mesh":
        from mien.face import dlib_faces

        gray = _gray(picture)
        points = dlib_faces.detect_one(gray).landmarks if box is None else dlib_faces.predict_landmarks(gray, given)
        return Face(given, points, "given", 0.0)
    rgb = _rgb(picture)
    side = float(max(given[2:] - given[:2]))
    low = np.maximum(np.floor(given[:2] - side / 4), 0).astype(int)
    high = np.minimum(np.ceil(given[2:] + side / 4), [width, height]).astype(int)
    place = mesh.Place.of_box(given)
    if (high - low).min() >= 2:
        piece = np.ascontiguousarray(rgb[low[1] : high[1], low[0] : high[0]])
        found = _best(piece, given - np.tile(low, 2).astype(np.float32))
        place = place if found is None else found.moved(low.astype(np.float32))
    seen = mesh.settled([rgb], [place])
    return face_of_mesh(seen.points[0], float(seen.presence[0]), "given", 0.0, given)


def _best(piece: UInt8, box: Float32) -> mesh.Place | None:
    """Where BlazeFace sees the face that fills ``box`` of a piece of the picture."""
    for look in ONE_FACE[:3]:
        found = blazeface.look([piece], look)[0]
        if len(found):
            shares = blazeface.overlaps(box, found.boxes)
            best = int(np.argmax(shares))
            if shares[best] > blazeface.OVERLAP:
                return mesh.Place.of_box(found.boxes[best], found.points[best])
    return None


def _detect_batch(pictures: list[UInt8]) -> list[Face]:
    found: list[Candidate | None] = [None] * len(pictures)
    for look in ONE_FACE:
        left = [i for i, candidate in enumerate(found) if candidate is None]
        if not left:
            break
        for i, seen in zip(left, blazeface.look([pictures[i] for i in left], look), strict=True):
            found[i] = search.central(seen, pictures[i].shape[:2])
    places = [
        mesh.Place.whole(picture.shape[:2]) if candidate is None else candidate.place
        for picture, candidate in zip(pictures, found, strict=True)
    ]
    laid = mesh.settled(pictures, places)
    names: list[DetectorName] = ["frame" if candidate is None else "mesh" for candidate in found]
    scores = [0.0 if candidate is None else candidate.score for candidate in found]
    return [face_of_mesh(*values) for values in zip(laid.points, laid.presence.tolist(), names, scores, strict=True)]


def _face(found: search.Seen, name: DetectorName) -> Face:
    return face_of_mesh(found.mesh, found.presence, name, found.score)


def face_of_mesh(
    points: Float32, presence: float, name: DetectorName, score: float, box: Float32 | None = None
) -> Face:
    """The face of a mesh float32 [468, 3]; its box is the mesh's where none is given."""
    return Face(
        mesh.box_of(points) if box is None else box, mesh.landmarks_of(points), name, score, points, pose_of(points),
        presence,
    )  # fmt: skip


def _half(detector: DetectorChoice) -> Literal["auto", "hog", "cnn"]:
    return detector if detector in ("hog", "cnn") else "auto"


def check_detector(detector: str) -> None:
    """Raises UsageError where no detector has this name."""
    if detector not in DETECTORS:
        raise UsageError(f"no detector is called {detector!r}: choose from {', '.join(DETECTORS)}")


def _rgb(picture: UInt8) -> UInt8:
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture


def _gray(picture: UInt8) -> UInt8:
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
