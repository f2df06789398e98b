"""What a million and a billion photos take, from measured figures: ``python scripts/measure/scale.py --table FILE``.

Reads processor seconds a photo of ``benchmarks/results/folder.json`` (``python -m benchmarks.folder_rate``) and memory
of ``ray.json`` (``python -m benchmarks.ray_rate``), measures what the one process that lists, keeps and writes costs a
photo (rows of the bundled photo, without analysing anything), takes bytes a photo from a table that was really written
(FILE, .parquet), and writes ``benchmarks/results/scale.json`` and the table in ``docs/scale.md``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "scale.md"
MARKS = "<!-- scale -->", "<!-- /scale -->"
SOME, MORE = 8_000, 32_000
"""Photos with which the driver is measured; memory a photo is the difference."""
SIZES = {"a million": 10**6, "a billion": 10**9}
MACHINE_CORES = 64
PART = 1_000_000
"""Photos a call: larger collections are divided."""


def drive(count: int) -> dict[str, float]:
    """List, keep and write so many photos, whose answers are there already: processor seconds and largest memory."""
    from mien import Analyzer
    from mien.analyze import folder
    from mien.analyze.listing import Listing, Photo
    from mien.assets import SAMPLE
    from mien.jobs.workers import Outcome

    rows = Analyzer().analyze(SAMPLE).to_rows()

    @contextmanager
    def answered(tasks: Sequence[folder.PhotoTask], *_: object) -> Iterator[Iterator[Outcome[Any, Any]]]:
        named = ([row | {"input": task.photo.input} for row in rows] for task in tasks)
        yield (Outcome(task, folder.Finished(own, [])) for task, own in zip(tasks, named, strict=True))

    folder._outcomes = answered  # type: ignore[assignment]
    folder.PIECE_SECONDS = 0.1  # some hundreds of photos, as three seconds of a cluster's work
    photos = tuple(Photo(f"/photos/{i // 1000:06d}/{i:09d}.jpg", f"{i}.jpg", 1, i) for i in range(count))
    before = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "t.parquet"
        folder.analyze_folder(["/photos"], out, quiet=True, listing=Listing(photos, {}, 0))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return {"cpu": time.process_time() - before, "memory": float(used)}


def measured(table: Path) -> dict[str, float]:
    """The figures on which all else rests."""
    ray = json.loads((RESULTS / "ray.json").read_text())
    folder = json.loads((RESULTS / "folder.json").read_text())
    some, more = (_driven(count) for count in (SOME, MORE))
    answers = pd.read_parquet(table)
    return {
        "photos_a_core_second": 1 / folder["results"]["mien"]["cpu"],
        "driver_seconds_a_photo": (more["cpu"] - some["cpu"]) / (MORE - SOME),
        "driver_bytes_a_photo": max(0.0, (more["memory"] - some["memory"]) / (MORE - SOME)),
        "table_bytes_a_photo": table.stat().st_size / answers["input"].nunique(),
        "faces_a_photo": float((answers["status"] == "ok").sum() / answers["input"].nunique()),
        "worker_bytes": max(
            max(run["memory_first_half"], run["memory_second_half"]) for run in ray["runs"] if run["engine"] == "ray"
        ) / ray["workers"],
    }  # fmt: skip


def _driven(count: int) -> dict[str, float]:
    """In a process of its own, whose largest memory is then its own."""
    done = subprocess.run([sys.executable, __file__, "--drive", str(count)], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def taken(photos: int, figures: dict[str, float]) -> dict[str, float]:
    """What so many photos take."""
    hours = photos / figures["photos_a_core_second"] / 3600
    return {
        "core_hours": hours, "machine_days": hours / MACHINE_CORES / 24,
        "table_gb": photos * figures["table_bytes_a_photo"] / 1e9,
        "driver_hours": photos * figures["driver_seconds_a_photo"] / 3600,
        "calls": max(1.0, photos / PART),
        "driver_gb_a_call": min(photos, PART) * figures["driver_bytes_a_photo"] / 1e9,
    }  # fmt: skip


def words(result: dict[str, Any]) -> str:
    """The page's table."""
    of, figures = result["takes"], result["measured"]
    lines = [f"| | {' | '.join(of)} |", "|---|" + "---|" * len(of)]
    for key, title, form in (
        ("core_hours", "hours of one core", "{:,.0f}"),
        ("machine_days", f"days of one machine of {MACHINE_CORES} such cores", "{:,.2f}"),
        ("table_gb", "Parquet, GB", "{:,.1f}"),
        ("driver_hours", "hours of the process that lists, keeps and writes", "{:,.1f}"),
        ("calls", f"calls of at most {PART:,} photos", "{:,.0f}"),
        ("driver_gb_a_call", "that process's memory beyond what it starts with, GB a call", "{:,.1f}"),
    ):
        lines.append(f"| {title} | " + " | ".join(form.format(of[name][key]) for name in of) + " |")
    feeds = 1 / figures["driver_seconds_a_photo"] / figures["photos_a_core_second"]
    return "\n".join(lines) + (
        f"\n\nFrom {figures['photos_a_core_second']:.2f} photos a second of a core's processor time "
        f"({figures['faces_a_photo']:.2f} faces a photo), {figures['driver_seconds_a_photo'] * 1000:.2f} ms a photo of "
        "the one process that lists, "
        f"keeps and writes (so it feeds about {feeds:,.0f} cores, Ray's own part not counted), "
        f"{figures['table_bytes_a_photo'] / 1000:.1f} kB of "
        f"Parquet a photo, and {figures['worker_bytes'] / 1e9:.2f} GB an actor."
        f" Command: `python scripts/measure/scale.py --table answers.parquet`."
    )


def main() -> None:
    """Measure, work out, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, help="a table that mien analyze wrote, .parquet")
    parser.add_argument("--drive", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.drive is not None:
        print(json.dumps(drive(args.drive)))
        return
    if args.table is None:
        parser.error("name a table, as in  --table answers.parquet")
    figures = measured(args.table)
    ray = json.loads((RESULTS / "ray.json").read_text())
    result = {
        "machine": ray["machine"], "ratio_of_ray": ray["ratio"],
        "measured": figures, "takes": {name: taken(count, figures) for name, count in SIZES.items()},
    }  # fmt: skip
    (RESULTS / "scale.json").write_text(json.dumps(result, indent=2) + "\n")
    text = PAGE.read_text("utf-8")
    head, tail = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
    PAGE.write_text(f"{head}{MARKS[0]}\n{words(result)}\n{MARKS[1]}{tail}", "utf-8")


if __name__ == "__main__":
    main()
