"""Ctrl-C: the first one stops the work; while what is finished is being kept, another does no harm."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from mien.errors import InterruptedWork

AT_ONCE = 3
"""The Ctrl-C that no longer waits for anything."""


def interrupt_once() -> None:
    """Make the first Ctrl-C a KeyboardInterrupt, leave the second without effect, and end the process at the third.

    Without this a second one would interrupt the writing of what was finished, or end Python by the signal while it
    shuts down, and the exit code would not be that of an interruption.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored by whoever started it (nohup)
        return
    count = 0

    def interrupted(_: int, __: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise KeyboardInterrupt
        if count >= AT_ONCE:
            os._exit(InterruptedWork.exit_code)

    signal.signal(signal.SIGINT, interrupted)


def interrupted_for_good() -> None:
    """After the first Ctrl-C: Python's way out is no longer interrupted, and ends with the exit code it was given."""
    if getattr(signal.getsignal(signal.SIGINT), "__module__", None) == __name__:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
