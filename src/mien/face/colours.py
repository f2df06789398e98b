"""One palette for photos, videos, charts, report and page: Okabe and Ito's, told apart with any colour vision."""

from __future__ import annotations

from mien.types import AREAS, Area, Emotion, Part

PART_COLOURS: dict[Part, str] = {Part.EYES: "#56b4e9", Part.NOSE: "#009e73", Part.MOUTH: "#e69f00"}
"""Hexadecimal sRGB; the page's style sheet has the same (``--draw-eyes``, ``--draw-nose``, ``--draw-mouth``)."""

AREA_COLOURS: dict[Area, str] = dict(
    zip(AREAS, ("#e69f00", "#009e73", "#56b4e9", "#8c6d31", "#17808a", "#b05fa3", "#000000"), strict=True)
)
"""A part alone has the part's colour, two parts a mixture of theirs, the whole face black."""

EMOTION_COLOURS: dict[Emotion, str] = {
    Emotion.NEUTRAL: "#9aa3a8", Emotion.HAPPINESS: "#e69f00", Emotion.SURPRISE: "#cc79a7",
    Emotion.SADNESS: "#0072b2", Emotion.ANGER: "#d55e00", Emotion.DISGUST: "#009e73",
    Emotion.FEAR: "#6a4c93", Emotion.CONTEMPT: "#8c6d46",
}  # fmt: skip

INK, SOFT_INK, GRID, GREY, BLUE, PAPER = "#202124", "#5f6368", "#e0e0e0", "#7f7f7f", "#0072b2", "#ffffff"
"""Of charts: words, axes, grid lines, what is beside the point, what is the point, ground."""


def rgb(colour: str) -> tuple[int, int, int]:
    """``"#rrggbb"`` as three numbers 0..255."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
