"""What the server may do, and for whom."""

from __future__ import annotations

import ipaddress
import math
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError
from mien.face.limits import Limits

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
TOKEN_VARIABLE = "MIEN_TOKEN"
SHORTEST_TOKEN = 16
RESTING_MEMORY = 250_000_000
"""Bytes of a process that has answered its first picture, rounded up (``benchmarks/results/serve.json``)."""


@dataclass(frozen=True)
class ServeSettings:
    """One server.

    Attributes:
        host: address to listen on; anything beyond loopback demands a token.
        port: TCP port; 0 lets the system choose.
        token: what a caller must send as ``Authorization: Bearer TOKEN``; None asks for nothing.
        names: further host names under which the server may be called.
        upload_bytes: largest picture, in bytes.
        pixels: largest picture, in pixels.
        concurrency: processes that analyse, so pictures analysed at the same time.
        waiting: pictures that may wait for their turn; the next one is refused as busy.
        upload_seconds: time in which a picture must have arrived.
        analysis_seconds: time after which an answer is given up, waiting included.
        memory: bytes that a process which analyses may use.
        total_memory: bytes that all of them together may use, however many they are.
        header_seconds: time in which a connection must have sent the head of a request.
        report: a study's ``report.html``, shown at ``/report``; None has none.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    names: frozenset[str] = frozenset()
    upload_bytes: int = 20_000_000
    pixels: int = 40_000_000
    concurrency: int = 2
    waiting: int = 8
    upload_seconds: float = 30.0
    analysis_seconds: float = 30.0
    memory: int = 3_000_000_000
    total_memory: int = 6_000_000_000
    header_seconds: float = 10.0
    report: Path | None = None

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(f"a token must have at least {SHORTEST_TOKEN} characters: try  openssl rand -hex 16")
        if not self.loopback and self.token is None:
            raise UsageError(
                f"--host {self.host} can be reached from other machines, so it needs --token (or {TOKEN_VARIABLE}): "
                "try  --token $(openssl rand -hex 16)"
            )
        least = min(self.upload_bytes, self.pixels, self.memory, self.total_memory, self.concurrency)
        if least < 1 or self.waiting < 0:
            raise UsageError("the limits of the server must be positive")
        if self.concurrency * RESTING_MEMORY > self.total_memory:
            raise UsageError(
                f"{self.concurrency} workers need {self.concurrency * RESTING_MEMORY / 1e9:.3g} GB before the first "
                f"picture, and all together may use {self.total_memory / 1e9:.3g}: fewer workers, or more "
                "--max-total-memory"
            )
        if not all(0 < s < math.inf for s in (self.upload_seconds, self.analysis_seconds, self.header_seconds)):
            raise UsageError("the time limits of the server must be positive")
        if not 0 <= self.port < 65536:
            raise UsageError(f"a port lies between 0 and 65535, got {self.port}")
        if self.report is not None and not self.report.is_file():
            raise UsageError(f"{self.report}: there is no such report (mien study writes it)")

    @property
    def limits(self) -> Limits:
        """On a picture."""
        return Limits(self.pixels, self.upload_bytes, self.analysis_seconds, self.memory)

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return self.host in LOOPBACK_NAMES or _is_loopback(self.host)

    def knows(self, name: str) -> bool:
        """True for a host name (without port) under which the server may be called.

        A page of another site whose name is made to point here (DNS rebinding) calls under its own name and is
        refused. Beyond loopback plain addresses are accepted, since such an attack needs a name.
        """
        name = name.lower().strip("[]")
        if name in LOOPBACK_NAMES or name in self.names or name == self.host.lower():
            return True
        if self.loopback:
            return _is_loopback(name)
        return _is_address(name) or name == socket.gethostname().lower()  # no name server is asked about a stranger's

    def url_at(self, port: int) -> str:
        """Where a browser on this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host.strip("[]"))
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def token_from_environment() -> str | None:
    """The token in ``MIEN_TOKEN``, which other users of the machine cannot see in the process list."""
    return os.environ.get(TOKEN_VARIABLE) or None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback
