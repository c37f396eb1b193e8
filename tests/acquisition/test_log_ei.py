"""Log expected improvement against mpmath, far into the tail, and its gradients against finite differences."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from engine.acquisition.log_ei import log_cdf_gradient, log_ei, log_ei_gradient, log_h

U = [30.0, 5.0, 1.0, 0.0, -0.5, -0.999, -1.001, -3.0, -10.0, -24.0, -49.9, -50.1, -300.0, -9.9e4, -1.1e5, -1e8]


def exact_log_h(u: float) -> float:
    mpmath.mp.dps = 60
    u = mpmath.mpf(u)
    density = mpmath.exp(-u * u / 2) / mpmath.sqrt(2 * mpmath.pi)
    return float(mpmath.log(density + u * mpmath.erfc(-u / mpmath.sqrt(2)) / 2))


@pytest.mark.parametrize("u", U)
def test_log_h_is_mpmaths(u: float) -> None:
    if u < -1e5:  # 60 digits are too few for mpmath's difference: the leading term says enough
        expected = -0.5 * u * u - 0.5 * np.log(2 * np.pi) - 2 * np.log(-u)
    else:
        mpmath.mp.dps = 60
        expected = exact_log_h(u)
    assert float(log_h(np.array([u]))[0]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_it_falls_steadily_over_forty_orders_of_magnitude() -> None:
    u = -np.logspace(8, -8, 2000)
    assert (np.diff(log_h(u)) > 0).all()


def test_log_ei_is_the_log_of_ei_where_ei_can_be_computed() -> None:
    draws = 1.0 + 0.5 * np.random.default_rng(0).standard_normal(2_000_000)
    expected = np.log(np.maximum(0.8 - draws, 0).mean())
    assert log_ei(np.array([1.0]), np.array([0.5]), 0.8)[0] == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("function", [log_ei_gradient, log_cdf_gradient])
@pytest.mark.parametrize("best", [3.0, 0.0, -2.0, -40.0, -3000.0])
def test_gradients_are_those_of_finite_differences(function, best: float) -> None:
    mean, std = np.array([0.3]), np.array([0.7])
    d_mean, d_std = np.array([[1.0, 0.0, 0.5]]), np.array([[0.0, 1.0, -0.2]])

    def value(t: np.ndarray) -> float:
        return float(function(mean + d_mean @ t, std + d_std @ t, best, d_mean, d_std)[0][0])

    _, slope = function(mean, std, best, d_mean, d_std)
    numeric = [(value(h) - value(-h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(slope[0], numeric, rtol=1e-5, atol=1e-6)
