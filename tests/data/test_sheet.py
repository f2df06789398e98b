from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from builders.data import drawn_face, ferplus_folders, plain_ferplus_rows
from mien.data import Dataset, load_gray, read
from mien.data.sheet import GAP, TILE, Sheet, draw_sheet, marked, mosaic, write_sheet
from mien.errors import DatasetError, InputError, MissingExtraError, UsageError
from mien.face.crops import canvas_of, cut
from mien.face.dlib_faces import detect_one
from mien.face.images import load
from mien.face.spec import STUDY_SPECS, CropSpec
from mien.types import AREAS, Emotion


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read("ferplus", ferplus_folders(tmp_path_factory.mktemp("ferplus"), plain_ferplus_rows(40)))


@pytest.fixture(scope="module")
def sheet(dataset: Dataset) -> Sheet:
    return draw_sheet(dataset, CropSpec(), Emotion.HAPPINESS, "train", n=3, detector="hog")


def test_rows_are_faces_of_the_class_and_split(sheet: Sheet, dataset: Dataset) -> None:
    assert len(sheet.rows) == 3
    for row in sheet.rows:
        name, kind, found, size = row.title.split("\n")
        sample = next(s for s in dataset.samples if s.id == name)
        assert kind == "happiness, train"
        assert (sample.label, sample.split) == (Emotion.HAPPINESS, "train")
        assert found in ("found by HOG", "no detector found it")
        assert size.startswith("face of ")


def test_crops_are_those_of_the_face(sheet: Sheet, dataset: Dataset) -> None:
    sample = next(s for s in dataset.samples if s.id == sheet.rows[0].title.split("\n")[0])
    gray = load_gray(sample)
    canvas = canvas_of(gray, detect_one(gray, "hog").landmarks)
    for area, crop in zip(AREAS, sheet.rows[0].crops, strict=True):
        assert (crop == cut(canvas, area, CropSpec())).all()


def test_the_draw_follows_the_seed(dataset: Dataset) -> None:
    def titles(seed: int) -> list[str]:
        return [row.title for row in draw_sheet(dataset, CropSpec(), n=4, seed=seed, detector="hog").rows]

    assert titles(1) == titles(1)
    assert titles(1) != titles(2)


def test_more_faces_than_there_are(dataset: Dataset) -> None:
    sheet = draw_sheet(dataset, STUDY_SPECS["hull"], Emotion.SADNESS, "validation", n=50, detector="hog")
    assert len(sheet.rows) == dataset.counts().loc["validation", "sadness"]


def test_landmarks_are_drawn_where_they_are() -> None:
    points = np.full((68, 2), -50, np.float32)
    points[:3] = [[9.5, 9.5], [29.5, 9.5], [9.5, 29.5]]
    tile = marked(np.full((40, 40), 200, np.uint8), points)
    assert tile.shape == (TILE, TILE, 3)
    green = (tile[..., 1] > 150) & (tile[..., 0] < 100)
    for x, y in points[:3]:
        column, row = round((x + 0.5) * 4), round((y + 0.5) * 4)
        assert green[row - 1 : row + 2, column - 1 : column + 2].any()
    assert 3 * 4 < green.sum() < 3 * 30


def test_a_wide_picture_is_fitted_without_stretching() -> None:
    tile = marked(np.zeros((20, 80), np.uint8), np.full((68, 2), -50, np.float32))
    dark = (tile == 0).all(axis=2)
    assert dark.sum() == 160 * 40
    assert dark[60:100].all()


def test_mosaic_lays_photo_and_crops_in_a_row(sheet: Sheet) -> None:
    picture = mosaic(sheet)
    assert picture.shape == (3 * TILE + 2 * GAP, 8 * TILE + 7 * GAP, 3)
    assert (picture[:TILE, :TILE] == sheet.rows[0].photo).all()
    last = picture[2 * (TILE + GAP) :, 7 * (TILE + GAP) :, 0]
    assert set(np.unique(last)) == set(np.unique(sheet.rows[2].crops[6]))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_files(sheet: Sheet, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"sheet{suffix}"
    write_sheet(sheet, path)
    if suffix == ".png":
        drawn = load(path)
        assert drawn.shape[0] >= 3 * TILE
        assert drawn.shape[1] >= 9 * TILE
        assert drawn.std() > 20
    else:
        text = path.read_text()
        assert "<svg" in text
        assert text.count("<image") == 1


def test_what_cannot_be_shown(sheet: Sheet, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="no face with disgust, any split"):
        draw_sheet(dataset, CropSpec(), Emotion.DISGUST)
    with pytest.raises(UsageError, match="at least one face"):
        draw_sheet(dataset, CropSpec(), n=0)
    with pytest.raises(UsageError, match=r"ends with one of \.png"):
        write_sheet(sheet, tmp_path / "sheet.docx")
    (tmp_path / "file").write_text(str(drawn_face(1)[0, 0]))
    with pytest.raises(InputError, match="cannot be written"):
        write_sheet(sheet, tmp_path / "file" / "sheet.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[data\]'"):
        write_sheet(sheet, tmp_path / "sheet.png")
