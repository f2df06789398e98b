"""Devices: which is taken, what is said where it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mien.errors import UsageError
from mien.face import providers
from mien.face.device import current, on
from mien.face.providers import device_of


@pytest.fixture(autouse=True)
def only_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(providers, "_installed", lambda: ["AzureExecutionProvider", "CPUExecutionProvider"])
    device_of.cache_clear()
    yield
    device_of.cache_clear()


def test_auto_takes_the_cpu_without_a_word() -> None:
    assert device_of("auto") == ("cpu", "")


def test_a_provider_that_is_not_installed_is_named_in_one_sentence() -> None:
    taken, words = device_of("cuda")
    assert taken == "cpu"
    assert words == "the onnxruntime installed here has no cuda (it has cpu): working on the cpu"


def test_a_provider_that_opens_nothing_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_installed", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(providers, "_works", lambda name: name == "cpu")
    assert device_of("auto") == ("cpu", "")
    assert device_of("cuda")[0] == "cpu"
    assert "opens no network on cuda" in device_of("cuda")[1]


def test_auto_takes_an_accelerator_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_installed", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(providers, "_works", lambda name: True)
    assert device_of("auto") == ("cuda", "")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="no device is called 'tpu'"):
        device_of("tpu")


def test_a_device_holds_inside_its_block_only() -> None:
    with on("cuda"):
        assert current() == "cuda"
    assert current() == "cpu"
