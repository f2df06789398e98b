"""ONNX networks: opened once a process and device, safe to run from several threads.

onnxruntime's own threads divide every layer of one picture, and a pool of them a network spins while it waits: on two
cores that took longer than one thread (``benchmarks/NOTES.md``). So here every network runs on one thread, and a batch
is divided between the cores instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelError
from mien.face.device import PROVIDERS, Device, current

EXACT = "session.x64quantprecision"
"""Without it int8 sums overflow on processors with AVX2 alone, silently: measured on such a machine, 3.6 of 100
validation faces more were answered wrongly (docs/results/models/int8.json). Processors with VNNI are exact anyway."""

Array = npt.NDArray[Any]


class Session:
    """An opened network.

    Args:
        content: of the ONNX file.
        device: where it runs; onnxruntime falls back to the cpu where it cannot.
        threads: between which a batch is divided; 0 is one a core. Of no use beside an accelerator.
    """

    def __init__(self, content: bytes, device: Device = "cpu", threads: int = 0) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry(EXACT, "1")
        providers = list(dict.fromkeys([PROVIDERS[device], PROVIDERS["cpu"]]))
        self._session = onnxruntime.InferenceSession(content, options, providers)
        first = self._session.get_providers()[0]
        self.device: Device = next((d for d, provider in PROVIDERS.items() if provider == first), "cpu")
        self.inputs: tuple[str, ...] = tuple(i.name for i in self._session.get_inputs())
        self._threads = (threads or cores()) if self.device == "cpu" else 1

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Ask the network.

        Args:
            outputs: their names; None is all.
            feeds: by name of the input, arrays [N, ...] with one N.

        Returns:
            One array [N, ...] an output.
        """
        count = len(next(iter(feeds.values())))
        parts = min(self._threads, count)
        if parts < 2:
            return list(self._session.run(outputs, dict(feeds)))
        pieces = zip(*(np.array_split(values, parts) for values in feeds.values()), strict=True)
        found = _at_once([dict(zip(feeds, piece, strict=True)) for piece in pieces], self._session, outputs)
        return [np.concatenate(column) for column in zip(*found, strict=True)]


def _at_once(pieces: Sequence[dict[str, Array]], session: Any, outputs: Sequence[str] | None) -> list[list[Array]]:
    """The first piece here and the others beside; what nobody has begun by then is done here too."""
    beside: list[Future[list[Array]]] = [_helpers().submit(session.run, outputs, piece) for piece in pieces[1:]]
    found = [session.run(outputs, pieces[0])]
    for piece, future in zip(pieces[1:], beside, strict=True):
        found.append(session.run(outputs, piece) if future.cancel() else future.result())
    return found


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, cores() - 1), "mien-networks")


if hasattr(os, "register_at_fork"):  # threads do not live on in a forked process
    os.register_at_fork(after_in_child=_helpers.cache_clear)


@cache
def cores() -> int:
    """Cores this process may use: ``OMP_NUM_THREADS`` where it is set, as in worker processes."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def session(name: str) -> Session:
    """The session of ``face/networks/NAME.onnx`` on the current device (``mien.face.device``).

    Raises:
        ModelError: the file is missing or cannot be read.
    """
    return _opened(name, current())


@cache
def _opened(name: str, device: Device) -> Session:
    path = files("mien.face") / "networks" / f"{name}.onnx"
    try:
        return Session(path.read_bytes(), device)
    except Exception as error:
        raise ModelError(f"the network {name}.onnx of mien's own face detector cannot be loaded: {error}") from error
