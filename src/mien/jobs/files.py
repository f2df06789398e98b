"""Write a file whole or not at all; one process at a time; where mien keeps things; a hash of settings."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import platformdirs
from filelock import FileLock, Timeout

from mien.errors import UsageError

CACHE_VARIABLE = "MIEN_CACHE"
"""Environment variable that moves everything mien keeps."""


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that, killed at any moment, it is there whole or as it was before."""
    partial = path.with_name(f"{path.name}.tmp")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _sync(path: Path) -> None:
    """Bring a file's content to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def new_array(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.memmap[Any, Any]]:
    """A new .npy of zeros to fill in place, also by other processes (``.filename``); like :func:`replace_file`."""
    partial = path.with_name(f"{path.name}.tmp")
    array = cast("np.memmap[Any, Any]", np.lib.format.open_memmap(partial, "w+", np.dtype(dtype), shape))
    yield array
    array.flush()
    _sync(partial)
    partial.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut, where the system can."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a folder against a second process, by a lock file beside it; let go when this process ends, however.

    Raises:
        UsageError: another process holds it.
    """
    with claimed(folder) as mine:
        if not mine:
            raise UsageError(f"another process is working on {folder}")
        yield


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch path beside ``path`` that takes its name when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield scratch
        _sync(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a path while the block runs; gives False when another process holds it.

    The hidden file ``.NAME.lock`` beside it is what is locked; it stays there, empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name.lstrip('.')}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all; its folder is made."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def cache_folder(name: str) -> Path:
    """Where mien keeps prepared data (``cache``), trainings (``runs``) and ``predictions``.

    A folder in ``$MIEN_CACHE``, which moves all of them; otherwise in the system's folder of caches.
    """
    moved = os.environ.get(CACHE_VARIABLE)
    return (Path(moved).expanduser() if moved else platformdirs.user_cache_path("mien", appauthor=False)) / name


def hash_of(settings: Any) -> str:
    """Twelve hexadecimal digits that change when anything in ``settings`` (JSON-like or a dataclass) changes."""
    plain = asdict(settings) if hasattr(settings, "__dataclass_fields__") else settings
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:12]
