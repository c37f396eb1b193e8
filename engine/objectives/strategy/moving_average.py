"""Moving-average crossover with a trailing stop and a volatility target, long only or long and short."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context, Infeasible
from engine.objectives.data import LONG_DAILY, load_series
from engine.objectives.strategy import backtest
from engine.space import Categorical, Float, Int, Objective, SearchSpace

_LONGEST = 300

MOVING_AVERAGE_CROSS = ObjectiveEntry(
    path="engine.objectives.strategy:moving_average_cross",
    title="Moving-average crossover",
    summary=(
        "Long while the fast average of the closes is above the slow one, sized to a target volatility, with a "
        "trailing stop, after costs. Optimised on the older part of the series; the newer part is held out and only "
        "reported. Deterministic, below 1 ms."
    ),
    area="strategy",
    space=SearchSpace(
        [
            Int("fast", 2, 100, log=True, help="Bars of the fast average"),
            Int("slow", 5, _LONGEST, log=True, help="Bars of the slow average"),
            Float("stop_loss", 0.02, 0.5, log=True, help="Trailing stop: fall from the best close since the entry"),
            Float("target_volatility", 0.05, 0.4, log=True, help="Volatility a year that positions are sized to"),
            Int("volatility_lookback", 10, 250, log=True, help="Bars of the volatility estimate"),
            Categorical("direction", ("long_only", "long_short"), help="What a downward cross does: flat or short"),
        ],
        constraints=["fast < slow"],
    ),
    objectives=(Objective("sharpe", "maximize"),),
    outcome_constraints=("max_drawdown <= 0.35",),
    defaults={
        "fast": 50,
        "slow": 200,
        "stop_loss": 0.2,
        "target_volatility": 0.1,
        "volatility_lookback": 60,
        "direction": "long_only",
    },
    settings=(
        Setting("market", "wti", "The series it trades.", choices=LONG_DAILY),
        Setting("cost_bps", 5.0, "Cost of a trade in basis points of its size.", low=0, high=1000),
        Setting("out_of_sample", 0.3, "Share of the bars at the end that is held out.", low=0, high=0.9),
        Setting("max_leverage", 2.0, "Largest position as a multiple of the capital.", low=0.01, high=20),
        Setting("min_trades", 5, "A point with fewer in-sample entries is infeasible.", low=1, high=100_000),
        Setting(
            "warm_up",
            _LONGEST,
            "Bars before the first decision, the same for every trial: at least the longest look-back of the space.",
            low=2,
            high=100_000,
        ),
    ),
    outcomes={
        "sharpe": "In-sample Sharpe ratio a year after costs, risk-free rate 0",
        "annual_return": "In-sample compound return a year after costs, as a share (0.1 = 10 %)",
        "annual_volatility": "In-sample volatility a year, as a share",
        "max_drawdown": "In-sample largest fall from a peak of the equity, as a positive share",
        "turnover": "In-sample traded share of the capital a year, purchases and sales",
        "trades": "In-sample entries",
        "exposure": "In-sample share of bars with a position",
        "sharpe_out_of_sample": "Sharpe ratio a year on the held-out bars",
        "annual_return_out_of_sample": "Compound return a year on the held-out bars, as a share",
        "max_drawdown_out_of_sample": "Largest fall from a peak on the held-out bars, as a positive share",
        "buy_hold_sharpe": "In-sample Sharpe ratio a year of holding the market, without costs",
        "buy_hold_max_drawdown": "In-sample largest fall of holding the market, as a positive share",
        "buy_hold_sharpe_out_of_sample": "Sharpe ratio a year of holding the market on the held-out bars",
    },
)


@dataclass(frozen=True)
class _Prepared:
    """What every trial on a market shares."""

    close: np.ndarray
    returns: np.ndarray
    close_sums: np.ndarray
    square_sums: np.ndarray
    order: backtest.PriceOrder
    bars_per_year: float


def _prepare_arrays(close: np.ndarray, bars_per_year: float) -> _Prepared:
    returns = backtest.simple_returns(close)
    return _Prepared(
        close,
        returns,
        np.concatenate([[0.0], np.cumsum(close)]),
        np.concatenate([[0.0], np.cumsum(returns**2)]),
        backtest.PriceOrder.of(close),
        bars_per_year,
    )


@functools.cache
def _prepare(market: str) -> _Prepared:
    series = load_series(market)
    return _prepare_arrays(series.close, series.market.bars_per_year)


def _target(data: _Prepared, params: Mapping[str, Any], warm_up: int, max_leverage: float) -> np.ndarray:
    """Positions decided at each close; 0 before the close of bar ``warm_up``."""
    fast = backtest.rolling_mean(data.close_sums, params["fast"])
    slow = backtest.rolling_mean(data.close_sums, params["slow"])
    signal = np.sign(fast[warm_up:] - slow[warm_up:])
    if params["direction"] == "long_only":
        signal = np.maximum(signal, 0.0)
    signal = np.concatenate([np.zeros(warm_up), signal])
    signal = backtest.stop_out(signal, data.order, params["stop_loss"])
    variance = backtest.rolling_mean(data.square_sums, params["volatility_lookback"])[warm_up:] * data.bars_per_year
    # A window without any movement would ask for infinite size: the leverage limit is what it gets.
    floor = (params["target_volatility"] / max_leverage) ** 2
    signal[warm_up:] *= params["target_volatility"] / np.sqrt(np.maximum(variance, floor))
    return signal


def _check(params: Mapping[str, Any], settings: Mapping[str, Any], n_bars: int) -> None:
    if params["fast"] >= params["slow"]:
        raise Infeasible(f"fast ({params['fast']}) must be below slow ({params['slow']}).")
    longest = max(params["slow"], params["volatility_lookback"])
    if longest > settings["warm_up"]:
        raise InvalidInput(
            "settings.warm_up", f"is {settings['warm_up']}, but a trial looks back {longest} bars: raise it to that."
        )
    if n_bars < settings["warm_up"] + 252:
        raise InvalidInput(
            "settings.warm_up", f"leaves less than 252 of the {n_bars} bars of {settings['market']}: lower it."
        )


def moving_average_cross(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Backtest of the crossover on a sample series; see ``MOVING_AVERAGE_CROSS`` for parameters and outcomes.

    Parameters that are absent take their default. Raises Infeasible if it trades too rarely or loses everything.
    """
    params, settings = read_arguments(MOVING_AVERAGE_CROSS, params, context)
    data = _prepare(settings["market"])
    return _evaluate(data, params, settings)


