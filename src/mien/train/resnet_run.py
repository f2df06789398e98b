"""Training the one network (``mien.train.resnet``): resumable from its last epoch, every epoch logged. Needs torch.

Views are made by processes of their own (``mien.train.views``), so that a training keeps one core busy with arithmetic.
"""

from __future__ import annotations

import csv
import json
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from mien.data.cache import FaceCache
from mien.errors import ModelError
from mien.face.aligned import aligned
from mien.face.areas import MIRRORED_PIECES, PIECES
from mien.jobs.files import hash_of, replace_json, replacing
from mien.train.dlib_weights import read_layers, weights_file
from mien.train.precision import mixed_precision
from mien.train.resnet import FaceResNet, start_from_face_weights
from mien.train.views import Donor, Seen, View, ViewConfig, ViewMaker
from mien.types import Float32, UInt8

NAME = "resnet"
Batch = tuple[UInt8, Float32, Float32, Float32, Float32, npt.NDArray[np.int64]]
"""Views uint8 [B, S, S], targets float32 [B, 8] with weight [B], hidden float32 [B, 4] with weight [B, 4], rows int64
[B] (-1 where the face is not of the cache)."""
SURE_VISIBLE, SURE_HIDDEN = 0.15, 0.75
"""Below and above these shares teachers are believed on what is hidden of a face that nobody looked at."""
GUESSED = 0.3
"""Weight of what teachers, or nobody, said of such a face."""
HEAD_RATE = 3.0
"""The heads start from nothing and learn so many times faster than the trunk, which starts from face weights."""


@dataclass(frozen=True)
class ResNetConfig:
    """Everything that decides a training; written beside the weights as config.json.

    Attributes:
        epochs: over the data set's training faces.
        side: of an aligned face, in pixels.
        seed: of the heads, the order and the views.
        batch: views a step; ``seen`` of them are faces of which it is known what is hidden.
        rate: highest learning rate; up in the first ``rise`` of the steps, then down by a cosine.
        decay: weight decay of filters.
        dropout: before the heads.
        average: decay of the exponential moving average of the weights.
        hidden_weight: of the hidden pieces' loss beside the emotion's.
        views: how views are made.
        teachers: names of runs in the same folder whose mean probabilities on the plain face are part of the target.
        teacher_weight: share of the teachers in the target.
        balance: exponent of inverse class frequency by which faces are drawn; 0 is as they come.
        start_from: a run whose weights are the start; empty: dlib's face weights.
        covered, photos: fingerprints of the table of covered faces and the folder of mask photos.
    """

    epochs: int = 22
    side: int = 112
    seed: int = 0
    batch: int = 128
    seen: int = 16
    rate: float = 1e-3
    rise: float = 0.08
    decay: float = 0.03
    dropout: float = 0.3
    average: float = 0.9985
    hidden_weight: float = 0.5
    views: ViewConfig = field(default_factory=ViewConfig)
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.5
    balance: float = 0.0
    start_from: str = ""
    covered: str = ""
    photos: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ResNetConfig:
        """Inverse of :meth:`to_dict`."""
        views = ViewConfig(**values["views"])
        return cls(**{**values, "views": views, "teachers": tuple(values["teachers"])})

    @property
    def name(self) -> str:
        """Folder name of the run: readable, and different whenever a setting differs."""
        default = ResNetConfig().to_dict()
        return f"{NAME}-seed{self.seed}-{hash_of({k: v for k, v in self.to_dict().items() if v != default[k]})}"


