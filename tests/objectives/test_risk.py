"""The portfolio against a plain loop over days and stocks, and the limits that it promises to keep."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.objectives import Context, Infeasible, find, risk
from engine.objectives.risk import portfolio_limits

ENTRY = find("engine.objectives.risk:portfolio_limits")


def market(n=400, k=5, seed=0):
    rng = np.random.default_rng(seed)
    return 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, (n, k)), axis=0))


def loop_portfolio(closes, days, wanted, stop, cooldown, cost_bps):
    """Day by day: positions in currency, a best close each, cash; sells at a stop's close, charges the day after."""
    n, k = closes.shape
    held, cash, best, free_from = np.zeros(k), 1.0, np.zeros(k), np.zeros(k, dtype=int)
    returns, owed, m = np.zeros(n), 0.0, 0
    for t in range(days[0], n):
        if t > days[0]:
            before = held.sum() + cash
            held = held * closes[t] / closes[t - 1]
            after = held.sum() + cash
            returns[t] = after / before - 1 - owed * cost_bps / 1e4
        value, owed = held.sum() + cash, 0.0
        best = np.where(held > 0, np.maximum(best, closes[t]), 0.0)
        sold = np.zeros(k, dtype=bool)
        for i in range(k):
            if held[i] > 0 and t > days[0] and closes[t, i] <= best[i] * (1 - stop):
                sold[i], free_from[i] = True, t + max(cooldown, 1)
        if m < len(days) and t == days[m]:
            new = np.where(free_from > t, 0.0, wanted[m]) * value
            owed = np.abs(new - held).sum() / value
            best = np.where(new > 0, np.where((held > 0) & ~sold, best, closes[t]), 0.0)
            held, cash, m = new, value - new.sum(), m + 1
        elif sold.any():
            owed = held[sold].sum() / value
            cash += held[sold].sum()
            held = np.where(sold, 0.0, held)
    return returns


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([2, 5, 17]),
    st.sampled_from([0.01, 0.04, 0.1, 0.3]),
    st.sampled_from([0, 1, 8]),
)
def test_simulation_equals_a_loop_over_days_and_stocks(seed, every, stop, cooldown):
    rng = np.random.default_rng(seed)
    closes = market(120, 4, seed)
    days = np.arange(10, 119, every)
    wanted = rng.dirichlet(np.ones(4), len(days)) * rng.choice([0, 1, 1], (len(days), 4)) * 1.4
    holdings = risk.apply_stops(closes, days, wanted, stop, cooldown)
    returns, _, _ = risk.portfolio_returns(closes, holdings, 10)
    np.testing.assert_allclose(returns, loop_portfolio(closes, days, wanted, stop, cooldown, 10), atol=1e-12)


def test_covariances_are_those_of_numpy():
    data = risk._prepare_arrays(market())
    days = np.array([100, 399])
    for day, covariance in zip(days, risk.covariances(data, days, 60)):
        expected = np.cov(data.returns[day - 59 : day + 1].T, bias=True)
        np.testing.assert_allclose(covariance, expected, rtol=1e-6, atol=1e-12)


def test_selection_by_hand():
    momentum = np.array([[0.3, 0.2, 0.1, -0.1]])
    correlation = np.array([[[1, 0.9, 0.2, 0.1], [0.9, 1, 0.1, 0.1], [0.2, 0.1, 1, 0.1], [0.1, 0.1, 0.1, 1]]])
    assert risk.select(momentum, correlation, 0.7).tolist() == [[True, False, True, False]]
    assert risk.select(momentum, correlation, 0.95).tolist() == [[True, True, True, False]]


