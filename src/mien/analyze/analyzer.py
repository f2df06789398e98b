"""Photo -> answers: load, find faces, cut areas, ask the networks, calibrate, fuse. Never reaches torch.

::

    from mien import Analyzer

    answers = Analyzer().analyze("photo.jpg")   # path, bytes, array (RGB) or Pillow image
    for answer in answers:                      # one a face, largest first
        print(answer.emotion, answer.p_correct)
    answers.to_frame()                          # pandas, one row a face
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.analyze.answers import Answer, Answers, Heatmap
from mien.analyze.provenance import provenance_of
from mien.errors import ModelError, UsageError, writable
from mien.face import images
from mien.face.areas import bounding_box, square_of
from mien.face.crops import cut
from mien.face.detect import MIN_FACE, DetectorChoice, check_detector, detect, face_at
from mien.face.images import ImageSource, Limits
from mien.trust import fusion
from mien.trust.answer import AnswerPath, Judge, PictureFaces, contributions_of, crops_of_faces, predictions_of
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models, shipped_models
from mien.trust.prior import Prior, prior_of_choice
from mien.trust.reference import read_reference
from mien.trust.visibility import Eyes, part_visibility
from mien.types import PARTS, Area, Emotion, Face, Float32, Part, Prediction, UInt8, Visibility

AreaChoice = Area | Part | str | Iterable[Area | Part | str]
"""An area or parts that are visible: ``"mouth"``, ``Area.NOSE_EYES``, ``["eyes", "mouth"]``."""

LEAST_FACE = 12.0
"""Smaller faces hold nothing that any of the networks could see."""
PriorChoice = Prior | str | Mapping[str, float] | None
"""A mix of emotions, as itself, as text or as shares by emotion; None is that of the calibration."""

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
        prior: mix of emotions among the faces, where it is not that of the calibration: a
            :class:`~mien.trust.prior.Prior`, what :meth:`Prior.parse` reads (``"balanced"``), or shares by emotion.

    Raises:
        UsageError: an argument has a value that is not known.
        ModelError: the models are missing or damaged; or a prior is given and they were never calibrated.
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
        prior: PriorChoice = None,
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
        calibration, rule, self._uncalibrated = _trust_of(self.models)
        self.path, self._calibration = AnswerPath.of(self.models, rule), calibration
        self.prior = prior_of_choice(prior)
        self.judge = self._judge_under(self.prior)
        self._made_by: dict[str, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """An Analyzer in another process is opened there anew, with the same models and options."""
        options = {
            "detector": self.detector, "min_face": self.min_face,
            "area": None if self.visible is None else tuple(sorted(self.visible)),
            "heatmap": self.heatmap, "coverage": self.coverage, "min_authenticity": self.min_authenticity,
            "limits": self.limits, "prior": self.prior,
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
        prior: PriorChoice = None,
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
            prior: mix of emotions among the faces; None is as the Analyzer was made.

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
        judge = self.judge if prior is None else self._judge_under(prior_of_choice(prior))
        answers = tuple(self._answers(gray, found, visible, wanted, judge)) if found else ()
        models = f"{self.models.network} {self.models.manifest.get('version', '')}".strip()
        return Answers(answers, rgb, name, models, self.provenance(judge.prior))

    def provenance(self, prior: Prior | None = None) -> dict[str, Any]:
        """What answers: versions, network, fingerprint, detector, options, date; see ``mien.analyze.provenance``.

        Args:
            prior: the mix of emotions taken into account; None is as the Analyzer was made.
        """
        self._made_by = self._made_by or provenance_of(self)
        given = self.prior if prior is None else prior
        own = None if given is None else {"name": given.name, "shares": given.to_dict()}
        return self._made_by | {"prior": own, "date": datetime.now(UTC).isoformat(timespec="seconds")}

    def reconsider(self, answer: Answer, area: AreaChoice) -> Answer:
        """The same face's answer if exactly these parts were visible, from the logits it holds: no network runs.

        Raises:
            UsageError: the area is unknown.
        """
        visible = parts_of(area)
        seen = Visibility({part: float(part in visible) for part in PARTS}, visible, given=True)
        logits = {name: prediction.logits[None] for name, prediction in answer.predictions.items()}
        judge = self.judge if answer.prior == self.prior else self._judge_under(answer.prior)
        found = self.path.fused(logits, visible)
        fused = None if found is None else judge.predictions(found.area, found.logits, found.source)[0]
        contributions = contributions_of(self.path, judge, logits, fused, visible)
        return replace(
            answer, visibility=seen, fused=fused, contributions=contributions, abstained=self._abstains(fused)
        )

    def part_visibility(self, image: ImageSource, landmarks: npt.ArrayLike, eyes: Eyes = "both") -> Visibility:
        """Which parts of one face can be seen; nothing else is computed. For any user of dlib's 68 landmarks.

        Args:
            image: as in :meth:`analyze`.
            landmarks: [68, 2], (x, y) in pixels of the upright picture.
            eyes: ``both`` eyes and brows, ``one``, the published eyes area (right brow and eye), or ``any`` of them.

        Raises:
            ImageError: the picture cannot be read.
            ModelError: these models have no visibility network.
            ValueError: the landmarks have another shape.
        """
        if self.path.sight is None:
            raise ModelError(f"{self.models.folder} has no network that says what is hidden")
        gray = images.to_gray(images.load(image, self.limits))
        return part_visibility(gray, np.asarray(landmarks), eyes, self.path.sight)

    def _judge_under(self, prior: Prior | None) -> Judge:
        calibration, models = self._calibration, self.models
        reference = read_reference(models.folder, models.network) if prior and self.coverage is not None else {}
        return Judge(calibration, self.coverage, prior, reference)

    def _answers(
        self, gray: UInt8, faces: list[Face], visible: frozenset[Part] | None, heatmap: bool, judge: Judge
    ) -> list[Answer]:
        canvases = PictureFaces(gray, faces)
        looked = self.path.look(canvases, visible)
        predictions = predictions_of(looked, judge)
        fused = [
            None if shown is None else judge.predictions(shown, looked.logits[i : i + 1], looked.sources[i])[0]
            for i, shown in enumerate(looked.shown)
        ]
        maps = (
            self._heatmaps(canvases, [None if f is None else f.emotion for f in fused])
            if heatmap
            else [None] * len(faces)
        )
        crops = crops_of_faces(looked, faces, self.models)
        return [
            Answer(
                face=face,
                visibility=looked.seen[i],
                predictions=predictions[i],
                fused=fused[i],
                contributions=contributions_of(
                    self.path, judge, looked.of_face(i), fused[i], looked.seen[i].visible
                ),
                heatmap=maps[i],
                notes=self._notes(gray, face, assumed=visible is None and self.path.sight is None),
                abstained=self._abstains(fused[i]),
                crops=crops[i],
                prior=judge.prior,
            )
            for i, face in enumerate(faces)
        ]  # fmt: skip

    def _abstains(self, fused: Prediction | None) -> bool:
        if fused is None or not self.min_authenticity:
            return False
        return fused.authenticity is None or fused.authenticity.value < self.min_authenticity

    def _heatmaps(self, canvases: PictureFaces, emotions: Sequence[Emotion | None]) -> list[Heatmap | None]:
        if "visualisation" not in self.models.manifest:
            raise ModelError(f"{self.models.folder} has no visualisation network, which heatmaps need")
        spec = self.models.visualisation.spec
        _, maps, _ = self.models.class_maps(np.stack([cut(c, Area.WHOLE_FACE, spec) for c in canvases.of(spec)]))
        heatmaps: list[Heatmap | None] = []
        for face, emotion, of_face in zip(canvases.faces, emotions, maps, strict=True):
            if emotion is None:
                heatmaps.append(None)
                continue
            values = cv2.resize(of_face[emotion.position], (spec.size,) * 2, interpolation=cv2.INTER_LINEAR)
            box = square_of(bounding_box(face.landmarks, Area.WHOLE_FACE, spec), spec.padded)
            heatmaps.append(Heatmap(emotion, values.astype(np.float32), box))
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
