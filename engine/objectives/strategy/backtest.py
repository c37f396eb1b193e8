"""The vectorised backtest: from target positions to returns after costs, and the figures computed on them.

Conventions, everywhere in this package. Bars are numbered 0 … n-1. ``target[t]`` is decided with what is known at the
close of bar t and held over bar t+1. A position is a share of the capital (1 = fully invested, -1 = fully short),
restored at every close. Costs are charged on the bar in which the position is held, in basis points of the traded
share of the capital. Returns are simple, the risk-free rate is zero. All arrays have shape (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.objectives.context import Infeasible


@dataclass(frozen=True)
class Windows:
    """The bars that count: [start, split) is in-sample, [split, end) out-of-sample (empty if nothing is held out)."""

    start: int
    split: int
    end: int

    @classmethod
    def of(cls, n_bars: int, warm_up: int, out_of_sample: float) -> Windows:
        """The first decision is taken at bar ``warm_up``, so the first bar that earns is the next one.

        out_of_sample: share of the earning bars at the end that is held out, from 0 to below 1.
        """
        start = warm_up + 1
        return cls(start, start + round((n_bars - start) * (1 - out_of_sample)), n_bars)

    @property
    def in_sample(self) -> slice:
        return slice(self.start, self.split)

    @property
    def out_of_sample(self) -> slice:
        return slice(self.split, self.end)

    @property
    def held_out(self) -> bool:
        return self.end > self.split


def simple_returns(close: np.ndarray) -> np.ndarray:
    """close[t] / close[t-1] - 1; 0 at the first bar."""
    out = np.zeros(len(close))
    np.divide(close[1:], close[:-1], out=out[1:])
    out[1:] -= 1.0
    return out


def rolling_mean(cumulative: np.ndarray, window: int) -> np.ndarray:
    """Mean of the last ``window`` values at each bar, from a cumulative sum (n+1,) that starts with 0.

    The first window-1 bars, which have too short a past, are NaN.
    """
    out = np.full(len(cumulative) - 1, np.nan)
    out[window - 1 :] = (cumulative[window:] - cumulative[:-window]) / window
    return out


def segments(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of an equal signal: the number of each bar's run, counted from 0, and the first bar of each run."""
    changes = np.empty(len(signal), dtype=bool)
    changes[0] = False
    np.not_equal(signal[1:], signal[:-1], out=changes[1:])
    return np.cumsum(changes), np.concatenate([[0], np.flatnonzero(changes)])


@dataclass(frozen=True)
class PriceOrder:
    """Prices by rank, so that a running extreme within segments is exact integer arithmetic. Made once a series."""

    price: np.ndarray
    ascending: np.ndarray
    rank: np.ndarray

    @classmethod
    def of(cls, price: np.ndarray) -> PriceOrder:
        order = np.argsort(price, kind="stable")
        rank = np.empty(len(price), dtype=np.int64)
        rank[order] = np.arange(len(price))
        return cls(price, price[order], rank)


def stop_out(signal: np.ndarray, prices: PriceOrder, stop: float) -> np.ndarray:
    """The signal with 0 from the bar at whose close the trailing stop is hit until the signal changes next.

    signal: -1, 0 or 1. A long is stopped where the close is at or below (1 - stop) times the highest close since its
    entry, a short where it is at or above (1 + stop) times the lowest. The close of the entry counts.
    """
    n = len(signal)
    run, first = segments(signal)
    rank = np.where(signal < 0, n - 1 - prices.rank, prices.rank)
    best = np.maximum.accumulate(rank + run * n) - run * n  # a later run starts above everything before it
    extreme = prices.ascending[np.where(signal < 0, n - 1 - best, best)]
    hit = np.where(signal < 0, prices.price >= extreme * (1 + stop), prices.price <= extreme * (1 - stop))
    hits = np.cumsum(hit & (signal != 0))
    before = np.concatenate([[0], hits])[first]
    return np.where(hits > before[run], 0.0, signal)


def held_positions(target: np.ndarray) -> np.ndarray:
    """The position over each bar: the target of the bar before it."""
    held = np.empty(len(target))
    held[0] = 0.0
    held[1:] = target[:-1]
    return held


def net_returns(held: np.ndarray, returns: np.ndarray, cost_bps: float) -> np.ndarray:
    """Return of each bar after costs, given the position held over it."""
    net = held * returns
    net -= np.abs(np.diff(held, prepend=0.0)) * (cost_bps * 1e-4)
    return net


def count_trades(held: np.ndarray) -> int:
    """Entries: bars on which a position is opened or turned round. A change of size alone is none."""
    side = np.sign(held)
    return int(np.count_nonzero((side != 0) & (side != np.concatenate([[0.0], side[:-1]]))))


def performance(net: np.ndarray, bars_per_year: float) -> dict[str, float]:
    """sharpe, annual_return, annual_volatility and max_drawdown (a positive share of the peak) of returns (m,).

    Raises Infeasible if the capital is lost. Flat returns have a Sharpe ratio of 0.
    """
    equity = np.cumprod(1.0 + net)
    if equity.min() <= 0.0 or not np.isfinite(equity[-1]):
        raise Infeasible("The strategy loses all its capital: lower the target volatility or the leverage.")
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    deviation = float(net.std())
    # Returns that are equal up to rounding have no risk to divide by.
    flat = deviation <= 1e-12
    return {
        "sharpe": 0.0 if flat else float(net.mean()) / deviation * bars_per_year**0.5,
        "annual_return": float(equity[-1]) ** (bars_per_year / len(net)) - 1.0,
        "annual_volatility": 0.0 if flat else deviation * bars_per_year**0.5,
        "max_drawdown": float(np.max(1.0 - equity / peak)),
    }
