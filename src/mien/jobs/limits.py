"""Limits of time and memory on work in this very process, where no worker does it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mien.errors import InputError


class TooSlow(InputError):
    """Something given to mien takes longer than the user's limit."""


class _Over(BaseException):
    """Time is up. No Exception, so that nothing on the way takes it for a fault of its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Give up what takes too long.

    A call into a library ends before it is given up. In the main thread of a Unix program only; elsewhere, without
    effect.

    Raises:
        TooSlow: it took longer.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def over(_: int, frame: FrameType | None) -> None:
        raise _Over

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Over:
        raise TooSlow(f"it took longer than {seconds:g} s, the limit") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Let this process have no more than ``size`` bytes of data; beyond it, allocations fail. Where the system can."""
    try:
        import resource

        before = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size if before[1] < 0 else min(size, before[1]), before[1]))
    except (ImportError, ValueError, OSError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
