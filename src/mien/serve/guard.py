"""Stands before every request: whose name was called, from which page, with which token; and the safe headers."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.problems import ForbiddenError, RequestError, UnauthorizedError, WrongHostError, answer_to
from mien.serve.settings import ServeSettings

COOKIE = "mien_token"
OPEN_PATHS = ("/", "/docs", "/openapi.json", "/favicon.ico")
OPEN_FOLDERS = ("/static/", "/docs/")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-popups allow-downloads"
)
"""A study's report carries its own style and script, and may do nothing else."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
}


class Guard:
    """ASGI middleware; refuses what it must and adds the headers that keep the page to itself."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/api/") else "no-cache")
            await send(message)

        try:
            self._check(Headers(scope=scope), scope["method"], scope["path"])
        except RequestError as error:
            await answer_to(error)(scope, receive, send_safely)
            return
        await self.app(scope, receive, send_safely)

    def _check(self, headers: Headers, method: str, path: str) -> None:
        host = headers.get("host", "")
        if not self.settings.knows(_name_of(host)):
            raise WrongHostError(f"this server does not go by the name {host!r} (see --allow-name)")
        origin = headers.get("origin")
        foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if path.startswith("/api/") and (foreign or (origin is not None and urlsplit(origin).netloc != host)):
            raise ForbiddenError("requests from other sites' pages are refused")
        if self.settings.token is not None and not _is_open(path):
            given = _token_of(headers)
            if given is None or not hmac.compare_digest(given.encode(), self.settings.token.encode()):
                raise UnauthorizedError("send the server's token:  Authorization: Bearer TOKEN")


def _is_open(path: str) -> bool:
    """The page itself holds nothing; all else needs the token."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def _name_of(host: str) -> str:
    """``localhost:8765`` -> ``localhost``, ``[::1]:8765`` -> ``::1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _token_of(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value
