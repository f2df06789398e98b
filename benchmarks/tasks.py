"""What a contender of mien does: ``python tasks.py TASK [ARGUMENT ...]``, with the tree to measure in PYTHONPATH.

Only what both this release and the earlier one offer is called, so that both run the same program.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
Work = Callable[[], tuple[int, dict[str, Any]]]
"""Does its work once; returns how many items that were, and what else is worth keeping."""


def answer(photo: str) -> Work:
    """One photo, read from its file, its answer with how far to trust it: what ``for answer in ...`` reads."""
    from mien import Analyzer

    analyzer = Analyzer()

    def work() -> tuple[int, dict[str, Any]]:
        answers = analyzer.analyze(photo)
        return 1, {"faces": len(answers), "said": [(a.emotion, a.p_correct.value) for a in answers if a.p_correct]}

    return work


def everything(photo: str) -> Work:
    """The same, and all that mien says of it: seven areas, contributions, visibility, pose."""
    from mien import Analyzer

    analyzer = Analyzer()

    def work() -> tuple[int, dict[str, Any]]:
        return 1, {"faces": len(analyzer.analyze(photo).to_dict()["faces"])}

    return work


def finding(photo: str) -> Work:
    """Faces, landmarks and pose of a picture in memory."""
    from mien.face import images
    from mien.face.detect import detect

    picture = images.load(photo)
    return lambda: (1, {"faces": len(detect(picture))})


def networks(photo: str) -> Work:
    """The networks on one face that is known: answer, trust, seven areas and contributions."""
    from mien import Analyzer
    from mien.face import images

    analyzer, picture = Analyzer(), images.load(photo)
    faces = [a.face for a in analyzer.analyze(picture)][:1]

    def work() -> tuple[int, dict[str, Any]]:
        analyzer.analyze(picture, faces=faces).to_dict()
        return 1, {}

    return work


def preparation(photo: str) -> Work:
    """The one face of each of 32 pictures of 48 pixels, as ``mien data prepare`` places it."""
    import cv2
    import numpy as np

    from mien.face import images
    from mien.face.detect import detect, detect_each

    picture = images.load(photo)
    face = detect(picture)[0]
    x0, y0, x1, y1 = (round(float(v)) for v in face.box)
    crops = []
    for k in range(32):
        m = 4 + k
        piece = picture[max(0, y0 - m) : y1 + m, max(0, x0 - m) : x1 + m]
        crops.append(np.asarray(cv2.cvtColor(cv2.resize(piece, (48, 48)), cv2.COLOR_RGB2GRAY), np.uint8))
    return lambda: (len(crops), {"found": sum(f.detector == "mesh" for f in detect_each(crops))})


def folder(path: str) -> Work:
    """A folder of photos into a CSV, all cores."""
    from mien.analyze.folder import analyze_folder

    def work() -> tuple[int, dict[str, Any]]:
        with tempfile.TemporaryDirectory() as scratch:
            done = analyze_folder([path], Path(scratch) / "t.csv", quiet=True)
        return done.photos + done.failed, {"faces": done.faces, "without_face": done.without_face,
                                           "memory_bytes": _peak_of_children()}  # fmt: skip

    return work


def loop(path: str) -> Work:
    """The same photos in a loop over ``analyze``, their rows read."""
    from mien import Analyzer

    analyzer, photos = Analyzer(), sorted(Path(path).iterdir())

    def work() -> tuple[int, dict[str, Any]]:
        rows = [row for photo in photos for row in analyzer.analyze(photo).to_rows()]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        return len(photos), {"rows": len(rows), "memory_bytes": memory}

    return work


def video(path: str) -> Work:
    """A video into a CSV, every frame."""
    from mien import Analyzer
    from mien.analyze.video.film import analyze_videos

    analyzer = Analyzer()

    def work() -> tuple[int, dict[str, Any]]:
        scratch = Path(tempfile.mkdtemp())
        try:
            result = analyze_videos([path], scratch / "t.csv", analyzer, quiet=True)
            return sum(result.frames.values()), {}
        finally:
            shutil.rmtree(scratch)

    return work


def _peak_of_children() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


TASKS: dict[str, Callable[[str], Work]] = {
    "answer": answer, "everything": everything, "finding": finding, "networks": networks, "preparation": preparation,
    "folder": folder, "loop": loop, "video": video,
}  # fmt: skip


def main(task: str, argument: str) -> None:
    """Be ready, then work once a line."""
    work = TASKS[task](argument)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), _cpu()
        items, more = work()
        spent = {"wall": time.perf_counter() - began, "cpu": _cpu() - cpu}
        print(json.dumps({**spent, "items": items, **more}), flush=True)


def _cpu() -> float:
    """Processor seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main(*sys.argv[1:3])
