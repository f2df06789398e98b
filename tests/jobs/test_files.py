"""A file is there whole or as it was before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.jobs.files import new_array, replace_file, replace_json, replacing


def test_what_is_half_written_never_takes_the_final_name(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def killed() -> None:
        with replacing(target) as scratch:
            scratch.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        killed()
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert target.read_text() == "old"
    with replacing(target) as scratch:
        assert scratch.suffix == ".csv"
        scratch.write_text("new")
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_folders_are_made_and_line_ends_kept(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "b.txt", "one\ntwo\r\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"one\ntwo\r\n"
    replace_json(tmp_path / "c.json", {"z": 1, "a": [2]}, sort_keys=True)
    text = (tmp_path / "c.json").read_text()
    assert json.loads(text) == {"a": [2], "z": 1}
    assert text.index('"a"') < text.index('"z"')
    assert text.endswith("}\n")


def test_an_array_is_filled_in_place_and_whole(tmp_path: Path) -> None:
    with new_array(tmp_path / "a.npy", (3, 2), np.float32) as array:
        array[1] = 5
        assert not (tmp_path / "a.npy").exists()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), [[0, 0], [5, 5], [0, 0]])


OTHER = """
import sys
from pathlib import Path
from mien.jobs.files import replace_file
replace_file(Path(sys.argv[1]), "theirs")
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from mien.jobs.files import replacing
with replacing(Path(sys.argv[1])) as scratch:
    scratch.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "t.csv")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "t.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    replace_file(tmp_path / "t.csv", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_what_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    with replacing(tmp_path / "t.csv") as scratch:
        scratch.write_text("mine")
        subprocess.run([sys.executable, "-c", OTHER, str(tmp_path / "t.csv")], check=True)
        assert (tmp_path / "t.csv").read_text() == "theirs"
    assert (tmp_path / "t.csv").read_text() == "mine"
