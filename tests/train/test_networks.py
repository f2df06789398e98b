from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from mien.train.config import NETWORKS
from mien.train.networks import VGG, VGG_BLOCKS, AnyAreaVGG, DenseNetBC, build, normalize_crops, to_onnx

ONNX_TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def crops() -> Tensor:
    """uint8 [5, 64, 64] with everything a crop can be: padded, dark, flat, nothing visible."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(1, 256, (5, 64, 64), dtype=torch.uint8, generator=generator)
    pixels[0, :20] = 0
    pixels[1] = pixels[1] // 60 + 1
    pixels[2] = 77
    pixels[3] = 0
    return pixels


def lived_in(name: str) -> nn.Module:
    """A network whose batch norms have statistics and scales, as after a training."""
    torch.manual_seed(1)
    network = build(name)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.1)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.5)
    return network.eval()


def shapes_of(network: nn.Module, layers: list[nn.Module], *inputs: Tensor) -> list[tuple[int, ...]]:
    """Output shapes of some layers in one forward pass, without the batch dimension."""
    shapes: list[tuple[int, ...]] = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:]))) for layer in layers]
    with torch.no_grad():
        network.eval()(*inputs)
    for hook in hooks:
        hook.remove()
    return shapes


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_vgg_has_the_layers_of_figure_1(crops: Tensor) -> None:
    assert VGG_BLOCKS == ((64, 64), (128, 128), (256, 256, 256), (256, 256, 256), (512, 512))
    network = VGG()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [w for block in VGG_BLOCKS for w in block]
    assert all(c.kernel_size == (3, 3) and c.stride == (1, 1) and c.padding == (1, 1) for c in convolutions)
    sides = [shape[1:] for shape in shapes_of(network, list(network.blocks), crops)]
    assert sides == [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]
    assert sum(isinstance(m, nn.Linear) for m in network.modules()) == 1
    assert network.classifier.in_features == 512 * 2 * 2
    for block in network.blocks:
        kinds = [type(layer) for layer in block]
        assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * (len(kinds) // 3)


def test_vgg_has_7_06_million_parameters() -> None:
    """Counted by hand from the figure: 9 weights a filter pair, two a batch norm, and the classifier."""
    widths = [1] + [w for block in VGG_BLOCKS for w in block]
    filters = sum(9 * before * after for before, after in pairwise(widths))
    by_hand = filters + sum(2 * w for w in widths[1:]) + 2048 * 8 + 8
    assert parameters(VGG()) == by_hand
    assert round(by_hand / 1e6, 2) == 7.06


def test_any_area_network_is_the_vgg_and_seven_thousand_more() -> None:
    extra = parameters(AnyAreaVGG()) - parameters(VGG())
    assert extra == sum(3 * 2 * block[-1] for block in VGG_BLOCKS)


def test_any_area_network_starts_blind_to_the_parts_and_can_learn_them(crops: Tensor) -> None:
    network = AnyAreaVGG().eval()
    mouth, eyes = torch.tensor([[0.0, 0, 1]]).repeat(5, 1), torch.tensor([[1.0, 0, 0]]).repeat(5, 1)
    with torch.no_grad():
        assert torch.equal(network(crops, mouth), network(crops, eyes))
        for film in network.films:
            nn.init.normal_(film.weight, std=0.1)
        assert not torch.allclose(network(crops, mouth), network(crops, eyes))


def test_densenet_is_depth_100_growth_12_compression_half(crops: Tensor) -> None:
    network = DenseNetBC()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) + 1 == 100  # and the classifier
    assert convolutions[0].out_channels == 16
    layers = [m for m in network.modules() if type(m).__name__ == "DenseLayer"]
    assert len(layers) == 3 * 16
    assert all(m.conv1.kernel_size == (1, 1) and m.conv1.out_channels == 48 for m in layers)
    assert all(
        m.conv2.kernel_size == (3, 3) and m.conv2.out_channels == 12 and m.conv2.padding == (1, 1) for m in layers
    )
    transitions = [m for m in network.features if isinstance(m, nn.Conv2d)][1:]
    assert [(t.in_channels, t.out_channels) for t in transitions] == [(208, 104), (296, 148)]
    assert network.classifier.in_features == 148 + 16 * 12
    sides = [s[1:] for s in shapes_of(network, [layers[0], layers[16], layers[32]], crops)]
    assert sides == [(64, 64), (32, 32), (16, 16)]
    assert parameters(network) == 753_840


def test_cam_identity(crops: Tensor) -> None:
    """Mean of a class map plus the class's bias is the logit."""
    network = lived_in("densenet")
    with torch.no_grad():
        logits, maps, features = network(crops)
    assert maps.shape == (5, 8, 16, 16)
    assert features.shape == (5, 340)
    torch.testing.assert_close(maps.mean(dim=(2, 3)) + network.classifier.bias, logits, atol=1e-4, rtol=1e-4)  # type: ignore[union-attr,operator]


