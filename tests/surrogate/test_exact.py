"""The exact GP against scikit-learn's, and where data are degenerate."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from engine.surrogate import GaussianProcess
from engine.surrogate.exact import Posterior
from engine.surrogate.fit import LogPosterior
from engine.surrogate.inputs import Columns, Pairs
from engine.surrogate.kernels import make_kernel
from engine.surrogate.priors import Prior
from tests.surrogate.data import MIXED, mixed_rows

LENGTHSCALES, NOISE = np.array([0.3, 0.8, 1.5]), 1e-3
THETA = np.log([*LENGTHSCALES, NOISE])


def problem(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 3))
    return X, np.sin(6 * X[:, 0]) + X[:, 1] ** 2 + 0.01 * rng.standard_normal(n)


def sklearn_twin(X: np.ndarray, y: np.ndarray) -> GaussianProcessRegressor:
    kernel = ConstantKernel(1.0) * Matern(LENGTHSCALES, nu=2.5) + WhiteKernel(NOISE)
    return GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(X, y)


def test_posterior_is_scikit_learns() -> None:
    X, y = problem()
    columns = Columns.continuous(3)
    ours = Posterior(make_kernel("matern52", columns), THETA, X, y, columns)
    Z = np.random.default_rng(1).random((300, 3))
    theirs = sklearn_twin(X, y - ours.mean)
    mean, std = theirs.predict(Z, return_std=True)
    found_mean, found_std = ours.predict(Z)
    np.testing.assert_allclose(found_mean, mean + ours.mean, atol=1e-9)
    np.testing.assert_allclose(found_std, np.sqrt(np.maximum(std**2 - NOISE, 0)), atol=1e-7)


def test_marginal_likelihood_and_its_gradient_are_scikit_learns() -> None:
    X, y = problem()
    columns = Columns.continuous(3)
    kernel = make_kernel("matern52", columns)
    flat = Prior(lengthscale_sd=1e9, noise_sd=1e9).arrays(kernel)
    value, gradient = LogPosterior(kernel, flat, Pairs(X, columns), y)(THETA)
    m = Posterior(kernel, THETA, X, y, columns).mean
    theirs, slope = sklearn_twin(X, y - m).log_marginal_likelihood(
        np.array([0.0, *THETA]), eval_gradient=True, clone_kernel=False
    )
    assert value == pytest.approx(theirs - 0.5 * m * m, rel=1e-8)  # the constant mean has a standard normal prior
    np.testing.assert_allclose(gradient, slope[1:], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scale", [np.inf, 4.0])
@pytest.mark.parametrize("name", ["matern52", "matern52+matern52"])
def test_log_posterior_gradient_is_that_of_finite_differences(name: str, scale: float) -> None:
    X = mixed_rows(14)
    y = np.random.default_rng(2).standard_normal(14)
    kernel = make_kernel(name, MIXED)
    prior = Prior(scale=scale).arrays(kernel)
    target = LogPosterior(kernel, prior, Pairs(X, MIXED), y)
    theta = prior.mean + 0.3 * np.random.default_rng(3).standard_normal(len(prior.mean))
    theta[-1] = -3.0
    numeric = [(target(theta + h)[0] - target(theta - h)[0]) / 2e-5 for h in 1e-5 * np.eye(len(theta))]
    np.testing.assert_allclose(target(theta)[1], numeric, rtol=1e-5, atol=1e-6)


def test_gradients_of_mean_and_deviation_are_those_of_finite_differences() -> None:
    X = mixed_rows(15)
    kernel = make_kernel("matern52+matern52", MIXED)
    theta = Prior().arrays(kernel).mean
    posterior = Posterior(kernel, theta, X, np.random.default_rng(1).standard_normal(15), MIXED, scale_strength=3.0)
    Z = mixed_rows(6, 5)
    _, _, d_mean, d_std = posterior.gradients(Z)
    for j in np.flatnonzero(MIXED.numeric):
        h = np.zeros(6)
        h[j] = 1e-6
        active = ~np.isnan(Z[:, j])
        (mean_up, std_up), (mean_down, std_down) = posterior.predict(Z + h), posterior.predict(Z - h)
        np.testing.assert_allclose(d_mean[active, j], ((mean_up - mean_down) / 2e-6)[active], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(d_std[active, j], ((std_up - std_down) / 2e-6)[active], rtol=1e-4, atol=1e-6)


def test_conditioning_on_the_mean_keeps_it_and_shrinks_the_deviation() -> None:
    X, y = problem()
    columns = Columns.continuous(3)
    posterior = Posterior(make_kernel("matern52", columns), THETA, X, y, columns)
    Z = np.random.default_rng(1).random((5, 3))
    mean, std = posterior.predict(Z)
    mean_after, std_after = posterior.condition(Z, mean).predict(Z)
    np.testing.assert_allclose(mean_after, mean, atol=1e-8)
    assert (std_after < std).all()


def test_fitting_finds_the_relevant_column_and_predicts() -> None:
    rng = np.random.default_rng(0)
    X, Z = rng.random((60, 4)), rng.random((200, 4))
    f = lambda A: np.sin(6 * A[:, 0])  # noqa: E731
    gp = GaussianProcess().fit(X, 100 + 7 * f(X))
    mean, std = gp.predict(Z)
    assert np.abs(mean - 100 - 7 * f(Z)).max() < 0.5
    assert gp.lengthscales[0] < gp.lengthscales[1:].min() / 3
    assert (std >= 0).all()


def test_known_noise_is_believed() -> None:
    X = np.array([[0.5], [0.5], [0.0], [1.0]])
    gp = GaussianProcess().fit(X, np.array([0.0, 1.0, 0.5, 0.4]), noise_variance=np.array([1e-6, 10.0, 0.01, 0.01]))
    assert abs(gp.predict(np.array([[0.5]]))[0][0]) < 0.1


def test_predictions_do_not_depend_on_how_many_are_asked_for() -> None:
    X, y = problem()
    gp = GaussianProcess().fit(X, y)
    Z = np.random.default_rng(1).random((700, 3))
    mean, std = gp.predict(Z)
    for i in (0, 255, 256, 699):
        one_mean, one_std = gp.predict(Z[i : i + 1])
        assert one_mean[0] == pytest.approx(mean[i], abs=1e-9)
        assert one_std[0] == pytest.approx(std[i], abs=1e-6)


DEGENERATE = {
    "one point": (np.array([[0.3, 0.4]]), np.array([2.0])),
    "two equal points": (np.full((2, 2), 0.5), np.array([1.0, 1.0])),
    "equal points, different values": (np.full((4, 2), 0.5), np.array([1.0, 2.0, 3.0, 4.0])),
    "many duplicates": (np.repeat(np.random.default_rng(0).random((3, 2)), 20, axis=0), np.arange(60.0)),
    "constant": (np.random.default_rng(0).random((10, 2)), np.full(10, 3.0)),
    "constant zero": (np.random.default_rng(0).random((10, 2)), np.zeros(10)),
    "huge": (np.random.default_rng(0).random((10, 2)), np.linspace(-1e300, 1e300, 10)),
    "one huge": (np.random.default_rng(0).random((10, 2)), np.array([1e300, *np.arange(9.0)])),
    "tiny": (np.random.default_rng(0).random((10, 2)), np.linspace(1e-300, 2e-300, 10)),
    "offset": (np.random.default_rng(0).random((10, 2)), 1e15 + np.arange(10.0)),
    "fewer points than columns": (np.random.default_rng(0).random((3, 30)), np.array([1.0, 2.0, 0.0])),
    "points a rounding error apart": (0.5 + 1e-16 * np.arange(20).reshape(10, 2), np.arange(10.0)),
}


@pytest.mark.parametrize("kernel", ["matern52", "matern52+matern52"])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_data_give_finite_predictions(name: str, kernel: str) -> None:
    X, y = DEGENERATE[name]
    gp = GaussianProcess(kernel).fit(X, y)
    mean, std = gp.predict(np.random.default_rng(1).random((50, X.shape[1])))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert np.isfinite(gp.leave_one_out().log_density)


def test_shapes_and_values_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="agree"):
        GaussianProcess().fit(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="NaN"):
        GaussianProcess().fit(np.zeros((2, 2)), np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="fit"):
        GaussianProcess().predict(np.zeros((1, 2)))
