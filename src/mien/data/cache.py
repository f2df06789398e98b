"""All faces of a data set, prepared once and read by memory map.

A cache is a folder::

    settings.json     what made it: data set, hash of the data, detector, face size; its hash is in the folder's name
    index.parquet     one row a face, in order: id, dataset, split, label, majority, published, votes_<emotion> (8),
                      source (relative to the data set's root), picture (hash of its content), detector, score,
                      presence, pose_yaw pose_pitch pose_roll (degrees; missing where dlib found the face),
                      box_x0 box_y0 box_x1 box_y1 (pixels of the face's picture), face_size (pixels, there too)
    canvases.npy      uint8 [N, 96, 96], the faces as crops.Canvas
    landmarks.npy     float32 [N, 68, 2], in pixels of the canvas
    meshes.npy        float16 [N, 468, 3], in pixels of the canvas; absent where dlib found the faces
    extents.npy       float32 [N, 4], in pixels of the canvas

Crops are cut from the canvases when they are needed: :func:`crops_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.samples import Split
from mien.errors import DatasetError
from mien.face.aligned import area_view
from mien.face.crops import Canvas
from mien.face.spec import CropSpec
from mien.types import EMOTIONS, Area, Float32, UInt8

SelectionName = Literal["published", "majority", "any"]

VOTE_COLUMNS = tuple(f"votes_{emotion.value}" for emotion in EMOTIONS)


@dataclass(frozen=True)
class FaceCache:
    """A prepared data set, opened for reading. Arrays are memory-mapped.

    Attributes:
        folder: the cache's folder.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path | str) -> FaceCache:
        """Open a cache.

        Raises:
            DatasetError: the folder is not a complete cache.
        """
        folder = Path(folder).expanduser()
        for name in ("settings.json", "index.parquet", "canvases.npy", "landmarks.npy", "extents.npy"):
            if not (folder / name).is_file():
                raise DatasetError(f"{folder} is not a complete cache: {name} is missing (run  mien data prepare)")
        return cls(folder)

    @cached_property
    def index(self) -> pd.DataFrame:
        """One row a face; see the module's head for the columns."""
        return pd.read_parquet(self.folder / "index.parquet")

    @cached_property
    def canvases(self) -> UInt8:
        """uint8 [N, 96, 96]."""
        return cast(UInt8, np.load(self.folder / "canvases.npy", mmap_mode="r"))

    @cached_property
    def landmarks(self) -> Float32:
        """float32 [N, 68, 2], pixels of the canvas."""
        return cast(Float32, np.load(self.folder / "landmarks.npy", mmap_mode="r"))

    @cached_property
    def extents(self) -> Float32:
        """float32 [N, 4], pixels of the canvas."""
        return cast(Float32, np.load(self.folder / "extents.npy", mmap_mode="r"))

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """int64 [N], index of the label in the canonical order."""
        order = {emotion.value: i for i, emotion in enumerate(EMOTIONS)}
        return np.asarray(self.index["label"].map(order), np.int64)

    @cached_property
    def votes(self) -> Float32:
        """float32 [N, 8], vote distributions."""
        return self.index[list(VOTE_COLUMNS)].to_numpy(np.float32)

    def rows(self, split: Split, selection: SelectionName = "published") -> npt.NDArray[np.int64]:
        """Row numbers of a split, in order.

        Args:
            split: ``train``, ``validation`` or ``test``.
            selection: ``published`` (the paper's), ``majority`` (the FER+ authors' rule: more than half of all votes;
                39 of its test faces are not in the paper's selection), or ``any`` of the two.
        """
        chosen = self.index["split"].to_numpy() == split
        if selection != "any" and selection in self.index:
            chosen &= self.index[selection].to_numpy(bool)
        return np.flatnonzero(chosen)

    @cached_property
    def repeated(self) -> npt.NDArray[np.bool_]:
        """bool [N], the same picture, byte for byte, also stands in another split; False where that is not known."""
        if "picture" not in self.index:
            return np.zeros(len(self.index), bool)
        return (self.index.groupby("picture")["split"].transform("nunique") > 1).to_numpy(bool)

    def canvas(self, row: int) -> Canvas:
        """One face's canvas."""
        return Canvas(np.asarray(self.canvases[row]), np.asarray(self.landmarks[row]), np.asarray(self.extents[row]))


def crops_of(cache: FaceCache, rows: npt.NDArray[np.int64], area: Area, spec: CropSpec) -> UInt8:
    """uint8 [len(rows), size, size], cut from the cache's canvases (about 20 microseconds a crop)."""
    if not len(rows):
        return np.zeros((0, spec.size, spec.size), np.uint8)
    return np.stack([area_view(cache.canvas(int(row)), area, spec) for row in rows])
