"""Resumable steps: what is done is not done again, and a kill at any moment loses only the step under way.

What a step writes takes its final name only when it is complete. ``steps.jsonl`` gets one line a finished step.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mien.jobs.files import hash_of
from mien.jobs.progress import duration

Say = Callable[[str], None]

WAIT_SECONDS = 20.0
"""Between two looks at what another process is doing."""


@dataclass(frozen=True)
class Step:
    """One resumable piece of work.

    Attributes:
        name: unique within the study; shown to the user.
        outputs: files it leaves; it is done when all are there.
        run: does the work and reports to the user; False when another process is at it or it must wait for that.
        seconds: what is left of it, expected.
        inputs: JSON-like, for a step whose outputs' names do not say what made them: a change repeats it.
    """

    name: str
    outputs: Callable[[], Sequence[Path]]
    run: Callable[[Say], bool]
    seconds: Callable[[], float]
    inputs: Callable[[], Any] | None = None


@dataclass
class StepLog:
    """Finished steps of one output folder."""

    file: Path
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> StepLog:
        """Read a folder's log; a last line that a kill cut short is left out."""
        log = cls(folder / "steps.jsonl")
        for line in log.file.read_text().splitlines() if log.file.is_file() else []:
            try:
                entry = json.loads(line)
                log.done[entry["step"]] = entry
            except (ValueError, KeyError, TypeError):
                continue
        return log

    def holds(self, step: Step) -> bool:
        """True when all the step writes is there, made from the same inputs."""
        if not all(path.exists() for path in step.outputs()):
            return False
        if step.inputs is None:
            return True
        entry = self.done.get(step.name)
        return entry is not None and entry["key"] == hash_of(step.inputs())

    def note(self, step: Step, seconds: float) -> None:
        """Write down that a step is done."""
        entry = {
            "step": step.name, "key": "" if step.inputs is None else hash_of(step.inputs()),
            "seconds": round(seconds, 2), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }  # fmt: skip
        self.file.parent.mkdir(parents=True, exist_ok=True)
        before = self.file.read_bytes() if self.file.is_file() else b""
        with self.file.open("ab") as file:
            cut_short = bool(before) and not before.endswith(b"\n")
            file.write((b"\n" if cut_short else b"") + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.done[step.name] = entry

    def seconds_of(self, name: str, otherwise: float) -> float:
        """How long a step took last time."""
        return float(self.done[name]["seconds"]) if name in self.done else otherwise


def do_all(steps: Sequence[Step], log: StepLog, say: Say) -> int:
    """Do every step that is not done, in order; those that must wait for another process come again at the end.

    Returns:
        How many steps were done now.
    """
    waiting = [step for step in steps if not log.holds(step)]
    count, done = 0, len(steps) - len(waiting)
    while waiting:
        put_off: list[Step] = []
        for place, step in enumerate(waiting):
            if log.holds(step):  # another process finished it meanwhile
                done += 1
                continue
            later = [*waiting[place:], *put_off]
            if _do(step, log, _with_remaining(say, later, f"[{done + 1}/{len(steps)}] {step.name}")):
                count, done = count + 1, done + 1
            else:
                put_off.append(step)
        if put_off and len(put_off) == len(waiting):
            say(f"{len(put_off)} steps wait for another process: {put_off[0].name} first")
            time.sleep(WAIT_SECONDS)
        waiting = put_off
    return count


def _do(step: Step, log: StepLog, say: Say) -> bool:
    begun = time.monotonic()
    if not step.run(say):
        return False
    log.note(step, time.monotonic() - begun)
    return True


def _with_remaining(say: Say, later: Sequence[Step], head: str) -> Say:
    def line(text: str) -> None:
        say(f"{head}: {text}; {duration(sum(step.seconds() for step in later))} left")

    return line
