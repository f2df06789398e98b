"""What photos' own search finds: real masks, bare faces, drawn covers, ExpW's boxes, tiles of background; and its time.

    PYTHONPATH=scripts/measure:scripts/run python scripts/measure/detection.py DATA --offset 0 \\
        --out docs/results/detection/found.csv

DATA holds masks/ and expw/. A face counts as found where any face is (masks), on ExpW where a box overlaps by more
than 0.3. Tiles are cut away from every box, but ExpW's boxes leave people out: a tile's find with a presence above 0.5
is counted apart.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from covers import KINDS, cover
from verify_faces import expw, load, tiles

from mien.face import blazeface
from mien.face.detect import DETECTORS, detect


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=1)
    parser.add_argument("--detector", choices=DETECTORS, default="mesh")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    counts: dict[str, list[int]] = {}
    seconds: list[float] = []

    def count(name: str, found: bool) -> None:
        counts.setdefault(name, []).append(int(found))

    def timed(rgb: np.ndarray) -> list:
        begun = time.process_time()
        faces = detect(rgb, arguments.detector)
        seconds.append(time.process_time() - begun)
        return faces

    generator = np.random.default_rng(99)
    chosen = slice(arguments.offset, None, arguments.every)
    for n, path in enumerate(sorted((arguments.data / "masks").glob("*/*"))[chosen]):
        rgb = load(path)
        faces = timed(rgb)
        count(path.parent.name, bool(faces))
        if path.parent.name == "without_mask" and faces and faces[0].mesh is not None:
            kind = KINDS[n % 5]
            count(f"drawn {kind}", bool(detect(cover(rgb, faces[0].mesh, kind, generator), arguments.detector)))
    for name, boxes in list(expw(arguments.data / "expw").items())[chosen]:
        rgb = load(arguments.data / "expw" / "image" / "origin" / name)
        found = np.array([face.box for face in timed(rgb)], np.float32).reshape(-1, 4)
        for box in boxes:
            count("ExpW's boxes", bool((blazeface.overlaps(box, found) > 0.3).any()))
        for _, tile in tiles(rgb, boxes, generator, 1):
            faces = detect(tile, arguments.detector)
            count("tiles with a find", bool(faces))
            count("tiles with a find of presence under 0.5", any((f.presence or 0) < 0.5 for f in faces))
    lines = ["what,of,percent", *(f"{k},{len(v)},{100 * np.mean(v):.1f}" for k, v in sorted(counts.items()))]
    lines.append(f"processor milliseconds a photo (mean),{len(seconds)},{1e3 * np.mean(seconds):.0f}")
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines), f"(OpenCV {cv2.__version__})")


if __name__ == "__main__":
    main()
