import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.measure.metrics import by_emotion, calibration_error, expected_calibration_error, reliability_table
from mien.trust.authenticity import softmax

CONFIDENCES = arrays(np.float64, 30, elements=st.floats(0, 1))


@settings(deadline=None, max_examples=50)
@given(CONFIDENCES, arrays(np.bool_, 30))
def test_the_table_holds_every_answer_and_gives_the_error(confidence: np.ndarray, right: np.ndarray) -> None:
    table = reliability_table(confidence, right)
    assert table["n"].sum() == 30
    assert ((table["bin_low"] <= table["confidence"] + 1e-9) & (table["confidence"] <= table["bin_high"] + 1e-9)).all()
    assert ((table["low"] <= table["right"]) & (table["right"] <= table["high"])).all()
    error = (table["n"] * (table["confidence"] - table["right"]).abs()).sum() / 30
    assert calibration_error(confidence, right) == pytest.approx(error, abs=1e-12)


def test_it_agrees_with_the_measure_of_probability_rows() -> None:
    generator = np.random.default_rng(0)
    p, labels = softmax(generator.normal(0, 2, (500, 8))), generator.integers(0, 8, 500)
    expected = expected_calibration_error(labels, p)
    assert calibration_error(p.max(axis=1), p.argmax(axis=1) == labels) == pytest.approx(expected)


def test_always_sure_and_half_wrong() -> None:
    assert calibration_error(np.ones(10), np.arange(10) < 5) == pytest.approx(0.5)
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_by_emotion_counts_what_was_said() -> None:
    said = np.array([0, 0, 1, 1, 1])
    table = by_emotion(said, np.full(5, 0.6), np.array([True, False, True, True, True])).set_index("emotion")
    assert table.loc["neutral", "n"] == 2
    assert table.loc["neutral", "right"] == pytest.approx(0.5)
    assert table.loc["happiness", "ece"] == pytest.approx(0.4)
    assert table.loc["fear", "n"] == 0
    assert np.isnan(table.loc["fear", "right"])