@dataclass(frozen=True, eq=False)
class ViewData:
    """What views are made from.

    Attributes:
        cache: the data set.
        rows: int64 [N], its training faces.
        scores: of rows looked at by eye, what is hidden: by row, by piece 0, 1 or 2.
        donors: real covers.
        seen: faces beside the data set's of which it is known what is hidden (no emotion).
        guessed: of the other rows, what teachers think is hidden; a piece they are not sure of is missing.
    """

    cache: FaceCache
    rows: npt.NDArray[np.int64]
    scores: Mapping[int, Mapping[str, int]]
    donors: tuple[Donor, ...]
    seen: tuple[Seen, ...]
    guessed: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedResNet:
    """A finished training: its folder, what made it, and the network in eval mode."""

    folder: Path
    config: ResNetConfig
    network: FaceResNet

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def curve(self) -> list[dict[str, str]]:
        """The rows of curve.csv, one an epoch."""
        with (self.folder / "curve.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def load_resnet(folder: Path | str) -> TrainedResNet:
    """A finished training.

    Raises:
        ModelError: the folder holds none.
    """
    folder = Path(folder).expanduser()
    try:
        config = ResNetConfig.from_dict(json.loads((folder / "config.json").read_text()))
        network = FaceResNet(config.dropout)
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} holds no finished training of the one network ({error})") from error
    return TrainedResNet(folder, config, network.eval())


def train_resnet(
    data: ViewData,
    config: ResNetConfig,
    runs: Path,
    progress: Callable[[str], None] = print,
    workers: int = 1,
    stop_after: int = 0,
) -> TrainedResNet | None:
    """Train, or go on from the last finished epoch.

    Args:
        data: what views are made from.
        config: how.
        runs: the run's folder is made in here, named ``config.name``.
        progress: gets one line an epoch.
        workers: processes that make views.
        stop_after: stop after so many epochs of this call (0: never); the next call goes on.

    Returns:
        The finished training; None where it was stopped before.
    """
    folder = Path(runs).expanduser() / config.name
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "model.safetensors").is_file():
        replace_json(folder / "config.json", config.to_dict())
        run = _Run(data, config, folder, progress)
        if not run.go(workers, stop_after):
            return None
    return load_resnet(folder)


def plain_faces(cache: FaceCache, rows: npt.NDArray[np.int64], side: int) -> UInt8:
    """uint8 [N, side, side]: aligned faces as they are."""
    return np.stack([aligned(cache.canvas(int(row)), side=side).pixels for row in rows])


def predict_resnet(network: FaceResNet, faces: UInt8, batch: int = 128) -> tuple[Float32, Float32]:
    """Emotion logits float32 [N, 8] and hidden shares float32 [N, 4] (0..1), in the precision of training."""
    network.eval()
    logits, hidden = [np.zeros((0, 8), np.float32)], [np.zeros((0, len(PIECES)), np.float32)]
    with torch.no_grad(), mixed_precision():
        for start in range(0, len(faces), batch):
            emotion, gone = network(_tensor(np.ascontiguousarray(faces[start : start + batch])))
            logits.append(emotion.float().numpy())
            hidden.append(gone.float().sigmoid().numpy())
    return np.concatenate(logits), np.concatenate(hidden)


def _tensor(faces: UInt8) -> Tensor:
    return torch.from_numpy(faces)[:, None].float().contiguous(memory_format=torch.channels_last)


