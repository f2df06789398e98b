import numpy as np
import pytest

from builders.faces import make_cache
from mien.data.cache import FaceCache
from mien.face.areas import PIECES, hull_mask
from mien.face.crops import Canvas
from mien.measure.occluders import HELD_OUT_KINDS, KINDS_FOR, TRAINING_KINDS, occlude
from mien.types import Part

KINDS = TRAINING_KINDS + HELD_OUT_KINDS


@pytest.fixture(scope="module")
def canvases(tmp_path_factory) -> list[Canvas]:
    cache = FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=24))
    return [cache.canvas(i) for i in range(24)]


def test_held_out_occluders_are_never_trained_on() -> None:
    assert not set(TRAINING_KINDS) & set(HELD_OUT_KINDS)
    for part in Part:
        assert set(KINDS_FOR[part]) <= set(KINDS)
        assert set(KINDS_FOR[part]) & set(TRAINING_KINDS)
        assert set(KINDS_FOR[part]) & set(HELD_OUT_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_occluder_hides_only_where_it_lies_and_says_what_it_covers(kind: str, canvases: list[Canvas]) -> None:
    covered_any = 0
    for seed, canvas in enumerate(canvases[:10]):
        before = canvas.pixels.copy()
        face = occlude(canvas, kind, np.random.default_rng(seed), canvases[-1].pixels)
        np.testing.assert_array_equal(canvas.pixels, before)
        assert face.canvas.pixels.dtype == np.uint8
        np.testing.assert_array_equal(face.canvas.landmarks, canvas.landmarks)
        assert set(face.covered) == set(PIECES)
        for piece, share in face.covered.items():
            inside = hull_mask(canvas.landmarks[list(PIECES[piece])], 96) > 0
            assert share == pytest.approx(face.mask[inside].mean(), abs=1e-6)
        covered_any += max(face.covered.values()) > 0.5
        assert (face.canvas.pixels[face.mask] != canvas.pixels[face.mask]).mean() > 0.5 or not face.mask.any()
    assert covered_any >= 2


@pytest.mark.parametrize(("part", "kind"), [(part, kind) for part in Part for kind in KINDS_FOR[part]])
def test_aimed_at_a_part_it_hides_it_and_mostly_nothing_else(part: Part, kind: str, canvases: list[Canvas]) -> None:
    hidden, others = [], []
    for seed, canvas in enumerate(canvases):
        face = occlude(canvas, kind, np.random.default_rng(seed), canvases[-1].pixels, part)
        hidden.append(face.share(part) > 0.5)
        others += [face.share(other) > 0.5 for other in Part if other is not part]
    assert np.mean(hidden) > 0.8
    assert np.mean(others) < 0.35


def test_the_same_generator_draws_the_same(canvases: list[Canvas]) -> None:
    one, two = (occlude(canvases[0], "hair", np.random.default_rng(5)) for _ in range(2))
    other = occlude(canvases[0], "hair", np.random.default_rng(6))
    np.testing.assert_array_equal(one.canvas.pixels, two.canvas.pixels)
    assert not np.array_equal(one.canvas.pixels, other.canvas.pixels)


def test_none_leaves_the_face_alone_and_an_unknown_name_is_refused(canvases: list[Canvas]) -> None:
    face = occlude(canvases[0], "none", np.random.default_rng(0))
    np.testing.assert_array_equal(face.canvas.pixels, canvases[0].pixels)
    assert set(face.covered.values()) == {0.0}
    with pytest.raises(ValueError, match="balloon"):
        occlude(canvases[0], "balloon", np.random.default_rng(0))


def test_one_covered_eye_hides_the_eyes_only_where_it_is_the_published_one(canvases: list[Canvas]) -> None:
    for seed in range(40):
        face = occlude(canvases[0], "patch", np.random.default_rng(seed))
        if (face.covered["right_eye"] > 0.5) != (face.covered["left_eye"] > 0.5):
            assert (face.share(Part.EYES, "one") > 0.5) == (face.covered["right_eye"] > 0.5)
            assert face.share(Part.EYES, "both") > 0.5
            return
    raise AssertionError("no patch covered exactly one eye")
