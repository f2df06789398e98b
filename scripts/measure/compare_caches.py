"""Do two prepared data sets hold the same faces, byte for byte?

    python scripts/measure/compare_caches.py CACHE_A CACHE_B [--out FILE.json]

Faces are matched by id and picture's name; compared are frames, landmarks, extents, label, split and detector.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from mien.data.cache import FaceCache


def places(cache: FaceCache) -> dict[str, int]:
    """Id -> first row."""
    return {name: row for row, name in reversed(list(enumerate(cache.index["id"])))}


def compare(a: FaceCache, b: FaceCache) -> dict[str, Any]:
    """How many faces of B are in A, and how many of these are the same in each respect."""
    in_a, in_b = places(a), places(b)
    common = [name for name in in_b if name in in_a]
    rows_a, rows_b = np.array([in_a[n] for n in common]), np.array([in_b[n] for n in common])
    result: dict[str, Any] = {
        "a": a.folder.name, "b": b.folder.name, "faces_a": len(a.index), "rows_b": len(b.index),
        "ids_b": len(in_b), "common": len(common),
    }  # fmt: skip
    for name in ("frames", "landmarks", "extents"):
        x, y = getattr(a, name), getattr(b, name)
        result[f"same_{name}"] = sum(bool((x[i] == y[j]).all()) for i, j in zip(rows_a, rows_b, strict=True))
    for column in ("label", "split", "detector"):
        x, y = a.index[column].to_numpy()[rows_a], b.index[column].to_numpy()[rows_b]
        result[f"same_{column}"] = int((x == y).sum())
    ids = [[i for i, s in zip(c.index["id"], c.index["split"], strict=True) if s == "validation"] for c in (a, b)]
    result["same_validation_ids_in_order"] = ids[0] == ids[1]
    return result


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    text = json.dumps(compare(FaceCache.open(args.a), FaceCache.open(args.b)), indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
