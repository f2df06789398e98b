"""Photo -> answers: load, find faces, cut areas, ask the networks, calibrate, fuse. Never reaches torch.

::

    from mien import Analyzer

    answers = Analyzer().analyze("photo.jpg")   # path, bytes, array (RGB) or Pillow image
    for answer in answers:                      # one a face, largest first
        print(answer.emotion, answer.fused.authenticity)
    answers.to_frame()                          # pandas, one row a face
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.analyze.answers import Answer, Answers, Heatmap
from mien.errors import ModelError, UsageError
from mien.face import images
from mien.face.areas import bounding_box, square_of
from mien.face.crops import Frame, cut, frame_of
from mien.face.detect import MIN_FACE, DetectorChoice, check_detector, detect, face_at
from mien.face.images import ImageSource, Limits
from mien.face.spec import PUBLISHED_SPEC, Crop, CropSpec, Sampling
from mien.names import writable
from mien.trust import fusion
from mien.trust.authenticity import Calibration, softmax
from mien.trust.contribution import photo_contribution
from mien.trust.fusion import Fusion
from mien.trust.models import Models, shipped_models
from mien.trust.visibility import VisibilityModel, part_visibility
from mien.types import EMOTIONS, PARTS, Area, Emotion, Face, Float32, Part, Prediction, UInt8, Visibility

AreaChoice = Area | Part | str | Iterable[Area | Part | str]
"""An area or parts that are visible: ``"mouth"``, ``Area.NOSE_EYES``, ``["eyes", "mouth"]``."""

LEAST_FACE = 12.0
"""Smaller faces hold nothing that any of the networks could see."""

MEASURED_FACE_SIZE = (24.0, 512.0)
"""``Face.size`` in pixels between which accuracy was measured, where the models' manifest does not say."""


