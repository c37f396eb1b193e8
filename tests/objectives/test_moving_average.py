"""The moving-average crossover: no look-ahead, comparable trials, honest windows, known numbers on the sample data."""

import itertools
import time

import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.objectives import Context, Infeasible
from engine.objectives.data import LONG_DAILY, load_series
from engine.objectives.strategy import backtest, moving_average, moving_average_cross
from engine.objectives.strategy.moving_average import MOVING_AVERAGE_CROSS as ENTRY


def samples(n, seed=0):
    return ENTRY.space.decode(ENTRY.space.sample(n, np.random.default_rng(seed)))


def evaluate(params=None, **settings):
    return moving_average_cross(params or ENTRY.defaults, Context(settings=settings))


def targets(close, params, warm_up=300):
    return moving_average._target(moving_average._prepare_arrays(close, 252), params, warm_up, 2.0)


@pytest.mark.parametrize("params", [ENTRY.defaults, *samples(12, seed=1)])
def test_the_future_never_changes_the_past(params):
    close = load_series("wti").close[:2000]
    rng = np.random.default_rng(3)
    for cut in (500, 1234, 1900):
        changed = close.copy()
        changed[cut + 1 :] *= np.exp(rng.normal(0, 0.05, len(close) - cut - 1).cumsum())
        before, after = targets(close, params), targets(changed, params)
        np.testing.assert_array_equal(before[: cut + 1], after[: cut + 1])
        net = [
            backtest.net_returns(backtest.held_positions(t), backtest.simple_returns(c), 5)
            for t, c in ((before, close), (after, changed))
        ]
        np.testing.assert_array_equal(net[0][: cut + 1], net[1][: cut + 1])


def test_the_decision_of_a_close_earns_from_the_next_bar_on():
    """On a price that jumps once, a rule that follows the jump can't have earned it."""
    close = np.concatenate([np.full(400, 100.0), np.full(400, 200.0)])
    close += np.sin(np.arange(800)) * 1e-3
    target = targets(close, ENTRY.defaults | {"fast": 2, "slow": 5})
    held = backtest.held_positions(target)
    assert target[400] > 0
    assert held[400] == target[399]


@pytest.mark.parametrize("direction", ["long_only", "long_short"])
def test_warm_up_is_the_same_for_every_trial(direction):
    for params in samples(10, seed=2):
        target = targets(load_series("wti").close, params | {"direction": direction})
        assert not target[:300].any()
    hold = {evaluate(p)["buy_hold_sharpe"] for p in samples(20, seed=4)}
    assert len(hold) == 1, "every trial is measured on the same bars"


def test_long_only_is_never_short_and_size_stays_below_the_leverage_limit():
    for params in samples(20, seed=5):
        target = targets(load_series("wti").close, params)
        assert np.abs(target).max() <= 2.0 + 1e-12
        if params["direction"] == "long_only":
            assert target.min() >= 0


def test_target_volatility_is_met_on_average():
    close = load_series("sp500").close
    params = ENTRY.defaults | {
        "fast": 2,
        "slow": 3,
        "stop_loss": 0.5,
        "target_volatility": 0.1,
        "direction": "long_short",
    }
    held = backtest.held_positions(targets(close, params))
    realised = np.std((held * backtest.simple_returns(close))[301:]) * 252**0.5
    assert realised == pytest.approx(0.1, rel=0.15)


def loop_sharpe(close, params, warm_up=300, cost_bps=5.0, max_leverage=2.0, share=0.7):
    """The whole strategy bar by bar, as one would write it without numpy."""
    returns = [0.0] + [b / a - 1 for a, b in itertools.pairwise(close)]
    held, previous_signal, stopped, extreme, net = 0.0, None, False, 0.0, []
    target = 0.0
    for t in range(warm_up, len(close)):
        if t > warm_up:
            net.append(target * returns[t] - abs(target - held) * cost_bps / 1e4)
            held = target
        fast = sum(close[t - params["fast"] + 1 : t + 1]) / params["fast"]
        slow = sum(close[t - params["slow"] + 1 : t + 1]) / params["slow"]
        signal = 1 if fast > slow else -1 if params["direction"] == "long_short" else 0
        if signal != previous_signal:
            previous_signal, stopped, extreme = signal, False, close[t]
        extreme = max(extreme, close[t]) if signal > 0 else min(extreme, close[t])
        stop = params["stop_loss"]
        stopped |= (signal > 0 and close[t] <= extreme * (1 - stop)) or (
            signal < 0 and close[t] >= extreme * (1 + stop)
        )
        past = returns[t - params["volatility_lookback"] + 1 : t + 1]
        volatility = (sum(r * r for r in past) / len(past) * 252) ** 0.5
        target = 0.0 if stopped else signal * min(params["target_volatility"] / volatility, max_leverage)
    inside = net[: round(len(net) * share)]
    mean = sum(inside) / len(inside)
    return mean / (sum((x - mean) ** 2 for x in inside) / len(inside)) ** 0.5 * 252**0.5


