import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.errors import ModelError, UsageError
from mien.trust.authenticity import (
    DRAWN_IN,
    FILE_NAME,
    Calibration,
    SourceCalibration,
    fingerprint,
    in_words,
    log_odds,
    softmax,
    times,
)
from mien.trust.fitted import write_fitted
from mien.trust.models import Models
from mien.types import EMOTIONS, Area, Emotion, Interval

LOGITS = arrays(np.float32, (5, 8), elements=st.floats(-20, 20, width=32))


def source(**changes) -> SourceCalibration:
    values = {
        "method": "temperature", "temperature": np.full(8, 2.0), "intercept": np.zeros(8), "slope": 1.0,
        "covariance": np.tile([0.04, 0.0, 0.0], (8, 1)), "said": np.arange(8),
        "coverages": np.array([0.8, 0.9, 0.95]), "thresholds": np.array([0.3, 0.1, 0.02]),
    }  # fmt: skip
    return SourceCalibration(**(values | changes))


def calibration(**changes) -> Calibration:
    sources = {"mouth": source(**changes), "fused_whole_face": source(**changes)}
    return Calibration("simulated", 100, np.full(8, 0.125, np.float32), sources, {})


@settings(deadline=None, max_examples=50)
@given(LOGITS, arrays(np.float64, 8, elements=st.floats(0.2, 5)))
def test_probabilities_sum_to_one_and_keep_the_answer(logits: np.ndarray, temperature: np.ndarray) -> None:
    p = calibration(temperature=temperature).probabilities(Area.MOUTH, logits)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    rows = np.arange(len(logits))
    assert (p[rows, logits.argmax(axis=1)] >= p.max(axis=1) - 1e-6).all()


@settings(deadline=None, max_examples=50)
@given(LOGITS, st.floats(-4, 4), st.floats(0.3, 2), st.floats(0, 4))
def test_the_judge_stays_between_zero_and_one(
    logits: np.ndarray, intercept: float, slope: float, variance: float
) -> None:
    wide = np.tile([variance, 0.0, 0.01], (8, 1))
    for found in calibration(intercept=np.full(8, intercept), slope=slope, covariance=wide).judge("mouth", logits):
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_perfect_calibration_is_judged_by_its_probability() -> None:
    sure = calibration(covariance=np.zeros((8, 3)))
    logits = np.log(np.array([[0.6, 0.2, 0.1, 0.02, 0.02, 0.02, 0.02, 0.02]], np.float32)) * 2
    (found,) = sure.judge(Area.MOUTH, logits.astype(np.float32))
    assert found.value == pytest.approx(0.6, abs=DRAWN_IN)
    assert (found.low, found.high) == pytest.approx((0.6, 0.6), abs=DRAWN_IN)


def test_uncertain_parameters_widen_the_interval_and_pull_the_value_to_one_half() -> None:
    logits = np.array([[9, 0, 0, 0, 0, 0, 0, 0]], np.float32)
    (narrow,) = calibration(covariance=np.tile([0.01, 0, 0], (8, 1))).judge("mouth", logits)
    (wide,) = calibration(covariance=np.tile([2.0, 0, 0], (8, 1))).judge("mouth", logits)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert 0.5 < wide.value < narrow.value


def test_the_interval_counts_how_often_the_emotion_was_said() -> None:
    logits = (np.eye(8) * 5).astype(np.float32)
    assert [i.n for i in calibration().judge("mouth", logits)] == list(range(8))


