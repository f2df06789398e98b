"""Write a file whole or not at all; a hash of settings."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch path beside ``path`` that takes its name when the block ends well, and vanishes when it does not.

    Killed at any moment, even by a power cut, ``path`` is there whole or as it was before. The folder is made where it
    is missing; the scratch name keeps the ending, for libraries that choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _scratch_of(path)
    try:
        yield scratch
        with scratch.open("rb+") as file:
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _scratch_of(path: Path) -> Path:
    """A name of this machine and process: two that write the same never share one."""
    _sweep(path.parent)
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.tmp{path.suffix}")


@cache
def _sweep(folder: Path) -> None:
    """Remove what killed processes left half written in a folder: once a process, as folders grow with every write."""
    for old in folder.glob(f".*.{_machine()}-*.tmp*"):
        owner = old.name.rpartition(f".{_machine()}-")[2].partition(".")[0]
        if owner.isdigit() and not _alive(int(owner)):
            old.unlink(missing_ok=True)


@cache
def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a text (UTF-8, line ends as they are) or bytes; see :func:`replacing`."""
    with replacing(path) as scratch:
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)


def replace_json(path: Path, value: Any, *, sort_keys: bool = False) -> None:
    """Write a JSON-like value, readable and with an end of line; see :func:`replacing`."""
    replace_file(path, json.dumps(value, indent=1, sort_keys=sort_keys) + "\n")


@contextmanager
def new_array(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.memmap[Any, Any]]:
    """A new .npy of zeros to fill in place, also by other processes (``.filename``); see :func:`replacing`."""
    with replacing(path) as scratch:
        array = cast("np.memmap[Any, Any]", np.lib.format.open_memmap(scratch, "w+", np.dtype(dtype), shape))
        yield array
        array.flush()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut, where the system can."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def hash_of(settings: Any) -> str:
    """Twelve hexadecimal digits that change when anything in ``settings`` (JSON-like or a dataclass) changes."""
    plain = asdict(settings) if hasattr(settings, "__dataclass_fields__") else settings
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:12]
