"""What each library that mien could take would cost a user: megabytes and milliseconds -> docs/results/libraries.md.

    python scripts/measure/libraries.py

Each is installed, with all it needs, into a folder of its own, and imported in fresh processes beside what mien's
command imports anyway.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(__file__).parents[2] / "docs" / "results" / "libraries.md"
REPEATS = 9
LIBRARIES: dict[str, tuple[str, str, str]] = {
    "filelock": ("filelock", "taken", "locks on Windows too, where three locks of our own did nothing"),
    "platformdirs": ("platformdirs", "taken", "the cache folder of every system, in one place, for all three caches"),
    "msgspec": ("msgspec", "not taken", "manifest and fitted files have one typed reader each, which names the command "
                "that makes a damaged file anew; a schema library would not shorten them"),
    "pydantic": ("pydantic", "not taken for replies", "it comes with the extra `serve`, but a reply is the command "
                 "line's JSON (`Answers.to_dict`), which must not need it; tests hold `serve/schema.py` to it"),
    "cyclopts": ("cyclopts", "not taken", "argparse builds the one command that was called and stays under the "
                 "start-up bar; cyclopts would need a larger part of it for parsing alone"),
    "rich": ("rich.table", "not taken", "mien prints four kinds of table, all of plain text that also goes into files"),
    "jinja2": ("jinja2", "taken in `study`", "report page; cards and measured pages are short Markdown made of lists"),
}  # fmt: skip
"""Import name, what became of it, and why."""
BASE = "import argparse, json, pathlib"


def seconds(code: str, folder: Path) -> float:
    """Median of fresh processes, from start to end."""
    times = []
    for _ in range(REPEATS):
        timed = f"import time\n{BASE}\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
        done = subprocess.run(
            [sys.executable, "-S", "-c", timed], env=os.environ | {"PYTHONPATH": str(folder)}, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        times.append(float(done.stdout))
    return statistics.median(times)


def main() -> None:
    """Measure and write."""
    lines = [
        "# Libraries weighed",
        "",
        f"Made by `python scripts/measure/libraries.py` on {platform.machine()}, Python {platform.python_version()}, "
        f"load average {os.getloadavg()[0]:.1f}. MB: installed with everything it needs. ms: to import it beside what "
        f"the command line imports anyway, median of {REPEATS} fresh processes.",
        "",
        "| library | MB | ms | | why |",
        "|---|---:|---:|---|---|",
    ]
    for name, (module, fate, why) in LIBRARIES.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", place, name], check=True)
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
            time = seconds(f"import {module}", folder)
        lines.append(f"| {name} | {size / 1e6:.1f} | {1000 * time:.0f} | {fate} | {why} |")
        print(lines[-1])
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
