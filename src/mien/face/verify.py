"""Is it a face? Of every proposal of BlazeFace, a probability, from the mesh laid over it and from looking again.

The mesh's own presence says no to most real masks, and BlazeFace's score says yes to fists and letters. A logistic
regression over what the mesh network knows (288 values before its last layer), how the mesh lies (does it agree with
BlazeFace's points, does it have the shape of a face, do its two rounds agree), and what BlazeFace says of the same
place upright and at three scales tells them apart; scripts/run/verify_faces.py fits it;
docs/results/detection shows how well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from mien.face import blazeface, mesh
from mien.face.blazeface import Found, Range
from mien.face.pose import Int64, template
from mien.types import Float32, Float64, UInt8

SCALES = (1.4, 2.0, 3.0)
"""What BlazeFace sees when it looks again, in sides of the proposed box."""
AGAIN: tuple[Range, ...] = ("short", "back")
OFF, MOST = -8.0, 6.0
"""Least logit of looking again, where BlazeFace does not see the proposed face, and largest."""
LOOKS = len(SCALES) * len(AGAIN)
"""Features that come from looking again: the last ones."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal.

    Attributes:
        box: float32 [4], (x0, y0, x1, y1), in pixels of the photo.
        points: float32 [6, 2], BlazeFace's six points there.
        score: BlazeFace's, 0 to 1.
    """

    box: Float32
    points: Float32
    score: float

    @property
    def place(self) -> mesh.Place:
        """Where the mesh looks first."""
        return mesh.Place.of_box(self.box, self.points)


def candidates_of(found: Found) -> list[Candidate]:
    """What BlazeFace found, one proposal each."""
    return [Candidate(*one) for one in zip(found.boxes, found.points, found.scores.tolist(), strict=True)]


def meshes_of(rgb: UInt8, candidates: Sequence[Candidate]) -> tuple[mesh.Meshes, mesh.Meshes]:
    """The mesh's two rounds over proposals."""
    first, second = mesh.rounds([rgb] * len(candidates), [candidate.place for candidate in candidates])
    return first, second


