"""From faces to answers: the one path that serves photos, videos, evaluation and every measurement.

A face comes as a canvas (``mien.face.crops``). The path asks the networks about every area, finds what is hidden, and
answers; each answer names its *source* (``mien.trust.sources``), under which it is calibrated and judged.

Two kinds of network answer here. The one network looks at the whole face as it is and says in the same pass what is
hidden: its answer is that pass. Networks of single areas answer from the areas of what is visible, fused
(``mien.trust.fusion``). Where the user says what is visible, both answer from just that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mien.errors import ModelError
from mien.face.aligned import area_views
from mien.face.areas import bounding_box, square_of
from mien.face.crops import Canvas, canvas_of, cut
from mien.face.spec import Crop, CropSpec, Sampling
from mien.trust import fusion
from mien.trust.authenticity import Calibration, SourceCalibration, softmax
from mien.trust.contribution import photo_contribution
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.trust.prior import Prior, weighted_threshold
from mien.trust.reference import ReferenceAnswers
from mien.trust.sources import Source
from mien.trust.visibility import VisibilityModel, visibility_of
from mien.types import (
    EMOTIONS,
    N_EMOTIONS,
    PARTS,
    Area,
    Emotion,
    Face,
    Float32,
    Interval,
    LazyMapping,
    Part,
    Prediction,
    UInt8,
    Visibility,
)


class Canvases(Protocol):
    """Faces that can be had at the face size and sampling of a crop spec."""

    def of(self, spec: CropSpec) -> Sequence[Canvas]:
        """One canvas a face."""


class PictureFaces:
    """The faces of one picture; canvases are made once a face size and sampling."""

    def __init__(self, gray: UInt8, faces: Sequence[Face]) -> None:
        self.gray, self.faces = gray, faces
        self._kept: dict[tuple[float, Sampling], list[Canvas]] = {}

    def of(self, spec: CropSpec) -> Sequence[Canvas]:
        """One canvas a face."""
        how = spec.face_size, spec.sampling
        if how not in self._kept:
            self._kept[how] = [canvas_of(self.gray, face.landmarks, *how) for face in self.faces]
        return self._kept[how]


@dataclass(frozen=True)
class PreparedFaces:
    """Canvases that were made before, the same for every crop spec: a prepared data set's."""

    canvases: Sequence[Canvas]

    def of(self, spec: CropSpec) -> Sequence[Canvas]:
        """One canvas a face."""
        return self.canvases


@dataclass(frozen=True, eq=False)
class Looked:
    """What the networks say of N faces.

    Attributes:
        areas: logits float32 [N, 8] of every area; what the answers do not need is asked when it is read.
        views: uint8 [N, size, size], what each area's network saw; the same.
        seen: N, what is visible.
        logits: float32 [N, 8], the answers; 0 where no part is visible.
        sources: N names under which the answers are calibrated; empty where no part is visible.
        shown: N areas from which the answers come; None where no part is visible.
    """

    areas: Mapping[Area, Float32]
    views: Mapping[Area, UInt8]
    seen: Sequence[Visibility]
    logits: Float32
    sources: Sequence[str]
    shown: Sequence[Area | None]

    def of_face(self, i: int) -> Mapping[Area, Float32]:
        """Logits float32 [1, 8] of every area of one face."""
        return _of_face(self.areas, i)


def _of_face(logits: Mapping[Area, Float32], i: int) -> Mapping[Area, Float32]:
    return LazyMapping(logits, lambda: {area: rows[i : i + 1] for area, rows in logits.items()})


def _columns(canvases: Sequence[Canvas], areas: Sequence[Area], spec: CropSpec) -> Iterator[tuple[Area, list[UInt8]]]:
    """By area, what is seen of every face."""
    rows = [area_views(canvas, areas, spec) for canvas in canvases]
    return ((area, [row[area] for row in rows]) for area in areas)