class _Run:
    """The loop over epochs with its state on disk."""

    def __init__(self, data: ViewData, config: ResNetConfig, folder: Path, progress: Callable[[str], None]) -> None:
        self.data, self.config, self.folder, self.progress = data, config, folder, progress
        torch.manual_seed(config.seed)
        self.network = FaceResNet(config.dropout)
        self._start()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = {key: value.detach().clone() for key, value in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(_groups(self.network, config.decay), lr=config.rate)
        self.steps = max(1, len(data.rows) // (config.batch - config.seen))
        self.epoch = 0
        self.state_file = folder / "last.pt"
        if self.state_file.is_file():
            self._resume()
        self.taught, guessed = self._taught()
        self.data = replace(data, guessed={row: g for row, g in guessed.items() if row not in data.scores})
        self.watched = data.cache.rows("validation", "majority")
        self.watched_faces = plain_faces(data.cache, self.watched, config.side)

    def _start(self) -> None:
        if self.config.start_from:
            self.network.load_state_dict(load_resnet(self.folder.parent / self.config.start_from).network.state_dict())
            return
        some = np.sort(np.random.default_rng(0).permutation(self.data.rows)[:256])
        faces = torch.from_numpy(plain_faces(self.data.cache, some, self.config.side))[:, None].float()
        start_from_face_weights(self.network, read_layers(weights_file()), faces)

    def _resume(self) -> None:
        state = torch.load(self.state_file, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.averaged, self.epoch = state["averaged"], state["epoch"]
        self.optimizer.load_state_dict(state["optimizer"])

    def _taught(self) -> tuple[Tensor | None, dict[int, dict[str, int]]]:
        """What the teachers say of every face of the cache: float32 [N, 8], their mean probabilities (None without
        teachers), and what they think is hidden, by row."""
        if not self.config.teachers:
            return None, {}
        rows, count = np.arange(len(self.data.cache.index)), len(self.config.teachers)
        total, hidden = np.zeros((len(rows), 8), np.float32), np.zeros((len(rows), len(PIECES)), np.float32)
        for name in self.config.teachers:
            teacher = load_resnet(self.folder.parent / name)
            faces = plain_faces(self.data.cache, rows, teacher.config.side)
            (said, gone), (mirrored, turned) = (predict_resnet(teacher.network, v) for v in (faces, faces[:, :, ::-1]))
            total += torch.from_numpy((said + mirrored) / 2).softmax(1).numpy() / count
            hidden += (gone + turned[:, list(MIRRORED_PIECES)]) / 2 / count
        return torch.from_numpy(total), {int(row): _guess(hidden[row]) for row in rows}

    def go(self, workers: int, stop_after: int) -> bool:
        """True when the training is finished."""
        if self.epoch < self.config.epochs:
            first = self.epoch
            with _batches(self.data, self.config, self.epoch, workers) as batches:
                while self.epoch < self.config.epochs:
                    if stop_after and self.epoch - first >= stop_after:
                        return False
                    if not workers:  # then a stopped training and a whole one are the same to the last digit
                        batches = made(self.data, self.config, [self.config.seed, self.epoch, 0])
                    self._one_epoch(batches)
        with replacing(self.folder / "model.safetensors") as scratch:
            save_file({key: value.contiguous() for key, value in self.averaged.items()}, scratch)
        self.state_file.unlink(missing_ok=True)
        return True

    def _one_epoch(self, batches: Iterator[Batch]) -> None:
        start, losses = time.monotonic(), []
        torch.manual_seed(hash((self.config.seed, self.epoch)) % 2**31)
        self.network.train()
        for step in range(self.steps):
            losses.append(self._step(self.epoch * self.steps + step, next(batches)))
        self.epoch += 1
        self._note(np.mean(losses, axis=0), time.monotonic() - start)
        with replacing(self.state_file) as scratch:
            torch.save(
                {
                    "network": self.network.state_dict(), "averaged": self.averaged, "epoch": self.epoch,
                    "optimizer": self.optimizer.state_dict(),
                },
                scratch,
            )  # fmt: skip

    def _step(self, done: int, batch: Batch) -> tuple[float, float]:
        faces, targets, weight, hidden, hidden_weight, rows = batch
        self._set_rate(done)
        with mixed_precision():
            logits, gone = self.network(_tensor(faces))
        emotion = -(self._target(targets, rows) * F.log_softmax(logits.float(), 1)).sum(1)
        w, h = torch.from_numpy(weight), torch.from_numpy(hidden_weight)
        said = (emotion * w).sum() / w.sum().clamp(min=1e-6)
        each = F.binary_cross_entropy_with_logits(gone.float(), torch.from_numpy(hidden), reduction="none")
        found = (each * h).sum() / h.sum().clamp(min=1e-6)
        self.optimizer.zero_grad()
        (said + self.config.hidden_weight * found).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self._average(done)
        return float(said.detach()), float(found.detach())

    def _target(self, targets: Float32, rows: npt.NDArray[np.int64]) -> Tensor:
        own = torch.from_numpy(targets)
        if self.taught is None:
            return own
        known, share = torch.from_numpy(rows), self.config.teacher_weight
        mixed = (1 - share) * own + share * self.taught[known.clamp(min=0)]
        return torch.where((known >= 0)[:, None], mixed, own)

    def _set_rate(self, done: int) -> None:
        share = one_cycle(done / (self.steps * self.config.epochs), self.config.rise)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate * share * group["times"]

    def _average(self, done: int) -> None:
        decay = min(self.config.average, (1 + done) / (10 + done))
        for key, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.averaged[key].lerp_(value, 1 - decay)
            else:
                self.averaged[key].copy_(value)

    def _note(self, losses: npt.NDArray[np.floating], seconds: float) -> None:
        """One line of curve.csv: what the averaged weights say of validation faces (majority selection)."""
        network = FaceResNet(self.config.dropout)
        network.load_state_dict(self.averaged)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        logits, _ = predict_resnet(network, self.watched_faces)
        labels = self.data.cache.labels[self.watched]
        log_loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)) if len(labels) else math.nan
        said = logits.argmax(1)
        recalls = [float((said[labels == k] == k).mean()) for k in range(8) if (labels == k).any()]
        row = {
            "epoch": self.epoch, "side": self.config.side, "loss": round(float(losses[0]), 4),
            "hidden_loss": round(float(losses[1]), 4),
            "validation_accuracy": round(float((said == labels).mean()), 4) if len(labels) else math.nan,
            "validation_log_loss": round(float(log_loss), 4),
            "validation_macro_recall": round(float(np.mean(recalls)), 4) if recalls else math.nan,
            "seconds": round(seconds, 1), "threads": torch.get_num_threads(),
        }  # fmt: skip
        curve = self.folder / "curve.csv"
        kept = self.curve_before(curve)
        with replacing(curve) as scratch, scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, row)
            writer.writeheader()
            writer.writerows([*kept, row])
        self.progress(f"{self.config.name} epoch {self.epoch}/{self.config.epochs}: " + json.dumps(row))

    def curve_before(self, curve: Path) -> list[dict[str, str]]:
        """The rows of finished epochs; a row whose state a kill undid is dropped."""
        if not curve.is_file():
            return []
        with curve.open(newline="") as file:
            return list(csv.DictReader(file))[: self.epoch - 1]


