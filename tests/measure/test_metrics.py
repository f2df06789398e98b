"""Measures against hand-made cases, scikit-learn and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from mien.measure import metrics
from mien.trust.authenticity import softmax


def draw(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 8, n)
    logits = generator.normal(size=(n, 8)) + 2 * np.eye(8)[labels]
    return labels, softmax(logits)


def test_agrees_with_scikit_learn() -> None:
    labels, probabilities = draw(0)
    predicted = probabilities.argmax(axis=1)
    assert metrics.accuracy(labels, predicted).value == pytest.approx(reference.accuracy_score(labels, predicted))
    assert metrics.macro_recall(labels, predicted) == pytest.approx(
        reference.balanced_accuracy_score(labels, predicted)
    )
    np.testing.assert_array_equal(
        metrics.confusion_matrix(labels, predicted), reference.confusion_matrix(labels, predicted)
    )
    assert metrics.log_loss(labels, probabilities) == pytest.approx(reference.log_loss(labels, probabilities))


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.55, 0.45]])
    labels = np.array([0, 0, 0, 1])
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx((0.1 + 0.1) / 4)


def test_perfectly_calibrated_answers_have_a_small_error() -> None:
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.ones(8), 40_000)
    labels = (generator.random(len(probabilities))[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    assert metrics.expected_calibration_error(labels, probabilities) < 0.01


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_holds_its_value_and_stays_in_range(right: int, wrong: int) -> None:
    interval = metrics.wilson(right, right + wrong)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_wilson_covers(share: float) -> None:
    right = np.random.default_rng(2).binomial(60, share, 3000)
    inside = [metrics.wilson(int(r), 60).low <= share <= metrics.wilson(int(r), 60).high for r in right]
    assert 0.93 < np.mean(inside) < 0.975


def test_paired_difference_covers_the_true_difference() -> None:
    generator = np.random.default_rng(3)
    inside = []
    for _ in range(300):
        common = generator.random(300)
        a, b = common < 0.8, (common < 0.7) ^ (generator.random(300) < 0.1)
        truth = 0.8 - (0.7 * 0.9 + 0.3 * 0.1)
        interval = metrics.paired_difference(a, b)
        inside.append(interval.low <= truth <= interval.high)
    assert 0.9 < np.mean(inside) <= 0.99


def test_bootstrap_is_paired_and_repeatable() -> None:
    values = np.random.default_rng(4).normal(size=200)
    first = metrics.bootstrap(200, lambda rows: float(values[rows].mean()))
    assert first == metrics.bootstrap(200, lambda rows: float(values[rows].mean()))
    assert first.low < first.value < first.high
