"""Is one process that holds the port enough? ``python -m benchmarks.serve_rate [--seconds 20] [--clients 8]``.

Starts ``mien serve --workers N`` for each N, lets clients send the bundled photo without a pause, and writes answers a
second, processor seconds an answer of the process that holds the port and of those that analyse, and memory of the
latter at rest and at work, to ``benchmarks/results/serve.json``. Needs ``pip install -e '.[dev]'``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from benchmarks.machine import machine
from mien.assets import SAMPLE

HERE = Path(__file__).parent


def served(workers: int, seconds: float, clients: int) -> dict[str, Any]:
    """One server."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--workers", str(workers), "--waiting", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("mien is at ").strip()
            picture = SAMPLE.read_bytes()

            def ask() -> None:
                with urlopen(f"{address}api/analyze", data=picture, timeout=120) as answer:
                    answer.read()

            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(lambda _: ask(), range(4 * workers)))  # all are up
                front = psutil.Process(process.pid)
                crew = [p for p in front.children() if "resource_tracker" not in " ".join(p.cmdline())]
                rest = [p.memory_info().rss for p in crew]
                load, before, began = os.getloadavg()[0], _spent([front, *crew]), time.monotonic()

                def keep_asking(_: int) -> int:
                    count = 0
                    while time.monotonic() - began < seconds:
                        ask()
                        count += 1
                    return count

                answers = sum(pool.map(keep_asking, range(clients)))
            took, after = time.monotonic() - began, _spent([front, *crew])
            work = [p.memory_info().rss for p in crew]
        finally:
            process.terminate()
    return {
        "workers": workers, "clients": clients, "load_average": round(load, 2), "answers": answers,
        "rate": round(answers / took, 2), "front_seconds_an_answer": round((after[0] - before[0]) / answers, 5),
        "worker_seconds_an_answer": round((sum(after[1:]) - sum(before[1:])) / answers, 5),
        "worker_memory_at_rest": max(rest), "worker_memory_at_the_end": max(work),
    }  # fmt: skip


def _spent(processes: list[psutil.Process]) -> list[float]:
    times = [process.cpu_times() for process in processes]
    return [t.user + t.system for t in times]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_rate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "serve.json")
    args = parser.parse_args()
    runs = [served(n, args.seconds, args.clients) for n in args.workers]
    most = max(runs, key=lambda run: run["workers"])
    result = {
        "machine": machine(), "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "workers_that_one_front_keeps_busy": int(most["worker_seconds_an_answer"] / most["front_seconds_an_answer"]),
        "runs": runs,
    }  # fmt: skip
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
