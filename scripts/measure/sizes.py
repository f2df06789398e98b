"""Are small faces found in large photos? -> docs/results/detection/sizes.json: share found and seconds a photo.

    PYTHONPATH=scripts/measure:scripts/run python scripts/measure/sizes.py DATA --out docs/results/detection/sizes.json

DATA holds expw/. Photos of 2, 12 and 24 megapixels are made: every other background is one ExpW photo enlarged, with
grain, the others are a mosaic of ExpW photos at their own size, more crowded than a photo ever is. Heads with what
surrounds them, cut out of other ExpW photos and brought to where the mesh's box measures 44, 60, 100 and 200 pixels,
are laid on it with soft rims, so many of each size on every photo. A head is one that is found in its own photo and
measures at least 100 pixels there: what is measured is size, not who is hard to find. It counts as found where a face's
box overlaps by more than 0.3.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from verify_faces import expw, load

from mien.face import blazeface
from mien.face.detect import MIN_FACE, detect
from mien.measure.metrics import wilson
from mien.types import Float32, UInt8

SIZES = (44, 60, 100, 200)
MEGAPIXELS = {2: (1225, 1633), 12: (3000, 4000), 24: (4000, 6000)}
"""Height and width."""
LEAST = 100.0
AROUND = 1.1
"""Reach of what is cut out around a face's middle, in longer sides of its box."""
EACH = 4
"""Faces of each size on a photo."""


@dataclass(frozen=True, eq=False)
class Head:
    """A face with what surrounds it, uint8 [H, W, 3], and its box (x0, y0, x1, y1) in pixels there."""

    rgb: UInt8
    box: Float32

    def of_size(self, size: float) -> Head:
        """Enlarged or reduced to a longer side of the box."""
        scale = size / float(np.max(self.box[2:] - self.box[:2]))
        wide, tall = (max(1, round(side * scale)) for side in (self.rgb.shape[1], self.rgb.shape[0]))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return Head(np.asarray(cv2.resize(self.rgb, (wide, tall), interpolation=how), np.uint8), self.box * scale)


def heads(root: Path, count: int) -> tuple[list[Head], list[str]]:
    """Heads, and names of the photos that are left for backgrounds."""
    found: list[Head] = []
    photos = expw(root)
    names = list(photos)
    for place, name in enumerate(names):
        if len(found) == count:
            return found, names[place:]
        if len(photos[name]) > 1:
            continue
        rgb = load(root / "image" / "origin" / name)
        for face in detect(rgb):
            size = float(np.max(face.box[2:] - face.box[:2]))
            if size < LEAST or blazeface.overlaps(face.box, photos[name])[0] < 0.3:
                continue
            middle = (face.box[:2] + face.box[2:]) / 2
            low = np.maximum(np.floor(middle - AROUND * size), 0).astype(int)
            high = np.minimum(np.ceil(middle + AROUND * size), rgb.shape[1::-1]).astype(int)
            cut = np.ascontiguousarray(rgb[low[1] : high[1], low[0] : high[0]])
            found.append(Head(cut, face.box - np.tile(low, 2).astype(np.float32)))
            break
    return found, names[-200:]


def enlarged(rgb: UInt8, shape: tuple[int, int], generator: np.random.Generator) -> UInt8:
    """One photo as the background, with grain."""
    scale = max(shape[0] / rgb.shape[0], shape[1] / rgb.shape[1])
    large = cv2.resize(rgb, None, fx=scale + 0.01, fy=scale + 0.01, interpolation=cv2.INTER_CUBIC)[
        : shape[0], : shape[1]
    ]
    grain = generator.normal(0, 4, (*shape, 1)).astype(np.float32)
    return np.clip(large + grain, 0, 255).astype(np.uint8)


