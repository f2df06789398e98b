"""Tasks over processes that may die, hang or grow without harm: each has a limit of time and of memory.

A crew's processes use one thread each, live no longer than their parent, and leave Ctrl-C to it. They never import the
script that started them (as :mod:`multiprocessing` would), so that a script needs no ``if __name__ == "__main__":``;
what they are to do must stand in a module that can be imported.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import cv2

from mien.errors import WorkerError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LOOK_SECONDS = 0.1
"""How often a crew looks at the time and the memory of its processes."""
START_TRIES = 3
"""Processes that may die before they are ready, one after the other, until it is plain that none ever will be."""
_READY = "ready"
_STARTING = threading.Lock()
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class Lost(Exception):
    """A task that got no answer: its process died, took too long or grew too large. The message says which."""


@dataclass(frozen=True)
class WorkLimits:
    """What a process may use for one task.

    Attributes:
        seconds: on the clock; None is no limit.
        memory: bytes of resident memory, all of the process; None is no limit.
    """

    seconds: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Outcome(Generic[_Task, _Result]):
    """What became of a task.

    Attributes:
        task: as it was given.
        result: what the function returned; None where there is an error.
        error: what the function raised, or :class:`Lost`.
    """

    task: _Task
    result: _Result | None
    error: BaseException | None = None


class Map(Protocol):
    """Like the built-in ``map``: results in the order of the tasks."""

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        """Call a function of a module's top level on every task."""
        ...


