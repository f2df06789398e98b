import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from builders.faces import make_cache  # noqa: E402
from mien.data.cache import FaceCache  # noqa: E402
from mien.errors import ModelError  # noqa: E402
from mien.face.areas import PIECES  # noqa: E402
from mien.train.covers import view_data  # noqa: E402
from mien.train.dlib_weights import Layer, read_layers, weights_file  # noqa: E402
from mien.train.resnet import FaceResNet, start_from_face_weights  # noqa: E402
from mien.train.resnet_export import export_resnet, to_onnx  # noqa: E402
from mien.train.resnet_run import ResNetConfig, load_resnet, one_cycle, predict_resnet, train_resnet  # noqa: E402
from mien.train.views import Donor, ViewConfig, ViewMaker  # noqa: E402
from mien.trust.models import Models  # noqa: E402
from mien.types import Area  # noqa: E402

SMALL = ResNetConfig(epochs=2, side=64, batch=24, seen=4)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> FaceCache:
    return FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=120))


@pytest.fixture
def random_start(monkeypatch) -> None:
    """Training starts from random weights: dlib's are in another package."""
    monkeypatch.setattr("mien.train.resnet_run.weights_file", lambda: None)
    monkeypatch.setattr("mien.train.resnet_run.read_layers", lambda path: [])


def maker(cache: FaceCache, seed: int = 0, **config: float) -> ViewMaker:
    donors = [Donor(cache.canvas(1), ("mouth",)), Donor(cache.canvas(2), ("nose", "mouth"), mask=True)]
    return ViewMaker(ViewConfig(**config), np.random.default_rng(seed), donors, [cache.canvas(3).pixels])


def test_views_say_what_is_hidden_of_them(cache: FaceCache) -> None:
    plain = [maker(cache, seed, erase=0).view(cache.canvas(seed), "plain") for seed in range(20)]
    assert np.median([view.hidden.max() for view in plain]) < 0.1
    areas = [maker(cache, seed).view(cache.canvas(seed), "area") for seed in range(30)]
    assert all(view.hidden.max() > 0.5 for view in areas if (view.pixels > 0).mean() < 0.1)
    for way, least in (("blanked", 0.5), ("real", 0.3), ("drawn", 0.1)):
        views = [maker(cache, seed).view(cache.canvas(seed), way) for seed in range(30)]
        assert np.mean([view.hidden.max() for view in views]) > least, way
        assert all(view.pixels.shape == (112, 112) and view.hidden.shape == (4,) for view in views)


def test_scores_given_by_eye_are_kept(cache: FaceCache) -> None:
    scores = {"right_eye": 2, "left_eye": 0, "nose": 0}
    for seed in range(12):
        view = maker(cache, seed, erase=0).view(cache.canvas(0), "plain", scores)
        assert view.hidden[:2].max() > 0.9
        assert view.weight[3] == 0 or view.hidden[3] > 0.6


def test_dlib_s_affine_layers_are_kept_as_batch_norms() -> None:
    generator = np.random.default_rng(0)
    network = FaceResNet()

    def layer(convolution: "torch.nn.Conv2d") -> Layer:
        out, into, high, wide = convolution.weight.shape
        weight = generator.normal(0, 0.05, (out, 3 if into == 1 else into, high, wide)).astype(np.float32)
        return Layer(weight, *(generator.normal(1, 0.1, out).astype(np.float32) for _ in range(3)))

    layers = [layer(convolution) for convolution, _ in network.convolutions()]
    faces = torch.rand(6, 1, 64, 64) * 255
    start_from_face_weights(network, layers, faces)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    pairs = list(network.convolutions())
    pairs[0][1].register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    network.eval()(faces)
    before, after = seen[0]
    gamma, beta, bias = (torch.from_numpy(v)[:, None, None] for v in (layers[0].gamma, layers[0].beta, layers[0].bias))
    torch.testing.assert_close(after, gamma * (before + bias) + beta, atol=1e-3, rtol=1e-3)


def test_dlib_s_own_file_is_read() -> None:
    pytest.importorskip("dlib")
    layers = read_layers(weights_file())
    network = FaceResNet()
    for (convolution, _), layer in zip(network.convolutions(), layers, strict=False):
        shape = tuple(convolution.weight.shape)
        assert layer.weight.shape == (shape if shape[1] > 1 else (shape[0], 3, *shape[2:]))


def test_another_file_is_no_face_network(tmp_path) -> None:
    (tmp_path / "x.dat").write_bytes(b"\x01\x05con_4 and nothing")
    with pytest.raises(ModelError, match="not dlib"):
        read_layers(tmp_path / "x.dat")


def test_the_rate_goes_up_and_down() -> None:
    rates = [one_cycle(share, 0.1) for share in np.linspace(0, 1, 50)]
    assert max(rates) == pytest.approx(1, abs=0.02)
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] < 0.01


@pytest.mark.slow
def test_a_training_goes_on_where_it_was_stopped(cache: FaceCache, tmp_path, random_start) -> None:
    data = view_data(cache, None, None)
    said: list[str] = []
    whole = train_resnet(data, SMALL, tmp_path / "whole", said.append, workers=0)
    assert whole is not None
    assert train_resnet(data, SMALL, tmp_path / "parts", said.append, workers=0, stop_after=1) is None
    parts = train_resnet(data, SMALL, tmp_path / "parts", said.append, workers=0)
    assert parts is not None
    assert [row["epoch"] for row in parts.curve] == ["1", "2"]
    assert pd.DataFrame(whole.curve)["loss"].tolist() == pd.DataFrame(parts.curve)["loss"].tolist()
    assert load_resnet(parts.folder).config == SMALL
    with pytest.raises(ModelError, match="no finished training"):
        load_resnet(tmp_path)


@pytest.mark.slow
def test_an_exported_network_says_the_same(cache: FaceCache, tmp_path, random_start) -> None:
    data = view_data(cache, None, None)
    trained = train_resnet(data, ResNetConfig(epochs=1, side=64, batch=24, seen=4), tmp_path, lambda line: None, 0)
    assert trained is not None
    faces = np.random.default_rng(0).integers(1, 256, (5, 64, 64), dtype=np.uint8)
    to_onnx(trained.network, tmp_path / "n.onnx", 64)
    logits, hidden = ort.InferenceSession(tmp_path / "n.onnx").run(None, {"crops": faces})
    own, gone = predict_resnet(trained.network, faces)
    np.testing.assert_allclose(logits, own, atol=0.1)
    np.testing.assert_allclose(hidden, gone, atol=0.05)
    export_resnet(trained, data, tmp_path / "models", "fp16", progress=lambda line: None)
    models = Models(tmp_path / "models")
    assert models.network == "resnet"
    assert models.sees_hidden
    assert set(models.entry(Area.MOUTH).thresholds) == set(PIECES)
