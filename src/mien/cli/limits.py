"""The limits a user can set, by the same options for photos, folders, videos and the server."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from mien.face.limits import DEFAULT_LIMITS, Limits


def add_limits(
    parser: argparse.ArgumentParser, defaults: Limits = DEFAULT_LIMITS, aliases: Mapping[str, str] | None = None
) -> argparse._ArgumentGroup:
    """Declare them; returns the group, for what concerns one command alone.

    Args:
        parser: of the command.
        defaults: of the command.
        aliases: option -> a second name for it.
    """
    names = aliases or {}
    group = parser.add_argument_group("limits")
    for name, value, metavar, text in (
        ("--max-file", defaults.bytes / 1e6, "MB", "largest file of a picture, in MB"),
        ("--max-pixels", defaults.pixels / 1e6, "MILLIONS", "largest picture or video frame, in millions of pixels"),
        ("--max-seconds", defaults.seconds, "S", "longest work on one picture or frame"),
        ("--max-memory", defaults.memory / 1e9, "GB", "memory of a process that analyses"),
    ):
        strings = [name, names[name]] if name in names else [name]
        group.add_argument(*strings, type=float, default=value, metavar=metavar, help=f"{text} ({value:g})")
    return group


def limits_of(args: argparse.Namespace) -> Limits:
    """The options as limits.

    Raises:
        UsageError: one is not positive.
    """
    return Limits(
        pixels=whole(args.max_pixels * 1e6),
        bytes=whole(args.max_file * 1e6),
        seconds=args.max_seconds,
        memory=whole(args.max_memory * 1e9),
    )


def whole(value: float) -> int:
    """Rounded; 0, which every limit refuses, for what is no positive number of a reasonable size."""
    return round(value) if 0 < value < 1e18 else 0
