"""Where a report comes from: commit, versions, machine, data; and whether its code has changed since."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version

from mien.jobs.checkout import PACKAGE, commit
from mien.study.trainings import DataSet

LIBRARIES = ("mien", "torch", "scikit-learn", "numpy", "opencv-python-headless", "matplotlib")
REPORT_CODE = (
    "report/**/*.py",
    "report/**/*.j2",
    "heatmaps.py",
    "trust_figures.py",
    "calibrate.py",
    "study/evidence.py",
)
"""Files whose change makes a report anew."""


def facts(sets: Sequence[DataSet]) -> dict[str, str]:
    """For the report's settings, in words."""
    import torch

    found = {
        "commit": commit() or "not run from a git checkout",
        "versions": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads, "
        f"{platform.system()}, Python {platform.python_version()}",
    }
    for data in sets:
        where = f"cache {data.cache.folder.name}, key {data.key}"
        found[f"data: {data.name}"] = f"{len(data.cache.index):,} faces in {where}"
    return found


def code_key() -> str:
    """Changes when code that makes the report changes, so that no report outlives it."""
    digest = hashlib.sha256()
    for pattern in REPORT_CODE:
        for file in sorted(PACKAGE.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
