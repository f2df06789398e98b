"""Faces keep their number: through motion, occlusion, absence; and what a later run needs to go on."""

from __future__ import annotations

import json

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.video import background, face_of, moving_face, place
from mien.analyze.video import tracks
from mien.analyze.video.detection import VideoDetector, describe
from mien.analyze.video.smoothing import covered, smooth
from mien.analyze.video.tracks import Tracker, TrackSettings, follow, matches, overlap
from mien.face.dlib_faces import detect
from mien.types import Face, UInt8

sides = st.floats(1, 60)
corners = st.floats(0, 100)


def face_at(x: float, y: float, width: float = 40, height: float = 40) -> Face:
    box = np.array([x, y, x + width, y + height], np.float32)
    grid = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 17), np.linspace(0.1, 0.9, 4)), axis=-1).reshape(68, 2)
    return Face(box, (box[:2] + grid * (box[2:] - box[:2])).astype(np.float32), "hog", 1.0)


faces = st.builds(face_at, corners, corners, sides, sides)


@given(faces, faces)
def test_overlap_is_a_symmetric_share(one: Face, other: Face) -> None:
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert 0 <= overlap(one, other) <= 1
    assert overlap(one, one) == pytest.approx(1)


@given(st.lists(faces, max_size=6), st.lists(faces, max_size=6), st.floats(0.05, 0.95))
def test_matches_pair_each_face_at_most_once(known: list[Face], found: list[Face], least: float) -> None:
    pairs = matches(known, found, least)
    assert len({i for i, _ in pairs}) == len(pairs) == len({j for _, j in pairs})
    assert all(overlap(known[i], found[j]) >= least for i, j in pairs)
    left = [(i, j) for i in range(len(known)) for j in range(len(found))
            if i not in {a for a, _ in pairs} and j not in {b for _, b in pairs}]  # fmt: skip
    assert all(overlap(known[i], found[j]) < least for i, j in left)  # no pair is missed


class Script:
    """A detector that is told what to find, call by call; None finds what was expected."""

    def __init__(self, *calls: list[Face] | None) -> None:
        self.calls = list(calls)
        self.asked = 0

    def __call__(self, gray: UInt8, expected: list[Face]) -> list[Face]:
        self.asked += 1
        said = self.calls.pop(0) if self.calls else None
        return expected if said is None else said


STILL = background()


def test_detection_is_called_at_its_pace_and_tracking_fills_the_gap(photo: UInt8) -> None:
    times = np.arange(0, 3, 0.125)
    tracker = Tracker(VideoDetector("hog"))
    seen = [tracker.update(frame, t) for t, frame in zip(times, moving_face(photo, times), strict=True)]
    assert [len(faces) for faces in seen] == [1] * len(times)
    assert {faces[0].track for faces in seen} == {0}
    sources = [faces[0].source for faces in seen]
    assert sources.count("detected") == 6  # every half second of three
    assert {f[0].face.detector for f, s in zip(seen, sources, strict=True) if s == "tracked"} == {"track"}


@pytest.mark.parametrize("factor", [1, 3])  # faces of 70 and of 210 pixels
def test_tracked_landmarks_stay_as_near_as_detected_ones(photo: UInt8, factor: int) -> None:
    times = np.arange(0, 1.5, 0.1)
    frames = [
        np.asarray(cv2.resize(frame, None, fx=factor, fy=factor), np.uint8) for frame in moving_face(photo, times)
    ]
    tracker = Tracker(VideoDetector("mesh"), settings=TrackSettings(detect_seconds=10))
    for frame, t in zip(frames, times, strict=True):
        tracked = tracker.update(frame, t)[0]
    assert tracked.source == "tracked"
    found = VideoDetector("mesh")(frames[-1], [])[0]
    error = np.linalg.norm(tracked.face.landmarks - found.landmarks, axis=1).mean()
    assert error < 0.04 * found.size


