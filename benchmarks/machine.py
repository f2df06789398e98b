"""The machine a benchmark ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Processor, cores, instructions for int8, Python, onnxruntime and OpenCV."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    said = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    said = {key.strip(): value.strip() for key, value in said.items()}
    flags = said.get("flags", "").split()
    return {
        "processor": said.get("model name", platform.processor()), "cores": os.cpu_count(),
        "instructions": [f for f in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8") if f in flags],
        "system": platform.system(), "python": platform.python_version(),
        **{name: version(name) for name in ("onnxruntime", "opencv-python-headless", "numpy")},
    }  # fmt: skip
