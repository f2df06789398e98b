"""The command as it was typed, for results and cards: what a reader types to make them again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def typed(argv: Sequence[str]) -> str:
    """``mien`` and its arguments, quoted where a shell needs it, and no folder of this machine in them.

    A path below the user's home begins with ``~``; of any other absolute path only the last name is left, after
    ``.../``.
    """
    return "mien " + " ".join(_shown(word) for word in argv)


def _shown(word: str) -> str:
    name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    pieces = value.split(":")
    text = f"{name}{equals}{':'.join(_plain(piece) for piece in pieces)}"
    bare = text.replace("~", "")  # which a shell reads as home
    return text if bare and shlex.quote(bare) == bare else shlex.quote(text)


def _plain(piece: str) -> str:
    path = Path(piece)
    if not path.is_absolute() or piece.startswith("//"):
        return piece
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else f".../{path.name}"
