"""Contenders in processes of their own, asked in turn, so that all of them meet the same load on the machine.

A contender is a program that prints one line of JSON when it is ready, and for every line it reads does its work once
and prints ``{"wall": seconds, "cpu": seconds, "items": n}``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Contender:
    """A program, and what it measured.

    Attributes:
        name: in results.
        command: starts it.
        environment: variables on top of this process's.
        folder: in which it runs.
        rounds: one dict a round.
        failure: why it does not take part; empty where it does.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    rounds: list[dict[str, float]] = field(default_factory=list)
    failure: str = ""
    ready: dict[str, Any] = field(default_factory=dict)
    _process: Any = None

    def start(self) -> None:
        """Begin the process and wait until it is ready; a failure is kept, not raised."""
        try:
            self._process = subprocess.Popen(
                list(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={**os.environ, **self.environment}, cwd=self.folder,
            )  # fmt: skip
            self.ready = self._said()
        except (OSError, ValueError) as error:
            self.fail(str(error))

    def go(self) -> None:
        """One round."""
        if self.failure:
            return
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            self.rounds.append(self._said())
        except (OSError, ValueError) as error:
            self.fail(str(error))

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def fail(self, why: str) -> None:
        """Take no further part."""
        self.stop()
        last = (self._process.stderr.read().strip().splitlines() or [""])[-1] if self._process is not None else ""
        self.failure = f"{why} {last}".strip()

    def _said(self) -> dict[str, Any]:
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                return said
        raise ValueError("it ended:")

    def result(self) -> dict[str, Any]:
        """Medians and spread over the rounds, in seconds an item."""
        if self.failure or not self.rounds:
            return {"failure": self.failure or "no round"}
        wall = [r["wall"] / r["items"] for r in self.rounds]
        cpu = [r["cpu"] / r["items"] for r in self.rounds]
        return {
            "wall": statistics.median(wall), "wall_least": min(wall), "cpu": statistics.median(cpu),
            "cpu_least": min(cpu), "rounds": len(wall), "items": self.rounds[0]["items"],
            **{key: value for key, value in self.ready.items() if key != "ready"},
            **{key: self.rounds[-1][key] for key in self.rounds[-1] if key not in ("wall", "cpu", "items")},
        }  # fmt: skip


def contest(contenders: Sequence[Contender], rounds: int, warm: int = 2) -> dict[str, Any]:
    """Ask all of them in turn; the first ``warm`` rounds do not count.

    Returns:
        By name what each measured, and the load average before and after.
    """
    before = os.getloadavg()[0]
    for contender in contenders:
        contender.start()
    for _ in range(warm + rounds):
        for contender in contenders:
            contender.go()
    for contender in contenders:
        contender.stop()
        contender.rounds = contender.rounds[warm:]
    return {
        "load_average": [round(before, 2), round(os.getloadavg()[0], 2)],
        "results": {contender.name: contender.result() for contender in contenders},
    }
