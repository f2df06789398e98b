"""Faces of a data set with one part covered, and what the networks say of every view of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.data.cache import FaceCache
from mien.data.samples import Split
from mien.face.crops import BLANK_GROWTH, Canvas, cut
from mien.face.spec import CropSpec
from mien.jobs import places
from mien.jobs.files import hash_of, replacing
from mien.measure import occluders
from mien.measure.occluders import KINDS_FOR, TRAINING_KINDS, Occluded, occlude
from mien.measure.predictions import identity_of
from mien.trust.answer import AnswerPath, PreparedFaces
from mien.trust.fusion import areas_within, blanked_within, views_within
from mien.trust.models import Models, with_bias
from mien.trust.sources import Source
from mien.types import PARTS, Area, Float32, Part, UInt8

Logits = Callable[[Area, UInt8], Float32]
"""Area and crops uint8 [N, S, S] -> logits [N, 8]."""

Say = Callable[[str], None]

HIDDEN = 0.5
"""A part is hidden when more than this share of its hull is."""


def cover(
    cache: FaceCache, rows: npt.NDArray[np.int64], part: Part, kinds: Sequence[str], eyes: str = "one", seed: int = 0
) -> list[Occluded]:
    """Cover one part of every face, with the given kinds of occluder in turn.

    A face whose part did not get hidden (a narrow occluder on a turned head) is tried again, up to five times.

    Args:
        cache: the prepared data set.
        rows: int64 [N], of the faces.
        part: to cover.
        kinds: of occluders, see ``occlude``.
        eyes: ``one`` or ``both``, what counts as the eyes.
        seed: of the occluders.
    """
    faces = []
    for number, row in enumerate(rows):
        generator = np.random.default_rng([seed, PARTS.index(part), int(row)])
        donor = np.asarray(cache.canvases[int(generator.choice(rows))])
        for _ in range(5):
            face = occlude(cache.canvas(int(row)), kinds[number % len(kinds)], generator, donor, part)
            if face.share(part, eyes) > HIDDEN:
                break
        faces.append(face)
    return faces


def truly_visible(face: Occluded, eyes: str = "one") -> frozenset[Part]:
    """The parts that the occluder leaves visible."""
    return frozenset(part for part in PARTS if face.share(part, eyes) <= HIDDEN)


def view_logits(
    canvases: list[Canvas],
    visible: frozenset[Part],
    logits: Logits,
    specs: Mapping[Area, CropSpec],
    growth: float = BLANK_GROWTH,
) -> tuple[dict[Area, Float32], dict[Area, Float32]]:
    """What the networks say of faces that all show exactly these parts.

    Args:
        canvases: of the faces.
        visible: the visible parts, at least one.
        logits: of the networks.
        specs: how each area is cropped.
        growth: of the blanked hulls, see ``areas.cut``.

    Returns:
        Logits float32 [N, 8] of each area of visible parts only, and of each area cut with the hidden part blanked: the
        arguments ``logits`` and ``blanked`` of ``fusion.fuse``.
    """
    hidden = frozenset(PARTS) - visible
    plain = {a: logits(a, np.stack([cut(f, a, specs[a]) for f in canvases])) for a in areas_within(visible)}
    blanked = {
        a: logits(a, np.stack([cut(f, a, specs[a], hidden=hidden, growth=growth) for f in canvases]))
        for a in blanked_within(visible)
    }
    return plain, blanked


@dataclass(frozen=True, eq=False)
class OccludedViews:
    """Faces of which one part is covered, the other two visible.

    Attributes:
        views: logits float32 [N, 8] of each of ``fusion.views_within(visible, blanked=True)``.
        labels: int64 [N], position of the emotion.
    """

    views: Mapping[str, Float32]
    labels: npt.NDArray[np.int64]


def occluded_views(
    cache: FaceCache,
    models: Models,
    split: Split,
    say: Say,
    folder: Path | None = None,
    growth: float = BLANK_GROWTH,
) -> dict[Area, OccludedViews]:
    """A third of a split's faces with the eyes covered, a third the nose, a third the mouth: all views' logits.

    Occluders are those of ``occlude.TRAINING_KINDS`` only; faces on which they hide more than the one part are left
    out. Kept like the predictions of ``mien.measure.predictions``.

    Args:
        cache: the prepared data set.
        models: the networks; all seven areas.
        split: whose faces.
        say: gets a line a step that has to be computed.
        folder: of the kept files; None is the usual place.
        growth: of the blanked hulls, see ``areas.cut``.

    Returns:
        By the area that shows exactly the two visible parts.
    """
    folder, rows = places.predictions() if folder is None else folder, cache.rows(split)
    specs = {area: models.entry(area).spec for area in models.areas}
    out = {}
    for third, part in enumerate(PARTS):
        target = Area.of(frozenset(PARTS) - {part})
        names = views_within(target.parts, blanked=True)
        used = {Source(name).area for name in names} | set(areas_within(target.parts))
        entries = [[models.entry(a).sha256, models.entry(a).spec.key, models.entry(a).flip] for a in sorted(used)]
        key = hash_of([identity_of(cache), entries, growth, _drawing()])
        path = folder / f"occluded-{split}-{models.network}-{part.value}-{key}.npz"
        if not path.is_file():
            say(f"{part.value} covered: {len(rows[third::3])} faces")
            _compute(cache, models, rows[third::3], part, specs, path, growth)
        with np.load(path) as kept:
            bias = {name: models.entry(Source(name).area).logit_bias for name in names}
            views = {name: with_bias(kept[name], bias[name]) for name in names}
            out[target] = OccludedViews(views, kept["labels"])
    return out


@dataclass(frozen=True, eq=False)
class HiddenAnswers:
    """Answers for faces of which the same was found hidden.

    Attributes:
        logits: float32 [N, 8].
        labels: int64 [N], position of the emotion.
        faces: int64 [N], row of the face in the data set: one face may be covered in several ways.
    """

    logits: Float32
    labels: npt.NDArray[np.int64]
    faces: npt.NDArray[np.int64]


TARGETS: tuple[Part | None, ...] = (Part.EYES, Part.NOSE, Part.MOUTH, None)
"""What a cover is aimed at, in turn; None lies anywhere, so that one eye, or several parts, get hidden too."""


def hidden_answers(cache: FaceCache, path: AnswerPath, split: Split, say: Say) -> dict[str, HiddenAnswers]:
    """Answers for a split's faces behind drawn covers of the training kinds, and as they are where something is hidden.

    Args:
        cache: the prepared data set.
        path: answers; its network sees what is hidden.
        split: whose faces.
        say: gets a line a step.

    Returns:
        By source (``mien.trust.sources``), as found.
    """
    rows = cache.rows(split, "any")
    found: dict[str, list[tuple[Float32, int, int]]] = {}
    for number, target in enumerate((*TARGETS, "as they are")):
        say(f"{len(rows)} faces, {target or 'anything'} covered" if number < len(TARGETS) else f"{len(rows)} faces")
        for start in range(0, len(rows), 512):
            some = rows[start : start + 512]
            canvases = [cache.canvas(int(row)) for row in some]
            if number < len(TARGETS):
                canvases = [_behind(cache, int(row), TARGETS[number], rows, number) for row in some]
            looked = path.look(PreparedFaces(canvases), areas=())
            for row, logits, source in zip(some, looked.logits, looked.sources, strict=True):
                if source and Source(source).kind == "hidden":
                    found.setdefault(source, []).append((logits, int(cache.labels[row]), int(row)))
    return {
        source: HiddenAnswers(np.stack([row[0] for row in rows]), *np.array([row[1:] for row in rows], np.int64).T)
        for source, rows in found.items()
    }


def _behind(cache: FaceCache, row: int, part: Part | None, rows: npt.NDArray[np.int64], seed: int) -> Canvas:
    generator = np.random.default_rng([seed, row])
    kinds = TRAINING_KINDS if part is None else [kind for kind in KINDS_FOR[part] if kind in TRAINING_KINDS]
    donor = np.asarray(cache.canvases[int(generator.choice(rows))])
    return occlude(cache.canvas(row), kinds[int(generator.integers(len(kinds)))], generator, donor, part).canvas


def _drawing() -> str:
    """Changes when the occluders are drawn otherwise."""
    return hashlib.sha256(Path(occluders.__file__).read_bytes()).hexdigest()


def _compute(
    cache: FaceCache,
    models: Models,
    rows: npt.NDArray[np.int64],
    part: Part,
    specs: Mapping[Area, CropSpec],
    path: Path,
    growth: float,
) -> None:
    kinds, eyes = [k for k in KINDS_FOR[part] if k in TRAINING_KINDS], specs[Area.WHOLE_FACE].eyes
    visible, faces = frozenset(PARTS) - {part}, cover(cache, rows, part, kinds, specs[Area.WHOLE_FACE].eyes)
    kept = np.array([truly_visible(face, eyes) == visible for face in faces])
    canvases = [face.canvas for face, keep in zip(faces, kept, strict=True) if keep]
    plain, blanked = view_logits(canvases, visible, partial(models.logits, bias=False), specs, growth)
    named = {a.value: z for a, z in plain.items()} | {Source.of("blanked", a): z for a, z in blanked.items()}
    arrays: dict[str, Any] = {**named, "labels": cache.labels[rows[kept]]}
    with replacing(path) as scratch:
        np.savez(scratch, **arrays)
