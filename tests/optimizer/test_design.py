"""The initial design spreads over the space and keeps to its constraints."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from engine import Categorical, Float, Int, SearchSpace
from engine.optimizer.design import design, scrambled_halton


@pytest.mark.parametrize(("n", "d"), [(4, 2), (7, 6), (10, 6), (16, 12)])
def test_points_are_as_even_as_sobol_points(n: int, d: int):
    ours, theirs, random = [], [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        ours.append(qmc.discrepancy(scrambled_halton(n, d, rng)))
        theirs.append(qmc.discrepancy(qmc.Sobol(d, rng=rng).random(16)[:n]))
        random.append(qmc.discrepancy(rng.random((n, d))))
    assert np.mean(ours) < 1.3 * np.mean(theirs)
    assert np.mean(ours) < 0.8 * np.mean(random)


def test_every_column_is_stratified_in_its_base():
    X = scrambled_halton(25, 3, np.random.default_rng(0))
    assert ((X >= 0) & (X < 1)).all()
    assert sorted(np.floor(X[:24, 0] * 2)) == [0] * 12 + [1] * 12
    assert sorted(np.floor(X[:, 2] * 25)) == list(range(25))


def test_the_design_keeps_to_constraints_and_its_beginning_to_itself():
    space = SearchSpace(
        [Int("fast", 2, 100), Int("slow", 3, 300), Float("x", 0, 1), Categorical("c", ["a", "b", "c"])],
        ["fast < slow", "x < 0.2"],
    )
    X = design(space, 20, seed=5)
    assert space.feasible(X).all()
    np.testing.assert_array_equal(X[:7], design(space, 7, seed=5))
    assert not np.array_equal(X[:7], design(space, 7, seed=6))
