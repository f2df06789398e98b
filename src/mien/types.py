"""The vocabulary: small frozen dataclasses that check themselves, and the one canonical order of emotions.

An *area* is one of the paper's seven crops (Table 4). A *part* is eyes, nose or mouth. The seven areas are exactly
the non-empty subsets of the three parts; the whole face also shows jaw and cheeks.

Coordinates are pixels, (x, y), x to the right and y down, the centre of the top-left pixel at (0, 0);
see ``docs/coordinates.md``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]

Float32 = npt.NDArray[np.float32]

Float64 = npt.NDArray[np.float64]

DetectorName = Literal["mesh", "hog", "cnn", "frame", "given", "track"]


class Emotion(StrEnum):
    """The eight emotions in canonical order: every array of logits or probabilities is indexed by it."""

    NEUTRAL = "neutral"
    HAPPINESS = "happiness"
    SURPRISE = "surprise"
    SADNESS = "sadness"
    ANGER = "anger"
    DISGUST = "disgust"
    FEAR = "fear"
    CONTEMPT = "contempt"

    @property
    def position(self) -> int:
        """Place in the canonical order, 0..7."""
        return EMOTIONS.index(self)


EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)

N_EMOTIONS = len(EMOTIONS)


class Part(StrEnum):
    """A part of the face that can be visible or hidden."""

    EYES = "eyes"
    NOSE = "nose"
    MOUTH = "mouth"


PARTS: tuple[Part, ...] = tuple(Part)


class Area(StrEnum):
    """One of the seven crops of the paper's Table 4."""

    MOUTH = "mouth"
    NOSE = "nose"
    EYES = "eyes"
    NOSE_MOUTH = "nose_mouth"
    NOSE_EYES = "nose_eyes"
    MOUTH_EYES = "mouth_eyes"
    WHOLE_FACE = "whole_face"

    @property
    def position(self) -> int:
        """Place in the canonical order, 0..6: the second axis of every crop array."""
        return AREAS.index(self)

    @property
    def parts(self) -> frozenset[Part]:
        """The parts this area shows; the whole face shows all three (and jaw and cheeks)."""
        return _AREA_PARTS[self]

    @property
    def words(self) -> str:
        """Words for people: ``nose_mouth`` -> ``nose and mouth``."""
        return _AREA_WORDS[self]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Area:
        """The area that shows exactly these parts.

        Raises:
            ValueError: no part was given.
        """
        wanted = frozenset(parts)
        for area, shown in _AREA_PARTS.items():
            if shown == wanted:
                return area
        raise ValueError("an area needs at least one of eyes, nose and mouth; got none")


AREAS: tuple[Area, ...] = tuple(Area)

BASIC_AREAS: tuple[Area, ...] = (Area.MOUTH, Area.NOSE, Area.EYES)

_AREA_PARTS: dict[Area, frozenset[Part]] = {
    Area.MOUTH: frozenset({Part.MOUTH}),
    Area.NOSE: frozenset({Part.NOSE}),
    Area.EYES: frozenset({Part.EYES}),
    Area.NOSE_MOUTH: frozenset({Part.NOSE, Part.MOUTH}),
    Area.NOSE_EYES: frozenset({Part.NOSE, Part.EYES}),
    Area.MOUTH_EYES: frozenset({Part.MOUTH, Part.EYES}),
    Area.WHOLE_FACE: frozenset(Part),
}

_AREA_WORDS: dict[Area, str] = {
    Area.MOUTH: "mouth",
    Area.NOSE: "nose",
    Area.EYES: "eyes",
    Area.NOSE_MOUTH: "nose and mouth",
    Area.NOSE_EYES: "nose and eyes",
    Area.MOUTH_EYES: "mouth and eyes",
    Area.WHOLE_FACE: "whole face",
}


Key = TypeVar("Key")
Value = TypeVar("Value")


