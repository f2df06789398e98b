"""Where networks run: the processor, or an accelerator of which onnxruntime has the provider installed.

mien asks for the plain onnxruntime; who installs ``onnxruntime-gpu``, ``onnxruntime-directml`` or
``onnxruntime-openvino`` instead has one more device. ``auto`` takes such a device, since nobody installs it by chance;
CoreML lies in every macOS build, so it is taken only by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
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


@cache
def device_of(choice: DeviceChoice) -> tuple[Device, str]:
    """The device that will be used, and a sentence where it is not the one asked for (else empty).

    Raises:
        UsageError: no device has this name.
    """
    check_device(choice)
    here = _installed()
    if choice == "auto":
        return next(device for device in AUTOMATIC if PROVIDERS[device] in here and _works(device)), ""
    if PROVIDERS[choice] not in here:
        names = ", ".join(device for device, provider in PROVIDERS.items() if provider in here)
        return "cpu", f"the onnxruntime installed here has no {choice} (it has {names}): working on the cpu"
    if not _works(choice):
        return "cpu", f"onnxruntime opens no network on {choice} (a driver or library is missing): working on the cpu"
    return choice, ""


def _installed() -> list[str]:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _works(device: Device) -> bool:
    """Whether a small network opens there; onnxruntime itself goes to the cpu, and only logs it."""
    if device == "cpu":
        return True
    from mien.errors import ModelError
    from mien.face.session import session

    with on(device):
        try:
            return session("blazeface_short").device == device
        except ModelError:
            return False


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
