import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.errors import MissingExtraError, ModelError
from mien.face import dlib_faces as landmarks
from mien.face.dlib_faces import detect, detect_one, model_file, predict_landmarks
from mien.face.images import to_gray
from mien.types import PARTS, Face, UInt8


@pytest.fixture(scope="module")
def gray(photo: UInt8) -> UInt8:
    return to_gray(photo)


@pytest.fixture(scope="module")
def face(gray: UInt8) -> Face:
    faces = detect(gray)
    assert len(faces) == 1
    return faces[0]


def scaled(gray: UInt8, factor: float) -> UInt8:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(gray, None, fx=factor, fy=factor, interpolation=method).astype(np.uint8)


def test_the_sample_has_one_face_where_it_is(face: Face) -> None:
    """The astronaut's face, by eye: x 180-268, y 85-178; the mission patch below is none."""
    assert face.detector == "hog"
    assert face.box[0] == pytest.approx(180, abs=12)
    assert face.box[3] == pytest.approx(172, abs=12)
    left_eye, right_eye, mouth = (face.landmarks[i].mean(axis=0) for i in (slice(42, 48), slice(36, 42), slice(48, 68)))
    np.testing.assert_allclose(right_eye, [204, 102], atol=4)
    np.testing.assert_allclose(left_eye, [248, 103], atol=4)
    np.testing.assert_allclose(mouth, [223, 146], atol=5)


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.7, 3.0])
def test_landmarks_do_not_move_with_the_size_of_the_photo(gray: UInt8, face: Face, factor: float) -> None:
    found = detect(scaled(gray, factor))
    assert len(found) == 1
    there = (found[0].landmarks + 0.5) / factor - 0.5
    distance = np.linalg.norm(there - face.landmarks, axis=1)
    assert np.median(distance) < 0.02 * face.size
    assert distance.mean() < 0.03 * face.size


def test_a_close_crop_is_enlarged_and_found(gray: UInt8, face: Face) -> None:
    x0, y0, x1, y1 = (int(v) for v in face.box)
    small = cv2.resize(gray[y0 - 15 : y1 + 15, x0 - 15 : x1 + 15], (48, 48), interpolation=cv2.INTER_AREA)
    found = detect(small.astype(np.uint8))
    assert len(found) == 1
    assert found[0].size < 48


def test_every_face_is_found_largest_first(gray: UInt8) -> None:
    small = scaled(gray, 0.6)
    pair = np.full((512, 1024), 128, np.uint8)
    pair[:, 512:] = gray
    pair[: small.shape[0], : small.shape[1]] = small
    found = detect(pair)
    assert len(found) == 2
    assert found[0].size > found[1].size
    assert found[0].box[0] > 512 > found[1].box[2]


def pictures_without_a_face() -> dict[str, UInt8]:
    generator = np.random.default_rng(0)
    board = (np.indices((300, 300)) // 30).sum(axis=0) % 2 * 255
    return {
        "black": np.zeros((300, 300), np.uint8),
        "white": np.full((300, 400), 255, np.uint8),
        "noise": generator.integers(0, 256, (300, 300), np.uint8),
        "board": board.astype(np.uint8),
        "ramp": np.tile(np.arange(256, dtype=np.uint8), (256, 1)),
        "small": generator.integers(0, 256, (60, 60), np.uint8),
        "line": np.zeros((1, 500), np.uint8),
        "dot": np.zeros((1, 1), np.uint8),
        "tiny": np.zeros((8, 8), np.uint8),
    }


@pytest.mark.parametrize("name", pictures_without_a_face())
def test_nothing_is_found_where_there_is_no_face(name: str) -> None:
    assert detect(pictures_without_a_face()[name]) == []


def test_nothing_is_found_around_the_face(gray: UInt8, face: Face) -> None:
    """The lower part of the sample, with the patch that fools the HOG detector alone."""
    assert detect(np.ascontiguousarray(gray[250:])) == []


def test_unsure_hog_finds_need_the_cnn(gray: UInt8, face: Face) -> None:
    patch = np.array([123, 330, 227, 434], np.float32)
    boxes, scores = landmarks._confirmed(gray, np.stack([patch, face.box]), [0.1, 0.1])
    np.testing.assert_array_equal(boxes, face.box[None])
    assert scores == [0.1]
    sure, _ = landmarks._confirmed(gray, patch[None], [landmarks.HOG_SURE])
    assert len(sure) == 1


def test_detector_can_be_chosen(gray: UInt8) -> None:
    by_cnn = detect(gray, "cnn")
    assert [f.detector for f in by_cnn] == ["cnn"]
    assert detect(gray, "hog")[0].detector == "hog"


def test_auto_asks_the_cnn_where_hog_finds_none(gray: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "_hog_boxes", lambda *_: (np.zeros((0, 4), np.float32), []))
    assert [f.detector for f in detect(gray)] == ["cnn"]
    assert detect(gray, "hog") == []


def test_detect_one_takes_the_whole_frame_where_no_detector_finds_a_face() -> None:
    found = detect_one(np.zeros((48, 48), np.uint8))
    assert (found.detector, found.score) == ("frame", 0.0)
    assert found.landmarks.min() > -5
    assert found.landmarks.max() < 53


def test_every_part_lies_in_the_box(face: Face) -> None:
    from mien.face.areas import PART_LANDMARKS

    for part in PARTS:
        points = face.landmarks[list(PART_LANDMARKS["both"][part])]
        assert (points > face.box[:2] - 5).all()
        assert (points < face.box[2:] + 5).all()


def test_landmarks_hardly_depend_on_the_box(gray: UInt8, face: Face) -> None:
    there = predict_landmarks(gray, face.box)
    moved = predict_landmarks(gray, face.box + np.array([4, -3, 4, -3], np.float32))
    assert np.abs(there - moved).mean() < 0.01 * face.size


def test_threads_get_the_same_faces(gray: UInt8, face: Face) -> None:
    found: list[list[Face]] = []
    threads = [threading.Thread(target=lambda: found.append(detect(gray))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for faces in found:
        np.testing.assert_array_equal(faces[0].landmarks, face.landmarks)


def test_missing_model_file_is_a_model_error() -> None:
    assert model_file("shape_predictor_68_face_landmarks.dat").is_file()
    with pytest.raises(ModelError, match="missing"):
        model_file("no_such_file.dat")


def test_a_missing_package_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install .mien\[dlib\]"):
        model_file("shape_predictor_68_face_landmarks.dat")


def test_photos_are_never_changed(gray: UInt8) -> None:
    before = gray.copy()
    detect(gray)
    assert (before == gray).all()
    assert Path(model_file("mmod_human_face_detector.dat")).suffix == ".dat"


@pytest.mark.parametrize("shape", [(8, 300), (300, 8), (12_000, 100), (60, 20_000), (641, 9), (16, 16_384)])
def test_a_thin_photo_never_ends_the_process(shape: tuple[int, int]) -> None:
    code = (
        "import numpy as np; from mien.face.detect import detect\n"
        f"picture = np.random.default_rng(0).integers(0, 256, {shape}).astype(np.uint8)\n"
        "assert detect(picture, 'dlib') == []"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
