"""Where mien keeps what it makes for itself: prepared data sets, trainings, predictions."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "MIEN_CACHE"
"""Environment variable that moves all of them."""


def kept() -> Path:
    """The folder of all: ``$MIEN_CACHE``, else the system's cache folder for mien (on Linux ``~/.cache/mien``)."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("mien", appauthor=False)


def caches() -> Path:
    """Prepared data sets."""
    return kept() / "cache"


def runs() -> Path:
    """Trainings."""
    return kept() / "runs"


def predictions() -> Path:
    """Answers of networks to whole data sets."""
    return kept() / "predictions"


def help_of(what: str) -> str:
    """What a command's help says of an option whose default is one of these folders."""
    return f"{what} (default: %(default)s; ${VARIABLE} moves it)"