class Analyzer:
    """Finds the faces of photos and says what each area tells, and how far that can be trusted.

    Models are loaded at the first use, and one Analyzer may serve many threads.

    Args:
        models: folder of models with a manifest.json, or an opened :class:`~mien.trust.models.Models`; None is the one
            in the package.
        detector: ``mesh`` (BlazeFace and the face mesh), or ``dlib`` (HOG, then CNN where HOG finds none).
        min_face: longer side in pixels of the smallest face that is looked for.
        network: ``vgg`` or ``anyarea``; None is the models' default.
        area: the parts that are visible, where the user knows; None finds out for each face.
        heatmap: also compute the class map of each answer.
        coverage: also give prediction sets that hold the right emotion with this probability, e.g. 0.9.
        min_authenticity: answers below this authenticity are abstained from.
        limits: on pixels and bytes of a picture.

    Raises:
        UsageError: an argument has a value that is not known.
        ModelError: the models are missing or damaged.
    """

    def __init__(
        self,
        models: Path | str | Models | None = None,
        *,
        detector: DetectorChoice = "mesh",
        min_face: float = MIN_FACE,
        network: str | None = None,
        area: AreaChoice | None = None,
        heatmap: bool = False,
        coverage: float | None = None,
        min_authenticity: float = 0.0,
        limits: Limits = images.DEFAULT_LIMITS,
    ) -> None:
        check_detector(detector)
        if not min_face >= LEAST_FACE:
            raise UsageError(f"min_face is at least {LEAST_FACE:g} pixels, got {min_face:g}")
        if coverage is not None and not 0 < coverage < 1:
            raise UsageError(f"coverage lies between 0 and 1, got {coverage}")
        if not 0 <= min_authenticity <= 1:
            raise UsageError(f"min_authenticity lies in 0..1, got {min_authenticity}")
        self.models = _open_models(models, network)
        self.detector: DetectorChoice = detector
        self.min_face = float(min_face)
        self.visible = None if area is None else parts_of(area)
        self.heatmap = heatmap
        self.coverage = coverage
        self.min_authenticity = min_authenticity
        self.limits = limits
        self.calibration, self.fusion, self._uncalibrated = _trust_of(self.models)
        self._sight = _sight_of(self.models)

    def __reduce__(self) -> tuple[Any, ...]:
        """An Analyzer in another process is opened there anew, with the same models and options."""
        options = {
            "detector": self.detector, "min_face": self.min_face,
            "area": None if self.visible is None else tuple(sorted(self.visible)),
            "heatmap": self.heatmap, "coverage": self.coverage, "min_authenticity": self.min_authenticity,
            "limits": self.limits,
        }  # fmt: skip
        return _reopened, (type(self), self.models, options)

    def analyze(
        self,
        image: ImageSource,
        *,
        area: AreaChoice | None = None,
        heatmap: bool | None = None,
        faces: Sequence[Face] | None = None,
        boxes: Sequence[npt.ArrayLike] | None = None,
        whole_picture: bool = False,
        input: str | None = None,
    ) -> Answers:
        """Analyse one picture.

        Args:
            image: a path, the bytes of a file, a binary file object, a Pillow image or an array; arrays are RGB (not
                OpenCV's BGR): see :func:`mien.face.images.load`.
            area: the parts that are visible; None is as the Analyzer was made.
            heatmap: compute class maps; None is as the Analyzer was made.
            faces: analyse these faces (in pixels of the upright picture) instead of looking for some.
            boxes: analyse the faces in these boxes, [4] each, (x0, y0, x1, y1) in pixels of the upright picture, from
                brows to chin: nothing is looked for, only the landmarks are placed.
            whole_picture: the whole picture is one face: nothing is looked for.
            input: name of the picture in the results; None is its path, or empty.

        Returns:
            One answer a face, largest first; empty where there is none.

        Raises:
            ImageError: the picture cannot be read.
            UsageError: the area is unknown, more than one of faces, boxes and whole_picture is given, a box is none,
                or a face is nowhere (NaN, infinite, or all its landmarks in one place).
        """
        visible = self.visible if area is None else parts_of(area)
        _check_faces(faces or ())
        given = _given_boxes(faces, boxes, whole_picture)
        rgb = images.load(image, self.limits)
        gray = images.to_gray(rgb)
        if given is not None:
            found = [face_at(rgb, box, self.detector) for box in given]
        else:
            found = detect(rgb, self.detector, self.min_face) if faces is None else list(faces)
        name = writable((str(image) if isinstance(image, str | Path) else "") if input is None else input)
        wanted = self.heatmap if heatmap is None else heatmap
        answers = tuple(self._answers(gray, found, visible, wanted)) if found else ()
        return Answers(answers, rgb, name, f"{self.models.network} {self.models.manifest.get('version', '')}".strip())

    def reconsider(self, answer: Answer, area: AreaChoice) -> Answer:
        """The same face's answer if exactly these parts were visible, from the logits it holds: no network runs.

        Raises:
            UsageError: the area is unknown.
        """
        visible = parts_of(area)
        seen = Visibility({part: float(part in visible) for part in PARTS}, visible, given=True)
        logits = {name: prediction.logits[None] for name, prediction in answer.predictions.items()}
        fused = self._fused(logits, visible)
        contributions = self._contributions(logits, fused, seen)
        return replace(
            answer, visibility=seen, fused=fused, contributions=contributions, abstained=self._abstains(fused)
        )

    def part_visibility(self, image: ImageSource, landmarks: npt.ArrayLike, eyes: str = "both") -> Visibility:
        """Which parts of one face can be seen; nothing else is computed. For any user of dlib's 68 landmarks.

        Args:
            image: as in :meth:`analyze`.
            landmarks: [68, 2], (x, y) in pixels of the upright picture.
            eyes: ``both`` eyes and brows, or ``one``, the published eyes area (right brow and eye).

        Raises:
            ImageError: the picture cannot be read.
            ModelError: these models have no visibility network.
            ValueError: the landmarks have another shape.
        """
        if self._sight is None:
            raise ModelError(f"{self.models.folder} has no visibility network")
        gray = images.to_gray(images.load(image, self.limits))
        return part_visibility(gray, np.asarray(landmarks), eyes, self._sight)

    def _answers(self, gray: UInt8, faces: list[Face], visible: frozenset[Part] | None, heatmap: bool) -> list[Answer]:
        frames = _Frames(gray, faces)
        crops = {area: frames.crops(area, self.models.entry(area).spec) for area in self.models.areas}
        logits = {area: self.models.logits(area, np.stack([c.pixels for c in row])) for area, row in crops.items()}
        seen = self._visibilities(frames, visible)
        predictions = {area: self._predictions(area, rows) for area, rows in logits.items()}
        blanked = self._blanked(frames, seen)
        fused = [self._fused({a: rows[i : i + 1] for a, rows in logits.items()}, s.visible, blanked[i])
                 for i, s in enumerate(seen)]  # fmt: skip
        maps = (
            self._heatmaps(frames, [None if f is None else f.emotion for f in fused])
            if heatmap
            else [None] * len(faces)
        )
        return [
            Answer(
                face=face,
                visibility=seen[i],
                predictions={area: rows[i] for area, rows in predictions.items()},
                fused=fused[i],
                contributions=self._contributions(
                    {a: rows[i : i + 1] for a, rows in logits.items()}, fused[i], seen[i]
                ),
                heatmap=maps[i],
                notes=self._notes(gray, face, assumed=visible is None and self._sight is None),
                abstained=self._abstains(fused[i]),
                crops={area: row[i] for area, row in crops.items()},
            )
            for i, face in enumerate(faces)
        ]

    def _visibilities(self, frames: _Frames, visible: frozenset[Part] | None) -> list[Visibility]:
        if visible is not None:
            given = Visibility({part: float(part in visible) for part in PARTS}, visible, given=True)
            return [given] * len(frames.faces)
        if self._sight is None:
            return [Visibility(dict.fromkeys(PARTS, 1.0), frozenset(PARTS), given=True)] * len(frames.faces)
        return [self._sight.visibility(frame) for frame in frames.frames()]

    def _blanked(self, frames: _Frames, seen: Sequence[Visibility]) -> list[Mapping[Area, Float32] | None]:
        """Of each face on which one part was found hidden, the logits of its crops with that part blanked."""
        rows: list[Mapping[Area, Float32] | None] = []
        for i, visibility in enumerate(seen):
            wanted = fusion.blanked_within(visibility.visible) if visibility.visible and not visibility.given else ()
            wanted = tuple(area for area in wanted if area in self.models.areas)
            hidden, of_face = frozenset(PARTS) - visibility.visible, {}
            for area in wanted:
                spec = self.models.entry(area).spec
                crop = cut(frames.frames(spec)[i], area, spec, hidden=hidden)
                of_face[area] = self.models.logits(area, crop[None])
            rows.append(of_face or None)
        return rows

    def _predictions(self, area: Area, logits: Float32, source: str = "") -> list[Prediction]:
        """One prediction a row of logits float32 [N, 8]; ``source`` is how they are calibrated, the area by default."""
        source = source or area
        said = [EMOTIONS[i] for i in logits.argmax(axis=1)]
        if self.calibration is None:
            probabilities = softmax(logits).astype(np.float32)
            return [Prediction(area, z, p, e, None) for z, p, e in zip(logits, probabilities, said, strict=True)]
        probabilities = self.calibration.probabilities(source, logits)
        right = self.calibration.judge(source, logits)
        sets: list[tuple[Emotion, ...]] = [()] * len(logits)
        if self.coverage is not None:
            sets = self.calibration.prediction_set(source, logits, self.coverage)
        rows = zip(logits, probabilities, said, right, sets, strict=True)
        return [Prediction(area, z, p, e, r, s) for z, p, e, r, s in rows]

    def _fused(
        self, logits: Mapping[Area, Float32], visible: frozenset[Part], blanked: Mapping[Area, Float32] | None = None
    ) -> Prediction | None:
        if not visible or not any(area.parts <= visible for area in logits):
            return None
        fused = fusion.fuse(logits, visible, self.fusion, blanked)
        return self._predictions(fused.area, fused.logits, fused.source)[0]

    def _contributions(
        self, logits: Mapping[Area, Float32], fused: Prediction | None, seen: Visibility
    ) -> Mapping[Part, float]:
        """Bits by visible part: the fused answer of every subset of the visible parts gives the game's values."""
        if fused is None or self.calibration is None:
            return {}
        inside = fusion.areas_within(seen.visible)
        answers = {area: self._fused(logits, area.parts) for area in inside if area in logits}
        answers[Area.of(seen.visible)] = fused
        if len(answers) < len(inside):
            return {}
        probabilities = {area: answer.probabilities for area, answer in answers.items() if answer is not None}
        return photo_contribution(probabilities, fused.emotion, self.calibration.prior, seen.visible).bits

    def _abstains(self, fused: Prediction | None) -> bool:
        if fused is None or not self.min_authenticity:
            return False
        return fused.authenticity is None or fused.authenticity.value < self.min_authenticity

    def _heatmaps(self, frames: _Frames, emotions: Sequence[Emotion | None]) -> list[Heatmap | None]:
        if "visualisation" not in self.models.manifest:
            raise ModelError(f"{self.models.folder} has no visualisation network, which heatmaps need")
        spec = self.models.visualisation.spec
        crops = frames.crops(Area.WHOLE_FACE, spec)
        _, maps, _ = self.models.class_maps(np.stack([crop.pixels for crop in crops]))
        heatmaps: list[Heatmap | None] = []
        for crop, emotion, of_face in zip(crops, emotions, maps, strict=True):
            if emotion is None:
                heatmaps.append(None)
                continue
            values = cv2.resize(of_face[emotion.position], (spec.size,) * 2, interpolation=cv2.INTER_LINEAR)
            heatmaps.append(Heatmap(emotion, values.astype(np.float32), crop.box))
        return heatmaps

    def _notes(self, gray: UInt8, face: Face, assumed: bool) -> tuple[str, ...]:
        low, high = self.models.manifest.get("face_size_range", MEASURED_FACE_SIZE)
        notes = []
        if not low <= face.size <= high:
            notes.append(f"The face measures {face.size:.0f} pixels, outside the {low:g} to {high:g} for which "
                         "mien's accuracy was measured: take this answer with care.")  # fmt: skip
        height, width = gray.shape
        outside = (face.landmarks < -0.5) | (face.landmarks > np.array([width, height], np.float32) - 0.5)
        if outside.any():
            notes.append("Part of the face lies outside the picture.")
        notes += _pose_notes(face)
        if assumed:
            notes.append("These models cannot tell what is hidden: all parts were taken as visible.")
        if self._uncalibrated:
            notes.append(self._uncalibrated)
        return tuple(notes)


