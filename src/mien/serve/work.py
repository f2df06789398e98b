"""What the server's worker processes do: one uploaded picture -> the JSON of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mien.analyze.analyzer import Analyzer
from mien.analyze.examples import PLAIN, example_picture
from mien.assets import SAMPLE
from mien.face.detect import DETECTORS, DetectorChoice
from mien.face.limits import Limits
from mien.serve.whatif import page_answer
from mien.trust.models import Models
from mien.trust.prior import Prior
from mien.types import Float32


@dataclass(frozen=True)
class Upload:
    """A picture and what is asked about it; see ``/api/analyze``.

    Attributes:
        picture: content of the file.
        area: what is visible; None finds out.
        detector: face detector.
        heatmap: add class maps.
        what_if: add the answer for every set of visible parts.
        preview: add the picture as a JPEG.
        input: its name in the answer.
        boxes: the faces, (x0, y0, x1, y1) each; None looks for them.
        whole_picture: the whole picture is one face.
        prior: mix of emotions among the faces; None is that of the calibration.
        rows: add the rows of the table that ``mien analyze --out`` writes.
    """

    picture: bytes
    area: tuple[str, ...] | None = None
    detector: DetectorChoice = "mesh"
    heatmap: bool = False
    what_if: bool = False
    preview: bool = False
    input: str = ""
    boxes: tuple[tuple[float, ...], ...] | None = None
    whole_picture: bool = False
    prior: Prior | None = None
    rows: bool = False


_analyzers: dict[DetectorChoice, Analyzer] = {}
"""Of this process."""


def get_ready(models: Models, limits: Limits) -> None:
    """Load what the first picture would have to wait for, and answer the example with which the page opens."""
    _analyzers.update(analyzers_of(models, limits))
    _prepared[PLAIN] = _work_out(PLAIN)


def analyzers_of(models: Models, limits: Limits) -> Mapping[DetectorChoice, Analyzer]:
    """One Analyzer a detector; they share the networks."""
    return {name: Analyzer(models, detector=name, limits=limits) for name in DETECTORS}


def answer_upload(upload: Upload) -> dict[str, Any]:
    """The answer of one upload.

    Raises:
        ImageError: it is no picture, damaged, or too large.
        UsageError: the area is unknown.
    """
    analyzer = _analyzers[upload.detector]
    answers = analyzer.analyze(
        upload.picture, area=upload.area, heatmap=upload.heatmap, input=upload.input, boxes=upload.boxes,
        whole_picture=upload.whole_picture, prior=upload.prior,
    )  # fmt: skip
    return page_answer(
        analyzer, answers, what_if=upload.what_if, heatmap=upload.heatmap, preview=upload.preview, rows=upload.rows
    )


_prepared: dict[str, dict[str, Any]] = {}
"""Answers of examples, of this process."""


@cache
def _sample_landmarks() -> Float32:
    return _analyzers["mesh"].analyze(SAMPLE)[0].face.landmarks


def draw_example(name: str) -> bytes:
    """One of :data:`mien.analyze.examples.TITLES` as a JPEG; no network is asked about it."""
    return example_picture(name, _sample_landmarks)


def answer_example(name: str) -> dict[str, Any]:
    """The answer for one of them, as ``/api/analyze`` gives it with all that the page shows."""
    return _prepared.get(name) or _work_out(name)


def _work_out(name: str) -> dict[str, Any]:
    heatmap = _analyzers["mesh"].models.manifest.visualisation is not None
    return answer_upload(Upload(draw_example(name), heatmap=heatmap, what_if=True, input=f"{name}.jpg", rows=True))
