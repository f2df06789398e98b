from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.trust.shapley import interactions, shapley

WORTH = st.floats(-5, 5, width=32)


def brute_force(values: np.ndarray, players: int) -> np.ndarray:
    """Mean marginal gain over every order in which the players can come."""
    shares = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        mask = 0
        for player in order:
            shares[player] += values[mask | 1 << player] - values[mask]
            mask |= 1 << player
    return shares / len(orders)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, 8, elements=WORTH))
def test_three_players_agree_with_every_order_and_sum_to_the_whole(values: np.ndarray) -> None:
    shares = shapley(values)
    np.testing.assert_allclose(shares, brute_force(values, 3), atol=1e-12)
    assert shares.sum() == pytest.approx(values[-1] - values[0], abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 4).flatmap(lambda n: arrays(np.float64, 1 << n, elements=WORTH)))
def test_any_number_of_players(values: np.ndarray) -> None:
    players = len(values).bit_length() - 1
    np.testing.assert_allclose(shapley(values), brute_force(values, players), atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, (2, 8), elements=WORTH), st.floats(-3, 3))
def test_the_value_is_linear_in_the_game(games: np.ndarray, factor: float) -> None:
    np.testing.assert_allclose(
        shapley(games[0] + factor * games[1]), shapley(games[0]) + factor * shapley(games[1]), atol=1e-9
    )


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, 4, elements=WORTH))
def test_a_player_that_adds_nothing_gets_nothing(values: np.ndarray) -> None:
    idle = np.concatenate([values, values])
    assert shapley(idle)[2] == pytest.approx(0, abs=1e-12)
    pairs, index = interactions(idle)
    assert index[pairs.index((0, 2))] == pytest.approx(0, abs=1e-12)


def test_players_who_need_each_other_interact_and_those_who_repeat_each_other_do_so_negatively() -> None:
    both_needed = np.array([0, 0, 0, 1, 0, 0, 0, 1.0])
    either = np.array([0, 1, 1, 1, 0, 1, 1, 1.0])
    pairs, needed = interactions(both_needed)
    assert needed[pairs.index((0, 1))] == pytest.approx(1)
    assert interactions(either)[1][pairs.index((0, 1))] == pytest.approx(-1)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, 8, elements=WORTH))
def test_interaction_index_by_its_definition(values: np.ndarray) -> None:
    pairs, index = interactions(values)
    for (i, j), value in zip(pairs, index, strict=True):
        k = 3 - i - j
        gains = []
        for rest in (0, 1 << k):
            gains.append(values[rest | 1 << i | 1 << j] - values[rest | 1 << i] - values[rest | 1 << j] + values[rest])
        assert value == pytest.approx(np.mean(gains), abs=1e-12)


def test_leading_axes_are_kept() -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 8))
    assert shapley(values).shape == (4, 5, 3)
    np.testing.assert_allclose(shapley(values)[2, 3], shapley(values[2, 3]))


def test_a_wrong_number_of_coalitions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2\^players"):
        shapley(np.zeros(7))
