"""The mix of emotions: as it is written, and what it does to probabilities, answers, P(right) and prediction sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelError, UsageError
from mien.measure.fit.trust import fit_sources
from mien.measure.metrics import calibration_error
from mien.trust.answer import Judge
from mien.trust.authenticity import Calibration, SourceCalibration, softmax
from mien.trust.prior import Prior, judged_probabilities, judged_under, prior_of_choice, reweighted, weighted_threshold
from mien.trust.reference import ReferenceAnswers, read_reference, write_reference
from mien.types import EMOTIONS, Area, Float32

OLD = np.array([0.36, 0.28, 0.126, 0.12, 0.08, 0.008, 0.02, 0.006])


def sample(shares: np.ndarray, n: int, seed: int = 0) -> tuple[Float32, np.ndarray]:
    """Faces of which one emotion looks alike in every mix: logits are log p(x | emotion) + log OLD, too sure by half,
    with a bias towards rare emotions, as the networks' are."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(8, n, p=shares)
    means = 2.2 * np.eye(8)[labels]
    means[labels == 3, 4] += 1.0  # sadness looks like anger, not the other way
    seen = means + generator.standard_normal((n, 8))
    likelihood = 2.2 * seen
    likelihood[:, 3] += 1.0 * seen[:, 4] - 0.5 * ((2.2**2 + 1.0) - 2.2**2)
    bias = np.array([0, 0, 0, 0, 0, 1.0, 0.3, 1.2])
    return (1.5 * (likelihood + np.log(OLD)) + bias).astype(np.float32), labels


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    logits, labels = sample(OLD, 20_000)
    sources = fit_sources({"whole_face": logits}, labels, {"whole_face": "temperature_by_emotion"})
    return Calibration("drawn", len(labels), OLD.astype(np.float32), sources, {})


def expected(answers: list, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sure = np.array([a.authenticity.value for a in answers])
    return sure, np.array([a.emotion.position for a in answers]) == labels


@pytest.mark.parametrize("shares", [np.full(8, 0.125), np.array([0.05, 0.05, 0.1, 0.3, 0.3, 0.1, 0.05, 0.05])])
def test_said_is_true_under_another_mix(calibration: Calibration, shares: np.ndarray) -> None:
    logits, labels = sample(shares, 8_000, seed=1)
    before, right_before = expected(Judge(calibration).predictions(Area.WHOLE_FACE, logits), labels)
    assert abs(before.mean() - right_before.mean()) > 0.05  # without the mix, what is said is not true
    prior = Prior("given", tuple(shares))
    sure, right = expected(Judge(calibration, prior=prior).predictions(Area.WHOLE_FACE, logits), labels)
    assert abs(sure.mean() - right.mean()) < 0.015
    assert calibration_error(sure, right) < 0.03
    assert right.mean() > right_before.mean() + 0.02


def test_probabilities_and_p_right_are_one_number(calibration: Calibration) -> None:
    logits, _ = sample(OLD, 200, seed=2)
    for answer in Judge(calibration, prior=Prior.parse("balanced")).predictions(Area.WHOLE_FACE, logits):
        assert answer.authenticity is not None
        assert answer.probabilities[answer.emotion.position] == pytest.approx(answer.authenticity.value, abs=1e-6)
        assert answer.probabilities.argmax() == answer.emotion.position
        assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_the_same_mix_keeps_p_right_of_an_unchanged_answer(calibration: Calibration) -> None:
    logits, _ = sample(OLD, 500, seed=3)
    without = Judge(calibration).predictions(Area.WHOLE_FACE, logits)
    same = Judge(calibration, prior=Prior("same", tuple(float(s) for s in calibration.prior)))
    unchanged = 0
    for before, after in zip(without, same.predictions(Area.WHOLE_FACE, logits), strict=True):
        if before.emotion is after.emotion:
            unchanged += 1
            assert after.authenticity.value == pytest.approx(before.authenticity.value, abs=1e-6)
            assert after.authenticity.low == pytest.approx(before.authenticity.low, abs=1e-6)
    assert unchanged > 400


def test_odds_are_multiplied_by_the_weight_over_the_others_mean_weight() -> None:
    informative, said = np.array([[0.5, 0.3, 0.2, 0, 0, 0, 0, 0]]), np.array([0])
    right = tuple(np.array([v]) for v in (0.6, 0.5, 0.7))
    weights = np.array([0.9, 1, 2, 1, 1, 1, 1, 1.0])
    probabilities, (value, low, high) = judged_under(informative, said, right, weights)
    others = (0.3 * 1 + 0.2 * 2) / 0.5
    assert value[0] / (1 - value[0]) == pytest.approx(0.6 / 0.4 * 0.9 / others, rel=1e-6)
    assert low[0] < value[0] < high[0]
    assert probabilities.sum() == pytest.approx(1)


def test_a_changed_answer_has_the_interval_the_right_way_round() -> None:
    informative, said = np.array([[0.5, 0.4, 0.1, 0, 0, 0, 0, 0]]), np.array([0])
    right = tuple(np.array([v]) for v in (0.5, 0.4, 0.6))
    probabilities, (value, low, high) = judged_under(informative, said, right, np.array([0.1, 1, 1, 1, 1, 1, 1, 1.0]))
    assert probabilities.argmax() == 1
    assert low[0] < value[0] < high[0]
    assert value[0] == pytest.approx(0.4 / (0.05 + 0.5), rel=1e-3)


def test_an_emotion_of_share_0_is_never_answered(calibration: Calibration) -> None:
    logits, _ = sample(OLD, 500, seed=4)
    prior = Prior.parse("neutral=0,happiness=1,surprise=1,sadness=1")
    answers = Judge(calibration, prior=prior).predictions(Area.WHOLE_FACE, logits)
    assert {a.emotion.value for a in answers} <= {"happiness", "surprise", "sadness"}
    assert all(a.probabilities[0] == 0 for a in answers)


def test_prediction_sets_hold_their_coverage_under_another_mix(calibration: Calibration) -> None:
    kept = ReferenceAnswers(*sample(OLD, 5_000, seed=5))
    shares = np.full(8, 0.125)
    logits, labels = sample(shares, 6_000, seed=6)
    without = Judge(calibration, 0.9).predictions(Area.WHOLE_FACE, logits)
    given = Judge(calibration, 0.9, Prior.parse("balanced"), {"whole_face": kept})
    answers = given.predictions(Area.WHOLE_FACE, logits)
    plain = np.mean([EMOTIONS[k] in a.prediction_set for k, a in zip(labels, without, strict=True)])
    held = np.mean([EMOTIONS[k] in a.prediction_set for k, a in zip(labels, answers, strict=True)])
    assert plain < 0.87
    assert 0.87 < held < 0.95
    assert all(a.emotion is a.prediction_set[0] for a in answers)


def test_prediction_sets_without_reference_hold_everything(calibration: Calibration) -> None:
    logits, _ = sample(OLD, 3, seed=7)
    answers = Judge(calibration, 0.9, Prior.parse("balanced")).predictions(Area.WHOLE_FACE, logits)
    assert all(len(a.prediction_set) == 8 for a in answers)


def test_weighted_threshold_of_even_weights_is_split_conformal() -> None:
    own = np.arange(1, 100) / 100
    assert weighted_threshold(own, np.ones(99), 0.9) == pytest.approx(0.10)
    assert weighted_threshold(own[:5], np.ones(5), 0.9) == 0.0


def test_no_prior_without_calibration() -> None:
    with pytest.raises(ModelError, match="never calibrated"):
        Judge(None, prior=Prior.parse("balanced"))


def test_written_forms(tmp_path: Path) -> None:
    assert Prior.parse("balanced").shares == (0.125,) * 8
    ferplus = Prior.parse("ferplus")
    assert ferplus.shares[0] > 0.3
    assert sum(ferplus.shares) == pytest.approx(1)
    counts = Prior.parse("Happiness=30, anger=10")
    assert counts.to_dict()["happiness"] == pytest.approx(0.75)
    assert counts.to_dict()["fear"] == 0
    assert counts.name == "happiness=0.75,anger=0.25"
    assert Prior.parse(counts.text) == counts
    table = tmp_path / "mix.csv"
    table.write_text("emotion,share\nhappiness,3\nanger,1\n")
    assert Prior.parse(str(table)).shares == counts.shares
    assert Prior.parse(str(table)).name == "mix.csv"
    estimate = tmp_path / "mix.json"
    estimate.write_text(json.dumps({"prior": {"happiness": 0.75, "anger": 0.25}, "n": 100}))
    assert Prior.parse(str(estimate)).shares == counts.shares
    assert prior_of_choice({"happiness": 3, "anger": 1}) == counts
    assert prior_of_choice(None) is None
    assert prior_of_choice(counts) is counts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("joy=1", "joy"), ("happiness=x", "no number"), ("happiness=1,happiness=2", "twice"),
        ("happiness=-1", "least 0"),
        ("happiness=0", "above 0"), ("happiness=nan", "least 0"), ("nowhere.csv", "neither balanced"),
    ],
)  # fmt: skip
def test_wrong_forms_get_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Prior.parse(text)


