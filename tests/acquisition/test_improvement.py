"""Probability of improvement and confidence bounds."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from engine.acquisition.confidence import confidence_bound, kappa_schedule, plausible_limit, pure_exploration
from engine.acquisition.improvement import log_probability_of_improvement, probability_of_improvement
from engine.acquisition.normal import hazard, log_difference, truncated_variance
from tests.acquisition.differences import elementwise

RNG = np.random.default_rng(0)
MEAN, STD = RNG.normal(size=20), RNG.uniform(0.05, 2, size=20)


def test_probability_of_improvement_agrees_with_sampling():
    value, _, _ = probability_of_improvement(MEAN, STD, best=-0.3, margin=0.1)
    draws = MEAN + STD * np.random.default_rng(1).standard_normal((200_000, 20))
    np.testing.assert_allclose(value, (draws <= -0.4).mean(0), atol=5e-3)
    np.testing.assert_allclose(np.exp(log_probability_of_improvement(MEAN, STD, -0.3, 0.1)[0]), value, rtol=1e-12)


@pytest.mark.parametrize("function", [probability_of_improvement, log_probability_of_improvement])
def test_gradients_of_improvement(function):
    _, d_mean, d_std = function(MEAN, STD, -0.3, 0.1)
    np.testing.assert_allclose(
        d_mean, elementwise(lambda m: function(m, STD, -0.3, 0.1)[0], MEAN), rtol=2e-6, atol=1e-9
    )
    np.testing.assert_allclose(d_std, elementwise(lambda s: function(MEAN, s, -0.3, 0.1)[0], STD), rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("u", [-1e4, -300.0, -40.0, -7.0, 0.0, 5.0])
def test_log_probability_and_its_slope_keep_their_digits_in_the_tail(u):
    value, d_mean, _ = log_probability_of_improvement(np.array([-2 * u]), np.array([2.0]), best=0.0)
    with mpmath.workdps(40):
        cdf = mpmath.erfc(-mpmath.mpf(u) / mpmath.sqrt(2)) / 2
        slope = -mpmath.npdf(u) / cdf / 2
        np.testing.assert_allclose(value[0], float(mpmath.log(cdf)), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(d_mean[0], float(slope), rtol=1e-7)


@pytest.mark.parametrize("u", [-1e6, -3000.0, -60.0, -50.0, -49.9, -20.0, -3.0, 0.0, 4.0, 38.0])
def test_truncated_variance_against_mpmath(u):
    with mpmath.workdps(60):
        x = mpmath.mpf(u)
        r = mpmath.npdf(x) / (mpmath.erfc(-x / mpmath.sqrt(2)) / 2)
        exact = 1 - r * (r + x)
        np.testing.assert_allclose(truncated_variance(np.array([u]))[0], float(exact), rtol=2e-7)
        np.testing.assert_allclose(hazard(np.array([u]))[0], float(r), rtol=1e-13, atol=1e-300)


def test_log_difference_near_and_far():
    a, b = np.array([0.0, -1000.0, 3.0, 1.0, 1.0]), np.array([-1e-12, -1001.0, -np.inf, 1.0, -800.0])
    expected = [np.log(1e-12), -1000 + np.log1p(-np.exp(-1.0)), 3.0, -np.inf, 1.0]
    np.testing.assert_allclose(log_difference(a, b), expected, rtol=1e-12)


def test_confidence_bound_and_its_schedule():
    value, d_mean, d_std = confidence_bound(MEAN, STD, 1.7)
    np.testing.assert_allclose(value, 1.7 * STD - MEAN)
    assert set(d_mean) == {-1.0}
    assert set(d_std) == {1.7}
    # Srinivas et al. 2010, theorem 2, at t = 10, d = 2, delta = 0.1: beta = 2 log(10^3 pi^2 / 0.3).
    assert kappa_schedule(10, 2, delta=0.1, shrink=1.0) == pytest.approx(np.sqrt(2 * np.log(1000 * np.pi**2 / 0.3)))
    growing = [kappa_schedule(t, 4) for t in (0, 1, 10, 100, 10_000)]
    assert growing[0] == growing[1] < growing[2] < growing[3] < growing[4] < 5


def test_pure_exploration_keeps_to_where_a_minimum_is_plausible():
    mean, std = np.array([0.0, 5.0, 0.2]), np.array([0.1, 1.0, 0.5])
    assert plausible_limit(mean, std, 1.8) == 0.2
    value, d_mean, d_std, d_pending = pure_exploration(mean, std, 0.8 * std, limit=0.2, kappa=0.5)
    np.testing.assert_allclose(value, [0.08, 0.8 - 10 * 4.3, 0.4])
    np.testing.assert_allclose(d_mean, [0, -10, 0])
    np.testing.assert_allclose(d_std, [0, 5, 0])
    np.testing.assert_allclose(d_pending, 1.0)
