import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.faces import make_cache
from mien.data.cache import FaceCache
from mien.face.aligned import (
    SIDE,
    TEMPLATE,
    aligned,
    alignment,
    area_mask,
    area_view,
    blanked,
    piece_mask,
    similarity,
    template,
)
from mien.face.areas import MIRRORED_PIECES, PIECES
from mien.face.crops import Canvas, cut
from mien.face.spec import ALIGNED_SPEC, PUBLISHED_SPEC
from mien.types import AREAS, Area


@pytest.fixture(scope="module")
def canvases(tmp_path_factory) -> list[Canvas]:
    cache = FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=6))
    return [cache.canvas(i) for i in range(6)]


def test_the_template_is_a_level_face_of_size_one() -> None:
    low, high = TEMPLATE.min(axis=0), TEMPLATE.max(axis=0)
    assert np.sqrt(np.prod(high - low)) == pytest.approx(1, abs=1e-3)
    assert (low + high) / 2 == pytest.approx([0, 0], abs=1e-3)
    assert TEMPLATE[36:42, 1].mean() == pytest.approx(TEMPLATE[42:48, 1].mean(), abs=1e-3)
    assert template().min() > 0
    assert template().max() < SIDE


@settings(deadline=None, max_examples=40)
@given(st.floats(-1, 1), st.floats(0.2, 5), st.floats(-50, 50), st.floats(-50, 50))
def test_turn_size_and_place_of_a_face_do_not_matter(angle: float, scale: float, dx: float, dy: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = template() @ turn.T + [dx, dy]
    matrix = alignment(moved.astype(np.float32))
    np.testing.assert_allclose(moved @ matrix[:, :2].T + matrix[:, 2], template(), atol=0.01)
    inverse = similarity(template(), moved)
    np.testing.assert_allclose(template() @ inverse[:, :2].T + inverse[:, 2], moved, atol=1e-6)


def test_beyond_the_picture_nothing_is_visible(canvases: list[Canvas]) -> None:
    canvas = Canvas(canvases[0].pixels, canvases[0].landmarks, np.array([0, 0, 95, 48], np.float32))
    face = aligned(canvas)
    assert face.pixels.dtype == np.uint8
    assert ((face.pixels > 0) == face.inside).all()
    assert not face.inside[-8:].any()
    assert face.inside[:8].any()


def test_an_area_alone_is_its_published_box_of_the_face(canvases: list[Canvas]) -> None:
    for canvas in canvases:
        face = aligned(canvas)
        for area in AREAS:
            seen = area_view(canvas, area, ALIGNED_SPEC)
            if area is Area.WHOLE_FACE:
                np.testing.assert_array_equal(seen, face.pixels)
                continue
            inside = area_mask(face, area, canvas.landmarks) > 0
            np.testing.assert_array_equal(seen[inside], face.pixels[inside])
            assert not seen[~inside].any()
            assert 0 < inside.sum() < inside.size / 2
        np.testing.assert_array_equal(area_view(canvas, Area.NOSE, PUBLISHED_SPEC), cut(canvas, Area.NOSE))


def test_blanked_pieces_are_gone_and_nothing_else(canvases: list[Canvas]) -> None:
    face = aligned(canvases[1])
    for piece in PIECES:
        seen = blanked(face, [piece])
        assert not seen[piece_mask(face.landmarks, piece) > 0].any()
        kept = piece_mask(face.landmarks, piece, growth=1.5) == 0
        np.testing.assert_array_equal(seen[kept], face.pixels[kept])


def test_the_mirror_image_swaps_the_eyes() -> None:
    names = list(PIECES)
    assert [names[i] for i in MIRRORED_PIECES] == ["left_eye", "right_eye", "nose", "mouth"]
