"""A file's name as the user wrote it, and as it can be written down.

A name on Linux is bytes. Python keeps what is no UTF-8 as lone surrogates, which no table, JSON file or terminal takes:
:func:`writable` is the one place that makes every name fit for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SURROGATES = re.compile("[\ud800-\udfff]")


def writable(name: Path | str) -> str:
    r"""A name that UTF-8 can hold: bytes that are no UTF-8 as ``\xe9``; every other name unchanged."""
    return _SURROGATES.sub(_escaped, str(name))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def one_line(error: object, most: int = 200) -> str:
    """What a library says about a fault, in one line of at most ``most`` characters."""
    return writable(" ".join(str(error).split())[:most])


def path_of(name: Path | str) -> Path:
    """A path with ``~`` and ``~user`` put in full; a file that is really called ``~photo.jpg`` keeps its name."""
    from pathlib import Path  # as late as here: ``mien --help`` needs none of it

    path = Path(name)
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path
