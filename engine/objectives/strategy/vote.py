"""A strategy built of technical indicators: each votes, the weighted vote opens and closes positions."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context, Infeasible
from engine.objectives.data import Series, load_series
from engine.objectives.returns import ReturnSeries
from engine.objectives.strategy import backtest, report
from engine.objectives.strategy.indicators import INDICATORS, WARM_UP, score
from engine.space import Categorical, Float, Int, Objective, Parameter, SearchSpace

MARKETS = ("aapl", "ibm", "msft", "sp500", "wti", "btcusd", "eurusd")
_DEFAULT = ("rsi", "macd", "bbands", "di", "obv")

_TRADING: list[Parameter] = [
    Float("entry", 0.05, 0.9, help="Weighted vote, from -1 to 1, that opens a position"),
    Float("exit_share", 0.0, 0.95, help="Vote below which it is closed, as a share of entry"),
    Float("stop_loss", 0.02, 0.5, log=True, help="Trailing stop: fall from the best close since the entry"),
    Float("target_volatility", 0.05, 0.4, log=True, help="Volatility a year that positions are sized to"),
    Int("volatility_lookback", 10, 250, log=True, help="Bars of the volatility estimate"),
    Categorical("direction", ("long_only", "long_short"), help="Whether a negative vote opens a short"),
]
_TRADING_DEFAULTS = {
    "entry": 0.2,
    "exit_share": 0.0,
    "stop_loss": 0.2,
    "target_volatility": 0.1,
    "volatility_lookback": 60,
    "direction": "long_only",
}
_LIBRARY = {p.name: p for indicator in INDICATORS.values() for p in indicator.space()}


def vote_space(indicators: tuple[str, ...]) -> SearchSpace:
    """The space of a vote of some indicators of the library, without their sense, and the trading rules."""
    chosen = [p for name in indicators for p in INDICATORS[name].space() if not p.name.endswith("_sense")]
    names = {p.name for p in chosen}
    ordered = [
        f"{name}_fastperiod < {name}_slowperiod"
        for name in indicators
        if {f"{name}_fastperiod", f"{name}_slowperiod"} <= names
    ]
    return SearchSpace([*chosen, *_TRADING], constraints=ordered)


def vote_defaults(indicators: tuple[str, ...]) -> dict[str, Any]:
    """TA-Lib's own parameters, equal weights, full votes at half of a strong reading."""
    own = {k: v for name in indicators for k, v in INDICATORS[name].defaults().items() if not k.endswith("_sense")}
    return own | _TRADING_DEFAULTS


INDICATOR_VOTE = ObjectiveEntry(
    path="engine.objectives.strategy:indicator_vote",
    title="Vote of technical indicators",
    summary=(
        f"Up to {len(INDICATORS)} indicators of TA-Lib with tunable parameters: those that a study's parameters name "
        "(rsi_timeperiod, rsi_threshold, rsi_weight, rsi_sense …) vote, the weighted vote opens and closes positions "
        "with a trailing stop and a volatility target. Needs tunedesk[indicators]. Deterministic, a few ms."
    ),
    area="strategy",
    space=vote_space(_DEFAULT),
    objectives=(Objective("sharpe", "maximize"),),
    outcome_constraints=("max_drawdown <= 0.35",),
    defaults=vote_defaults(_DEFAULT),
    settings=(
        *report.common_settings(MARKETS, "aapl", WARM_UP),
        Setting("folds", 5, "Equal parts of the in-sample bars that robust_sharpe looks at.", low=2, high=50),
        Setting("dispersion_penalty", 0.5, "Weight of the folds' deviation in robust_sharpe.", low=0, high=10),
    ),
    outcomes=report.OUTCOMES
    | {
        "robust_sharpe": "Mean in-sample Sharpe ratio of the folds less dispersion_penalty times their deviation",
        "worst_fold_sharpe": "Sharpe ratio of the worst fold",
    },
    requires={"talib": "tunedesk[indicators]"},
    returns="engine.objectives.strategy.vote:vote_returns",
    further=_LIBRARY,
)


@dataclass(frozen=True)
class _Prepared:
    series: Series
    returns: np.ndarray
    square_sums: np.ndarray
    order: backtest.PriceOrder


def _prepare(series: Series) -> _Prepared:
    returns = backtest.simple_returns(series.close)
    square_sums = np.concatenate([[0.0], np.cumsum(returns**2)])
    return _Prepared(series, returns, square_sums, backtest.PriceOrder.of(series.close))


