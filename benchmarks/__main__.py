"""Everything side by side in one run: ``python -m benchmarks [--earlier SRC] [--fer PYTHON] [--face-api DIR]``.

Writes ``benchmarks/results/speed.json`` (machine, load average, seconds an item, ratios) and draws it as ``speed.png``.
Needs ``pip install -e '.[dev]'``; peers that are not given do not take part, and those that fail say why.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import materials
from benchmarks.contest import Contender, contest
from benchmarks.machine import machine
from benchmarks.picture import draw

HERE = Path(__file__).parent
OWN = HERE.parent / "src"
PHOTO_TASKS = ("everything", "answer", "finding", "networks", "preparation")
START_UPS = {"import": ("-c", "import mien"), "help": ("-m", "mien", "--help")}


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--earlier", type=Path, metavar="SRC", help="src folder of an earlier release")
    parser.add_argument("--fer", metavar="PYTHON", help="a Python in which the package fer is installed")
    parser.add_argument("--face-api", type=Path, metavar="DIR", help="folder with @vladmandic/face-api in node_modules")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", type=int, default=60, help="in the folder (60)")
    parser.add_argument("--frames", type=int, default=50, help="of the video (50)")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()
    trees = {"mien": OWN} | ({"mien, earlier": args.earlier.resolve()} if args.earlier else {})
    sizes = {"rounds": args.rounds, "photos": args.photos, "frames": args.frames}
    result: dict[str, Any] = {"machine": machine(), **sizes, "tasks": {}}
    args.out.mkdir(parents=True, exist_ok=True)

    def measured(task: str, contenders: list[Contender], rounds: int, warm: int) -> None:
        """One contest; kept at once, so that a run that is cut off has left what it measured."""
        found = contest(contenders, rounds, warm)
        result["tasks"][task] = found | {"ratios": _ratios(found["results"])}
        result["date"] = datetime.now(UTC).isoformat(timespec="seconds")
        (args.out / "speed.json").write_text(json.dumps(result, indent=2) + "\n")
        draw(result, args.out / "speed.png")

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        photo, empty = str(materials.photo_with_face()), str(materials.photo_without_face(place))
        for task in PHOTO_TASKS:
            peers = _peers(args, photo) if task == "everything" else []
            measured(task, [_own(n, tree, task, photo) for n, tree in trees.items()] + peers, args.rounds, 1)
        measured("cold", [_cold(n, tree, "", photo) for n, tree in trees.items()], 3, 1)
        measured("no face", [_own(n, tree, "everything", empty) for n, tree in trees.items()], args.rounds, 1)
        measured("start", [_cold(n, tree, code) for code in START_UPS for n, tree in trees.items()], 3, 1)
        folder, video = str(materials.photos(place / "photos", args.photos)), str(materials.video(place, args.frames))
        for task, what in (("folder", folder), ("video", video), ("loop", folder)):
            measured(task, [_own(n, tree, task, what) for n, tree in trees.items()], 1, 0)


def _own(name: str, tree: Path, task: str, what: str) -> Contender:
    command = [sys.executable, str(HERE / "tasks.py"), task, what]
    return Contender(name, command, {"PYTHONPATH": str(tree)})


def _cold(name: str, tree: Path, code: str, photo: str = "") -> Contender:
    words = START_UPS[code] if code else ("-m", "mien", "analyze", photo)
    title = f"{name}: {code}" if code else name
    return Contender(title, [sys.executable, str(HERE / "cold.py"), *words], {"PYTHONPATH": str(tree)})


def _peers(args: argparse.Namespace, photo: str) -> list[Contender]:
    peers = HERE / "peers"
    fer = [Contender(f"fer, {f}", [args.fer, str(peers / "fer_photo.py"), photo, f]) for f in ("haar", "mtcnn")]
    script = str(peers / "face_api.mjs")
    api = [Contender(f"face-api, {f}", ["node", script, photo, f], folder=args.face_api) for f in ("tiny", "ssd")]
    return (fer if args.fer else []) + (api if args.face_api else [])


def _ratios(results: dict[str, Any]) -> dict[str, float]:
    """How many times the wall time of mien's the others need, by name: medians of one run."""
    pairs = {name: name.replace("mien, earlier", "mien") if "earlier" in name else "mien" for name in results}
    return {
        name: round(results[name]["wall"] / results[own]["wall"], 2)
        for name, own in pairs.items()
        if name != own and "wall" in results[name] and "wall" in results.get(own, {})
    }


if __name__ == "__main__":
    main()