class LazyMapping(Mapping[Key, Value]):
    """A mapping whose keys are known, and whose values are worked out together when the first of them is read.

    Safe to share between threads; pickled and copied as a plain dict.

    Args:
        keys: in order.
        make: gives the values that ``known`` lacks; called once at most, and again only where it raised an error.
        known: values that are there already.
    """

    def __init__(
        self,
        keys: Iterable[Key],
        make: Callable[[], Mapping[Key, Value]],
        known: Mapping[Key, Value] | None = None,
    ) -> None:
        self._keys = tuple(keys)
        self._make: Callable[[], Mapping[Key, Value]] | None = make
        self._values: dict[Key, Value] = dict(known or {})
        self._lock = threading.Lock()

    def __getitem__(self, key: Key) -> Value:
        if key in self._values:
            return self._values[key]
        if key not in self._keys:
            raise KeyError(key)
        with self._lock:
            if self._make is not None:
                self._values = {**self._make(), **self._values}
                self._make = None  # what it holds on to is no longer needed
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _check(name: str, array: npt.NDArray[Any], shape: tuple[int | None, ...], dtype: type) -> None:
    fits = array.ndim == len(shape) and all(w is None or w == g for w, g in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != dtype:
        wanted = ["any" if side is None else side for side in shape]
        raise ValueError(
            f"{name}: expected {np.dtype(dtype).name} {wanted}, got {array.dtype.name} {list(array.shape)}"
        )


@dataclass(frozen=True)
class Pose:
    """Which way a head faces, in degrees; zero is how people on photos hold their heads on average.

    Attributes:
        yaw: positive where the face is turned to the right side of the picture.
        pitch: positive where it looks up.
        roll: positive where the head is tilted clockwise in the picture; -180 to 180.
    """

    yaw: float
    pitch: float
    roll: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON."""
        return {"yaw": self.yaw, "pitch": self.pitch, "roll": self.roll}


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a picture.

    Attributes:
        box: float32 [4], the detector's bounding box (x0, y0, x1, y1) in pixels of the picture.
        landmarks: float32 [68, 2], dlib's 68 points as (x, y) in pixels of the picture; may leave the picture.
        detector: ``mesh`` (BlazeFace and the face mesh), ``hog`` or ``cnn`` (dlib's), ``frame`` (none found one; the
            whole frame was taken), ``given``, ``track`` (followed from the frame before, in video).
        score: the detector's own confidence; not comparable between detectors. 0 for ``frame`` and ``given``. Of
            ``mesh`` it is the probability that this is a face.
        mesh: float32 [468, 3], the face mesh as (x, y, z) in pixels of the picture, z away from the camera; None where
            dlib placed the landmarks, or the caller gave them.
        pose: which way the head faces; None where there is no mesh.
        presence: 0 to 1, the mesh's own word on whether it sees an uncovered face; None where there is no mesh.
    """

    box: Float32
    landmarks: Float32
    detector: DetectorName
    score: float
    mesh: Float32 | None = None
    pose: Pose | None = None
    presence: float | None = None

    def __post_init__(self) -> None:
        _check("Face.box", self.box, (4,), np.float32)
        _check("Face.landmarks", self.landmarks, (68, 2), np.float32)
        if self.mesh is not None:
            _check("Face.mesh", self.mesh, (468, 3), np.float32)

    @cached_property
    def size(self) -> float:
        """Side in pixels of the square with the area of the landmarks' bounding box."""
        width, height = np.maximum(np.ptp(self.landmarks, axis=0), 1e-3)
        return float(np.sqrt(width * height))


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95% interval.

    Attributes:
        value: the point estimate.
        low: lower bound.
        high: upper bound.
        n: how many samples it rests on.
    """

    value: float
    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        if not self.low - 1e-9 <= self.value <= self.high + 1e-9:
            raise ValueError(f"Interval: expected low <= value <= high, got {self.low}, {self.value}, {self.high}")

    def to_dict(self) -> dict[str, float | int]:
        """Plain numbers, for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}

    def __str__(self) -> str:
        return f"{self.value:.0%} ({self.low:.0%} to {self.high:.0%})"


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one network says of one area.

    Attributes:
        area: which of the seven.
        logits: float32 [8], as the network gave them.
        probabilities: float32 [8], calibrated, sum 1.
        emotion: the most probable emotion.
        authenticity: probability that ``emotion`` is right, with its 95% interval; None where these networks were
            never calibrated (``mien calibrate``).
        prediction_set: emotions that together hold the right one at the stated coverage; empty where not asked for.
    """

    area: Area
    logits: Float32
    probabilities: Float32
    emotion: Emotion
    authenticity: Interval | None
    prediction_set: tuple[Emotion, ...] = ()

    def __post_init__(self) -> None:
        _check("Prediction.logits", self.logits, (N_EMOTIONS,), np.float32)
        _check("Prediction.probabilities", self.probabilities, (N_EMOTIONS,), np.float32)

    @property
    def p_correct(self) -> Interval | None:
        """Probability that ``emotion`` is right (what most people would see), with its 95% interval.

        The paper calls it authenticity. It does not say whether the expression is genuine, which is what psychologists
        call authenticity.
        """
        return self.authenticity

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        return {
            "area": self.area.value,
            "emotion": self.emotion.value,
            "p_correct": None if self.p_correct is None else self.p_correct.to_dict(),
            "probabilities": {e.value: float(p) for e, p in zip(EMOTIONS, self.probabilities, strict=True)},
            "logits": {e.value: float(z) for e, z in zip(EMOTIONS, self.logits, strict=True)},
            "prediction_set": [e.value for e in self.prediction_set],
        }


@dataclass(frozen=True)
class Visibility:
    """How surely each part of a face is visible.

    Attributes:
        probability: per part, the probability (0..1) that it is visible.
        visible: the parts taken as visible.
        given: True when the user said so (``--area``) and nothing was measured.
        hidden: by piece of the face (``right_eye``, ``left_eye``, ``nose``, ``mouth``; sides are the person's),
            the share (0..1) of it that is hidden; empty where the user said what is visible.
        hidden_pieces: the pieces taken as hidden.
    """

    probability: Mapping[Part, float]
    visible: frozenset[Part]
    given: bool = False
    hidden: Mapping[str, float] = field(default_factory=dict)
    hidden_pieces: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        return {
            "visible": [p.value for p in PARTS if p in self.visible],
            "probability": {p.value: float(self.probability[p]) for p in PARTS},
            "given": self.given,
            "hidden": {piece: float(share) for piece, share in self.hidden.items()},
            "hidden_pieces": list(self.hidden_pieces),
        }


__all__ = [
    "AREAS",
    "BASIC_AREAS",
    "EMOTIONS",
    "N_EMOTIONS",
    "PARTS",
    "Area",
    "DetectorName",
    "Emotion",
    "Face",
    "Float32",
    "Float64",
    "Interval",
    "Part",
    "Pose",
    "Prediction",
    "UInt8",
    "Visibility",
]
