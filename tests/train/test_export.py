"""Trainings become ONNX models that answer as torch does; the logit bias is chosen on validation and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

import onnxruntime
import torch

from builders.faces import make_cache
from mien.data.cache import FaceCache, crops_of
from mien.errors import ModelError, TableError
from mien.measure.cards import write_cards
from mien.measure.evaluation import summaries
from mien.measure.predictions import predict, predict_visualisation
from mien.train import export as release
from mien.train.batches import part_bits
from mien.train.config import TrainConfig
from mien.train.loop import train
from mien.train.networks import forward
from mien.train.runs import Trained, load
from mien.trust.folder import Manifest
from mien.trust.models import Models
from mien.types import AREAS, EMOTIONS, Area


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FaceCache:
    return FaceCache.open(make_cache(tmp_path_factory.mktemp("cache"), faces=120))


@pytest.fixture(scope="module")
def trainings(cache: FaceCache, tmp_path_factory: pytest.TempPathFactory) -> list[Trained]:
    runs = tmp_path_factory.mktemp("runs")
    plan = [("anyarea", "whole_face"), ("vgg", "mouth"), ("densenet", "whole_face")]
    configs = [
        TrainConfig(network=n, area=a, stages=((1.0, 32),), batch=16, limit=32, average=0.0, dropout=0.0)  # type: ignore[arg-type]
        for n, a in plan
    ]
    return [train(cache, config, runs, progress=lambda _: None) for config in configs]


@pytest.fixture(scope="module")
def folder(cache: FaceCache, trainings: list[Trained], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models")
    release.export_trainings(cache, trainings, out, release.ExportConfig("fp32", flip=False), progress=lambda _: None)
    return out


@pytest.mark.parametrize(("place", "network", "area"), [(0, "anyarea", Area.NOSE_EYES), (1, "vgg", Area.MOUTH)])
def test_onnx_answers_as_torch(
    cache: FaceCache, trainings: list[Trained], folder: Path, place: int, network: str, area: Area
) -> None:
    models = Models(folder, network)
    entry = models.entry(area)
    crops = crops_of(cache, cache.rows("test")[:6], area, entry.spec)
    with torch.no_grad():
        wanted = forward(trainings[place].network, torch.from_numpy(crops), part_bits([area] * len(crops))).numpy()
    np.testing.assert_allclose(models.logits(area, crops, bias=False), wanted, atol=1e-4)


def test_quantised_answers_stay_near_and_four_times_smaller(
    cache: FaceCache, trainings: list[Trained], folder: Path, tmp_path: Path
) -> None:
    release.export_trainings(
        cache, [trainings[1]], tmp_path, release.ExportConfig("int8", flip=False), progress=lambda _: None
    )
    small, full = Models(tmp_path), Models(folder, "vgg")
    crops = crops_of(cache, cache.rows("test"), Area.MOUTH, small.entry(Area.MOUTH).spec)
    here = small.logits(Area.MOUTH, crops, bias=False)
    there = full.logits(Area.MOUTH, crops, bias=False)
    assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.98
    sizes = [m.entry(Area.MOUTH).path.stat().st_size for m in (small, full)]
    assert sizes[0] < 0.3 * sizes[1]


def test_half_precision_weights_answer_nearly_alike_at_half_the_size(
    cache: FaceCache, trainings: list[Trained], folder: Path, tmp_path: Path
) -> None:
    release.export(trainings[2], tmp_path / "densenet.onnx", "fp16", cache)
    crops = crops_of(cache, cache.rows("test")[:4], Area.WHOLE_FACE, trainings[2].config.final_spec)
    answers = [
        onnxruntime.InferenceSession(place / "densenet.onnx").run(["class_maps"], {"crops": crops})[0]
        for place in (tmp_path, folder)
    ]
    np.testing.assert_allclose(*answers, atol=0.01 * float(np.abs(answers[1]).max()))
    sizes = [(place / "densenet.onnx").stat().st_size for place in (tmp_path, folder)]
    assert sizes[0] < 0.65 * sizes[1]


def test_a_later_release_keeps_what_the_folder_holds(folder: Path) -> None:
    manifest = Manifest.read(folder)
    assert tuple(manifest.networks["anyarea"]) == AREAS
    assert tuple(manifest.networks["vgg"]) == (Area.MOUTH,)
    assert manifest.visualisation is not None
    assert manifest.visualisation.path.name == "densenet.onnx"
    assert manifest.default == "anyarea"


def test_mirror_images_are_averaged(cache: FaceCache, trainings: list[Trained], tmp_path: Path) -> None:
    release.export_trainings(cache, [trainings[1]], tmp_path, release.ExportConfig("fp32"), progress=lambda _: None)
    models = Models(tmp_path)
    crops = crops_of(cache, cache.rows("test")[:5], Area.MOUTH, models.entry(Area.MOUTH).spec)
    np.testing.assert_allclose(
        models.logits(Area.MOUTH, crops), models.logits(Area.MOUTH, crops[:, :, ::-1]), atol=1e-5
    )


def test_a_damaged_model_is_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "vgg-mouth.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="damaged"):
        Models(tmp_path, "vgg").logits(Area.MOUTH, np.ones((1, 64, 64), np.uint8))


def test_every_emotion_is_said_and_strength_trades_accuracy_for_macro_recall() -> None:
    generator = np.random.default_rng(0)
    prior = np.array([0.5, 0.3, 0.1, 0.04, 0.03, 0.01, 0.01, 0.01])
    labels = generator.choice(8, 4000, p=prior)
    logits = (generator.normal(size=(4000, 8)) + 1.5 * np.eye(8)[labels] + np.log(prior)).astype(np.float32)
    logits[:, 7] -= 6
    trade = release.choose_bias(logits, labels, prior)
    assert trade.strength == 0
    assert trade.rows[0]["emotions_said"] < 8
    assert trade.shipped["emotions_said"] == 8
    assert trade.shipped["accuracy"] > trade.rows[0]["accuracy"] - 0.01
    assert trade.bias.argmax() >= 5  # the rarest gain most
    strong = release.choose_bias(logits, labels, prior, strength=1.0)
    assert strong.shipped["macro_recall"] > trade.shipped["macro_recall"]
    assert strong.shipped["accuracy"] < trade.shipped["accuracy"]


def test_pictures_of_another_split_are_left_out_on_request(cache: FaceCache, folder: Path) -> None:
    table = predict(cache, Models(folder, "vgg"), "test", (Area.MOUTH,), selection="any")
    published = table[table["published"]]
    again = set(published["sample_id"].iloc[:2])
    found = summaries(table, repeated=again)["mouth"]
    assert found["unrepeated"]["n"] == found["published"]["n"] - 2
    assert "unrepeated" not in summaries(table)["mouth"]


def test_cards_say_what_was_measured_and_refuse_another_model(cache: FaceCache, folder: Path, tmp_path: Path) -> None:
    models = Models(folder, "vgg")
    table = predict(cache, models, "test", models.areas, selection="any")
    evaluation = {
        "command": "mien evaluate --cache there", "dataset": "drawn", "split": "test", "areas": summaries(table),
        "models": {a.value: models.entry(a).sha256[:12] for a in models.areas},
    }  # fmt: skip
    card = write_cards(models, evaluation, tmp_path)[0].read_text()
    shown = evaluation["areas"]["mouth"]["published"]["accuracy"]["value"]
    assert f"{shown:.2%}" in card
    assert all(e.value in card for e in EMOTIONS)
    evaluation["models"] = {"mouth": "of another"}
    with pytest.raises(TableError, match="not of this folder"):
        write_cards(models, evaluation, tmp_path)


def test_the_visualisation_network_has_its_card(
    cache: FaceCache, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.measure.cards.LATENCY_RUNS", 3)
    models = Models(folder, "anyarea")
    seen = predict_visualisation(cache, models, "test", "any")
    assert set(seen["network"]) == {"densenet"}
    evaluation = {
        "command": "mien evaluate --cache there", "dataset": "drawn", "split": "test",
        "areas": summaries(predict(cache, models, "test", models.areas, selection="any")),
        "models": {a.value: models.entry(a).sha256[:12] for a in models.areas},
        "visualisation": summaries(seen)["whole_face"],
    }  # fmt: skip
    with pytest.raises(TableError, match="visualisation network"):
        write_cards(models, evaluation, tmp_path)
    evaluation["models"]["visualisation"] = models.visualisation.sha256[:12]
    card = next(path for path in write_cards(models, evaluation, tmp_path) if path.name == "densenet-whole_face.md")
    assert f"{evaluation['visualisation']['published']['accuracy']['value']:.2%}" in card.read_text()


def test_a_run_without_weights_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no finished training"):
        load(tmp_path)
