"""Photos that lie on their side or head, without EXIF -> docs/results/detection/sideways.json.

    python scripts/measure/sideways.py DATA --out docs/results/detection/sideways.json

DATA holds masks/. Every so many photos with and without a real mask are turned by 90, 180 and 270 degrees
(counter-clockwise). Told is how many have a face found where it is found in the upright photo (boxes overlap by more
than 0.3), how many of these are upright after the turn that the mesh's roll tells (within 30 degrees), and how many
carry a note.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.analyze.notes import notes_of
from mien.face import blazeface, images
from mien.face.detect import detect
from mien.measure.metrics import wilson
from mien.types import Float32


def turned_back(box: Float32, turns: int, side: tuple[int, int]) -> Float32:
    """A box of the turned photo in pixels of the upright one (height, width)."""
    corners = box.reshape(2, 2)
    for turn in range(turns, 0, -1):
        width = side[1] if turn % 2 else side[0]
        corners = np.stack([width - 1 - corners[:, 1], corners[:, 0]], axis=1)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=60, help="of each kind")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    result: dict[str, Any] = {"command": f"python scripts/measure/sideways.py DATA --photos {args.photos}"}
    for kind in ("without_mask", "with_mask"):
        paths = sorted((args.data / "masks" / kind).glob("*"))
        marks: dict[int, list[tuple[bool, bool, bool]]] = {1: [], 2: [], 3: []}
        for path in paths[:: max(1, len(paths) // args.photos)][: args.photos]:
            rgb = images.load(path)
            upright = detect(rgb)
            if not upright:
                continue
            for turns, seen in marks.items():
                turned = np.ascontiguousarray(np.rot90(rgb, turns))
                mark = (False, False, False)
                for face in detect(turned):
                    back = turned_back(face.box, turns, (rgb.shape[0], rgb.shape[1]))
                    if blazeface.overlaps(upright[0].box, back[None])[0] > 0.3:
                        assert face.pose is not None
                        assert upright[0].pose is not None
                        off = (face.pose.roll - upright[0].pose.roll + 90 * turns + 180) % 360 - 180
                        mark = (True, abs(off) < 30, bool(notes_of(face, turned.shape[:2])))
                        break
                seen.append(mark)
        result[kind] = {
            f"{90 * turns} degrees": {
                "photos found upright": len(seen),
                "found": wilson(sum(m[0] for m in seen), len(seen)).to_dict(),
                "of these with the right roll": wilson(sum(m[1] for m in seen), sum(m[0] for m in seen)).to_dict(),
                "of these with a note": wilson(sum(m[2] for m in seen), sum(m[0] for m in seen)).to_dict(),
            }
            for turns, seen in marks.items()
        }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1), f"(OpenCV {cv2.__version__})")


if __name__ == "__main__":
    main()
