import cv2
import numpy as np
import pytest

from mien.face import draw
from mien.face.colours import PART_COLOURS, rgb
from mien.face.detect import detect
from mien.face.draw import (
    CARD_WIDTH,
    Bar,
    Card,
    Group,
    annotate,
    blend,
    draw_card,
    jet,
    mark_face,
    overlay,
)
from mien.face.images import to_gray
from mien.types import PARTS, Face, Part, UInt8

CARD = Card(
    "1  happiness",
    ["Right 94 times in 100.", "word " * 60],
    [Group("probability", [Bar("neutral", 0.2, "20%")])],
    "1: happiness",
)


@pytest.fixture(scope="module")
def face(photo: UInt8) -> Face:
    return detect(to_gray(photo))[0]


def test_overlay_is_the_published_one(photo: UInt8) -> None:
    """JET x 0.4 + image x 0.5, computed here from OpenCV alone."""
    values = np.linspace(0, 1, 100 * 100, dtype=np.float32).reshape(100, 100)
    box = np.array([50, 60, 150, 160], np.float32)
    result = overlay(photo, [(values, box)])
    heat = cv2.applyColorMap((values * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    wanted = heat * 0.4 + photo[60:160, 50:150] * 0.5
    assert np.abs(result[60:160, 50:150] - wanted).max() <= 0.5 + 1e-6
    outside = np.ones(photo.shape[:2], bool)
    outside[60:160, 50:150] = False
    assert (result[outside] == photo[outside]).all()


def test_overlay_is_cut_where_the_box_leaves_the_photo(photo: UInt8) -> None:
    values = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    inside = overlay(photo, [(values, np.array([-32, -32, 32, 32], np.float32))])
    heat = jet(values)[32:, 32:]
    assert np.abs(inside[:32, :32].astype(int) - blend(heat, photo[:32, :32])).max() <= 1
    gone = overlay(photo, [(values, np.array([600, 600, 700, 700], np.float32))])
    assert (gone == photo).all()


def test_jet_ends_are_blue_and_red() -> None:
    ends = jet(np.array([[0.0, 1.0, 2.0, -1.0]], np.float32))[0]
    assert ends[0].tolist() == ends[3].tolist() == [0, 0, 128]
    assert ends[1].tolist() == ends[2].tolist() == [128, 0, 0]


def test_mark_face_colours_visible_parts_only(photo: UInt8, face: Face) -> None:
    def has(canvas: UInt8, color: tuple[int, int, int]) -> bool:
        return bool((canvas == np.array(color, np.uint8)).all(axis=2).any())

    all_seen, no_mouth = (np.zeros_like(photo) for _ in range(2))
    mark_face(all_seen, face, PARTS)
    mark_face(no_mouth, face, [Part.EYES, Part.NOSE])
    assert all(has(all_seen, rgb(PART_COLOURS[part])) for part in PARTS)
    assert has(no_mouth, rgb(PART_COLOURS[Part.EYES]))
    assert not has(no_mouth, rgb(PART_COLOURS[Part.MOUTH]))


def test_marks_lie_on_the_landmarks_at_any_scale(photo: UInt8, face: Face) -> None:
    for scale in (1.0, 2.0):
        canvas = np.zeros((int(512 * scale), int(512 * scale), 3), np.uint8)
        mark_face(canvas, face, PARTS, scale)
        x, y = np.round((face.landmarks[8] + 0.5) * scale - 0.5).astype(int)  # the chin lies on no box
        assert canvas[y, x].max() == 255


def test_annotate_puts_the_photo_left_and_the_card_right(photo: UInt8, face: Face) -> None:
    whole = annotate(photo, [(face, PARTS)], [CARD])
    assert whole.shape == (720, 720 + CARD_WIDTH, 3)
    assert (whole[-1, -1] == 255).all()
    assert (whole[:, 720:] < 100).any()


def test_annotate_without_a_face_is_the_photo(photo: UInt8) -> None:
    large = np.repeat(np.repeat(photo, 2, axis=0), 2, axis=1)
    assert (annotate(large, [], []) == large).all()


def test_annotate_bounds_the_size_of_the_photo(face: Face) -> None:
    assert annotate(np.zeros((100, 4000, 3), np.uint8), [], []).shape == (40, draw.LONGEST, 3)
    assert annotate(np.zeros((3, 2, 3), np.uint8), [], []).shape[0] == draw.SHORTEST


def test_many_faces_get_tags_and_as_many_cards_as_fit(photo: UInt8, face: Face) -> None:
    height = draw_card(CARD).shape[0]
    several = annotate(photo, [(face, PARTS)] * 30, [CARD] * 30)
    assert several.shape[1] == 720 + CARD_WIDTH
    assert several.shape[0] <= 720 + 30
    assert annotate(photo, [(face, PARTS)] * 2, [CARD] * 2).shape[0] == 720
    assert height * 2 < 720


def test_card_wraps_long_sentences_inside_its_width() -> None:
    sheet = draw_card(CARD)
    assert (sheet[:, -8:] == 255).all()
    assert sheet.shape[0] > draw_card(Card("t", [], [], "t")).shape[0] + 22 * 3


def test_bar_length_is_the_share() -> None:
    def length(share: float) -> int:
        sheet = draw_card(Card("", [], [Group("", [Bar("", share, "")])], ""))
        return int((sheet == np.array(draw._BAR, np.uint8)).all(axis=2).any(axis=0).sum())

    assert length(1.0) - length(0.0) == 150
    assert length(0.5) == pytest.approx((length(1.0) + length(0.0)) / 2, abs=1)
    assert length(7.0) == length(1.0)


def test_bar_shows_its_picture() -> None:
    crop = np.full((64, 64), 77, np.uint8)
    plain, shown = (draw_card(Card("", [], [Group("", [Bar("", 0, "", picture=p)])], "")) for p in (None, crop))
    assert (shown == 77).all(axis=2).sum() == draw.THUMB**2
    assert not (plain == 77).any()


def test_drawing_leaves_the_photo_alone(photo: UInt8, face: Face) -> None:
    before = photo.copy()
    annotate(photo, [(face, PARTS)], [CARD])
    overlay(photo, [(np.ones((8, 8), np.float32), face.box)])
    assert (photo == before).all()
