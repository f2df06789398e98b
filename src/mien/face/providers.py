"""Which device networks can run on here: the processor, or an accelerator whose onnxruntime provider is installed.

mien asks for the plain onnxruntime; who installs ``onnxruntime-gpu``, ``onnxruntime-directml`` or
``onnxruntime-openvino`` instead has one more device. ``auto`` takes such a device, since nobody installs it by chance;
CoreML lies in every macOS build, so it is taken only by name.
"""

from __future__ import annotations

import os
from functools import cache

from mien.errors import ModelError
from mien.face.device import AUTOMATIC, PROVIDERS, Device, DeviceChoice, check_device, on
from mien.face.session import session


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
    with on(device):
        try:
            return session("blazeface_short").device == device
        except ModelError:
            return False
