"""Starts Python anew for every line it reads: ``python cold.py ARGUMENT ...`` of that Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main(words: list[str]) -> None:
    """Be ready, then one start a line."""
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began, before = time.perf_counter(), os.times()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - began, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        print(json.dumps({"wall": wall, "cpu": cpu, "items": 1}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
