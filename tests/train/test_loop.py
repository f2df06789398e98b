import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from builders.faces import make_cache
from mien.cli import main
from mien.cli.train import add_arguments, config_of, stages_of
from mien.data.cache import FaceCache
from mien.errors import ModelError, UsageError
from mien.train.augment import PUBLISHED_AUGMENTATION
from mien.train.batches import _Data, steps_of
from mien.train.config import TrainConfig, epochs_of, paper_config
from mien.train.loop import train
from mien.train.runs import Trained, load
from mien.types import AREAS, PARTS, Area, Part

SMALL = TrainConfig(area="mouth", stages=((3.0, 16),), batch=16, limit=32, seed=3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FaceCache:
    return FaceCache.open(make_cache(tmp_path_factory.mktemp("cache") / "drawn", faces=96))


@pytest.fixture(scope="module")
def straight(cache: FaceCache, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(cache, SMALL, tmp_path_factory.mktemp("runs"), progress=lambda _: None)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(a: Path, b: Path) -> bool:
    one, two = weights(a), weights(b)
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def test_run_leaves_config_curve_and_weights(straight: Trained) -> None:
    assert TrainConfig.from_dict(json.loads((straight.folder / "config.json").read_text())) == SMALL
    with (straight.folder / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(0 <= float(row["validation_accuracy"]) <= 1 for row in rows)
    assert straight.folder.name == SMALL.name
    assert not (straight.folder / "last.pt").exists()
    assert not straight.network.training


def test_same_seed_same_weights_other_seed_other(cache: FaceCache, straight: Trained, tmp_path: Path) -> None:
    quiet = {"progress": lambda _: None}
    assert same(train(cache, SMALL, tmp_path, **quiet).folder, straight.folder)
    other = train(cache, TrainConfig.from_dict({**SMALL.to_dict(), "seed": 4}), tmp_path, **quiet)
    assert not same(other.folder, straight.folder)


def test_stopped_after_each_epoch_it_goes_on_to_the_same_weights(
    cache: FaceCache, straight: Trained, tmp_path: Path
) -> None:
    lines: list[str] = []
    for epoch in (1, 2):
        train(cache, SMALL, tmp_path, progress=lines.append, stop_after=1)
        assert len(lines) == epoch
        assert not (tmp_path / SMALL.name / "model.safetensors").exists()
    assert same(train(cache, SMALL, tmp_path, progress=lines.append).folder, straight.folder)
    assert len(lines) == 3


def test_interrupted_inside_an_epoch_it_loses_that_epoch_only(
    cache: FaceCache, straight: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = _Data.batches

    def stops(self: object, epoch: int, *args: object) -> object:
        for number, batch in enumerate(batches(self, epoch, *args)):  # type: ignore[arg-type]
            if epoch == 1 and number == 1:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(_Data, "batches", stops)
    with pytest.raises(KeyboardInterrupt):
        train(cache, SMALL, tmp_path, progress=lambda _: None)
    monkeypatch.undo()
    lines: list[str] = []
    assert same(train(cache, SMALL, tmp_path, progress=lines.append).folder, straight.folder)
    assert len(lines) == 2


def test_killed_process_goes_on_to_the_same_weights(cache: FaceCache, straight: Trained, tmp_path: Path) -> None:
    """A real SIGKILL as soon as the first epoch is on disk."""
    code = (
        "import json, sys; from pathlib import Path; from mien.data.cache import FaceCache; "
        "from mien.train.loop import *; "
        "config = TrainConfig.from_dict(json.loads(sys.argv[3])); "
        "train(FaceCache.open(sys.argv[1]), config, Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(cache.folder), str(tmp_path), json.dumps(SMALL.to_dict())]
    state = tmp_path / SMALL.name / "last.pt"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **_threads()}) as process:
        deadline = time.monotonic() + 120
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    again = train(cache, SMALL, tmp_path, progress=lambda _: None)
    assert same(again.folder, straight.folder)


def _threads() -> dict[str, str]:
    """The child computes with as many threads as this process, so that sums are added in the same order."""
    return {"OMP_NUM_THREADS": str(torch.get_num_threads())}


def test_finished_run_is_only_loaded(cache: FaceCache, straight: Trained) -> None:
    before = (straight.folder / "model.safetensors").stat().st_mtime_ns
    again = train(cache, SMALL, straight.folder.parent, progress=lambda _: pytest.fail("it trained again"))
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == before
    crops = torch.randint(1, 256, (2, 64, 64), dtype=torch.uint8)
    assert torch.equal(again.network(crops), straight.network(crops))


def test_training_learns_drawn_faces(tmp_path: Path) -> None:
    """Eight drawn emotions, told apart far above chance (1/8) by a network that saw other faces."""
    cache = FaceCache.open(make_cache(tmp_path / "drawn", faces=320, seed=5))
    config = TrainConfig(
        stages=((10.0, 16),), batch=16, dropout=0.0, rate=1e-3, average=0.0, augmentation=PUBLISHED_AUGMENTATION,
    )  # fmt: skip
    lines: list[str] = []
    train(cache, config, tmp_path, progress=lines.append)
    assert json.loads(lines[-1].partition(": ")[2])["validation_accuracy"] > 0.4


def test_paper_protocol_selects_on_test_and_keeps_the_best(cache: FaceCache, tmp_path: Path) -> None:
    config = paper_config("vgg", Area.NOSE, seed=0)
    assert (config.optimizer, config.rate, config.stages) == ("adam", 0.05, ((100.0, 64),))
    assert (config.select_on, config.keep, config.target) == ("test", "best", "label")
    short = TrainConfig.from_dict({
        **config.to_dict(), "stages": ((2.0, 16),), "limit": 32, "rate": 1e-3, "batch": 16,
    })  # fmt: skip
    done = train(cache, short, tmp_path, progress=lambda _: None)
    assert "test_accuracy" in (done.folder / "curve.csv").read_text()
    data = _Data.load(cache, TrainConfig.from_dict({**short.to_dict(), "limit": 0}))
    splits = set(cache.index["split"].iloc[data.rows])
    assert splits == {"train", "validation"}
    assert set(cache.index["split"].iloc[data.watched]) == {"test"}


def test_default_protocol_never_touches_the_test_split(cache: FaceCache) -> None:
    data = _Data.load(cache, TrainConfig())
    assert set(cache.index["split"].iloc[data.rows]) == {"train"}
    assert set(cache.index["split"].iloc[data.watched]) == {"validation"}


def test_batches_hold_crops_parts_and_targets(cache: FaceCache) -> None:
    data = _Data.load(cache, TrainConfig(network="anyarea", batch=16))
    seen = set()
    for crops, parts, targets in data.batches(0, 32, 1.0):
        assert crops.shape[1:] == (32, 32)
        assert crops.dtype == torch.uint8
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(crops)))
        seen |= {tuple(int(b) for b in row) for row in parts}
    assert seen <= {tuple(int(p in a.parts) for p in ("eyes", "nose", "mouth")) for a in AREAS}
    assert len(seen) > 3


def test_balance_draws_rare_emotions_more_often(cache: FaceCache) -> None:
    rows = cache.rows("train")
    kept = rows[(cache.labels[rows] != 7) | (np.arange(len(rows)) % 16 == 15)]
    flat, even = (_Data(cache, TrainConfig(balance=b), kept, torch.empty(0), kept) for b in (0.0, 1.0))

    def share(data: _Data) -> float:
        drawn = np.concatenate([data.order(np.random.default_rng(s)) for s in range(40)])
        return float((cache.labels[drawn] == 7).mean())

    assert share(even) == pytest.approx(1 / 8, abs=0.04)
    assert share(flat) == pytest.approx(float((cache.labels[kept] == 7).mean()), abs=1e-9)


def test_names_differ_whenever_a_setting_does() -> None:
    names = {
        TrainConfig().name, TrainConfig(seed=1).name, TrainConfig(rate=1e-3).name, TrainConfig(area="nose").name,
        TrainConfig(stages=((9.0, 32),)).name, TrainConfig(network="anyarea").name,
    }  # fmt: skip
    assert len(names) == 6


def test_epochs_and_steps() -> None:
    assert epochs_of(((1.5, 32), (1.0, 64))) == [(1.0, 32), (0.5, 32), (1.0, 64)]
    assert steps_of(1000, 128, 1.0) == 7
    assert steps_of(1000, 128, 0.5) == 3
    assert steps_of(10, 128, 1.0) == 1


def options(*args: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return config_of(parser.parse_args(["--data", "ferplus:x", *args]))


def test_options_become_the_config() -> None:
    config = options("--area", "nose", "--stages", "0.5x32,1x64", "--rate", "0.001", "--seed", "7", "--crops", "hull")
    assert (config.area, config.stages, config.rate, config.seed) == ("nose", ((0.5, 32), (1.0, 64)), 0.001, 7)
    assert config.spec.startswith("hull-")
    assert options("--protocol", "paper").select_on == "test"
    assert options("--network", "densenet").dropout == 0


@pytest.mark.parametrize("text", ["", "8", "8x", "x32", "8x32;1x64", "8x33", "0x32", "8x0", "-1x32"])
def test_stages_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError, match="--stages"):
        stages_of(text)


def test_command_trains_prints_the_folder_and_exports(
    cache: FaceCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "train", "--cache", str(cache.folder), "--area", "eyes", "--network", "densenet", "--stages", "1x16", "--limit",
        "32", "--batch", "16", "--runs", str(tmp_path), "--onnx", str(tmp_path / "out" / "eyes.onnx"),
    ]  # fmt: skip
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    folder = Path(out.strip())
    assert (folder / "model.safetensors").is_file()
    assert "epoch 1/1" in err
    import onnxruntime as ort

    session = ort.InferenceSession(str(tmp_path / "out" / "eyes.onnx"), providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == ["logits", "class_maps", "features"]


def test_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["train", "--cache", str(tmp_path)]) == 3
    assert "not a complete cache" in capsys.readouterr().err
    assert main(["train", "--cache", str(tmp_path), "--batch", "0"]) == 2
    monkeypatch.setitem(sys.modules, "mien.train.loop", None)
    assert main(["train", "--cache", str(tmp_path)]) == 5
    assert "mien[train]" in capsys.readouterr().err


def test_the_weights_at_the_end_of_an_earlier_stage_are_kept(cache: FaceCache, tmp_path: Path) -> None:
    staged = replace(SMALL, stages=((1.0, 16), (1.0, 32)), average=0.0)
    folder = train(cache, staged, tmp_path, progress=lambda _: None).folder
    early = load(f"{folder}@16")
    assert early.config.stages == ((1.0, 16),)
    assert early.config.final_spec.size == 16
    assert early.name == f"{folder.name}@16"
    assert not same_state(early, load(folder))
    later = replace(SMALL, stages=((0.01, 16),), rate=1e-9, decay=0.0, average=0.0, start_from=f"{folder}@16")
    begun = train(cache, later, tmp_path, progress=lambda _: None)
    kept = early.network.state_dict()
    assert all(torch.allclose(v, kept[k], atol=1e-4) for k, v in begun.network.named_parameters())
    for missing in (f"{folder}@48", f"{tmp_path / 'nowhere'}@16"):
        with pytest.raises(ModelError, match="no weights of a stage"):
            load(missing)


def same_state(a: Trained, b: Trained) -> bool:
    one, two = a.network.state_dict(), b.network.state_dict()
    return all(torch.equal(one[k], two[k]) for k in one)


def test_a_later_stage_learns_again_from_its_own_share_of_the_rate(cache: FaceCache, tmp_path: Path) -> None:
    rates = []
    for again in (0.2, 0.6):
        staged = replace(SMALL, stages=((2.0, 16), (2.0, 32)), again=again)
        folder = train(cache, staged, tmp_path, progress=lambda _: None).folder
        with (folder / "curve.csv").open() as file:
            rates.append([float(row["rate"]) for row in csv.DictReader(file)])
    assert rates[0][:2] == rates[1][:2]
    assert rates[1][2] > rates[0][2]


def test_hidden_parts_are_blanked_as_often_as_asked(cache: FaceCache) -> None:
    config = replace(SMALL, hide=0.4)
    data = _Data.load(cache, config)
    areas = [Area.WHOLE_FACE, Area.MOUTH_EYES, Area.MOUTH] * 500
    hidden = data.hidden(areas, np.random.default_rng(0))
    of = {area: [h for a, h in zip(areas, hidden, strict=True) if a is area] for area in set(areas)}
    assert 0.3 < sum(map(bool, of[Area.WHOLE_FACE])) / 500 < 0.5
    assert {h for h in of[Area.WHOLE_FACE] if h} == {(part,) for part in PARTS}
    assert {h for h in of[Area.MOUTH_EYES] if h} == {(Part.NOSE,)}
    assert not any(of[Area.MOUTH])
    assert not any(_Data.load(cache, SMALL).hidden(areas, np.random.default_rng(0)))


def test_a_training_with_hidden_parts_sees_other_crops(cache: FaceCache) -> None:
    whole = replace(SMALL, area="whole_face", augmentation=PUBLISHED_AUGMENTATION)
    plain, hidden = (
        next(iter(_Data.load(cache, replace(whole, hide=hide)).batches(0, 16, 1.0)))[0] for hide in (0.0, 1.0)
    )
    assert (hidden == 0).float().mean() > (plain == 0).float().mean() + 0.05
