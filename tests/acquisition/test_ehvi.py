"""Expected hypervolume improvement: against sampling, closed forms, finite differences and mpmath."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import norm

from engine.acquisition.ehvi import Fronts, log_ehvi, log_noisy_ehvi
from engine.acquisition.hypervolume import boxes, hypervolume
from engine.acquisition.log_ei import log_ei
from tests.acquisition.differences import by_column


def problem(m: int, seed: int, n: int = 12, points: int = 6):
    rng = np.random.default_rng(seed)
    front = boxes(rng.normal(size=(n, m)), np.full(m, 1.5))
    return front, rng.normal(size=(points, m)), rng.uniform(0.1, 1.2, size=(points, m))


@pytest.mark.parametrize("m", [2, 3])
def test_against_sampled_hypervolume_improvement(m):
    rng = np.random.default_rng(1)
    Y, reference = rng.normal(size=(8, m)), np.full(m, 1.5)
    mean, std = rng.normal(size=(1, m)) - 0.5, np.full((1, m), 0.6)
    value, _, _ = log_ehvi(mean, std, boxes(Y, reference))
    # Brute force: the hypervolume with and without each draw, by moocore, no boxes involved.
    inside = Y[(reference > Y).all(1)]
    draws = mean + std * rng.standard_normal((20_000, m))
    before = hypervolume(inside, reference)
    gains = np.array([hypervolume(np.vstack([inside, np.minimum(y, reference)]), reference) - before for y in draws])
    assert np.exp(value[0]) == pytest.approx(gains.mean(), abs=4 * gains.std() / np.sqrt(len(draws)))


def test_without_a_front_it_is_a_product_of_expected_improvements():
    rng = np.random.default_rng(2)
    mean, std, reference = rng.normal(size=(9, 3)), rng.uniform(0.1, 2, size=(9, 3)), np.array([0.5, 1.0, 0.2])
    value, _, _ = log_ehvi(mean, std, boxes(np.empty((0, 3)), reference))
    expected = sum(log_ei(mean[:, j], std[:, j], reference[j]) for j in range(3))
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_one_objective_is_expected_improvement():
    mean, std = np.array([[0.3], [1.0]]), np.array([[0.5], [0.1]])
    value, _, _ = log_ehvi(mean, std, boxes(np.array([[0.4], [0.2]]), np.array([2.0])))
    np.testing.assert_allclose(value, log_ei(mean[:, 0], std[:, 0], 0.2), rtol=1e-12)


def test_against_the_defining_integral():
    """Emmerich's definition, which BoTorch's psi and nu evaluate: the integral over y of improvement times density."""
    front = boxes(np.array([[0.0, 0.6], [0.5, -0.2]]), np.array([1.0, 1.0]))
    mean, std = np.array([0.1, 0.2]), np.array([0.4, 0.3])

    def integrand(y2: float, y1: float) -> float:
        density = norm.pdf(y1, mean[0], std[0]) * norm.pdf(y2, mean[1], std[1])
        return density * float(front.improvement(np.array([[y1, y2]]))[0])

    # Integrated between the kinks, where the integrand is smooth.
    cuts1, cuts2 = [-3.0, 0.0, 0.5, 1.0], [-2.5, -0.2, 0.6, 1.0]
    exact = sum(dblquad(integrand, a, b, c, d, epsabs=1e-10)[0] for a, b in pairwise(cuts1) for c, d in pairwise(cuts2))
    assert np.exp(log_ehvi(mean[None], std[None], front)[0][0]) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("m", [2, 3])
def test_gradients(m):
    front, mean, std = problem(m, seed=3)
    _, d_mean, d_std = log_ehvi(mean, std, front)
    np.testing.assert_allclose(d_mean, by_column(lambda x: log_ehvi(x, std, front)[0], mean), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(d_std, by_column(lambda x: log_ehvi(mean, x, front)[0], std), rtol=1e-5, atol=1e-7)


def test_gradients_of_narrow_boxes():
    """Front points that all but coincide in an objective leave strips in which differences cancel."""
    Y = np.array([[0.0, 1.0], [1e-9, 0.5], [2e-9, 0.0]])
    front, mean, std = boxes(Y, np.array([2.0, 2.0])), np.array([[0.4, -0.3], [-0.2, 3.0]]), np.full((2, 2), 0.5)
    value, d_mean, d_std = log_ehvi(mean, std, front)
    wide = log_ehvi(mean, std, boxes(Y[2:], np.array([2.0, 2.0])))
    np.testing.assert_allclose(value, wide[0], atol=1e-7)
    np.testing.assert_allclose(d_mean, wide[1], atol=1e-6)
    np.testing.assert_allclose(d_std, wide[2], atol=1e-6)


@pytest.mark.parametrize("distance", [5.0, 40.0, 1000.0])
def test_far_tail_against_mpmath(distance):
    """EHVI underflows to 0 at 40 deviations; its logarithm and its gradient must not."""
    Y, reference = np.array([[0.0, 1.0], [0.5, 0.25], [1.0, 0.0]]), np.array([2.0, 2.0])
    mean, std = np.array([[distance, distance / 2]]), np.array([[1.0, 0.7]])
    value, d_mean, _ = log_ehvi(mean, std, boxes(Y, reference))
    with mpmath.workdps(700 if distance > 100 else 60):

        def psi(t: float, j: int, mu: mpmath.mpf) -> mpmath.mpf:
            s = mpmath.mpf(std[0, j])
            u = (mpmath.mpf(t) - mu) / s
            return s * (mpmath.npdf(u) + u * mpmath.erfc(-u / mpmath.sqrt(2)) / 2)

        def ehvi(mu: mpmath.mpf) -> mpmath.mpf:
            strips = [(None, 0.0, 2.0), (0.0, 0.5, 1.0), (0.5, 1.0, 0.25), (1.0, 2.0, 0.0)]
            other = mpmath.mpf(mean[0, 1])
            return mpmath.fsum(
                (psi(b, 0, mu) - (0 if a is None else psi(a, 0, mu))) * psi(c, 1, other) for a, b, c in strips
            )

        mu = mpmath.mpf(distance)
        exact, step = ehvi(mu), mpmath.mpf(10) ** -20
        slope = (ehvi(mu + step) - exact) / step / exact
        assert value[0] == pytest.approx(float(mpmath.log(exact)), rel=1e-9)
        assert d_mean[0, 0] == pytest.approx(float(slope), rel=1e-5)


def test_noisy_form_averages_over_fronts_of_different_size():
    rng = np.random.default_rng(4)
    fronts = [boxes(rng.normal(size=(n, 3)), np.full(3, 1.5)) for n in (0, 3, 15)]
    mean, std = rng.normal(size=(3, 5, 3)), rng.uniform(0.1, 1, size=(3, 5, 3))
    value, d_mean, d_std = log_noisy_ehvi(mean, std, Fronts.of(fronts))
    singles = [log_ehvi(mean[s], std[s], fronts[s]) for s in range(3)]
    np.testing.assert_allclose(value, np.log(np.mean([np.exp(v) for v, _, _ in singles], axis=0)), rtol=1e-10)
    share = np.exp([v for v, _, _ in singles])
    share /= share.sum(axis=0)
    for s in range(3):
        np.testing.assert_allclose(d_mean[s], share[s][:, None] * singles[s][1], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(d_std[s], share[s][:, None] * singles[s][2], rtol=1e-8, atol=1e-12)


def test_never_nan_for_extreme_inputs():
    front, _, _ = problem(2, seed=5)
    mean = np.array([[0.0, 0.0], [1e8, 1e8], [-1e8, 0.0], [0.0, 1e8]])
    for size in (1e-9, 1.0, 1e6):
        value, d_mean, d_std = log_ehvi(mean, np.full_like(mean, size), front)
        assert not np.isnan(value).any()
        assert np.isfinite(d_mean).all()
        assert np.isfinite(d_std).all()