def probability_of(logits: Float64) -> Float64:
    """The logistic function; far out it is 0 or 1 without a warning."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float64)


@dataclass(frozen=True, eq=False)
class _Regression:
    mean: Float64
    scale: Float64
    weight: Float64
    offset: float
    least: float

    def logits(self, features: Float64) -> Float64:
        return np.asarray(((features - self.mean) / self.scale) @ self.weight + self.offset, np.float64)

    def probability(self, features: Float64) -> Float64:
        return probability_of(self.logits(features))

    def open(self, features: Float64, known: int) -> Int64:
        """Which rows may still fall on either side of ``least``, whatever looks from column ``known`` on will say."""
        rising = self.weight[known:] > 0
        low, high = features.copy(), features.copy()
        low[:, known:], high[:, known:] = np.where(rising, OFF, MOST), np.where(rising, MOST, OFF)
        limit = _logit(self.least)
        return np.flatnonzero((self.logits(low) < limit) & (self.logits(high) >= limit))


@cache
def _regression() -> _Regression:
    text = (files("mien.face") / "networks" / "verify.csv").read_text("ascii")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    least, offset = float(rows[0][3]), float(rows[1][3])
    table = np.array([row[1:] for row in rows[2:]], np.float64)
    return _Regression(table[:, 0], table[:, 1], table[:, 2], offset, least)


def least() -> float:
    """The probability from which on a proposal counts as a face."""
    return _regression().least


def likelihood(rgb: UInt8, candidates: Sequence[Candidate], first: mesh.Meshes, second: mesh.Meshes) -> Float64:
    """The probability that each candidate is a face, float64 [N].

    BlazeFace looks again only where that can change whether a candidate counts as a face; elsewhere the probability is
    the one with average looks.

    Args:
        rgb: uint8 [H, W, 3], the photo.
        candidates: the proposals.
        first: the mesh's first round on them.
        second: its second round.
    """
    regression = _regression()
    features = np.tile(regression.mean, (len(candidates), 1))
    known = len(NAMES) - LOOKS
    for i, candidate in enumerate(candidates):
        features[i, :known] = [*second.features[i], *lie_of(candidate, first, second, i)]
    for kind in AGAIN:
        for i in regression.open(features, known):
            features[i, known : known + len(SCALES)] = look_again(rgb, candidates[i], kind)
        known += len(SCALES)
    return regression.probability(features)


def features_of(rgb: UInt8, candidate: Candidate, first: mesh.Meshes, second: mesh.Meshes, i: int) -> Float64:
    """What is known of a proposal, float64 [305]: see :data:`NAMES`."""
    return np.array([*second.features[i], *lie_of(candidate, first, second, i),
                     *(logit for kind in AGAIN for logit in look_again(rgb, candidate, kind))])  # fmt: skip


def lie_of(candidate: Candidate, first: mesh.Meshes, second: mesh.Meshes, i: int) -> Float64:
    """How the mesh lies on a proposal, float64 [11]: presence, agreement of rounds and boxes, points, shape, score."""
    points = second.points[i]
    before, after = mesh.box_of(first.points[i]), mesh.box_of(points)[None]
    eyes = float(np.linalg.norm(points[263, :2] - points[33, :2])) + 1e-6
    seen = [points[[33, 133], :2].mean(axis=0), points[[362, 263], :2].mean(axis=0), points[4, :2],
            points[[13, 14], :2].mean(axis=0)]  # fmt: skip
    away = [float(np.linalg.norm(point - said)) / eyes for point, said in zip(seen, candidate.points, strict=False)]
    score = np.clip(candidate.score, 1e-6, 1 - 1e-6)
    return np.array(
        [
            _logit(first.presence[i]), _logit(second.presence[i]),
            float(blazeface.overlaps(before, after)[0]), float(blazeface.overlaps(candidate.box, after)[0]), *away,
            misfit(first.points[i]), misfit(points), float(np.log(score / (1 - score))),
        ]
    )  # fmt: skip


NAMES = (
    *(f"mesh_{i}" for i in range(288)), "presence_first", "presence", "rounds_agree", "boxes_agree", "left_eye_away",
    "right_eye_away", "nose_away", "mouth_away", "misfit_first", "misfit", "score",
    *(f"again_{kind}_{rank}" for kind in AGAIN for rank in ("least", "middle", "most")),
)  # fmt: skip
"""Names of the features: the mesh network's values; logits of its presence; overlaps of boxes; how far the mesh's
points lie from BlazeFace's, in distances of the eyes; how badly the mesh fits the mean one; BlazeFace's logit, and
those when it looks again, sorted."""


def _logit(share: float) -> float:
    share = float(np.clip(share, 1e-7, 1 - 1e-7))
    return float(np.log(share / (1 - share)))


def misfit(points: Float32) -> float:
    """Root mean square distance of a mesh [468, 3] from the mean mesh, both of size 1, once they are laid together."""
    mean = template().points
    centred = points - points.mean(axis=0)
    centred = centred / np.sqrt((centred**2).sum() / len(centred) + 1e-12)
    u, s, vt = np.linalg.svd(mean.T @ centred)
    alike = s[0] + s[1] + np.sign(np.linalg.det(u @ vt)) * s[2]
    return float(np.sqrt(max(0.0, 2 - 2 * alike / len(mean))))


def look_again(rgb: UInt8, candidate: Candidate, kind: Range) -> list[float]:
    """A BlazeFace's logits for a proposal, upright and at three scales, sorted."""
    side = blazeface.KINDS[kind].side
    squares = np.stack([_square(rgb, candidate, scale, side) for scale in SCALES])
    logits = []
    for scale, found in zip(SCALES, blazeface.raw(squares, kind), strict=True):
        half = side / scale / 2
        where = np.array([side / 2 - half] * 2 + [side / 2 + half] * 2, np.float32)
        near = blazeface.overlaps(where, found.boxes) > 0.35
        logits.append(min(max([*found.scores[near].tolist(), OFF]), MOST))
    return sorted(logits)


def _square(rgb: UInt8, candidate: Candidate, scale: float, side: int) -> UInt8:
    place = mesh.Place.of_box(candidate.box, candidate.points)
    return mesh.cut(rgb, mesh.Place(place.centre, place.side / mesh.REACH * scale, place.angle), side)
