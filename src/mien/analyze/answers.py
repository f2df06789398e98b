"""What is known of one face, and of one picture: typed, and as dict, DataFrame, text and HTML.

One row a face is the form of every table mien writes, from one photo to a film; its columns are :data:`COLUMNS`
(``docs/output.md`` explains each). py-feat's and OpenFace's names are kept where they exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from mien.analyze.table import _prediction_columns, long_table, table_of
from mien.face import draw
from mien.face.spec import Crop
from mien.trust.prior import Prior
from mien.types import PARTS, Area, Emotion, Face, Float32, Interval, Part, Prediction, UInt8, Visibility

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Where the visualisation network (Fig. 2) sees an emotion: its class activation map (CAM).

    Attributes:
        emotion: whose map it is.
        values: float32 [64, 64], the class map brought to the size of the crop; its mean plus the class's bias is the
            network's logit, so it has the logit's unit.
        box: float32 [4], (x0, y0, x1, y1), the whole-face crop in pixels of the picture.
    """

    emotion: Emotion
    values: Float32
    box: Float32

    @property
    def relative(self) -> Float32:
        """float32 [64, 64], stretched to 0..1 as the published colours need."""
        low, high = float(self.values.min()), float(self.values.max())
        return ((self.values - low) / max(high - low, 1e-6)).astype(np.float32)


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """What mien says of one face.

    Attributes:
        face: box, landmarks and detector.
        visibility: which of eyes, nose and mouth are visible.
        predictions: what each area's network says, in canonical order. An area that shows a hidden part is included:
            see :attr:`hidden_areas`.
        fused: the one answer, from the visible areas only; None where no part is visible.
        contributions: per visible part, how many bits it spoke for (positive) or against the answer's emotion: its
            Shapley value for the log2 probability (``mien.measure.fit.games``); empty where nothing was calibrated.
        heatmap: the class map of the answer's emotion; None where not asked for.
        notes: plain sentences about what limits this answer; empty where nothing does.
        abstained: True where the answer's ``p_correct`` is below the one asked for.
        crops: what each area's network saw.
        prior: the mix of emotions that was taken into account; None where it is that of the calibration.
    """

    face: Face
    visibility: Visibility
    predictions: Mapping[Area, Prediction]
    fused: Prediction | None
    contributions: Mapping[Part, float] = field(default_factory=dict)
    heatmap: Heatmap | None = None
    notes: tuple[str, ...] = ()
    abstained: bool = False
    crops: Mapping[Area, Crop] = field(default_factory=dict)
    prior: Prior | None = None

    @property
    def emotion(self) -> Emotion | None:
        """The fused answer's emotion; None where no part is visible or the answer was abstained from."""
        return None if self.fused is None or self.abstained else self.fused.emotion

    @property
    def area(self) -> Area | None:
        """The area that shows exactly the visible parts; None where none is visible."""
        return Area.of(self.visibility.visible) if self.visibility.visible else None

    @property
    def hidden_areas(self) -> tuple[Area, ...]:
        """Areas that show a hidden part: their predictions are not part of the answer."""
        return tuple(area for area in self.predictions if not area.parts <= self.visibility.visible)

    @property
    def best_emotion(self) -> Emotion | None:
        """The most probable emotion, also where the answer was abstained from; None where no part is visible."""
        return None if self.fused is None else self.fused.emotion

    @property
    def p_correct(self) -> Interval | None:
        """Probability that :attr:`best_emotion` is right; None where there is no answer, or nothing was calibrated."""
        return None if self.fused is None else self.fused.p_correct

    @property
    def shown(self) -> Mapping[Area, Prediction]:
        """Every area's prediction for reading: that of all that is visible is the answer itself."""
        answer = {} if self.fused is None or self.area is None else {self.area: self.fused}
        return {area: answer.get(area, prediction) for area, prediction in self.predictions.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        areas = {area.value: prediction.to_dict() for area, prediction in self.predictions.items()}
        for area in self.hidden_areas:
            areas[area.value]["p_correct"] = None  # nothing was measured of networks that look at a cover
        return {
            "emotion": None if self.emotion is None else self.emotion.value,
            "best_emotion": None if self.best_emotion is None else self.best_emotion.value,
            "abstained": self.abstained,
            "fused": None if self.fused is None else self.fused.to_dict(),
            "visibility": self.visibility.to_dict(),
            "areas": areas,
            "hidden_areas": [area.value for area in self.hidden_areas],
            "contributions": {part.value: float(value) for part, value in self.contributions.items()},
            "face": {
                "box": [float(v) for v in self.face.box],
                "landmarks": [[float(x), float(y)] for x, y in self.face.landmarks],
                "detector": self.face.detector,
                "score": self.face.score,
                "size": self.face.size,
                "presence": self.face.presence,
                "pose": None if self.face.pose is None else self.face.pose.to_dict(),
            },
            "notes": list(self.notes),
        }

    def to_row(self) -> dict[str, Any]:
        """The face's part of a table row: :data:`COLUMNS` from ``face_x`` on."""
        x0, y0, x1, y1 = (float(v) for v in self.face.box)
        row: dict[str, Any] = {
            "face_x": x0, "face_y": y0, "face_width": x1 - x0, "face_height": y1 - y0, "face_score": self.face.score,
            "face_detector": self.face.detector, "face_size": self.face.size,
            "face_presence": math.nan if self.face.presence is None else self.face.presence,
            "emotion": None if self.emotion is None else self.emotion.value,
            "abstained": self.abstained,
            "best_emotion": None if self.best_emotion is None else self.best_emotion.value,
            "area": None if self.area is None else self.area.value,
            "notes": " ".join(self.notes) or None,
        }  # fmt: skip
        if self.face.pose is not None:
            row |= {f"pose_{name}": angle for name, angle in self.face.pose.to_dict().items()}
        if self.fused:
            row |= _prediction_columns(self.fused, "")
            row["prediction_set"] = " ".join(e.value for e in self.fused.prediction_set) or None
        for part in PARTS:
            row[f"visible_{part.value}"] = part in self.visibility.visible
            row[f"visibility_{part.value}"] = float(self.visibility.probability[part])
            row[f"contribution_{part.value}"] = float(self.contributions.get(part, math.nan))
        for area, prediction in self.predictions.items():
            row[f"{area.value}_emotion"] = prediction.emotion.value
            row |= _prediction_columns(prediction, f"{area.value}_", area not in self.hidden_areas)
        row |= {f"x_{i}": float(x) for i, x in enumerate(self.face.landmarks[:, 0])}
        row |= {f"y_{i}": float(y) for i, y in enumerate(self.face.landmarks[:, 1])}
        return row

    def __str__(self) -> str:
        from mien.analyze.words import face_text

        return face_text(self)

    def __repr__(self) -> str:
        from mien.analyze.words import title_of

        x0, y0, x1, y1 = (round(float(v)) for v in self.face.box)
        return f"<Answer {title_of(self)}, at ({x0}, {y0}) to ({x1}, {y1})>"

    def _repr_html_(self) -> str:
        from mien.analyze.words import face_html

        return face_html(self)


@dataclass(frozen=True, eq=False, repr=False)
class Answers(Sequence[Answer]):
    """The faces of one picture, largest first; empty where there is none.

    Attributes:
        faces: one answer a face.
        image: uint8 [H, W, 3], RGB, upright: the picture that was analysed.
        input: name of the picture; empty where it was given as pixels.
        models: which network of which models answered, e.g. ``resnet 0.1.0``.
        provenance: what made this: versions, network, fingerprint, detector, prior, options, date.
    """

    faces: tuple[Answer, ...]
    image: UInt8
    input: str = ""
    models: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Answer, ...]: ...
    def __getitem__(self, index: int | slice) -> Answer | tuple[Answer, ...]:
        return self.faces[index]

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.faces)

    @property
    def status(self) -> str:
        """``ok``, or ``no face``."""
        return "ok" if self.faces else "no face"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        height, width = self.image.shape[:2]
        return {
            "input": self.input, "status": self.status, "width": width, "height": height, "models": self.models,
            "provenance": dict(self.provenance),
            "faces": [{"face_id": number, **answer.to_dict()} for number, answer in enumerate(self.faces)],
        }  # fmt: skip

    def to_rows(self, frame: int = 0, approx_time: float = math.nan) -> list[dict[str, Any]]:
        """One dict a face, keyed by :data:`COLUMNS`; one with status ``no face`` where there is none."""
        head = {"input": self.input, "status": self.status, "frame": frame, "approx_time": approx_time}
        return [head | {"face_id": i} | answer.to_row() for i, answer in enumerate(self.faces)] or [head]

    def to_frame(self, long: bool = False) -> pd.DataFrame:
        """One row a face, with all of :data:`COLUMNS`; one row with status ``no face`` where there is none.

        Args:
            long: a tidy table instead, one row a face, area and emotion: :func:`mien.analyze.table.long_table`.
        """
        return long_table(table_of(self.to_rows())) if long else table_of(self.to_rows())

    def annotated(self) -> UInt8:
        """The picture with boxes, landmarks, areas and answers drawn on it: uint8 [H', W', 3], RGB."""
        from mien.analyze.words import card_of

        cards = [card_of(answer, number) for number, answer in enumerate(self.faces, 1)]
        marks = [(answer.face, answer.visibility.visible) for answer in self.faces]
        return draw.annotate(self.image, marks, cards)

    def overlaid(self) -> UInt8:
        """The picture with every face's class map laid over it, in the published colours: uint8 [H, W, 3], RGB."""
        maps = [(a.heatmap.relative, a.heatmap.box) for a in self.faces if a.heatmap is not None]
        return draw.overlay(self.image, maps)

    def __str__(self) -> str:
        from mien.analyze.words import picture_text

        return picture_text(self)

    def __repr__(self) -> str:
        return f"<Answers {self.input or 'picture'}: {list(self.faces)!r}>"

    def _repr_html_(self) -> str:
        from mien.analyze.words import picture_html

        return picture_html(self)
