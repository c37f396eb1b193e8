"""The search for a maximum: gradients in a box, discrete moves, known constraints, trust regions."""

from __future__ import annotations

import numpy as np

from engine.acquisition.ascent import ascend
from engine.acquisition.domain import Domain
from engine.acquisition.maximise import Effort, maximise


def cube(d: int, cells: dict[int, int] | None = None, feasible=None) -> Domain:
    cells = cells or {}
    grid = [(np.arange(cells[j]) + 0.5) / cells[j] if j in cells else None for j in range(d)]

    def snap(X: np.ndarray) -> np.ndarray:
        X = np.clip(X, 0, 1)
        for j, c in enumerate(grid):
            if c is not None:
                X[:, j] = c[np.minimum((X[:, j] * len(c)).astype(int), len(c) - 1)]
        return X

    def sample(n: int, rng: np.random.Generator) -> np.ndarray:
        X = snap(rng.random((20 * n, d)))
        return (X if feasible is None else X[feasible(X)])[:n]

    return Domain(tuple(grid), np.ones(d, dtype=bool), snap, feasible, sample)


class Bowl:
    """-|S (x - centre)|^2, S diagonal from 1 to ``condition``."""

    name = "bowl"

    def __init__(self, centre: np.ndarray, condition: float = 1.0) -> None:
        self.centre, self.weight = centre, np.logspace(0, np.log10(condition), len(centre))

    def value(self, X: np.ndarray) -> np.ndarray:
        return self.gradient(X)[0]

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gap = X - self.centre
        return -(self.weight * gap**2).sum(1), -2 * self.weight * gap


def test_ascent_finds_an_ill_conditioned_maximum_from_every_start() -> None:
    bowl = Bowl(np.array([0.3, 0.6, 0.5, 0.1]), 1e3)
    X0 = np.random.default_rng(0).random((8, 4))
    X, value = ascend(bowl.gradient, X0, np.ones((8, 4), bool), np.zeros(4), np.ones(4), calls=60, tolerance=1e-10)
    assert value.max() > -1e-8
    np.testing.assert_allclose(X[value.argmax()], bowl.centre, atol=1e-3)


def test_ascent_stops_at_the_box_where_the_maximum_lies_outside() -> None:
    bowl = Bowl(np.array([1.5, 0.4, -0.7]))
    X, _ = ascend(bowl.gradient, np.full((2, 3), 0.5), np.ones((2, 3), bool), np.zeros(3), np.ones(3))
    np.testing.assert_allclose(X[0], [1.0, 0.4, 0.0], atol=1e-4)


def test_ascent_leaves_fixed_and_inactive_coordinates_alone() -> None:
    bowl = Bowl(np.array([0.2, 0.2, 0.2]))
    start = np.array([[0.9, 0.9, np.nan]])

    def gradient(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return bowl.gradient(np.nan_to_num(X))

    X, _ = ascend(gradient, start, np.array([[True, False, False]]), np.zeros(3), np.ones(3))
    assert abs(X[0, 0] - 0.2) < 1e-4
    assert X[0, 1] == 0.9
    assert np.isnan(X[0, 2])


def test_ascent_never_lowers_a_value_and_survives_undefined_ones() -> None:
    def gradient(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = -np.abs(X - 0.6).sum(1), -np.sign(X - 0.6)
        return np.where(X[:, 0] > 0.8, np.nan, value), slope

    X0 = np.random.default_rng(0).random((20, 2)) * 0.8
    X, value = ascend(gradient, X0, np.ones((20, 2), bool), np.zeros(2), np.ones(2))
    assert (value >= gradient(X0)[0]).all()
    assert (X[:, 0] <= 0.8).all()


def test_discrete_columns_stay_at_cell_centres_and_reach_the_best_cell() -> None:
    domain = cube(4, {1: 3, 3: 101})
    bowl = Bowl(np.array([0.3, 0.9, 0.7, 0.2026]))
    rows, values = maximise(bowl, domain, np.random.default_rng(0), np.empty((0, 4)), Effort(screened=32))
    assert (rows == domain.snap(rows)).all()
    np.testing.assert_allclose(rows[0], [0.3, 5 / 6, 0.7, 20.5 / 101], atol=1e-3)
    assert (np.diff(values) <= 0).all()


def test_known_constraints_hold_in_every_row() -> None:
    def below(X: np.ndarray) -> np.ndarray:
        return X[:, 0] < X[:, 1] - 0.2

    bowl = Bowl(np.array([0.8, 0.2, 0.5]))
    rows, _ = maximise(bowl, cube(3, feasible=below), np.random.default_rng(0), np.array([[0.1, 0.9, 0.5]]))
    assert below(rows).all()
    assert rows[0, 1] - rows[0, 0] < 0.25  # the optimum lies on the border


def test_a_box_keeps_every_continuous_row_inside() -> None:
    low, high = np.array([0.4, 0.4]), np.array([0.6, 0.5])
    bowl = Bowl(np.array([0.9, 0.1]))
    rows, _ = maximise(bowl, cube(2), np.random.default_rng(0), np.array([[0.5, 0.45]]), box=(low, high))
    assert ((rows >= low) & (rows <= high)).all()
    np.testing.assert_allclose(rows[0], [0.6, 0.4], atol=1e-6)
