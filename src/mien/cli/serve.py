"""``mien serve``: the web page and HTTP API on this machine."""

from __future__ import annotations

import argparse
import socket
import threading
import webbrowser
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mien.cli.limits import add_limits, limits_of, whole
from mien.errors import InputError, MissingExtraError
from mien.serve.settings import ServeSettings, token_from_environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    plain = ServeSettings()
    parser.add_argument("--host", default=plain.host, help=f"address to listen on ({plain.host}); others need --token")
    parser.add_argument("--port", type=int, default=plain.port, help=f"TCP port ({plain.port}); 0 takes a free one")
    parser.add_argument("--token", help="what callers must send as a Bearer token (or set MIEN_TOKEN)")
    parser.add_argument(
        "--allow-name", action="append", default=[], metavar="NAME", help="a further host name it may be called by"
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help="a folder of models made by  mien export")
    parser.add_argument("--network", metavar="NAME", help="resnet or vgg; without it the models' default")
    parser.add_argument("--report", type=Path, metavar="FILE", help="a study's report.html, shown at /report")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    aliases = {"--max-file": "--max-upload", "--max-seconds": "--analysis-seconds"}
    limits = add_limits(parser, plain.limits, aliases)
    limits.add_argument(
        "--workers", "--concurrency", dest="workers", type=int, default=plain.concurrency, metavar="N",
        help=f"processes that analyse, behind the one port; one core each ({plain.concurrency})",
    )  # fmt: skip
    limits.add_argument(
        "--max-total-memory", type=float, default=plain.total_memory / 1e9, metavar="GB",
        help=f"memory of all of them together ({plain.total_memory / 1e9:g})",
    )  # fmt: skip
    for name, kind, value, text in (
        ("--waiting", int, plain.waiting, "pictures that may wait for their turn"),
        ("--upload-seconds", float, plain.upload_seconds, "time in which a picture must have arrived"),
        ("--header-seconds", float, plain.header_seconds, "time in which a request's head must have arrived"),
    ):
        limits.add_argument(name, type=kind, default=value, metavar="N", help=f"{text} ({value:g})")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; returns the exit code."""
    settings = settings_of(args)
    try:
        import uvicorn

        from mien.analyze.analyzer import Analyzer
        from mien.serve.app import create_app
        from mien.serve.timeouts import QuietServer, protocol_with_limits
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "serve", "mien serve") from error
    analyzer = Analyzer(args.models, network=args.network)
    app = create_app(settings, analyzer)
    with closing(_listening(settings)) as listener:
        address = settings.url_at(listener.getsockname()[1])
        link = address + (f"#token={quote(settings.token)}" if settings.token else "")
        print(f"mien is at {link}\nCtrl-C stops it. Pictures stay in memory and are not stored.", flush=True)
        if args.open:
            threading.Thread(target=_open_when_ready, args=(address, link, settings.token), daemon=True).start()
        config: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
        longest = settings.upload_seconds + settings.analysis_seconds + 60
        protocol = protocol_with_limits(settings.header_seconds, longest)
        config |= {"http": protocol, "ws": "none", "timeout_graceful_shutdown": 2}
        server = QuietServer(uvicorn.Config(app, timeout_keep_alive=5, limit_concurrency=200, **config))
        with suppress(KeyboardInterrupt):  # the usual way to end it
            server.run([listener])
    return 0


def _open_when_ready(address: str, link: str, token: str | None) -> None:
    """Show the page once its first answer is there, so that it opens with one."""
    from urllib.request import Request, urlopen

    from mien.analyze.examples import PLAIN

    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with suppress(OSError):  # the page says what is wrong
        urlopen(Request(f"{address}api/examples/{PLAIN}.json", headers=headers), timeout=60).close()
    webbrowser.open(link)


def settings_of(args: argparse.Namespace) -> ServeSettings:
    """The options as settings.

    Raises:
        UsageError: an option is out of range, or a token is missing.
    """
    limits = limits_of(args)
    return ServeSettings(
        host=args.host,
        port=args.port,
        token=args.token or token_from_environment(),
        names=frozenset(name.lower() for name in args.allow_name),
        upload_bytes=limits.bytes,
        pixels=limits.pixels,
        concurrency=args.workers,
        waiting=args.waiting,
        upload_seconds=args.upload_seconds,
        analysis_seconds=limits.seconds,
        memory=limits.memory,
        total_memory=whole(args.max_total_memory * 1e9),
        header_seconds=args.header_seconds,
        report=args.report,
    )


def _listening(settings: ServeSettings) -> socket.socket:
    """A socket on the settings' address: a taken port is said before anything starts, and early callers wait."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host.strip("[]"), settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise InputError(f"cannot listen on {settings.host}, port {settings.port} ({reason}): try --port 0") from error
    return listener
