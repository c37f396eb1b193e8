"""Entropy searches: against integrals, sampled entropies, and the truth of a one-dimensional posterior."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from engine.acquisition.entropy import (
    gibbon,
    given_value,
    joint_entropy_search,
    max_value_entropy_search,
    predictive_entropy_search,
    repulsion,
    sample_minimum_values,
)
from tests.acquisition.differences import by_column, elementwise

RNG = np.random.default_rng(0)
MEAN, STD = RNG.normal(size=12), RNG.uniform(0.1, 1.5, size=12)
MINIMA = np.array([-2.5, -1.8, -1.2])


def line(points: int = 60):
    """A posterior on [0, 1]: RBF prior, four observations, hence mean, covariance and the rows' positions."""
    x = np.linspace(0, 1, points)
    X, y = np.array([0.05, 0.4, 0.62, 0.95]), np.array([0.4, -0.6, -0.3, 0.8])

    def k(a, b):
        return np.exp(-0.5 * (a[:, None] - b) ** 2 / 0.15**2)

    K = k(X, X) + 1e-2 * np.eye(4)
    mean = k(x, X) @ np.linalg.solve(K, y)
    return x, mean, k(x, x) - k(x, X) @ np.linalg.solve(K, k(X, x)) + 1e-9 * np.eye(points)


def entropy_of(samples: np.ndarray) -> float:
    """Differential entropy by m-spacings (Vasicek 1976), good to about 0.01 at 20,000 samples."""
    y = np.sort(samples)
    m = int(np.sqrt(len(y)))
    return float(np.mean(np.log((y[2 * m :] - y[: -2 * m]) * len(y) / (2 * m))))


def test_max_value_entropy_is_the_entropy_that_truncation_takes():
    value, _, _ = max_value_entropy_search(MEAN, STD, MINIMA)
    expected = [
        np.mean([norm(m, s).entropy() - truncnorm((low - m) / s, 40.0, m, s).entropy() for low in MINIMA])
        for m, s in zip(MEAN, STD)
    ]
    np.testing.assert_allclose(value, expected, atol=2e-6)


@pytest.mark.parametrize("noise", [0.01, 0.5])
def test_gibbon_is_a_close_lower_bound_of_the_noisy_gain(noise):
    """The exact gain integrates the density of a truncated normal plus noise."""
    m, s, low = 0.2, 0.7, -0.1
    total = np.sqrt(s * s + noise)

    def density(y):
        # p(y) P(f >= low | y) / P(f >= low)
        post_mean, post_sd = m + s * s / total**2 * (y - m), s * np.sqrt(noise) / total
        return norm.pdf(y, m, total) * norm.sf(low, post_mean, post_sd) / norm.sf(low, m, s)

    left, _ = quad(lambda y: -density(y) * np.log(max(density(y), 1e-300)), m - 9 * total, m + 9 * total, limit=200)
    exact = norm(m, total).entropy() - left
    value = gibbon(np.array([m]), np.array([s]), np.array([low]), noise)[0][0]
    assert 0.6 * exact < value <= exact + 1e-9


def test_gumbel_minima_against_sampled_minima():
    rng = np.random.default_rng(1)
    mean, std = rng.normal(size=200), rng.uniform(0.3, 1, size=200)
    minima = sample_minimum_values(mean, std, count=200)
    sampled = (mean + std * rng.standard_normal((20_000, 200))).min(1)
    np.testing.assert_allclose(
        np.quantile(minima, [0.25, 0.5, 0.75]), np.quantile(sampled, [0.25, 0.5, 0.75]), atol=0.03
    )
    assert abs(minima.mean() - sampled.mean()) < 0.05
    assert sample_minimum_values(mean, std, 5, ceiling=-9.0).max() == -9.0
    single = sample_minimum_values(np.array([1.0]), np.array([1e-12]), 4)
    np.testing.assert_allclose(single, 1.0, atol=1e-10)


def test_max_value_search_against_the_entropy_reduction_of_a_posterior():
    """In one dimension the information on the minimum's value is measured from 40,000 drawn functions."""
    x, mean, C = line()
    std = np.sqrt(np.diagonal(C))
    draws = mean + np.random.default_rng(2).standard_normal((40_000, len(x))) @ np.linalg.cholesky(C).T
    minimum = draws.min(1)
    order = np.argsort(minimum)
    # I(f(x); f*) = H[f(x)] - E H[f(x) | f*], the condition as membership of one of 20 equally likely bands of f*.
    gains = [
        entropy_of(draws[:, i]) - np.mean([entropy_of(draws[band, i]) for band in np.array_split(order, 20)])
        for i in range(0, len(x), 6)
    ]
    minima = np.quantile(minimum, (np.arange(32) + 0.5) / 32)
    value = max_value_entropy_search(mean, std, minima)[0][::6]
    assert np.corrcoef(value, gains)[0, 1] > 0.9
    # Truncation alone leaves out that f* also fixes where the function can be: MES is close to it, on the low side.
    assert np.mean(value) == pytest.approx(np.mean(gains), rel=0.5)


def joint_problem(S: int = 8):
    """Sampled places and values of the minimum of ``line``'s posterior, and the covariances with them."""
    x, mean, C = line()
    draws = mean + np.random.default_rng(3).standard_normal((S, len(x))) @ np.linalg.cholesky(C).T
    at = draws.argmin(1)
    return x, mean, C, at, draws.min(1)