def test_no_file_is_read_for_a_stranger(tmp_path: Path) -> None:
    path = tmp_path / "a=1.csv"
    path.write_text("emotion,share\nhappiness,1\n")
    assert Prior.parse("happiness=1", files=False).shares[1] == 1
    for text in (str(path), "/etc/passwd"):
        with pytest.raises(UsageError):
            Prior.parse(text, files=False)


@pytest.mark.parametrize(
    "content", ["", "emotion,share\n", "a,b\n1,2\n", "{", '{"prior": 3}', "emotion,share\njoy,1\n"]
)
def test_wrong_files_get_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mix.csv"
    path.write_text(content)
    with pytest.raises(UsageError):
        Prior.parse(str(path))


def test_reference_answers_are_read_as_written(tmp_path: Path) -> None:
    kept = ReferenceAnswers(*sample(OLD, 50))
    write_reference(tmp_path, {"vgg": {"whole_face": kept}})
    read = read_reference(tmp_path, "vgg")["whole_face"]
    assert np.allclose(read.logits, kept.logits, atol=0.02)
    assert np.array_equal(read.labels, kept.labels)
    with pytest.raises(ModelError, match="holds nothing"):
        read_reference(tmp_path, "resnet")
    (tmp_path / "reference.npz").write_bytes(b"no")
    with pytest.raises(ModelError, match="damaged"):
        read_reference(tmp_path, "vgg")
    with pytest.raises(ModelError, match="does not exist: make it with"):
        read_reference(tmp_path / "nowhere", "vgg")


def test_judged_probabilities_keep_the_others_proportions() -> None:
    out = judged_probabilities(softmax(np.zeros((1, 8))), np.array([2]), np.array([0.3]))
    assert out[0, 2] == pytest.approx(0.3)
    assert np.allclose(np.delete(out[0], 2), 0.1)
    assert reweighted(out, np.ones(8))[0] == pytest.approx(out[0])


def test_plain_fields_of_a_source_are_enough(calibration: Calibration) -> None:
    copy = SourceCalibration.from_dict(calibration.source("whole_face").to_dict())
    logits, _ = sample(OLD, 5)
    first, _ = copy.under(logits, np.ones(8))
    second, _ = calibration.source("whole_face").under(logits, np.ones(8))
    assert np.allclose(first, second, atol=1e-4)
