from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mien.errors import UsageError
from mien.face import device, providers, session
from mien.face.session import Session


class Recorder:
    """Stands for onnxruntime's session: doubles its input, and remembers the sizes of the batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._lock = threading.Lock()

    def run(self, outputs: Any, feeds: dict[str, Any]) -> list[Any]:
        with self._lock:
            self.sizes.append(len(feeds["x"]))
        return [feeds["x"] * 2, feeds["y"].sum(axis=1)]


def divided(threads: int) -> tuple[Session, Recorder]:
    opened, recorder = Session.__new__(Session), Recorder()
    opened._session, opened._threads = recorder, threads
    return opened, recorder


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("count", [1, 2, 5, 14])
def test_a_divided_batch_is_the_whole_batch(threads: int, count: int) -> None:
    opened, recorder = divided(threads)
    x, y = np.arange(count * 3).reshape(count, 3), np.arange(count * 2).reshape(count, 2)

    doubled, summed = opened.run(None, {"x": x, "y": y})

    np.testing.assert_array_equal(doubled, x * 2)
    np.testing.assert_array_equal(summed, y.sum(axis=1))
    assert len(recorder.sizes) == min(threads, count)
    assert sum(recorder.sizes) == count
    assert max(recorder.sizes) - min(recorder.sizes) <= 1


def test_many_callers_at_once_wait_for_nobody() -> None:
    opened, _ = divided(4)
    x = np.ones((9, 3))

    with ThreadPoolExecutor(16) as callers:
        found = list(callers.map(lambda k: opened.run(None, {"x": x * k, "y": x})[0], range(200)))

    assert all((values == 2 * k).all() for k, values in enumerate(found))


def test_a_real_network_answers_alike_on_any_number_of_threads() -> None:
    content = (session.files("mien.face") / "networks" / "blazeface_short.onnx").read_bytes()
    pictures = np.random.default_rng(0).integers(0, 255, (5, 128, 128, 3)).astype(np.uint8)

    alone, divided_ = (Session(content, threads=n).run(None, {"image": pictures}) for n in (1, 3))

    for one, other in zip(alone, divided_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_worker_processes_keep_to_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    session.cores.cache_clear()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    try:
        assert session.cores() == 1
    finally:
        session.cores.cache_clear()


@pytest.fixture
def fresh_devices() -> Iterator[None]:
    providers.device_of.cache_clear()
    yield
    providers.device_of.cache_clear()


def test_the_cpu_is_always_there(fresh_devices: None) -> None:
    assert providers.device_of("cpu") == ("cpu", "")


def test_an_absent_device_is_one_sentence_and_the_cpu(fresh_devices: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_installed", lambda: ["AzureExecutionProvider", "CPUExecutionProvider"])

    chosen, why = providers.device_of("cuda")

    assert chosen == "cpu"
    assert why == "the onnxruntime installed here has no cuda (it has cpu): working on the cpu"


def test_a_device_without_its_driver_is_one_sentence_and_the_cpu(
    fresh_devices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "_installed", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(providers, "_works", lambda name: name == "cpu")

    assert providers.device_of("auto") == ("cpu", "")
    chosen, why = providers.device_of("cuda")

    assert chosen == "cpu"
    assert "driver" in why


def test_auto_takes_what_was_installed_on_purpose(fresh_devices: None, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ["CoreMLExecutionProvider", "DmlExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(providers, "_installed", lambda: here)
    monkeypatch.setattr(providers, "_works", lambda name: True)

    assert providers.device_of("auto") == ("directml", "")
    assert providers.device_of("coreml") == ("coreml", "")


def test_an_unknown_device_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="no device is called 'gpu'"):
        device.check_device("gpu")


def test_the_device_is_that_of_the_caller_only() -> None:
    with device.on("cuda"):
        assert device.current() == "cuda"
        seen: list[str] = []
        thread = threading.Thread(target=lambda: seen.append(device.current()))
        thread.start()
        thread.join()
        assert seen == ["cpu"]
    assert device.current() == "cpu"
