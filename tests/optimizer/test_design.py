"""The initial design: balance of the Sobol points, constraints, prefixes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from engine import Float, Int, SearchSpace
from engine.optimizer.design import design
from engine.optimizer.sobol import _direction_numbers, sobol


def test_direction_numbers_are_those_of_joe_and_kuo() -> None:
    theirs = (qmc.Sobol(32, scramble=False).random(256) * 2**30).astype(int)
    index = np.arange(256)
    chosen = ((index ^ (index >> 1))[:, None] >> np.arange(30)) & 1
    for j in range(32):
        V = _direction_numbers(j)
        ours = np.bitwise_xor.reduce(np.where(chosen == 1, V, 0), axis=1)
        np.testing.assert_array_equal(ours, theirs[:, j])


@pytest.mark.parametrize("d", [1, 2, 6, 32, 50])
def test_every_column_has_one_point_in_each_of_64_cells(d: int) -> None:
    X = sobol(64, d, np.random.default_rng(0))
    assert ((X >= 0) & (X < 1)).all()
    assert all(len(set((X[:, j] * 64).astype(int))) == 64 for j in range(d))


def test_points_are_spread_better_than_random_ones() -> None:
    ours = np.mean([qmc.discrepancy(sobol(64, 4, np.random.default_rng(s))) for s in range(20)])
    chance = np.mean([qmc.discrepancy(np.random.default_rng(s).random((64, 4))) for s in range(20)])
    assert ours < 0.4 * chance


def test_the_first_points_stay_when_more_are_asked_for() -> None:
    space = SearchSpace([Float("x", 0.0, 1.0), Int("k", 1, 50)], ["k > 10 * x"])
    few, many = design(space, 5, seed=3), design(space, 30, seed=3)
    np.testing.assert_array_equal(few, many[:5])
    assert space.feasible(many).all()


def test_a_narrow_region_gets_its_points_too() -> None:
    space = SearchSpace([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)], ["abs(x - y) < 0.001"])
    rows = design(space, 12, seed=0)
    assert len(rows) == 12
    assert space.feasible(rows).all()
