"""Which commit the package runs from; written beside results and weights."""

from __future__ import annotations

import subprocess
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def commit() -> str:
    """Commit of the checkout this package runs from, and whether it was changed since; empty outside a checkout."""
    found = _git("rev-parse", "--short=12", "HEAD")
    return f"{found}, with uncommitted changes" if found and _git("status", "--porcelain", "--", ".") else found


def _git(*arguments: str) -> str:
    try:
        command = ["git", "-C", str(PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