def test_normalisation_is_over_visible_pixels_only(crops: Tensor) -> None:
    normal = normalize_crops(crops)
    shown = crops > 0
    assert normal.shape == (5, 1, 64, 64)
    assert (normal[:, 0][~shown] == 0).all()
    for crop, mask in zip(normal[:2, 0], shown[:2], strict=True):
        assert crop[mask].mean().abs() < 1e-4
        assert crop[mask].std(correction=0) == pytest.approx(1, abs=0.02)
    assert (normal[2:4] == 0).all()


def test_normalisation_undoes_light_and_contrast(crops: Tensor) -> None:
    bright = crops[4].float() * 0.5 + 100
    torch.testing.assert_close(normalize_crops(bright[None]), normalize_crops(crops[4:5]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [16, 32, 48, 64])
def test_smaller_crops_keep_the_same_weights(name: str, side: int) -> None:
    network = build(name).eval()  # type: ignore[arg-type]
    inputs = [torch.randint(0, 256, (2, side, side), dtype=torch.uint8)]
    if name == "anyarea":
        inputs.append(torch.ones(2, 3))
    out = network(*inputs)
    assert (out[0] if name == "densenet" else out).shape == (2, 8)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_agrees_with_torch(name: str, crops: Tensor, tmp_path: Path) -> None:
    network = lived_in(name)
    to_onnx(network, tmp_path / "n.onnx")
    session = ort.InferenceSession(str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"])
    feed: dict[str, np.ndarray] = {"crops": crops.numpy()}
    inputs = [crops]
    if name == "anyarea":
        for film in network.films:  # type: ignore[union-attr]
            nn.init.normal_(film.weight, std=0.1)
        to_onnx(network, tmp_path / "n.onnx")
        session = ort.InferenceSession(str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"])
        parts = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]])
        feed["parts"] = parts.numpy()
        inputs.append(parts)
    with torch.no_grad():
        wanted = network(*inputs)
    wanted = list(wanted) if name == "densenet" else [wanted]
    names = ["logits", "class_maps", "features"][: len(wanted)]
    got = session.run(names, feed)
    for label, one, two in zip(names, got, wanted, strict=True):
        assert one.shape == tuple(two.shape), label
        scale = max(1.0, float(two.abs().max()))
        assert np.abs(one - two.numpy()).max() <= ONNX_TOLERANCE * scale, label
    alone = session.run(["logits"], {k: v[:1] for k, v in feed.items()})[0]
    np.testing.assert_allclose(alone, got[0][:1], atol=ONNX_TOLERANCE)


def test_cam_identity_holds_in_the_exported_graph(crops: Tensor, tmp_path: Path) -> None:
    network = lived_in("densenet")
    to_onnx(network, tmp_path / "d.onnx")
    session = ort.InferenceSession(str(tmp_path / "d.onnx"), providers=["CPUExecutionProvider"])
    logits, maps = session.run(["logits", "class_maps"], {"crops": crops.numpy()})
    bias = network.classifier.bias.detach().numpy()  # type: ignore[union-attr,operator]
    np.testing.assert_allclose(maps.mean(axis=(2, 3)) + bias, logits, atol=1e-4, rtol=1e-4)


def test_unknown_network() -> None:
    with pytest.raises(ValueError, match="no network is called 'resnet': choose from vgg"):
        build("resnet")  # type: ignore[arg-type]


def test_shipped_class_maps_satisfy_the_cam_identity() -> None:
    """On the packaged weights: logits minus mean class maps is one bias for all pictures."""
    from mien.trust.models import Models

    side = Models().visualisation.spec.size
    some = np.random.default_rng(0).integers(1, 256, (4, side, side), np.uint8)
    logits, maps, _ = Models().class_maps(some)
    bias = logits - maps.mean(axis=(2, 3))
    np.testing.assert_allclose(bias, np.repeat(bias[:1], 4, axis=0), atol=1e-3)
