"""What becomes of the answers when a data set's pictures are resized, blurred, compressed, turned or dimmed.

Every disturbed picture goes the whole way again: detector, landmarks, canvas, crops, networks.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.pictures import load_gray
from mien.data.samples import Sample
from mien.face.crops import canvas_of, cut
from mien.face.detect import detect_one
from mien.face.spec import CropSpec
from mien.measure import metrics
from mien.trust.models import Models
from mien.types import AREAS, Area, Float32, UInt8

SIDES = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Longer sides in pixels to which whole pictures are brought."""

UNDISTURBED = "as it is"


def _resized(gray: UInt8, side: int) -> UInt8:
    scale = side / max(gray.shape)
    shape = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(gray, shape, interpolation=method), np.uint8)


def _blurred(gray: UInt8, share: float) -> UInt8:
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), share * max(gray.shape)), np.uint8)


def _compressed(gray: UInt8, quality: int) -> UInt8:
    _, code = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)


def _turned(gray: UInt8, degrees: float) -> UInt8:
    height, width = gray.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(gray, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _dimmed(gray: UInt8, factor: float, around: float) -> UInt8:
    return np.clip(np.round((gray.astype(np.float32) - around) * factor + around), 0, 255).astype(np.uint8)


def _same(gray: UInt8) -> UInt8:
    return gray


def disturbances() -> dict[str, Callable[[UInt8], UInt8]]:
    """Name -> function of a grey picture uint8 [H, W]; the first leaves it as it is."""
    table: dict[str, Callable[[UInt8], UInt8]] = {UNDISTURBED: _same}
    table |= {f"{side} px": partial(_resized, side=side) for side in SIDES}
    table["blur (1 in 48 px)"] = partial(_blurred, share=1 / 48)
    table["JPEG quality 30"] = partial(_compressed, quality=30)
    table["turned left 15 degrees"] = partial(_turned, degrees=15.0)
    table["turned right 15 degrees"] = partial(_turned, degrees=-15.0)
    table["brightness halved"] = partial(_dimmed, factor=0.5, around=0.0)
    table["contrast halved"] = partial(_dimmed, factor=0.5, around=127.5)
    return table


def _crops_of(
    sample: Sample, disturb: Callable[[UInt8], UInt8], specs: tuple[CropSpec, ...]
) -> tuple[list[UInt8], bool, float]:
    """The seven crops of one disturbed face, whether a detector found it, and its size in pixels."""
    cv2.setNumThreads(1)
    gray = disturb(load_gray(sample))
    face = detect_one(gray)
    canvases = {how: canvas_of(gray, face.landmarks, *how) for how in {(s.face_size, s.sampling) for s in specs}}
    crops = [cut(canvases[s.face_size, s.sampling], area, s) for area, s in zip(AREAS, specs, strict=True)]
    return crops, face.detector != "frame", face.size


def disturbed_crops(
    samples: Sequence[Sample], disturb: Callable[[UInt8], UInt8], models: Models, pool: Executor, pieces: int
) -> tuple[dict[Area, UInt8], npt.NDArray[np.bool_], Float32]:
    """Crops uint8 [N, size, size] by area, bool [N] found by a detector, float32 [N] face sizes, of disturbed faces."""
    specs = tuple(models.entry(area).spec for area in AREAS)
    work = partial(_crops_of, disturb=disturb, specs=specs)
    done = list(pool.map(work, samples, chunksize=max(1, math.ceil(len(samples) / pieces))))
    crops = {area: np.stack([one[0][area.position] for one in done]) for area in AREAS}
    return crops, np.array([one[1] for one in done]), np.array([one[2] for one in done], np.float32)


def measure(
    samples: Sequence[Sample],
    models: Models,
    answer: Callable[[Area, UInt8], npt.NDArray[np.int64]],
    workers: int = 2,
    progress: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Accuracy and steadiness of the top answer under each disturbance.

    Args:
        samples: labelled faces.
        models: for the crops' specs; all seven areas.
        answer: area and crops uint8 [N, size, size] -> position of the emotion said, int64 [N].
        workers: processes that detect and crop.
        progress: gets one line a disturbance.

    Returns:
        One row a disturbance and area: disturbance, area, n, accuracy, accuracy_low, accuracy_high, same_answer,
        same_answer_low, same_answer_high (against the undisturbed picture), detected (share of faces),
        face_size (median ``Face.size`` in pixels).
    """
    labels = np.array([sample.label.position for sample in samples])
    rows: list[dict[str, object]] = []
    undisturbed: dict[Area, npt.NDArray[np.int64]] = {}
    # Spawned, not forked: a forked child may wait for ever on a lock that another thread of the parent held.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for name, disturb in disturbances().items():
            crops, found, sizes = disturbed_crops(samples, disturb, models, pool, 8 * workers)
            for area in AREAS:
                said = answer(area, crops[area])
                undisturbed.setdefault(area, said)
                right, same = metrics.accuracy(labels, said), metrics.accuracy(undisturbed[area], said)
                rows.append({
                    "disturbance": name, "area": area.value, "n": len(samples), "accuracy": right.value,
                    "accuracy_low": right.low, "accuracy_high": right.high, "same_answer": same.value,
                    "same_answer_low": same.low, "same_answer_high": same.high, "detected": float(found.mean()),
                    "face_size": float(np.median(sizes)),
                })  # fmt: skip
            progress(
                f"{name}: whole face {rows[-1]['accuracy']:.2%} right, {rows[-1]['same_answer']:.2%} the same answer"
            )
    return pd.DataFrame(rows)


def measured_sizes(table: pd.DataFrame) -> tuple[float, float]:
    """Smallest and largest median face size in pixels at which a table of :func:`measure` has figures."""
    return round(float(table["face_size"].min()), 1), round(float(table["face_size"].max()), 1)