def test_a_face_that_no_detection_confirms_is_let_go_after_a_while() -> None:
    settings = TrackSettings(detect_seconds=0.5, unseen_seconds=1.0)
    tracker = Tracker(Script([face_at(100, 80)], *[[]] * 20), settings=settings)
    still = place(STILL, np.full((207, 187, 3), 90, np.uint8), (160, 120), 0.5)
    counts = [len(tracker.update(still, 0.25 * i)) for i in range(12)]
    assert counts[0] == 1
    assert counts[-1] == 0
    assert [t.id for t in tracker.lost] == [0]


def test_a_lost_face_comes_back_in_its_place() -> None:
    tracker = Tracker(Script([face_at(100, 80)], [], [face_at(104, 80)]), settings=TrackSettings(unseen_seconds=0))
    first = tracker.update(STILL, 0.0)
    assert tracker.update(STILL, 1.0) == []
    again = tracker.update(STILL, 2.0)
    assert [f.track for f in first + again] == [0, 0]


def test_a_face_that_returns_much_later_elsewhere_is_recognised_by_its_descriptor_only() -> None:
    one, other = np.zeros(128), np.full(128, 0.2)
    here, there, far = face_at(10, 10), face_at(200, 150), face_at(250, 20)

    def describe_by_place(pixels: UInt8, face: Face) -> npt.NDArray[np.float64]:
        return one if face is here or face is there else other

    script = Script([here], [], [there], [there, far])
    tracker = Tracker(script, describe_by_place, TrackSettings(unseen_seconds=0, away_seconds=1))
    ids = [[f.track for f in tracker.update(STILL, t, forget_flow=True)] for t in (0.0, 1.0, 30.0, 31.0)]
    assert ids == [[0], [], [0], [0, 1]]


def test_without_descriptors_a_face_elsewhere_is_a_new_one() -> None:
    tracker = Tracker(Script([face_at(10, 10)], [], [face_at(200, 150)]), settings=TrackSettings(unseen_seconds=0))
    ids = [[f.track for f in tracker.update(STILL, t, forget_flow=True)] for t in (0.0, 1.0, 2.0)]
    assert ids == [[0], [], [1]]


def test_two_detections_of_one_face_are_one_track() -> None:
    tracker = Tracker(Script([face_at(100, 80), face_at(104, 82)]))
    assert [f.track for f in tracker.update(STILL, 0.0)] == [0]


def test_two_faces_keep_their_numbers_when_they_pass_each_other() -> None:
    left, right = face_at(60, 80), face_at(180, 80)
    tracker = Tracker(Script([left, right], [face_at(178, 82), face_at(62, 78)]))
    tracker.update(STILL, 0.0)
    now = tracker.update(STILL, 1.0, forget_flow=True)
    assert [(f.track, round(float(f.face.box[0]))) for f in now] == [(0, 62), (1, 178)]


def test_an_empty_picture_is_not_detected_more_often_than_due() -> None:
    script = Script(*[[]] * 100)
    tracker = Tracker(script)
    for i in range(20):
        assert tracker.update(STILL, 0.1 * i) == []
    assert script.asked == 4


def test_flow_breaks_at_a_cut(photo: UInt8) -> None:
    gray = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    face = detect(gray)[0]
    moved = follow(gray, np.roll(gray, (3, 5), (0, 1)), face)
    assert moved is not None
    shift = (moved.landmarks - face.landmarks).mean(axis=0)
    assert shift == pytest.approx([5, 3], abs=1.0)
    noise = np.random.default_rng(0).integers(0, 255, gray.shape).astype(np.uint8)
    assert follow(gray, noise, face) is None
    assert follow(gray, gray[:-1], face) is None


