"""Folders: every photo has its row, bad files are listed, and a kill loses a piece at most."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mien import cli
from mien.analyze import folder as batch
from mien.analyze.analyzer import Analyzer
from mien.analyze.folder import Finished, FolderSettings, PhotoTask, analyze_folder
from mien.analyze.listing import list_photos
from mien.analyze.options import AnalyzerOptions
from mien.analyze.table import COLUMNS, table_of
from mien.assets import SAMPLE
from mien.errors import InputError, MissingExtraError, UsageError
from mien.face.images import Limits
from mien.jobs.journal import Journal
from mien.jobs.progress import Progress, duration
from mien.jobs.tables import failures_path, table_format
from mien.types import EMOTIONS, UInt8


def save(path: Path, pixels: UInt8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1])


@pytest.fixture(scope="module")
def face(photo: UInt8) -> UInt8:
    """A close crop: quick to analyse."""
    return np.ascontiguousarray(photo[40:240, 130:330])


@pytest.fixture
def album(tmp_path: Path, face: UInt8) -> Path:
    folder = tmp_path / "album"
    for name in ("b.jpg", "a.png", "sub/NA.jpg", "sub/deeper/c.webp"):
        save(folder / name, face)
    save(folder / "empty.png", np.full((300, 300, 3), 120, np.uint8))
    (folder / "broken.jpg").write_bytes(SAMPLE.read_bytes()[:3000])
    (folder / "words.png").write_text("not a picture")
    (folder / "notes.txt").write_text("no photo at all")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def settings(tiny_models: Path) -> FolderSettings:
    return FolderSettings(AnalyzerOptions(detector="hog"), tiny_models)


def test_every_photo_has_its_row_and_every_failure_its_line(
    album: Path, settings: FolderSettings, tmp_path: Path
) -> None:
    out = tmp_path / "results.csv"
    summary = analyze_folder([str(album)], out, settings, recursive=True, workers=0, quiet=True)
    table = pd.read_csv(out, keep_default_na=False, na_values=[""])
    assert list(table.columns) == list(COLUMNS)
    names = [Path(name).relative_to(album).as_posix() for name in table["input"]]
    assert names == ["a.png", "b.jpg", "empty.png", "sub/NA.jpg", "sub/deeper/c.webp"]
    assert table["status"].tolist() == ["ok", "ok", "no face", "ok", "ok"]
    failures = pd.read_csv(failures_path(out))
    assert [Path(name).name for name in failures["input"]] == ["broken.jpg", "words.png"]
    assert set(failures["error"]) == {"ImageError"}
    assert (summary.photos, summary.faces, summary.without_face, summary.failed) == (5, 4, 1, 2)
    assert not (tmp_path / "results.csv.journal").exists()


def test_rows_are_the_single_photos_answers(album: Path, settings: FolderSettings, tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    analyze_folder([str(album)], out, settings, workers=0, quiet=True)
    row = pd.read_csv(out).iloc[0]
    alone = Analyzer(settings.models, detector="hog").analyze(row["input"]).to_rows()[0]
    for name in ("face_x", "happiness", "mouth_fear", "p_correct", "x_30", "contribution_eyes"):
        assert row[name] == alone[name]  # to the last bit


def test_parquet_holds_the_same_table(album: Path, settings: FolderSettings, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for name in ("r.csv", "r.parquet"):
        analyze_folder([str(album)], tmp_path / name, settings, recursive=True, workers=0, quiet=True)
    parquet = pd.read_parquet(tmp_path / "r.parquet")
    text = io.StringIO()
    parquet.to_csv(text, index=False, lineterminator="\n")
    assert text.getvalue() == (tmp_path / "r.csv").read_text()
    assert str(parquet["visible_eyes"].dtype) == "boolean"
    assert str(parquet["face_id"].dtype) == "Int64"


def test_a_table_made_by_columns_is_the_one_made_by_rows(photo: UInt8, tiny_models: Path) -> None:
    face = Analyzer(tiny_models).analyze(photo, input="a").to_rows()
    rows = [*face, {"input": "b", "status": "no face", "frame": 0, "approx_time": 1.5}, *face]
    for some in (rows, rows[1:2], []):
        plain = pd.DataFrame(some, columns=list(COLUMNS))
        by_rows = plain.astype({name: "object" if kind == "str" else kind for name, kind in COLUMNS.items()})
        pd.testing.assert_frame_equal(table_of(some), by_rows)


def test_py_feat_style_code_reads_it(album: Path, settings: FolderSettings, tmp_path: Path) -> None:
    """Columns by py-feat's names, in lower case: what people's analysis scripts pick out."""
    out = tmp_path / "results.csv"
    analyze_folder([str(album)], out, settings, workers=0, quiet=True)
    fex = pd.read_csv(out)
    emotions = fex[["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]]
    assert emotions.dropna().shape == (2, 7)
    facebox = fex[["face_x", "face_y", "face_width", "face_height", "face_score"]].dropna()
    landmarks = fex[[f"x_{i}" for i in range(68)] + [f"y_{i}" for i in range(68)]].dropna()
    assert len(facebox) == len(landmarks) == 2
    inside = landmarks[[f"x_{i}" for i in range(68)]].mean(axis=1)
    assert inside.between(facebox["face_x"], facebox["face_x"] + facebox["face_width"]).all()
    assert fex.groupby("input")["happiness"].mean().notna().sum() == 2
    assert {"frame", "approx_time", "face_id", "contempt", "input"} <= set(fex.columns)
    found = fex.dropna(subset=["face_id"])
    assert found[[e.value for e in EMOTIONS]].sum(axis=1).to_numpy() == pytest.approx(np.ones(2), abs=1e-5)


def test_a_run_that_was_interrupted_goes_on(
    face: UInt8, settings: FolderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, whole = tmp_path / "many", tmp_path / "out.csv", tmp_path / "whole.csv"
    for i in range(10):
        save(folder / f"{i}.png", face)
    (folder / "5.png").write_text("not a picture")
    analyze_folder([str(folder)], whole, settings, workers=0, quiet=True)
    real, calls = batch.analyze_photo, 0

    def dying(task: PhotoTask) -> Finished:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return real(task)

    monkeypatch.setattr(batch, "analyze_photo", dying)
    with pytest.raises(KeyboardInterrupt):
        analyze_folder([str(folder)], out, settings, workers=0, quiet=True)
    assert not out.exists()
    done: list[str] = []
    monkeypatch.setattr(batch, "analyze_photo", lambda task: done.append(task.photo.input) or real(task))
    analyze_folder([str(folder)], out, settings, workers=0, quiet=True)
    assert [Path(name).stem for name in done] == ["6", "7", "8", "9"]
    assert out.read_bytes() == whole.read_bytes()
    assert failures_path(out).read_bytes() == failures_path(whole).read_bytes()


def test_keeping_a_piece_reads_no_earlier_one(
    album: Path, settings: FolderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a folder of a million photos would read its notes a billion times."""

    def asked(number_of_photos: int) -> int:
        count = 0
        before = Journal.pieces

        def pieces(self: Journal) -> object:
            nonlocal count
            count += 1
            return before(self)

        folder = tmp_path / f"of{number_of_photos}"
        for number in range(number_of_photos):
            save(folder / f"{number}.png", np.full((16, 16, 3), number, np.uint8))
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "pieces", pieces)
            patch.setattr(batch, "PIECE_SECONDS", 0.0)  # a piece a photo
            analyze_folder([str(folder)], tmp_path / f"{number_of_photos}.csv", settings, workers=0, quiet=True)
        return count

    assert asked(9) == asked(2)


