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
from mien.face.crops import Frame, frame_of
from mien.face.images import to_gray
from mien.face.dlib_faces import detect
from mien.trust.folder import SHIPPED
from mien.trust.visibility import (
    VIEW_SIDE,
    PieceVisibility,
    VisibilityModel,
    outside,
    part_visibility,
    turned_away,
    view_of,
)
from mien.types import Part, UInt8


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> list[Frame]:
    cache = FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=8))
    return [cache.frame(i) for i in range(8)]


@pytest.fixture(scope="module")
def gray(photo: UInt8) -> UInt8:
    return to_gray(photo)


@pytest.fixture(scope="module")
def points(gray: UInt8) -> np.ndarray:
    return detect(gray)[0].landmarks


def test_the_shipped_network_is_small_and_fast_to_load() -> None:
    entry = json.loads((SHIPPED / "manifest.json").read_text())["visibility"]
    assert (SHIPPED / entry["file"]).stat().st_size < 1_000_000
    assert set(entry["thresholds"]) == set(PIECES)


def test_a_view_shows_the_face_and_where_its_pieces_should_be(frames: list[Frame]) -> None:
    for frame in frames:
        face, pieces = view_of(frame)
        assert face.shape == pieces.shape == (VIEW_SIDE, VIEW_SIDE)
        assert set(np.unique(pieces)) == {0, 1, 2, 3, 4}
        assert np.argwhere(pieces == 1)[:, 1].mean() < np.argwhere(pieces == 2)[:, 1].mean()
        assert np.argwhere(pieces == 3)[:, 0].mean() < np.argwhere(pieces == 4)[:, 0].mean()


def test_beyond_the_picture_a_view_is_dark(frames: list[Frame]) -> None:
    frame = Frame(frames[0].pixels, frames[0].landmarks, np.array([0, 0, 95, 48], np.float32))
    face, _ = view_of(frame)
    assert (face[-5:] == 0).all()
    assert (face[:5] > 0).all()


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
    frame = Frame(np.zeros((96, 96), np.uint8), landmarks.astype(np.float32), np.array([0, 0, 95, 95], np.float32))
    for piece, share in outside(frame).items():
        hull = landmarks[list(PIECES[piece])]
        inside = (hull >= -0.5).all() and (hull <= 95.5).all()
        beyond = ((hull < -0.5).all(axis=0) | (hull > 95.5).all(axis=0)).any()
        assert 0 <= share <= 1
        assert not inside or share == pytest.approx(0, abs=1e-4)
        assert not beyond or share == pytest.approx(1, abs=1e-4)


def turned(degrees: float) -> np.ndarray:
    """Landmarks of a head turned about the vertical axis: the face on a cylinder, the nose before it."""
    flat = template()
    radius = np.ptp(flat[:, 0]) / 2 * 1.05
    across = np.arcsin(np.clip((flat[:, 0] - flat[[0, 16], 0].mean()) / radius, -0.98, 0.98)) + np.deg2rad(degrees)
    depth = np.ones(68)
    depth[27:36] = 1.15
    return np.column_stack([radius * np.sin(across) * depth, flat[:, 1]]).astype(np.float32)


def test_a_turned_head_hides_its_far_eye() -> None:
    assert turned_away(turned(0)) == {"right_eye": False, "left_eye": False}
    assert turned_away(turned(30)) == {"right_eye": False, "left_eye": False}
    right, left = turned_away(turned(-75)), turned_away(turned(75))
    assert right == {"right_eye": True, "left_eye": False}
    assert left == {"right_eye": False, "left_eye": True}


@settings(deadline=None, max_examples=30)
@given(st.floats(-0.6, 0.6), st.floats(0.2, 20))
def test_turning_in_the_plane_and_size_do_not_matter(angle: float, scale: float) -> None:
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for degrees in (0, 75):
        moved = (turned(degrees) @ spin * scale + 100).astype(np.float32)
        assert turned_away(moved) == turned_away(turned(degrees))


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0.1, 0.9))
def test_one_half_is_the_border_whatever_the_threshold(p: float, threshold: float) -> None:
    nothing = dict.fromkeys(PIECES, 0.0)
    piece = PieceVisibility(dict.fromkeys(PIECES, p), nothing, {}, dict.fromkeys(PIECES, threshold))
    assert 0 <= piece.probability("nose") <= 1
    assert (piece.probability("nose") >= 0.5) == (p >= threshold)
    assert (Part.NOSE in piece.to_visibility().visible) == (p >= threshold)


def test_which_eye_counts() -> None:
    seen = {"right_eye": 0.9, "left_eye": 0.1, "nose": 0.9, "mouth": 0.9}
    piece = PieceVisibility(seen, dict.fromkeys(PIECES, 0.0), {}, dict.fromkeys(PIECES, 0.5))
    assert Part.EYES in piece.to_visibility("one").visible
    assert Part.EYES not in piece.to_visibility("both").visible


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


def test_a_folder_without_the_network_and_a_damaged_one_are_named(tmp_path) -> None:
    with pytest.raises(ModelError, match="no visibility network"):
        VisibilityModel(tmp_path)
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / manifest["visibility"]["file"]).write_bytes(b"no network")
    with pytest.raises(ModelError, match="damaged"):
        VisibilityModel(tmp_path)


def test_faces_together_say_what_each_says_alone(frames: list[Frame]) -> None:
    model = VisibilityModel()
    assert model.pieces([]) == []
    for frame, together in zip(frames, model.pieces(frames), strict=True):
        alone = model.pieces([frame])[0]
        assert together.seen == pytest.approx(alone.seen, abs=1e-5)
        assert model.visibility(frame).visible == together.to_visibility().visible


def test_reduced_photos_agree_with_their_frames(gray: UInt8, points: np.ndarray) -> None:
    model = VisibilityModel()
    assert part_visibility(gray, points, model=model) == model.visibility(frame_of(gray, points), "both")


def test_the_analyzer_offers_it_on_its_own(photo: UInt8, points: np.ndarray) -> None:
    analyzer = Analyzer()
    assert analyzer.part_visibility(photo, points) == part_visibility(to_gray(photo), points)
    assert analyzer.part_visibility(SAMPLE, points.tolist(), eyes="one").visible == frozenset(Part)
