"""Install mien without extras in a fresh environment and measure it: seconds, megabytes, and the sample's answer.

    python scripts/measure/install.py      -> docs/results/install.json

Needs only Python and PyPI. The times are those of this machine at this moment: its cores and load are noted.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs" / "results" / "install.json"


def run(*command: object, **options: object) -> tuple[float, str]:
    """Seconds, and standard output."""
    start = time.monotonic()
    done = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    return round(time.monotonic() - start, 2), done.stdout


def megabytes(folder: Path) -> int:
    """What the folder takes on disk, in units of 1,000,000 bytes."""
    return round(sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir()) / 1e6)


def main() -> int:
    """Measure and write the result."""
    with tempfile.TemporaryDirectory() as scratch:
        venv = Path(scratch) / "venv"
        bare, _ = run(sys.executable, "-m", "venv", venv)
        empty = megabytes(venv)
        install, _ = run(venv / "bin" / "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check", ROOT)
        whole = megabytes(venv)
        _, packages = run(venv / "bin" / "pip", "list", "--format=json", "--disable-pip-version-check")
        command = [venv / "bin" / "mien", "analyze", "--sample", "--json"]
        seconds, answers = zip(*(run(*command, cwd=scratch) for _ in range(6)), strict=True)
    face = json.loads(answers[0])[0]["faces"][0]
    result = {
        "command": "python scripts/measure/install.py",
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform(),
                    "load_average": os.getloadavg()[0]},
        "venv_seconds": bare,
        "install_seconds": install,
        "megabytes": whole,
        "megabytes_of_empty_venv": empty,
        "analyze_seconds_first": seconds[0],
        "analyze_seconds_then": sorted(seconds[1:]),
        "sample": {"emotion": face["emotion"], "p_correct": face["fused"]["p_correct"],
                   "areas": {name: area["emotion"] for name, area in face["areas"].items()}},
        "packages": {p["name"]: p["version"] for p in json.loads(packages)},
    }  # fmt: skip
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{install} s to install, {whole} MB, {seconds[0]} s to the first answer, then {min(seconds[1:])} s: {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
