"""mien: emotions from faces that are only partly visible, and how far each answer can be trusted.

::

    from mien import Analyzer

    for answer in Analyzer().analyze("photo.jpg"):
        print(answer.emotion, answer.p_correct)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# onnxruntime collects telemetry unless this is set before its import (from 1.32 on): a lasting device id and a database
# in the home folder, and look-ups of its maker's host. This file runs before every other of mien's, so it is set here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from mien.analyze.analyzer import Analyzer
    from mien.analyze.answers import Answer, Answers, Heatmap
    from mien.errors import MienError
    from mien.types import Area, Emotion, Face, Interval, Part, Prediction, Visibility

_HOMES = {
    "Analyzer": "analyze.analyzer", "Answer": "analyze.answers", "Answers": "analyze.answers",
    "Heatmap": "analyze.answers", "MienError": "errors",
    "Area": "types", "Emotion": "types", "Face": "types", "Interval": "types", "Part": "types",
    "Prediction": "types", "Visibility": "types",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Names are imported when first used, so that ``mien --help`` needs no network runtime."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"mien.{_HOMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("mien")
    raise AttributeError(f"module 'mien' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])


__all__ = [
    "Analyzer", "Answer", "Answers", "Area", "Emotion", "Face", "Heatmap", "Interval", "MienError", "Part",
    "Prediction", "Visibility",
]  # fmt: skip
