"""ONNX networks for faces that lie in this package: loaded once a process, safe to run from several threads."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from typing import Any

from mien.errors import ModelError


@cache
def session(name: str) -> Any:
    """The onnxruntime session of ``face/networks/NAME.onnx``.

    Raises:
        ModelError: the file is missing or cannot be read.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    path = files("mien.face") / "networks" / f"{name}.onnx"
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), _options(onnxruntime), ["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"the network {name}.onnx of mien's own face detector cannot be loaded: {error}") from error


def _options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0") or 0)
    options.log_severity_level = 3
    return options
