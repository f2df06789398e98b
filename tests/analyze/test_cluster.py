"""A folder over Ray: the same rows, a killed actor loses nothing, and what kills every actor is one failure."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from mien import cli
from mien.analyze import cluster
from mien.analyze.cluster import on_ray
from mien.analyze.folder import FolderSettings, analyze_folder
from mien.analyze.options import AnalyzerOptions
from mien.errors import ModelError, WorkerError
from mien.jobs.tables import failures_path
from mien.jobs.workers import Lost, Outcome
from mien.types import UInt8


class ActorDied(Exception):
    """Ray's RayError."""


class TaskFailed(Exception):
    """Ray's RayTaskError: its cause is what the function raised."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Gone(BaseException):
    """Raised by a task: its process ends."""


class Ref(SimpleNamespace):
    """Hashable, as Ray's are."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class FakeRay:
    """The part of Ray that is used, in this process: each call is worked on when its answer is fetched."""

    exceptions = SimpleNamespace(RayTaskError=TaskFailed, RayError=ActorDied)

    def __init__(self, cores: int = 2) -> None:
        self.cores, self.begun, self.ended, self.slow = cores, 0, 0, False

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cores)}

    def put(self, value: Any) -> Any:
        return value

    def kill(self, actor: Any) -> None:
        actor.dead = True
        self.ended += 1

    def remote(self, **_: Any) -> Callable[[type], Any]:
        return lambda kind: SimpleNamespace(remote=lambda *args: self._actor(kind, *args))

    def _actor(self, kind: type, *args: Any) -> Any:
        self.begun += 1
        actor = SimpleNamespace(dead=False)
        try:
            one = kind(*args)
        except Gone:
            actor.dead, one = True, kind(lambda: None)
        for name in ("ready", "work"):
            method = getattr(one, name)
            setattr(actor, name, SimpleNamespace(remote=lambda *a, m=method: Ref(of=actor, do=partial(m, *a))))
        return actor

    def wait(self, refs: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        if self.slow:  # actors come up, and no work is ever done
            ready = [ref for ref in refs if ref.do.func.__name__ == "ready"]
            time.sleep(0.0 if ready else 0.06)
            return ready[:1], []
        return refs[:num_returns], refs[num_returns:]

    def get(self, ref: Any) -> Any:
        if ref.of.dead:
            raise ActorDied
        try:
            return ref.do()
        except Gone:
            ref.of.dead = True
            raise ActorDied from None
        except Exception as error:
            raise TaskFailed(error) from error


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    ray = FakeRay()
    monkeypatch.setattr(cluster, "_joined", lambda workers: (ray, False))
    yield ray
    assert ray.ended == ray.begun  # none is left behind


def outcomes(function: Any, tasks: list[Any], **options: Any) -> list[Outcome[Any, Any]]:
    with on_ray(function, tasks, options.pop("warm_up", int), **options) as found:
        return list(found)


def test_every_task_has_one_outcome_whatever_it_raises(fake: FakeRay) -> None:
    def third(value: int) -> int:
        if value == 3:
            raise ValueError("three")
        return value * 2

    found = {o.task: o for o in outcomes(third, list(range(10)))}

    assert sorted(found) == list(range(10))
    assert {t: o.result for t, o in found.items() if t != 3} == {t: 2 * t for t in range(10) if t != 3}
    assert isinstance(found[3].error, ValueError)
    assert fake.begun == 2


def test_an_actor_that_dies_once_loses_nothing(fake: FakeRay) -> None:
    died: list[str] = []

    def once(task: str) -> str:
        if task == "c" and not died:
            died.append(task)
            raise Gone
        return task

    found = outcomes(once, list("abcdefgh"))

    assert sorted(o.result for o in found) == list("abcdefgh")
    assert died == ["c"]
    assert fake.begun == 3


def test_what_kills_every_actor_is_one_failure_and_the_others_are_done(fake: FakeRay) -> None:
    tried: list[str] = []

    def kills(task: str) -> str:
        tried.append(task)
        if task == "c":
            raise Gone
        return task

    found = {o.task: o for o in outcomes(kills, list("abcdefgh"))}

    assert isinstance(found["c"].error, Lost)
    assert {t: o.result for t, o in found.items() if t != "c"} == {t: t for t in "abdefgh"}
    assert tried.count("c") == cluster.TRIES


def test_a_task_past_its_time_is_given_up_with_its_actor(fake: FakeRay) -> None:
    fake.slow = True
    found = outcomes(str, ["a", "b", "c"], seconds=0.2)
    assert {o.task for o in found} == {"a", "b", "c"}
    assert all("longer than 0.2 s" in str(o.error) for o in found)


def test_actors_that_never_come_up_end_the_run(fake: FakeRay) -> None:
    def broken() -> None:
        raise Gone

    with pytest.raises(WorkerError, match="no Ray actor"):
        outcomes(str, ["a"], warm_up=broken)


def test_models_that_cannot_be_opened_are_said(fake: FakeRay) -> None:
    def damaged(task: str) -> str:
        raise ModelError("damaged")

    assert isinstance(outcomes(damaged, ["a"])[0].error, ModelError)


def test_without_ray_one_sentence_says_what_to_install(
    tmp_path: Path, photo: UInt8, tiny_models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    cv2.imwrite(str(tmp_path / "a.jpg"), photo[..., ::-1])
    command = [
        "analyze",
        str(tmp_path),
        "--out",
        str(tmp_path / "t.csv"),
        "--engine",
        "ray",
        "--models",
        str(tiny_models),
    ]
    assert cli.main(command) == 5
    assert "pip install 'mien[ray]'" in capsys.readouterr().err


@pytest.fixture
def ray() -> Iterator[Any]:
    module = pytest.importorskip("ray", reason="the extra 'ray' is not installed (300 MB)")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    module.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield module
    module.shutdown()


@pytest.fixture
def album(tmp_path: Path, photo: UInt8) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    face = np.ascontiguousarray(photo[40:240, 130:330])
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:02d}.jpg"), face[:, :: 1 - 2 * (number % 2), ::-1])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_ray_gives_the_rows_of_processes_and_a_killed_actor_loses_nothing(
    ray: Any, album: Path, tiny_models: Path, tmp_path: Path
) -> None:
    psutil = pytest.importorskip("psutil", reason="the extra 'dev' is not installed")
    settings = FolderSettings(AnalyzerOptions(), tiny_models)
    here, far = tmp_path / "here.csv", tmp_path / "far.csv"
    analyze_folder([str(album)], here, settings, workers=0, quiet=True)
    killed: list[int] = []

    def kill_one() -> None:
        due = time.monotonic() + 60
        while not killed and time.monotonic() < due:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "Hand.work" in " ".join(process.cmdline()):
                        os.kill(process.pid, signal.SIGKILL)
                        killed.append(process.pid)
                        break
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    analyze_folder([str(album)], far, settings, workers=2, quiet=True, engine="ray")
    killer.join()

    assert len(killed) == 1
    pd.testing.assert_frame_equal(pd.read_csv(here), pd.read_csv(far))
    assert failures_path(here).read_text() == failures_path(far).read_text()
