"""The package ``fer`` from PyPI on one photo: ``python fer_photo.py PHOTO haar|mtcnn [once]``."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import cv2

try:
    from fer.fer import FER  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from fer import FER  # type: ignore[import-not-found,no-redef,unused-ignore]


def main(photo: str, finder: str, once: str = "") -> None:
    """Read the file, find the faces, say their emotions."""
    detector = FER(mtcnn=finder == "mtcnn")

    def work() -> Any:
        return detector.detect_emotions(cv2.imread(photo))

    if once:
        print(json.dumps(str(work())))
        return
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        faces = work()
        said = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu, "items": 1, "faces": len(faces)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
