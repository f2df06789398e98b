"""Faces to try: written as pictures, and mien says less surely what it sees less of."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien import Analyzer
from mien.analyze.examples import TITLES
from mien.cli import main


def test_pictures_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["examples", str(tmp_path / "faces")]) == 0
    assert {path.stem for path in (tmp_path / "faces").iterdir()} == set(TITLES)
    assert len(capsys.readouterr().out.splitlines()) == len(TITLES)
    assert main(["examples", str(tmp_path / "faces")]) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert main(["examples", str(tmp_path / "faces"), "--overwrite"]) == 0

    analyzer = Analyzer()
    answers = {name: analyzer.analyze(tmp_path / "faces" / f"{name}.jpg") for name in TITLES}
    assert {name: len(found) for name, found in answers.items()} == dict.fromkeys(TITLES, 1) | {"group": 4}
    sure = {name: found[0].p_correct for name, found in answers.items()}
    assert sure["portrait"].value > sure["mask"].value > sure["mask-sunglasses"].value
    assert set(answers["mask"][0].visibility.hidden_pieces) == {"nose", "mouth"}
    assert set(answers["sunglasses"][0].visibility.hidden_pieces) == {"right_eye", "left_eye"}
    assert answers["portrait"][0].visibility.hidden_pieces == ()


def test_a_file_in_the_folders_place_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "faces").write_text("mine")
    assert main(["examples", str(tmp_path / "faces")]) == 3
    assert capsys.readouterr().err.count("\n") == 1