def test_targets_keep_every_limit():
    data = risk._prepare()
    days = np.arange(252, len(data.closes) - 1, 21)
    for params in ENTRY.space.decode(ENTRY.space.sample(20, np.random.default_rng(0))):
        weights = risk.target_weights(data, days, params)
        assert weights.min() >= 0
        gross = weights.sum(axis=1)
        assert gross.max() <= params["leverage_max"] + 1e-9
        covariance = risk.covariances(data, days, params["risk_lookback"])
        volatility = np.sqrt(np.einsum("mi,mij,mj->m", weights, covariance, weights) * 252)
        assert volatility.max() <= params["target_volatility"] * (1 + 1e-6)


def test_the_future_never_changes_the_past():
    closes = risk._prepare().closes
    changed = closes.copy()
    changed[3001:] *= np.exp(np.random.default_rng(0).normal(0, 0.03, changed[3001:].shape).cumsum(axis=0))
    days = np.arange(252, len(closes) - 1, 10)
    for params in ENTRY.space.decode(ENTRY.space.sample(3, np.random.default_rng(1))):
        results = []
        for prices in (closes, changed):
            data = risk._prepare_arrays(prices)
            weights = risk.target_weights(data, days, params)
            holdings = risk.apply_stops(prices, days, weights, params["stop_loss"], params["cooldown"])
            results.append(risk.portfolio_returns(prices, holdings, 5)[0][:3001])
        np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-12)


def test_expected_shortfall_by_hand():
    returns = np.concatenate([[-0.1, -0.06], np.full(78, 0.01)])
    assert risk.expected_shortfall(returns) == pytest.approx(0.08)


def test_defaults_have_known_figures():
    out = portfolio_limits(ENTRY.defaults)
    assert set(out) <= set(ENTRY.outcomes) | {"annual_volatility"}
    assert out["sharpe"] == pytest.approx(0.3294, abs=1e-3)
    assert out["max_drawdown"] == pytest.approx(0.3178, abs=1e-3)
    assert out["expected_shortfall"] == pytest.approx(0.0185, abs=1e-4)
    assert out["equal_weight_sharpe"] == pytest.approx(0.628, abs=1e-3)
    assert out["equal_weight_max_drawdown"] == pytest.approx(0.484, abs=1e-3)


def test_higher_costs_earn_less_by_their_turnover():
    free = portfolio_limits(ENTRY.defaults, Context(settings={"cost_bps": 0}))
    dear = portfolio_limits(ENTRY.defaults, Context(settings={"cost_bps": 50}))
    assert free["annual_return"] - dear["annual_return"] == pytest.approx(free["turnover"] * 50e-4, rel=0.1)


def test_a_tighter_stop_is_hit_more_often():
    stops = [portfolio_limits(ENTRY.defaults | {"stop_loss": s})["stops"] for s in (0.03, 0.08, 0.4)]
    assert stops == sorted(stops, reverse=True)
    assert stops[0] > 2 * stops[1]


def test_random_points_give_finite_documented_outcomes():
    for params in ENTRY.space.decode(ENTRY.space.sample(25, np.random.default_rng(2))):
        out = portfolio_limits(params)
        assert set(out) == set(ENTRY.outcomes)
        assert all(type(v) is float and np.isfinite(v) for v in out.values())


def test_a_falling_market_holds_nothing_and_is_infeasible():
    data = risk._prepare_arrays(np.exp(-np.linspace(0, 1, 800))[:, None] * np.linspace(50, 100, 4))
    with pytest.raises(Infeasible, match="never holds a stock"):
        risk._evaluate(data, ENTRY.defaults, {"cost_bps": 5.0, "out_of_sample": 0.3})


def test_a_look_back_beyond_the_warm_up_is_refused():
    with pytest.raises(InvalidInput, match="between 2 and 252 days"):
        portfolio_limits(ENTRY.defaults | {"momentum_lookback": 300})


def test_an_evaluation_is_quick():
    portfolio_limits(ENTRY.defaults)
    start = time.perf_counter()
    for _ in range(3):
        portfolio_limits(ENTRY.defaults)
    assert (time.perf_counter() - start) / 3 < 0.15
