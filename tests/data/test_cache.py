from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from builders.data import ferplus_folders, plain_ferplus_rows, votes
from builders.faces import make_cache
from mien.data import Dataset, read
from mien.data.cache import VOTE_COLUMNS, FaceCache, crops_of
from mien.data.prepare import PrepareConfig, prepare
from mien.errors import DatasetError
from mien.face.crops import cut
from mien.face.spec import STUDY_SPECS
from mien.types import AREAS, Emotion


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """40 plain faces, one kept by the majority rule only, and one by the published rule only."""
    rows = plain_ferplus_rows(40)
    rows.append(("PrivateTest", "fer0000040.png", votes(neutral=6, sadness=2, anger=2)))
    rows.append(("PrivateTest", "fer0000041.png", votes(fear=5, surprise=5)))
    return read("ferplus", ferplus_folders(tmp_path_factory.mktemp("ferplus"), rows))


@pytest.fixture(scope="module")
def cache(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> FaceCache:
    config = PrepareConfig(detector="hog", workers=1, quiet=True)
    return prepare(dataset, tmp_path_factory.mktemp("cache"), config).cache


def test_index_says_what_the_samples_say(dataset: Dataset, cache: FaceCache) -> None:
    index = cache.index
    assert index["id"].tolist() == [s.id for s in dataset.samples]
    assert index["split"].tolist() == [s.split for s in dataset.samples]
    assert index["label"].tolist() == [s.label.value for s in dataset.samples]
    assert index["source"].tolist()[0] == "FER2013Train/fer0000000.png"
    assert set(index["detector"]) <= {"hog", "frame"}
    assert np.allclose(cache.votes, np.stack([s.votes for s in dataset.samples]))
    assert cache.votes.dtype == np.float32
    assert [list(Emotion)[i] for i in cache.labels] == [s.label for s in dataset.samples]
    assert index["picture"].nunique() == len(index)
    wanted = {"id", "dataset", "split", "label", "majority", "published", "source", "picture", "detector", "score"}
    wanted |= {"presence", "pose_yaw", "pose_pitch", "pose_roll"}
    assert wanted | set(VOTE_COLUMNS) | {"box_x0", "box_y0", "box_x1", "box_y1", "face_size"} == set(index.columns)


def test_rows_of_a_split_by_selection(cache: FaceCache) -> None:
    ids = cache.index["id"].to_numpy()
    test = {name: set(ids[cache.rows("test", name)]) for name in ("published", "majority", "any")}  # type: ignore[arg-type]
    assert test["published"] == {f"fer{i:07d}" for i in range(4, 40, 5)} | {"fer0000041"}
    assert test["majority"] == {f"fer{i:07d}" for i in range(4, 40, 5)} | {"fer0000040"}
    assert test["any"] == test["published"] | test["majority"]
    everything = np.concatenate([cache.rows(s, "any") for s in ("train", "validation", "test")])
    assert sorted(everything) == list(range(len(cache.index)))


def test_a_cache_without_the_selection_columns_is_all_published(cache: FaceCache, tmp_path: Path) -> None:
    """Caches of before had only faces of the published selection."""
    for name in ("settings.json", "canvases.npy", "landmarks.npy", "extents.npy"):
        (tmp_path / name).write_bytes((cache.folder / name).read_bytes())
    cache.index.drop(columns="published").to_parquet(tmp_path / "index.parquet")
    assert len(FaceCache.open(tmp_path).rows("test")) == 10


def test_arrays_are_memory_mapped_and_fit(cache: FaceCache) -> None:
    n = len(cache.index)
    assert cache.canvases.shape == (n, 96, 96)
    assert cache.landmarks.shape == (n, 68, 2)
    assert cache.extents.shape == (n, 4)
    for array in (cache.canvases, cache.landmarks, cache.extents):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


def test_crops_are_those_cut_from_the_canvases(cache: FaceCache) -> None:
    rows = np.array([0, 17, len(cache.index) - 1])
    for name in ("published", "hull"):
        for area in AREAS:
            crops = crops_of(cache, rows, area, STUDY_SPECS[name])
            assert crops.shape == (3, 64, 64)
            for crop, row in zip(crops, rows, strict=True):
                assert (crop == cut(cache.canvas(int(row)), area, STUDY_SPECS[name])).all()


def test_an_incomplete_folder_is_no_cache(cache: FaceCache, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not a complete cache: settings\.json is missing"):
        FaceCache.open(tmp_path)
    for path in cache.folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    FaceCache.open(tmp_path)
    (tmp_path / "landmarks.npy").unlink()
    with pytest.raises(DatasetError, match=r"landmarks\.npy is missing"):
        FaceCache.open(tmp_path)


def test_index_is_plain_parquet(cache: FaceCache) -> None:
    read_back = pd.read_parquet(cache.folder / "index.parquet", columns=["id", "votes_fear"])
    assert read_back["votes_fear"].dtype == np.float32


def test_a_picture_that_stands_in_two_splits_is_known(tmp_path: Path) -> None:
    cache = FaceCache.open(make_cache(tmp_path / "cache", 21))
    assert not cache.repeated.any(), "nothing is known without the pictures' hashes"
    again = FaceCache.open(cache.folder)
    again.index["picture"] = ["same" if i in (0, 4, 8) else "twice" if i < 3 else f"p{i}" for i in range(21)]
    again.index["split"] = ["train" if i < 4 else "test" for i in range(21)]
    assert np.flatnonzero(again.repeated).tolist() == [0, 4, 8]
