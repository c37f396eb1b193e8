"""Knowledge gradient: the envelope of lines against dense sampling, finite differences and degenerate inputs."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from engine.acquisition.knowledge_gradient import log_envelope_gain, log_knowledge_gradient
from engine.acquisition.log_ei import log_ei
from tests.acquisition.differences import by_column, elementwise

GRID = norm.ppf((np.arange(200_000) + 0.5) / 200_000)  # a dense stratified sample of z


def sampled_gain(level: np.ndarray, slope: np.ndarray) -> float:
    return float((level[:, None] + slope[:, None] * GRID).max(0).mean() - level.max())


def problem(seed: int, B: int = 6, A: int = 9):
    """Means and a joint covariance of A set points and B candidates, as of some posterior."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(A + B, A + B)) * 0.4
    C = root @ root.T
    return rng.normal(size=A), rng.normal(size=B), C[A:, :A], np.diagonal(C)[A:].copy(), 0.3


@pytest.mark.parametrize("seed", range(3))
def test_against_dense_sampling(seed):
    mean, mean_x, covariance, variance, noise = problem(seed)
    value, *_ = log_knowledge_gradient(mean, mean_x, covariance, variance, noise)
    for b in range(len(mean_x)):
        lines = np.append(covariance[b], variance[b]) / np.sqrt(variance[b] + noise)
        exact = sampled_gain(-np.append(mean, mean_x[b]), lines)
        assert np.exp(value[b]) == pytest.approx(exact, rel=2e-3, abs=1e-7)


def test_of_an_independent_point_it_is_expected_improvement():
    """The set stays where it is, so the gain is that of the point's own mean below the best of the set."""
    mean_x, variance, noise = np.array([0.5, 0.1, 2.0]), np.array([1.0, 0.2, 0.5]), 0.1
    value, *_ = log_knowledge_gradient(np.array([0.3]), mean_x, np.zeros((3, 1)), variance, noise)
    deviation = variance / np.sqrt(variance + noise)
    # E max(a, b + s z) - max(a, b): less than EI where the point's mean is the better one already.
    expected = np.exp(log_ei(mean_x, deviation, 0.3)) - np.maximum(0.3 - mean_x, 0)
    np.testing.assert_allclose(np.exp(value), expected, rtol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_gradients(seed):
    mean, mean_x, covariance, variance, noise = problem(seed)
    _, d_mean, d_covariance, d_variance = log_knowledge_gradient(mean, mean_x, covariance, variance, noise)

    def kg(m=mean_x, c=covariance, v=variance):
        return log_knowledge_gradient(mean, m, c, v, noise)[0]

    np.testing.assert_allclose(d_mean, elementwise(lambda m: kg(m=m), mean_x), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(d_covariance, by_column(lambda c: kg(c=c), covariance), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(d_variance, elementwise(lambda v: kg(v=v), variance), rtol=1e-5, atol=1e-8)


coarse = st.integers(-4, 4).map(float)  # ties, parallel lines and three lines through a point


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7).flatmap(lambda n: arrays(float, (2, n), elements=coarse)))
def test_ties_and_parallel_lines(lines):
    level, slope = lines
    value, d_level, d_slope = log_envelope_gain(level[None], slope[None])
    assert np.exp(value[0]) == pytest.approx(sampled_gain(level, slope), rel=2e-3, abs=1e-5)
    assert np.isfinite(d_level).all()
    assert np.isfinite(d_slope).all()


def test_batches_agree_with_single_rows_also_in_blocks():
    rng = np.random.default_rng(0)
    level, slope = rng.normal(size=(700, 70)), rng.normal(size=(700, 70))
    whole = log_envelope_gain(level, slope)
    for b in (0, 350, 699):
        for joined, single in zip(whole, log_envelope_gain(level[[b]], slope[[b]])):
            np.testing.assert_array_equal(joined[b], single[0])


def test_far_tail_keeps_its_digits():
    """Two lines that cross 60 deviations out: the gain is h(-60), below the smallest number that exp can make."""
    value, d_level, _ = log_envelope_gain(np.array([[60.0, 0.0]]), np.array([[0.0, 1.0]]))
    with mpmath.workdps(900):
        c = mpmath.mpf(60)
        tail = mpmath.erfc(c / mpmath.sqrt(2)) / 2
        gain = mpmath.npdf(c) - c * tail
        assert value[0] == pytest.approx(float(mpmath.log(gain)), rel=1e-11)
    assert d_level.shape == (1, 2)


def test_a_point_that_tells_nothing_has_no_gain():
    value, d_mean, d_covariance, d_variance = log_knowledge_gradient(
        np.array([0.0, 1.0]), np.array([0.5]), np.zeros((1, 2)), np.zeros(1), 0.1
    )
    assert value[0] == -np.inf
    assert np.isfinite(np.concatenate([d_mean, d_covariance[0], d_variance])).all()
