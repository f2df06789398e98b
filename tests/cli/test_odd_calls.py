"""Arguments and places that nobody expects: one sentence each, and what else was asked for is done."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mien import cli
from mien.analyze.folder import FolderSettings, analyze_folder
from mien.analyze.options import AnalyzerOptions
from mien.errors import InputError, MienError
from mien.jobs.journal import Journal
from mien.types import UInt8


@pytest.fixture
def photo_file(photo: UInt8, tmp_path: Path) -> Path:
    path = tmp_path / "face.jpg"
    cv2.imwrite(str(path), np.ascontiguousarray(photo[40:240, 130:330, ::-1]))
    return path


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mien", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("odd", ["~photo.jpg", "x" * 300 + ".jpg", "", "/proc/1/root/x.jpg", "gone.jpg"])
def test_an_odd_argument_stops_no_other(
    odd: str, photo_file: Path, tiny_models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo_file.parent)
    code = cli.main(["analyze", odd, str(photo_file), "--json", "--models", str(tiny_models)])
    printed = capsys.readouterr()
    assert code == 3
    first, second = json.loads(printed.out)
    assert first["status"] == "unreadable"
    assert second["status"] == "ok"
    assert len(printed.err.strip().splitlines()) == 1


def test_a_file_called_tilde_is_analysed(
    photo_file: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photo_file.parent)
    photo_file.rename("~photo.jpg")
    assert cli.main(["analyze", "~photo.jpg", "--csv", "--models", str(tiny_models)]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("~photo.jpg,ok")


def test_a_folder_called_like_a_video_is_a_folder(photo_file: Path, tiny_models: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").mkdir()
    photo_file.rename(tmp_path / "clip.mp4" / "a.jpg")
    done = run("analyze", tmp_path / "clip.mp4", "--out", tmp_path / "r.csv", "--models", tiny_models, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "1 photos: 1 faces" in done.stdout


@pytest.mark.parametrize("ending", [".mts", ".m2ts", ".flv", ".ogv", ".vob", ".mxf", ".asf", ".3g2", ".dv", ".MTS"])
def test_endings_of_videos(ending: str) -> None:
    from mien.cli.analyze import _is_video

    assert _is_video(f"clip{ending}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["--csv", "--json", ""])
def test_a_full_disk_is_said_in_one_sentence(form: str, photo_file: Path, tiny_models: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mien", "analyze", str(photo_file), "--models", str(tiny_models)]
        done = subprocess.run(
            command + ([form] if form else []), stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_table_in_a_full_place_is_said_in_one_sentence(photo_file: Path, tiny_models: Path) -> None:
    done = run("analyze", photo_file.parent, "--out", "/dev/full/r.csv", "--models", tiny_models, "--workers", 1)
    assert done.returncode in (2, 3)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["folder", "photos"])
def test_a_folder_as_the_table_is_refused_before_the_work(
    what: str, photo_file: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").mkdir()
    given = photo_file.parent if what == "folder" else photo_file
    code = cli.main(
        ["analyze", str(given), "--out", str(tmp_path / "r.csv"), "--overwrite", "--models", str(tiny_models)]
    )
    assert code in (2, 3)
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2


@pytest.mark.parametrize("option", ["--max-file", "--max-pixels", "--max-seconds", "--max-memory"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_limits_are_positive(option: str, value: str, photo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["analyze", str(photo_file), f"{option}={value}"]) == 2
    assert "must be positive" in capsys.readouterr().err


def test_limits_hold_for_one_photo_and_for_a_folder(
    photo_file: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, words in (("--max-pixels=0.01", "million, the limit"), ("--max-file=0.001", "MB, the limit")):
        assert cli.main(["analyze", str(photo_file), option, "--models", str(tiny_models)]) == 3
        assert words in capsys.readouterr().err
    out = tmp_path / "r.csv"
    arguments = ["analyze", str(tmp_path), "--out", str(out), "--models", str(tiny_models), "--workers", "1", "--quiet"]
    assert cli.main([*arguments, "--max-pixels=0.01"]) == 3
    assert "million, the limit" in (tmp_path / "r.failures.csv").read_text()


def test_a_photo_that_takes_too_long_is_given_up_and_the_next_is_analysed(
    photo_file: Path, tiny_models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from mien.analyze.analyzer import Analyzer

    real, calls = Analyzer.analyze, []

    def slow(self: Analyzer, *args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(30)
        return real(self, *args, **options)  # type: ignore[arg-type]

    path = str(photo_file)
    assert cli.main(["analyze", path, "--quiet", "--models", str(tiny_models)]) == 0  # the detectors are loaded now
    monkeypatch.setattr(Analyzer, "analyze", slow)
    assert cli.main(["analyze", path, path, "--csv", "--models", str(tiny_models), "--max-seconds", "8"]) == 3
    printed = capsys.readouterr()
    assert "longer than 8 s" in printed.err
    assert printed.out.splitlines()[2].startswith(f"{path},ok")


def test_a_users_own_file_is_not_taken_for_a_list_of_failures(
    photo_file: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "r.failures.csv"
    own.write_text("what failed,in my life\n")
    arguments = [
        "analyze",
        str(tmp_path),
        "--out",
        str(tmp_path / "r.csv"),
        "--overwrite",
        "--models",
        str(tiny_models),
    ]
    assert cli.main(arguments) == 2
    assert own.read_text() == "what failed,in my life\n"
    assert "would be lost" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[]", "{", "\x00\xff", "null"])
@pytest.mark.parametrize("damage", ["settings.json", "000000.json", "000000.csv"])
def test_a_damaged_journal_is_said_or_mended(damage: str, content: str, tmp_path: Path) -> None:
    out, columns = tmp_path / "r.csv", {"input": "str"}
    with Journal(out, {"a": 1}, columns) as journal:
        journal.commit(0, pd.DataFrame({"input": ["x"]}), {"failures": [], "photos": []})
    (tmp_path / "r.csv.journal" / damage).write_bytes(content.encode("latin-1"))
    with contextlib.suppress(MienError), Journal(out, {"a": 1}, columns) as journal:
        for number, _ in journal.pieces():
            journal.read(number)
    with Journal(out, {"a": 1}, columns, overwrite=True) as journal:
        assert list(journal.pieces()) == []


def test_a_damaged_piece_of_a_folder_is_done_again(photo_file: Path, tiny_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    settings = FolderSettings(AnalyzerOptions(detector="hog"), tiny_models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            analyze_folder([str(tmp_path)], out, settings, workers=0, quiet=True)
    (tmp_path / "r.csv.journal" / "000000.csv").write_bytes(b"\x00\xff")
    with contextlib.suppress(InputError):
        analyze_folder([str(tmp_path)], out, settings, workers=0, quiet=True)
    assert analyze_folder([str(tmp_path)], out, settings, workers=0, quiet=True, overwrite=out.exists()).faces == 1


def test_too_little_memory_is_said_in_a_sentence(photo: UInt8, tiny_models: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    cv2.imwrite(str(large), np.zeros((9000, 9000, 4), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    done = run("analyze", large, "--max-memory", "0.4", "--models", tiny_models)
    assert done.returncode == 3
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
