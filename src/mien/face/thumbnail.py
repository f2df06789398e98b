"""Faces of a thumbnail: a small picture that a face nearly fills, as data sets and lists of contacts have them.

The search in photos expects surroundings and misses 3 in 100 of FER+'s pictures of 48 pixels. Here BlazeFace looks
with the margins of :data:`LOOKS`, and a small network (one hidden layer), fitted on thumbnails with and without a face,
says of each proposal how likely it is one, from what the mesh network knows and how the mesh lies. Fitted by
scripts/run/verify_thumbnails.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from mien.face import blazeface, mesh
from mien.face.blazeface import Look
from mien.face.verify import Candidate, candidates_of, lie_of, meshes_of, probability_of
from mien.types import Float32, Float64, UInt8

LARGEST = 100
"""Pixels of the longer side of a thumbnail."""
LOOKS: tuple[Look, ...] = (
    Look("short", 0.25, least=0.25), Look("short", 0.4, least=0.25), Look("back", 0.4, least=0.25),
    Look("short", 0.15, least=0.25), Look("back", 0.9, least=0.25),
)  # fmt: skip
"""Tried in this order until a proposal is a face."""
MOST = 3
"""Proposals a look that are looked at closely, the highest scores first."""
FARTHEST = 6.0
"""A feature counts at most so many standard deviations: nothing unheard of decides alone."""


@dataclass(frozen=True, eq=False)
class Head:
    """The small network.

    Attributes:
        mean: float32 [300], of the features it was fitted on.
        scale: float32 [300], their standard deviations.
        hidden: float32 [300, 32].
        hidden_offset: float32 [32].
        weight: float32 [32].
        offset: of the logit.
        least: the probability from which on a proposal counts as a face.
    """

    mean: Float32
    scale: Float32
    hidden: Float32
    hidden_offset: Float32
    weight: Float32
    offset: float
    least: float

    def probability(self, features: Float32) -> Float64:
        """Of each row of features float32 [N, 300], float64 [N]."""
        units = np.clip((features - self.mean) / self.scale, -FARTHEST, FARTHEST)
        logits = np.maximum(units @ self.hidden + self.hidden_offset, 0) @ self.weight + self.offset
        return probability_of(logits.astype(np.float64))


@cache
def head() -> Head:
    """The package's own."""
    with (files("mien.face") / "networks" / "verify_thumbnail.npz").open("rb") as file, np.load(file) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    return Head(**{**values, "offset": float(values["offset"]), "least": float(values["least"])})


def features_of(
    candidate: Candidate, first: mesh.Meshes, second: mesh.Meshes, i: int, shape: tuple[int, ...]
) -> Float32:
    """What is known of a proposal, float32 [300]: values of the mesh network, how the mesh lies, the share filled."""
    filled = float(np.max(candidate.box[2:] - candidate.box[:2])) / max(shape[:2])
    return np.concatenate([second.features[i], lie_of(candidate, first, second, i), [filled]]).astype(np.float32)


def proposals(rgb: UInt8, look: Look) -> list[Candidate]:
    """What BlazeFace proposes at one look."""
    return candidates_of(blazeface.look([rgb], look)[0])[:MOST]


def faces(rgb: UInt8) -> list[tuple[Float32, float, float]]:
    """Faces that the first fruitful look finds, the surest first.

    Args:
        rgb: uint8 [H, W, 3], a thumbnail.

    Returns:
        Of each its mesh float32 [468, 3] in pixels of the picture, the mesh's presence, and the probability that it is
        a face.
    """
    for look in LOOKS:
        candidates = proposals(rgb, look)
        if not candidates:
            continue
        first, second = meshes_of(rgb, candidates)
        rows = [features_of(candidate, first, second, i, rgb.shape) for i, candidate in enumerate(candidates)]
        scores = head().probability(np.stack(rows))
        found = [
            (second.points[i], float(second.presence[i]), float(scores[i]))
            for i in np.argsort(-scores)
            if scores[i] >= head().least
        ]
        if found:
            return found
    return []
