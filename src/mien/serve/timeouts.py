"""HTTP connections that must say something: silent ones are closed, so that they keep nobody else out."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol

SILENT_AT_MOST = 50
"""Connections that may wait for a first request; the oldest makes room for one more."""


def protocol_with_limits(seconds: float, longest: float) -> type[H11Protocol]:
    """uvicorn's HTTP protocol with limits.

    Args:
        seconds: in which the head of a request must be there, from the opening or from the answer before.
        longest: for one request altogether, its upload and the reading of its answer included.
    """

    class Limited(H11Protocol):
        _silent: dict[Limited, None] = {}  # noqa: RUF012

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._timer: asyncio.TimerHandle | None = None
            self._answered = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            while len(self._silent) >= SILENT_AT_MOST:
                next(iter(self._silent))._hang_up()
            self._silent[self] = None
            self._wait(seconds)

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before:
                self._silent.pop(self, None)
                self._wait(longest)

        def on_response_complete(self) -> None:
            self._wait(seconds)
            super().on_response_complete()

        def shutdown(self) -> None:
            super().shutdown()
            if self.cycle is not None and self.cycle.more_body:  # an upload is not waited for
                self._hang_up()

        def connection_lost(self, exc: Exception | None) -> None:
            self._silent.pop(self, None)
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _wait(self, delay: float) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(delay, self._hang_up)

        def _hang_up(self) -> None:
            self._silent.pop(self, None)
            if self.transport is not None and not self.transport.is_closing():
                self.transport.abort()

    return Limited


class QuietServer(Server):
    """uvicorn's server; whoever stops it is not told, by a traceback each, which requests that ended."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all connections, uploads at once, analyses after a moment."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)
