"""Analyses a few pictures at a time, lets a few wait, and sends the rest away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from mien.errors import ImageError, WorkerError
from mien.jobs.workers import Lost, Worker, WorkLimits
from mien.serve.problems import AnalysisTimeoutError, BusyError
from mien.serve.settings import ServeSettings

Task = TypeVar("Task")
Result = TypeVar("Result")


class Desk:
    """Runs calls in worker processes, within the settings' limits.

    A call whose time is up is ended with its process, so that its place is free for the next; a picture that brings a
    process down, or makes it grow beyond the limit of memory, harms no other.

    Args:
        settings: places, seconds and memory.
        warm_up: called once in each process before its first call.
    """

    def __init__(self, settings: ServeSettings, warm_up: Callable[[], Any] | None = None) -> None:
        self._seconds = settings.analysis_seconds
        self._memory = settings.memory
        self._places = settings.concurrency + settings.waiting
        self._taken = 0
        self._closed = False
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="mien-desk")
        self._workers = [Worker(warm_up, WorkLimits(None, settings.memory)) for _ in range(settings.concurrency)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def open(self) -> None:
        """Begin the processes, without waiting for them."""
        for worker in self._workers:
            worker.start()

    async def run(self, function: Callable[[Task], Result], task: Task) -> Result:
        """Result of a function of a module's top level.

        Raises:
            BusyError: all places are taken.
            AnalysisTimeoutError: it takes too long, waiting included.
            ImageError: the process that worked on it died, or grew too large.
        """
        if self._taken >= self._places:
            raise BusyError("too many pictures wait already: try again in a moment")
        self._taken += 1
        due = time.monotonic() + self._seconds
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._call, function, task, due)
        future.add_done_callback(self._leave)
        return await asyncio.shield(future)

    def _call(self, function: Callable[[Task], Result], task: Task, due: float) -> Result:
        """In a thread: there are as many as workers, so one is idle."""
        worker = self._idle.get()
        try:
            left = due - time.monotonic()
            if left <= 0:
                raise AnalysisTimeoutError(f"the analysis took longer than {self._seconds:g} s, waiting included")
            worker.wait_until_ready()
            worker.limits = WorkLimits(max(due - time.monotonic(), 0.0), self._memory)
            return worker.call(function, task)
        except Lost as lost:
            self._begin_anew(worker)
            if time.monotonic() >= due:
                words = f"the analysis took longer than {self._seconds:g} s, waiting included"
                raise AnalysisTimeoutError(words) from None
            raise ImageError(f"the picture cannot be analysed: {lost}") from None
        except WorkerError as error:
            raise BusyError(str(error)) from None
        finally:
            self._idle.put(worker)

    def _begin_anew(self, worker: Worker) -> None:
        """At once, so that the next picture waits less."""
        if not self._closed:
            with suppress(OSError):
                worker.start()

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # taken note of, so that asyncio does not report as lost what nobody waits for any more

    def close(self) -> None:
        """End the processes at once; start nothing more."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        killers = [threading.Thread(target=worker.kill) for worker in self._workers]
        for thread in killers:
            thread.start()
        for thread in killers:
            thread.join(2.0)
