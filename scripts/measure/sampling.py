"""How many faces get the same answer when their picture is enlarged, with linear and with cubic crops.

    python scripts/measure/sampling.py RUN... --data ferplus:ROOT --out docs/results/models/sampling.csv

Validation faces. The landmarks are those of the picture as it is, so that only the pixels can change the answer; of
`mien evaluate --disturbances` the whole way is the subject. A run trained on one sampling is read with both.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from mien.data import read
from mien.data.pictures import load_gray
from mien.face.crops import canvas_of, cut
from mien.face.detect import detect_one
from mien.face.spec import CropSpec
from mien.train.batches import part_bits
from mien.train.networks import predict
from mien.train.runs import Trained, load
from mien.types import Float32, UInt8

SIDES = (48, 64, 128, 256, 512)


def answers(trained: Trained, spec: CropSpec, grays: list[UInt8], points: list[Float32]) -> npt.NDArray[np.int64]:
    """Position of the emotion said for each face, int64 [N]."""
    (area,) = trained.config.areas
    canvases = [canvas_of(g, p, spec.face_size, spec.sampling) for g, p in zip(grays, points, strict=True)]
    crops = torch.from_numpy(np.stack([cut(canvas, area, spec) for canvas in canvases]))
    return np.asarray(predict(trained.network, crops, part_bits([area]).expand(len(crops), 3)).argmax(dim=1).numpy())


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished trainings, or RUN@SIDE")
    parser.add_argument("--data", required=True, metavar="ferplus:ROOT")
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    samples = [s for s in read(*args.data.split(":", 1)).samples if s.split == "validation" and s.published]
    samples = [samples[i] for i in np.linspace(0, len(samples) - 1, args.faces).round().astype(int)]
    labels = np.array([s.label.position for s in samples])
    grays = [load_gray(s) for s in samples]
    points, trainings, rows = [detect_one(g).landmarks for g in grays], [load(run) for run in args.runs], []
    before: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
    for side in SIDES:
        scale = side / 48
        large = [cv2.resize(g, (side, side), interpolation=cv2.INTER_CUBIC) for g in grays] if side != 48 else grays
        moved = [((p + 0.5) * scale - 0.5).astype(np.float32) for p in points]
        for trained in trainings:
            for sampling in ("linear", "cubic"):
                spec = replace(trained.config.final_spec, sampling=sampling)
                said = answers(trained, spec, large, moved)
                first = before.setdefault((trained.name, sampling), said)
                rows.append({
                    "run": trained.name, "trained_on": trained.config.final_spec.sampling, "read_with": sampling,
                    "side": side, "same_answer": (said == first).mean(), "accuracy": (said == labels).mean(),
                    "n": len(samples),
                })  # fmt: skip
        print(pd.DataFrame(rows[-2 * len(trainings) :]).to_string(index=False), flush=True)
    pd.DataFrame(rows).round(4).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