class _Frames:
    """The faces of one picture as frames, made once a face size and sampling."""

    def __init__(self, gray: UInt8, faces: Sequence[Face]) -> None:
        self.gray, self.faces = gray, faces
        self._frames: dict[tuple[float, Sampling], list[Frame]] = {}

    def frames(self, spec: CropSpec = PUBLISHED_SPEC) -> list[Frame]:
        how = spec.face_size, spec.sampling
        if how not in self._frames:
            self._frames[how] = [frame_of(self.gray, face.landmarks, *how) for face in self.faces]
        return self._frames[how]

    def crops(self, area: Area, spec: CropSpec) -> list[Crop]:
        """One crop a face."""
        boxes = [square_of(bounding_box(face.landmarks, area, spec), spec.padded) for face in self.faces]
        pixels = [cut(frame, area, spec) for frame in self.frames(spec)]
        return [Crop(area, spec, p, box) for p, box in zip(pixels, boxes, strict=True)]


def parts_of(area: AreaChoice) -> frozenset[Part]:
    """The parts that an area, a part, their names, or several of them show.

    Raises:
        UsageError: a name is unknown, or none was given.
    """
    choices = [area] if isinstance(area, str) else list(area)
    names = {a.value: a.parts for a in Area} | {p.value: frozenset({p}) for p in Part}
    parts: set[Part] = set()
    for choice in choices:
        key = str(choice).strip().lower().replace("-", "_").replace(" and ", "_").replace(" ", "_")
        if key not in names:
            raise UsageError(f"no area is called {str(choice)!r}: choose from {', '.join(names)}")
        parts |= names[key]
    if not parts:
        raise UsageError(f"an area needs at least one of {', '.join(names)}")
    return frozenset(parts)


