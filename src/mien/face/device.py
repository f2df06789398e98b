"""Where networks run: the devices by name, and the one on which this thread's networks run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

from mien.errors import UsageError

Device = Literal["cpu", "cuda", "migraphx", "directml", "openvino", "coreml"]
DeviceChoice = Literal["auto", "cpu", "cuda", "migraphx", "directml", "openvino", "coreml"]
DEVICES: tuple[DeviceChoice, ...] = get_args(DeviceChoice)
PROVIDERS: dict[Device, str] = {
    "cuda": "CUDAExecutionProvider", "migraphx": "MIGraphXExecutionProvider", "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider", "coreml": "CoreMLExecutionProvider", "cpu": "CPUExecutionProvider",
}  # fmt: skip
"""onnxruntime's name of each device, in the order in which ``auto`` prefers them."""
AUTOMATIC: tuple[Device, ...] = ("cuda", "migraphx", "directml", "openvino", "cpu")

_current: ContextVar[Device] = ContextVar("device", default="cpu")


def check_device(device: str) -> None:
    """Raises UsageError where no device has this name."""
    if device not in DEVICES:
        raise UsageError(f"no device is called {device!r}: choose from {', '.join(DEVICES)}")


def current() -> Device:
    """The device on which this thread's networks run; the cpu unless :func:`on` says otherwise."""
    return _current.get()


@contextmanager
def on(device: Device) -> Iterator[None]:
    """Networks of this package that are asked inside run on this device."""
    token = _current.set(device)
    try:
        yield
    finally:
        _current.reset(token)
