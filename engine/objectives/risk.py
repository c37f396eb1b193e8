"""Risk management: the limits of a momentum portfolio of 20 stocks, tuned for return against the worst days.

Conventions as in ``engine.objectives.strategy.backtest``: decided at a close, held from the next day on; costs in
basis points of the traded share of the capital; simple returns, risk-free rate 0. Holdings drift between rebalances.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context, Infeasible
from engine.objectives.data import load_panel
from engine.objectives.returns import ReturnSeries
from engine.objectives.strategy import backtest
from engine.space import Float, Int, Objective, SearchSpace

_YEAR = 252
_LONGEST = 252
_TAIL = 0.025
_NEVER = np.iinfo(np.int64).max

PORTFOLIO_LIMITS = ObjectiveEntry(
    path="engine.objectives.risk:portfolio_limits",
    title="Risk limits of a stock portfolio",
    summary=(
        "Momentum portfolio of 20 US stocks, sized by inverse volatility: position limit, trailing stop with a "
        "cooldown, correlation limit, target volatility, leverage. Sharpe ratio against expected shortfall. The stocks "
        "were chosen in hindsight (survivorship bias), so compare with equal weights. Deterministic, about 10 ms."
    ),
    area="risk",
    space=SearchSpace(
        [
            Float("position_max", 0.03, 0.25, help="Largest share of the capital in one stock, before leverage"),
            Float("stop_loss", 0.03, 0.4, log=True, help="Trailing stop of a stock: fall from its best close held"),
            Int("cooldown", 0, 40, help="Days that a stopped stock stays out"),
            Float("correlation_max", 0.3, 0.95, help="A stock more correlated than this with a better one is left out"),
            Float("target_volatility", 0.05, 0.25, help="Volatility a year that the portfolio is scaled to"),
            Float("leverage_max", 1.0, 2.0, help="Largest sum of the positions"),
            Int("risk_lookback", 20, 250, log=True, help="Days of the volatilities and correlations"),
            Int("momentum_lookback", 20, _LONGEST, log=True, help="Days of the momentum; only rising stocks are held"),
            Int("rebalance", 10, 63, log=True, help="Days between rebalances"),
        ]
    ),
    objectives=(Objective("sharpe", "maximize"), Objective("expected_shortfall", "minimize")),
    outcome_constraints=("max_drawdown <= 0.3", "turnover <= 12"),
    defaults={
        "position_max": 0.1,
        "stop_loss": 0.08,
        "cooldown": 10,
        "correlation_max": 0.7,
        "target_volatility": 0.12,
        "leverage_max": 1.5,
        "risk_lookback": 60,
        "momentum_lookback": 120,
        "rebalance": 21,
    },
    settings=(
        Setting("cost_bps", 5.0, "Cost of a trade in basis points of its size.", low=0, high=1000),
        Setting("out_of_sample", 0.3, "Share of the days at the end that is held out.", low=0, high=0.9),
    ),
    outcomes={
        "sharpe": "In-sample Sharpe ratio a year after costs, risk-free rate 0",
        "expected_shortfall": "In-sample mean loss of the worst 2.5 % of the days, as a positive share",
        "max_drawdown": "In-sample largest fall from a peak of the equity, as a positive share",
        "turnover": "In-sample traded share of the capital a year, purchases and sales",
        "annual_return": "In-sample compound return a year, as a share",
        "annual_volatility": "In-sample volatility a year, as a share",
        "gross_exposure": "In-sample mean sum of the positions",
        "stops": "In-sample stops hit a year",
        "sharpe_out_of_sample": "Sharpe ratio a year on the held-out days",
        "expected_shortfall_out_of_sample": "Mean loss of the worst 2.5 % of the held-out days",
        "max_drawdown_out_of_sample": "Largest fall from a peak on the held-out days, as a positive share",
        "equal_weight_sharpe": "In-sample Sharpe ratio of holding all 20 stocks equally, without costs",
        "equal_weight_expected_shortfall": "In-sample expected shortfall of holding all 20 equally",
        "equal_weight_max_drawdown": "In-sample largest fall of holding all 20 equally",
        "equal_weight_sharpe_out_of_sample": "Sharpe ratio of holding all 20 equally on the held-out days",
    },
    returns="engine.objectives.risk:portfolio_series",
)


@dataclass(frozen=True)
class _Prepared:
    """closes (n, k); sums and products: cumulative returns (n+1, k) and their pairwise products (n+1, k, k)."""

    closes: np.ndarray
    returns: np.ndarray
    sums: np.ndarray
    products: np.ndarray


def _prepare_arrays(closes: np.ndarray) -> _Prepared:
    returns = np.zeros_like(closes)
    returns[1:] = closes[1:] / closes[:-1] - 1
    zero = np.zeros((1, closes.shape[1]))
    sums = np.concatenate([zero, np.cumsum(returns, axis=0)])
    products = np.zeros((len(closes) + 1, closes.shape[1], closes.shape[1]))
    np.cumsum(returns[:, :, None] * returns[:, None, :], axis=0, out=products[1:])
    return _Prepared(closes, returns, sums, products)


@functools.cache
def _prepare() -> _Prepared:
    return _prepare_arrays(load_panel().closes)


def covariances(data: _Prepared, days: np.ndarray, lookback: int) -> np.ndarray:
    """Daily covariance (m, k, k) of the ``lookback`` returns up to and including each of ``days`` (m,)."""
    mean = (data.sums[days + 1] - data.sums[days + 1 - lookback]) / lookback
    second = (data.products[days + 1] - data.products[days + 1 - lookback]) / lookback
    return second - mean[:, :, None] * mean[:, None, :]


def select(momentum: np.ndarray, correlation: np.ndarray, limit: float) -> np.ndarray:
    """Which stocks to hold (m, k): rising ones, best first, each if no better one held correlates above the limit."""
    order = np.argsort(-momentum, axis=1, kind="stable")
    rows = np.arange(len(momentum))
    held = np.zeros(momentum.shape, dtype=bool)
    for rank in range(momentum.shape[1]):
        stock = order[:, rank]
        clash = ((correlation[rows, stock] > limit) & held).any(axis=1)
        held[rows, stock] = (momentum[rows, stock] > 0) & ~clash
    return held


def target_weights(data: _Prepared, days: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """Weights (m, k) decided at the closes of ``days``, before stops: inverse volatility, capped, scaled, capped."""
    covariance = covariances(data, days, params["risk_lookback"])
    deviation = np.sqrt(np.maximum(np.einsum("mkk->mk", covariance), 1e-12))
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    momentum = data.closes[days] / data.closes[days - params["momentum_lookback"]] - 1
    weights = np.where(select(momentum, correlation, params["correlation_max"]), 1 / deviation, 0.0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    weights = np.minimum(weights, params["position_max"])
    variance = np.einsum("mi,mij,mj->m", weights, covariance, weights) * _YEAR
    scale = params["target_volatility"] / np.sqrt(np.maximum(variance, 1e-12))
    gross = np.maximum(weights.sum(axis=1), 1e-300)
    return weights * np.minimum(scale, params["leverage_max"] / gross)[:, None]


@dataclass(frozen=True)
class Holdings:
    """What is held from each rebalance on, all of shape (m, k) but days (m,).

    weights: shares of the capital at the close of ``days``. until: the close at which the holding ends. stopped:
    whether a stop ends it; otherwise the next rebalance does, or the last day.
    """

    days: np.ndarray
    weights: np.ndarray
    until: np.ndarray
    stopped: np.ndarray


def apply_stops(closes: np.ndarray, days: np.ndarray, weights: np.ndarray, stop: float, cooldown: int) -> Holdings:
    """Holdings from wanted weights (m, k): a stock whose close falls by ``stop`` from its best since it was bought is
    sold at that close, and bought back at the first rebalance that is at least ``cooldown`` days later."""
    ends = np.append(days[1:], len(closes) - 1)
    # What a block needs to know of its own days, for all blocks at once: only the best close before it is missing.
    within = np.minimum(days[:, None] + np.arange((ends - days).max() + 1), ends[:, None])
    path = closes[within]
    own_hit = path <= np.maximum.accumulate(path, axis=1) * (1 - stop)
    own_hit_day = np.where(own_hit.any(axis=1), days[:, None] + own_hit.argmax(axis=1), _NEVER)
    top, bottom = path.max(axis=1), path[:, 1:].min(axis=1)

    held = weights > 0
    until = np.broadcast_to(ends[:, None], weights.shape).copy()
    stopped = np.zeros(weights.shape, dtype=bool)
    best = np.zeros(closes.shape[1])
    free_from = np.zeros(closes.shape[1], dtype=np.int64)
    for m, day in enumerate(days.tolist()):
        here = held[m]
        here &= free_from <= day
        best *= here
        first = own_hit_day[m]
        limit = best * (1 - stop)
        for i in (bottom[m] <= limit).nonzero()[0]:
            first[i] = min(first[i], day + 1 + (closes[day + 1 : ends[m] + 1, i] <= limit[i]).argmax())
        hit = here & (first < _NEVER)
        stopped[m] = hit
        np.maximum(best, top[m], out=best)
        if hit.any():
            until[m, hit] = first[hit]
            free_from[hit] = first[hit] + max(cooldown, 1)
            best[hit] = 0.0
        best *= here
    return Holdings(days, np.where(held, weights, 0.0), until, stopped)


def portfolio_returns(closes: np.ndarray, holdings: Holdings, cost_bps: float) -> tuple[np.ndarray, ...]:
    """(net returns, traded share of the capital, gross exposure) of every day, each (n,).

    What is traded at a close is charged on the next day. Exposure is what was held over the day, at its close.
    """
    days, weights, until = holdings.days, holdings.weights, holdings.until
    start, n = int(days[0]) + 1, len(closes)
    rows = np.arange(start, n)
    block = np.searchsorted(days, rows, side="left") - 1  # the rebalance that a day's holdings come from
    sold_at = np.take_along_axis(closes, until, axis=0)
    held = rows[:, None] <= until[block]
    value = weights[block] * np.where(held, closes[rows], sold_at[block]) / closes[days[block]]
    total = value.sum(axis=1) + 1 - weights.sum(axis=1)[block]
    share = value * held / total[:, None]
    returns, traded, exposure = np.zeros(n), np.zeros(n), np.zeros(n)
    exposure[start:] = share.sum(axis=1)
    before = np.where(rows == days[block] + 1, 1.0, np.concatenate([[1.0], total[:-1]]))
    returns[start:] = total / before - 1

    drifted = np.concatenate([np.zeros((1, closes.shape[1])), share[days[1:] - start]])
    traded[days] = np.abs(weights - drifted).sum(axis=1)
    ends = np.append(days[1:], n)
    m, i = np.nonzero(holdings.stopped & (until < ends[:, None]))  # a stop at a rebalance is part of its trades
    np.add.at(traded, until[m, i], share[until[m, i] - start, i])
    returns[1:] -= traded[:-1] * (cost_bps * 1e-4)
    return returns, traded, exposure


def expected_shortfall(returns: np.ndarray) -> float:
    """Mean loss of the worst 2.5 % of the returns (at least one), as a positive number."""
    count = max(1, int(np.ceil(_TAIL * len(returns))))
    return -float(np.partition(returns, count - 1)[:count].mean())


def _arguments(params: Mapping[str, Any], context: Context | None) -> tuple[dict[str, Any], dict[str, Any]]:
    values, settings = read_arguments(PORTFOLIO_LIMITS, params, context)
    for name in ("momentum_lookback", "risk_lookback"):
        if not 2 <= values[name] <= _LONGEST:
            raise InvalidInput(f"parameters.{name}", f"must lie between 2 and {_LONGEST} days, not {values[name]}.")
    return values, settings


def portfolio_limits(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Simulates the portfolio since 2000; see ``PORTFOLIO_LIMITS`` for parameters and outcomes.

    Raises Infeasible if it holds nothing or loses everything.
    """
    return _evaluate(_prepare(), *_arguments(params, context))


