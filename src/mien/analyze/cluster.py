"""Photos over the machines of a Ray cluster: ``mien analyze DIR --engine ray``. Needs the extra ``ray``.

Only the work on single photos goes to the cluster; listing, journal and table stay with whoever called, so rows,
failures and resumed runs are those of :mod:`mien.analyze.folder`. Each actor is a process that holds the models on one
core. The machines must see the photos under the same paths, and must have the same mien installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mien.errors import MissingExtraError, UsageError, WorkerError, one_line
from mien.jobs.workers import START_TRIES, Lost, Outcome

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

AHEAD = 2
"""Tasks that lie at an actor, so that it never waits for the next one."""
TRIES = 2
"""Actors that a task may be working at when they die, until it is taken for the cause."""
LOOK_SECONDS = 0.5
START_SECONDS = 120.0
"""In which an actor must have loaded its models."""


class Hand:
    """What runs in an actor."""

    def __init__(self, warm_up: Callable[[], Any]) -> None:
        import cv2

        cv2.setNumThreads(1)
        warm_up()

    def ready(self) -> int:
        """Answers once the models are loaded: the process's id."""
        return os.getpid()

    def work(self, function: Callable[[_Task], _Result], task: _Task) -> _Result:
        """One task."""
        return function(task)


@dataclass(eq=False)
class _Actor(Generic[_Task]):
    """An actor and what lies at it, oldest first; ``since`` is when it began with the oldest."""

    handle: Any
    starting: Any
    refs: dict[Any, _Task] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)


@contextmanager
def on_ray(
    function: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    warm_up: Callable[[], Any],
    workers: int | None = None,
    seconds: float | None = None,
) -> Iterator[Iterator[Outcome[_Task, _Result]]]:
    """What becomes of every task, in the order in which it does.

    A task whose actor dies (killed, its machine gone, out of memory) is done again on another; where that dies too, the
    task is lost and the others go on.

    Args:
        function: of a module that every machine can import.
        tasks: what it is called with.
        warm_up: called once in each actor.
        workers: actors; None is one a core of the cluster.
        seconds: longest work on a task; None is no limit.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: there is no such cluster.
        WorkerError: no actor can be started.
    """
    ray, ours = _joined(workers)
    cores = int(ray.cluster_resources().get("CPU", 1))
    crew: _Crew[_Task, _Result] = _Crew(ray, function, warm_up, seconds)
    try:
        yield crew.outcomes(tasks, max(1, min(workers or cores, cores, len(tasks))))
    finally:
        crew.end()
        if ours:
            ray.shutdown()


def _joined(workers: int | None) -> tuple[Any, bool]:
    """Ray, and whether this call joined it (the cluster of ``RAY_ADDRESS``, otherwise one on this machine)."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(str(error.name), "ray", "--engine ray") from error
    if ray.is_initialized():
        return ray, False
    alone = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers or os.cpu_count() or 1}
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **alone)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"no Ray cluster can be reached or begun: {one_line(error)}") from error
    return ray, True


class _Crew(Generic[_Task, _Result]):
    def __init__(
        self, ray: Any, function: Callable[[_Task], _Result], warm_up: Callable[[], Any], seconds: float | None
    ) -> None:
        self._ray, self._function, self._seconds = ray, function, seconds
        self._remote = ray.remote(num_cpus=1, max_restarts=0)(Hand)
        self._warm_up = ray.put(warm_up)
        self._actors: list[_Actor[_Task]] = []
        self._failed_starts = 0
        self._tries: dict[int, int] = {}

    def outcomes(self, tasks: Sequence[_Task], count: int) -> Iterator[Outcome[_Task, _Result]]:
        left = list(reversed(tasks))
        while left or any(actor.refs for actor in self._actors):
            while len(self._actors) < count:
                self._actors.append(self._begun())
            for actor in self._actors:
                self._give(actor, left)
            by_ref = {ref: actor for actor in self._actors for ref in (actor.starting, *actor.refs) if ref is not None}
            done, _ = self._ray.wait(list(by_ref), num_returns=1, timeout=LOOK_SECONDS)
            for ref in done:
                yield from self._settled(by_ref[ref], ref, left)
            for actor in list(self._actors):
                yield from self._in_time(actor, left)

    def end(self) -> None:
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor.handle)

    def _begun(self) -> _Actor[_Task]:
        handle = self._remote.remote(self._warm_up)
        return _Actor(handle, handle.ready.remote())

    def _give(self, actor: _Actor[_Task], left: list[_Task]) -> None:
        while actor.starting is None and left and len(actor.refs) < AHEAD:
            if not actor.refs:
                actor.since = time.monotonic()
            task = left.pop()
            actor.refs[actor.handle.work.remote(self._function, task)] = task

    def _settled(self, actor: _Actor[_Task], ref: Any, left: list[_Task]) -> Iterator[Outcome[_Task, _Result]]:
        if actor not in self._actors:  # it died, and what lay there was taken back
            return
        errors = self._ray.exceptions
        try:
            result = self._ray.get(ref)
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            if ref not in actor.refs:
                raise cause from None  # the models cannot be opened there
            yield Outcome(self._taken(actor, ref), None, cause)
        except errors.RayError as error:
            why = "it needed more memory than Ray allows" if "memory" in type(error).__name__.lower() else ""
            yield from self._died(actor, left, why or "the process that worked on it died")
        else:
            self._failed_starts = 0
            if ref in actor.refs:
                yield Outcome(self._taken(actor, ref), result)
            else:
                actor.starting = None

    @staticmethod
    def _taken(actor: _Actor[_Task], ref: Any) -> _Task:
        actor.since = time.monotonic()
        return actor.refs.pop(ref)

    def _in_time(self, actor: _Actor[_Task], left: list[_Task]) -> Iterator[Outcome[_Task, _Result]]:
        spent = time.monotonic() - actor.since
        if actor.starting is not None:
            nobody = all(other.starting is not None for other in self._actors)
            if spent > START_SECONDS and nobody:  # else the cluster is busy with other work, and those here go on
                yield from self._died(actor, left, "")
        elif actor.refs and self._seconds is not None and spent > self._seconds:
            oldest = next(iter(actor.refs.values()))
            self._tries[id(oldest)] = TRIES  # once is enough
            yield from self._died(actor, left, f"it took longer than {self._seconds:g} s, the limit")

    def _died(self, actor: _Actor[_Task], left: list[_Task], why: str) -> Iterator[Outcome[_Task, _Result]]:
        """Take back what lay at a dead actor; the oldest may be the cause, which two deaths prove."""
        self._actors.remove(actor)
        with suppress(Exception):
            self._ray.kill(actor.handle)
        if actor.starting is not None:
            self._failed_starts += 1
            if self._failed_starts >= START_TRIES:
                raise WorkerError("no Ray actor could be started: Ray's logs say why (too little memory, most often)")
            return
        oldest, *others = actor.refs.values()
        left.extend(reversed(others))
        self._tries[id(oldest)] = self._tries.get(id(oldest), 0) + 1
        if self._tries[id(oldest)] < TRIES:
            left.append(oldest)
        else:
            yield Outcome(oldest, None, Lost(why))
