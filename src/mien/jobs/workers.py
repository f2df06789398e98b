"""``map`` over processes that live no longer than their parent, use one thread each, and leave Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import cv2

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_Task = TypeVar("_Task")

_Result = TypeVar("_Result")


class Map(Protocol):
    """Like the built-in ``map``: results in the order of the tasks."""

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        """Call a function of a module's top level on every task."""
        ...


@contextmanager
def worker_map(processes: int, warm_up: Callable[[], Any] | None = None) -> Iterator[Map]:
    """A :class:`Map` over worker processes, which start at the first task; over none where one is wanted.

    Processes are spawned, not forked (a fork beside running threads can hang), so a script that calls this needs the
    usual ``if __name__ == "__main__":``.

    Args:
        processes: how many; 1 works in this process.
        warm_up: called once in each process before its first task.
    """
    if processes == 1:
        yield _InThisProcess(warm_up)
        return
    with _one_thread_each():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(processes, context, _start, (warm_up,))
        try:
            yield _PoolMap(pool, ahead=4 * processes)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _InThisProcess:
    def __init__(self, warm_up: Callable[[], Any] | None) -> None:
        self._warm_up = warm_up

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for task in tasks:
                if self._warm_up is not None:
                    self._warm_up()
                    self._warm_up = None
                yield function(task)
        finally:
            cv2.setNumThreads(threads)


class _PoolMap:
    def __init__(self, pool: ProcessPoolExecutor, ahead: int) -> None:
        self._pool, self._ahead = pool, ahead

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        """Only a few tasks are ahead of the one whose result is awaited, so memory stays bounded."""
        waiting: deque[Future[_Result]] = deque()
        for task in tasks:
            waiting.append(self._pool.submit(function, task))
            if len(waiting) >= self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside use one thread each: they already fill the cores."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start(warm_up: Callable[[], Any] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if warm_up is not None:
        warm_up()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
