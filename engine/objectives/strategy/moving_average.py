"""Moving-average crossover with a trailing stop and a volatility target, long only or long and short."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.objectives.catalogue import ObjectiveEntry, read_arguments
from engine.objectives.context import Context, Infeasible
from engine.objectives.data import LONG_DAILY, load_series
from engine.objectives.returns import ReturnSeries
from engine.objectives.strategy import backtest, report
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
    settings=report.common_settings(LONG_DAILY, "wti", warm_up=_LONGEST),
    outcomes=report.OUTCOMES,
    returns="engine.objectives.strategy.moving_average:moving_average_returns",
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
    size = report.volatility_size(
        data.square_sums, params["volatility_lookback"], params["target_volatility"], data.bars_per_year, max_leverage
    )
    signal[warm_up:] *= size[warm_up:]
    return signal


def _run(params: Mapping[str, Any], context: Context | None) -> report.Run:
    values, settings = read_arguments(MOVING_AVERAGE_CROSS, params, context)
    if values["fast"] >= values["slow"]:
        raise Infeasible(f"fast ({values['fast']}) must be below slow ({values['slow']}).")
    data = _prepare(settings["market"])
    windows = report.windows(len(data.close), max(values["slow"], values["volatility_lookback"]), settings)
    target = _target(data, values, settings["warm_up"], settings["max_leverage"])
    dates = load_series(settings["market"]).dates
    return report.Run(target, data.returns, dates, data.bars_per_year, windows, settings)


def moving_average_cross(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Backtest of the crossover on a sample series; see ``MOVING_AVERAGE_CROSS`` for parameters and outcomes.

    Parameters that are absent take their default. Raises Infeasible if it trades too rarely or loses everything.
    """
    return _run(params, context).outcomes()


def moving_average_returns(params: Mapping[str, Any], context: Context | None = None) -> ReturnSeries:
    """The returns behind ``moving_average_cross``."""
    return _run(params, context).series()
