"""A few dozen faces found and framed in one go: the piece in which a preparation is done, kept and resumed."""

from __future__ import annotations

import hashlib
import time
import zipfile
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from mien.assets import SAMPLE
from mien.data.pictures import crop, picture
from mien.data.store import Source, pixel_table
from mien.errors import ImageError
from mien.face.crops import FRAME_SIDE, frame_of
from mien.face.landmarks import DetectorChoice, detect_one
from mien.jobs.files import replace_file
from mien.types import DetectorName, Float32, Float64, UInt8

DETECTOR_CODES: tuple[DetectorName, ...] = ("hog", "cnn", "frame")


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
        frames: uint8 [n, 96, 96].
        landmarks: float32 [n, 68, 2], pixels of the frame.
        extents: float32 [n, 4], pixels of the frame.
        boxes: float32 [n, 4], the detector's box in pixels of the face's picture.
        sizes: float32 [n], ``Face.size`` in pixels of the face's picture.
        scores: float32 [n], the detector's score.
        detectors: uint8 [n], positions in ``DETECTOR_CODES``.
        seconds: float64 [n], time for each face (reading, detecting, framing) by the clock on the wall.
        cpu_seconds: float64 [n], time of the processor for it; what the wall would show if nothing else ran.
    """

    frames: UInt8
    landmarks: Float32
    extents: Float32
    boxes: Float32
    sizes: Float32
    scores: Float32
    detectors: UInt8
    seconds: Float64
    cpu_seconds: Float64

    @classmethod
    def empty(cls, n: int) -> Chunk:
        """Room for n faces."""
        return cls(
            np.zeros((n, FRAME_SIDE, FRAME_SIDE), np.uint8), np.zeros((n, 68, 2), np.float32),
            np.zeros((n, 4), np.float32), np.zeros((n, 4), np.float32), np.zeros(n, np.float32),
            np.zeros(n, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.float64), np.zeros(n, np.float64),
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Keep it: after a kill at any moment the file is whole or absent."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        replace_file(path, lambda file: np.savez(file, **arrays))

    @classmethod
    def load(cls, path: Path, n: int) -> Chunk | None:
        """Read it back; None where it is absent, damaged or of another length."""
        try:
            with path.open("rb") as file, np.load(file) as arrays:
                chunk = cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError):
            return None
        return chunk if len(chunk.frames) == n else None


def find_faces(task: ChunkTask) -> Chunk:
    """Detect and frame the faces of one piece.

    Raises:
        ImageError: a picture is missing or broken; the message names it.
    """
    chunk = Chunk.empty(len(task.sources))
    last: tuple[Source, UInt8] | None = None
    for i, (source, box) in enumerate(zip(task.sources, task.boxes, strict=True)):
        start, cpu_start = time.perf_counter(), time.process_time()
        try:
            if last is None or last[0] != source:  # the faces of one photo follow each other
                last = (source, picture(source))
            gray = crop(last[1], box)
        except ImageError as error:
            raise ImageError(f"{source}: {error}") from None
        face = detect_one(gray, task.detector)
        frame = frame_of(gray, face.landmarks, task.face_size)
        chunk.frames[i], chunk.landmarks[i], chunk.extents[i] = frame.pixels, frame.landmarks, frame.extent
        chunk.boxes[i], chunk.sizes[i], chunk.scores[i] = face.box, face.size, face.score
        chunk.detectors[i] = DETECTOR_CODES.index(face.detector)
        chunk.seconds[i], chunk.cpu_seconds[i] = time.perf_counter() - start, time.process_time() - cpu_start
    return chunk


def probe(face_size: float) -> str:
    """A hash of what is found in the bundled photo: it changes when the code, a library or a model file does."""
    gray = crop(picture(SAMPLE), np.array([110, 10, 340, 260], np.float32))
    face = detect_one(cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), "hog")
    frame = frame_of(gray, face.landmarks * 5, face_size)
    arrays = (face.box, face.landmarks, frame.pixels, frame.landmarks, frame.extent)
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