class Worker:
    """One process; begun when first needed, and anew after it was lost.

    Args:
        warm_up: called once in the process before its first task.
        limits: for each task.
    """

    def __init__(self, warm_up: Callable[[], Any] | None = None, limits: WorkLimits = WorkLimits()) -> None:
        self.limits = limits
        self.ready = False
        self.busy = False
        self._warm_up = warm_up
        self._process: Any = None
        self._pipe: Any = None
        self._since = 0.0
        self._doom = ""

    @property
    def pipe(self) -> Any:
        """What becomes readable when the process is ready, has an answer, or has died."""
        return self._pipe

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def died_idle(self) -> bool:
        """Whether its idle process ended without being asked to; if so there is none any more.

        Returns:
            True where it had been ready; one that died on its way there would do so again.
        """
        if self._process is None:
            return False
        if not self.ready and self._pipe.poll():
            with suppress(Lost):
                self.receive()
        was_ready = self.ready
        if self._process is not None and not self._process.is_alive():
            self.kill()
        return was_ready and not self.alive

    @property
    def pid(self) -> int | None:
        """Of its process; None where there is none."""
        process = self._process
        return None if process is None else process.pid

    @property
    def resident(self) -> int:
        """Bytes of its process that are in memory; 0 where there is none, or the system does not say."""
        pid = self.pid
        return 0 if pid is None else _resident(pid)

    def doom(self, why: str) -> None:
        """Let the next :meth:`check` end the process and say why: for another thread than the one that waits for it."""
        self._doom = why

    def start(self) -> None:
        """Begin a process; it says when it is ready."""
        self._doom = ""
        self._pipe, theirs = multiprocessing.Pipe()
        with _STARTING, _one_thread_each(), _without_main(), _ctrl_c_held_back():
            context = multiprocessing.get_context("spawn")
            process = context.Process(target=_work, args=(theirs, self._warm_up), daemon=True)
            process.start()
        self._process = process
        theirs.close()

    def send(self, function: Callable[[Any], Any], task: Any) -> None:
        """Give it a task; it must be ready and idle.

        Raises:
            Lost: the process has died.
        """
        self.busy, self._since = True, time.monotonic()
        try:
            self._pipe.send((function, task))
        except OSError:
            raise self._lost() from None

    def receive(self) -> tuple[Any, BaseException | None] | None:
        """What is in the pipe: None for "ready", else a result or an error.

        Raises:
            Lost: the process has died.
        """
        try:
            said = self._pipe.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        if said == _READY:
            self.ready = True
            return None
        self.busy = False
        return cast("tuple[Any, BaseException | None]", said)

    def check(self) -> None:
        """Kill a process that is over its limits.

        Raises:
            Lost: it was.
        """
        seconds, memory = self.limits.seconds, self.limits.memory
        if self.busy and seconds is not None and time.monotonic() - self._since > seconds:
            self.kill()
            raise Lost(f"it took longer than {seconds:g} s, the limit")
        if memory is not None and self.resident > memory:
            self.kill()
            raise Lost(f"it needed more than {memory / 1e9:.3g} GB of memory, the limit")
        if self._doom:
            self.kill()
            raise Lost(self._doom)

    def call(self, function: Callable[[_Task], _Result], task: _Task) -> _Result:
        """One task, waited for; begins a process where there is none.

        Raises:
            Lost: the process died or went over its limits.
            WorkerError: no process can be begun.
            BaseException: what the function raised.
        """
        self.wait_until_ready()
        self.send(function, task)
        while True:
            if connection.wait([self._pipe], LOOK_SECONDS):
                said = self.receive()
                if said is not None:
                    result, error = said
                    if error is not None:
                        raise error
                    return cast(_Result, result)
            self.check()

    def wait_until_ready(self) -> None:
        """Begin a process, if there is none, and wait until it can work.

        Raises:
            WorkerError: it cannot be begun.
        """
        for _ in range(START_TRIES):
            if not self.alive:
                self.start()
            with suppress(Lost):
                while not self.ready:
                    self.receive()
                return
        raise _never_came_up()

    def strike(self) -> None:
        """Begin to end the process, without waiting for it; :meth:`kill` does the rest."""
        if self._process is not None:
            self._process.kill()

    def kill(self) -> None:
        """End the process at once."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        self.ready = self.busy = False
        if process is not None:
            process.kill()
            process.join(1.0)
            pipe.close()

    def _lost(self) -> Lost:
        self.kill()
        return Lost("the process that worked on it died")


class Crew:
    """Several workers on one list of tasks. Use as a context manager: at its end, or at Ctrl-C, all are ended at once.

    Args:
        processes: how many.
        warm_up: called once in each process before its first task.
        limits: for each task.
        ahead: tasks a process that may be begun before the first unfinished one: what bounds memory.
    """

    def __init__(
        self,
        processes: int,
        warm_up: Callable[[], Any] | None = None,
        limits: WorkLimits = WorkLimits(),
        ahead: int = 4,
    ) -> None:
        self._workers = [Worker(warm_up, limits) for _ in range(processes)]
        self._ahead = ahead * processes
        self._came_up = False
        self._failed_starts = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.strike()
        for worker in self._workers:
            worker.kill()

    def outcomes(
        self, function: Callable[[_Task], _Result], tasks: Iterable[_Task], ordered: bool = True
    ) -> Iterator[Outcome[_Task, _Result]]:
        """What becomes of every task, in the order of the tasks, or in that in which they are finished.

        Raises:
            WorkerError: no process ever became ready.
        """
        queue = enumerate(tasks)
        at_work: dict[Worker, tuple[int, _Task]] = {}
        finished: dict[int, Outcome[_Task, _Result]] = {}
        turn, more = 0, True
        while more or at_work or finished:
            while finished and (turn in finished or not ordered):
                yield finished.pop(turn if ordered else next(iter(finished)))
                turn += 1
            for worker in self._workers:
                room = len(at_work) + len(finished) < self._ahead
                if worker in at_work or not more or not room:
                    continue
                if not worker.alive:
                    worker.start()
                if worker.ready:
                    following = next(queue, None)
                    more = following is not None
                    if following is not None:
                        at_work[worker] = following
                        self._give(worker, function, at_work, finished)
            self._look(at_work, finished)

    def _give(self, worker: Worker, function: Any, at_work: dict[Worker, Any], finished: dict[int, Any]) -> None:
        try:
            worker.send(function, at_work[worker][1])
        except Lost as error:
            self._settle(worker, None, error, at_work, finished)

    def _look(self, at_work: dict[Worker, Any], finished: dict[int, Any]) -> None:
        """Take what the processes have to say, and end those that go too far."""
        waiting = [w for w in self._workers if w.alive and (w in at_work or not w.ready)]
        if not waiting:
            return
        said = connection.wait([w.pipe for w in waiting], LOOK_SECONDS)
        for worker in waiting:
            try:
                answer = worker.receive() if worker.pipe in said else None
                if answer is None:
                    self._came_up = self._came_up or worker.ready
                    worker.check()
                else:
                    self._settle(worker, *answer, at_work, finished)
            except Lost as error:
                if worker in at_work:
                    self._settle(worker, None, error, at_work, finished)
                else:
                    self._failed_start()

    def _settle(
        self, worker: Worker, result: Any, error: BaseException | None, at_work: dict[Worker, Any], finished: Any
    ) -> None:
        number, task = at_work.pop(worker)
        finished[number] = Outcome(task, result, error)
        self._failed_starts = 0

    def _failed_start(self) -> None:
        self._failed_starts += 1
        if self._failed_starts >= START_TRIES * (len(self._workers) if self._came_up else 1):
            raise _never_came_up()


def _never_came_up() -> WorkerError:
    return WorkerError(
        "no worker process could be started: what they wrote above says why (too little memory is the usual cause; "
        "fewer with --workers)"
    )


@contextmanager
def worker_map(processes: int, warm_up: Callable[[], Any] | None = None) -> Iterator[Map]:
    """A :class:`Map` over worker processes, which start at the first task; over none where one is wanted.

    The map raises what the function raised, or :class:`Lost` where a process died.

    Args:
        processes: how many; 1 works in this process.
        warm_up: called once in each process before its first task.
    """
    if processes == 1:
        yield _InThisProcess(warm_up)
        return
    with Crew(processes, warm_up) as crew:
        yield _CrewMap(crew)


class _CrewMap:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        for outcome in self._crew.outcomes(function, tasks):
            if outcome.error is not None:
                raise outcome.error
            yield cast(_Result, outcome.result)


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


@contextmanager
def _without_main() -> Iterator[None]:
    """A spawned process imports the script that spawns it, whatever that does; ours need nothing from it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """A process started inside never meets Ctrl-C, not even while it imports; here it arrives afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _resident(pid: int) -> int:
    """Bytes of resident memory; 0 where the system does not say (other than Linux)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _work(pipe: Any, warm_up: Callable[[], Any] | None) -> None:
    """What a process does: answer one task after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.filterwarnings("ignore", module=r"PIL\b")  # it comments on damage that mien says itself
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if warm_up is not None:
        warm_up()
    pipe.send(_READY)
    while True:
        try:
            function, task = pipe.recv()
        except (EOFError, OSError):
            return
        said: tuple[Any, BaseException | None]
        try:
            said = function(task), None
        except BaseException as error:
            said = None, _that_travels(error)
        try:
            pipe.send(said)
        except OSError:
            return


def _that_travels(error: BaseException) -> BaseException:
    """The error itself, or one of the same words where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
