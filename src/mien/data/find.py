"""A few dozen faces found and framed in one go: the piece in which a preparation is done, kept and resumed."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.assets import SAMPLE
from mien.data.pictures import crop, picture
from mien.data.store import Source, pixel_table
from mien.errors import ImageError
from mien.face.crops import CANVAS_SIDE, canvas_of
from mien.face.detect import DetectorChoice, detect_each, detect_one
from mien.types import DetectorName, Face, Float32, Float64, UInt8

Float16 = npt.NDArray[np.float16]

DETECTOR_CODES: tuple[DetectorName, ...] = ("hog", "cnn", "frame", "mesh")

ARRAYS: dict[str, tuple[tuple[int, ...], type]] = {
    "canvases": ((CANVAS_SIDE, CANVAS_SIDE), np.uint8), "landmarks": ((68, 2), np.float32),
    "extents": ((4,), np.float32), "meshes": ((468, 3), np.float16), "boxes": ((4,), np.float32),
    "sizes": ((), np.float32), "scores": ((), np.float32), "detectors": ((), np.uint8),
    "presences": ((), np.float32), "poses": ((3,), np.float32), "seconds": ((), np.float64),
    "cpu_seconds": ((), np.float64),
}  # fmt: skip
"""Shape of one face's row and type of every array of :class:`Chunk`."""

BATCH = 16
"""Faces that go through the networks together."""


@dataclass(frozen=True)
class ChunkTask:
    """What a worker is told.

    Attributes:
        sources: where the pictures are.
        boxes: the face in each, or None.
        detector: which detectors to try.
        face_size: see ``CropSpec.face_size``.
    """

    sources: tuple[Source, ...]
    boxes: tuple[Float32 | None, ...]
    detector: DetectorChoice
    face_size: float


@dataclass(frozen=True, eq=False)
class Chunk:
    """n faces.

    Attributes:
        canvases: uint8 [n, 96, 96].
        landmarks: float32 [n, 68, 2], pixels of the canvas.
        extents: float32 [n, 4], pixels of the canvas.
        boxes: float32 [n, 4], the detector's box in pixels of the face's picture.
        sizes: float32 [n], ``Face.size`` in pixels of the face's picture.
        scores: float32 [n], the detector's score.
        detectors: uint8 [n], positions in ``DETECTOR_CODES``.
        meshes: float16 [n, 468, 3], the face mesh in pixels of the canvas; [n, 0, 3] where dlib found the faces.
        presences: float32 [n], ``Face.presence``; NaN where there is no mesh.
        poses: float32 [n, 3], yaw, pitch and roll in degrees; NaN where there is no mesh.
        seconds: float64 [n], time for each face (reading, detecting, framing) by the clock on the wall.
        cpu_seconds: float64 [n], time of the processor for it; what the wall would show if nothing else ran.
    """

    canvases: UInt8
    landmarks: Float32
    extents: Float32
    boxes: Float32
    sizes: Float32
    scores: Float32
    detectors: UInt8
    meshes: Float16
    presences: Float32
    poses: Float32
    seconds: Float64
    cpu_seconds: Float64

    @classmethod
    def empty(cls, n: int, points: int = 0) -> Chunk:
        """Room for n faces, with meshes of so many points."""
        room: dict[str, Any] = {name: np.zeros((n, *shape), kind) for name, (shape, kind) in ARRAYS.items()}
        unknown = {name: np.full_like(room[name], np.nan) for name in ("presences", "poses")}
        return cls(**{**room, **unknown, "meshes": room["meshes"][:, :points]})


def find_faces(task: ChunkTask) -> Chunk:
    """Find the faces of one piece.

    Raises:
        ImageError: a picture is missing or broken; the message names it.
    """
    chunk = Chunk.empty(len(task.sources), 468 if task.detector == "mesh" else 0)
    batch = BATCH if task.detector == "mesh" else 1
    last: tuple[Source, UInt8] | None = None
    for first, stop in pieces(len(task.sources), batch):
        start, cpu_start = time.perf_counter(), time.process_time()
        pictures = []
        for source, box in zip(task.sources[first:stop], task.boxes[first:stop], strict=True):
            try:
                if last is None or last[0] != source:  # the faces of one photo follow each other
                    last = (source, picture(source))
                pictures.append(crop(last[1], box))
            except ImageError as error:
                raise ImageError(f"{source}: {error}") from None
        for i, (gray, face) in enumerate(zip(pictures, detect_each(pictures, task.detector), strict=True), first):
            _enter(chunk, i, gray, face, task.face_size)
        chunk.seconds[first:stop] = (time.perf_counter() - start) / (stop - first)
        chunk.cpu_seconds[first:stop] = (time.process_time() - cpu_start) / (stop - first)
    return chunk


def _enter(chunk: Chunk, i: int, gray: UInt8, face: Face, face_size: float) -> None:
    canvas = canvas_of(gray, face.landmarks, face_size)
    chunk.canvases[i], chunk.landmarks[i], chunk.extents[i] = canvas.pixels, canvas.landmarks, canvas.extent
    chunk.boxes[i], chunk.sizes[i], chunk.scores[i] = face.box, face.size, face.score
    chunk.detectors[i] = DETECTOR_CODES.index(face.detector)
    if face.mesh is not None and face.pose is not None:
        chunk.meshes[i] = _in_canvas(face.mesh, face.landmarks, canvas.landmarks)
        chunk.presences[i] = face.presence
        chunk.poses[i] = face.pose.yaw, face.pose.pitch, face.pose.roll


def _in_canvas(mesh: Float32, there: Float32, here: Float32) -> Float32:
    """A mesh taken along from landmarks in a picture to the same landmarks in a canvas: shifted and scaled."""
    scale = np.ptp(here, axis=0) / np.maximum(np.ptp(there, axis=0), 1e-6)
    flat = (mesh[:, :2] - there.min(axis=0)) * scale + here.min(axis=0)
    return np.column_stack([flat, mesh[:, 2] * scale.mean()]).astype(np.float32)


def probe(face_size: float, detector: DetectorChoice) -> str:
    """A hash of what is found in the bundled photo: it changes when the code, a library or a model file does."""
    gray = crop(picture(SAMPLE), np.array([110, 10, 340, 260], np.float32))
    small = cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    face = detect_one(small, "mesh" if detector == "mesh" else "hog")
    canvas = canvas_of(gray, face.landmarks * 5, face_size)
    arrays = (face.box, face.landmarks, canvas.pixels, canvas.landmarks, canvas.extent)
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:12]


@cache
def warm_up(detector: DetectorChoice, table: Source | None) -> None:
    """Load the detectors, and a Kaggle csv, before the first face, so that its time is no different from others'."""
    detect_one(np.zeros((48, 48), np.uint8), detector)
    if table is not None:
        pixel_table(table)


def pieces(n: int, size: int) -> list[tuple[int, int]]:
    """Start and stop of every piece of n."""
    return [(start, min(start + size, n)) for start in range(0, n, size)]
