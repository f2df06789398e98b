"""Where a folder's processor time goes: ``python -m benchmarks.shares DIR [--photos 100]``.

One process analyses the folder's first photos under cProfile; then each network is asked in batches of several sizes,
and a table is made. Shares, looks a photo and milliseconds go to ``benchmarks/results/shares.json``.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import machine

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
HERE = Path(__file__).parent
BATCHES = (1, 2, 3, 4, 8, 16, 24)
RUN = "built-in method onnxruntime.capi.onnxruntime_pybind11_state.run"
NETWORKS = {"blazeface_back": 256, "blazeface_short": 128, "face_mesh": 192}


def shares(folder: str, count: int) -> dict[str, Any]:
    """Of the time of ``analyze_photo``: networks, resizing, decoding; and looks of BlazeFace a photo."""
    from mien.analyze.folder import FolderSettings, PhotoTask, analyze_photo
    from mien.analyze.listing import list_photos

    settings, photos = FolderSettings(), list_photos([folder], False).photos[:count]
    analyze_photo(PhotoTask(photos[0], settings))
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for photo in photos:
        analyze_photo(PhotoTask(photo, settings))
    profile.disable()
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]

    def of(name: str, file: str, column: int) -> float:
        return float(sum(row[column] for key, row in stats.items() if name == key[2].strip("<>") and file in key[0]))

    whole = of("analyze_photo", "folder.py", 3)
    return {
        "photos": len(photos), "milliseconds_a_photo": round(whole / len(photos) * 1e3, 1),
        "networks": round(of(RUN, "", 2) / whole, 3),
        "blazeface_whole_and_tiles": round(of("_looked", "blazeface.py", 3) / whole, 3),
        "resizing": round(of("resize", "", 2) / whole, 3),
        "decoding": round(of("decode", "face/decoding.py", 3) / whole, 3),
        "looks_a_photo": round(of("_looked", "blazeface.py", 0) / len(photos), 1),
    }  # fmt: skip


def batches() -> dict[str, dict[str, float]]:
    """Milliseconds a picture of each network, by size of the batch: the least of ten."""
    from mien.face.session import session

    random = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {}
    for name, side in NETWORKS.items():
        for size in BATCHES:
            pictures = random.integers(0, 255, (size, side, side, 3), np.uint8)
            work = partial(session(name).run, None, {"image": pictures})
            found.setdefault(name, {})[str(size)] = _least(work, size)
    return found


def tables() -> dict[str, float]:
    """Milliseconds to make a table of 16 faces: by columns, as now, and of rows that are then converted, as before."""
    import pandas as pd

    from mien import Analyzer
    from mien.analyze.table import COLUMNS, table_of
    from mien.assets import SAMPLE

    rows = Analyzer().analyze(SAMPLE).to_rows() * 16
    types = {name: "object" if kind == "str" else kind for name, kind in COLUMNS.items()}
    return {
        "by_columns": _least(lambda: table_of(rows)),
        "of_rows": _least(lambda: pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)),
    }


def _least(work: Callable[[], object], items: int = 1) -> float:
    spent = []
    for _ in range(10):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return round(min(spent) / items * 1e3, 2)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shares", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--photos", type=int, default=100)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    result = {
        "machine": machine(), "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": round(os.getloadavg()[0], 2), "shares": shares(args.folder, args.photos),
        "milliseconds_a_picture_by_batch": batches(), "milliseconds_a_table_of_16": tables(),
    }  # fmt: skip
    (HERE / "results" / "shares.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