class AnswerPath:
    """Networks, what they see, and how their answers are put together.

    Args:
        models: the networks.
        rule: how areas are fused, for networks of single areas.
        visibility: what finds hidden parts; None takes all parts as visible.
    """

    def __init__(
        self, models: Models, rule: Fusion = fusion.LARGEST, visibility: VisibilityModel | None = None
    ) -> None:
        self.models, self.fusion, self.visibility = models, rule, visibility

    @classmethod
    def of(cls, models: Models, rule: Fusion = fusion.LARGEST) -> AnswerPath:
        """With the networks' own way to find hidden parts, else that of the package's networks, else none."""
        return cls(models, rule, visibility_model_of(models))

    def look(
        self, faces: Canvases, visible: frozenset[Part] | None = None, areas: Sequence[Area] | None = None
    ) -> Looked:
        """Ask the networks and answer.

        Args:
            faces: at least one.
            visible: the parts that are visible, where the user says so; None finds out for each face.
            areas: ask about these areas only (and those that the answer needs); None asks about all.
        """
        views, logits, hidden = self._asked(faces, self._wanted(visible, areas))
        count = len(faces.of(self.models.entry(next(iter(views))).spec))
        seen = self._seen(faces, count, visible, hidden)
        answers = np.zeros((count, N_EMOTIONS), np.float32)
        sources, shown = [""] * count, [None] * count  # type: list[str], list[Area | None]
        for i, of_face in enumerate(seen):
            if not of_face.visible:
                continue
            if hidden is not None and not of_face.given:
                answers[i], sources[i] = logits[Area.WHOLE_FACE][i], Source.hidden(of_face.hidden_pieces)
                shown[i] = Area.of(of_face.visible)
                continue
            fused = self.fused(_of_face(logits, i), of_face.visible, self._blanked(faces, i, of_face))
            if fused is not None:
                answers[i], sources[i], shown[i] = fused.logits[0], fused.source, fused.area
        return Looked(logits, views, seen, answers, sources, shown)

    def fused(
        self, logits: fusion.Logits, visible: frozenset[Part], blanked: fusion.Logits | None = None
    ) -> fusion.Fused | None:
        """The answer from the areas of visible parts; None where there is none."""
        if not visible or not any(area.parts <= visible for area in logits):
            return None
        return fusion.fuse(logits, visible, self.fusion, blanked)

    def _wanted(self, visible: frozenset[Part] | None, areas: Sequence[Area] | None) -> list[Area]:
        if areas is None:
            return list(self.models.areas)
        needed = {Area.WHOLE_FACE} if self.models.sees_hidden and visible is None else set(self.models.areas)
        return [area for area in self.models.areas if area in needed | set(areas)]

    def _asked(
        self, faces: Canvases, areas: Sequence[Area]
    ) -> tuple[Mapping[Area, UInt8], Mapping[Area, Float32], Float32 | None]:
        """What the networks see and say of every area, each cut and asked when first read, and float32 [N, 4], what is
        hidden, where one pass over the whole face says so with its answer: that pass is made at once."""
        specs = {area: self.models.entry(area).spec for area in areas}
        canvases = {spec: faces.of(spec) for spec in specs.values()}

        def cut_all() -> dict[Area, UInt8]:
            return {a: np.stack(column) for spec, of_spec in canvases.items()
                    for a, column in _columns(of_spec, [a for a in areas if specs[a] == spec], spec)}  # fmt: skip

        if not self.models.sees_hidden or Area.WHOLE_FACE not in specs:
            views = LazyMapping(areas, cut_all)
            return views, LazyMapping(areas, lambda: self.models.logits_of(views)), None
        spec = specs[Area.WHOLE_FACE]
        whole = np.stack([area_views(c, [Area.WHOLE_FACE], spec)[Area.WHOLE_FACE] for c in canvases[spec]])
        answer, hidden = self.models.one_pass(whole)
        views = LazyMapping(areas, cut_all, {Area.WHOLE_FACE: whole})
        others = [area for area in areas if area is not Area.WHOLE_FACE]
        logits = LazyMapping(
            areas, lambda: self.models.logits_of({a: views[a] for a in others}), {Area.WHOLE_FACE: answer}
        )
        return views, logits, hidden

    def _seen(
        self, faces: Canvases, count: int, visible: frozenset[Part] | None, hidden: Float32 | None
    ) -> list[Visibility]:
        if visible is not None or self.visibility is None:
            shown = frozenset(PARTS) if visible is None else visible
            return [Visibility({part: float(part in shown) for part in PARTS}, shown, given=True)] * count
        entry = self.visibility.models.entry(Area.WHOLE_FACE)
        canvases = faces.of(entry.spec)
        if hidden is None:
            return self.visibility.visibilities(canvases, "one")
        return [visibility_of(canvas, row, entry.thresholds) for canvas, row in zip(canvases, hidden, strict=True)]

    def _blanked(self, faces: Canvases, i: int, seen: Visibility) -> Mapping[Area, Float32] | None:
        """Where one part of a face was found hidden, the logits of its crops with that part blanked."""
        if seen.given or self.models.sees_hidden:
            return None
        of_face = {}
        for area in fusion.blanked_within(seen.visible):
            if area in self.models.areas:
                spec = self.models.entry(area).spec
                crop = cut(faces.of(spec)[i], area, spec, hidden=frozenset(PARTS) - seen.visible)
                of_face[area] = self.models.logits(area, crop[None])
        return of_face or None