def test_landmarks_that_land_beside_their_box_lose_the_face(photo: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    face = detect(gray)[0]
    assert follow(gray, gray, face) is not None
    beside = np.clip(face.landmarks - face.box[:2], 0, None) + np.array([0, 330], np.float32)
    monkeypatch.setattr(tracks, "predict_landmarks", lambda *_: beside.astype(np.float32))
    assert follow(gray, gray, face) is None


def test_state_survives_json(photo: UInt8) -> None:
    frame = place(STILL, face_of(photo), (160, 120), 0.9)
    tracker = Tracker(VideoDetector("hog"), describe)
    tracker.update(frame, 0.0)
    other = Tracker(VideoDetector("hog"), describe)
    other.restore(json.loads(json.dumps(tracker.state())))
    assert other.state() == tracker.state()
    now, then = (t.update(frame, 0.6, forget_flow=True) for t in (tracker, other))
    assert [f.track for f in then] == [0]
    assert np.array_equal(now[0].face.landmarks, then[0].face.landmarks)


def test_descriptors_tell_the_same_face(photo: UInt8) -> None:
    small = cv2.resize(photo, None, fx=0.8, fy=0.8)[:, ::-1]
    described = []
    for picture in (photo, np.ascontiguousarray(small)):
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        described.append(describe(picture, detect(gray)[0]))
    assert np.linalg.norm(described[0] - described[1]) < TrackSettings().same_face


@st.composite
def courses(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    n = draw(st.integers(1, 30))
    steps = draw(st.lists(st.floats(0.001, 0.7), min_size=n, max_size=n))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.cumsum(steps), generator.dirichlet(np.ones(8), n).astype(np.float32), generator.uniform(0, 1, n)


@given(courses(), st.floats(0.01, 2))
def test_smoothed_rows_are_probabilities(course: tuple[npt.NDArray[np.float64], ...], width: float) -> None:
    times, probabilities, authenticity = course
    out = smooth(times, probabilities, authenticity, width)
    assert out.sum(axis=1) == pytest.approx(np.ones(len(times)), abs=1e-5)
    assert (out >= probabilities.min(axis=0) - 1e-5).all()
    assert (out <= probabilities.max(axis=0) + 1e-5).all()


@given(courses(), st.floats(0.01, 2))
def test_what_never_changes_is_not_changed(course: tuple[npt.NDArray[np.float64], ...], width: float) -> None:
    times, probabilities, authenticity = course
    constant = np.repeat(probabilities[:1], len(times), axis=0)
    assert smooth(times, constant, authenticity, width) == pytest.approx(constant, abs=1e-5)


def test_what_can_be_trusted_pulls_harder() -> None:
    times = np.array([0.0, 0.1])
    sure, unsure = np.eye(8, dtype=np.float32)[0], np.eye(8, dtype=np.float32)[1]
    rows = np.stack([sure, unsure])
    middle = smooth(np.array([0.0, 0.05, 0.1]), np.stack([sure, np.full(8, np.nan, np.float32), unsure]),
                    np.array([0.9, np.nan, 0.3]), 1.0)[1]  # fmt: skip
    assert middle[0] / middle[1] == pytest.approx(3, rel=1e-3)
    assert np.array_equal(smooth(times, rows, np.ones(2), 0.0), rows)
    uncalibrated = smooth(times, rows, np.full(2, np.nan), 1.0)
    assert uncalibrated[0, 0] == pytest.approx(uncalibrated[1, 1])


def test_where_no_answer_is_near_there_is_none() -> None:
    rows = np.full((2, 8), np.nan, np.float32)
    rows[0] = 0.125
    out = smooth(np.array([0.0, 60.0]), rows, np.array([0.5, np.nan]))
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1]).all()


def test_smoothing_refuses_what_it_cannot_use() -> None:
    rows = np.full((2, 8), 0.125, np.float32)
    with pytest.raises(ValueError, match="expected 2 rows"):
        smooth(np.array([0.0, 1.0]), rows, np.ones(3))
    with pytest.raises(ValueError, match="do not decrease"):
        smooth(np.array([1.0, 0.0]), rows, np.ones(2))


def test_flicker_is_no_stretch() -> None:
    times = np.arange(0, 4, 0.1)
    visible = np.ones(40, bool)
    visible[5] = False  # one frame
    visible[20:32] = False
    visible[25] = True  # one frame the other way
    hidden = covered(times, visible, 0.2)
    assert not hidden[:18].any()
    assert hidden[21:31].all()
    assert not hidden[34:].any()
    assert covered(np.zeros(0), np.zeros(0, bool)).shape == (0,)
