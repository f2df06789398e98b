"""The two published networks, the any-area network, and their export to ONNX. Needs torch (extra ``train``).

Every network takes crops as they are (uint8, 0 = not visible): normalisation lives inside the graph, so training and
inference cannot disagree.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.train.config import NETWORKS, NetworkName
from mien.train.precision import mixed_precision
from mien.types import N_EMOTIONS

VGG_BLOCKS: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256, 256), (256, 256, 256), (512, 512))
"""Filters of the 3x3 convolutions between the poolings (Fig. 1)."""


def normalize_crops(crops: Tensor) -> Tensor:
    """Per-image normalisation over the visible pixels; what is not visible becomes 0, the mean.

    Args:
        crops: uint8 or float [N, S, S], 0 = not visible, visible pixels in 1..255.

    Returns:
        float32 [N, 1, S, S]: mean 0 and standard deviation 1 over the visible pixels of each crop.
    """
    x = crops.float().unsqueeze(1)
    mask = (x > 0.5).float()
    count = mask.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    mean = (x * mask).sum(dim=(2, 3), keepdim=True) / count
    centred = (x - mean) * mask
    spread = (centred.square().sum(dim=(2, 3), keepdim=True) / count).sqrt().clamp(min=1.0)
    return centred / spread


class VGG(nn.Module):
    """The classification network (Fig. 1): 7.06 M parameters, 64x64 grey in, logits out.

    Smaller crops (progressive resizing) keep the same weights: the last pooling always ends at 2x2.
    """

    def __init__(self, classes: int = N_EMOTIONS, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = 1
        for filters in VGG_BLOCKS:
            layers: list[nn.Module] = []
            for width in filters:
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                ]
                channels = width
            self.blocks.append(nn.Sequential(*layers))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels * 4, classes)
        _initialise(self)

    def forward(self, crops: Tensor) -> Tensor:
        """uint8 [N, S, S] -> logits float32 [N, classes]."""
        x = normalize_crops(crops)
        for block in self.blocks[:-1]:
            x = F.max_pool2d(block(x), 2)
        logits: Tensor = self.classifier(self.dropout(_last_pool(self.blocks[-1](x)).flatten(1)))
        return logits


class AnyAreaVGG(VGG):
    """One set of weights for every area: the VGG told which parts are visible (beyond the paper).

    The three bits scale and shift the channels after each block (feature-wise linear modulation), from zero.
    """

    def __init__(self, classes: int = N_EMOTIONS, dropout: float = 0.0) -> None:
        super().__init__(classes, dropout)
        films = [nn.Linear(3, 2 * filters[-1], bias=False) for filters in VGG_BLOCKS]
        for film in films:
            nn.init.zeros_(film.weight)
        self.films = nn.ModuleList(films)

    def forward(self, crops: Tensor, parts: Tensor) -> Tensor:  # type: ignore[override]
        """crops uint8 [N, S, S] and parts float32 [N, 3] (eyes, nose, mouth: 1 visible) -> logits [N, classes]."""
        x = normalize_crops(crops)
        for depth, (block, film) in enumerate(zip(self.blocks, self.films, strict=True)):
            scale, shift = film(parts).chunk(2, dim=1)
            x = block(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
            x = F.max_pool2d(x, 2) if depth < len(self.blocks) - 1 else _last_pool(x)
        logits: Tensor = self.classifier(self.dropout(x.flatten(1)))
        return logits


class DenseLayer(nn.Module):
    """Bottleneck 1x1, then 3x3, batch norm and ReLU before each; its input is passed on beside its output."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C + growth, H, W]."""
        new = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, new], dim=1)


