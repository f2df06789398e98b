"""Sources of partly hidden faces: calibrated, and the few borrow from the many."""

from __future__ import annotations

import numpy as np
import pytest

from mien.measure.fit.pieces import borrowed_thresholds, fit_pieces
from mien.measure.fit.probabilities import COVERAGES

NAMES = ("hidden_eyes", "hidden_mouth", "hidden_nose")


def rows(n: int, seed: int, too_sure: float) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 8, n)
    seen = 1.5 * np.eye(8)[labels] + generator.standard_normal((n, 8))
    return (too_sure * 1.5 * seen).astype(np.float32), labels


def fitted(few: int = 15):
    eyes, mouth = rows(2_000, 0, 1.5), rows(few, 1, 2.5)
    sources = np.repeat(["hidden_eyes", "hidden_mouth"], [2_000, few])
    logits, labels = np.concatenate([eyes[0], mouth[0]]), np.concatenate([eyes[1], mouth[1]])
    return fit_pieces(logits, labels, sources, NAMES)


def test_p_right_is_true_on_other_faces() -> None:
    source = fitted()["hidden_eyes"]
    logits, labels = rows(4_000, 2, 1.5)
    p = source.probabilities(logits)
    judged, low, high = source.judge(p)
    right = p.argmax(axis=1) == labels
    assert abs(judged.mean() - right.mean()) < 0.02
    assert ((low <= judged) & (judged <= high)).all()
    assert np.median(source.temperature) == pytest.approx(1.5, abs=0.12)


def test_few_faces_stay_near_the_others_and_are_less_sure() -> None:
    of, more = fitted(), fitted(1_500)
    assert abs(np.median(of["hidden_mouth"].temperature) - 1.5) < 0.35
    assert np.median(more["hidden_mouth"].temperature) > 2.1
    assert (of["hidden_mouth"].covariance[:, 0] >= of["hidden_eyes"].covariance[:, 0]).all()
    judged = fitted()["hidden_eyes"].judge(of["hidden_eyes"].probabilities(rows(500, 3, 1.5)[0]))[0]
    assert len({round(float(v), 6) for v in judged}) > 490


def test_a_source_without_faces_says_what_all_say() -> None:
    of = fitted()
    assert of["hidden_nose"].said.sum() == 0
    logits, labels = rows(2_000, 4, 1.5)
    judged, low, high = of["hidden_nose"].judge(of["hidden_nose"].probabilities(logits))
    assert abs(judged.mean() - (logits.argmax(axis=1) == labels).mean()) < 0.04
    _, first, last = of["hidden_eyes"].judge(of["hidden_eyes"].probabilities(logits))
    assert (high - low).mean() > (last - first).mean()


def test_thresholds_borrow() -> None:
    own = np.concatenate([np.full(5, 0.9), np.linspace(0, 1, 1000)])
    chosen = np.arange(1005) < 5
    at = int(np.searchsorted(COVERAGES, 0.9 - 1e-9))
    assert 0.05 < borrowed_thresholds(own, chosen)[at] < 0.2
    assert borrowed_thresholds(own, ~chosen)[at] == pytest.approx(0.1, abs=0.02)
    assert (np.diff(borrowed_thresholds(own, chosen)) <= 0).all()


def test_unknown_sources_are_refused() -> None:
    logits, labels = rows(10, 0, 1.0)
    with pytest.raises(ValueError, match="expected rows of"):
        fit_pieces(logits, labels, np.repeat(["mouth"], 10), NAMES)