def _guess(hidden: Float32) -> dict[str, int]:
    """Scores (0 or 2) of the pieces of which teachers are sure."""
    low, high = SURE_VISIBLE, SURE_HIDDEN
    shares = zip(PIECES, hidden.tolist(), strict=True)
    return {piece: 2 if share > high else 0 for piece, share in shares if share > high or share < low}


def one_cycle(share: float, rise: float) -> float:
    """Share of the highest rate when a share (0..1) of the training is done: up, then down by a cosine."""
    if share < rise:
        return 0.1 + 0.9 * share / rise
    return 0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * (share - rise) / (1 - rise)))


def _groups(network: FaceResNet, decay: float) -> list[dict[str, Any]]:
    """Weight decay on filters and heads, none on norms; heads learn faster."""
    heads = [*network.emotion.parameters(), *network.hidden.parameters()]
    trunk = [p for name, p in network.named_parameters() if not name.startswith(("emotion.", "hidden."))]
    return [
        {"params": [p for p in trunk if p.ndim > 1], "weight_decay": decay, "times": 1.0},
        {"params": [p for p in trunk if p.ndim <= 1], "weight_decay": 0.0, "times": 1.0},
        {"params": heads, "weight_decay": decay, "times": HEAD_RATE},
    ]


# --- batches, made by processes of their own -----------------------------------------------------------------------


