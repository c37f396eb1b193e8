"""Several objectives rolled into one: weights, the Tchebycheff maximum and its expected improvement."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from engine.acquisition.log_ei import log_ei
from engine.acquisition.scalarisation import (
    TchebycheffImprovement,
    log_tchebycheff_ei,
    simplex_weights,
    tchebycheff,
)
from tests.acquisition.differences import by_column
from tests.acquisition.test_covariance import check_gradient, posterior, rows

RNG = np.random.default_rng(0)
MEAN, STD = RNG.normal(size=(8, 4)), RNG.uniform(0.05, 1.5, size=(8, 4))


def test_weights_cover_the_simplex():
    weights = np.array([simplex_weights(4, np.random.default_rng(i)) for i in range(4000)])
    np.testing.assert_allclose(weights.sum(1), 1.0)
    assert weights.min() > 0
    np.testing.assert_allclose(weights.mean(0), 0.25, atol=0.02)


def test_tchebycheff_finds_the_whole_of_a_concave_front():
    """Unlike a weighted sum, which finds only its ends."""
    t = np.linspace(0, np.pi / 2, 201)
    Y = np.stack([np.cos(t), np.sin(t)], axis=1)
    grid = np.linspace(0.02, 0.98, 49)
    assert {int((Y @ [w, 1 - w]).argmin()) for w in grid} == {0, 200}
    assert len({int(tchebycheff(Y, np.array([w, 1 - w]), Y.min(0)).argmin()) for w in grid}) > 40


def test_tchebycheff_by_hand():
    Y = np.array([[0.0, 10.0], [2.0, 12.0]])
    np.testing.assert_allclose(tchebycheff(Y, np.array([0.5, 0.3]), np.array([-1.0, 10.0])), [0.5, 1.5])


def test_expected_improvement_of_a_maximum_against_sampling():
    value, _, _ = log_tchebycheff_ei(MEAN, STD, 1.0)
    draws = MEAN + STD * np.random.default_rng(1).standard_normal((200_000, 8, 4))
    gains = np.maximum(1.0 - draws.max(-1), 0.0)
    error = gains.std(0) / np.sqrt(len(gains))
    assert (np.abs(np.exp(value) - gains.mean(0)) < 4.5 * error + 1e-12).all()


@pytest.mark.parametrize("best", [-30.0, -3.0, 0.0, 3.0, 100.0])
def test_of_one_objective_it_is_expected_improvement(best):
    mean, std = np.array([[0.3]]), np.array([[0.7]])
    value, _, _ = log_tchebycheff_ei(mean, std, best)
    np.testing.assert_allclose(value, log_ei(mean[:, 0], std[:, 0], best), rtol=1e-9, atol=1e-7)


def test_far_tail_against_mpmath():
    mean, std = np.array([[50.0, 30.0]]), np.array([[1.0, 0.5]])
    value, _, _ = log_tchebycheff_ei(mean, std, 0.0)

    def both(t):
        return mpmath.ncdf((t - 50) / 1) * mpmath.ncdf((t - 30) / mpmath.mpf("0.5"))

    with mpmath.workdps(50):
        exact = mpmath.log(mpmath.quad(both, [-2, -1, -0.5, -0.2, -0.1, -0.05, 0]))
        assert value[0] == pytest.approx(float(exact), rel=1e-9)


def test_gradients():
    _, d_mean, d_std = log_tchebycheff_ei(MEAN, STD, 0.5)
    numeric = by_column(lambda m: log_tchebycheff_ei(m, STD, 0.5)[0], MEAN)
    np.testing.assert_allclose(d_mean, numeric, rtol=1e-5, atol=1e-7)
    numeric = by_column(lambda s: log_tchebycheff_ei(MEAN, s, 0.5)[0], STD)
    np.testing.assert_allclose(d_std, numeric, rtol=1e-5, atol=1e-6)


def test_gradient_over_posteriors():
    pair = [posterior(), posterior("rbf")]
    acquisition = TchebycheffImprovement(pair, np.array([0.7, 0.2]), np.array([-1.0, -2.0]), 0.3)
    X = rows(7, 2)
    value, slope = acquisition.gradient(X)
    np.testing.assert_allclose(value, acquisition.value(X), rtol=1e-12)
    check_gradient(acquisition.value, slope, X, rtol=2e-4)


def test_finite_for_extreme_inputs():
    mean = np.array([[0.0, 0.0], [1e6, -1e6], [-1e6, -1e6]])
    for size in (1e-9, 1.0, 1e6):
        for part in log_tchebycheff_ei(mean, np.full_like(mean, size), 0.0):
            assert np.isfinite(part).all()
