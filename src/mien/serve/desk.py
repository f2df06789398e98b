"""Analyses a few pictures at a time, lets a few wait, and sends the rest away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mien.serve.problems import AnalysisTimeoutError, BusyError
from mien.serve.settings import ServeSettings

Result = TypeVar("Result")


class Desk:
    """Runs calls in threads, within the settings' limits.

    A call whose time is up is answered at once; its thread works on to its end, and its place stays taken until then.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._seconds = settings.analysis_seconds
        self._places = settings.concurrency + settings.waiting
        self._taken = 0
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="mien-analysis")

    async def run(self, call: Callable[[], Result]) -> Result:
        """Result of the call.

        Raises:
            BusyError: all places are taken.
            AnalysisTimeoutError: it takes too long.
        """
        if self._taken >= self._places:
            raise BusyError("too many pictures wait already: try again in a moment")
        self._taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        future.add_done_callback(self._leave)
        done, _ = await asyncio.wait({future}, timeout=self._seconds)
        if not done:
            future.add_done_callback(_forget)
            raise AnalysisTimeoutError(f"the analysis took longer than {self._seconds:g} s")
        return future.result()

    def _leave(self, _: asyncio.Future[Result]) -> None:
        self._taken -= 1

    def close(self) -> None:
        """Finish what runs; start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _forget(future: asyncio.Future[Result]) -> None:
    """Take note of a late error, so that asyncio does not report it as lost."""
    if not future.cancelled():
        future.exception()