FARTHEST = 1e6
"""Pixels; no picture's face lies farther out."""


MEASURED_POSE = {"yaw": 45.0, "pitch": 30.0, "roll": 37.0}
"""Degrees within which 98 in 100 of FER+'s training faces lie (docs/results/detection/pose.json)."""


def _pose_notes(face: Face) -> list[str]:
    if face.pose is None:
        return []
    turned = {name: angle for name, angle in face.pose.to_dict().items() if abs(angle) > MEASURED_POSE[name]}
    if not turned:
        return []
    words = " and ".join(f"{name} {angle:+.0f} degrees" for name, angle in turned.items())
    return [f"The head is turned ({words}), farther than nearly all faces on which mien's accuracy was measured: take "
            "this answer with care."]  # fmt: skip


def _given_boxes(
    faces: Sequence[Face] | None, boxes: Sequence[npt.ArrayLike] | None, whole: bool
) -> list[Float32 | None] | None:
    """Where the caller says that faces are; None is the whole picture."""
    if (faces is not None) + (boxes is not None) + whole > 1:
        raise UsageError("give faces, boxes or whole_picture, not two of them")
    if whole:
        return [None]
    if boxes is None:
        return None
    checked: list[Float32 | None] = []
    for box in boxes:
        values = np.asarray(box, np.float32)
        if values.shape != (4,) or not (np.abs(values) < FARTHEST).all() or (values[2:] - values[:2]).min() < 1:
            raise UsageError("boxes: a box is (x0, y0, x1, y1), finite, and at least one pixel wide and high")
        checked.append(values)
    return checked


