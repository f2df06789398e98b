"""Photo -> answers: load, find faces, cut areas, ask the networks, calibrate, fuse. Never reaches torch.

::

    from mien import Analyzer

    answers = Analyzer().analyze("photo.jpg")   # path, bytes, array (RGB) or Pillow image
    for answer in answers:                      # one a face, largest first
        print(answer.emotion, answer.p_correct)
    answers.to_frame()                          # pandas, one row a face
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from mien.analyze.answers import Answer, Answers
from mien.analyze.boxes import check_faces, given_boxes
from mien.analyze.heatmaps import heatmaps_of
from mien.analyze.notes import MEASURED_FACE_SIZE, notes_of
from mien.analyze.options import DEFAULT_OPTIONS, AnalyzerOptions, AreaChoice, OptionValues, PriorChoice, parts_of
from mien.analyze.provenance import provenance_of
from mien.errors import ModelError, NotCalibratedError, writable
from mien.face import images
from mien.face.detect import detect, face_at
from mien.face.device import Device, on
from mien.face.images import ImageSource
from mien.face.providers import device_of
from mien.trust import fusion
from mien.trust.answer import AnswerPath, Judge, PictureFaces, contributions_of, crops_of_faces, predictions_of
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models, shipped_models
from mien.trust.prior import Prior, prior_of_choice
from mien.trust.reference import read_reference
from mien.trust.visibility import Eyes, part_visibility
from mien.types import PARTS, Face, Part, Prediction, UInt8, Visibility


class Analyzer:
    """Finds the faces of photos and says what each area tells, and how far that can be trusted.

    Models are loaded at the first use, and one Analyzer may serve many threads.

    Args:
        models: folder of models with a manifest.json, or an opened :class:`~mien.trust.models.Models`; None is the one
            in the package.
        network: of the folder; None is its default.
        options: how photos are analysed; see :class:`~mien.analyze.options.AnalyzerOptions`.
        changes: single options by name, in place of those in ``options``: ``Analyzer(coverage=0.9)``.

    Raises:
        UsageError: an option has a value that is not known.
        ModelError: the models are missing or damaged; or a prior is given and they were never calibrated.
    """

    def __init__(
        self,
        models: Path | str | Models | None = None,
        network: str | None = None,
        *,
        options: AnalyzerOptions = DEFAULT_OPTIONS,
        **changes: Unpack[OptionValues],
    ) -> None:
        self.options = replace(options, **changes)
        self.models = _open_models(models, network)
        self._calibration, rule, self._uncalibrated = _trust_of(self.models)
        self.path = AnswerPath.of(self.models, rule)
        self.judge = self._judge_under(self.options.mix)
        self._made_by: dict[str, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """An Analyzer in another process is opened there anew, with the same models and options."""
        return _reopened, (type(self), self.models, self.options)

    @property
    def device(self) -> Device:
        """Where the networks run: ``options.device``, or what takes its place on this machine."""
        return device_of(self.options.device)[0]

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
        options = self.options
        visible = options.visible if area is None else parts_of(area)
        check_faces(faces or ())
        given = given_boxes(faces, boxes, whole_picture)
        rgb = images.load(image, options.limits)
        gray = images.to_gray(rgb)
        name = writable((str(image) if isinstance(image, str | Path) else "") if input is None else input)
        wanted = options.heatmap if heatmap is None else heatmap
        judge = self.judge if prior is None else self._judge_under(prior_of_choice(prior))
        with on(self.device):
            if given is not None:
                found = [face_at(rgb, box, options.detector) for box in given]
            else:
                found = detect(rgb, options.detector, options.min_face) if faces is None else list(faces)
            answers = tuple(self._answers(gray, found, visible, wanted, judge)) if found else ()
        return Answers(answers, rgb, name, self.models.title, self.provenance(judge.prior))

    def provenance(self, prior: Prior | None = None) -> dict[str, Any]:
        """What answers: versions, network, fingerprint, detector, options, date; see ``mien.analyze.provenance``.

        Args:
            prior: the mix of emotions taken into account; None is as the Analyzer was made.
        """
        self._made_by = self._made_by or provenance_of(self)
        given = self.options.mix if prior is None else prior
        own = None if given is None else given.named
        return self._made_by | {"prior": own, "date": datetime.now(UTC).isoformat(timespec="seconds")}

    def reconsider(self, answer: Answer, area: AreaChoice) -> Answer:
        """The same face's answer if exactly these parts were visible, from the logits it holds: no network runs.

        Raises:
            UsageError: the area is unknown.
        """
        visible = parts_of(area)
        seen = Visibility({part: float(part in visible) for part in PARTS}, visible, given=True)
        logits = {name: prediction.logits[None] for name, prediction in answer.predictions.items()}
        judge = self.judge if answer.prior == self.options.mix else self._judge_under(answer.prior)
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
        if self.path.visibility is None:
            raise ModelError(f"{self.models.folder} has no network that says what is hidden")
        gray = images.to_gray(images.load(image, self.options.limits))
        with on(self.device):
            return part_visibility(gray, np.asarray(landmarks), eyes, self.path.visibility)

    def _judge_under(self, prior: Prior | None) -> Judge:
        calibration, models = self._calibration, self.models
        coverage = self.options.coverage
        reference = read_reference(models.folder, models.network) if prior and coverage is not None else {}
        return Judge(calibration, coverage, prior, reference)

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
        emotions = [None if f is None or not heatmap else f.emotion for f in fused]
        maps = heatmaps_of(self.models, canvases, emotions)
        crops = crops_of_faces(looked, faces, self.models)
        sizes = self.models.manifest.face_size_range or MEASURED_FACE_SIZE
        general = self._general_notes(assumed=visible is None and self.path.visibility is None)
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
                notes=(*notes_of(face, gray.shape, sizes), *general),
                abstained=self._abstains(fused[i]),
                crops=crops[i],
                prior=judge.prior,
            )
            for i, face in enumerate(faces)
        ]  # fmt: skip

    def _abstains(self, fused: Prediction | None) -> bool:
        least = self.options.min_p_correct
        if fused is None or not least:
            return False
        return fused.authenticity is None or fused.authenticity.value < least

    def _general_notes(self, assumed: bool) -> list[str]:
        """What limits every answer of these models."""
        words = "These models cannot tell what is hidden: all parts were taken as visible."
        return [words] * assumed + [self._uncalibrated] * bool(self._uncalibrated)


def _reopened(kind: type[Analyzer], models: Models, options: AnalyzerOptions) -> Analyzer:
    return kind(models, options=options)


def _open_models(models: Path | str | Models | None, network: str | None) -> Models:
    if isinstance(models, Models):
        return models
    return shipped_models() if models is None and network is None else Models(models, network)


def _trust_of(models: Models) -> tuple[Calibration | None, Fusion, str]:
    """Calibration and fusion of a folder of models, or a sentence that says why there are none."""
    try:
        calibration = Calibration.load(models.folder, models.network)
        rule = Fusion.load(models.folder, models.network)
    except NotCalibratedError:
        return None, fusion.LARGEST, "These networks were never calibrated, so how far to trust them is unknown."
    if not calibration.belongs_to(models):
        return None, fusion.LARGEST, "The calibration belongs to other networks, so how far to trust these is unknown."
    return calibration, rule, ""
