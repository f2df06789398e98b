"""The exception tree. Every error a user can meet is a :class:`MienError` with one clear sentence.

::

    MienError                      exit code 1
    +-- UsageError                 2   the call itself is wrong (option, combination)
    +-- InputError                 3   something given to mien cannot be used
    |   +-- ImageError             3   a picture cannot be read
    |   +-- DatasetError           3   a data set's layout or a line in it is wrong
    |   +-- TableError             3   a results table lacks what is needed
    +-- NoFaceError                4   the picture was read, and no face was found in it
    +-- MissingExtraError          5   an optional dependency is not installed
    +-- ModelError                 6   a model file is missing, damaged or does not fit
    |   +-- NotCalibratedError     6   nothing was ever fitted for these networks
    +-- WorkerError              1   worker processes cannot be started, or one died
    +-- InterruptedWork          130   stopped by the user; work done so far is kept

The command line prints ``str(error)`` and exits with ``error.exit_code``; it never shows a traceback for these.

Below the tree: how a file's name is read, and how it and a library's words are made fit for a sentence. A name on
Linux is bytes; Python keeps what is no UTF-8 as lone surrogates, which no table, JSON file or terminal takes:
:func:`writable` is the one place that makes every name fit for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class MienError(Exception):
    """Base of every error mien raises on purpose; its sentence can always be printed, whatever names are in it."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return writable(super().__str__())


class UsageError(MienError):
    """The call itself is wrong: an unknown name, or options that do not go together."""

    exit_code = 2


class InputError(MienError):
    """Something given to mien cannot be used."""

    exit_code = 3


class ImageError(InputError):
    """A picture is missing, unreadable, empty, truncated, too large or of no known format."""


class DatasetError(InputError):
    """A data set does not have its official layout; the message names file and line."""


class TableError(InputError):
    """A results table lacks a column or a value that is needed."""


class NoFaceError(MienError):
    """The picture was read, and no face was found in it."""

    exit_code = 4


class MissingExtraError(MienError):
    """An optional dependency is not installed; the message is the sentence that installs it."""

    exit_code = 5

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: install it with  pip install 'mien[{extra}]'")
        self.package = package
        self.extra = extra


class ModelError(MienError):
    """A model file is missing, damaged, or does not fit what it is used for."""

    exit_code = 6


class NotCalibratedError(ModelError):
    """Nothing was ever fitted for these networks, so nothing is known of how far to trust them."""


class WorkerError(MienError):
    """Worker processes cannot be started, or one died."""


class InterruptedWork(MienError):
    """Stopped by the user; work done so far is kept and the same command goes on from there."""

    exit_code = 130


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
