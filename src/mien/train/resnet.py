"""The one network: a residual network that knows faces, and says emotion and hidden pieces in one pass.

Its trunk is dlib's face recognition network (ResNet-29, CC0) from the stem to the first of its 256-channel levels: 27
convolutions, 4.4 M parameters, 151 M multiply-adds at 112 pixels. dlib's affine layers become batch norms that start as
the same function. One grey channel: the stem's weights are summed over colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.face.areas import PIECES
from mien.train.dlib_weights import Layer
from mien.types import N_EMOTIONS

LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True))
"""Filters, residual units, and whether the first unit halves the size; dlib's levels 4, 3, 2 and 1."""
CONTRAST = 0.2
"""Standard deviation of a face's visible pixels as the stem sees them: that of photos in dlib's scale."""
FLATTEST = 8.0
"""A face whose grey levels vary less than this is not stretched further."""


class Unit(nn.Module):
    """Two convolutions beside the input (average pooled where the unit halves, filled with zeros where it widens)."""

    def __init__(self, inputs: int, filters: int, down: bool) -> None:
        super().__init__()
        self.down, self.widened = down, filters - inputs
        stride, padding = (2, 0) if down else (1, 1)
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, inputs, S, S] -> [N, filters, S', S']."""
        y: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.down:
            x = F.avg_pool2d(x, 2, 2)
            y = F.pad(y, (0, x.shape[3] - y.shape[3], 0, x.shape[2] - y.shape[2]))
            x = F.pad(x, (0, 0, 0, 0, 0, self.widened))
        return F.relu(x + y)


class FaceResNet(nn.Module):
    """Aligned face, grey 0..255 with 0 = not visible, float [N, 1, S, S] -> emotion logits [N, 8] and, for each of
    ``PIECES``, the logit of how much of it is hidden [N, 4]."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 32, 7, 2, 0, bias=False)
        self.bn = nn.BatchNorm2d(32)
        units, inputs = [], 32
        for filters, count, down in LEVELS:
            for place in range(count):
                units.append(Unit(inputs, filters, down and place == 0))
                inputs = filters
        self.units = nn.Sequential(*units)
        self.drop = nn.Dropout(dropout)
        self.emotion = nn.Linear(inputs, N_EMOTIONS)
        self.hidden = nn.Linear(inputs, len(PIECES))
        for head in (self.emotion, self.hidden):
            nn.init.normal_(head.weight, 0, 0.01)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Emotion logits [N, 8], hidden logits [N, 4]."""
        features = self.drop(self.features(x))
        return self.emotion(features), self.hidden(features)

    def features(self, x: Tensor) -> Tensor:
        """float [N, 256]."""
        x = F.max_pool2d(F.relu(self.bn(self.stem(standardised(x)))), 3, 2)
        x = self.units(x)
        return x.mean((2, 3))

    def convolutions(self) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Every convolution with its batch norm, from input to output."""
        yield self.stem, self.bn
        for unit in self.units:
            assert isinstance(unit, Unit)
            yield unit.conv1, unit.bn1
            yield unit.conv2, unit.bn2


def standardised(x: Tensor) -> Tensor:
    """Visible pixels with the same mean and contrast in every face; what is not visible is the mean."""
    visible = (x > 0).to(x.dtype)
    count = visible.sum((2, 3), keepdim=True).clamp(min=1.0)
    away = (x - (x * visible).sum((2, 3), keepdim=True) / count) * visible
    spread = (away.square().sum((2, 3), keepdim=True) / count).sqrt().clamp(min=FLATTEST)
    return away / spread * CONTRAST


def start_from_face_weights(network: FaceResNet, layers: Sequence[Layer], faces: Tensor) -> None:
    """Give a network dlib's weights; its batch norms compute dlib's affine layers on these faces.

    Args:
        network: is changed.
        layers: of :func:`mien.train.dlib_weights.read_layers`; more than needed are ignored.
        faces: float [N, 1, S, S], some hundred aligned faces, from which the batch norms take their statistics.
    """
    pairs = list(network.convolutions())
    hooks = []
    with torch.no_grad():
        for (convolution, norm), layer in zip(pairs, layers, strict=False):
            weight = torch.from_numpy(layer.weight.copy())
            convolution.weight.copy_(weight if weight.shape == convolution.weight.shape else weight.sum(1, True))
            hooks.append(norm.register_forward_pre_hook(_as_affine(layer)))
        network.eval()
        network.features(faces)
    for hook in hooks:
        hook.remove()


def _as_affine(layer: Layer):  # type: ignore[no-untyped-def]
    """A hook that sets a batch norm so that it computes an affine layer on the batch it sees."""
    gamma, beta, bias = (torch.from_numpy(v.copy()) for v in (layer.gamma, layer.beta, layer.bias))

    def set_norm(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), unbiased=False)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(gamma * (variance + norm.eps).sqrt())
        norm.bias.copy_(gamma * (bias + mean) + beta)

    return set_norm
