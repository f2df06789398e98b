"""A folder beside an earlier tree: ``python -m benchmarks.folder_rate DIR --earlier SRC [--rounds 2]``.

The two take turns on the same photos; seconds, processor seconds and memory go to ``benchmarks/results/folder.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contest import Contender, contest
from benchmarks.machine import machine

HERE = Path(__file__).parent


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folder_rate", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--earlier", type=Path, required=True, metavar="SRC", help="src folder of the earlier tree")
    parser.add_argument("--commit", required=True, help="of the earlier tree, as it is named in the result")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    trees = {"mien": HERE.parent / "src", f"mien at {args.commit}": args.earlier.resolve()}
    command = [sys.executable, str(HERE / "tasks.py"), "folder", args.folder]
    found = contest([Contender(name, command, {"PYTHONPATH": str(src)}) for name, src in trees.items()], args.rounds, 0)
    now, before = (found["results"][name] for name in trees)
    result = {
        "machine": machine(), "date": datetime.now(UTC).isoformat(timespec="seconds"), **found,
        "ratios": {key: round(before[key] / now[key], 3) for key in ("wall", "cpu", "wall_least", "cpu_least")},
    }  # fmt: skip
    (HERE / "results" / "folder.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
