"""One line on stderr for long work: how much is done, how fast, and how long it still takes."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """A progress line: rewritten in place on a terminal, printed now and then into a log.

    Args:
        label: what is being worked on.
        total: units of work in all; None where it is not known.
        unit: what is counted (``photos``, ``frames``).
        done: units that an earlier run finished; they count as done, not towards the rate.
        stream: where to write; None is stderr.
        quiet: write nothing.
    """

    TERMINAL_SECONDS = 0.2
    LOG_SECONDS = 30.0

    def __init__(
        self,
        label: str,
        total: int | None,
        unit: str,
        done: int = 0,
        stream: TextIO | None = None,
        quiet: bool = False,
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = self._before = done
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._start = self._shown = time.monotonic()
        self._width = 0

    def add(self, n: int = 1, note: str = "") -> None:
        """``n`` more units are done."""
        self.done += n
        now = time.monotonic()
        if now - self._shown >= (self.TERMINAL_SECONDS if self._terminal else self.LOG_SECONDS):
            self._shown = now
            self._write(self.line(note))

    def line(self, note: str = "") -> str:
        """The line as it stands: ``faces: 320/1,000 photos (32%), 8.1 photos/s, 1 min 24 s left``."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        rate = (self.done - self._before) / seconds
        parts = [f"{self.label}: {self.done:,} {self.unit}"]
        if self.total is not None:
            share = self.done / self.total if self.total else 1.0
            parts = [f"{self.label}: {self.done:,}/{self.total:,} {self.unit} ({min(share, 1.0):.0%})"]
        if rate > 0:
            parts.append(f"{rate:.1f} {self.unit}/s")
            if self.total is not None:
                parts.append(f"{duration(max(self.total - self.done, 0) / rate)} left")
        return ", ".join(parts + ([note] if note else []))

    def close(self, note: str = "") -> None:
        """Write the last line."""
        self._write(self.line(note))
        if self._terminal and not self._quiet:
            self._stream.write("\n")

    def _write(self, line: str) -> None:
        if self._quiet:
            return
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """Words for a duration: ``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
