from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders.data import expw, ferplus_folders, plain_expw_lines, plain_ferplus_rows, rafdb_official, write_lines
from mien.cli import main
from mien.data.cache import FaceCache
from mien.face.images import load


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ferplus_folders(tmp_path_factory.mktemp("ferplus"), plain_ferplus_rows(20))


def test_check_lays_counts_beside_the_paper(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "ferplus", str(root)]) == 0
    out = capsys.readouterr().out
    assert "Table 1 of the paper" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["test:", "found", "1", "1", "1", "1", "0", "0", "0", "0", "4"] in lines
    assert ["paper", "1,219", "920", "429", "421", "287", "19", "88", "21", "3,404"] in lines
    assert ["difference", "-1,218", "-919", "-428", "-420", "-287", "-19", "-88", "-21", "-3,400"] in lines
    assert "nothing is missing or broken" in out


@pytest.mark.parametrize("name", ["rafdb", "expw"])
def test_check_of_the_seven_class_sets(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = rafdb_official(tmp_path) if name == "rafdb" else expw(tmp_path, plain_expw_lines(10))
    assert main(["data", "check", name, str(root), "--labels-only"]) == 0
    out = capsys.readouterr().out
    assert {"rafdb": "Table 2", "expw": "Table 3"}[name] in out
    assert "contempt" not in out
    assert {"rafdb": "3,068", "expw": "6,673"}[name] in out
    assert "no picture was opened" in out


def test_check_names_what_is_missing_or_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ferplus_folders(tmp_path, plain_ferplus_rows(20))
    (root / "FER2013Train" / "fer0000000.png").unlink()
    (root / "FER2013Train" / "fer0000001.png").write_bytes(b"")
    assert main(["data", "check", "ferplus", str(root)]) == 3
    out = capsys.readouterr().out
    assert "PROBLEM: FER2013Train/label.csv, line 1: the picture FER2013Train/fer0000000.png is missing" in out
    assert "PROBLEM: FER2013Train/label.csv, line 2: FER2013Train/fer0000001.png: the file is empty" in out
    assert main(["data", "check", "ferplus", str(root), "--json"]) == 3
    result = json.loads(capsys.readouterr().out)
    assert len(result["problems"]) == 2
    assert result["counts"]["test"]["total"] == 4
    assert {row["split"] for row in result["comparison"]} == {"train", "test"}


def test_check_of_many_problems_says_how_many_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "here.png").write_bytes(b"")
    write_lines(tmp_path / "labels.csv", ["image,emotion", "here.png,fear", *(f"gone{i}.png,fear" for i in range(30))])
    assert main(["data", "check", "mine", str(tmp_path), "--labels-only"]) == 3
    assert "and 10 more problems (--json lists all)" in capsys.readouterr().out


def test_prepare_prints_and_writes_what_it_did(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "new" / "report.json"
    command = ["data", "prepare", "ferplus", str(root), "--out", str(tmp_path / "cache"), "--detector", "hog"]
    command += ["--workers", "1", "--report", str(report)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "20 faces in " in captured.out
    assert "fallen back to the whole frame: " in captured.out
    assert "images/s" in captured.out
    assert "finding faces: 20/20 faces (100%)" in captured.err
    told = json.loads(report.read_text())
    assert told["faces"] == 20
    assert FaceCache.open(tmp_path / "cache" / told["cache"]).canvases.shape == (20, 96, 96)
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cache"] == told["cache"]


def test_prepare_refuses_in_one_sentence(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "cache"), "--detector", "hog", "--workers", "1"]
    assert main(["data", "prepare", "ferplus", str(tmp_path), *out]) == 3
    assert main(["data", "prepare", "ferplus", str(root), *out, "--workers", "-2"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("mien: ") for line in lines)
    assert not (tmp_path / "cache").exists()


def test_prepare_of_your_own_data_set(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = (root / "FER2013Train" / "fer0000000.png").read_bytes()
    for name in ("happy", "fear"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "data" / name / f"{i}.png").write_bytes(picture)
    command = [
        "data",
        "prepare",
        "mine",
        str(tmp_path / "data"),
        "--layout",
        "folder",
        "--out",
        str(tmp_path / "cache"),
    ]
    assert main([*command, "--detector", "hog", "--workers", "1"]) == 0
    assert "splits: train 8, validation 0, test 2" in capsys.readouterr().out


def test_show_writes_a_sheet(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "sheet.png"
    command = ["data", "show", "ferplus", str(root), "--out", str(target), "--detector", "hog", "-n", "2"]
    assert main([*command, "--emotion", "surprise", "--crops", "hull"]) == 0
    assert capsys.readouterr().out == f"{target}: 2 faces\n"
    assert load(target).shape[1] > 1000
    assert main([*command, "--emotion", "contempt"]) == 3
    assert "no face with contempt" in capsys.readouterr().err


def test_an_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["data"])
    assert stopped.value.code == 2
    assert "ACTION" in capsys.readouterr().err
