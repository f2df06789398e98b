import json

import numpy as np
import pytest

from builders.faces import make_cache

torch = pytest.importorskip("torch", reason="needs the extra train")

from mien.cli.train_visibility import main  # noqa: E402
from mien.data.cache import FaceCache  # noqa: E402
from mien.measure.occluders import TRAINING_KINDS  # noqa: E402
from mien.measure.visibility import VisibilityConfig, balanced_accuracy, draw_views  # noqa: E402
from mien.train import visibility as visibility_train  # noqa: E402
from mien.train.visibility import VisibilityNet, add_to_manifest, choose_thresholds, soft_targets, to_onnx  # noqa: E402
from mien.trust.visibility import VisibilityModel, view_of  # noqa: E402


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> FaceCache:
    return FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=48))


def test_views_are_drawn_from_their_split_and_seed(cache: FaceCache) -> None:
    config = VisibilityConfig()
    one, two = (draw_views(cache, "train", TRAINING_KINDS, 40, config, 1) for _ in range(2))
    other = draw_views(cache, "train", TRAINING_KINDS, 40, config, 2)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert one.pixels.shape == (40, 2, 48, 48)
    assert {"none"} < set(one.kinds) <= {"none", *TRAINING_KINDS}
    bare = np.array(one.kinds) == "none"
    assert (one.hidden[bare] == 0).all()
    assert one.hidden[~bare].max() > 0.5


def test_mirroring_swaps_the_eyes() -> None:
    views = torch.zeros(2, 2, 48, 48, dtype=torch.uint8)
    views[:, 0, :, :10] = 200
    views[:, 1, 5, 5], views[:, 1, 5, 40], views[:, 1, 9, 9] = 1, 2, 3
    targets = torch.tensor([[0.0, 1.0, 0.3, 0.4]] * 2)
    flipped, wanted = visibility_train._mirrored(views, targets, torch.tensor([True, False]))
    assert (flipped[0, 1, 5, 42].item(), flipped[0, 1, 5, 7].item(), flipped[0, 1, 9, 38].item()) == (2, 1, 3)
    assert flipped[0, 0, 0, 47].item() == 200
    assert wanted.tolist()[0] == pytest.approx([1.0, 0.0, 0.3, 0.4])
    assert torch.equal(flipped[1], views[1])


def test_targets_are_soft_only_near_one_half() -> None:
    hidden = np.array([0, 0.35, 0.5, 0.65, 1], np.float32)
    np.testing.assert_allclose(soft_targets(hidden), [1, 1, 0.5, 0, 0], atol=1e-6)


def test_thresholds_are_those_of_the_best_balanced_accuracy() -> None:
    hidden = np.repeat([[0.0], [1.0]], 50, axis=0) * np.ones(4)
    p = np.where(hidden > 0.5, 0.4, 0.8).astype(np.float32)
    chosen = choose_thresholds(p, hidden.astype(np.float32))
    assert all(0.4 < t <= 0.8 for t in chosen.values())
    assert balanced_accuracy(np.array([True, True, False]), np.array([True, False, False])) == pytest.approx(0.75)


def test_the_exported_network_says_what_torch_says(cache: FaceCache, tmp_path) -> None:
    torch.manual_seed(0)
    network = VisibilityNet().eval()
    digest = to_onnx(network, tmp_path / "visibility.onnx")
    (tmp_path / "manifest.json").write_text(json.dumps({"networks": {"vgg": {}}, "default": "vgg", "version": "7"}))
    add_to_manifest(tmp_path, digest, {"nose": 0.3}, VisibilityConfig())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["version"], manifest["default"]) == ("7", "vgg")
    frames = [cache.frame(i) for i in range(6)]
    with torch.no_grad():
        expected = network(torch.from_numpy(np.stack([view_of(f) for f in frames]))).numpy()
    for row, piece in zip(expected, VisibilityModel(tmp_path).pieces(frames), strict=True):
        np.testing.assert_allclose(list(piece.seen.values()), row, atol=1e-4)
        assert (piece.thresholds["nose"], piece.thresholds["mouth"]) == (0.3, 0.5)


@pytest.mark.slow
def test_a_short_training_learns_and_the_command_writes_it(cache: FaceCache, tmp_path, capsys) -> None:
    small = ["--faces", "768", "--epochs", "3", "--watch", "200"]
    assert main(["--data", str(cache.folder), "--out", str(tmp_path), *small]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "loss" in line]
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in said]
    assert losses[-1] < 0.9 * losses[0]
    assert len(VisibilityModel(tmp_path).pieces([cache.frame(0)])) == 1