def portfolio_series(params: Mapping[str, Any], context: Context | None = None) -> ReturnSeries:
    """The returns behind ``portfolio_limits``; the benchmark holds all stocks equally."""
    values, settings = _arguments(params, context)
    data = _prepare()
    _, returns, _, _ = _simulate(data, values, settings)
    start = _LONGEST + 1
    where = backtest.Windows.of(len(returns), _LONGEST, settings["out_of_sample"])
    equal = data.returns.mean(axis=1)
    return ReturnSeries(load_panel().dates[start:], returns[start:], equal[start:], where.end - where.split, _YEAR)


def _simulate(
    data: _Prepared, values: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[Holdings, np.ndarray, np.ndarray, np.ndarray]:
    days = np.arange(_LONGEST, len(data.closes) - 1, max(1, values["rebalance"]))
    weights = target_weights(data, days, values)
    holdings = apply_stops(data.closes, days, weights, values["stop_loss"], values["cooldown"])
    returns, traded, exposure = portfolio_returns(data.closes, holdings, settings["cost_bps"])
    return holdings, returns, traded, exposure


def _evaluate(data: _Prepared, values: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    where = backtest.Windows.of(len(data.closes), _LONGEST, settings["out_of_sample"])
    holdings, returns, traded, exposure = _simulate(data, values, settings)
    if not exposure[where.in_sample].any():
        raise Infeasible("It never holds a stock: raise the position limit or the correlation limit.")
    years = (where.split - where.start) / _YEAR
    inside = holdings.stopped & (holdings.until < where.split)
    equal = data.returns.mean(axis=1)
    out = _figures(returns[where.in_sample]) | {
        "turnover": float(traded[where.start - 1 : where.split - 1].sum()) / years,
        "gross_exposure": float(exposure[where.in_sample].mean()),
        "stops": float(inside.sum()) / years,
    }
    out |= {f"equal_weight_{k}": v for k, v in _figures(equal[where.in_sample]).items() if k in _COMPARED}
    if where.held_out:
        later = _figures(returns[where.out_of_sample])
        out |= {f"{k}_out_of_sample": later[k] for k in _COMPARED}
        out["equal_weight_sharpe_out_of_sample"] = _figures(equal[where.out_of_sample])["sharpe"]
    return out


_COMPARED = ("sharpe", "expected_shortfall", "max_drawdown")


def _figures(returns: np.ndarray) -> dict[str, float]:
    return backtest.performance(returns, _YEAR) | {"expected_shortfall": expected_shortfall(returns)}


ENTRIES = (PORTFOLIO_LIMITS,)
