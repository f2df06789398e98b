"""One process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.jobs.lock import claimed

HOLDER = """
import sys, time
from pathlib import Path
from mien.jobs.lock import claimed
with claimed(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_a_lock_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    with claimed(tmp_path / "new" / "lock") as mine, claimed(tmp_path / "new" / "lock") as theirs:
        assert mine
        assert not theirs
    with claimed(tmp_path / "new" / "lock") as again:
        assert again


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with claimed(tmp_path / "lock") as mine:
            assert not mine
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with claimed(tmp_path / "lock") as mine:
            if mine:
                return
        time.sleep(0.05)
    pytest.fail("the lock of a killed process is still held")
