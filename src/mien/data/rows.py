"""The faces of a preparation as they are found: written where they stay, so that nothing is on the disk twice.

A preparation's folder holds each array of the cache from the start, at full length. A piece of faces is written into
them, brought to the disk, and only then marked as done in ``found/done.npy``; so after a kill at any moment, what is
marked is there. Arrays that only the index needs lie in ``found/``, which goes once the index is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mien.data.find import Chunk, pieces
from mien.face.crops import CANVAS_SIDE
from mien.jobs.files import new_array
from mien.types import UInt8

Array = npt.NDArray[Any]

KEPT: dict[str, tuple[tuple[int, ...], type]] = {
    "canvases": ((CANVAS_SIDE, CANVAS_SIDE), np.uint8), "landmarks": ((68, 2), np.float32),
    "extents": ((4,), np.float32), "meshes": ((468, 3), np.float16),
}  # fmt: skip
"""Shape of a row and type of the arrays of the cache; meshes only where the mesh found the faces."""
FOUND: dict[str, tuple[tuple[int, ...], type]] = {
    "boxes": ((4,), np.float32), "sizes": ((), np.float32), "scores": ((), np.float32), "detectors": ((), np.uint8),
    "presences": ((), np.float32), "poses": ((3,), np.float32), "seconds": ((), np.float64),
    "cpu_seconds": ((), np.float64),
}  # fmt: skip
"""The same of those that only the index and the report need."""


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
        places = {name: (work / f"{name}.npy", *kind) for name, kind in KEPT.items() if mesh or name != "meshes"}
        places |= {name: (found / f"{name}.npy", *kind) for name, kind in FOUND.items()}
        whole = [_is_whole(path, (n, *shape), kind) for path, shape, kind in places.values()]
        done = found / "done.npy"
        if not all(whole) or not _is_whole(done, (len(self._bounds),), np.uint8):
            done.unlink(missing_ok=True)  # what was marked may be in an array that is gone
        self._arrays = {name: _opened(path, (n, *shape), kind) for name, (path, shape, kind) in places.items()}
        self._done = _opened(done, (len(self._bounds),), np.uint8)

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

    @property
    def detectors(self) -> UInt8:
        """uint8 [N], positions in ``find.DETECTOR_CODES``."""
        return self["detectors"]


def _is_whole(path: Path, shape: tuple[int, ...], kind: type) -> bool:
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return bool(array.shape == shape and array.dtype == kind)


def _opened(path: Path, shape: tuple[int, ...], kind: type) -> np.memmap[Any, Any]:
    if not _is_whole(path, shape, kind):
        with new_array(path, shape, kind):
            pass
    return cast("np.memmap[Any, Any]", np.load(path, mmap_mode="r+"))
