"""The vectorised backtest against a plain loop over the bars, and against figures computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.objectives import Infeasible
from engine.objectives.strategy import backtest

PRICES = st.lists(st.sampled_from([80.0, 90.0, 95.0, 99.0, 100.0, 101.0, 105.0, 110.0, 125.0]), min_size=2, max_size=60)


def loop_stop_out(signal, price, stop):
    out, previous, extreme, stopped = [], None, None, False
    for s, p in zip(signal, price):
        if s != previous:
            previous, extreme, stopped = s, p, False
        extreme = max(extreme, p) if s >= 0 else min(extreme, p)
        if s > 0 and p <= extreme * (1 - stop):
            stopped = True
        if s < 0 and p >= extreme * (1 + stop):
            stopped = True
        out.append(0.0 if stopped else s)
    return out


def loop_net_returns(target, price, cost_bps):
    out, held = [0.0], 0.0
    for t in range(1, len(price)):
        cost = abs(target[t - 1] - held) * cost_bps / 10_000
        held = target[t - 1]
        out.append(held * (price[t] / price[t - 1] - 1) - cost)
    return out


@settings(max_examples=300, deadline=None)
@given(st.data(), PRICES, st.sampled_from([0.01, 0.05, 0.1, 0.2]))
def test_trailing_stop_equals_a_loop_over_the_bars(data, price, stop):
    signal = data.draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=len(price), max_size=len(price)))
    stopped = backtest.stop_out(np.array(signal), backtest.PriceOrder.of(np.array(price)), stop)
    assert stopped.tolist() == loop_stop_out(signal, price, stop)


@settings(max_examples=100, deadline=None)
@given(st.data(), PRICES, st.floats(0, 100))
def test_net_returns_equal_a_loop_over_the_bars(data, price, cost_bps):
    target = data.draw(st.lists(st.floats(-2, 2), min_size=len(price), max_size=len(price)))
    prices = np.array(price)
    net = backtest.net_returns(backtest.held_positions(np.array(target)), backtest.simple_returns(prices), cost_bps)
    np.testing.assert_allclose(net, loop_net_returns(target, price, cost_bps), rtol=0, atol=1e-12)


def test_stop_by_hand():
    price = np.array([100.0, 110.0, 99.1, 99.0, 120.0, 100.0, 104.9, 105.0, 90.0])
    signal = np.array([1.0, 1, 1, 1, 1, -1, -1, -1, -1])
    stopped = backtest.stop_out(signal, backtest.PriceOrder.of(price), 0.1)
    # Long: the best close is 110, so 99 stops it and the later 120 doesn't bring it back.
    assert stopped[:5].tolist() == [1, 1, 1, 0, 0]
    # Short from 100 with 10 %: 105 isn't 110, the trade lives.
    assert stopped[5:].tolist() == [-1, -1, -1, -1]
    assert backtest.stop_out(signal, backtest.PriceOrder.of(price), 0.05)[5:].tolist() == [-1, -1, 0, 0]


def test_costs_by_hand():
    # In at the close of bar 1, turned to half a short at the close of bar 2, out at the close of bar 3; 10 bps.
    price = np.array([100.0, 100.0, 110.0, 99.0, 99.0])
    held = backtest.held_positions(np.array([0.0, 1.0, -0.5, 0.0, 0.0]))
    net = backtest.net_returns(held, backtest.simple_returns(price), 10)
    np.testing.assert_allclose(net, [0, 0, 0.10 - 0.001, -0.5 * -0.10 - 0.0015, -0.0005], atol=1e-15)
    assert backtest.count_trades(held) == 2


def test_a_change_of_size_is_no_trade():
    assert backtest.count_trades(np.array([0.5, 0.7, 0.6, 0.0, 0.2, -0.2, 0.0])) == 3


def test_rolling_mean_by_hand_and_undefined_before_its_window():
    sums = np.concatenate([[0.0], np.cumsum([1.0, 2, 3, 4])])
    mean = backtest.rolling_mean(sums, 3)
    assert np.isnan(mean[:2]).all()
    assert mean[2:].tolist() == [2, 3]


def test_performance_by_hand():
    figures = backtest.performance(np.array([0.1, -0.2, 0.25]), bars_per_year=3)
    assert figures["annual_return"] == pytest.approx(1.1 * 0.8 * 1.25 - 1)
    assert figures["max_drawdown"] == pytest.approx(0.2)
    assert figures["sharpe"] == pytest.approx(0.05 / np.std([0.1, -0.2, 0.25]) * 3**0.5)


def test_a_fall_from_the_start_is_a_drawdown():
    assert backtest.performance(np.array([-0.1, 0.05]), 252)["max_drawdown"] == pytest.approx(0.1)


def test_flat_returns_have_a_sharpe_ratio_of_zero():
    assert backtest.performance(np.zeros(10), 252)["sharpe"] == 0


def test_losing_everything_is_infeasible():
    with pytest.raises(Infeasible, match="loses all its capital"):
        backtest.performance(np.array([0.1, -1.2, 0.1]), 252)


def test_windows_split_the_earning_bars():
    windows = backtest.Windows.of(n_bars=1301, warm_up=300, out_of_sample=0.3)
    assert windows.in_sample == slice(301, 1001)
    assert windows.out_of_sample == slice(1001, 1301)
    assert not backtest.Windows.of(1301, 300, 0.0).held_out