def test_what_changed_meanwhile_is_done_anew(
    face: UInt8, settings: FolderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "many", tmp_path / "out.csv"
    for i in range(6):
        save(folder / f"{i}.png", face)
    monkeypatch.setattr(Journal, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        analyze_folder([str(folder)], out, settings, workers=0, quiet=True)
    monkeypatch.undo()
    (folder / "0.png").unlink()
    (folder / "1.png").write_text("not a picture any more")
    save(folder / "3a.png", face)
    summary = analyze_folder([str(folder)], out, settings, workers=0, quiet=True)
    assert [Path(name).stem for name in pd.read_csv(out)["input"]] == ["2", "3", "3a", "4", "5"]
    assert [Path(name).stem for name in pd.read_csv(failures_path(out))["input"]] == ["1"]
    assert summary.photos == 5


def test_sigkill_loses_no_finished_piece(face: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "many", tmp_path / "out.csv"
    for i in range(16):
        save(folder / f"{i:02d}.png", face)
    program = (
        "import sys; from pathlib import Path; from mien.analyze import folder as batch\n"
        "from mien.analyze.options import AnalyzerOptions\n"
        "batch.PIECE_SECONDS = 0.0\n"
        "settings = batch.FolderSettings(AnalyzerOptions(detector='hog'), Path(sys.argv[3]))\n"
        "batch.analyze_folder([sys.argv[1]], Path(sys.argv[2]), settings, workers=1, quiet=True)\n"
    )
    journal = tmp_path / "out.csv.journal"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder), str(out), str(tiny_models)])
    while process.poll() is None and len(list(journal.glob("[0-9]*.json"))) < 3:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    finished = len(list(journal.glob("[0-9]*.json")))
    assert finished >= 3
    settings = FolderSettings(AnalyzerOptions(detector="hog"), tiny_models)
    resumed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        real = batch.analyze_photo
        patch.setattr(batch, "analyze_photo", lambda task: resumed.append(task.photo.name) or real(task))
        analyze_folder([str(folder)], out, settings, workers=0, quiet=True)
    assert len(resumed) == 16 - finished
    analyze_folder([str(folder)], tmp_path / "whole.csv", settings, workers=0, quiet=True)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def crash(task: PhotoTask) -> Finished:
    """Stands for a photo that brings a native library down, hangs in it, or makes it grow."""
    kind = task.photo.name.partition(".")[0]
    if kind == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "slow":
        time.sleep(60)
    if kind == "large":
        kept = [bytearray(b"x" * 20_000_000) for _ in range(60) if time.sleep(0.05) is None]
        assert kept
    return Finished([{"input": task.photo.input, "status": "ok"}], [])


