"""Kernels: values against their formulas, positive definiteness, and every contraction against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from engine.surrogate.inputs import Columns, Pairs, Points
from engine.surrogate.kernels import Gated, Kernel, Radial, kernel_from_dict, make_kernel
from tests.surrogate.data import MIXED, mixed_rows

NAMES = ["matern52", "rbf", "matern52+matern52", "matern52+rbf", "rbf+matern52"]


def theta_of(kernel: Kernel, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array(
        [-0.7 if p.kind == "lengthscale" else 0.2 for p in kernel.parameters()]
    ) + 0.3 * rng.standard_normal(len(kernel.parameters()))


def full(kernel: Kernel, theta: np.ndarray, X: np.ndarray, meaning: Columns) -> np.ndarray:
    points = Points(X, meaning)
    return kernel.values(theta, points, points)


def test_matern_and_rbf_are_their_formulas() -> None:
    meaning = Columns.continuous(2)
    X, Z = np.array([[0.1, 0.2], [0.5, 0.9]]), np.array([[0.3, 0.3]])
    theta = np.log([0.5, 2.0])
    r = np.sqrt((((X - Z) / [0.5, 2.0]) ** 2).sum(1))
    s = np.sqrt(5) * r
    expected = {"matern52": (1 + s + s**2 / 3) * np.exp(-s), "rbf": np.exp(-(r**2) / 2)}
    for name, k in expected.items():
        found = make_kernel(name, meaning).values(theta, Points(X, meaning), Points(Z, meaning))
        np.testing.assert_allclose(found[:, 0], k, rtol=1e-12)


def test_a_categorical_column_counts_as_one_step_of_hamming_distance() -> None:
    meaning = Columns((3,))
    X = (np.arange(3)[:, None] + 0.5) / 3
    K = full(make_kernel("rbf", meaning), np.log([0.5]), X, meaning)
    np.testing.assert_allclose(K, np.where(np.eye(3) == 1, 1.0, np.exp(-0.5 / 0.25)), rtol=1e-12)


def test_a_conditional_column_takes_three_levels() -> None:
    meaning = Columns((0,), groups=((0,),))
    kernel = Gated(Radial("rbf", [0], meaning), 0)
    X = np.array([[np.nan], [np.nan], [0.2], [0.7]])
    K = full(kernel, np.array([0.4, np.log(0.3)]), X, meaning)
    c = 1 / (1 + np.exp(-0.4))
    inner = np.exp(-0.5 * (0.5 / 0.3) ** 2)
    assert K[0, 1] == 1
    assert K[0, 2] == pytest.approx(c)
    assert K[2, 3] == pytest.approx(c * c + (1 - c * c) * inner)


@pytest.mark.parametrize("name", NAMES)
def test_covariances_have_unit_diagonal_and_are_positive_definite(name: str) -> None:
    kernel, X = make_kernel(name, MIXED), mixed_rows(60)
    for seed in range(5):
        K = full(kernel, theta_of(kernel, seed), X, MIXED)
        np.testing.assert_allclose(np.diag(K), 1.0, atol=1e-12)
        np.testing.assert_allclose(K, K.T, atol=1e-12)
        assert np.linalg.eigvalsh(K).min() > -1e-10


@pytest.mark.parametrize("name", NAMES)
def test_pairs_cross_and_values_agree(name: str) -> None:
    kernel, X = make_kernel(name, MIXED), mixed_rows(15)
    theta, points, pairs = theta_of(kernel), Points(X, MIXED), Pairs(X, MIXED)
    K = full(kernel, theta, X, MIXED)
    np.testing.assert_allclose(kernel.pairs(theta, pairs)[0], K[pairs.rows, pairs.cols], atol=1e-12)
    np.testing.assert_allclose(kernel.cross(theta, points, points)[0], K, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_in_the_parameters_is_that_of_finite_differences(name: str) -> None:
    kernel, pairs = make_kernel(name, MIXED), Pairs(mixed_rows(10), MIXED)
    theta = theta_of(kernel)
    M = np.random.default_rng(1).standard_normal(len(pairs.rows))
    found = kernel.contract(theta, pairs, kernel.pairs(theta, pairs)[1], M)
    step = 1e-6 * np.eye(len(theta))
    expected = [(M @ (kernel.pairs(theta + h, pairs)[0] - kernel.pairs(theta - h, pairs)[0])) / 2e-6 for h in step]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_in_the_inputs_is_that_of_finite_differences(name: str) -> None:
    kernel, X, Z = make_kernel(name, MIXED), mixed_rows(8, 1), mixed_rows(12, 2)
    theta, B = theta_of(kernel), Points(Z, MIXED)
    W = np.random.default_rng(1).standard_normal((8, 12))
    A = Points(X, MIXED)
    found = MIXED.numeric_part(kernel.contract_inputs(theta, A, B, kernel.cross(theta, A, B)[1], W))
    for j in np.flatnonzero(MIXED.numeric):
        move = np.zeros(6)
        move[j] = 1e-6
        up, down = (kernel.values(theta, Points(X + h, MIXED), B) for h in (move, -move))
        expected = (W * (up - down)).sum(1) / 2e-6
        active = ~np.isnan(X[:, j])
        np.testing.assert_allclose(found[active, j], expected[active], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_survives_the_way_through_a_dict(name: str) -> None:
    kernel, X = make_kernel(name, MIXED), mixed_rows(10)
    again, theta = kernel_from_dict(kernel.to_dict(), MIXED), theta_of(kernel)
    assert (full(again, theta, X, MIXED) == full(kernel, theta, X, MIXED)).all()


def test_an_unknown_kernel_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'matern'"):
        make_kernel("matern", Columns.continuous(2))
