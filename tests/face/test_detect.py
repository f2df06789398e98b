"""BlazeFace, the mesh and its pose: found at every size, turn and shape; never where nothing is; the caller's boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ImageError, UsageError
from mien.face import blazeface, detect, mesh, search, verify
from mien.face.detect import check_detector, detect_each, detect_one, face_at
from mien.face.pose import pose_of, template
from mien.face.session import session
from mien.types import Face, UInt8

TFLITE = Path(__file__).parents[3] / "shared" / "data" / "mediapipe"
ORIGINALS = {
    "blazeface_short": ("face_detection_short_range.tflite", 128, 1 / 127.5, -1.0),
    "blazeface_back": ("face_detection_back.tflite", 256, 1 / 127.5, -1.0),
    "face_mesh": ("face_landmark.tflite", 192, 1 / 255, 0.0),
}


@pytest.fixture(scope="module")
def face(photo: UInt8) -> Face:
    found = detect.detect(photo)
    assert len(found) == 1
    return found[0]


@pytest.mark.skipif(not TFLITE.is_dir(), reason="needs MediaPipe's TFLite files (../shared/data/mediapipe)")
@pytest.mark.parametrize("name", ORIGINALS)
def test_the_converted_network_answers_as_the_original(name: str, photo: UInt8) -> None:
    file, side, scale, offset = ORIGINALS[name]
    picture = cv2.resize(photo[40:280, 110:350], (side, side), interpolation=cv2.INTER_AREA)
    original = cv2.dnn.readNetFromTFLite(str(TFLITE / file), engine=1)
    original.setInput(cv2.dnn.blobFromImage(picture.astype(np.float32), scalefactor=scale) + np.float32(offset))
    answers = original.forward(original.getUnconnectedOutLayersNames())
    ours = {values[0].size: values[0].ravel() for values in session(name).run(None, {"image": picture[None]})}
    for answer in answers:
        there = answer.ravel()
        assert np.abs(there - ours[there.size]).max() < 1e-5 * max(1.0, float(np.abs(there).max())) + 1e-4


def test_the_photo_s_face_is_found_with_its_points(face: Face) -> None:
    assert face.detector == "mesh"
    assert face.score > 0.99
    assert face.presence is not None
    assert face.presence > 0.9
    left, right, mouth = (face.landmarks[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48), slice(48, 68)))
    assert left[0] < mouth[0] < right[0]
    assert mouth[1] > max(left[1], right[1])
    assert face.box[0] < left[0]
    assert face.box[3] > mouth[1]


@pytest.mark.parametrize("width", [160, 512, 1500])
def test_the_same_face_at_every_size(photo: UInt8, face: Face, width: int) -> None:
    factor = width / photo.shape[1]
    small = cv2.resize(photo, (width, width), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    found = detect.detect(small.astype(np.uint8), min_face=16)
    there = (found[0].landmarks + 0.5) / factor - 0.5
    eyes = np.linalg.norm(face.landmarks[45] - face.landmarks[36])
    assert np.linalg.norm(there - face.landmarks, axis=1).mean() / eyes < 0.06


@pytest.mark.parametrize("turns", [1, 3])
def test_a_photo_on_its_side(photo: UInt8, face: Face, turns: int) -> None:
    found = detect.detect(np.ascontiguousarray(np.rot90(photo, turns)))
    assert len(found) == 1
    assert found[0].pose is not None
    assert face.pose is not None
    roll = found[0].pose.roll - face.pose.roll
    assert abs((roll + 90 * (1 if turns == 1 else -1) + 180) % 360 - 180) < 10


def test_a_small_face_in_a_large_photo(photo: UInt8) -> None:
    large = np.full((3000, 4000, 3), 128, np.uint8)
    small = cv2.resize(photo, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    large[1500 : 1500 + len(small), 2200 : 2200 + len(small)] = small
    found = detect.detect(large)
    assert len(found) == 1
    assert 2200 < found[0].box[0] < 2200 + len(small)


def test_nothing_is_found_where_nothing_is(photo: UInt8) -> None:
    generator = np.random.default_rng(0)
    for picture in (
        np.zeros((200, 300, 3), np.uint8),
        generator.integers(0, 256, (200, 300, 3)).astype(np.uint8),
        np.ascontiguousarray(photo[300:]),
    ):
        assert detect.detect(picture) == []


@settings(max_examples=30, deadline=None)
@given(
    st.one_of(st.integers(1, 12), st.integers(13, 600)), st.sampled_from([1, 2, 7, 8, 9, 33, 300, 5000]), st.booleans()
)
def test_any_shape_is_safe(short: int, long: int, tall: bool) -> None:
    shape = (long, short) if tall else (short, long)
    picture = (np.indices(shape).sum(axis=0) % 256).astype(np.uint8)
    assert detect.detect(picture) == [] or min(shape) >= detect.LEAST_SIDE
    assert detect_one(picture).landmarks.shape == (68, 2)


def test_an_error_inside_becomes_one_sentence(photo: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(search, "faces", broken)
    with pytest.raises(ImageError, match=r"the face detector failed on this picture \(first line\)"):
        detect.detect(photo)


def test_one_face_a_picture_and_several_at_a_time(photo: UInt8) -> None:
    face = cv2.resize(photo[10:260, 110:340], (48, 48), interpolation=cv2.INTER_AREA).astype(np.uint8)
    nothing = np.full((48, 48), 90, np.uint8)
    together = detect_each([face, nothing, face[..., 0]])
    assert [f.detector for f in together] == ["mesh", "frame", "mesh"]
    alone = detect_one(face)
    np.testing.assert_allclose(together[0].landmarks, alone.landmarks, atol=1e-2)


def test_the_callers_box_is_believed(photo: UInt8, face: Face) -> None:
    given_box = face_at(photo, face.box)
    assert given_box.detector == "given"
    eyes = np.linalg.norm(face.landmarks[45] - face.landmarks[36])
    assert np.linalg.norm(given_box.landmarks - face.landmarks, axis=1).mean() / eyes < 0.05
    whole = face_at(np.ascontiguousarray(photo[50:190, 165:290]))
    assert np.linalg.norm(whole.landmarks + np.array([165, 50]) - face.landmarks, axis=1).mean() / eyes < 0.1
    nowhere = face_at(np.zeros((100, 100, 3), np.uint8), np.array([10, 10, 60, 60], np.float32))
    assert np.isfinite(nowhere.landmarks).all()


@pytest.mark.parametrize("axis", ["yaw", "pitch", "roll"])
@pytest.mark.parametrize("degrees", [-40, -10, 25])
def test_a_turned_template_has_that_pose(axis: str, degrees: int) -> None:
    """Positive yaw faces the right side of the picture, positive pitch looks up, positive roll tilts clockwise."""
    angle = np.radians(degrees)
    s, c = np.sin(angle), np.cos(angle)
    turns = {
        "yaw": [[c, 0, -s], [0, 1, 0], [s, 0, c]], "pitch": [[1, 0, 0], [0, c, s], [0, -s, c]],
        "roll": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }  # fmt: skip
    turned = (template().points @ np.array(turns[axis]).T * 80 + 200).astype(np.float32)
    pose = pose_of(turned).to_dict()
    assert pose.pop(axis) == pytest.approx(degrees, abs=0.5)
    assert all(abs(rest) < 0.5 for rest in pose.values())
    nose, middle = turned[4], turned[[33, 263]].mean(axis=0)
    if axis == "yaw":
        assert np.sign(nose[0] - middle[0]) == np.sign(degrees)
    if axis == "roll":
        assert np.sign(turned[263, 1] - turned[33, 1]) == np.sign(degrees)


def test_the_mirrored_face_has_the_mirrored_pose(photo: UInt8, face: Face) -> None:
    mirrored = detect.detect(np.ascontiguousarray(photo[:, ::-1]))[0]
    assert mirrored.pose is not None
    assert face.pose is not None
    assert mirrored.pose.yaw == pytest.approx(-face.pose.yaw, abs=4)
    assert mirrored.pose.roll == pytest.approx(-face.pose.roll, abs=3)
    assert mirrored.pose.pitch == pytest.approx(face.pose.pitch, abs=4)


def test_tiles_cover_a_picture_and_overlap() -> None:
    corners = search._corners((900, 2000), 640.0)
    seen = np.zeros((900, 2000), int)
    for x, y in corners:
        seen[y : y + 640, x : x + 640] += 1
    assert seen.min() == 1
    assert len({x for x, _ in corners}) == 4


def test_merged_boxes_keep_the_best_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)
    found = blazeface.merged(
        blazeface.Found(boxes, np.zeros((3, 6, 2), np.float32), np.array([0.5, 0.9, 0.7], np.float32))
    )
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert len(found) == 2


def test_place_of_a_turned_mesh_is_turned() -> None:
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    place = mesh.Place.of_mesh((template().points @ turn.T * 50 + 100).astype(np.float32))
    assert np.degrees(place.angle) == pytest.approx(30, abs=1)


def test_an_unknown_detector_is_named() -> None:
    with pytest.raises(UsageError, match="yolo"):
        check_detector("yolo")


def test_looking_again_is_left_out_only_where_it_decides_nothing(photo: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    seen = blazeface.look([photo], blazeface.Look("short", 0.25))[0]
    candidates = []
    for _ in range(40):
        moved = generator.normal(0, 60, 2) * generator.integers(0, 2)
        score = float(generator.choice([0.3, 0.6, 0.95]))
        box = seen.boxes[0] + np.tile(moved, 2).astype(np.float32)
        candidates.append(verify.Candidate(box, seen.points[0] + moved.astype(np.float32), score))
    first = mesh.run([photo] * 40, [c.place for c in candidates])
    second = mesh.run([photo] * 40, [mesh.Place.of_mesh(points) for points in first.points])
    whole = np.stack([verify.features_of(photo, c, first, second, i) for i, c in enumerate(candidates)])
    looks: list[int] = []
    look_again = verify.look_again
    monkeypatch.setattr(verify, "look_again", lambda *given: looks.append(1) or look_again(*given))
    quick = verify.likelihood(photo, candidates, first, second)
    faces = verify._regression().probability(whole) >= verify.least()
    assert 0 < faces.sum() < 40
    assert ((quick >= verify.least()) == faces).all()
    assert 0 < len(looks) < 60


def test_several_looks_at_one_picture_are_the_looks_one_by_one(photo: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    resized: list[tuple[int, float]] = []
    before = blazeface.letterboxed

    def counted(rgb: UInt8, side: int, margin: float) -> tuple[UInt8, blazeface.Letterbox]:
        resized.append((side, margin))
        return before(rgb, side, margin)

    turned = np.ascontiguousarray(np.rot90(photo))
    one_by_one = [blazeface.look([turned], how)[0] for how in search.TURNED]
    monkeypatch.setattr(blazeface, "letterboxed", counted)
    together = blazeface.looks(turned, search.TURNED)

    assert len(resized) == 1
    assert sum(len(found) for found in together) >= 1
    for found, alone in zip(together, one_by_one, strict=True):
        np.testing.assert_array_equal(found.boxes, alone.boxes)
        np.testing.assert_array_equal(found.scores, alone.scores)
