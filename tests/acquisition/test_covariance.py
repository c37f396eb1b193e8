"""Posterior covariances with a set, conditioning on values there, and whole functions drawn from a posterior."""

from __future__ import annotations

import numpy as np
import pytest

from engine.acquisition.covariance import Covariance, GivenValues, draw_at
from engine.acquisition.domain import Domain
from engine.acquisition.thompson import Features, Paths, ThompsonSample
from engine.surrogate.exact import Posterior
from engine.surrogate.inputs import Columns, Points
from engine.surrogate.kernels import make_kernel
from tests.acquisition.differences import by_column

# Two numbers, a categorical of three choices and a conditional number.
COLUMNS = Columns((0, 0, 3, 0), groups=((3,),))
NUMERIC = [0, 1, 3]


def rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 4))
    X[:, 2] = (rng.integers(3, size=n) + 0.5) / 3
    X[X[:, 2] > 0.5, 3] = np.nan
    return X


def posterior(kernel: str = "matern52", n: int = 12, noise: float = 0.05, scale: float = 1.7) -> Posterior:
    made = make_kernel(kernel, COLUMNS)
    theta = np.array([np.log(0.5) if p.kind == "lengthscale" else 0.3 for p in made.parameters()] + [np.log(noise)])
    X = rows(n, 1)
    y = np.sin(5 * X[:, 0]) + X[:, 1] + 0.3 * np.nan_to_num(X[:, 3])
    return Posterior(made, theta, X, y, COLUMNS, mean_scale=(0.2, scale))


def movable(X: np.ndarray, j: int) -> np.ndarray:
    return ~np.isnan(X[:, j])


def check_gradient(value, gradient: np.ndarray, X: np.ndarray, rtol: float = 1e-4) -> None:
    numeric = by_column(value, np.nan_to_num(X, nan=0.5) * np.where(np.isnan(X), np.nan, 1.0))
    for j in NUMERIC:
        on = movable(X, j)
        np.testing.assert_allclose(gradient[on, j], numeric[on, j], rtol=rtol, atol=1e-6)
    assert not gradient[:, 2].any()


@pytest.mark.parametrize("kernel", ["matern52", "rbf+rbf"])
def test_covariance_with_itself_is_the_variance(kernel):
    p, X = posterior(kernel), rows(7, 2)
    _, std = p.predict(X)
    np.testing.assert_allclose(np.diagonal(Covariance(p, X).among()), std**2, rtol=1e-9)


def test_covariance_predicts_what_an_observation_does_to_a_mean():
    """Conditioning moves the mean by cov / (var + noise) times the surprise."""
    p, X, z = posterior(), rows(6, 2), rows(1, 3)
    mean, _ = p.predict(X)
    at, std = p.predict(z)
    moved, _ = p.condition(z, at + 0.8).predict(X)
    cov = Covariance(p, z).value(X)[:, 0]
    np.testing.assert_allclose(moved - mean, cov * 0.8 / (std[0] ** 2 + p.scale * p.noise), rtol=1e-8, atol=1e-12)


def test_gradient_of_covariance():
    p, X, Z = posterior(), rows(5, 2), rows(4, 3)
    C, W = Covariance(p, Z), np.random.default_rng(0).normal(size=(5, 4))
    check_gradient(lambda A: (C.value(A) * W).sum(1), C.gradient(X, W), X)


def test_given_values_agree_with_exact_observations_there():
    p, X, Z = posterior(noise=1e-8), rows(5, 2), rows(3, 3)
    draws = draw_at(p, Z, np.random.default_rng(0).standard_normal((2, 3)))
    means, std = GivenValues(p, Z, draws).predict(X)
    for s in range(2):
        mean, deviation = p.condition(Z, draws[s]).predict(X)
        np.testing.assert_allclose(means[s], mean, atol=1e-5)
        np.testing.assert_allclose(std, deviation, atol=1e-4)


def test_gradient_given_values():
    p, X, Z = posterior(), rows(5, 2), rows(3, 3)
    given = GivenValues(p, Z, draw_at(p, Z, np.random.default_rng(0).standard_normal((4, 3))))
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 5)), rng.normal(size=5)

    def value(A):
        means, std = given.predict(A)
        return (a * means).sum(0) + b * std

    check_gradient(value, given.gradient(X, a, b), X)