def _check_faces(faces: Sequence[Face]) -> None:
    for face in faces:
        values = np.concatenate([face.box.ravel(), face.landmarks.ravel()])
        if not (np.abs(values) < FARTHEST).all():  # false for NaN too
            raise UsageError("faces: a box or a landmark is NaN, infinite or beyond any picture")
        if np.ptp(face.landmarks, axis=0).min() < 1.0:
            raise UsageError("faces: the landmarks of a face span less than a pixel")


def _reopened(kind: type[Analyzer], models: Models, options: dict[str, Any]) -> Analyzer:
    return kind(models, **options)


def _open_models(models: Path | str | Models | None, network: str | None) -> Models:
    if isinstance(models, Models):
        return models
    return shipped_models() if models is None and network is None else Models(models, network)


def _trust_of(models: Models) -> tuple[Calibration | None, Fusion, str]:
    """Calibration and fusion of a folder of models, or a sentence that says why there are none."""
    try:
        calibration = Calibration.load(models.folder, models.network)
        rule = Fusion.load(models.folder, models.network)
    except ModelError:
        return None, fusion.LARGEST, "These networks were never calibrated, so how far to trust them is unknown."
    if not calibration.belongs_to(models):
        return None, fusion.LARGEST, "The calibration belongs to other networks, so how far to trust these is unknown."
    return calibration, rule, ""


def _sight_of(models: Models) -> VisibilityModel | None:
    """What finds hidden parts: the models' own network, otherwise the shipped one; None where neither is there."""
    if "visibility" in models.manifest:
        return VisibilityModel(models.folder)
    try:
        shipped = shipped_models()
    except ModelError:
        return None
    return VisibilityModel(shipped.folder) if "visibility" in shipped.manifest else None
