import json
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelError
from mien.face.spec import CropSpec
from mien.trust.folder import SHIPPED
from mien.trust.models import Models
from mien.types import AREAS, Area, UInt8


@pytest.fixture(scope="module")
def crops() -> UInt8:
    return np.random.default_rng(1).integers(1, 256, (5, 64, 64), np.uint8)


@pytest.fixture
def folder(tiny_models: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(tiny_models, tmp_path / "models"))


def edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["networks"]["vgg"].values():
        entry.update(changes)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_logits_of_every_area_and_network(tiny_models: Path, crops: UInt8) -> None:
    for network in ("vgg", "anyarea"):
        models = Models(tiny_models, network)
        assert models.areas == AREAS
        rows = [models.logits(area, crops) for area in AREAS]
        assert all(r.shape == (5, 8) and r.dtype == np.float32 for r in rows)
        assert all(not np.allclose(a, b) for a, b in pairwise(rows))


def test_default_network_is_the_manifests(tiny_models: Path) -> None:
    assert Models(tiny_models).network == "anyarea"


def test_batches_do_not_change_logits(tiny_models: Path, crops: UInt8) -> None:
    models = Models(tiny_models)
    together = models.logits(Area.NOSE, crops)
    np.testing.assert_allclose(models.logits(Area.NOSE, crops, batch=2), together, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([models.logits(Area.NOSE, c[None]) for c in crops]), together, atol=1e-5)
    assert models.logits(Area.NOSE, crops[:0]).shape == (0, 8)


def test_flip_is_the_mean_with_the_mirror_image(folder: Path, crops: UInt8) -> None:
    flipped = Models(folder, "vgg").logits(Area.MOUTH, crops)
    edit(folder, flip=False)
    plain = Models(folder, "vgg")
    mirrored = plain.logits(Area.MOUTH, np.ascontiguousarray(crops[:, :, ::-1]))
    np.testing.assert_allclose(flipped, (plain.logits(Area.MOUTH, crops) + mirrored) / 2, atol=1e-5)


def test_logit_bias_is_added_where_it_changes_the_answer(folder: Path, crops: UInt8) -> None:
    before = Models(folder, "vgg").logits(Area.EYES, crops)
    rare = int(before.mean(axis=0).argmin())
    gaps = np.sort(before.max(axis=1) - before[:, rare])
    bias = [0.0] * 8
    bias[rare] = float(gaps[1:3].mean())
    edit(folder, logit_bias=bias)
    models = Models(folder, "vgg")
    after = models.logits(Area.EYES, crops)
    raised = (before + np.array(bias)).argmax(axis=1) == rare
    assert 0 < raised.sum() < len(crops)
    np.testing.assert_allclose(after[raised], before[raised] + np.array(bias), atol=1e-5)
    np.testing.assert_allclose(after[~raised], before[~raised], atol=1e-5)
    np.testing.assert_allclose(models.logits(Area.EYES, crops, bias=False), before, atol=1e-5)


def test_any_area_network_is_told_the_visible_parts(tiny_models: Path, crops: UInt8) -> None:
    """All areas share one file; only the three bits tell them apart, and they add up."""
    models = Models(tiny_models, "anyarea")
    of = {area: models.logits(area, crops) for area in AREAS}
    joined = of[Area.NOSE] + of[Area.MOUTH] + of[Area.EYES] - 2 * _without_parts(models, crops)
    np.testing.assert_allclose(of[Area.WHOLE_FACE], joined, atol=1e-4)


def _without_parts(models: Models, crops: UInt8) -> np.ndarray:
    of = {a: models.logits(a, crops) for a in (Area.NOSE, Area.MOUTH, Area.NOSE_MOUTH)}
    return of[Area.NOSE] + of[Area.MOUTH] - of[Area.NOSE_MOUTH]


def test_class_maps_satisfy_the_cam_identity(tiny_models: Path, crops: UInt8) -> None:
    """Mean of a class map plus a bias that is the same for every picture is the logit."""
    logits, maps, features = Models(tiny_models).class_maps(crops)
    assert maps.shape == (5, 8, 16, 16)
    assert features.shape[0] == 5
    bias = logits - maps.mean(axis=(2, 3))
    np.testing.assert_allclose(bias, np.repeat(bias[:1], 5, axis=0), atol=1e-4)


def test_entries_say_how_crops_are_cut(tiny_models: Path) -> None:
    entry = Models(tiny_models).entry(Area.NOSE)
    assert entry.spec == CropSpec()
    assert entry.path.is_file()


def test_unknown_network_names_the_known_ones(tiny_models: Path) -> None:
    with pytest.raises(ModelError, match="choose from vgg, anyarea, resnet"):
        Models(tiny_models, "lenet")


def test_missing_folder_and_broken_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json"):
        Models(tmp_path / "nowhere")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match=r"manifest\.json"):
        Models(tmp_path)


def test_damaged_file_is_never_used(folder: Path, crops: UInt8) -> None:
    path = folder / "vgg-nose.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match="SHA-256"):
        Models(folder, "vgg").logits(Area.NOSE, crops)
    path.unlink()
    with pytest.raises(ModelError, match="cannot read"):
        Models(folder, "vgg").logits(Area.NOSE, crops)


def test_incomplete_entry_and_missing_area(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["networks"]["vgg"]["nose"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    models = Models(folder, "vgg")
    assert Area.NOSE not in models.areas
    with pytest.raises(ModelError, match="no vgg network for the area nose"):
        models.entry(Area.NOSE)
    del manifest["networks"]["vgg"]["mouth"]["spec"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="lacks 'spec'"):
        Models(folder, "vgg")


def test_no_visualisation_network(untrusted_models: Path, crops: UInt8) -> None:
    with pytest.raises(ModelError, match="no visualisation"):
        Models(untrusted_models).class_maps(crops)


def test_threads_share_one_models(tiny_models: Path, crops: UInt8) -> None:
    models, results = Models(tiny_models), []
    threads = [threading.Thread(target=lambda: results.append(models.logits(Area.NOSE, crops))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all((r == results[0]).all() for r in results)


def test_shipped_models_are_complete_and_undamaged() -> None:
    """Every file of the package's manifest opens, and all files together stay below 60 MB."""

    def some(side: int) -> UInt8:
        return np.random.default_rng(0).integers(1, 256, (2, side, side), np.uint8)

    for network in Models().manifest.networks:
        models = Models(None, network)
        assert models.areas == AREAS
        for area in AREAS:
            assert np.isfinite(models.logits(area, some(models.entry(area).spec.size))).all()
    assert np.isfinite(Models().class_maps(some(Models().visualisation.spec.size))[1]).all()
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 60e6
