import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.faces import make_cache, template
from mien.analyze.analyzer import Analyzer
from mien.assets import SAMPLE
from mien.data.cache import FaceCache
from mien.errors import ModelError
from mien.face.areas import PIECES
from mien.face.crops import Canvas
from mien.face.dlib_faces import detect
from mien.face.images import to_gray
from mien.trust.folder import SHIPPED
from mien.trust.visibility import VisibilityModel, outside, part_visibility, visibility_of
from mien.types import Part, UInt8


@pytest.fixture(scope="module")
def canvases(tmp_path_factory) -> list[Canvas]:
    cache = FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=8))
    return [cache.canvas(i) for i in range(8)]


@pytest.fixture(scope="module")
def gray(photo: UInt8) -> UInt8:
    return to_gray(photo)


@pytest.fixture(scope="module")
def points(gray: UInt8) -> np.ndarray:
    return detect(gray)[0].landmarks


def test_the_whole_sample_is_seen(gray: UInt8, points: np.ndarray) -> None:
    for eyes in ("one", "both"):
        seen = part_visibility(gray, points, eyes)
        assert seen.visible == frozenset(Part)
        assert not seen.given


@pytest.mark.parametrize("grey", [0, 90, 255])
@pytest.mark.parametrize("part", list(Part))
def test_a_covered_part_of_the_sample_is_found(gray: UInt8, points: np.ndarray, part: Part, grey: int) -> None:
    picture = gray.copy()
    indices = {Part.EYES: (*range(17, 27), *range(36, 48)), Part.NOSE: range(28, 36), Part.MOUTH: range(48, 68)}[part]
    low, high = points[list(indices)].min(axis=0) - 10, points[list(indices)].max(axis=0) + 10
    picture[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])] = grey
    assert part not in part_visibility(picture, points).visible


def test_colour_and_alpha_pictures_say_the_same(photo: UInt8, gray: UInt8, points: np.ndarray) -> None:
    plain = part_visibility(gray, points).probability
    clear = np.concatenate([photo, np.full((*photo.shape[:2], 1), 255, np.uint8)], axis=2)
    for picture in (photo, clear):
        for part, p in part_visibility(picture, points).probability.items():
            assert p == pytest.approx(plain[part], abs=0.1)


@pytest.mark.parametrize(("cut", "hidden"), [("top", Part.EYES), ("bottom", Part.MOUTH)])
def test_a_part_beyond_the_border_is_hidden(gray: UInt8, points: np.ndarray, cut: str, hidden: Part) -> None:
    if cut == "top":
        edge = int(points[36:48, 1].max()) + 4
        picture, moved = gray[edge:], points - [0, edge]
    else:
        picture, moved = gray[: int(points[48:68, 1].min()) - 2], points
    seen = part_visibility(picture, moved)
    assert hidden not in seen.visible
    assert seen.probability[hidden] == 0


@settings(deadline=None, max_examples=40)
@given(st.floats(-60, 60), st.floats(-60, 60))
def test_shares_outside_the_picture_are_those_of_the_hulls(dx: float, dy: float) -> None:
    landmarks = template() + np.array([48 + dx, 48 + dy], np.float32)
    canvas = Canvas(np.zeros((96, 96), np.uint8), landmarks.astype(np.float32), np.array([0, 0, 95, 95], np.float32))
    for piece, share in outside(canvas).items():
        hull = landmarks[list(PIECES[piece])]
        inside = (hull >= -0.5).all() and (hull <= 95.5).all()
        beyond = ((hull < -0.5).all(axis=0) | (hull > 95.5).all(axis=0)).any()
        assert 0 <= share <= 1
        assert not inside or share == pytest.approx(0, abs=1e-4)
        assert not beyond or share == pytest.approx(1, abs=1e-4)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0.1, 0.9))
def test_one_half_is_the_border_whatever_the_threshold(canvases: list[Canvas], share: float, threshold: float) -> None:
    hidden = np.array([0, 0, share, 0], np.float32)
    seen = visibility_of(canvases[0], hidden, dict.fromkeys(PIECES, threshold))
    assert 0 <= seen.probability[Part.NOSE] <= 1
    assert (Part.NOSE in seen.visible) == (float(hidden[2]) < threshold)
    if abs(float(hidden[2]) - threshold) > 1e-6:
        assert (seen.probability[Part.NOSE] > 0.5) == (Part.NOSE in seen.visible)


def test_which_eye_counts(canvases: list[Canvas]) -> None:
    left_hidden, right_hidden = np.array([0, 0.9, 0, 0], np.float32), np.array([0.9, 0, 0, 0], np.float32)
    borders = dict.fromkeys(PIECES, 0.5)
    for eyes, left, right in (("any", True, True), ("one", True, False), ("both", False, False)):
        assert (Part.EYES in visibility_of(canvases[0], left_hidden, borders, eyes).visible) is left
        assert (Part.EYES in visibility_of(canvases[0], right_hidden, borders, eyes).visible) is right
    assert visibility_of(canvases[0], left_hidden, borders).hidden_pieces == ("left_eye",)


@pytest.mark.parametrize(
    ("image", "landmarks", "eyes", "words"),
    [
        (np.zeros((9, 9)), np.zeros((68, 2)), "both", "uint8"),
        (np.zeros((9, 9, 2), np.uint8), np.zeros((68, 2)), "both", r"\[9, 9, 2\]"),
        (np.zeros((9, 9), np.uint8), np.zeros((5, 2)), "both", "68"),
        (np.zeros((9, 9), np.uint8), np.full((68, 2), np.nan), "both", "finite"),
        (np.zeros((9, 9), np.uint8), np.zeros((68, 2)), "left", "left"),
    ],
)
def test_what_cannot_be_looked_at_is_named(image, landmarks, eyes: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        part_visibility(image, landmarks, eyes)


def test_degenerate_landmarks_give_an_answer(gray: UInt8) -> None:
    seen = part_visibility(gray, np.full((68, 2), 50.0))
    assert set(seen.probability) == set(Part)


def test_a_folder_without_the_network_and_a_damaged_one_are_named(untrusted_models, tmp_path) -> None:
    with pytest.raises(ModelError, match="says what is hidden"):
        VisibilityModel(untrusted_models)
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "resnet.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="damaged"):
        VisibilityModel(tmp_path).of_picture(np.zeros((80, 80), np.uint8), template() + 40)


def test_faces_together_say_what_each_says_alone(canvases: list[Canvas]) -> None:
    model = VisibilityModel()
    assert model.visibilities([]) == []
    for canvas, together in zip(canvases, model.visibilities(canvases), strict=True):
        alone = model.visibilities([canvas])[0]
        assert together.hidden == pytest.approx(alone.hidden, abs=1e-5)
        assert alone.visible == together.visible


def test_the_analyzer_offers_it_on_its_own(photo: UInt8, points: np.ndarray) -> None:
    analyzer = Analyzer()
    assert analyzer.part_visibility(photo, points) == part_visibility(to_gray(photo), points)
    assert analyzer.part_visibility(SAMPLE, points.tolist(), eyes="one").visible == frozenset(Part)
