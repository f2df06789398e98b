"""What an answer came from, and so how it is calibrated: its *source*.

The seven areas are sources of every network. The seven VGGs add ``fused_AREA`` and ``partial_AREA``
(``mien.trust.fusion``). The one network, which looks at the face as it is, has a source for what it found hidden:
``hidden_mouth``, ``hidden_eye`` (one of two), ``hidden_eyes``, ``hidden_nose_mouth`` and so on; with nothing hidden its
source is ``whole_face``.
"""

from __future__ import annotations

from collections.abc import Iterable

from mien.types import Area

HIDDEN_SOURCES = (
    "hidden_eye", "hidden_eyes", "hidden_nose", "hidden_mouth", "hidden_nose_mouth", "hidden_eyes_nose",
    "hidden_eyes_mouth", "hidden_eyes_nose_mouth",
)  # fmt: skip
"""Sources of answers for faces of which something was found hidden."""


def hidden_source(pieces: Iterable[str]) -> str:
    """The source of an answer when these pieces (``areas.PIECES``) were found hidden.

    One hidden eye beside a hidden nose or mouth counts as both: such faces are rare, and no surer than those.
    """
    hidden = set(pieces)
    eyes, rest = hidden & {"right_eye", "left_eye"}, [piece for piece in ("nose", "mouth") if piece in hidden]
    if not hidden:
        return Area.WHOLE_FACE.value
    if len(eyes) == 1 and not rest:
        return "hidden_eye"
    return "_".join(["hidden", *(["eyes"] if eyes else []), *rest])


def source_words(source: str) -> str:
    """Words for people: ``hidden_nose_mouth`` -> ``nose and mouth hidden``."""
    if source == Area.WHOLE_FACE.value:
        return "nothing hidden"
    if source == "hidden_eye":
        return "one eye hidden"
    if source.startswith("hidden_"):
        *first, last = source.removeprefix("hidden_").split("_")
        return f"{', '.join(first)} and {last} hidden" if first else f"{last} hidden"
    return source.replace("_", " ")
