"""``--engine ray`` beside processes, on one machine: ``python -m benchmarks.ray_rate DIR [--workers 2] [--rounds 1]``.

Takes turns on one folder of photos, then once more with Ray, killing an actor in the middle. Writes rates and processor
seconds, their ratios (on a machine that others use the latter says more), whether the tables were the same, and memory
in both halves of each run to ``benchmarks/results/ray.json``.
Needs ``pip install -e '.[dev,ray]'``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from benchmarks.machine import machine
from mien.analyze.folder import Engine, analyze_folder

HERE = Path(__file__).parent


class Watch(threading.Thread):
    """Looks at all processes below this one: their memory over time, and kills one that works for Ray if asked to."""

    def __init__(self, kill_after: float | None = None) -> None:
        super().__init__(daemon=True)
        self.kill_after = kill_after
        self.seen: list[int] = []
        self.spent: dict[int, float] = {}
        self.killed = 0
        self.before = _spent(psutil.Process())
        self._over = threading.Event()

    def run(self) -> None:
        """Until :meth:`stop`."""
        began = time.monotonic()
        while not self._over.wait(0.5):
            below = psutil.Process().children(recursive=True)
            workers = [p for p in below if _names(p) and "Hand" in _names(p)]
            self.seen.append(sum(_size(p) for p in (workers or below)))
            now = {p.pid: _spent(p) for p in [psutil.Process(), *below]}
            self.spent.update({pid: max(spent, self.spent.get(pid, 0.0)) for pid, spent in now.items()})
            if self.kill_after is not None and time.monotonic() - began > self.kill_after and workers:
                os.kill(workers[0].pid, signal.SIGKILL)
                self.killed, self.kill_after = self.killed + 1, None

    def stop(self) -> dict[str, Any]:
        """Largest sum of resident memory in each half, bytes; processor seconds of all processes, last seen."""
        self._over.set()
        self.join()
        half = len(self.seen) // 2
        here = psutil.Process().pid
        cpu = sum(spent for pid, spent in self.spent.items() if pid != here) + self.spent[here] - self.before
        return {
            "cpu": round(cpu, 2),
            "memory_first_half": max(self.seen[:half] or [0]),
            "memory_second_half": max(self.seen[half:] or [0]),
        }


def _names(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _spent(process: psutil.Process) -> float:
    """Processor seconds of a process; 0 where it has just ended."""
    try:
        times = process.cpu_times()
        return float(times.user + times.system)
    except psutil.Error:
        return 0.0


def _size(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def timed(folder: str, out: Path, engine: Engine, workers: int, kill_after: float | None = None) -> dict[str, Any]:
    """One run: seconds, photos a second, memory; start-up and end included."""
    watch = Watch(kill_after)
    watch.start()
    before, began = os.getloadavg()[0], time.monotonic()
    done = analyze_folder([folder], out, workers=workers, quiet=True, engine=engine, overwrite=True)
    seconds = time.monotonic() - began
    return {
        "engine": engine, "seconds": round(seconds, 2), "photos": done.photos, "faces": done.faces,
        "failed": done.failed, "rate": round(done.photos / seconds, 3), "load_average": round(before, 2),
        **watch.stop(), "killed": watch.killed,
    }  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_rate", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "ray.json")
    args = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        tables = {engine: Path(scratch) / f"{engine}.parquet" for engine in ("processes", "ray")}
        for _ in range(args.rounds):
            runs.append(timed(args.folder, tables["processes"], "processes", args.workers))
            runs.append(timed(args.folder, tables["ray"], "ray", args.workers))
        same = pd.read_parquet(tables["processes"]).equals(pd.read_parquet(tables["ray"]))
        middle = statistics.median(run["seconds"] for run in runs if run["engine"] == "ray") / 2
        killed = timed(args.folder, tables["ray"], "ray", args.workers, middle)
        whole = pd.read_parquet(tables["processes"]).equals(pd.read_parquet(tables["ray"]))
    cpu = {e: statistics.median(run["cpu"] / run["photos"] for run in runs if run["engine"] == e) for e in tables}
    rates = {e: statistics.median(run["rate"] for run in runs if run["engine"] == e) for e in tables}
    result = {
        "machine": machine(), "date": datetime.now(UTC).isoformat(timespec="seconds"), "workers": args.workers,
        "ratio": round(rates["ray"] / rates["processes"], 3),
        "cpu_ratio": round(cpu["processes"] / cpu["ray"], 3), "same_table": same, "runs": runs,
        "killed_in_the_middle": {**killed, "same_table": whole},
    }  # fmt: skip
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
