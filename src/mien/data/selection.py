"""Which FER+ faces are kept and what they are called, from their ten votes; and how a share is held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.types import N_EMOTIONS, Float32

VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
"""FER+ column order; the first eight are mien's canonical order."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Result of a rule over N rows of votes.

    Attributes:
        keep: bool [N].
        label: int64 [N], index of the emotion; -1 where not kept.
        votes: float32 [N, 8], the vote distribution over the eight emotions, sum 1 (uniform where no votes are left).
        majority: bool [N], kept by the FER+ authors' majority rule.
    """

    keep: npt.NDArray[np.bool_]
    label: npt.NDArray[np.int64]
    votes: Float32
    majority: npt.NDArray[np.bool_]


def select(counts: npt.NDArray[np.int64]) -> Selection:
    """The published FER+ selection (paper, data sets; reconstructed from the real label file).

    Votes of 1 or less are set to 0. Emotions are added in order of votes, ties together, until 75% of the remaining
    votes are integrated, stopping at "unknown" or "not a face". The face is dropped when 50% or less is integrated or
    when more than two emotions were needed. Its label is the emotion with the most votes.

    Args:
        counts: int64 [N, 10], votes in the order of ``VOTE_COLUMNS``.
    """
    if counts.ndim != 2 or counts.shape[1] != len(VOTE_COLUMNS):
        raise ValueError(f"counts: expected int64 [N, 10], got {list(counts.shape)}")
    cleaned = np.where(counts <= 1, 0, counts)
    keep = np.array([_published_rule(row) for row in cleaned], bool)
    label = np.where(keep, cleaned[:, :N_EMOTIONS].argmax(axis=1), -1)
    emotions = cleaned[:, :N_EMOTIONS].astype(np.float32)
    totals = emotions.sum(axis=1, keepdims=True)
    votes = np.where(totals > 0, emotions / np.maximum(totals, 1), 1 / N_EMOTIONS).astype(np.float32)
    return Selection(keep, label.astype(np.int64), votes, _majority_rule(counts))


def _published_rule(votes: npt.NDArray[np.int64]) -> bool:
    total = int(votes.sum())
    integrated = needed = 0
    for level in sorted({int(v) for v in votes if v > 0}, reverse=True):
        tied = [int(i) for i in np.flatnonzero(votes == level)]
        emotions = [i for i in tied if i < N_EMOTIONS]
        integrated += level * len(emotions)
        needed += len(emotions)
        stopped = len(emotions) < len(tied)
        if stopped or integrated >= 0.75 * total or needed >= 3:
            break
    return total > 0 and integrated > 0.5 * total and needed <= 2


def _majority_rule(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Outliers (1 vote) removed; the largest is one of the eight emotions and has more than half of the votes."""
    cleaned = np.where(counts <= 1, 0, counts)
    best = cleaned.argmax(axis=1)
    most = cleaned.max(axis=1)
    return np.asarray((best < N_EMOTIONS) & (most > 0.5 * cleaned.sum(axis=1)), bool)


def carve_validation(labels: npt.NDArray[np.int64], fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """A stratified share of the training faces for validation, so that the test set never chooses anything.

    Args:
        labels: int64 [N] of the training faces, in the data set's own order.
        fraction: share of each class, 0..1.
        seed: of the shuffle.

    Returns:
        bool [N], True for validation.
    """
    chosen = np.zeros(len(labels), bool)
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen[generator.permutation(members)[: round(fraction * len(members))]] = True
    return chosen


def held_out(
    labels: npt.NDArray[np.int64], groups: Sequence[str] | None, fraction: float, seed: int
) -> npt.NDArray[np.bool_]:
    """A stratified share that keeps groups together, such as all faces of one photo.

    Groups are taken in a seeded random order, each wholly and only while every class it holds still has room, so no
    class gets more than its share; groups of one fill it.

    Args:
        labels: int64 [N], in the data set's own order.
        groups: N names; faces with the same name stay together. None: every face for itself.
        fraction: share of each class, 0..1, rounded down.
        seed: of the order.

    Returns:
        bool [N], True for the share held out.
    """
    names = [str(i) for i in range(len(labels))] if groups is None else list(groups)
    members: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        members.setdefault(name, []).append(position)
    present, counts = np.unique(labels, return_counts=True)
    room = {int(c): math.floor(fraction * int(n) + 1e-9) for c, n in zip(present, counts, strict=True)}
    chosen = np.zeros(len(labels), bool)
    ordered = list(members.values())
    for group in np.random.default_rng(seed).permutation(len(ordered)):
        positions = ordered[int(group)]
        wanted: dict[int, int] = {}
        for position in positions:
            wanted[int(labels[position])] = wanted.get(int(labels[position]), 0) + 1
        if all(room[label] >= n for label, n in wanted.items()):
            chosen[positions] = True
            for label, n in wanted.items():
                room[label] -= n
    return chosen
