"""A file is whole or as it was; one variable moves everything that mien keeps; one process holds a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.jobs.files import cache_folder, claimed, only_one, replacing, write_text


def _break_off(path: Path) -> None:
    with replacing(path) as scratch:
        scratch.write_text("half")
        (path.parent / "no such file").read_text()


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "a.json"
    write_text(path, "before")
    with pytest.raises(FileNotFoundError):
        _break_off(path)
    assert path.read_text() == "before"
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_one_variable_moves_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home = {name: cache_folder(name) for name in ("cache", "runs", "predictions")}
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    assert {name: cache_folder(name) for name in at_home} == {name: tmp_path / name for name in at_home}
    code = "from mien.cli import study, train; from mien.data import prepare; from mien.measure import predictions\n"
    code += "print(study.RUNS, study.CACHES, train.RUNS, prepare.CACHE_FOLDER, predictions.predictions_folder())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(tmp_path / name) for name in ("runs", "cache", "runs", "cache", "predictions")]


def test_another_process_is_kept_out_until_the_first_ends(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from mien.jobs.files import claimed\n"
    code += "with claimed(Path(sys.argv[1])) as mine: print(mine)"
    ask = [sys.executable, "-c", code, str(tmp_path / "a")]
    with claimed(tmp_path / "a") as mine:
        assert mine
        assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() == "False"
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() == "True"


def test_who_comes_second_is_told_in_a_sentence(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "a"),
        pytest.raises(UsageError, match="another process is working on"),
        only_one(tmp_path / "a"),
    ):
        pass
