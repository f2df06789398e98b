"""Analyses a few pictures at a time, lets a few wait, and sends the rest away.

One process holds the port, the connections and the queue, and as many as the settings say analyse. So there is one
count of each thing that is limited, and no limit grows with the number of processes (uvicorn's own workers would each
have a queue, a count of connections and processes of their own).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from mien.errors import ImageError, WorkerError
from mien.jobs.workers import LOOK_SECONDS, Lost, Worker, WorkLimits
from mien.serve.problems import AnalysisTimeoutError, BusyError
from mien.serve.settings import ServeSettings

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerPool:
    """Runs calls in worker processes, within the settings' limits.

    A call whose time is up is ended with its process, so that its place is free for the next; a picture that brings a
    process down, or makes it grow beyond the limit of memory, harms no other.

    Args:
        settings: places, seconds and memory.
        warm_up: called once in each process before its first call.
    """

    def __init__(self, settings: ServeSettings, warm_up: Callable[[], Any] | None = None) -> None:
        self._seconds = settings.analysis_seconds
        self._memory, self._total_memory = settings.memory, settings.total_memory
        self._places = settings.concurrency + settings.waiting
        self._taken = 0
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="mien-pool")
        self._workers = [Worker(warm_up, WorkLimits(None, settings.memory)) for _ in range(settings.concurrency)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def open(self) -> None:
        """Begin the processes, without waiting for them."""
        for worker in self._workers:
            worker.start()
        threading.Thread(target=self._watch, name="mien-pool-watch", daemon=True).start()

    def _watch(self) -> None:
        """In a thread: replace processes that die while idle, and keep all together within their memory."""
        while not self._closing.wait(LOOK_SECONDS):
            self._replace_the_dead()
            sizes = [(worker.resident, worker) for worker in self._workers]
            busy = [(size, worker) for size, worker in sizes if worker.busy]
            if busy and sum(size for size, _ in sizes) > self._total_memory:
                _, largest = max(busy, key=lambda pair: pair[0])
                largest.doom(f"all pictures together needed more than {self._total_memory / 1e9:.3g} GB of memory")

    def processes(self) -> list[int]:
        """Their ids."""
        return [pid for pid in (worker.pid for worker in self._workers) if pid is not None]

    def _replace_the_dead(self) -> None:
        """One look at every idle process; each is held for that moment, so that no picture is given to it."""
        for _ in self._workers:
            try:
                worker = self._idle.get_nowait()
            except Empty:
                return
            try:
                if worker.died_idle():
                    self._begin_anew(worker)
            finally:
                self._idle.put(worker)

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
            worker.died_idle()  # since the last look: no fault of this picture
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
        if not self._closing.is_set():
            with suppress(OSError):
                worker.start()

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # taken note of, so that asyncio does not report as lost what nobody waits for any more

    def close(self) -> None:
        """End the processes at once; start nothing more."""
        self._closing.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        killers = [threading.Thread(target=worker.kill) for worker in self._workers]
        for thread in killers:
            thread.start()
        for thread in killers:
            thread.join(2.0)
