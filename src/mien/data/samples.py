"""One labelled face of a data set, and the three splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mien.types import N_EMOTIONS, Emotion, Float32, _check

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled face of a data set.

    Attributes:
        id: unique within the data set, stable over layouts (FER+: ``fer0000000``).
        dataset: ``ferplus``, ``rafdb``, ``expw`` or the user's own name.
        split: ``train``, ``validation`` or ``test``.
        source: where the picture is: a file, or a member of a container (see ``datasets``).
        box: float32 [4] (x0, y0, x1, y1): the face in the picture; None means the whole picture is the face.
        label: the majority emotion.
        votes: float32 [8], sums to 1: the vote distribution; one-hot where there are no votes.
        majority: True when the label has more than half of all votes (FER+ authors' majority rule).
        published: True when the paper's own selection keeps it; a FER+ face may be kept by one rule and not the other.
    """

    id: str
    dataset: str
    split: Split
    source: Path | str
    box: Float32 | None
    label: Emotion
    votes: Float32
    majority: bool = True
    published: bool = True

    def __post_init__(self) -> None:
        _check("Sample.votes", self.votes, (N_EMOTIONS,), np.float32)
        if abs(float(self.votes.sum()) - 1.0) > 1e-4:
            raise ValueError(f"Sample.votes: expected a sum of 1, got {float(self.votes.sum()):.4f} ({self.id})")
        if self.box is not None:
            _check("Sample.box", self.box, (4,), np.float32)