def test_joint_search_gives_the_gain_of_conditioning_and_truncating():
    _, mean, C, at, minima = joint_problem()
    noise = 0.01
    given_mean, given_std = given_value(mean, np.diagonal(C), C[:, at], mean[at], np.diagonal(C)[at], minima)
    value, *_ = joint_entropy_search(np.diagonal(C), given_mean, given_std, minima, noise)
    i, expected = 30, []
    for s in range(len(at)):  # the truncated variance from scipy, the conditioning from first principles
        rate = C[i, at[s]] / C[at[s], at[s]]
        m, v = mean[i] + rate * (minima[s] - mean[at[s]]), C[i, i] - rate * C[i, at[s]]
        kept = truncnorm((minima[s] - m) / np.sqrt(v), np.inf, m, np.sqrt(v)).var()
        expected.append(0.5 * np.log((C[i, i] + noise) / (kept + noise)))
    assert value[i] == pytest.approx(np.mean(expected), rel=1e-6)
    assert (value > 0).all()


def test_predictive_search_against_rejection_sampling():
    """Entropy of f(x), given that x_s has the least value of all: from drawn functions whose minimum is there."""
    x, mean, C, _, _ = joint_problem()
    noise, rng = 0.01, np.random.default_rng(4)
    root = np.linalg.cholesky(C)
    draws = mean + rng.standard_normal((60_000, len(x))) @ root.T
    place = int(np.bincount(draws.argmin(1), minlength=len(x)).argmax())
    kept = draws[draws.argmin(1) == place]
    v = np.diagonal(C)
    best = float(mean.min())
    value, *_ = predictive_entropy_search(mean, v, C[:, [place]], mean[[place]], v[[place]], best, noise)
    expected = 0.5 * np.log((v + noise) / (kept.var(0) + noise))
    assert len(kept) > 300
    assert np.corrcoef(value, expected)[0, 1] > 0.8
    assert value.min() > -1e-9


@pytest.mark.parametrize("noise", [0.05, np.linspace(0.01, 1, 12)])
def test_gradients(noise):
    _, d_mean, d_std = gibbon(MEAN, STD, MINIMA, noise)
    np.testing.assert_allclose(
        d_mean, elementwise(lambda m: gibbon(m, STD, MINIMA, noise)[0], MEAN), rtol=1e-5, atol=1e-8
    )
    np.testing.assert_allclose(
        d_std, elementwise(lambda s: gibbon(MEAN, s, MINIMA, noise)[0], STD), rtol=1e-5, atol=1e-8
    )
    _, d_mean, d_std = max_value_entropy_search(MEAN, STD, MINIMA)
    numeric = elementwise(lambda m: max_value_entropy_search(m, STD, MINIMA)[0], MEAN)
    np.testing.assert_allclose(d_mean, numeric, rtol=1e-5, atol=1e-8)
    numeric = elementwise(lambda s: max_value_entropy_search(MEAN, s, MINIMA)[0], STD)
    np.testing.assert_allclose(d_std, numeric, rtol=1e-5, atol=1e-8)


def test_gradients_of_joint_search():
    _, mean, C, at, minima = joint_problem()
    v, noise = np.diagonal(C).copy(), 0.02
    m, s = given_value(mean, v, C[:, at], mean[at], v[at], minima)
    keep = s.min(1) > 1e-3  # beside a sampled minimum finite differences fail
    m, s, v = m[keep], s[keep], v[keep]
    _, d_v, d_m, d_s = joint_entropy_search(v, m, s, minima, noise)
    step = 1e-7

    def jes(v=v, m=m, s=s):
        return joint_entropy_search(v, m, s, minima, noise)[0]

    np.testing.assert_allclose(d_v, elementwise(lambda a: jes(v=a), v, step), rtol=1e-5)
    np.testing.assert_allclose(d_m, by_column(lambda a: jes(m=a), m, step), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(d_s, by_column(lambda a: jes(s=a), s, step), rtol=1e-4, atol=1e-5)


def test_gradients_of_predictive_search():
    _, mean, C, at, _ = joint_problem()
    v, noise, best = np.diagonal(C).copy(), 0.02, float(mean.min())
    rows = [i for i in range(len(mean)) if abs(i - at).min() > 2]
    mean_x, v_x, c = mean[rows], v[rows], C[np.ix_(rows, at)]

    def pes(m=mean_x, v_=v_x, c_=c):
        return predictive_entropy_search(m, v_, c_, mean[at], v[at], best, noise)

    _, d_m, d_v, d_c = pes()
    step = 1e-7
    np.testing.assert_allclose(d_m, elementwise(lambda a: pes(m=a)[0], mean_x, step), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(d_v, elementwise(lambda a: pes(v_=a)[0], v_x, step), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(d_c, by_column(lambda a: pes(c_=a)[0], c, step), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gamma", [-200.0, -51.0, -49.0, 0.0, 30.0, 300.0])
def test_far_tails(gamma):
    with mpmath.workdps(120):
        g = mpmath.mpf(gamma)
        cdf = mpmath.erfc(-g / mpmath.sqrt(2)) / 2
        r = mpmath.npdf(g) / cdf
        exact_mes = g * r / 2 - mpmath.log(cdf)
        exact_gibbon = -mpmath.log(1 - mpmath.mpf(0.8) * r * (r + g)) / 2
    one, zero = np.ones(1), np.zeros(1)
    assert max_value_entropy_search(one * gamma, one, zero)[0][0] == pytest.approx(
        float(exact_mes), rel=1e-9, abs=1e-15
    )
    found = gibbon(one * gamma, one, zero, 0.25)
    assert found[0][0] == pytest.approx(float(exact_gibbon), rel=1e-6, abs=1e-15)
    assert np.isfinite(np.concatenate(found)).all()


def test_repulsion_is_the_log_share_of_variance_that_pending_points_leave():
    np.testing.assert_allclose(repulsion(np.array([1.0, 1.0]), np.array([1.0, 0.0]), 0.25), [0.0, 0.5 * np.log(0.2)])
