import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.face import dlib_faces as landmarks
from mien.face.areas import bounding_box, hull_groups, landmark_indices, square_of
from mien.face.crops import CANVAS_SIDE, canvas_of, crop_all, cut
from mien.face.images import to_gray
from mien.face.spec import PUBLISHED_SPEC, STUDY_SPECS, CropSpec
from mien.types import AREAS, Area, Float32, UInt8

BOX_SPECS = [PUBLISHED_SPEC, CropSpec(eyes="both"), CropSpec(size=32), CropSpec(face_size=30)]


def one_based(*spans: tuple[int, int]) -> tuple[int, ...]:
    return tuple(i - 1 for first, last in spans for i in range(first, last + 1))


@pytest.mark.parametrize(
    ("area", "spans"),
    [
        (Area.MOUTH, [(49, 68)]),
        (Area.NOSE, [(29, 36)]),
        (Area.EYES, [(18, 22), (37, 42)]),
        (Area.NOSE_MOUTH, [(29, 36), (49, 68)]),
        (Area.NOSE_EYES, [(18, 22), (29, 36), (37, 42)]),
        (Area.MOUTH_EYES, [(18, 22), (37, 42), (49, 68)]),
        (Area.WHOLE_FACE, [(1, 68)]),
    ],
)
def test_landmarks_of_each_area_are_those_of_table_4(area: Area, spans: list[tuple[int, int]]) -> None:
    assert landmark_indices(area) == one_based(*spans)


def test_both_eyes_set_adds_the_left_brow_and_eye() -> None:
    assert landmark_indices(Area.EYES, CropSpec(eyes="both")) == one_based((18, 27), (37, 48))