def _evaluate(data: _Prepared, params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    n = len(data.close)
    _check(params, settings, n)
    target = _target(data, params, settings["warm_up"], settings["max_leverage"])
    held = backtest.held_positions(target)
    net = backtest.net_returns(held, data.returns, settings["cost_bps"])
    windows = backtest.Windows.of(n, settings["warm_up"], settings["out_of_sample"])

    inside = held[windows.in_sample]
    trades = backtest.count_trades(inside)
    if trades < settings["min_trades"]:
        raise Infeasible(f"Only {trades} in-sample trades; the study asks for at least {settings['min_trades']}.")
    years = len(inside) / data.bars_per_year
    hold = backtest.performance(data.returns[windows.in_sample], data.bars_per_year)
    out = backtest.performance(net[windows.in_sample], data.bars_per_year) | {
        "turnover": float(np.abs(np.diff(inside, prepend=0.0)).sum()) / years,
        "trades": float(trades),
        "exposure": float(np.count_nonzero(inside)) / len(inside),
        "buy_hold_sharpe": hold["sharpe"],
        "buy_hold_max_drawdown": hold["max_drawdown"],
    }
    if windows.held_out:
        later = backtest.performance(net[windows.out_of_sample], data.bars_per_year)
        for name in ("sharpe", "annual_return", "max_drawdown"):
            out[f"{name}_out_of_sample"] = later[name]
        hold = backtest.performance(data.returns[windows.out_of_sample], data.bars_per_year)
        out["buy_hold_sharpe_out_of_sample"] = hold["sharpe"]
    return out
