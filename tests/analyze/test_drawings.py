"""Drawings: no two in one place, none in the place of a photo, and none analysed by the next run."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mien import cli
from mien.analyze.drawings import Drawings, distinct_names
from mien.analyze.folder import FolderSettings, analyze_folder
from mien.analyze.options import AnalyzerOptions
from mien.errors import InputError, UsageError
from mien.types import UInt8


@pytest.fixture(scope="module")
def face(photo: UInt8) -> UInt8:
    return np.ascontiguousarray(photo[40:240, 130:330])


def save(path: Path, pixels: UInt8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, coded = cv2.imencode(path.suffix, pixels[..., ::-1])
    path.write_bytes(coded.tobytes())
    return path


def settings(models: Path, **more: object) -> FolderSettings:
    return FolderSettings(AnalyzerOptions(detector="hog"), models, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["save_image", "save_heatmap"])
def test_the_photos_own_folder_is_refused_for_drawings(
    option: str, face: UInt8, tiny_models: Path, tmp_path: Path
) -> None:
    path = save(tmp_path / "c" / "a.png", face)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"a\.png is one of the pictures"):
        analyze_folder(
            [str(path.parent)],
            tmp_path / "r.csv",
            settings(tiny_models, **{option: path.parent}),
            workers=0,
            quiet=True,
        )
    assert path.read_bytes() == before
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("option", ["--save-image", "--heatmap"])
@pytest.mark.parametrize("way", ["itself", "link", "dots"])
def test_a_photo_is_never_drawn_over(
    option: str, way: str, face: UInt8, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "x.jpg", face)
    (tmp_path / "link.jpg").symlink_to(path)
    target = {"itself": path, "link": tmp_path / "link.jpg", "dots": tmp_path / "." / ".." / tmp_path.name / "x.jpg"}[
        way
    ]
    before = path.read_bytes()
    assert cli.main(["analyze", str(path), option, str(target), "--models", str(tiny_models)]) == 2
    assert "would be drawn over" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_one_folder_for_both_is_refused(face: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    save(tmp_path / "c" / "a.png", face)
    (tmp_path / "link").symlink_to(tmp_path / "d")
    with pytest.raises(UsageError, match="same place"):
        Drawings(tmp_path / "d", tmp_path / "link")


def test_photos_of_one_name_have_a_drawing_each(face: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    for name in ("A/x.jpg", "A/x.png", "B/x.jpg", "A/long/" + 121 * "é" + ".png"):
        save(tmp_path / name, face)
    drawn, maps = tmp_path / "drawn", tmp_path / "maps"
    summary = analyze_folder(
        [str(tmp_path / "A"), str(tmp_path / "B")], tmp_path / "r.csv",
        settings(tiny_models, save_image=drawn, save_heatmap=maps), recursive=True, workers=0, quiet=True,
    )  # fmt: skip
    assert summary.failed == 0
    assert summary.photos == 4
    assert len(list(drawn.rglob("*.png"))) == len(list(maps.rglob("*.png"))) == 4


def test_names_are_distinct_even_where_case_is_ignored() -> None:
    names = ["a.jpg", "a.png", "A.webp", "b.jpg", "b.jpg", "sub/b.jpg"]
    roots = ["/x/one", "/x/one", "/x/one", "/x/one", "/x/two", "/y/one"]
    chosen = distinct_names(names, roots)
    assert len({name.casefold() for name in chosen}) == len(names)
    assert chosen[5] == "sub/b.png"
    assert distinct_names(["n/a.jpg", "n/b.jpg"], ["r", "r"]) == ["n/a.png", "n/b.png"]
    same = distinct_names(["a.jpg", "a.jpg"], ["/x/one", "/y/one"])
    assert len(set(same)) == 2


def test_an_earlier_runs_drawings_are_no_photos(face: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    save(tmp_path / "c" / "a.jpg", face)
    plan = settings(tiny_models, save_image=tmp_path / "c" / "drawn")
    for _ in range(2):
        summary = analyze_folder(
            [str(tmp_path / "c")], tmp_path / "r.csv", plan, recursive=True, workers=0, overwrite=True, quiet=True
        )
        assert summary.photos == 1


def test_a_folder_of_photos_is_refused_for_drawings_even_where_none_is_drawn_over(
    face: UInt8, tiny_models: Path, tmp_path: Path
) -> None:
    for name in ("c/a.jpg", "c/a.png", "d/sub/b.jpg"):
        save(tmp_path / name, face)
    for given, target in (("c", "c"), ("d", "d/sub"), ("d/sub", "d/sub")):
        plan = settings(tiny_models, save_image=tmp_path / target)
        if (given, target) == ("d", "d/sub"):  # left out instead: an output folder inside an input
            with pytest.raises(InputError, match="no photo"):
                analyze_folder([str(tmp_path / given)], tmp_path / "r.csv", plan, recursive=True, workers=0, quiet=True)
            continue
        with pytest.raises(UsageError, match="holds pictures to analyse"):
            analyze_folder([str(tmp_path / given)], tmp_path / "r.csv", plan, recursive=True, workers=0, quiet=True)
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 3


def test_a_drawing_that_cannot_be_written_costs_no_answer(face: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    save(tmp_path / "c" / "a.jpg", face)
    save(tmp_path / "c" / "b.jpg", face)
    drawn = tmp_path / "drawn"
    (drawn / "a.png").mkdir(parents=True)
    summary = analyze_folder(
        [str(tmp_path / "c")], tmp_path / "r.csv", settings(tiny_models, save_image=drawn), workers=0, quiet=True
    )
    assert [Path(name).name for name in pd.read_csv(tmp_path / "r.csv")["input"]] == ["a.jpg", "b.jpg"]
    assert summary.failed == 1
    assert "a.png" in (tmp_path / "r.failures.csv").read_text()
    assert (drawn / "b.png").is_file()


def test_a_drawing_of_one_photo_that_cannot_be_written_stops_no_other(
    face: UInt8, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(save(tmp_path / name, face)) for name in ("a.jpg", "b.jpg")]
    (tmp_path / "d" / "001-a.png").mkdir(parents=True)
    code = cli.main(["analyze", *paths, "--save-image", str(tmp_path / "d"), "--csv", "--models", str(tiny_models)])
    printed = capsys.readouterr()
    assert code == 3
    assert printed.out.count("\n") == 3
    assert "cannot be written" in printed.err
    assert (tmp_path / "d" / "002-b.png").is_file()


def test_names_that_are_not_utf8_have_rows_failures_and_drawings(
    face: UInt8, tiny_models: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lat"
    save(folder / "a.jpg", face)
    save(folder / "b.jpg", face).rename(os.fsdecode(os.fsencode(folder) + b"/zz\xe9.jpg"))
    (folder / "c.jpg").write_text("no picture")
    (folder / "c.jpg").rename(os.fsdecode(os.fsencode(folder) + b"/bad\xe9.jpg"))
    for again in (False, True):
        summary = analyze_folder(
            [str(folder)], tmp_path / "r.csv", settings(tiny_models, save_image=tmp_path / "drawn"),
            workers=0, quiet=True, overwrite=again,
        )  # fmt: skip
        assert (summary.photos, summary.failed) == (2, 1)
    table = pd.read_csv(tmp_path / "r.csv")
    assert [Path(name).name for name in table["input"]] == ["a.jpg", "zz\\xe9.jpg"]
    assert "bad\\xe9.jpg" in (tmp_path / "r.failures.csv").read_text()
    assert len(list((tmp_path / "drawn").iterdir())) == 2
