"""Block lengths and intervals against numbers from a documented run of arch 8.0.0 and against known distributions.

The reference numbers came from ``arch.bootstrap.optimal_block_length(x)`` (column "stationary") and
``StationaryBootstrap(9.085, returns, seed=0..2).conf_int(sharpe, 4000, method="percentile")`` on the S&P 500 sample.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.evidence import bootstrap


def autoregression(coefficient, seed=7, observations=1000):
    noise = np.random.default_rng(seed).standard_normal(observations)
    x = np.zeros(observations)
    for t in range(1, observations):
        x[t] = coefficient * x[t - 1] + noise[t]
    return x


@pytest.mark.parametrize(
    ("coefficient", "expected"),
    [(0.0, 1.5494790835771763), (0.3, 7.2815344969735465), (0.7, 22.839020275903938), (-0.5, 1.690148343565605)],
)
def test_block_length_of_autoregressions_equals_arch(coefficient, expected):
    assert bootstrap.optimal_block_length(autoregression(coefficient)) == pytest.approx(expected, rel=1e-10)


def test_block_length_of_sp500_equals_arch(sp500):
    returns = sp500.returns[1:]
    assert bootstrap.optimal_block_length(returns) == pytest.approx(9.08523887, rel=1e-8)
    assert bootstrap.optimal_block_length(np.abs(returns)) == pytest.approx(146.45831244, rel=1e-8)


@given(st.integers(0, 1000), st.integers(10, 200), st.sampled_from([1e-8, 1.0, 1e8]))
def test_block_length_is_within_its_bounds_and_without_unit(seed, observations, scale):
    x = autoregression(0.5, seed, observations)
    length = bootstrap.optimal_block_length(x)
    assert 1.0 <= length <= math.ceil(min(3 * math.sqrt(observations), observations / 3))
    assert bootstrap.optimal_block_length(x * scale + scale) == pytest.approx(length, rel=1e-5)


def test_interval_of_the_sp500_sharpe_ratio(sp500):
    result = bootstrap.interval(sp500.returns[1:], replicates=2000)
    year = math.sqrt(252)
    assert result.estimate * year == pytest.approx(0.28274, abs=1e-5)
    assert result.low * year == pytest.approx(-0.09, abs=0.03)
    assert result.high * year == pytest.approx(0.66, abs=0.03)
    assert result.standard_error * year == pytest.approx(0.193, abs=0.01)
    assert 0.9 < result.share_positive < 0.96


def test_interval_of_a_mean_is_the_normal_one_for_independent_data():
    x = np.random.default_rng(1).standard_normal(900) + 0.2
    result = bootstrap.interval(x, lambda sample: sample.mean(axis=1), block_length=1.0, replicates=4000)
    error = x.std() / 30
    assert result.standard_error == pytest.approx(error, rel=0.05)
    assert result.low == pytest.approx(x.mean() - 1.96 * error, abs=0.3 * error)
    assert result.high == pytest.approx(x.mean() + 1.96 * error, abs=0.3 * error)


def test_dependence_widens_the_interval():
    x = autoregression(0.7, observations=2000)

    def mean(sample):
        return sample.mean(axis=1)

    dependent = bootstrap.interval(x, mean).standard_error
    assert dependent > 1.8 * bootstrap.interval(x, mean, block_length=1.0).standard_error
    # The true error of the mean of this process is 1 / (1 − .7) / sqrt(T).
    assert dependent == pytest.approx(1 / 0.3 / math.sqrt(2000), rel=0.25)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 5.0, 40.0]))
def test_resampled_positions_run_on_in_blocks_of_the_mean_length(seed, length):
    positions = bootstrap.stationary_positions(500, length, 200, np.random.default_rng(seed))
    assert positions.shape == (200, 500)
    assert positions.min() >= 0
    assert positions.max() < 500
    joined = (positions[:, 1:] - positions[:, :-1]) % 500 == 1
    assert np.mean(~joined) == pytest.approx(1 / length, rel=0.1, abs=0.005)


def test_difference_against_itself_is_nothing_and_skill_is_seen():
    rng = np.random.default_rng(3)
    market = rng.standard_normal(1500) * 0.01
    same = bootstrap.difference_interval(market, market)
    assert same.estimate == same.low == same.high == 0.0
    assert same.share_positive == 0.0
    # Common movements cancel: paired times make a small but steady advantage visible.
    better = bootstrap.difference_interval(market + 0.0005 + rng.standard_normal(1500) * 0.001, market)
    assert better.low > 0.0
    assert better.share_positive == 1.0


def test_same_seed_same_interval():
    x = autoregression(0.3)
    assert bootstrap.interval(x, seed=5) == bootstrap.interval(x, seed=5)
    assert bootstrap.interval(x, seed=5) != bootstrap.interval(x, seed=6)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: bootstrap.optimal_block_length([1.0] * 50), "values"),
        (lambda: bootstrap.interval(np.arange(5.0)), "values"),
        (lambda: bootstrap.interval(np.arange(50.0), replicates=10), "replicates"),
        (lambda: bootstrap.interval(np.arange(50.0), level=1.0), "level"),
        (lambda: bootstrap.interval(np.arange(50.0), block_length=0.5), "block_length"),
        (lambda: bootstrap.interval(np.arange(50.0), lambda s: np.full(len(s), np.nan)), "statistic"),
        (lambda: bootstrap.difference_interval(np.arange(50.0), np.arange(40.0)), "values"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