@contextmanager
def _batches(data: ViewData, config: ResNetConfig, epoch: int, workers: int) -> Iterator[Iterator[Batch]]:
    """Batches without end. With workers their order may vary; with none (0) it is the same in every run."""
    if workers < 1:
        yield made(data, config, [config.seed, epoch, 0])
        return
    data = replace(data, cache=FaceCache(data.cache.folder))  # so that no array travels to the processes
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(4 * workers)
    crew = [
        context.Process(target=_fill, args=(queue, data, config, [config.seed, epoch, number]), daemon=True)
        for number in range(workers)
    ]
    for process in crew:
        process.start()
    try:
        yield _taken(queue, crew)
    finally:
        for process in crew:
            process.terminate()


def _taken(queue: Any, crew: list[Any]) -> Iterator[Batch]:
    import queue as queues

    while True:
        try:
            yield queue.get(timeout=30)
        except queues.Empty:
            if not any(process.is_alive() for process in crew):
                raise ModelError("the processes that make training views have died") from None


def _fill(queue: Any, data: ViewData, config: ResNetConfig, seed: list[int]) -> None:
    import cv2

    cv2.setNumThreads(1)
    try:
        for batch in made(data, config, seed):
            queue.put(batch)
    except KeyboardInterrupt:
        return


def made(data: ViewData, config: ResNetConfig, seed: list[int]) -> Iterator[Batch]:
    """Batches without end, from one random generator."""
    generator = np.random.default_rng(seed)
    textures = [np.asarray(data.cache.canvas(int(row)).pixels) for row in generator.choice(data.rows, 200)]
    maker = ViewMaker(config.views, generator, data.donors, textures, config.side)
    votes, chances = data.cache.votes, _chances(data, config.balance)
    scored = np.array(sorted(set(data.scores) & set(data.rows.tolist())), np.int64)
    order = np.zeros(0, np.int64)
    while True:
        plain = config.batch - config.seen
        while len(order) < plain:
            again = generator.permutation(data.rows)
            if chances is not None:
                again = generator.choice(data.rows, len(data.rows), p=chances)
            order = np.concatenate([order, again])
        rows, order = order[:plain], order[plain:]
        examples: list[tuple[Any, int]] = [(_plain_or_guessed(maker, data, int(row)), int(row)) for row in rows]
        for place in range(config.seen):
            if place % 2 == 0 and len(scored):
                row = int(generator.choice(scored))
                examples.append((maker.view(data.cache.canvas(row), "plain", data.scores[row]), row))
            elif data.seen:
                face = data.seen[int(generator.integers(len(data.seen)))]
                examples.append((maker.view(face.canvas, "plain", face.scores), -1))
        known = np.array([row for _, row in examples], np.int64)
        weight = (known >= 0).astype(np.float32)
        yield (
            np.stack([view.pixels for view, _ in examples]),
            np.where(known[:, None] >= 0, votes[known], 1 / 8).astype(np.float32),
            weight,
            np.stack([view.hidden for view, _ in examples]),
            np.stack([view.weight for view, _ in examples]),
            known,
        )


def _plain_or_guessed(maker: ViewMaker, data: ViewData, row: int) -> View:
    """A view of a face; what is hidden of it is known, guessed by teachers, or taken to be nothing."""
    if row in data.scores:
        return maker.view(data.cache.canvas(row), None, data.scores[row])
    return maker.view(data.cache.canvas(row), None, data.guessed.get(row), GUESSED)


def _chances(data: ViewData, balance: float) -> npt.NDArray[np.float64] | None:
    """How often each training face is drawn; None is as they come."""
    if not balance:
        return None
    labels = data.cache.labels[data.rows]
    weights = (np.bincount(labels, minlength=8)[labels] / len(labels)) ** -balance
    return np.asarray(weights / weights.sum(), np.float64)
