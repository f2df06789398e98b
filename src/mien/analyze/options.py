"""How photos are analysed: one object that the command line, folders, videos, the server and Python share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict, cast

from mien.errors import UsageError
from mien.face.detect import MIN_FACE, DetectorChoice, check_detector
from mien.face.device import DeviceChoice, check_device
from mien.face.limits import DEFAULT_LIMITS, Limits
from mien.trust.prior import Prior, prior_of_choice
from mien.types import Area, Part

AreaChoice = Area | Part | str | Iterable[Area | Part | str]
"""An area or parts that are visible: ``"mouth"``, ``Area.NOSE_EYES``, ``["eyes", "mouth"]``."""
PriorChoice = Prior | str | Mapping[str, float] | None
"""A mix of emotions, as itself, as text or as shares by emotion; None is that of the calibration."""

LEAST_FACE = 12.0
"""Smaller faces hold nothing that any of the networks could see."""


@dataclass(frozen=True)
class AnalyzerOptions:
    """Every choice that changes what an :class:`~mien.analyze.analyzer.Analyzer` answers, models aside.

    Attributes:
        detector: ``mesh`` (BlazeFace and the face mesh), or ``dlib`` (HOG, then CNN where HOG finds none).
        min_face: longer side in pixels of the smallest face that is looked for.
        area: the parts that are visible, where the user knows; None finds out for each face. Given as any
            :data:`AreaChoice`, kept as a frozenset of parts.
        heatmap: also compute the class map of each answer.
        coverage: also give prediction sets that hold the right emotion with this probability, e.g. 0.9.
        min_p_correct: answers that are less probably right than this are abstained from.
        prior: mix of emotions among the faces, where it is not that of the calibration: a
            :class:`~mien.trust.prior.Prior`, what :meth:`Prior.parse` reads (``"balanced"``), or shares by emotion.
        device: where the networks run: ``auto``, ``cpu``, ``cuda``, ...; one that cannot be used is replaced by the cpu
            (:func:`mien.face.providers.device_of`), and ``Analyzer.device`` says which it is.
        limits: on pixels and bytes of a picture and on the work on it.

    Raises:
        UsageError: an option has a value that is not known.
    """

    detector: DetectorChoice = "mesh"
    min_face: float = MIN_FACE
    area: AreaChoice | None = None
    heatmap: bool = False
    coverage: float | None = None
    min_p_correct: float = 0.0
    prior: PriorChoice = None
    device: DeviceChoice = "auto"
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        check_detector(self.detector)
        check_device(self.device)
        if not self.min_face >= LEAST_FACE:
            raise UsageError(f"min_face is at least {LEAST_FACE:g} pixels, got {self.min_face:g}")
        if self.coverage is not None and not 0 < self.coverage < 1:
            raise UsageError(f"coverage lies between 0 and 1, got {self.coverage}")
        if not 0 <= self.min_p_correct <= 1:
            raise UsageError(f"min_p_correct lies in 0..1, got {self.min_p_correct}")
        object.__setattr__(self, "min_face", float(self.min_face))
        object.__setattr__(self, "area", None if self.area is None else parts_of(self.area))
        object.__setattr__(self, "prior", prior_of_choice(self.prior))

    @property
    def visible(self) -> frozenset[Part] | None:
        """:attr:`area` as parts; None finds out for each face."""
        return cast("frozenset[Part] | None", self.area)  # made so when the options were

    @property
    def mix(self) -> Prior | None:
        """:attr:`prior`; None is that of the calibration."""
        return cast("Prior | None", self.prior)

    def to_dict(self) -> dict[str, Any]:
        """JSON-like values, one an option."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


DEFAULT_OPTIONS = AnalyzerOptions()


class OptionValues(TypedDict, total=False):
    """:class:`AnalyzerOptions` as keyword arguments (a test holds the two equal)."""

    detector: DetectorChoice
    min_face: float
    area: AreaChoice | None
    heatmap: bool
    coverage: float | None
    min_p_correct: float
    prior: PriorChoice
    device: DeviceChoice
    limits: Limits


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


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(part.value for part in value)
    if isinstance(value, Prior):
        return value.named
    return vars(value) if isinstance(value, Limits) else value
