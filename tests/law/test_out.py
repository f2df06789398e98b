"""Photos, folders and videos: ``--out`` has one fate and one table, whatever was analysed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from builders.video import moving_face, write_video
from mien.analyze.table import COLUMNS
from mien.assets import SAMPLE
from mien.cli import main
from mien.types import UInt8

WAYS = ("photo", "folder", "video")


@pytest.fixture(scope="module")
def inputs(photo: UInt8, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("inputs")
    (place / "photos").mkdir()
    shutil.copy(SAMPLE, place / "photos" / "one.jpg")
    times = [i / 10 for i in range(3)]
    write_video(place / "clip.mp4", moving_face(photo, times), times)
    return {"photo": SAMPLE, "folder": place / "photos", "video": place / "clip.mp4"}


def analyze(source: Path, out: Path, models: Path, *more: str) -> int:
    return main(["analyze", str(source), "--out", str(out), "--models", str(models), "--quiet", *more])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_result_that_exists_is_kept(
    inputs: dict[str, Path],
    tiny_models: Path,
    tmp_path: Path,
    way: str,
    suffix: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / f"r.{suffix}"
    out.write_text("an earlier result")
    assert analyze(inputs[way], out, tiny_models) == 2
    assert capsys.readouterr().err == f"mien: {out} exists already: choose another name or add --overwrite\n"
    assert out.read_text() == "an earlier result"
    assert analyze(inputs[way], out, tiny_models, "--overwrite") == 0
    assert len(pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)) >= 1


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_in_its_place_and_a_folder_that_is_missing(
    inputs: dict[str, Path], tiny_models: Path, tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken.csv").mkdir()
    assert analyze(inputs[way], tmp_path / "taken.csv", tiny_models, "--overwrite") == 2
    assert "is a folder" in capsys.readouterr().err
    assert analyze(inputs[way], tmp_path / "no" / "r.csv", tiny_models) == 3
    assert "cannot write" in capsys.readouterr().err


def test_all_tables_have_one_schema(inputs: dict[str, Path], tiny_models: Path, tmp_path: Path) -> None:
    schemas = {}
    for way in WAYS:
        assert analyze(inputs[way], tmp_path / f"{way}.parquet", tiny_models) == 0
        schemas[way] = pq.read_schema(tmp_path / f"{way}.parquet")
        assert b"mien" in schemas[way].metadata
    assert schemas["photo"].remove_metadata() == schemas["folder"].remove_metadata()
    assert list(schemas["photo"].names) == list(COLUMNS)
    of_video = {field.name: field.type for field in schemas["video"]}
    assert all(of_video[field.name] == field.type for field in schemas["photo"])
    photo, folder = (pd.read_parquet(tmp_path / f"{way}.parquet").drop(columns="input") for way in WAYS[:2])
    pd.testing.assert_frame_equal(photo, folder)


def test_an_interrupted_call_keeps_what_was_finished(
    inputs: dict[str, Path], tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.analyze.analyzer import Analyzer

    whole, seen, stop_at = Analyzer.analyze, list[int](), 0

    def stops(self: Analyzer, *args: object, **options: object) -> object:
        seen.append(1)
        if len(seen) == stop_at:
            raise KeyboardInterrupt
        return whole(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Analyzer, "analyze", stops)
    for suffix in ("csv", "parquet", "json"):
        out = tmp_path / f"r.{suffix}"
        for kept in (0, 1):
            stop_at, seen = kept + 1, []
            models = ["--models", str(tiny_models), "--quiet"]
            assert main(["analyze", str(SAMPLE), str(SAMPLE), "--out", str(out), *models]) == 130
            assert out.exists() == bool(kept)
        read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[suffix]
        assert len(read(out)) == 1
    assert not [path for path in tmp_path.iterdir() if "tmp" in path.name]
