"""What an answer came from, and so how it is calibrated: its *source*.

The seven areas are sources of every network. The seven VGGs add ``fused_AREA`` and ``partial_AREA``
(``mien.trust.fusion``). The one network, which looks at the face as it is, has a source for what it found hidden:
``hidden_mouth``, ``hidden_eye`` (one of two), ``hidden_eyes``, ``hidden_nose_mouth`` and so on; with nothing hidden its
source is ``whole_face``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from mien.types import Area

Kind = Literal["area", "fused", "partial", "blanked", "hidden"]
"""Of a source: an area's own answer; the fusion of all areas within it; the same when blanked crops had a say; the
view of an area with its hidden part blanked, which only a fusion hears; the one network's answer to a face of which
something is hidden."""

_EYES = ("right_eye", "left_eye")


class Source(str):
    """The name that a source has in files and tables, and what the name says: made and read here alone.

    Raises:
        ValueError: no source has this name.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Source:
        """The source of this name."""
        found = super().__new__(cls, name)
        if not (name in HIDDEN_SOURCES if found.kind == "hidden" else found._shown in {area.value for area in Area}):
            raise ValueError(f"no source is called {name!r}")
        return found

    @classmethod
    def of(cls, kind: Kind, area: Area) -> Source:
        """The source of this kind (all but ``hidden``) for an area."""
        return cls(area.value if kind == "area" else f"{kind}_{area.value}")

    @classmethod
    def hidden(cls, pieces: Iterable[str]) -> Source:
        """The source of an answer when these pieces (``areas.PIECES``) were found hidden.

        One hidden eye beside a hidden nose or mouth counts as both: such faces are rare, and no surer than those.
        """
        hidden = set(pieces)
        eyes, rest = hidden.intersection(_EYES), [piece for piece in ("nose", "mouth") if piece in hidden]
        if not hidden:
            return cls.of("area", Area.WHOLE_FACE)
        if len(eyes) == 1 and not rest:
            return cls("hidden_eye")
        return cls("_".join(["hidden", *(["eyes"] if eyes else []), *rest]))

    @property
    def kind(self) -> Kind:
        """What it is."""
        first = self.partition("_")[0]
        return next((kind for kind in get_args(Kind) if kind == first), "area")

    @property
    def _shown(self) -> str:
        return str(self) if self.kind == "area" else self.partition("_")[2]

    @property
    def area(self) -> Area:
        """The area it answers for; where something is hidden, the whole face, as far as it can be seen."""
        return Area.WHOLE_FACE if self.kind == "hidden" else Area(self._shown)

    @property
    def words(self) -> str:
        """For people: ``nose and mouth hidden``, ``nose and mouth, fused``."""
        if self.kind != "hidden":
            return self.area.words if self.kind == "area" else f"{self.area.words}, {self.kind}"
        if self == "hidden_eye":
            return "one eye hidden"
        *first, last = self._shown.split("_")
        return f"{', '.join(first)} and {last} hidden" if first else f"{last} hidden"


HIDDEN_SOURCES = (
    "hidden_eye", "hidden_eyes", "hidden_nose", "hidden_mouth", "hidden_nose_mouth", "hidden_eyes_nose",
    "hidden_eyes_mouth", "hidden_eyes_nose_mouth",
)  # fmt: skip
"""Sources of answers for faces of which something was found hidden."""


def is_own(names: Iterable[str]) -> list[bool]:
    """Of each source whether it is an area's own answer, and no fusion of several."""
    return [Source(name).kind == "area" for name in names]
