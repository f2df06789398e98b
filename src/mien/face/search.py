"""Where in a photo are faces? BlazeFace proposes, whole picture and tiles; what it proposes is then looked at closely.

BlazeFace fires on covered faces when its threshold is low, and on fists and letters as well. So it proposes at a low
threshold, the mesh is laid over every proposal, and :mod:`mien.face.verify` says from both how likely it is a face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mien.face import blazeface, mesh, thumbnail, verify
from mien.face.blazeface import Found, Look
from mien.face.verify import Candidate, candidates_of, meshes_of
from mien.types import Float32, UInt8

FIRST: tuple[Look, ...] = (Look("back", 0.0, least=0.3), Look("short", 0.25, least=0.4))
"""The whole picture, always."""
AGAIN: tuple[Look, ...] = (
    Look("back", 0.25, least=0.3), Look("short", 0.0, least=0.3), Look("back", 0.6, least=0.4),
)  # fmt: skip
"""The whole picture, where the first looks found nothing."""
TURNED: tuple[Look, ...] = (Look("back", 0.1, 1, 0.5), Look("back", 0.1, 3, 0.5), Look("back", 0.1, 2, 0.5))
"""Where nothing stands upright: a photo that lies on its side or on its head."""
TILE = Look("back", 0.0, least=0.5)
SMALLEST = 12.0
"""BlazeFace (back) finds a face whose longer side is at least one part in so many of what it sees; at one part in 16
more faces of 44 pixels go unseen (scripts/measure/sizes.py measures it)."""
WHOLE = 16.0
"""A photo whose longer side is at most so many of the smallest face is seen whole: on 600 photos, most of them such,
tiles found no face more, and took as long as all other looks (docs/LOG.md)."""
STEP = 4.0
"""Tiles of one level are so many times larger than those of the level below; they overlap by one part in so many."""
MOST = 1000
"""Proposals that are looked at closely, the highest scores first: more than the faces of a crowd."""
LEAST_INSIDE = 0.5
"""Share of a face's box that lies in the picture; of what lies farther outside nothing can be read."""
SAME = 0.4
"""Meshes whose boxes overlap more are one face."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A face.

    Attributes:
        mesh: float32 [468, 3], in pixels of the photo.
        presence: the mesh's own word, 0 to 1.
        score: the probability that this is a face, 0 to 1.
    """

    mesh: Float32
    presence: float
    score: float


def faces(rgb: UInt8, min_face: float) -> list[Seen]:
    """Every face of a photo, surest first.

    Args:
        rgb: uint8 [H, W, 3].
        min_face: longer side in pixels of the smallest face that is looked for.
    """
    proposals = [*blazeface.looks(rgb, FIRST), *_tiled(rgb, min_face)]
    found = _close(rgb, proposals, min_face)
    if not found and max(rgb.shape[:2]) <= thumbnail.LARGEST:
        found = _in_thumbnail(rgb, min_face)
    for looks in (AGAIN, TURNED):
        if found:
            break
        found = _close(rgb, blazeface.looks(rgb, looks), min_face)
    return found


def _in_thumbnail(rgb: UInt8, min_face: float) -> list[Seen]:
    seen = [Seen(*one) for one in thumbnail.faces(rgb)]
    large = [one for one in seen if np.max(np.ptp(one.mesh[:, :2], axis=0)) >= 0.5 * min_face]
    return _distinct(large, rgb.shape)


def central(found: Found, shape: tuple[int, ...]) -> Candidate | None:
    """The one of several faces that a picture (height, width) of one face shows; None where none is near its middle."""
    side = max(shape[:2])
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    away = np.linalg.norm(middles - (np.array(shape[1::-1]) - 1) / 2, axis=1) / side
    values = np.where(away > 0.6, -1.0, found.scores - 0.6 * away)
    if not len(values) or values.max() <= -1:
        return None
    best = int(np.argmax(values))
    return Candidate(found.boxes[best], found.points[best], float(found.scores[best]))


def _tiled(rgb: UInt8, min_face: float) -> Iterator[Found]:
    side = SMALLEST * min_face
    if max(rgb.shape[:2]) <= WHOLE * min_face:
        return
    while side < max(rgb.shape[:2]):
        for x, y in _corners(rgb.shape, side):
            tile = rgb[y : y + round(side), x : x + round(side)]
            found = blazeface.look([tile], TILE)[0]
            if len(found):
                corner = np.array([x, y], np.float32)
                yield Found(found.boxes + np.tile(corner, 2), found.points + corner, found.scores)
        side *= STEP


def _corners(shape: tuple[int, ...], side: float) -> list[tuple[int, int]]:
    """Top left corners (x, y) of tiles that overlap and together cover a picture (height, width)."""
    starts = []
    for length in (shape[1], shape[0]):
        count = 1 + int(np.ceil(max(0.0, length - side) / (side * (1 - 1 / STEP))))
        starts.append(np.round(np.linspace(0, max(0.0, length - side), count)).astype(int).tolist())
    return [(x, y) for y in starts[1] for x in starts[0]]


def _close(rgb: UInt8, proposals: list[Found], min_face: float) -> list[Seen]:
    """What of the proposals is a face."""
    merged = blazeface.merged(
        Found(
            np.concatenate([np.zeros((0, 4), np.float32), *(found.boxes for found in proposals)]),
            np.concatenate([np.zeros((0, 6, 2), np.float32), *(found.points for found in proposals)]),
            np.concatenate([np.zeros(0, np.float32), *(found.scores for found in proposals)]),
        )
    )
    candidates = [c for c in candidates_of(merged) if np.max(c.box[2:] - c.box[:2]) >= 0.7 * min_face][:MOST]
    return _distinct([seen for seen in _verified(rgb, candidates) if seen.score >= verify.least()], rgb.shape)


def _inside(box: Float32, shape: tuple[int, ...]) -> float:
    """Share of a box that lies in a picture (height, width)."""
    low, high = np.maximum(box[:2], -0.5), np.minimum(box[2:], np.array(shape[1::-1], np.float32) - 0.5)
    return float(np.prod(np.maximum(high - low, 0)) / max(float(np.prod(box[2:] - box[:2])), 1e-6))


def _verified(rgb: UInt8, candidates: list[Candidate]) -> list[Seen]:
    if not candidates:
        return []
    first, second = meshes_of(rgb, candidates)
    scores = verify.likelihood(rgb, candidates, first, second)
    return [
        Seen(points, presence, score)
        for points, presence, score in zip(second.points, second.presence.tolist(), scores.tolist(), strict=True)
    ]


def _distinct(seen: list[Seen], shape: tuple[int, ...]) -> list[Seen]:
    """Faces that lie in a picture (height, width) for the most part, each once, surest first."""
    kept: list[Seen] = []
    inside = [one for one in seen if _inside(mesh.box_of(one.mesh), shape) >= LEAST_INSIDE]
    for one in sorted(inside, key=lambda s: -s.score):
        boxes = np.array([mesh.box_of(other.mesh) for other in kept], np.float32).reshape(-1, 4)
        if not (blazeface.overlaps(mesh.box_of(one.mesh), boxes) > SAME).any():
            kept.append(one)
    return kept
