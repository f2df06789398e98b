"""Teachers: what finished networks say becomes another network's target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from builders.faces import make_cache
from mien.cli import main
from mien.data.cache import FaceCache
from mien.errors import ModelError, UsageError
from mien.train.config import TrainConfig
from mien.train.loop import train
from mien.train.runs import Trained
from mien.train.teachers import write_teacher
from mien.types import AREAS, Area

SMALL = TrainConfig(area="mouth", stages=((1.0, 16),), batch=16, limit=32)


def silent(text: str) -> None:
    """Nothing is said."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FaceCache:
    return FaceCache.open(make_cache(tmp_path_factory.mktemp("cache") / "drawn", faces=96))


@pytest.fixture(scope="module")
def teachers(cache: FaceCache, tmp_path_factory: pytest.TempPathFactory) -> list[Trained]:
    runs = tmp_path_factory.mktemp("runs")
    configs = [SMALL, replace(SMALL, seed=1), replace(SMALL, network="anyarea", area="")]
    return [train(cache, config, runs, silent) for config in configs]


def test_a_teacher_is_the_mean_log_probability_of_its_networks(
    cache: FaceCache, teachers: list[Trained], tmp_path: Path
) -> None:
    single = [np.load(write_teacher(cache, [t.folder], Area.MOUTH, tmp_path, silent)) for t in teachers]
    both = np.load(write_teacher(cache, [t.folder for t in teachers], Area.MOUTH, tmp_path, silent))
    np.testing.assert_allclose(both, sum(single) / 3, atol=1e-6)
    rows = cache.rows("train")
    assert both.shape == (len(cache.index), 1, 8)
    np.testing.assert_allclose(np.exp(single[0][rows]).sum(axis=2), 1, atol=1e-5)
    others = np.setdiff1d(np.arange(len(cache.index)), rows)
    assert not both[others].any(), "no other split is ever looked at"


def test_all_areas_are_taught_by_whoever_answers_for_them(
    cache: FaceCache, teachers: list[Trained], tmp_path: Path
) -> None:
    every = np.load(write_teacher(cache, [t.folder for t in teachers[1:]], None, tmp_path, silent))
    shared = np.load(write_teacher(cache, [teachers[2].folder], None, tmp_path, silent))
    assert every.shape[1] == len(AREAS)
    assert (every[:, Area.EYES.position] == shared[:, Area.EYES.position]).all()
    assert (every[cache.rows("train"), Area.MOUTH.position] != shared[cache.rows("train"), Area.MOUTH.position]).any()


def test_a_teacher_that_cannot_be_is_refused(cache: FaceCache, teachers: list[Trained], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no teacher answers for eyes"):
        write_teacher(cache, [teachers[0].folder], Area.EYES, tmp_path, silent)
    with pytest.raises(ModelError, match="no finished training"):
        write_teacher(cache, [tmp_path / "nothing"], Area.MOUTH, tmp_path, silent)


def test_a_student_follows_its_teacher(cache: FaceCache, tmp_path: Path) -> None:
    """With the whole target from the teacher, a student learns what no label says."""
    rows, stubborn = cache.rows("train"), np.full((len(cache.index), 1, 8), -9.0, np.float32)
    stubborn[:, 0, 6] = 0.0
    np.save(tmp_path / "teacher.npy", stubborn)
    config = replace(SMALL, teacher=str(tmp_path / "teacher.npy"), teacher_weight=1.0, stages=((6.0, 16),))
    taught = train(cache, config, tmp_path, silent)
    own = np.load(write_teacher(cache, [taught.folder], Area.MOUTH, tmp_path, silent))[rows, 0]
    assert (own.argmax(axis=1) == 6).mean() > 0.9


def test_the_command_distils(
    cache: FaceCache, teachers: list[Trained], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(t.folder) for t in teachers[:2]]
    command = ["train", "--cache", str(cache.folder), "--area", "mouth", "--stages", "1x16", "--limit", "32"]
    assert main([*command, "--runs", str(tmp_path), "--augmentation", "light", "--start-from", runs[0],
                 "--teacher", *runs]) == 0  # fmt: skip
    folder = Path(capsys.readouterr().out.strip())
    assert (folder / "model.safetensors").is_file()
    assert len(list((tmp_path / "teachers").glob("teacher-*.npy"))) == 1
