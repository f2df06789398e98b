"""Logit adjustment: rare emotions are said, at the least cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.trust import PRIOR, simulate
from mien.measure.fit.bias import prior_bias, say_every
from mien.types import Area


def said(logits: np.ndarray) -> np.ndarray:
    return np.bincount(logits.argmax(axis=1), minlength=8)


def test_every_emotion_is_said_as_often_as_asked_and_hardly_more() -> None:
    logits, labels = simulate(3000, 1)
    z, counts = logits[Area.NOSE], np.bincount(labels, minlength=8)
    assert said(z)[-1] == 0, "without it contempt is never said"
    bias = say_every(z, labels, [0.3])
    assert (said(z + bias) >= np.ceil(0.3 * counts)).all()
    raised = bias > 0
    assert raised.any()
    assert (said(z + bias)[raised] <= np.ceil(0.3 * counts)[raised] + 3).all()
    before, after = ((z + b).argmax(axis=1) == labels for b in (0, bias))
    assert before.mean() - after.mean() < 0.01


def test_emotions_are_said_as_often_as_costs_nothing() -> None:
    logits, labels = simulate(3000, 1)
    z = logits[Area.NOSE]
    dear, cheap = say_every(z, labels, [1.0]), say_every(z, labels, [0.1])
    right = (z.argmax(axis=1) == labels).mean()
    assert ((z + dear).argmax(axis=1) == labels).mean() < right - 0.001
    np.testing.assert_array_equal(say_every(z, labels, [1.0, 0.1]), cheap)
    np.testing.assert_array_equal(say_every(z, labels, [0.1, 1.0]), cheap)


def rivals(preferred: int) -> tuple[np.ndarray, np.ndarray]:
    """Two emotions are asked for; the second is likelier than the first on so many faces, elsewhere they are equal."""
    labels = np.repeat([0, 1, 2], [80, 10, 10])
    z = np.full((100, 8), -50.0)
    z[:, 0] = 0
    z[:, 1] = z[:, 2] = -1 - 0.1 * np.arange(100)
    z[:preferred, 2] += 1
    return z, labels


def test_two_emotions_that_bid_for_the_same_faces_end_it() -> None:
    z, labels = rivals(5)
    counts = said(z + say_every(z, labels, [0.5]))
    assert (counts[:3] >= [80, 5, 5]).all()


def test_of_emotions_that_cannot_both_have_so_many_faces_less_is_asked() -> None:
    z, labels = rivals(2)
    counts = said(z + say_every(z, labels, [0.5]))
    assert (counts[:3] >= [90, 2, 2]).all()


def test_an_emotion_that_another_always_hides_is_left_alone() -> None:
    z, labels = rivals(0)
    assert not say_every(z, labels, [0.5]).any()


def test_emotions_that_are_said_already_are_left_alone() -> None:
    labels = np.tile(np.arange(8), 20)
    assert not say_every(5.0 * np.eye(8)[labels], labels).any()


@given(st.integers(0, 2**31))
def test_an_emotion_that_is_no_label_is_not_asked_for(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 7, 40)
    assert say_every(generator.normal(size=(40, 8)), labels)[7] == 0


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_prior_is_taken_off_as_strongly_as_asked(strength: float) -> None:
    bias = prior_bias(PRIOR / PRIOR.sum(), strength)
    assert bias.mean() == pytest.approx(0)
    left = np.log(PRIOR) + bias
    assert np.ptp(left) == pytest.approx((1 - strength) * np.ptp(np.log(PRIOR)))