class Judge:
    """Calibrated probabilities and P(right) of logits; the plain softmax where nothing was fitted.

    Args:
        calibration: None where these networks were never calibrated.
        coverage: also give prediction sets with this coverage.
        prior: mix of emotions among the faces, where it is not that of the calibration (``mien.trust.prior``).
        reference: by source, what prediction sets are worked out from where a prior is given.

    Raises:
        ModelError: a prior is given, and these networks were never calibrated.
    """

    def __init__(
        self,
        calibration: Calibration | None,
        coverage: float | None = None,
        prior: Prior | None = None,
        reference: Mapping[str, ReferenceAnswers] | None = None,
    ) -> None:
        if prior is not None and calibration is None:
            raise ModelError("these networks were never calibrated, so no mix of emotions can be taken into account")
        self.calibration, self.coverage, self.prior = calibration, coverage, prior
        self.reference = reference or {}
        self._thresholds: dict[str, float] = {}

    @property
    def shares(self) -> Float32:
        """float32 [8], the mix of emotions under which is judged; even where nothing was fitted."""
        if self.prior is not None:
            return np.asarray(self.prior.shares, np.float32)
        return np.full(N_EMOTIONS, 1 / N_EMOTIONS, np.float32) if self.calibration is None else self.calibration.prior

    def predictions(self, area: Area, logits: Float32, source: str = "") -> list[Prediction]:
        """One prediction a row of logits float32 [N, 8]; ``source`` is how they are calibrated, the area by default."""
        source = source or area
        said = [EMOTIONS[i] for i in logits.argmax(axis=1)]
        if self.calibration is None:
            probabilities = softmax(logits).astype(np.float32)
            return [Prediction(area, z, p, e, None) for z, p, e in zip(logits, probabilities, said, strict=True)]
        if self.prior is not None:
            return self._under_prior(area, logits, source, self.calibration, self.prior)
        probabilities = self.calibration.probabilities(source, logits)
        right = self.calibration.judge(source, logits)
        sets: list[tuple[Emotion, ...]] = [()] * len(logits)
        if self.coverage is not None:
            sets = self.calibration.prediction_set(source, logits, self.coverage)
        rows = zip(logits, probabilities, said, right, sets, strict=True)
        return [Prediction(area, z, p, e, r, s) for z, p, e, r, s in rows]

    def _under_prior(
        self, area: Area, logits: Float32, source: str, calibration: Calibration, prior: Prior
    ) -> list[Prediction]:
        fitted = calibration.source(source)
        probabilities, (value, low, high) = fitted.under(logits, prior.weights(calibration.prior))
        threshold = None if self.coverage is None else self._threshold(source, fitted, calibration, prior)
        out = []
        for i, p in enumerate(probabilities):
            said, sets = int(p.argmax()), tuple[Emotion, ...]()
            if threshold is not None:
                sets = tuple(EMOTIONS[k] for k in np.argsort(-p, kind="stable") if k == said or p[k] >= threshold)
            right = Interval(float(value[i]), float(low[i]), float(high[i]), int(fitted.said[said]))
            out.append(Prediction(area, logits[i], p.astype(np.float32), EMOTIONS[said], right, sets))
        return out

    def _threshold(self, source: str, fitted: SourceCalibration, calibration: Calibration, prior: Prior) -> float:
        """The probability from which an emotion belongs to a prediction set; 0 (all) where nothing is kept for it."""
        if self.coverage is None or source not in self.reference:
            return 0.0
        if source not in self._thresholds:
            kept, weights = self.reference[source], prior.weights(calibration.prior)
            probabilities, _ = fitted.under(kept.logits, weights)
            own = probabilities[np.arange(len(kept.labels)), kept.labels]
            self._thresholds[source] = weighted_threshold(own, weights[kept.labels], self.coverage)
        return self._thresholds[source]


