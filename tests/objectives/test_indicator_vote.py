"""The vote of indicators: who votes, how votes open and close positions, no look-ahead, honest numbers."""

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.objectives import Context, Infeasible, find
from engine.objectives.data import load_series
from engine.objectives.strategy import backtest, indicator_vote, vote
from engine.objectives.strategy.indicators import INDICATORS, WARM_UP, score
from engine.study import StudySpec

ENTRY = find("engine.objectives.strategy:indicator_vote")
TEN = ("rsi", "macd", "bbands", "di", "obv", "ema", "cci", "roc", "aroonosc", "mfi")


def evaluate(params=None, **settings):
    return indicator_vote(params or ENTRY.defaults, Context(settings=settings))


def test_votes_by_hand():
    series = load_series("aapl")
    params = {
        "rsi_timeperiod": 10, "rsi_threshold": 0.4, "rsi_weight": 0.6, "rsi_sense": "reversion",
        "ema_timeperiod": 50, "ema_threshold": 1.0, "ema_weight": 0.2,
    }  # fmt: skip
    votes = vote.weighted_vote(series, params)
    rsi = np.clip(score(INDICATORS["rsi"], series, {"timeperiod": 10}) / 0.4, -1, 1)
    ema = np.clip(score(INDICATORS["ema"], series, {"timeperiod": 50}), -1, 1)
    np.testing.assert_allclose(votes[WARM_UP:], (-0.75 * rsi + 0.25 * ema)[WARM_UP:])
    assert not votes[:WARM_UP].any()
    assert np.abs(votes).max() <= 1


def test_weights_count_by_their_ratio():
    params = {"rsi_weight": 0.2, "macd_weight": 0.4}
    assert evaluate(params) == pytest.approx(evaluate({"rsi_weight": 0.5, "macd_weight": 1.0}))


def test_weight_zero_leaves_an_indicator_out():
    assert evaluate({"rsi_weight": 0.7, "macd_weight": 0.0}) == pytest.approx(evaluate({"rsi_weight": 0.7}))
    with pytest.raises(Infeasible, match="nobody to vote"):
        evaluate({"rsi_weight": 0.0})


def test_the_parameters_name_the_voters():
    only_cci = evaluate({"cci_timeperiod": 20, "cci_sense": "trend"})
    assert only_cci != evaluate()
    assert evaluate({"entry": ENTRY.defaults["entry"]}) == evaluate(), "without any, the catalogue's five"


def test_a_name_that_starts_like_another_is_told_apart():
    assert vote._owner("macd_line_weight") == "macd_line"
    assert vote._owner("macd_weight") == "macd"
    assert vote._owner("stochrsi_fastk_period") == "stochrsi"
    assert vote._owner("entry") is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([-1.0, -0.5, -0.2, -0.1, 0.0, 0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=40),
    st.sampled_from([0.1, 0.3, 0.5]),
    st.sampled_from([0.0, 0.4, 0.9]),
)
def test_entries_and_exits_equal_a_loop(votes, entry, exit_share):
    expected, state = [], 0
    for v in votes:
        if (state == 1 and v < exit_share * entry) or (state == -1 and v > -exit_share * entry):
            state = 0
        if v >= entry:
            state = 1
        elif v <= -entry:
            state = -1
        expected.append(state)
    assert vote.vote_signal(np.array(votes), entry, exit_share, long_only=False).tolist() == expected


@pytest.mark.parametrize("seed", range(4))
def test_the_future_never_changes_the_past(seed):
    series = load_series("aapl")
    [params] = ENTRY.space.decode(ENTRY.space.sample(1, np.random.default_rng(seed)))
    factor = np.ones(len(series))
    factor[1501:] = np.exp(np.random.default_rng(seed).normal(0, 0.03, len(series) - 1501).cumsum())
    changed = {k: getattr(series, k) * factor for k in ("open", "high", "low", "close", "volume")}
    before = vote._target(vote._prepare(series), params, WARM_UP, 2.0)
    after = vote._target(vote._prepare(dataclasses.replace(series, **changed)), params, WARM_UP, 2.0)
    np.testing.assert_array_equal(before[:1501], after[:1501])
    assert not before[:WARM_UP].any()


def test_defaults_have_known_figures():
    out = evaluate()
    assert out["sharpe"] == pytest.approx(1.135, abs=2e-3)
    assert out["sharpe_out_of_sample"] == pytest.approx(0.450, abs=2e-3)
    assert out["trades"] == 53
    assert set(out) == set(ENTRY.outcomes)


def test_robust_sharpe_is_of_the_folds():
    out = evaluate(folds=4, dispersion_penalty=0)
    assert out["worst_fold_sharpe"] <= out["robust_sharpe"]
    assert evaluate(folds=4, dispersion_penalty=1)["robust_sharpe"] < out["robust_sharpe"]


@pytest.mark.parametrize("market", ["ibm", "sp500", "btcusd", "eurusd"])
def test_random_points_give_finite_outcomes(market):
    for params in ENTRY.space.decode(ENTRY.space.sample(15, np.random.default_rng(1))):
        try:
            out = evaluate(params, market=market)
        except Infeasible:
            continue
        assert all(type(v) is float and np.isfinite(v) for v in out.values())


def test_a_market_without_volume_says_so():
    with pytest.raises(InvalidInput, match="which wti has not"):
        evaluate(market="wti")
    assert "sharpe" in evaluate({"rsi_weight": 1, "ema_weight": 0.5}, market="wti")


def test_every_indicator_of_the_library_can_be_tuned_in_a_study():
    space = vote.vote_space(TEN)
    spec = StudySpec.from_dict({"name": "ten", "objective": ENTRY.path, **space.to_dict()})
    assert len(spec.space) > 35
    assert spec.space.check(vote.vote_defaults(TEN))


def test_ten_indicators_on_five_thousand_bars_are_quick():
    params = vote.vote_defaults(TEN)
    evaluate(params, market="sp500", min_trades=1)
    start = time.perf_counter()
    for _ in range(5):
        evaluate(params, market="sp500", min_trades=1)
    assert (time.perf_counter() - start) / 5 < 0.1


def test_backtest_of_a_vote_counts_its_costs():
    free, dear = evaluate(cost_bps=0), evaluate(cost_bps=20)
    gap = free["annual_return"] - dear["annual_return"]
    assert gap == pytest.approx(dear["turnover"] * 20e-4, rel=0.15)
    assert backtest.count_trades(np.array([0.0, 1.0, 0.0, 1.0])) == 2
