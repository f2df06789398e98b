"""Everything that must hold before a commit: format, lint, types, layers, tests. Stops at the first that fails.

python scripts/check.py             all
python scripts/check.py tests       only the named steps
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS: dict[str, list[str]] = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "types": ["-m", "mypy"],
    "layers": ["-c", "from importlinter.cli import lint_imports_command as run; run()"],
    "tests": ["-m", "pytest", "-n", str(min(os.cpu_count() or 1, 4))],
}

ENVIRONMENT = {"OMP_NUM_THREADS": "1", **os.environ}
"""One thread a test process: several that wait for each other on few cores make a training many times slower."""


def main(names: list[str]) -> int:
    """Run the steps; returns the exit code of the first that fails (pytest's 5, nothing collected, is a failure)."""
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"check: no step is called {unknown[0]}: choose from {', '.join(STEPS)}", file=sys.stderr)
        return 2
    for name in names or STEPS:
        start = time.monotonic()
        print(f"== {name}", flush=True)
        code = subprocess.run([sys.executable, *STEPS[name]], cwd=ROOT, env=ENVIRONMENT, check=False).returncode
        print(f"== {name}: {'ok' if code == 0 else f'failed, exit code {code}'} ({time.monotonic() - start:.0f} s)")
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