class DenseNetBC(nn.Module):
    """The visualisation network (Fig. 2): DenseNet-BC of depth 100, growth 12, compression 0.5, with CAM.

    ``forward`` gives logits and, from the same last maps f_k, the class maps sum_k w_k^c f_k(x, y). The mean of a
    class map plus the class's bias is that class's logit (the CAM identity).
    """

    def __init__(self, classes: int = N_EMOTIONS, growth: int = 12, layers: int = 16, stem: int = 16) -> None:
        super().__init__()
        channels = stem
        stages: list[nn.Module] = [nn.Conv2d(1, channels, 3, padding=1, bias=False)]
        for block in range(3):
            for _ in range(layers):
                stages.append(DenseLayer(channels, growth))
                channels += growth
            stages += [nn.BatchNorm2d(channels), nn.ReLU()]
            if block < 2:
                stages += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
                channels //= 2
        self.features = nn.Sequential(*stages)
        self.classifier = nn.Linear(channels, classes)
        _initialise(self)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 [N, S, S] -> logits [N, classes], class maps [N, classes, S/4, S/4], GAP features [N, K]."""
        maps = self.features(normalize_crops(crops))
        pooled = maps.mean(dim=(2, 3))
        class_maps = F.conv2d(maps, self.classifier.weight[:, :, None, None])
        return self.classifier(pooled), class_maps, pooled


def _last_pool(x: Tensor) -> Tensor:
    """To 2x2 by adaptive max pooling, spelt out so that it exports.

    For the published 64x64 input (4x4 maps) this is the plain 2x2/2 max pooling; 48 and 32 pixels give 3x3 and 2x2.
    """
    side = x.shape[-1]
    if side == 2:
        return x
    return F.max_pool2d(x, 2, stride=side - 2) if side in (3, 4) else F.adaptive_max_pool2d(x, 2)


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def build(name: NetworkName, dropout: float = 0.0) -> nn.Module:
    """A fresh network by name.

    Raises:
        ValueError: no network has this name.
    """
    if name == "vgg":
        return VGG(dropout=dropout)
    if name == "anyarea":
        return AnyAreaVGG(dropout=dropout)
    if name == "densenet":
        return DenseNetBC()
    raise ValueError(f"no network is called {name!r}: choose from {', '.join(NETWORKS)}")


def to_onnx(network: nn.Module, path: Path, size: int = 64) -> None:
    """Write a network as ONNX with a free batch dimension.

    Inputs: ``crops`` uint8 [N, size, size] (and ``parts`` float32 [N, 3] for the any-area network).
    Outputs: ``logits`` float32 [N, 8]; the DenseNet also ``class_maps`` [N, 8, size/4, size/4] and ``features``.
    """
    network = network.eval().float()
    crops = torch.randint(0, 256, (2, size, size), dtype=torch.uint8)
    names_in, names_out, example = ["crops"], ["logits"], (crops,)
    if isinstance(network, AnyAreaVGG):
        names_in.append("parts")
        example = (crops, torch.ones(2, 3))  # type: ignore[assignment]
    if isinstance(network, DenseNetBC):
        names_out += ["class_maps", "features"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of the fixed input size, and of its own deprecation
        torch.onnx.export(
            network,
            example,
            str(path),
            input_names=names_in,
            output_names=names_out,
            dynamic_axes={name: {0: "batch"} for name in names_in + names_out},
            opset_version=17,
            dynamo=False,
        )


def forward(network: nn.Module, crops: Tensor, parts: Tensor) -> Tensor:
    """Logits float32 [N, 8] of any of the three networks."""
    if isinstance(network, AnyAreaVGG):
        logits = network(crops, parts)
    elif isinstance(network, DenseNetBC):
        logits = network(crops)[0]
    else:
        logits = network(crops)
    return cast(Tensor, logits).float()


def predict(network: nn.Module, crops: Tensor, parts: Tensor, batch: int = 256) -> Tensor:
    """Logits float32 [N, 8] in eval mode, in the precision of training."""
    network.eval()
    out = []
    with torch.no_grad(), mixed_precision():
        for start in range(0, len(crops), batch):
            piece = slice(start, start + batch)
            out.append(forward(network, crops[piece], parts[piece]).float())
    return torch.cat(out)
