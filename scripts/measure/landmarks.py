"""How steady are the landmarks? Compare a face's with those of its mirror image, for one box and for mien's five.

    python scripts/measure/landmarks.py ~/ferplus --faces 300 --out docs/results/landmarks.json

Writes, per method, the mean, median and 90th percentile of the distance as a share of the face size.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mien.data import read
from mien.data.pictures import load_gray
from mien.face import dlib_faces as landmarks
from mien.types import Float32, UInt8

MIRROR = np.r_[
    np.arange(16, -1, -1), np.arange(26, 16, -1), np.arange(27, 31), np.arange(35, 30, -1), [45, 44, 43, 42, 47, 46],
    [39, 38, 37, 36, 41, 40], np.arange(54, 47, -1), np.arange(59, 54, -1), np.arange(64, 59, -1),
    np.arange(67, 64, -1),
]  # fmt: skip
"""Landmark i of a mirror image is landmark MIRROR[i] of the face."""
METHODS: dict[str, Callable[[UInt8, Float32], Float32]] = {
    "one box": landmarks._predict_once,
    "better box, mean of five": landmarks.predict_landmarks,
}


def distance(gray: UInt8, method: Callable[[UInt8, Float32], Float32]) -> float | None:
    """Mean distance between the landmarks of a face and of its mirror image, as a share of the face size."""
    large = landmarks._resized(gray, landmarks.CROP_SIDE / max(gray.shape))
    mirrored = np.ascontiguousarray(large[:, ::-1])
    here, there = (landmarks._one_face_box(picture, "hog") for picture in (large, mirrored))
    if here is None or there is None:
        return None
    own, other = method(large, here[0]), method(mirrored, there[0])[MIRROR]
    other = np.column_stack([large.shape[1] - 1 - other[:, 0], other[:, 1]])
    return float(np.abs(own - other).mean() / np.sqrt(np.prod(np.ptp(own, axis=0))))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--faces", type=int, default=300)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    tested = [s for s in read("ferplus", args.root).samples if s.split == "validation"]
    tested = tested[:: max(1, len(tested) // args.faces)]
    pictures = [load_gray(sample) for sample in tested]
    result: dict[str, object] = {"command": "python scripts/measure/landmarks.py", "split": "validation"}
    for name, method in METHODS.items():
        found = np.array([d for d in (distance(gray, method) for gray in pictures) if d is not None])
        result[name] = {
            "faces": len(found), "mean": round(float(found.mean()), 5), "median": round(float(np.median(found)), 5),
            "percentile_90": round(float(np.quantile(found, 0.9)), 5),
        }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