def test_draws_have_the_posterior_moments():
    p, Z = posterior(), rows(6, 2)
    draws = draw_at(p, Z, np.random.default_rng(0).standard_normal((40_000, 6)))
    mean, _ = p.predict(Z)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), Covariance(p, Z).among(), atol=0.04)


def test_draws_stay_finite_at_repeated_and_observed_points():
    p = posterior(noise=1e-8)
    Z = np.concatenate([p.X[:4], p.X[:2]])
    draws = draw_at(p, Z, np.random.default_rng(0).standard_normal((5, 6)))
    np.testing.assert_allclose(draws[:, :4], np.broadcast_to(p.y[:4], (5, 4)), atol=1e-3)
    means, std = GivenValues(p, Z, draws).predict(rows(5, 4))
    assert np.isfinite(means).all()
    assert (std > 0).all()


@pytest.mark.parametrize("kernel", ["matern52", "rbf", "matern52+matern52"])
def test_random_features_reproduce_the_kernel(kernel):
    made = posterior(kernel).kernel
    theta = np.array([np.log(0.5) if p.kind == "lengthscale" else 0.3 for p in made.parameters()])
    A, B = Points(rows(8, 2), COLUMNS), Points(rows(8, 3), COLUMNS)
    features = Features.of(made, theta, A.F.shape[1], 200_000, np.random.default_rng(0))
    estimate = features.value(A) @ features.value(B).T / 200_000
    np.testing.assert_allclose(estimate, made.cross(theta, A, B)[0], atol=0.02)


@pytest.mark.parametrize("kernel", ["matern52", "rbf+rbf"])
def test_paths_have_the_posterior_moments(kernel):
    p, X = posterior(kernel, scale=0.8), rows(6, 2)
    # Draws of one call share their features, so that many calls are needed for independence.
    paths = np.concatenate([Paths(p, 4, np.random.default_rng([7, i]), count=128).draw(X) for i in range(300)])
    mean, std = p.predict(X)
    assert (np.abs(paths.mean(0) - mean) < 4.5 * std / np.sqrt(300)).all()
    np.testing.assert_allclose(np.cov(paths.T), Covariance(p, X).among(), atol=0.2 * std.max() ** 2)


def test_a_path_without_noise_goes_through_the_data():
    p = posterior(noise=1e-9)
    paths = Paths(p, 2, np.random.default_rng(0))
    np.testing.assert_allclose(paths.draw(p.X), np.broadcast_to(p.y, (2, 12)), atol=1e-3)


def test_gradient_of_paths():
    p, X = posterior(), rows(6, 2)
    paths, which = Paths(p, 3, np.random.default_rng(0), count=64), np.array([0, 1, 2, 2, 1, 0])
    value, slope = paths.gradient(X, which)
    np.testing.assert_allclose(value, paths.draw(X)[which, np.arange(6)])
    check_gradient(lambda A: paths.draw(A)[which, np.arange(6)], slope, X)
    sample = ThompsonSample(paths)
    np.testing.assert_allclose(sample.gradient(X)[0], sample.value(X))
    np.testing.assert_allclose(sample.gradient(X)[1][0], -slope[0])


def test_minima_of_paths_are_at_least_as_low_as_a_fine_screen():
    p = posterior(n=8)
    thirds = (np.arange(3) + 0.5) / 3
    ordered = np.array([True, True, False, True])
    domain = Domain((None, None, thirds, None), ordered, lambda X: X, None, lambda n, rng: rows(n, 0))
    paths = Paths(p, 5, np.random.default_rng(0), count=128)
    X, lowest = paths.minima(rows(300, 5), domain)
    np.testing.assert_allclose(paths.draw(X)[np.arange(5), np.arange(5)], lowest, atol=1e-9)
    assert (lowest < paths.draw(rows(3000, 6)).min(1) + 0.02).all()
    assert ((X[:, :2] >= 0) & (X[:, :2] <= 1)).all()


def test_paths_are_repeatable():
    p, X = posterior(), rows(6, 2)
    first, second = (Paths(p, 2, np.random.default_rng(5)).draw(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
