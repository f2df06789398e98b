"""A result says what was typed to make it, so that it can be typed again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from builders.faces import make_cache
from mien.cli import main
from mien.cli.typed import typed
from mien.train.runs import command_of, keep_command


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["trust", "--prior", "balanced"], "mien trust --prior balanced"),
        (["analyze", "my photo.jpg", "it's"], "mien analyze 'my photo.jpg' 'it'\"'\"'s'"),
        (["evaluate", "--data", "ferplus:/home/me/ferplus.zip"], "mien evaluate --data ferplus:~/ferplus.zip"),
        (["evaluate", "--out=/home/me/a.json", "--cache", "/mnt/big/cache/ferplus-1"],
         "mien evaluate --out=~/a.json --cache .../ferplus-1"),
        (["analyze", "https://example.org/a.jpg", ""], "mien analyze https://example.org/a.jpg ''"),
    ],
)  # fmt: skip
def test_no_folder_of_this_machine_is_in_it(argv: list[str], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = typed(argv)
    assert found == text
    assert len(shlex.split(found)) == len(argv) + 1


def test_a_training_keeps_what_was_typed_first(tmp_path: Path) -> None:
    assert command_of(tmp_path / "run") == ""
    keep_command(tmp_path / "run", "mien train --cache ~/c --area mouth")
    keep_command(tmp_path / "run", "mien train --cache ~/c --area mouth --quiet")
    assert command_of(tmp_path / "run") == "mien train --cache ~/c --area mouth"


@pytest.mark.slow
def test_a_card_gets_what_was_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = make_cache(tmp_path / "cache", 240)
    call = ["train", "--cache", str(cache), "--area", "mouth", "--stages", "1x32", "--limit", "32", "--quiet"]
    assert main([*call, "--runs", str(tmp_path / "runs")]) == 0
    folder = Path(capsys.readouterr().out.strip())
    out = tmp_path / "models"
    assert main(["export", str(folder), "--cache", str(cache), "--out", str(out), "--precision", "fp32"]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["networks"]["vgg"]["mouth"]["command"] == typed([*call, "--runs", str(tmp_path / "runs")])
    assert str(tmp_path) not in (out / "manifest.json").read_text()