def test_a_photo_that_kills_its_process_is_one_failure(
    settings: FolderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "many", tmp_path / "out.csv"
    for name in ("a.png", "b.png", "deadly.png", "e.png", "large.png", "m.png", "slow.png", "z.png"):
        save(folder / name, np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(batch, "analyze_photo", crash)
    limited = replace(settings, options=replace(settings.options, limits=Limits(seconds=9, memory=350_000_000)))
    summary = analyze_folder([str(folder)], out, limited, workers=2, quiet=True)
    assert [Path(name).stem for name in pd.read_csv(out)["input"]] == ["a", "b", "e", "m", "z"]
    failures = pd.read_csv(failures_path(out))
    assert [Path(name).stem for name in failures["input"]] == ["deadly", "large", "slow"]
    for message, words in zip(failures["message"], ("died", "memory", "longer than 9 s"), strict=True):
        assert words in message
    assert summary.failed == 3


def test_a_fault_in_mien_is_one_failure(
    album: Path, settings: FolderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Analyzer.analyze

    def faulty(self: Analyzer, image: str, **options: object) -> object:
        if image.endswith("b.jpg"):
            raise RuntimeError("a fault")
        return real(self, image, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Analyzer, "analyze", faulty)
    out = tmp_path / "out.csv"
    assert analyze_folder([str(album)], out, settings, workers=0, quiet=True).failed == 3
    assert "a fault" in failures_path(out).read_text()


def test_processes_give_what_one_process_gives(album: Path, settings: FolderSettings, tmp_path: Path) -> None:
    for workers in (0, 1, 2):
        out = tmp_path / f"{workers}.csv"
        analyze_folder([str(album)], out, settings, recursive=True, workers=workers, quiet=True)
    assert len({(tmp_path / f"{workers}.csv").read_bytes() for workers in (0, 1, 2)}) == 1


def test_drawn_pictures_mirror_the_folder(album: Path, tiny_models: Path, tmp_path: Path) -> None:
    settings = FolderSettings(
        AnalyzerOptions(detector="hog"), tiny_models, save_image=tmp_path / "drawn", save_heatmap=tmp_path / "maps"
    )
    analyze_folder([str(album)], tmp_path / "out.csv", settings, recursive=True, workers=0, quiet=True)
    for folder in ("drawn", "maps"):
        drawn = sorted(path.relative_to(tmp_path / folder).as_posix() for path in (tmp_path / folder).rglob("*.png"))
        assert drawn == ["a.png", "b.png", "empty.png", "sub/NA.png", "sub/deeper/c.png"]


def test_listing(album: Path) -> None:
    flat, deep = list_photos([str(album)], recursive=False), list_photos([str(album)], recursive=True)
    assert [photo.name for photo in flat.photos] == ["a.png", "b.jpg", "broken.jpg", "empty.png", "words.png"]
    assert (flat.left_out, flat.subfolders) == (1, 1)
    assert len(deep.photos) == 7
    assert deep.subfolders == 0
    twice = list_photos([str(album), str(album / "a.png")], recursive=False)
    assert len(twice.photos) == 5
    (album / "loop").symlink_to(album)
    assert len(list_photos([str(album)], recursive=True).photos) == 7


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(InputError, match="add --recursive"):
        list_photos([str(tmp_path)], recursive=False)


def test_results_are_not_overwritten_unasked(album: Path, settings: FolderSettings, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("precious")
    with pytest.raises(UsageError, match="--overwrite"):
        analyze_folder([str(album)], out, settings, workers=0, quiet=True)
    assert out.read_text() == "precious"
    analyze_folder([str(album)], out, settings, workers=0, quiet=True, overwrite=True)
    assert out.read_text() != "precious"


def test_unfinished_work_with_other_settings_is_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    columns = {"input": "str"}
    with Journal(out, {"detector": "hog"}, columns) as journal:
        journal.commit(0, pd.DataFrame({"input": ["a"]}), {"failures": []})
    with pytest.raises(UsageError, match=r"other settings \(detector\)"):
        Journal(out, {"detector": "cnn"}, columns)
    with Journal(out, {"detector": "cnn"}, columns, overwrite=True) as journal:
        assert list(journal.pieces()) == []


def test_two_processes_do_not_work_on_one_result(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "out.csv", {}, {"input": "str"}),
        pytest.raises(UsageError, match="another process"),
    ):
        Journal(tmp_path / "out.csv", {}, {"input": "str"})


def test_a_half_written_piece_does_not_count(tmp_path: Path) -> None:
    with Journal(tmp_path / "out.csv", {}, {"input": "str"}) as journal:
        journal.commit(0, pd.DataFrame({"input": ["a"]}), {})
        (journal.folder / "000001.csv").write_text("input\nhalf")
        assert [number for number, _ in journal.pieces()] == [0]
        assert journal.next_number == 1
        journal.finish()
    assert (tmp_path / "out.csv").read_text() == "input\na\n"


def test_places_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        Journal(tmp_path / "nowhere" / "out.csv", {}, {"input": "str"})
    with pytest.raises(UsageError, match="must end in"):
        table_format(tmp_path / "out.txt")


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"mien\[parquet\]"):
        table_format(Path("out.parquet"))


def test_the_command_line(album: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["analyze", str(album), "--models", str(tiny_models), "--detector", "hog", "--workers", "1"]
    out = tmp_path / "out.csv"
    assert cli.main([*common, "--out", str(out)]) == 3
    printed = capsys.readouterr()
    assert "3 photos: 2 faces, 1 photos without one" in printed.out
    assert str(failures_path(out)) in printed.out
    assert "5/5 photos (100%)" in printed.err
    assert "left out: 1 folders below" in printed.err
    for wrong, sentence in (
        (common, "needs a file"),
        ([*common, "--json"], "write a file"),
        ([*common, "--out", str(out)], "--overwrite"),
        ([*common, "--out", str(tmp_path / "x.csv"), "--workers", "0"], "--workers"),
    ):
        assert cli.main(wrong) == 2
        assert sentence in capsys.readouterr().err


def test_progress_tells_rate_and_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stream = io.StringIO()
    progress = Progress("analyse", 1000, "photos", done=500, stream=stream)
    now = 110.0
    progress.add(100)
    assert progress.line() == "analyse: 600/1,000 photos (60%), 10.0 photos/s, 40 s left"
    assert stream.getvalue() == ""  # a log gets a line every half minute
    now = 131.0
    progress.add(0, "slow")
    assert stream.getvalue().endswith("left, slow\n")
    assert [duration(s) for s in (5, 200, 7500)] == ["5 s", "3 min 20 s", "2 h 05 min"]


def test_a_damaged_network_ends_a_folder_with_its_own_code(
    album: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for path in tiny_models.iterdir():
        content = path.read_bytes()
        (models / path.name).write_bytes(content[:-1] if path.suffix == ".onnx" else content)
    arguments = ["analyze", str(album), "--out", str(tmp_path / "r.csv"), "--models", str(models), "--workers", "1"]
    assert cli.main(arguments) == 6
    assert len(capsys.readouterr().err.strip().splitlines()) <= 4
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_at_once_and_keeps_what_is_done(
    times: int, face: UInt8, tiny_models: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "many", tmp_path / "out.csv"
    for i in range(24):
        save(folder / f"{i:02d}.png", face)
    save(folder / "99.jpg", np.ascontiguousarray(np.tile(face, (6, 6, 1))))  # seconds of work
    command = [sys.executable, "-m", "mien", "analyze", str(folder), "--out", str(out), "--models", str(tiny_models),
               "--workers", "2"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        journal = tmp_path / "out.csv.journal"
        while process.poll() is None and not list(journal.glob("[0-9]*.json")):
            time.sleep(0.01)
        begun = time.monotonic()
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        _, complaints = process.communicate(timeout=20)
        assert time.monotonic() - begun < 2.5  # a second, on a machine that does other things besides
    assert process.returncode == 130
    assert "Traceback" not in complaints
    assert "kept" in complaints
    kept = sum(len(json.loads(path.read_text())["photos"]) for path in journal.glob("[0-9]*.json"))
    assert kept > 0
    again = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert again.returncode == 0, again.stderr
    assert "25 photos" in again.stdout
    assert len(pd.read_csv(out)["input"].unique()) == 25


def test_ctrl_c_while_the_processes_come_up_prints_one_line(face: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    save(tmp_path / "one" / "a.png", face)
    command = [sys.executable, "-m", "mien", "analyze", str(tmp_path / "one"), "--out", str(tmp_path / "out.csv"),
               "--models", str(tiny_models), "--workers", "2"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while process.poll() is None and not (tmp_path / "out.csv.journal" / "settings.json").exists():
            time.sleep(0.005)
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        _, complaints = process.communicate(timeout=20)
    assert process.returncode == 130
    assert complaints.splitlines()[-1] == "mien: interrupted; finished work is kept"
    assert "Traceback" not in complaints
