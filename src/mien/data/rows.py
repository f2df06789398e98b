"""The faces of a preparation as they are found: written where they stay, so that nothing is on the disk twice.

A preparation's folder holds each array of the cache from the start, at full length. A piece of faces is written into
them, brought to the disk, and only then marked as done in ``found/done.npy``; so after a kill at any moment, what is
marked is there. Arrays that only the index needs lie in ``found/``, which goes once the index is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.data.find import ARRAYS, Chunk, pieces
from mien.jobs.files import new_array

Array = npt.NDArray[Any]

KEPT = ("canvases", "landmarks", "extents", "meshes")
"""Arrays of the cache; meshes only where the mesh found the faces. All others only the index and the report need."""


class FaceRows:
    """Every array of a preparation, open for writing.

    Args:
        work: folder of the preparation.
        n: faces.
        size: faces a piece.
        mesh: whether there are meshes.
    """

    def __init__(self, work: Path, n: int, size: int, mesh: bool) -> None:
        self._bounds = pieces(n, size)
        found = work / "found"
        found.mkdir(exist_ok=True)
        wanted = {
            (work if name in KEPT else found) / f"{name}.npy": ((n, *shape), kind)
            for name, (shape, kind) in ARRAYS.items()
            if mesh or name != "meshes"
        }
        there = {path: _existing(path, *what) for path, what in wanted.items()}
        done, counts = found / "done.npy", ((len(self._bounds),), np.uint8)
        if any(array is None for array in there.values()):
            done.unlink(missing_ok=True)  # what is marked may be in an array that is gone
        self._arrays = {path.stem: _new(path, *wanted[path]) if old is None else old for path, old in there.items()}
        marks = _existing(done, *counts)
        self._done = _new(done, *counts) if marks is None else marks

    @property
    def missing(self) -> list[int]:
        """Numbers of the pieces that are still to be found."""
        return [int(number) for number in np.flatnonzero(np.asarray(self._done) == 0)]

    def length(self, numbers: Iterable[int]) -> int:
        """Faces in these pieces."""
        return sum(stop - start for start, stop in (self._bounds[number] for number in numbers))

    def put(self, number: int, chunk: Chunk) -> None:
        """Keep a piece: it is on the disk before it is marked as done."""
        start, stop = self._bounds[number]
        for name, array in self._arrays.items():
            array[start:stop] = getattr(chunk, name)
            array.flush()
        self._done[number] = 1
        self._done.flush()

    def __getitem__(self, name: str) -> Array:
        """An array of all faces, in memory."""
        return np.array(self._arrays[name])


def _existing(path: Path, shape: tuple[int, ...], kind: type) -> np.memmap[Any, Any] | None:
    """An array that is there, for writing; None where it is absent, damaged or another."""
    try:
        array: np.memmap[Any, Any] = np.load(path, mmap_mode="r+")
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == kind else None


def _new(path: Path, shape: tuple[int, ...], kind: type) -> np.memmap[Any, Any]:
    with new_array(path, shape, kind) as array:
        return array