def predictions_of(looked: Looked, judge: Judge) -> list[Mapping[Area, Prediction]]:
    """What each area says of each face; judged when it is first read."""
    judged = LazyMapping(looked.areas, lambda: {a: judge.predictions(a, rows) for a, rows in looked.areas.items()})

    def of_face(i: int) -> Mapping[Area, Prediction]:
        return LazyMapping(judged, lambda: {area: rows[i] for area, rows in judged.items()})

    return [of_face(i) for i in range(len(looked.seen))]


def contributions_of(
    path: AnswerPath, judge: Judge, logits: Mapping[Area, Float32], answer: Prediction | None, visible: frozenset[Part]
) -> Mapping[Part, float]:
    """Bits by visible part, worked out when they are first read: the answer of every subset of the visible parts gives
    the game's values."""
    if answer is None or judge.calibration is None or not set(fusion.areas_within(visible)) <= set(logits):
        return {}

    def bits() -> Mapping[Part, float]:
        probabilities = {Area.of(visible): answer.probabilities}
        for area in fusion.areas_within(visible):
            fused = None if area in probabilities else path.fused(logits, area.parts)
            if fused is not None:
                probabilities[area] = judge.predictions(fused.area, fused.logits, fused.source)[0].probabilities
        return photo_contribution(probabilities, answer.emotion, judge.shares, visible).bits

    return LazyMapping([part for part in PARTS if part in visible], bits)


def crops_of_faces(looked: Looked, faces: Sequence[Face], models: Models) -> list[Mapping[Area, Crop]]:
    """What each area's network saw of each face, with its square in the picture; cut when it is first read."""
    specs = {area: models.entry(area).spec for area in looked.views}

    def of_face(i: int, landmarks: Float32) -> Mapping[Area, Crop]:
        return LazyMapping(specs, lambda: {
            area: Crop(area, specs[area], pixels[i], square_of(bounding_box(landmarks, area), specs[area].padded))
            for area, pixels in looked.views.items()
        })  # fmt: skip

    return [of_face(i, face.landmarks) for i, face in enumerate(faces)]


def visibility_model_of(models: Models) -> VisibilityModel | None:
    """What finds hidden parts: the models' own network, otherwise the shipped one; None where neither is there."""
    for candidate in (models, None):
        try:
            return VisibilityModel(candidate)
        except ModelError:
            continue
    return None