@functools.cache
def _market(name: str) -> _Prepared:
    return _prepare(load_series(name))


@functools.cache
def _owner(parameter: str) -> str | None:
    """The indicator that a parameter belongs to; None for a trading rule."""
    names = [name for name in INDICATORS if re.match(rf"{name}_", parameter) and parameter in _LIBRARY]
    return max(names, key=len) if names else None


def weighted_vote(series: Series, params: Mapping[str, Any]) -> np.ndarray:
    """The vote at every bar (n,), in [-1, 1]; 0 before the longest warm-up.

    A vote grows linearly to 1 (or -1) where the score reaches its threshold. Weights are divided by their sum.
    """
    chosen = list(dict.fromkeys(name for p in params if (name := _owner(p)) is not None))
    total, weights = np.zeros(len(series)), 0.0
    for name in chosen:
        indicator = INDICATORS[name]
        values = indicator.defaults() | {k: v for k, v in params.items() if _owner(k) == name}
        weight = values[f"{name}_weight"]
        if weight <= 0:
            continue
        own = {p: values[f"{name}_{p}"] for p in indicator.parameters}
        vote = np.clip(score(indicator, series, own) / values[f"{name}_threshold"], -1.0, 1.0)
        total += (weight if values[f"{name}_sense"] == "trend" else -weight) * vote
        weights += weight
    if weights <= 0:
        raise Infeasible("Every indicator has weight 0: there is nobody to vote.")
    total /= weights
    total[:WARM_UP] = 0.0
    return total


def _carried(enter: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """1 from a bar that enters to before the next that leaves, else 0."""
    event = np.where(enter | leave, np.arange(len(enter)), 0)
    return np.where(enter, 1.0, 0.0)[np.maximum.accumulate(event)]


def vote_signal(vote: np.ndarray, entry: float, exit_share: float, long_only: bool) -> np.ndarray:
    """-1, 0 or 1 (n,): opened at a vote of at least ``entry``, closed below exit_share of it, mirrored for shorts."""
    long = _carried(vote >= entry, vote < exit_share * entry)
    if long_only:
        return long
    return long - _carried(vote <= -entry, vote > -exit_share * entry)


def _target(data: _Prepared, params: Mapping[str, Any], warm_up: int, max_leverage: float) -> np.ndarray:
    vote = weighted_vote(data.series, params)
    vote[:warm_up] = 0.0
    signal = vote_signal(vote, params["entry"], params["exit_share"], params["direction"] == "long_only")
    signal = backtest.stop_out(signal, data.order, params["stop_loss"])
    size = report.volatility_size(
        data.square_sums,
        params["volatility_lookback"],
        params["target_volatility"],
        data.series.market.bars_per_year,
        max_leverage,
    )
    signal[warm_up:] *= size[warm_up:]
    return signal


def _run(params: Mapping[str, Any], context: Context | None) -> report.Run:
    values, settings = read_arguments(INDICATOR_VOTE, params, context)
    if any(_owner(name) for name in params):
        voters = {_owner(name) for name in params}
        values = {k: v for k, v in values.items() if (owner := _owner(k)) is None or owner in voters}
    data = _market(settings["market"])
    windows = report.windows(len(data.series), max(WARM_UP, values["volatility_lookback"]), settings)
    target = _target(data, values, settings["warm_up"], settings["max_leverage"])
    year = data.series.market.bars_per_year
    return report.Run(target, data.returns, data.series.dates, year, windows, settings)


def indicator_vote(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Backtest of a vote of indicators; see ``INDICATOR_VOTE`` for parameters and outcomes.

    The indicators are those that the parameters name; without any, the catalogue's five.
    """
    run = _run(params, context)
    out = run.outcomes()
    folds = np.array_split(run.net[run.windows.in_sample], run.settings["folds"])
    sharpes = np.array([backtest.performance(fold, run.bars_per_year)["sharpe"] for fold in folds])
    out["robust_sharpe"] = float(sharpes.mean() - run.settings["dispersion_penalty"] * sharpes.std())
    out["worst_fold_sharpe"] = float(sharpes.min())
    return out


def vote_returns(params: Mapping[str, Any], context: Context | None = None) -> ReturnSeries:
    """The returns behind ``indicator_vote``."""
    return _run(params, context).series()
