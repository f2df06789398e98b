from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.data.samples import Sample
from mien.face.spec import STUDY_SPECS, CropSpec
from mien.jobs.files import hash_of
from mien.types import AREAS, EMOTIONS, PARTS, Area, Emotion, Face, Interval, Part, Prediction, Visibility


def test_canonical_order_of_emotions_is_ferplus_order() -> None:
    order = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
    assert [e.value for e in EMOTIONS] == order
    assert [e.position for e in EMOTIONS] == list(range(8))


def test_seven_areas_are_exactly_the_non_empty_sets_of_parts() -> None:
    subsets = [frozenset(c) for size in (1, 2, 3) for c in combinations(PARTS, size)]
    assert len(AREAS) == 7
    assert {a.parts for a in AREAS} == set(subsets)
    for parts in subsets:
        assert Area.of(parts).parts == parts
    with pytest.raises(ValueError, match="at least one"):
        Area.of([])


def test_area_order_and_words() -> None:
    assert [a.value for a in AREAS] == [
        "mouth", "nose", "eyes", "nose_mouth", "nose_eyes", "mouth_eyes", "whole_face",
    ]  # fmt: skip
    assert [a.position for a in AREAS] == list(range(7))
    assert Area.NOSE_MOUTH.words == "nose and mouth"


specs = st.builds(
    CropSpec,
    mask=st.sampled_from(["box", "hull"]),
    eyes=st.sampled_from(["one", "both"]),
    padded=st.booleans(),
    size=st.integers(8, 256),
    face_size=st.integers(16, 2048).map(lambda n: n / 2),
    sampling=st.sampled_from(["linear", "cubic"]),
)


@given(specs)
def test_crop_spec_key_round_trip(spec: CropSpec) -> None:
    assert CropSpec.from_key(spec.key) == spec


def test_crop_spec_keys_are_stable() -> None:
    assert CropSpec().key == "box-one-padded-64-face44"
    assert CropSpec(sampling="cubic").key == "box-one-padded-64-face44-cubic"
    assert len({spec.key for spec in STUDY_SPECS.values()}) == len(STUDY_SPECS)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "box",
        "box-one-padded-64",
        "box-three-padded-64-face44",
        "box-one-full-64-face44",
        "box-one-padded-64-face44-nearest",
        "box-one-padded-64-face44-linear",
    ],
)
def test_crop_spec_refuses_other_keys(key: str) -> None:
    with pytest.raises(ValueError, match="not a crop spec"):
        CropSpec.from_key(key)


def test_face_says_what_it_expected() -> None:
    box, points = np.zeros(4, np.float32), np.zeros((68, 2), np.float32)
    with pytest.raises(ValueError, match=r"Face.landmarks: expected float32 \[68, 2\], got float32 \[5, 2\]"):
        Face(box, np.zeros((5, 2), np.float32), "given", 0.0)
    with pytest.raises(ValueError, match=r"Face.box: expected float32 \[4\], got float64 \[4\]"):
        Face(box.astype(np.float64), points, "given", 0.0)  # type: ignore[arg-type]


def test_face_size_is_the_side_of_the_equal_square() -> None:
    points = np.zeros((68, 2), np.float32)
    points[1] = (40, 90)
    assert Face(np.zeros(4, np.float32), points, "given", 0.0).size == pytest.approx(60)


def test_interval_keeps_its_order() -> None:
    assert str(Interval(0.5, 0.4, 0.6, 10)) == "50% (40% to 60%)"
    with pytest.raises(ValueError, match="low <= value <= high"):
        Interval(0.5, 0.6, 0.7, 10)


def test_sample_votes_sum_to_one() -> None:
    votes = np.full(8, 0.2, np.float32)
    with pytest.raises(ValueError, match="sum of 1"):
        Sample("a", "mine", "train", "a.png", None, Emotion.FEAR, votes)


def test_prediction_to_dict_names_every_emotion() -> None:
    z = np.arange(8, dtype=np.float32)
    p = np.full(8, 0.125, np.float32)
    values = Prediction(Area.NOSE, z, p, Emotion.CONTEMPT, Interval(0.4, 0.3, 0.5, 7), (Emotion.CONTEMPT,)).to_dict()
    assert list(values["logits"]) == [e.value for e in EMOTIONS]
    assert values["p_correct"] == {"value": 0.4, "low": 0.3, "high": 0.5, "n": 7}
    assert Prediction(Area.NOSE, z, p, Emotion.CONTEMPT, None).to_dict()["p_correct"] is None


def test_visibility_to_dict_lists_parts_in_order() -> None:
    seen = Visibility({Part.EYES: 0.9, Part.NOSE: 0.2, Part.MOUTH: 0.8}, frozenset({Part.MOUTH, Part.EYES}))
    assert seen.to_dict()["visible"] == ["eyes", "mouth"]


def test_hash_changes_with_any_setting() -> None:
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    assert hash_of(CropSpec()) != hash_of(CropSpec(size=32))
    assert len(hash_of([])) == 12
