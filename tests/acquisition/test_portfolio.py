"""Portfolios and bounded exploration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.acquisition.log_ei import log_ei
from engine.acquisition.portfolio import (
    bounded_move,
    exploration_share,
    hedge_probabilities,
    mace_criteria,
    mace_front,
)


def test_hedge_favours_what_nominated_good_points():
    np.testing.assert_allclose(hedge_probabilities(np.empty((0, 3))), 1 / 3)
    chances = hedge_probabilities(np.array([[0.0, 1.0], [-1.0, 0.5]]))
    assert chances[0] == pytest.approx(1 / (1 + np.exp(-2.5)))
    extreme = hedge_probabilities(np.array([[-1e6, 0.0]]))
    np.testing.assert_array_equal(extreme, [1.0, 0.0])


def test_mace_front_holds_the_best_of_every_criterion():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=500), rng.uniform(0.05, 1, size=500)
    criteria = mace_criteria(mean, std, -1.0, kappa=2.0)
    np.testing.assert_allclose(criteria[:, 1], log_ei(mean, std, -1.0))
    front = mace_front(criteria)
    assert set(criteria.argmax(0)) <= set(front)
    for i in range(0, 500, 50):
        beaten = (criteria >= criteria[i]).all(1) & (criteria > criteria[i]).any(1)
        assert (i in front) != beaten.any()


def test_exploration_share():
    share = exploration_share(np.array([-3.0, 0.0, 2.0, -1.0]), np.array([0.01, 1.0, 0.5, 1.0]), 0.0)
    assert share[0] == pytest.approx(0.0, abs=1e-12)  # surely better: nothing of it is exploration
    assert share[1] == share[2] == 1.0  # no better than the incumbent: all of it is
    assert 0 < share[3] < 1


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_exploration_keeps_between_its_bounds_in_every_run(start, a, b):
    floor, ceiling = min(a, b), max(a, b)
    for length in (10, 40, 200):
        moves = [bounded_move(i, floor, ceiling) for i in range(start, start + length)]
        explore, exploit = moves.count("explore"), moves.count("exploit")
        slack = 3.0  # discrepancy of the golden-ratio sequence in any window of these lengths
        assert explore >= floor * length - slack
        assert length - exploit <= ceiling * length + slack


def test_bounds_at_their_ends():
    assert {bounded_move(i, 0.0, 1.0) for i in range(100)} == {"free"}
    assert {bounded_move(i, 1.0, 1.0) for i in range(100)} == {"explore"}
    assert {bounded_move(i, 0.0, 0.0) for i in range(100)} == {"exploit"}
