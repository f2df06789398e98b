"""One place knows where mien keeps what it makes for itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mien.cli import main
from mien.jobs import places


def test_one_variable_moves_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.VARIABLE, str(tmp_path))
    assert {places.caches().parent, places.runs().parent, places.predictions().parent} == {tmp_path}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the cache folder lies elsewhere")
def test_on_linux_it_is_the_cache_folder_of_the_desktop_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert places.kept() == Path.home() / ".cache" / "mien"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert places.kept() == Path("/somewhere/mien")


@pytest.mark.parametrize("command", [["data", "prepare"], ["train"], ["study"]])
def test_help_says_where_and_what_moves_it(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(places.VARIABLE, str(tmp_path))
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    text = "".join(capsys.readouterr().out.split())
    assert f"(default:{tmp_path}" in text
    assert f"${places.VARIABLE}movesit" in text


def test_nothing_is_looked_up_before_it_is_needed() -> None:
    code = "import sys, mien.jobs.places, mien.jobs.lock; print({'filelock', 'platformdirs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