def mosaic(photos: list[UInt8], shape: tuple[int, int], generator: np.random.Generator) -> UInt8:
    """Photos at their own size, side by side in rows."""
    canvas = np.zeros((*shape, 3), np.uint8)
    y = 0
    while y < shape[0]:
        x, tall = 0, 300
        while x < shape[1]:
            rgb = photos[int(generator.integers(len(photos)))]
            scale = tall / rgb.shape[0] if rgb.shape[0] < tall else 1.0
            piece = cv2.resize(rgb, None, fx=scale, fy=scale)[:tall] if scale > 1 else rgb[:tall]
            part = piece[: shape[0] - y, : shape[1] - x]
            canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
            x += part.shape[1]
        y += tall
    return canvas


def lay(canvas: UInt8, head: Head, taken: list[Float32], generator: np.random.Generator) -> Float32:
    """Lay a head where none is yet, with soft rims; returns its box."""
    height, width = head.rgb.shape[:2]
    for _ in range(2000):
        x = int(generator.integers(0, canvas.shape[1] - width + 1))
        y = int(generator.integers(0, canvas.shape[0] - height + 1))
        frame = np.array([x, y, x + width, y + height], np.float32)
        if not taken or not (blazeface.overlaps(frame, np.array(taken)) > 0).any():
            break
    else:
        raise RuntimeError("no room for a head")
    taken.append(frame)
    rim = max(2, round(0.06 * min(height, width)))
    down, across = (np.minimum(1, (np.minimum(np.arange(n), np.arange(n)[::-1]) + 1) / rim) for n in (height, width))
    share = (down[:, None] * across[None])[..., None].astype(np.float32)
    under = canvas[y : y + height, x : x + width]
    canvas[y : y + height, x : x + width] = np.clip(head.rgb * share + under * (1 - share) + 0.5, 0, 255)
    return head.box + np.array([x, y, x, y], np.float32)


def main() -> None:
    """Make the photos, look for the faces, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=16, help="of each number of megapixels")
    parser.add_argument("--heads", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    root = args.data / "expw"
    people, left = heads(root, args.heads)
    generator = np.random.default_rng(args.seed)
    backs = [load(root / "image" / "origin" / left[int(i)]) for i in generator.choice(len(left), 60, replace=False)]
    cells: dict[str, Any] = {}
    for millions, shape in MEGAPIXELS.items():
        marks: dict[int, list[bool]] = {size: [] for size in SIZES}
        kinds: dict[str, list[bool]] = {"enlarged photo": [], "mosaic": []}
        seconds: dict[str, list[float]] = {"enlarged photo": [], "mosaic": []}
        for number in range(args.photos):
            kind = ("enlarged photo", "mosaic")[number % 2]
            canvas = enlarged(backs[number], shape, generator) if number % 2 == 0 else mosaic(backs, shape, generator)
            taken: list[Float32] = []
            laid: list[tuple[int, Float32]] = []
            for size in sorted(SIZES, reverse=True):
                for _ in range(EACH):
                    head = people[int(generator.integers(len(people)))].of_size(size)
                    laid.append((size, lay(canvas, head, taken, generator)))
            begun = time.process_time()
            boxes = np.array([face.box for face in detect(canvas)], np.float32).reshape(-1, 4)
            seconds[kind].append(time.process_time() - begun)
            for size, box in laid:
                found = bool((blazeface.overlaps(box, boxes) > 0.3).any())
                marks[size].append(found)
                kinds[kind].append(found)
        cells[f"{millions} megapixels"] = {
            "photos": args.photos,
            "processor seconds a photo (median)": {k: round(float(np.median(v)), 2) for k, v in seconds.items()},
            "found by size": {f"{size} px": wilson(sum(m), len(m)).to_dict() for size, m in marks.items()},
            "found by background": {kind: wilson(sum(m), len(m)).to_dict() for kind, m in kinds.items()},
        }
        print(json.dumps(cells[f"{millions} megapixels"]), flush=True)
    command = "PYTHONPATH=scripts/measure:scripts/run python scripts/measure/sizes.py DATA"
    result = {"command": command, "smallest face looked for": MIN_FACE, "heads": len(people), **cells}
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