@st.composite
def faces(draw: st.DrawFn) -> tuple[UInt8, Float32]:
    """A grey picture and 68 points inside it, of any arrangement."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(24, 400)), draw(st.integers(24, 400))
    low = generator.uniform(0, 0.5, 2)
    high = generator.uniform(low + 0.1, 1)
    points = generator.uniform(low, high, (68, 2)) * [width - 1, height - 1]
    return generator.integers(0, 256, (height, width), np.uint8), points.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(faces(), st.sampled_from(AREAS), st.sampled_from(BOX_SPECS))
def test_padded_crop_keeps_all_landmarks_of_its_area(face: tuple[UInt8, Float32], area: Area, spec: CropSpec) -> None:
    gray, points = face
    canvas = canvas_of(gray, points, spec.face_size)
    box = bounding_box(canvas.landmarks, area, spec)
    square = square_of(box, spec.padded)
    step = (square[2] - square[0]) / spec.size
    inside = (canvas.landmarks[list(landmark_indices(area, spec))] - square[:2]) / step - 0.5
    assert inside.min() >= -0.51
    assert inside.max() <= spec.size - 0.49
    near = cv2.dilate(cut(canvas, area, spec), np.ones((3, 3)))  # an edge may fall between two pixels' centres
    rows, columns = np.clip(np.floor(inside[:, ::-1] + 0.5).astype(int).T, 0, spec.size - 1)
    within = ((canvas.landmarks >= 1) & (canvas.landmarks <= CANVAS_SIDE - 2)).all(axis=1)
    seen = within[list(landmark_indices(area, spec))]
    assert (near[rows, columns][seen] > 0).all()


@settings(max_examples=60, deadline=None)
@given(faces(), st.sampled_from(AREAS), st.sampled_from(list(STUDY_SPECS.values())))
def test_crops_are_squares_of_the_spec(face: tuple[UInt8, Float32], area: Area, spec: CropSpec) -> None:
    crop = crop_all(*face, spec, [area])[0]
    assert crop.pixels.shape == (spec.size, spec.size)
    assert crop.pixels.dtype == np.uint8
    assert crop.box[2] - crop.box[0] == pytest.approx(crop.box[3] - crop.box[1], abs=1e-2)


def test_cubic_crops_depend_less_on_the_resolution_of_the_picture(photo: UInt8) -> None:
    portrait = to_gray(photo)
    face = landmarks.detect(portrait, "hog")[0]
    scale = 38 / face.size
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points = ((face.landmarks + 0.5) * scale - 0.5).astype(np.float32)
    change = {"linear": 0.0, "cubic": 0.0}
    for enlargement in (1.25, 1.5, 2.0, 3.0, 6.0):
        large = cv2.resize(small, None, fx=enlargement, fy=enlargement, interpolation=cv2.INTER_CUBIC)
        enlarged = ((points + 0.5) * enlargement - 0.5).astype(np.float32)
        for spec in (CropSpec(size=32), CropSpec(size=32, sampling="cubic")):
            pairs = zip(crop_all(small, points, spec), crop_all(large, enlarged, spec), strict=True)
            change[spec.sampling] += sum(np.abs(a.pixels.astype(float) - b.pixels).mean() for a, b in pairs)
    assert change["cubic"] < 0.9 * change["linear"], change


@settings(max_examples=40, deadline=None)
@given(faces(), st.sampled_from(AREAS))
def test_hull_shows_nothing_that_the_box_hides(face: tuple[UInt8, Float32], area: Area) -> None:
    if area is Area.WHOLE_FACE:  # its box is that of all 68 landmarks, its hulls those of the parts
        return
    gray, points = face
    canvas = canvas_of(gray, points)
    box, hull = cut(canvas, area, PUBLISHED_SPEC), cut(canvas, area, CropSpec(mask="hull"))
    assert ((hull > 0) <= (box > 0)).all()
    assert (hull[hull > 0] == box[hull > 0]).all()


def wide_face() -> tuple[UInt8, Float32]:
    """A white picture; the mouth is a 40 x 10 box, the nose a 10 x 20 one, right brow and eye 20 x 12."""
    points = np.full((68, 2), 50, np.float32)
    points[:17] = np.column_stack([np.linspace(28, 72, 17), np.linspace(30, 74, 17)])
    boxes = {
        (48, 68): (30, 65, 70, 75), (28, 36): (45, 40, 55, 60), (17, 22): (30, 30, 50, 33), (36, 42): (32, 36, 48, 42),
        (22, 27): (52, 30, 72, 33), (42, 48): (54, 36, 70, 42),
    }  # fmt: skip
    for (first, last), box in boxes.items():
        xs, ys = np.meshgrid([box[0], box[2]], [box[1], box[3]])
        corners = np.column_stack([xs.ravel(), ys.ravel()])
        points[first:last] = np.resize(corners, (last - first, 2))
    return np.full((120, 100), 200, np.uint8), points


def test_padding_shows_the_whole_box_between_black_bars() -> None:
    gray, points = wide_face()
    pixels = crop_all(gray, points, CropSpec(face_size=200), [Area.MOUTH])[0].pixels
    rows = np.flatnonzero((pixels > 0).any(axis=1))
    assert (pixels > 0).any(axis=0).all()
    assert len(rows) / 64 == pytest.approx(11 / 40, abs=0.04)  # the box and half a pixel of grace at either side
    assert abs((rows[0] + rows[-1]) / 2 - 31.5) <= 0.5
    assert (pixels[rows[0] : rows[-1] + 1] == 200).all()


def test_cutting_fills_the_square_and_loses_the_ends() -> None:
    gray, points = wide_face()
    crop = crop_all(gray, points, CropSpec(padded=False, face_size=200), [Area.MOUTH])[0]
    assert (crop.pixels == 200).all()
    np.testing.assert_allclose(crop.box, [45, 65, 55, 75])


def test_padded_square_has_the_longer_side_and_the_same_centre() -> None:
    gray, points = wide_face()
    np.testing.assert_allclose(crop_all(gray, points, areas=[Area.MOUTH])[0].box, [30, 50, 70, 90])
    np.testing.assert_allclose(crop_all(gray, points, areas=[Area.NOSE])[0].box, [40, 40, 60, 60])


def test_bounding_box_of_mouth_and_eyes_leaks_the_nose_and_the_hulls_do_not() -> None:
    gray, points = wide_face()
    gray[46:58, 46:54] = 90  # a dark nose
    spec = CropSpec(face_size=200)
    leaking = crop_all(gray, points, spec, [Area.MOUTH_EYES])[0].pixels
    clean = crop_all(gray, points, CropSpec(mask="hull", face_size=200), [Area.MOUTH_EYES])[0].pixels
    assert (leaking == 90).any()
    assert not (clean == 90).any()
    assert (clean > 0).any()


def test_hulls_of_two_eyes_stay_apart() -> None:
    assert len(hull_groups(Area.EYES, CropSpec(mask="hull", eyes="both"))) == 2
    assert len(hull_groups(Area.WHOLE_FACE, CropSpec(mask="hull"))) == 3


def test_what_lies_outside_the_picture_is_not_visible() -> None:
    gray, points = wide_face()
    crop = crop_all(gray, points - np.array([50, 0], np.float32), CropSpec(face_size=200), [Area.MOUTH])[0]
    seen = (crop.pixels > 0).any(axis=0)
    assert not seen[:30].any()
    assert seen[34:].all()


def test_black_pixels_of_the_photo_stay_visible() -> None:
    gray, points = wide_face()
    crop = crop_all(np.zeros_like(gray), points, areas=[Area.WHOLE_FACE])[0]
    assert crop.pixels.max() == 1


def test_large_face_is_reduced_to_the_spec_and_small_one_never_enlarged(photo: UInt8) -> None:
    gray = to_gray(photo)
    points = landmarks.detect(gray)[0].landmarks
    canvas = canvas_of(gray, points)
    sides = np.ptp(canvas.landmarks, axis=0)
    assert np.sqrt(np.prod(sides)) == pytest.approx(44, rel=0.01)
    small = canvas_of(gray[::4, ::4].copy(), points / 4)
    assert np.sqrt(np.prod(np.ptp(small.landmarks, axis=0))) == pytest.approx(
        np.sqrt(np.prod(sides)) / 44 * 92 / 4, rel=0.1
    )


def test_crops_hardly_change_with_the_size_of_the_photo(photo: UInt8) -> None:
    gray = to_gray(photo)
    points = landmarks.detect(gray)[0].landmarks
    large = cv2.resize(gray, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    for one, three in zip(crop_all(gray, points), crop_all(large, (points + 0.5) * 3 - 0.5), strict=True):
        shown = (one.pixels > 0) & (three.pixels > 0)
        assert shown.mean() > 0.9 * (one.pixels > 0).mean()
        assert np.abs(one.pixels.astype(int) - three.pixels)[shown].mean() < 4
        np.testing.assert_allclose(three.box, (one.box + 0.5) * 3 - 0.5, atol=1e-3)


def test_crops_of_the_sample_show_what_they_name(photo: UInt8) -> None:
    """The mouth crop's pixels are the photo's mouth: compared with a plain resize of its box."""
    gray = to_gray(photo)
    points = landmarks.detect(gray)[0].landmarks
    spec = CropSpec(padded=False, face_size=400)
    crop = crop_all(gray, points, spec, [Area.MOUTH])[0]
    x0, y0, x1, _ = crop.box
    step = (x1 - x0) / 64
    matrix = np.array([[step, 0, x0 + step / 2], [0, step, y0 + step / 2]])
    plain = cv2.warpAffine(gray, matrix, (64, 64), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert np.abs(plain.astype(int) - crop.pixels).max() <= 1


def test_warp_by_identity_changes_nothing_and_a_flip_mirrors() -> None:
    gray, points = wide_face()
    gray = np.add.outer(np.arange(120), np.arange(100)).astype(np.uint8)
    canvas = canvas_of(gray, points)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    assert (cut(canvas, Area.MOUTH, warp=identity) == cut(canvas, Area.MOUTH)).all()
    centre = canvas.landmarks.mean(axis=0)[0]
    mirror = np.array([[-1.0, 0, 2 * centre], [0, 1, 0]])
    flipped = cut(canvas, Area.MOUTH, warp=mirror)
    assert np.abs(flipped[:, ::-1].astype(int) - cut(canvas, Area.MOUTH)).max() <= 2


def test_degenerate_landmarks_still_give_a_crop() -> None:
    gray = np.full((40, 40), 99, np.uint8)
    for crop in crop_all(gray, np.full((68, 2), 20, np.float32)):
        assert crop.pixels.max() == 99
