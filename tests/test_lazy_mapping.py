from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.types import LazyMapping


def test_nothing_is_worked_out_before_it_is_read() -> None:
    calls = []
    lazy = LazyMapping("abc", lambda: calls.append(1) or {"a": 1, "b": 2, "c": 3}, {"a": 9})

    assert list(lazy) == ["a", "b", "c"]
    assert len(lazy) == 3
    assert "b" in lazy
    assert "x" not in lazy
    assert lazy["a"] == 9
    assert not calls

    assert lazy["b"] == 2
    assert dict(lazy) == {"a": 9, "b": 2, "c": 3}
    assert calls == [1]


def test_an_unknown_key_costs_nothing() -> None:
    lazy = LazyMapping("a", lambda: pytest.fail("was worked out"))

    with pytest.raises(KeyError):
        lazy["b"]
    assert lazy.get("b") is None


def test_many_readers_one_making() -> None:
    calls = []

    def slow() -> dict[str, int]:
        calls.append(1)
        time.sleep(0.02)
        return {"a": 1}

    lazy = LazyMapping("a", slow)
    with ThreadPoolExecutor(8) as readers:
        assert list(readers.map(lambda _: lazy["a"], range(32))) == [1] * 32
    assert calls == [1]


def test_a_failure_is_the_readers_own_and_is_tried_again() -> None:
    results = iter([OSError("gone"), {"a": 1}])

    def make() -> dict[str, int]:
        result = next(results)
        if isinstance(result, OSError):
            raise result
        return result

    lazy = LazyMapping("a", make)
    with pytest.raises(OSError, match="gone"):
        lazy["a"]
    assert lazy["a"] == 1


def test_it_travels_as_a_dict() -> None:
    lazy = LazyMapping("ab", lambda: {"a": 1, "b": 2})

    travelled = pickle.loads(pickle.dumps(lazy))

    assert travelled == {"a": 1, "b": 2}
    assert type(travelled) is dict
    assert lazy == travelled
