"""What every strategy of this package has in common: settings, volatility sizing, and the outcomes it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.objectives.catalogue import Setting
from engine.objectives.context import Infeasible
from engine.objectives.returns import ReturnSeries
from engine.objectives.strategy import backtest

OUTCOMES = {
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
}


def common_settings(markets: tuple[str, ...], market: str, warm_up: int) -> tuple[Setting, ...]:
    """The settings of a strategy on one series; warm_up: the longest look-back of its space, in bars."""
    return (
        Setting("market", market, "The series it trades.", choices=markets),
        Setting("cost_bps", 5.0, "Cost of a trade in basis points of its size.", low=0, high=1000),
        Setting("out_of_sample", 0.3, "Share of the bars at the end that is held out.", low=0, high=0.9),
        Setting("max_leverage", 2.0, "Largest position as a multiple of the capital.", low=0.01, high=20),
        Setting("min_trades", 5, "A point with fewer in-sample entries is infeasible.", low=1, high=100_000),
        Setting(
            "warm_up",
            warm_up,
            "Bars before the first decision, the same for every trial: at least the longest look-back of the space.",
            low=2,
            high=100_000,
        ),
    )


def windows(n_bars: int, look_back: int, settings: Mapping[str, Any]) -> backtest.Windows:
    """The bars that count. Raises InvalidInput if a trial looks back beyond the warm-up, or too few bars are left."""
    warm_up = settings["warm_up"]
    if look_back > warm_up:
        raise InvalidInput("settings.warm_up", f"is {warm_up}, but a trial looks back {look_back} bars: raise it.")
    if n_bars < warm_up + 252:
        raise InvalidInput(
            "settings.warm_up", f"leaves less than 252 of the {n_bars} bars of {settings['market']}: lower it."
        )
    return backtest.Windows.of(n_bars, warm_up, settings["out_of_sample"])


def volatility_size(
    square_sums: np.ndarray, lookback: int, target: float, bars_per_year: float, max_leverage: float
) -> np.ndarray:
    """Size of a full position at each bar: target over the volatility of the last ``lookback`` bars, up to a limit.

    square_sums: cumulative squared returns (n+1,), starting with 0. NaN before bar lookback-1.
    """
    variance = backtest.rolling_mean(square_sums, lookback) * bars_per_year
    # A window without any movement would ask for infinite size: the leverage limit is what it gets.
    return target / np.sqrt(np.maximum(variance, (target / max_leverage) ** 2))


@dataclass(frozen=True)
class Run:
    """A strategy on a series: target positions (n,), the market's returns (n,) and dates, the bars that count."""

    target: np.ndarray
    returns: np.ndarray
    dates: np.ndarray
    bars_per_year: float
    windows: backtest.Windows
    settings: Mapping[str, Any]

    @cached_property
    def held(self) -> np.ndarray:
        return backtest.held_positions(self.target)

    @cached_property
    def net(self) -> np.ndarray:
        """Returns after costs (n,)."""
        return backtest.net_returns(self.held, self.returns, self.settings["cost_bps"])

    def series(self) -> ReturnSeries:
        counted = slice(self.windows.start, self.windows.end)
        held_out = self.windows.end - self.windows.split
        return ReturnSeries(self.dates[counted], self.net[counted], self.returns[counted], held_out, self.bars_per_year)

    def outcomes(self) -> dict[str, float]:
        """The figures of ``OUTCOMES``. Raises Infeasible where it trades too rarely or loses everything."""
        where, settings, year = self.windows, self.settings, self.bars_per_year
        inside = self.held[where.in_sample]
        trades = backtest.count_trades(inside)
        if trades < settings["min_trades"]:
            raise Infeasible(f"Only {trades} in-sample trades; the study asks for at least {settings['min_trades']}.")
        hold = backtest.performance(self.returns[where.in_sample], year)
        out = backtest.performance(self.net[where.in_sample], year) | {
            "turnover": float(np.abs(np.diff(inside, prepend=0.0)).sum()) * year / len(inside),
            "trades": float(trades),
            "exposure": float(np.count_nonzero(inside)) / len(inside),
            "buy_hold_sharpe": hold["sharpe"],
            "buy_hold_max_drawdown": hold["max_drawdown"],
        }
        if where.held_out:
            later = backtest.performance(self.net[where.out_of_sample], year)
            for name in ("sharpe", "annual_return", "max_drawdown"):
                out[f"{name}_out_of_sample"] = later[name]
            hold = backtest.performance(self.returns[where.out_of_sample], year)
            out["buy_hold_sharpe_out_of_sample"] = hold["sharpe"]
        return out
