"""Train and measure the network that sees what lies in front of a face. Needs torch (extra ``train``).

::

    python -m mien.visibility_train --data CACHE --out MODELS --results DIR

Training faces get occluders of ``occlude.TRAINING_KINDS``; thresholds are chosen on validation faces with the same
kinds; the measure is taken on test faces with ``occlude.HELD_OUT_KINDS``, which training never saw.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien import metrics
from mien.areas import Frame
from mien.cache import FaceCache
from mien.occlude import HELD_OUT_KINDS, PIECES, TRAINING_KINDS, Occluded, occlude
from mien.occluded import HIDDEN
from mien.tables import markdown
from mien.types import PARTS, PUBLISHED_SPEC, Float32, Part, Split, UInt8
from mien.visibility import VIEW_SIDE, PieceVisibility, VisibilityModel, view_of

FILE_NAME = "visibility.onnx"


@dataclass(frozen=True)
class VisibilityConfig:
    """What decides a training.

    Attributes:
        faces: views drawn for training, each a random training face with or without occluders.
        epochs: passes over them.
        batch: views a step.
        rate: highest learning rate (AdamW, one-cycle).
        bare: share of views without an occluder.
        jitter: standard deviation of the landmark error, as a share of the face size.
        seed: of everything.
    """

    faces: int = 160_000
    epochs: int = 7
    batch: int = 128
    rate: float = 4e-3
    bare: float = 0.25
    jitter: float = 0.025
    seed: int = 0


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


@dataclass(frozen=True, eq=False)
class Views:
    """Occluded faces as the network sees them.

    Attributes:
        pixels: uint8 [N, 2, 48, 48].
        hidden: float32 [N, 4], share of each piece that is hidden.
        kinds: of occluder, N names.
    """

    pixels: UInt8
    hidden: Float32
    kinds: tuple[str, ...]


def draw_views(
    cache: FaceCache,
    split: Split,
    kinds: Sequence[str],
    count: int,
    config: VisibilityConfig,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Views:
    """Random faces of a split, bare or with one or two occluders, disturbed as photos are.

    Args:
        cache: the prepared data set.
        split: whose faces.
        kinds: of occluders.
        count: how many views.
        config: shares and jitter.
        seed: of everything random.
        progress: gets a line now and then.
    """
    generator, rows = np.random.default_rng([config.seed, seed]), cache.rows(split)
    pixels, hidden, names = np.empty((count, 2, VIEW_SIDE, VIEW_SIDE), np.uint8), np.empty((count, 4), np.float32), []
    for i in range(count):
        frame = cache.frame(int(generator.choice(rows)))
        donor = np.asarray(cache.frames[int(generator.choice(rows))])
        face = _random_occlusion(frame, donor, kinds, config.bare, generator)
        pixels[i] = view_of(_disturbed(face.frame, config.jitter, generator))
        hidden[i] = [face.covered[piece] for piece in PIECES]
        names.append(face.kind)
        if progress and (i + 1) % 20_000 == 0:
            progress(f"{i + 1} of {count} {split} views drawn")
    return Views(pixels, hidden, tuple(names))


def _random_occlusion(
    frame: Frame, donor: UInt8, kinds: Sequence[str], bare: float, generator: np.random.Generator
) -> Occluded:
    if generator.random() < bare:
        return occlude(frame, "none", generator)
    target = PARTS[int(generator.integers(len(PARTS)))] if generator.random() < 0.6 else None
    face = occlude(frame, str(generator.choice(list(kinds))), generator, donor, target)
    if generator.random() < 0.15:
        second = occlude(face.frame, str(generator.choice(list(kinds))), generator, donor)
        covered = {piece: max(share, second.covered[piece]) for piece, share in face.covered.items()}
        return Occluded(second.frame, face.kind, covered, face.mask | second.mask)
    return face


def _disturbed(frame: Frame, jitter: float, generator: np.random.Generator) -> Frame:
    """Landmark error, loss of resolution, light, noise, JPEG, mirror image left aside (see ``_mirrored``)."""
    points, size = frame.landmarks, float(np.sqrt(np.prod(np.maximum(np.ptp(frame.landmarks, axis=0), 1.0))))
    centre = points.mean(axis=0)
    angle, scale = generator.normal(0, 0.05), np.exp(generator.normal(0, 2 * jitter))
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = (points - centre) @ turn + centre + generator.normal(0, jitter * size, 2)
    moved = moved + generator.normal(0, 0.4 * jitter * size, points.shape)
    pixels, side = np.asarray(frame.pixels), frame.pixels.shape[0]
    if generator.random() < 0.3:
        small = round(side * generator.uniform(0.4, 0.9))
        pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA).astype(np.uint8)
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if generator.random() < 0.5:
        levels = 255 * (np.arange(256) / 255) ** float(np.exp(generator.normal(0, 0.35)))
        pixels = cv2.LUT(pixels, levels.astype(np.uint8)).astype(np.uint8)
    if generator.random() < 0.15:
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(25, 90))])
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return Frame(pixels, moved.astype(np.float32), frame.extent)


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


def balanced_accuracy(said: npt.NDArray[np.bool_], visible: npt.NDArray[np.bool_]) -> float:
    """Mean of the share of visible ones said to be visible and of hidden ones said to be hidden."""
    return float((said[visible].mean() + (~said[~visible]).mean()) / 2)


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


def measure(model: VisibilityModel, cache: FaceCache, count: int, config: VisibilityConfig) -> pd.DataFrame:
    """How well parts are found visible or hidden on test faces, with occluders seen and never seen in training.

    Args:
        model: as shipped: network, geometry and thresholds.
        cache: the prepared data set; its test split is used.
        count: faces for each set of occluders.
        config: share of bare faces and landmark error, as in training.

    Returns:
        Columns occluders (``held out``, ``training``, ``none`` or the name of one kind), part (``right_eye``, ``eyes``
        (both), ``nose``, ``mouth``), n, hidden (of them), balanced_accuracy, low, high (95% interval over faces),
        visible_found and hidden_found (shares; NaN where there is none to find).
    """
    rows = []
    for name, kinds in (("held out", HELD_OUT_KINDS), ("training", TRAINING_KINDS)):
        views, frames = [], []
        for face, frame in _test_faces(cache, kinds, count, config):
            views.append(face)
            frames.append(frame)
        pieces = [p for start in range(0, count, 256) for p in model.pieces(frames[start : start + 256])]
        used = np.array([face.kind for face in views])
        for part in ("right_eye", "eyes", "nose", "mouth"):
            said, hidden = _said(pieces, part), _hidden(views, part)
            rows.append(_row(name, part, said, hidden, np.ones(count, bool)))
            rows += [_row(kind, part, said, hidden, used == kind) for kind in kinds]
            if name == "held out":
                rows.append(_row("none", part, said, hidden, used == "none"))
    return pd.DataFrame(rows)


def _test_faces(
    cache: FaceCache, kinds: Sequence[str], count: int, config: VisibilityConfig
) -> Iterator[tuple[Occluded, Frame]]:
    generator, rows = np.random.default_rng([config.seed, 3]), cache.rows("test")
    for _ in range(count):
        frame = cache.frame(int(generator.choice(rows)))
        donor = np.asarray(cache.frames[int(generator.choice(rows))])
        face = _random_occlusion(frame, donor, kinds, config.bare, generator)
        yield face, _disturbed(face.frame, config.jitter, generator)


def _said(pieces: list[PieceVisibility], part: str) -> npt.NDArray[np.bool_]:
    if part == "right_eye":
        return np.array([Part.EYES in p.to_visibility("one").visible for p in pieces])
    return np.array([Part(part) in p.to_visibility("both").visible for p in pieces])


def _hidden(faces: list[Occluded], part: str) -> npt.NDArray[np.bool_]:
    if part == "right_eye":
        return np.array([face.share(Part.EYES, "one") > HIDDEN for face in faces])
    return np.array([face.share(Part(part), "both") > HIDDEN for face in faces])


def _row(
    name: str,
    part: str,
    said: npt.NDArray[np.bool_],
    hidden: npt.NDArray[np.bool_],
    chosen: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    seen = metrics.wilson(int((said & ~hidden)[chosen].sum()), int((~hidden)[chosen].sum()))
    caught = metrics.wilson(int((~said & hidden)[chosen].sum()), int(hidden[chosen].sum()))
    shares = [share.value if share.n else float("nan") for share in (seen, caught)]
    middle = (shares[0] + shares[1]) / 2
    spread = [p * (1 - p) / max(1, share.n) for p, share in zip(shares, (seen, caught), strict=True)]
    half = metrics.Z95 * float(np.sqrt(sum(spread))) / 2
    return {
        "occluders": name, "part": part, "n": int(chosen.sum()), "hidden": int(hidden[chosen].sum()),
        "balanced_accuracy": middle, "low": middle - half, "high": middle + half, "visible_found": shares[0],
        "hidden_found": shares[1],
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Train, choose thresholds on validation, write the network and its manifest entry; or only measure it on test."""
    parser = argparse.ArgumentParser(prog="mien.visibility_train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a prepared data set (mien data prepare)")
    parser.add_argument("--out", type=Path, required=True, help="the folder of models")
    parser.add_argument("--faces", type=int, default=VisibilityConfig.faces, help="views drawn for training")
    parser.add_argument("--epochs", type=int, default=VisibilityConfig.epochs)
    parser.add_argument("--watch", type=int, default=6000, help="validation views that choose the thresholds")
    parser.add_argument("--results", type=Path, help="measure on test faces and write visibility.csv and .json here")
    parser.add_argument("--check", type=int, default=8000, help="test views a set of occluders, for --results")
    parser.add_argument("--measure-only", action="store_true", help="do not train: measure the network in --out")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    cache, config = FaceCache.open(args.data), VisibilityConfig(faces=args.faces, epochs=args.epochs)
    if not args.measure_only:
        network = train(cache, config)
        watched = draw_views(cache, "validation", TRAINING_KINDS, args.watch, config, 2)
        thresholds = choose_thresholds(seen(network, watched), watched.hidden)
        args.out.mkdir(parents=True, exist_ok=True)
        digest = to_onnx(network, args.out / FILE_NAME)
        add_to_manifest(args.out, digest, thresholds, config)
        print(f"{args.out / FILE_NAME}: {(args.out / FILE_NAME).stat().st_size / 1e3:.0f} kB, thresholds {thresholds}")
    if args.results:
        command = "python -m mien.visibility_train " + " ".join(sys.argv[1:] if argv is None else argv)
        _write(measure(VisibilityModel(args.out), cache, args.check, config), args, command)
    return 0


def _write(table: pd.DataFrame, args: argparse.Namespace, command: str) -> None:
    args.results.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.results / "visibility.csv", index=False, float_format="%.5g")
    held_out = table[table["occluders"] == "held out"]
    manifest = json.loads((args.out / "manifest.json").read_text())["visibility"]
    summary = {
        "command": command,
        "sha256": manifest["sha256"],
        "thresholds": manifest["thresholds"],
        "held_out_kinds": list(HELD_OUT_KINDS),
        "training_kinds": list(TRAINING_KINDS),
        "balanced_accuracy": {
            str(r["part"]): round(float(r["balanced_accuracy"]), 4) for r in held_out.to_dict("records")
        },
    }
    (args.results / "visibility.json").write_text(json.dumps(summary, indent=1) + "\n")
    shown = dict.fromkeys(["balanced_accuracy", "low", "high", "visible_found", "hidden_found"], ".1%")
    text = f"# Finding which parts are visible\n\nMade by\n\n    {command}\n\n{markdown(table, shown)}\n"
    (args.results / "visibility.md").write_text(text)
    print(table[table["occluders"].isin(["held out", "training", "none"])].to_string(index=False))


if __name__ == "__main__":
    raise SystemExit(main())
