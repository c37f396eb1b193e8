"""Golden numbers of the papers, recomputed from the formulas, and a peer's implementation as an oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from engine.errors import InvalidInput
from engine.evidence import sharpe

# Base case of the deflated Sharpe ratio paper: 2.5 a year over five years of 250 days, variance .5 between the trials.
BASE = {"sharpe": 2.5 / math.sqrt(250), "observations": 1250, "variance": 0.5 / 250}
FAT = {"skew": -3.0, "kurtosis": 10.0}


@pytest.mark.parametrize(
    ("trials", "shape", "expected", "digits"),
    [
        (100, FAT, 0.9003968, 7),
        (46, FAT, 0.9505017, 7),
        (88, FAT, 0.9101530, 7),
        (1000, FAT, 0.6399150, 7),
        (10, FAT, 0.9938796, 7),
        (88, {}, 0.9504908, 7),
        (100, {}, 0.9427706, 7),
    ],
)
def test_deflated_sharpe_ratio_of_the_paper(trials, shape, expected, digits):
    assert round(sharpe.deflated_sharpe(trials=trials, **BASE, **shape).probability, digits) == expected


@pytest.mark.parametrize(("trials", "maximum", "hurdle"), [(100, 2.5306029, 0.1131720), (46, 2.2441708, 0.1003624)])
def test_hurdle_of_the_paper(trials, maximum, hurdle):
    result = sharpe.deflated_sharpe(trials=trials, **BASE, **FAT)
    assert round(result.expected_maximum, 7) == maximum
    assert round(result.hurdle, 7) == hurdle
    if trials == 100:
        assert round(result.hurdle * math.sqrt(250), 5) == 1.78941


@pytest.mark.parametrize(
    ("shape", "expected"), [({}, 0.98167), ({"skew": -2.448, "kurtosis": 10.164}, 0.91336)], ids=["normal", "fat tails"]
)
def test_probabilistic_sharpe_ratio_of_the_paper(shape, expected):
    assert round(sharpe.probabilistic_sharpe(0.458, 24, **shape), 5) == expected


@pytest.mark.parametrize(
    ("periods", "shape", "observations", "years"),
    [
        (252, {}, 688.21, 2.731),
        (12, {"skew": -0.72, "kurtosis": 5.78}, 59.895, 4.991),
        (252, {"skew": -0.72, "kurtosis": 5.78}, 757.58, 3.006),
        (52, {"skew": -0.72, "kurtosis": 5.78}, 182.72, 3.514),
    ],
)
def test_minimum_track_record_for_2_against_1_a_year(periods, shape, observations, years):
    needed = sharpe.minimum_track_record(2 / math.sqrt(periods), 1 / math.sqrt(periods), **shape)
    assert round(needed, 3 if observations < 100 else 2) == observations
    assert round(needed / periods, 3) == years


@pytest.mark.parametrize(("trials", "years"), [(45, 4.998), (7, 1.923)])
def test_minimum_backtest_length(trials, years):
    assert round(sharpe.minimum_backtest_years(trials), 3) == years
    assert sharpe.minimum_backtest_years(trials) < 2 * math.log(trials)


@pytest.mark.parametrize(
    ("trials", "expected"),
    [(2, 0.519755), (5, 1.192594), (10, 1.574598), (45, 2.235640), (600, 3.106921), (1000, 3.255122)],
)
def test_expected_maximum(trials, expected):
    assert round(sharpe.expected_maximum(trials), 6) == expected


@pytest.mark.parametrize(("trials", "true_mean"), [(10, 1.542), (100, 2.507), (1000, 3.244)])
def test_expected_maximum_is_slightly_above_the_true_mean(trials, true_mean):
    draws = np.random.default_rng(1).standard_normal((4000, trials)).max(axis=1)
    assert draws.mean() == pytest.approx(true_mean, abs=0.03)
    assert 0.0 < sharpe.expected_maximum(trials) - true_mean < 0.04


@given(st.floats(1.0, 1e12), st.floats(1.0, 1e12))
def test_expected_maximum_never_falls_with_more_trials(one, other):
    low, high = sorted([one, other])
    assert 0.0 <= sharpe.expected_maximum(low) <= sharpe.expected_maximum(high)


def test_one_trial_is_not_deflated():
    result = sharpe.deflated_sharpe(0.1, 500, 1, 0.0, -1.0, 6.0)
    assert result.probability == sharpe.probabilistic_sharpe(0.1, 500, 0.0, -1.0, 6.0)


def test_agrees_with_purgedcv():
    purgedcv = pytest.importorskip("purgedcv")
    rng = np.random.default_rng(3)
    for size in (60, 500, 2500):
        returns = rng.standard_t(4, size) * 0.01 + 0.0005
        # purgedcv divides by the population deviation and corrects skew and kurtosis for bias.
        ratio = returns.mean() / returns.std()
        shape = {"skew": stats.skew(returns, bias=False), "kurtosis": stats.kurtosis(returns, bias=False, fisher=False)}
        assert sharpe.probabilistic_sharpe(ratio, size, 0.02, **shape) == pytest.approx(
            purgedcv.probabilistic_sharpe_ratio(returns, 0.02), rel=1e-12
        )
        assert sharpe.deflated_sharpe(ratio, size, 70, 0.002, **shape).probability == pytest.approx(
            purgedcv.deflated_sharpe_ratio(returns, 70, 0.002), rel=1e-12
        )
    needed = sharpe.minimum_track_record(2 / math.sqrt(12), 1 / math.sqrt(12), skew=-0.72, kurtosis=5.78)
    rounded_up = purgedcv.min_track_record_length(2 / math.sqrt(12), 1 / math.sqrt(12), 0.05, -0.72, 5.78)
    assert math.ceil(needed) == rounded_up == 60
    assert purgedcv.minimum_backtest_length(45, 1.0) == pytest.approx(sharpe.minimum_backtest_years(45), rel=1e-12)


def test_track_record_is_where_the_probability_reaches_the_confidence():
    needed = sharpe.minimum_track_record(0.09, 0.03, 0.9, -1.0, 7.0)
    assert sharpe.probabilistic_sharpe(0.09, needed, 0.03, -1.0, 7.0) == pytest.approx(0.9, rel=1e-12)
    assert sharpe.minimum_track_record(0.03, 0.03) == math.inf
    assert sharpe.minimum_track_record(-0.1) == math.inf


def test_moments_are_those_of_scipy():
    x = np.random.default_rng(0).gamma(2.0, 0.01, 400) - 0.015
    result = sharpe.moments(x)
    assert result.sharpe == pytest.approx(x.mean() / x.std(ddof=1), rel=1e-12)
    assert result.skew == pytest.approx(stats.skew(x), rel=1e-12)
    assert result.kurtosis == pytest.approx(stats.kurtosis(x, fisher=False), rel=1e-12)


@given(
    hnp.arrays(np.float64, st.integers(4, 60), elements=st.floats(-1, 1, width=32)),
    st.sampled_from([1e-9, 1e-3, 1.0, 1e6]),
)
def test_every_return_series_gets_a_probability_or_a_sentence(returns, scale):
    try:
        moments = sharpe.moments(returns * scale)
        shape = {"skew": moments.skew, "kurtosis": moments.kurtosis}
        probability = sharpe.probabilistic_sharpe(moments.sharpe, moments.observations, **shape)
    except InvalidInput:
        return
    assert 0.0 <= probability <= 1.0


def test_average_correlation_and_effective_trials():
    rng = np.random.default_rng(5)
    common = rng.standard_normal((800, 1))
    returns = 0.6 * common + 0.8 * rng.standard_normal((800, 30))
    correlations = np.corrcoef(returns, rowvar=False)
    mean = correlations[np.triu_indices(30, 1)].mean()
    assert sharpe.average_correlation(returns) == pytest.approx(mean, rel=1e-10)
    assert sharpe.effective_trials(525, 0.32) == pytest.approx(0.32 + 0.68 * 525)
    assert sharpe.effective_trials(40, 1.0) == 1.0
    assert sharpe.effective_trials(40, 0.0) == 40.0
    assert sharpe.effective_trials(40, -0.02) == 40.0, "anticorrelation must not make more trials than there were"


def test_variance_is_taken_from_the_random_part_where_that_is_larger():
    rng = np.random.default_rng(6)
    ratios = np.concatenate([rng.normal(0.0, 0.05, 20), rng.normal(0.08, 0.005, 80)])
    random = np.arange(100) < 20
    result = sharpe.trial_variance(ratios, random)
    assert result.source == "random"
    assert result.value == pytest.approx(np.var(ratios[:20], ddof=1))
    assert result.all == pytest.approx(np.var(ratios, ddof=1))
    assert sharpe.trial_variance(ratios, ~random).source == "all"
    assert sharpe.trial_variance(ratios).random is None
    assert sharpe.trial_variance(ratios, np.arange(100) == 3).source == "all", "one random trial has no variance"


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: sharpe.moments([0.01, np.nan, 0.0, 0.02]), "returns"),
        (lambda: sharpe.moments([0.01] * 50), "returns"),
        (lambda: sharpe.moments([0.0] * 50), "returns"),
        (lambda: sharpe.moments([0.01, 0.02, 0.0]), "returns"),
        (lambda: sharpe.moments(["a", "b", "c", "d"]), "returns"),
        (lambda: sharpe.moments(np.ones((4, 4))), "returns"),
        (lambda: sharpe.probabilistic_sharpe(math.nan, 100), "sharpe"),
        (lambda: sharpe.probabilistic_sharpe(0.1, 1), "observations"),
        (lambda: sharpe.probabilistic_sharpe(0.1, 100, kurtosis=0.0), "kurtosis"),
        (lambda: sharpe.probabilistic_sharpe(1.0, 100, skew=2.0, kurtosis=5.0), "returns"),
        (lambda: sharpe.deflated_sharpe(0.1, 100, 10, 0.0), "variance"),
        (lambda: sharpe.deflated_sharpe(0.1, 100, 0, 0.1), "trials"),
        (lambda: sharpe.minimum_track_record(0.1, confidence=1.0), "confidence"),
        (lambda: sharpe.minimum_backtest_years(10, 0.0), "target"),
        (lambda: sharpe.column_sharpes(np.zeros((10, 3))), "returns"),
        (lambda: sharpe.trial_variance([0.1, 0.2], [1, 0]), "random"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
