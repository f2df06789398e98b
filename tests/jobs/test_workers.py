"""Processes that die, hang, grow, never start; and scripts that have no main guard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.errors import ImageError, WorkerError
from mien.jobs.workers import Crew, Lost, Worker, WorkLimits, worker_map


def double(n: int) -> int:
    return 2 * n


def backwards(n: int) -> int:
    time.sleep(0.02 * (20 - n))
    return n


def odd_numbers_die(n: int) -> int:
    if n % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def hang(n: int) -> int:
    if n == 1:
        time.sleep(60)
    return n


def grow(n: int) -> int:
    if n == 1:
        kept = []
        for _ in range(200):
            kept.append(bytearray(b"x" * 10_000_000))
            time.sleep(0.02)
    return n


def fail(n: int) -> int:
    if n == 1:
        raise ImageError("no picture")
    return n


class Unpicklable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__("words")


def fail_oddly(n: int) -> int:
    raise Unpicklable(1, 2)


def die() -> None:
    os._exit(1)


def test_results_come_in_the_order_of_the_tasks() -> None:
    with worker_map(2) as run:
        assert list(run(backwards, range(20))) == list(range(20))
        assert list(run(double, range(5))) == [0, 2, 4, 6, 8]  # the same processes again


def test_a_process_that_dies_costs_its_own_task_only() -> None:
    with Crew(2) as crew:
        outcomes = list(crew.outcomes(odd_numbers_die, range(5)))
    assert [o.task for o in outcomes] == [0, 1, 2, 3, 4]
    assert [o.result for o in outcomes] == [0, None, 2, None, 4]
    assert all(isinstance(o.error, Lost) and "died" in str(o.error) for o in outcomes[1::2])


def test_a_task_that_takes_too_long_is_given_up_and_the_others_are_done() -> None:
    begun = time.monotonic()
    with Crew(2, limits=WorkLimits(seconds=5)) as crew:
        outcomes = list(crew.outcomes(hang, range(6)))
    assert [o.result for o in outcomes] == [0, None, 2, 3, 4, 5]
    assert str(outcomes[1].error) == "it took longer than 5 s, the limit"
    assert time.monotonic() - begun < 60


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_a_task_that_needs_too_much_memory_is_given_up() -> None:
    with Crew(2, limits=WorkLimits(memory=500_000_000)) as crew:
        outcomes = list(crew.outcomes(grow, range(3)))
    assert [o.result for o in outcomes] == [0, None, 2]
    assert "more than 0.5 GB of memory" in str(outcomes[1].error)


def test_what_a_task_raises_comes_back_whatever_it_is() -> None:
    with Crew(1) as crew:
        first, second = list(crew.outcomes(fail, range(2)))
        assert first.result == 0
        assert isinstance(second.error, ImageError)
        (odd,) = list(crew.outcomes(fail_oddly, [0]))
        assert str(odd.error) == "Unpicklable: words"
    with worker_map(2) as run, pytest.raises(ImageError, match="no picture"):
        list(run(fail, range(3)))


def test_processes_that_never_come_up_end_the_work_with_one_sentence() -> None:
    with pytest.raises(WorkerError, match="no worker process could be started"), Crew(2, die) as crew:
        list(crew.outcomes(double, range(4)))
    with pytest.raises(WorkerError):
        Worker(die).call(double, 1)


def test_one_worker_is_begun_anew_after_it_was_lost() -> None:
    worker = Worker(limits=WorkLimits(seconds=5))
    assert worker.call(hang, 0) == 0
    with pytest.raises(Lost, match="5 s"):
        worker.call(hang, 1)
    assert worker.call(hang, 2) == 2
    worker.kill()


SCRIPT = """
import sys
from mien.jobs.workers import worker_map
print("imported", flush=True)
with worker_map(2) as run:
    print(sum(run(abs, [-1, -2, -3])))
"""


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_script_needs_no_main_guard(way: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable] + ([str(tmp_path / "script.py")] if way == "file" else [])
    done = subprocess.run(
        command, input=SCRIPT if way != "file" else None, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "imported\n6\n"
    assert done.stderr == ""


SLOW = """
import time
from mien.jobs.workers import worker_map
with worker_map(2) as run:
    for _ in run(time.sleep, [0, 0, 600, 600]):
        print("done", flush=True)
"""


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_everything_at_once(times: int) -> None:
    command = [sys.executable, "-c", SLOW]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        begun = time.monotonic()
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        process.wait(timeout=5)
        assert time.monotonic() - begun < 2
    assert _gone(process.pid)


def _gone(group: int) -> bool:
    """Whether every process of a group has ended, within 4 s."""
    for _ in range(40):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
