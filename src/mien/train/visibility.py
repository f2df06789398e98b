"""Train and measure the network that sees what lies in front of a face. Needs torch (extra ``train``).

::

    python -m mien.train.visibility --data CACHE --out MODELS --results DIR

Training faces get occluders of ``occlude.TRAINING_KINDS``; thresholds are chosen on validation faces with the same
kinds; the measure is taken on test faces with ``occlude.HELD_OUT_KINDS``, which training never saw.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.data.cache import FaceCache
from mien.face.areas import PIECES
from mien.face.spec import PUBLISHED_SPEC
from mien.measure.covered import HIDDEN
from mien.measure.occluders import TRAINING_KINDS
from mien.measure.visibility import Views, VisibilityConfig, balanced_accuracy, draw_views
from mien.trust.visibility import VIEW_SIDE
from mien.types import Float32

FILE_NAME = "visibility.onnx"


class VisibilityNet(nn.Module):
    """Five 3x3 convolutions and two linear layers: 0.1 M parameters, 4 M multiplications a face."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1 + len(PIECES)
        for width, stride in ((16, 2), (32, 2), (48, 1), (64, 2), (64, 1)):
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers, nn.Conv2d(channels, 24, 1), nn.ReLU())
        self.head = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(24 * (VIEW_SIDE // 8) ** 2, 48), nn.ReLU(), nn.Linear(48, 4)
        )

    def logits(self, views: Tensor) -> Tensor:
        """uint8 [N, 2, 48, 48] (see ``visibility.view_of``) -> float32 [N, 4], log odds of being visible."""
        grey = views[:, :1].float()
        mask = (grey > 0.5).float()
        count = mask.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
        centred = (grey - (grey * mask).sum(dim=(2, 3), keepdim=True) / count) * mask
        spread = (centred.square().sum(dim=(2, 3), keepdim=True) / count).sqrt().clamp(min=8.0)
        pieces = torch.cat([(views[:, 1:] == k).float() for k in range(1, 1 + len(PIECES))], dim=1)
        features = self.features(torch.cat([centred / spread, pieces], dim=1))
        odds: Tensor = self.head(features.flatten(1))
        return odds

    def forward(self, views: Tensor) -> Tensor:
        """uint8 [N, 2, 48, 48] -> float32 [N, 4]: probability that each piece is visible."""
        return torch.sigmoid(self.logits(views))


_SWAPPED = [1, 0, 2, 3]


def _mirrored(views: Tensor, targets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror the chosen views; right and left eye change places."""
    flipped = views.flip(3)
    pieces = flipped[:, 1]
    swapped = torch.where(pieces == 1, 2, torch.where(pieces == 2, 1, pieces.long())).to(torch.uint8)
    flipped = torch.stack([flipped[:, 0], swapped], dim=1)
    return torch.where(chosen[:, None, None, None], flipped, views), torch.where(
        chosen[:, None], targets[:, _SWAPPED], targets
    )


def soft_targets(hidden: Float32) -> Float32:
    """Share hidden -> probability of being visible: 1 up to 0.35, 0 from 0.65, straight between."""
    return np.asarray(np.clip((0.65 - hidden) / 0.3, 0, 1), np.float32)


def train(
    cache: FaceCache, config: VisibilityConfig | None = None, progress: Callable[[str], None] = print
) -> VisibilityNet:
    """Train the network; about six minutes on one core with the default settings."""
    config = config or VisibilityConfig()
    torch.manual_seed(config.seed)
    views = draw_views(cache, "train", TRAINING_KINDS, config.faces, config, 1, progress)
    pixels, targets = torch.from_numpy(views.pixels), torch.from_numpy(soft_targets(views.hidden))
    network = VisibilityNet()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), config.rate, weight_decay=0.02)
    steps = len(pixels) // config.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, config.epochs * steps, pct_start=0.1)
    for epoch in range(config.epochs):
        start, total = time.monotonic(), 0.0
        network.train()
        for rows in torch.randperm(len(pixels))[: steps * config.batch].view(steps, config.batch):
            batch, wanted = _mirrored(pixels[rows], targets[rows], torch.rand(len(rows)) < 0.5)
            loss = F.binary_cross_entropy_with_logits(network.logits(batch), wanted)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        progress(f"epoch {epoch + 1}/{config.epochs}: loss {total / steps:.4f}, {time.monotonic() - start:.0f} s")
    network.eval()
    return network


def to_onnx(network: VisibilityNet, path: Path) -> str:
    """Write the network as ONNX and return its SHA-256."""
    example = torch.randint(0, 5, (2, 2, VIEW_SIDE, VIEW_SIDE), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of its own deprecation
        torch.onnx.export(
            network.float().eval(), (example,), str(path), input_names=["views"], output_names=["seen"],
            dynamic_axes={"views": {0: "batch"}, "seen": {0: "batch"}}, opset_version=17, dynamo=False,
        )  # fmt: skip
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seen(network: VisibilityNet, views: Views) -> Float32:
    """Probability float32 [N, 4] that each piece is visible."""
    with torch.no_grad():
        blocks = [network(v) for v in torch.split(torch.from_numpy(views.pixels), 512)]
    return np.asarray(torch.cat(blocks).numpy(), np.float32)


def choose_thresholds(probabilities: Float32, hidden: Float32) -> dict[str, float]:
    """By piece, the threshold with the highest balanced accuracy."""
    grid = np.round(np.arange(0.1, 0.91, 0.02), 2)
    chosen = {}
    for column, piece in enumerate(PIECES):
        scores = [balanced_accuracy(probabilities[:, column] >= t, hidden[:, column] <= HIDDEN) for t in grid]
        chosen[piece] = float(grid[int(np.argmax(scores))])
    return chosen


def add_to_manifest(folder: Path, digest: str, thresholds: dict[str, float], config: VisibilityConfig) -> None:
    """Put the network into a folder's manifest.json; what else it holds stays as it is."""
    path = folder / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"networks": {}, "default": ""}
    manifest["visibility"] = {
        "file": FILE_NAME, "sha256": digest, "spec": PUBLISHED_SPEC.key, "thresholds": thresholds,
        "training": asdict(config),
    }  # fmt: skip
    scratch = path.with_name("manifest.visibility.tmp")
    scratch.write_text(json.dumps(manifest, indent=1) + "\n")
    scratch.replace(path)
