import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.trust import simulate
from mien.measure import metrics
from mien.measure.fit.judge import fit_judge
from mien.measure.fit.probabilities import (
    COVERAGES,
    KEEPING,
    METHODS,
    compare_methods,
    fit_calibrator,
    fit_temperature,
    fit_thresholds,
    folds_of,
)
from mien.measure.fit.trust import fit_sources
from mien.trust.authenticity import Calibration, SourceCalibration, log_odds, softmax
from mien.types import Area


def test_the_temperature_undoes_known_overconfidence() -> None:
    generator = np.random.default_rng(0)
    true = softmax(generator.normal(0, 2, (4000, 8)))
    labels = (true.cumsum(axis=1) > generator.random((4000, 1))).argmax(axis=1)
    assert fit_temperature((2.5 * np.log(true)).astype(np.float32), labels) == pytest.approx(2.5, rel=0.05)


def test_every_method_improves_on_overconfident_softmax_on_new_faces() -> None:
    (fitting, labels), (checking, truth) = simulate(1500, 1), simulate(1500, 2)
    raw = metrics.brier(truth, softmax(checking[Area.EYES]))
    for method in set(METHODS) - {"none"}:
        p = fit_calibrator(method, fitting[Area.EYES], labels)(checking[Area.EYES])
        assert metrics.brier(truth, p) < raw - 0.01
        assert metrics.expected_calibration_error(truth, p) < 0.06


def test_a_method_that_changes_answers_is_measured_but_never_chosen() -> None:
    logits, labels = simulate(1000, 3)
    skewed = logits[Area.MOUTH] + np.array([-3, 0, 0, 0, 0, 0, 0, 3], np.float32)
    scores = compare_methods(skewed, labels)
    assert [s.method for s in scores] == list(METHODS)
    (chosen,) = [s for s in scores if s.chosen]
    assert chosen.method in KEEPING
    assert chosen.changed == 0
    vector = next(s for s in scores if s.method == "vector")
    assert vector.log_loss < chosen.log_loss
    assert vector.changed > 0.05


def test_the_simplest_method_is_chosen_where_it_is_as_good() -> None:
    logits, labels = simulate(1000, 4, sharpness=1.0)
    chosen = next(s.method for s in compare_methods(logits[Area.WHOLE_FACE], labels) if s.chosen)
    assert chosen in ("none", "temperature")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_folds_are_stratified(seed: int, folds: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, 60)
    fold = folds_of(labels, folds, seed)
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_the_judge_recovers_what_it_was_drawn_from_and_its_intervals_hold() -> None:
    """Guarantee by simulation: answers are right exactly as the judge's own model says; do 95% intervals hold?"""
    held, errors = [], []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        intercept = generator.normal(0, 0.5, (3, 8)) + generator.normal(0, 0.3, (1, 8))
        slope = generator.normal(1, 0.15, 3)
        p = [softmax(generator.normal(0, 1.8, (900, 8))) for _ in range(3)]
        said, odds = [q.argmax(axis=1) for q in p], [log_odds(q.max(axis=1)) for q in p]
        chance = [1 / (1 + np.exp(-(intercept[s][said[s]] + slope[s] * odds[s]))) for s in range(3)]
        labels = [np.where(generator.random(900) < chance[s], said[s], (said[s] + 1) % 8) for s in range(3)]
        judge = fit_judge(p, labels)
        for s in range(3):
            source = SourceCalibration(
                "none", np.ones(8), judge.intercept[s], float(judge.slope[s]), judge.covariance[s], np.zeros(8, int),
                COVERAGES, np.zeros(len(COVERAGES)),
            )  # fmt: skip
            value, low, high = source.judge(p[s])
            held.append(((low <= chance[s]) & (chance[s] <= high)).mean())
            errors.append(np.abs(value - chance[s]).mean())
    assert 0.91 <= np.mean(held) <= 0.985
    assert np.mean(errors) < 0.05


def test_a_pair_that_was_hardly_said_has_a_wider_interval() -> None:
    logits, labels = simulate(1500, 5)
    fitted = fit_sources({"mouth": logits[Area.MOUTH]}, labels, {"mouth": "temperature"})["mouth"]
    common, rare = fitted.said.argmax(), fitted.said.argmin()
    assert fitted.covariance[rare, 0] > fitted.covariance[common, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.6, 0.8, 0.9, 0.95]), st.integers(40, 400))
def test_thresholds_hold_at_least_the_coverage_of_their_own_faces(seed: int, coverage: float, n: int) -> None:
    generator = np.random.default_rng(seed)
    p, labels = softmax(generator.normal(size=(n, 8))), generator.integers(0, 8, n)
    (threshold,) = fit_thresholds(p, labels, np.array([coverage]))
    assert (p[np.arange(n), labels] >= threshold).mean() >= coverage - 1e-9


def test_conformal_sets_hold_their_coverage_on_new_faces() -> None:
    """Guarantee by simulation: averaged over draws, coverage of new faces lies at the stated level."""
    logits, labels = simulate(20_000, 6)
    p, found = softmax(logits[Area.NOSE_EYES] / 1.8), []
    for seed in range(150):
        rows = np.random.default_rng(seed).choice(len(labels), 400, replace=False)
        fitted, new = rows[:200], rows[200:]
        threshold = fit_thresholds(p[fitted], labels[fitted], np.array([0.9]))[0]
        found.append((p[new, labels[new]] >= threshold).mean())
    assert 0.89 <= np.mean(found) <= 0.915


def test_too_few_faces_promise_nothing() -> None:
    p, labels = softmax(np.random.default_rng(0).normal(size=(10, 8))), np.arange(10) % 8
    assert fit_thresholds(p, labels, np.array([0.95]))[0] == 0


def test_fitted_sources_make_a_calibration_that_beats_softmax_on_new_faces() -> None:
    (fitting, labels), (checking, truth) = simulate(1500, 7), simulate(1500, 8)
    areas = (Area.MOUTH, Area.NOSE, Area.WHOLE_FACE)
    sources = fit_sources({a.value: fitting[a] for a in areas}, labels, dict.fromkeys(areas, "temperature"))
    calibration = Calibration("simulated", 1500, np.full(8, 0.125, np.float32), sources, {})
    for area in areas:
        p = calibration.probabilities(area, checking[area])
        assert metrics.brier(truth, p) < metrics.brier(truth, softmax(checking[area]))
        judged = np.array([i.value for i in calibration.judge(area, checking[area])])
        assert abs(judged.mean() - (p.argmax(axis=1) == truth).mean()) < 0.04
