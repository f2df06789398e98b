"""One network on one area: resumable from its last epoch, every epoch logged. Needs torch (extra ``train``)."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mien.data.cache import FaceCache
from mien.jobs.files import replace_file, replace_json, replacing
from mien.train.batches import _Data, steps_of
from mien.train.config import TrainConfig, epochs_of
from mien.train.networks import build, forward, predict
from mien.train.precision import mixed_precision
from mien.train.runs import Trained, load, stage_file, within


def train(
    cache: FaceCache,
    config: TrainConfig,
    runs: Path,
    progress: Callable[[str], None] = print,
    stop_after: int = 0,
) -> Trained:
    """Train one network, or go on from its last finished epoch.

    Args:
        cache: the prepared data set.
        config: what to train.
        runs: the run's folder is made in here, named ``config.name``.
        progress: gets one line an epoch.
        stop_after: stop after so many epochs of this call (0: never); the next call goes on.

    Returns:
        The finished training; where it was finished before, it is only loaded.
    """
    folder = Path(runs).expanduser() / config.name
    folder.mkdir(parents=True, exist_ok=True)
    replace_json(folder / "config.json", config.to_dict())
    torch.manual_seed(config.seed)
    network = build(config.network, config.dropout)
    if config.network != "densenet":  # batch norm over the DenseNet's many channels is 1.6 times faster without
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.start_from:
        _start_from(network, within(folder.parent, config.start_from))
    final = folder / "model.safetensors"
    if not final.is_file():
        _Run(_Data.load(cache, config, folder.parent), network, folder, progress).go(stop_after)
    if final.is_file():
        network.load_state_dict(load_file(final))
    return Trained(folder, config, network.eval())


def _start_from(network: nn.Module, run: Path) -> None:
    """Take over the weights of a finished run wherever name and shape fit."""
    own, weights = network.state_dict(), load(run).network.state_dict()
    own.update({key: value for key, value in weights.items() if key in own and own[key].shape == value.shape})
    network.load_state_dict(own)


class _Run:
    """The loop over epochs with its state on disk."""

    def __init__(self, data: _Data, network: nn.Module, folder: Path, progress: Callable[[str], None]) -> None:
        self.data, self.network, self.folder, self.progress = data, network, folder, progress
        self.config = data.config
        self.plan = epochs_of(self.config.stages)
        steps = [steps_of(len(data.rows), self.config.batch, share) for share, _ in self.plan]
        self.stages = _stages_of(self.plan, steps)
        self.done, self.epoch, self.averaged_steps = 0, 0, 0
        kind = torch.optim.AdamW if self.config.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(_groups(network, self.config.decay), lr=self.config.rate, fused=True)
        self.averaged = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.best, self.best_epoch, self.rate = -1.0, -1, self.config.rate
        self.watched: dict[int, tuple[Tensor, Tensor]] = {}
        self.state_file = folder / "last.pt"
        if self.state_file.is_file():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.state_file, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averaged = state["averaged"]
        self.epoch, self.done, self.averaged_steps = state["epoch"], state["done"], state["averaged_steps"]
        self.best, self.best_epoch, self.rate = state["best"], state["best_epoch"], state["rate"]
        self._forget_after(self.epoch)

    def _forget_after(self, epoch: int) -> None:
        """Drop the curve's rows of epochs that a kill undid: their row was written, their state was not."""
        curve = self.folder / "curve.csv"
        lines = curve.read_text().splitlines(keepends=True) if curve.is_file() else []
        if len(lines) > epoch + 1:
            replace_file(curve, "".join(lines[: epoch + 1]))

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "averaged": self.averaged,
            "epoch": self.epoch, "done": self.done, "averaged_steps": self.averaged_steps,
            "best": self.best, "best_epoch": self.best_epoch,
            "rate": self.rate,
        }  # fmt: skip
        with replacing(self.state_file) as scratch:
            torch.save(state, scratch)

    def go(self, stop_after: int) -> None:
        first = self.epoch
        while self.epoch < len(self.plan):
            if stop_after and self.epoch - first >= stop_after:
                return
            if self.config.patience and self.epoch - self.best_epoch > self.config.patience:
                break
            self._one_epoch(*self.plan[self.epoch])
        kept = self.folder / "best.safetensors"
        if self.config.keep == "best" and kept.is_file():
            kept.replace(self.folder / "model.safetensors")
        else:
            self._write_weights(self.folder / "model.safetensors")
        self.state_file.unlink(missing_ok=True)

    def _write_weights(self, path: Path) -> None:
        weights = self.averaged if self.config.average else self.network.state_dict()
        with replacing(path) as scratch:
            save_file({k: v.contiguous() for k, v in weights.items()}, scratch)

    def _one_epoch(self, share: float, side: int) -> None:
        start, losses = time.monotonic(), []
        torch.manual_seed(hash((self.config.seed, self.epoch)) % 2**31)
        self.network.train()
        for crops, parts, targets in self.data.batches(self.epoch, side, share):
            self._set_rate()
            with mixed_precision():
                logits = forward(self.network, crops, parts)
            loss = F.cross_entropy(logits.float(), targets)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.done += 1
            self._average()
            losses.append(float(loss.detach()))
        accuracy, log_loss = self._watch(side)
        self.epoch += 1
        if self.epoch < len(self.plan) and self.plan[self.epoch][1] != side:
            self._write_weights(self.folder / stage_file(side))
        self._note(side, share, float(np.mean(losses)), accuracy, log_loss, time.monotonic() - start)
        self._save()

    def _set_rate(self) -> None:
        if self.config.schedule == "onecycle":
            self.rate = self.config.rate * _one_cycle(self.done, self.stages, again=self.config.again)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate

    def _average(self) -> None:
        """Follow the weights; start anew where the side length changes, as batch norm has to learn it afresh."""
        if not self.config.average:
            return
        if self.done - 1 in self.stages[:-1]:
            self.averaged_steps = 0
        decay = min(self.config.average, self.averaged_steps / (9 + self.averaged_steps))
        self.averaged_steps += 1
        for key, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.averaged[key].lerp_(value, 1 - decay)
            else:
                self.averaged[key].copy_(value)

    def _watch(self, side: int) -> tuple[float, float]:
        """Accuracy and log loss on the watched split with the weights that would be kept."""
        if side not in self.watched:
            self.watched = {side: self.data.watched_crops(side)}
        crops, parts = self.watched[side]
        if not len(crops):
            return float("nan"), float("nan")
        own = {k: v.clone() for k, v in self.network.state_dict().items()}
        if self.config.average:
            self.network.load_state_dict(self.averaged)
        logits = predict(self.network, crops, parts)
        self.network.load_state_dict(own)
        labels = torch.from_numpy(self.data.cache.labels[self.data.watched])
        accuracy = float((logits.argmax(1) == labels).float().mean())
        return accuracy, float(F.cross_entropy(logits, labels))

    def _note(self, side: int, share: float, loss: float, accuracy: float, log_loss: float, seconds: float) -> None:
        if self.config.schedule == "plateau" and accuracy < self.best:
            self.rate /= 10
        if accuracy > self.best:
            self.best, self.best_epoch = accuracy, self.epoch
            if self.config.keep == "best":
                self._write_weights(self.folder / "best.safetensors")
        row = {
            "epoch": self.epoch, "side": side, "share": round(share, 3), "loss": round(loss, 4),
            f"{self.config.select_on}_accuracy": round(accuracy, 4),
            f"{self.config.select_on}_log_loss": round(log_loss, 4),
            "rate": f"{self.rate:.2e}", "seconds": round(seconds, 1), "threads": torch.get_num_threads(),
        }  # fmt: skip
        curve = self.folder / "curve.csv"
        new = self.epoch == 1 or not curve.is_file()
        with curve.open("w" if new else "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        self.progress(f"{self.config.name} epoch {self.epoch}/{len(self.plan)}: " + json.dumps(row))


def _stages_of(plan: list[tuple[float, int]], steps: list[int]) -> list[int]:
    """The step at which each stage (a run of epochs of one side length) begins, and the end of the last."""
    starts, total = [], 0
    for place, count in enumerate(steps):
        if place == 0 or plan[place][1] != plan[place - 1][1]:
            starts.append(total)
        total += count
    return [*starts, total]


def _one_cycle(step: int, stages: list[int], rise: float = 0.15, *, again: float) -> float:
    """Share of the highest rate at a step.

    Over the whole training: up in the first ``rise``, then down by a cosine. Each later stage starts from at least
    ``again`` and goes down to the next, so that the last few epochs, at another side length, still learn.
    """
    t = step / max(1, stages[-1])
    overall = 0.04 + 0.96 * t / rise if t < rise else 0.5 * (1 + math.cos(math.pi * (t - rise) / (1 - rise)))
    place = max(i for i, start in enumerate(stages[:-1]) if start <= step)
    if place > 0:
        inside = (step - stages[place]) / max(1, stages[place + 1] - stages[place])
        overall = max(overall, again * 0.5 * (1 + math.cos(math.pi * inside)))
    return max(overall, 1e-3)


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and filters, none on norms and biases."""
    heavy = [p for p in network.parameters() if p.ndim > 1]
    light = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": heavy, "weight_decay": decay}, {"params": light, "weight_decay": 0.0}]
