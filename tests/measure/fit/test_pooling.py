import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.trust import simulate
from mien.measure.fit.check import check_pairs, coverage_of
from mien.measure.fit.pooling import correlation, count, pool
from mien.types import AREAS


def test_counts() -> None:
    answers = np.array([[0, 1, 1, 2], [0, 0, 1, 1]])
    said, right = count(answers, np.array([0, 1, 2, 2]))
    assert said[0, :3].tolist() == [1, 2, 1]
    assert right[0, :3].tolist() == [1, 1, 1]
    assert (said[1, 0], right[1, 0]) == (2, 1)


def test_a_pair_that_was_never_said_claims_neither_nothing_nor_everything() -> None:
    said = np.array([[500, 300, 0, 3], [400, 200, 20, 0]])
    right = np.array([[400, 150, 0, 3], [300, 90, 4, 0]])
    pooled = pool(said, right)
    low, high = pooled.interval()
    assert 0.02 < pooled.mean[0, 2] < 0.98
    assert high[0, 2] - low[0, 2] > 0.3
    assert pooled.mean[0, 3] < 0.97  # three of three is not certainty
    assert abs(pooled.mean[0, 0] - 0.8) < 0.02  # five hundred speak for themselves


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_any_counts_give_proportions_inside_their_intervals(seed: int) -> None:
    generator = np.random.default_rng(seed)
    said = generator.integers(0, 200, (3, 5))
    right = generator.binomial(said, generator.uniform(0, 1, (3, 5)))
    pooled = pool(said, right, shared=0.4, draws=500)
    low, high = pooled.interval()
    assert ((low >= 0) & (low <= pooled.mean) & (pooled.mean <= high) & (high <= 1)).all()


def test_intervals_hold_the_truth() -> None:
    """Guarantee by simulation: proportions drawn around source and emotion effects; independent faces."""
    held = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        centre = 0.5 + generator.normal(0, 0.7, (7, 1)) + generator.normal(0, 0.7, (1, 8))
        mean, strength = 1 / (1 + np.exp(-centre)), 15
        truth = generator.beta(mean * strength, (1 - mean) * strength)
        said = generator.choice([0, 2, 8, 30, 100, 400], (7, 8))
        pooled = pool(said, generator.binomial(said, truth), draws=800, seed=seed)
        low, high = pooled.interval()
        held.append((low <= truth) & (truth <= high))
    assert 0.92 <= np.mean(held) <= 0.975


def test_predictions_of_new_faces_hold_when_all_sources_look_at_the_same_faces() -> None:
    """Guarantee by simulation: correlated sources; about 95% of the new counts lie where 95% should."""
    found, pairs = [], []
    for seed in range(12):
        (logits, labels), (new, truth) = simulate(1500, 100 + seed), simulate(1500, 500 + seed)
        answers, answers_new = (np.stack([z[a].argmax(axis=1) for a in AREAS]) for z in (logits, new))
        pooled = pool(*count(answers, labels), correlation(answers, labels), draws=600, seed=seed)
        coverage = coverage_of(check_pairs(pooled, [a.value for a in AREAS], answers_new, truth))
        found.append(coverage["covered"])
        pairs.append(coverage["pairs"])
    assert min(pairs) >= 25
    assert 0.92 <= np.average(found, weights=pairs) <= 0.99


def test_correlation_sees_shared_faces() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 8, 3000)
    same = np.where(generator.random(3000) < 0.6, labels, (labels + 1) % 8)
    other = [np.where(generator.random(3000) < 0.6, labels, (labels + 1) % 8) for _ in range(3)]
    assert correlation(np.stack([same, same, same]), labels) > 0.95
    assert correlation(np.stack(other), labels) < 0.5
    assert correlation(same[None], labels) == 0


@pytest.mark.parametrize(("said", "right"), [([[1, 2]], [[2, 1]]), ([[1, 2]], [[-1, 0]]), ([[1, 2]], [[1]])])
def test_impossible_counts_are_refused(said: list[list[int]], right: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="right <= said"):
        pool(np.array(said), np.array(right))
