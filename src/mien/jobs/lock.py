"""One process at a time: a lock that ends with its process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Hold a lock file against other processes while the block runs; gives False where another holds it.

    The file is made, with its folder, and stays: who waits for its name would hold a lock that nobody sees.
    """
    from filelock import FileLock, Timeout

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
