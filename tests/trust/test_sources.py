from itertools import chain, combinations

import pytest

from mien.face.areas import PIECES
from mien.trust.sources import HIDDEN_SOURCES, Source, is_own
from mien.types import AREAS, Area


def test_every_set_of_hidden_pieces_has_a_source() -> None:
    sets = chain.from_iterable(combinations(PIECES, n) for n in range(5))
    found = {pieces: Source.hidden(pieces) for pieces in sets}
    assert found.pop(()) == "whole_face"
    assert set(found.values()) == set(HIDDEN_SOURCES)
    assert found[("left_eye",)] == found[("right_eye",)] == "hidden_eye"
    assert found[("right_eye", "left_eye")] == "hidden_eyes"
    assert found[("right_eye", "mouth")] == "hidden_eyes_mouth"
    assert all((s.kind, s.area) == ("hidden", Area.WHOLE_FACE) for s in found.values())


@pytest.mark.parametrize("area", AREAS)
def test_a_name_says_what_it_was_made_of(area: Area) -> None:
    for kind in ("area", "fused", "partial", "blanked"):
        source = Source.of(kind, area)
        assert source == (area.value if kind == "area" else f"{kind}_{area.value}")
        assert (Source(str(source)).kind, Source(str(source)).area) == (kind, area)


def test_sources_in_words() -> None:
    assert Source("hidden_nose_mouth").words == "nose and mouth hidden"
    assert Source("hidden_eyes_nose_mouth").words == "eyes, nose and mouth hidden"
    assert Source("hidden_eye").words == "one eye hidden"
    assert Source("mouth").words == "mouth"
    assert Source("fused_nose_mouth").words == f"{Area.NOSE_MOUTH.words}, fused"


@pytest.mark.parametrize("name", ["", "ear", "fused_ear", "hidden_ear", "hidden_mouth_nose", "fused_", "fused"])
def test_a_name_that_nothing_has(name: str) -> None:
    with pytest.raises(ValueError, match="no source is called"):
        Source(name)


def test_whose_answer_is_an_areas_own() -> None:
    assert is_own(["mouth", "fused_nose_mouth", "hidden_mouth"]) == [True, False, False]
