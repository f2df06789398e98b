"""One palette: the page's style sheet says the same as Python."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from mien.face.colours import AREA_COLOURS, EMOTION_COLOURS, PART_COLOURS, rgb
from mien.serve.app import WEB
from mien.types import AREAS, EMOTIONS, PARTS


def test_the_page_draws_parts_in_the_same_colours() -> None:
    style = (WEB / "style.css").read_text()
    for part in PARTS:
        (said,) = set(re.findall(rf"--draw-{part.value}: (#[0-9a-f]{{6}})", style))
        assert said == PART_COLOURS[part]


@pytest.mark.parametrize("palette", [PART_COLOURS, AREA_COLOURS, EMOTION_COLOURS])
def test_no_two_colours_are_alike(palette: dict[str, str]) -> None:
    assert list(palette) in (list(PARTS), list(AREAS), list(EMOTIONS))
    for one, other in combinations(palette.values(), 2):
        assert sum(abs(a - b) for a, b in zip(rgb(one), rgb(other), strict=True)) > 60