@pytest.mark.parametrize("params", [ENTRY.defaults, *samples(4, seed=8)])
def test_equals_the_strategy_written_bar_by_bar(params):
    close = load_series("aapl").close
    expected = loop_sharpe(close.tolist(), params)
    assert evaluate(params, market="aapl", min_trades=1)["sharpe"] == pytest.approx(expected, abs=1e-9)


def test_defaults_have_known_figures():
    wti = evaluate()
    assert wti["sharpe"] == pytest.approx(0.3029363, abs=1e-6)
    assert wti["max_drawdown"] == pytest.approx(0.316, abs=1e-3)
    assert wti["trades"] == 15
    assert wti["buy_hold_sharpe"] == pytest.approx(0.357, abs=1e-3)
    assert wti["sharpe_out_of_sample"] == pytest.approx(-0.147, abs=1e-3)
    assert evaluate(market="aapl")["sharpe"] == pytest.approx(0.548, abs=1e-3)


def test_a_known_point_beats_the_defaults():
    better = {"fast": 4, "slow": 105, "stop_loss": 0.16, "target_volatility": 0.2, "volatility_lookback": 12}
    tuned, default = evaluate(better), evaluate()
    assert tuned["sharpe"] > default["sharpe"] + 0.15
    assert tuned["max_drawdown"] < 0.35


def test_buy_and_hold_is_what_holding_the_series_earned():
    close = load_series("wti").close
    count = len(close) - 301
    window = slice(301, 301 + round(count * 0.7))
    returns = (close[1:] / close[:-1] - 1)[window.start - 1 : window.stop - 1]
    assert evaluate()["buy_hold_sharpe"] == pytest.approx(returns.mean() / returns.std() * 252**0.5)


def test_nothing_held_out_reports_nothing_out_of_sample():
    out = evaluate(out_of_sample=0)
    assert not [name for name in out if name.endswith("out_of_sample")]


def test_higher_costs_earn_less():
    sharpe = [evaluate(cost_bps=c)["sharpe"] for c in (0, 5, 50)]
    assert sharpe == sorted(sharpe, reverse=True)
    assert len(set(sharpe)) == 3


def test_too_few_trades_are_infeasible_with_a_sentence():
    with pytest.raises(Infeasible, match="Only 15 in-sample trades; the study asks for at least 100"):
        evaluate(min_trades=100)


def test_a_fast_average_that_is_not_faster_is_infeasible():
    with pytest.raises(Infeasible, match=r"fast \(60\) must be below slow \(60\)"):
        evaluate(ENTRY.defaults | {"fast": 60, "slow": 60})


def test_a_look_back_beyond_the_warm_up_says_which_setting_to_raise():
    with pytest.raises(InvalidInput, match="looks back 400 bars: raise it") as error:
        evaluate(ENTRY.defaults | {"slow": 400})
    assert error.value.field == "settings.warm_up"
    assert "sharpe" in evaluate(ENTRY.defaults | {"slow": 400}, warm_up=400)


def test_a_warm_up_that_leaves_no_data_is_refused():
    with pytest.raises(InvalidInput, match="leaves less than 252"):
        evaluate(warm_up=8300)


@pytest.mark.parametrize("market", LONG_DAILY)
def test_every_market_gives_finite_documented_outcomes(market):
    assert set(evaluate(market=market)) == set(ENTRY.outcomes)
    for params in samples(60, seed=6):
        try:
            out = evaluate(params, market=market)
        except Infeasible:
            continue
        assert all(np.isfinite(v) for v in out.values()), params
        assert all(type(v) is float for v in out.values())


def test_extreme_settings_never_give_nan():
    for params in samples(60, seed=7):
        try:
            out = evaluate(params | {"target_volatility": 0.4}, max_leverage=20, cost_bps=1000, min_trades=1)
        except Infeasible:
            continue
        assert all(np.isfinite(v) for v in out.values())


def test_an_evaluation_is_quick():
    evaluate()
    start = time.perf_counter()
    for _ in range(10):
        evaluate()
    assert (time.perf_counter() - start) / 10 < 0.05
