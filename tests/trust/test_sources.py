from itertools import chain, combinations

from mien.face.areas import PIECES
from mien.trust.sources import HIDDEN_SOURCES, hidden_source, source_words


def test_every_set_of_hidden_pieces_has_a_source() -> None:
    sets = chain.from_iterable(combinations(PIECES, n) for n in range(5))
    found = {pieces: hidden_source(pieces) for pieces in sets}
    assert found.pop(()) == "whole_face"
    assert set(found.values()) == set(HIDDEN_SOURCES)
    assert found[("left_eye",)] == found[("right_eye",)] == "hidden_eye"
    assert found[("right_eye", "left_eye")] == "hidden_eyes"
    assert found[("right_eye", "mouth")] == "hidden_eyes_mouth"


def test_sources_in_words() -> None:
    assert source_words("whole_face") == "nothing hidden"
    assert source_words("hidden_nose_mouth") == "nose and mouth hidden"
    assert source_words("hidden_eyes_nose_mouth") == "eyes, nose and mouth hidden"
    assert source_words("hidden_eye") == "one eye hidden"
    assert source_words("mouth") == "mouth"
