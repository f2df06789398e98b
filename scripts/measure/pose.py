"""Does the pose hold? Against published lists of turned faces, under turns of the picture, and under mirroring.

    python scripts/measure/pose.py CACHE FERPLUS HARD --out docs/results/detection/pose.json

CACHE is FER+ prepared by ``mien data prepare``, FERPLUS the data set, HARD the folder of pose30.csv, pose45.csv and
test3137.csv (faces of the test split turned by more than so many degrees; nothing was chosen on them). A picture turned
by a known angle must change roll by it and leave yaw and pitch; a mirrored one has the opposite yaw and roll.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mien.data import read
from mien.data.pictures import load_gray
from mien.face.detect import detect_one
from mien.types import Pose, UInt8

ANGLES = ("yaw", "pitch", "roll")
TURN = 20.0


def turned(gray: UInt8, degrees: float) -> UInt8:
    """The picture turned clockwise, its rim mirrored outwards."""
    height, width = gray.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1)
    return cv2.warpAffine(gray, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT).astype(
        np.uint8
    )


def pose(gray: UInt8) -> Pose:
    """Of a data set's picture."""
    found = detect_one(gray).pose
    assert found is not None
    return found


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """How often a turned face has the larger angle."""
    ranks = pd.Series(np.concatenate([positive, negative])).rank().to_numpy()[: len(positive)].sum()
    return float((ranks - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cache", "ferplus", "hard", "--out"):
        parser.add_argument(name, type=Path, **({"required": True} if name == "--out" else {}))
    parser.add_argument("--faces", type=int, default=300)
    arguments = parser.parse_args()
    table = pd.read_parquet(arguments.cache / "index.parquet")
    away = table[[f"pose_{angle}" for angle in ANGLES]].abs().set_axis(list(ANGLES), axis=1)
    image = table["source"].map(lambda path: Path(path).name)
    names = {n: set(pd.read_csv(arguments.hard / f"{n}.csv")["image"]) for n in ("test3137", "pose30", "pose45")}
    out_of_plane = np.hypot(away["yaw"], away["pitch"])
    straight = image.isin(names["test3137"] - names["pose30"])
    lists = {"not in pose30": straight} | {n: image.isin(names[n]) for n in ("pose30", "pose45")}
    training = table["split"] == "train"
    tested = [s for s in read("ferplus", arguments.ferplus).samples if s.split == "validation"]
    rolls, others, mirrored = [], [], []
    for sample in tested[:: max(1, len(tested) // arguments.faces)][: arguments.faces]:
        gray = load_gray(sample)
        level = pose(gray)
        for degrees in (-TURN, TURN):
            after = pose(turned(gray, degrees))
            rolls.append(abs(after.roll - level.roll - degrees))
            others.append(max(abs(after.yaw - level.yaw), abs(after.pitch - level.pitch)))
        flipped = pose(np.ascontiguousarray(gray[:, ::-1]))
        mirrored.append(
            [abs(flipped.yaw + level.yaw), abs(flipped.pitch - level.pitch), abs(flipped.roll + level.roll)]
        )
    result = {
        "command": "python scripts/measure/pose.py CACHE FERPLUS HARD",
        "98 of 100 training faces lie within (degrees)": _rounded(away[training].quantile(0.98)),
        "median degrees by list": {
            name: {"faces": int(rows.sum()), **_rounded(away[rows].median()),
                   "yaw and pitch together": round(float(out_of_plane[rows].median()), 1)}
            for name, rows in lists.items()
        },
        "a face of pose30 is turned farther than one that is not in it (AUC)": round(
            area_under_curve(out_of_plane[lists["pose30"]].to_numpy(), out_of_plane[straight].to_numpy()), 3
        ),
        f"picture turned by {TURN:g} degrees": {
            "pictures": len(rolls), "roll off by (median, 90th percentile)": _two(rolls),
            "yaw or pitch moves by (median, 90th percentile)": _two(others)},
        "mirrored picture": {
            "pictures": len(mirrored), **{f"{angle} off by (median, 90th percentile)": _two([m[n] for m in mirrored])
                                          for n, angle in enumerate(ANGLES)}},
    }  # fmt: skip
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _rounded(values: pd.Series) -> dict[str, float]:
    return {str(name): round(float(value), 1) for name, value in values.items()}


def _two(values: list[float]) -> list[float]:
    return [round(float(np.quantile(values, share)), 2) for share in (0.5, 0.9)]


if __name__ == "__main__":
    main()