@settings(deadline=None, max_examples=50)
@given(LOGITS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_prediction_sets_grow_with_coverage_and_lead_with_the_answer(logits: np.ndarray, a: float, b: float) -> None:
    small, large = (calibration().prediction_set("mouth", logits, c) for c in sorted((a, b)))
    for few, many, row in zip(small, large, logits, strict=True):
        assert set(few) <= set(many)
        assert len(few) >= 1
        assert float(row[EMOTIONS.index(few[0])]) == pytest.approx(float(row.max()), abs=1e-3)


def test_a_coverage_that_was_never_fitted_gives_every_emotion() -> None:
    assert len(calibration().prediction_set("mouth", np.zeros((1, 8), np.float32), 0.99)[0]) == 8


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 2])
def test_an_impossible_coverage_is_refused(coverage: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibration().prediction_set("mouth", np.zeros((1, 8), np.float32), coverage)


def test_unknown_sources_and_wrong_shapes_are_named() -> None:
    with pytest.raises(ModelError, match="nothing for nose"):
        calibration().probabilities(Area.NOSE, np.zeros((1, 8), np.float32))
    with pytest.raises(ValueError, match=r"\[N, 8\]"):
        calibration().judge("mouth", np.zeros(8, np.float32))


def test_a_calibration_survives_its_file(tmp_path) -> None:
    before = calibration(temperature=np.linspace(0.5, 2, 8))
    write_fitted(tmp_path / FILE_NAME, "vgg", {"vgg": before.to_dict()})
    logits = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    for after in (Calibration.load(tmp_path), Calibration.load(tmp_path / FILE_NAME, "vgg")):
        assert (after.dataset, after.n, list(after.sources)) == (before.dataset, before.n, list(before.sources))
        for name in before.sources:
            np.testing.assert_allclose(after.probabilities(name, logits), before.probabilities(name, logits), atol=1e-5)
            for x, y in zip(after.judge(name, logits), before.judge(name, logits), strict=True):
                assert (x.value, x.low, x.high, x.n) == pytest.approx((y.value, y.low, y.high, y.n), abs=1e-5)


@pytest.mark.parametrize(
    "change", ["not json", {"format": 2}, {"networks": {"vgg": {"sources": {}}}}, {"default": "other"}]
)
def test_damaged_files_are_one_sentence(tmp_path, change) -> None:
    write_fitted(tmp_path / FILE_NAME, "vgg", {"vgg": calibration().to_dict()})
    path = tmp_path / FILE_NAME
    path.write_text(change if isinstance(change, str) else json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=r"mien calibrate|damaged"):
        Calibration.load(tmp_path)
    with pytest.raises(ModelError, match="does not exist: make it with"):
        Calibration.load(tmp_path / "nowhere")


def test_a_calibration_belongs_to_the_networks_it_was_fitted_for(tiny_models) -> None:
    models = Models(tiny_models, "vgg")
    prints = {area.value: fingerprint(models, area) for area in models.areas}
    own = Calibration("x", 1, np.full(8, 0.125, np.float32), {}, prints)
    assert own.belongs_to(models)
    assert not own.belongs_to(Models(tiny_models, "anyarea"))
    assert not Calibration("x", 1, own.prior, {}, prints | {"mouth": "other"}).belongs_to(models)


def test_a_changed_logit_bias_or_crop_changes_the_fingerprint(tiny_models, tmp_path) -> None:
    manifest = json.loads((tiny_models / "manifest.json").read_text())
    before = fingerprint(Models(tiny_models, "vgg"), Area.NOSE)
    for key, value in (("logit_bias", [0.1] + [0.0] * 7), ("flip", False), ("spec", "hull-one-padded-64-face44")):
        changed = json.loads(json.dumps(manifest))
        changed["networks"]["vgg"]["nose"][key] = value
        (tmp_path / "manifest.json").write_text(json.dumps(changed))
        assert fingerprint(Models(tmp_path, "vgg"), Area.NOSE) != before


WORDS = {
    0.42: "4 times in 10", 0.5: "5 times in 10", 0.94: "9 times in 10", 0.1: "once in 10", 0.06: "6 times in 100",
    0.97: "97 times in 100", 0.999: "99 times in 100", 1.0: "99 times in 100", 0.011: "once in 100",
    0.0: "less than once in 100",
}  # fmt: skip


@pytest.mark.parametrize(("share", "words"), WORDS.items())
def test_shares_in_words(share: float, words: str) -> None:
    assert times(share) == words


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 1))
def test_words_are_never_far_from_the_share(share: float) -> None:
    words = times(share)
    if words == "less than once in 100":
        assert share < 0.01
        return
    count, whole = (1 if words.startswith("once") else int(words.split()[0])), int(words.split()[-1])
    assert abs(count / whole - share) <= 0.051


def test_answers_in_words() -> None:
    right = Interval(0.42, 0.3, 0.55, 30)
    assert in_words(Area.MOUTH, Emotion.FEAR, right) == "mouth only, says fear: right 4 times in 10"
    assert in_words(Area.NOSE_EYES, Emotion.ANGER, right).startswith("nose and eyes only, says anger")
    assert in_words(Area.WHOLE_FACE, Emotion.HAPPINESS, right).startswith("whole face, says happiness")
    with pytest.raises(ValueError, match="share"):
        times(1.2)


def test_log_odds_stay_finite() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 0.5, 1.0]))).all()
    np.testing.assert_allclose(softmax(np.array([[0.0, 0.0]])), 0.5)
