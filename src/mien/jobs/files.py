"""Write a file whole or not at all; one process at a time; a hash of settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from mien.errors import UsageError


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that, killed at any moment, it is there whole or as it was before."""
    partial = path.with_name(f"{path.name}.tmp")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def new_array(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.memmap[Any, Any]]:
    """A new .npy of zeros to fill in place, also by other processes (``.filename``); like :func:`replace_file`."""
    partial = path.with_name(f"{path.name}.tmp")
    array = cast("np.memmap[Any, Any]", np.lib.format.open_memmap(partial, "w+", np.dtype(dtype), shape))
    yield array
    array.flush()
    with partial.open("rb") as file:
        os.fsync(file.fileno())
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
def _only_one(folder: Path) -> Iterator[None]:
    """Hold a folder against a second preparation; let go when this process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two preparations of the same are the user's own care there
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise UsageError(f"another process is preparing {folder}") from None
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch path beside ``path`` that takes its name when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Hold a run's lock; gives False when another process holds it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: two studies on one runs folder are the user's own care there
        yield True
        return
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def hash_of(settings: Any) -> str:
    """Twelve hexadecimal digits that change when anything in ``settings`` (JSON-like or a dataclass) changes."""
    plain = asdict(settings) if hasattr(settings, "__dataclass_fields__") else settings
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:12]
