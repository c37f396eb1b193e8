"""What a backtest earned and risked, and how much of it the costs would take.

Returns are simple returns per period (0.01 = 1 %), positions are shares of capital held over the period. Losses are
given as positive numbers: a maximum drawdown of 0.35 means that 35 % of the peak was lost. Ratios to a year are
annualised with ``periods`` = periods per year (252 for daily).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidInput
from engine.evidence import inputs


@dataclass(frozen=True)
class Performance:
    """Annualised figures of a return series; ``calmar`` is None where there was no drawdown."""

    observations: int
    years: float
    annual_return: float
    annual_volatility: float
    sharpe: float
    max_drawdown: float
    calmar: float | None
    expected_shortfall: float


@dataclass(frozen=True)
class CostStress:
    """Net figures at ``multiple`` times the assumed cost."""

    multiple: float
    cost_bps: float
    annual_return: float
    sharpe: float


def performance(returns: ArrayLike, periods: float) -> Performance:
    """All figures of net returns (T,), in excess of cash where the Sharpe ratio is to mean something."""
    x = inputs.varying(returns, "returns", minimum=4)
    q = inputs.number(periods, "periods", 0.0, math.inf, open_ends=True)
    deviation = float(np.std(x, ddof=1))
    return Performance(
        observations=len(x),
        years=len(x) / q,
        annual_return=float(np.mean(x)) * q,
        annual_volatility=deviation * math.sqrt(q),
        sharpe=float(np.mean(x)) / deviation * math.sqrt(q),
        max_drawdown=max_drawdown(x),
        calmar=calmar(x, q),
        expected_shortfall=expected_shortfall(x),
    )


def max_drawdown(returns: ArrayLike) -> float:
    """Largest loss from a peak of compounded wealth, the start included: max_t (1 − E_t / max_{s ≤ t} E_s)."""
    x = inputs.series(returns, "returns", 1)
    if np.any(x < -1.0):
        raise InvalidInput("returns", f"hold {np.min(x):g}, a loss of more than everything; give simple returns.")
    # In logarithms: a long compounded history neither overflows nor underflows. A loss of everything is -inf.
    with np.errstate(divide="ignore"):
        wealth = np.concatenate([[0.0], np.cumsum(np.log1p(x))])
    if np.isneginf(wealth[-1]):
        return 1.0
    return float(-np.expm1(np.min(wealth - np.maximum.accumulate(wealth))))


def compound_annual_return(returns: ArrayLike, periods: float) -> float:
    """Compound annual growth rate of returns (T,)."""
    x = inputs.series(returns, "returns", 1)
    if np.any(x < -1.0):
        raise InvalidInput("returns", f"hold {np.min(x):g}, a loss of more than everything; give simple returns.")
    with np.errstate(divide="ignore"):
        return float(np.expm1(np.sum(np.log1p(x)) * (periods / len(x))))


def calmar(returns: ArrayLike, periods: float) -> float | None:
    """Compound annual return over maximum drawdown; None without a drawdown."""
    drawdown = max_drawdown(returns)
    return compound_annual_return(returns, periods) / drawdown if drawdown > 0.0 else None


def expected_shortfall(returns: ArrayLike, level: float = 0.975) -> float:
    """Mean loss of the worst 1 − ``level`` share of periods, the observation at the edge counted in part.

    Source: Acerbi & Tasche, J. of Banking & Finance 26(7), 2002. The FRTB standard uses 97.5 %.
    """
    x = np.sort(inputs.series(returns, "returns", 1))
    tail = (1.0 - inputs.number(level, "level", 0.0, 1.0, open_ends=True)) * len(x)
    whole = min(math.floor(tail), len(x) - 1)
    return -float(np.sum(x[:whole]) + (tail - whole) * x[whole]) / tail


def traded(positions: ArrayLike) -> NDArray[np.float64]:
    """Share of capital traded at the start of each period (T,) from positions (T,) or (T, assets), flat before the
    first.
    """
    held = np.array(positions, dtype=np.float64)
    if held.ndim not in (1, 2) or len(held) == 0 or not np.all(np.isfinite(held)):
        raise InvalidInput("positions", "must be finite shares of capital, one row a period.")
    held = held.reshape(len(held), -1)
    return np.sum(np.abs(np.diff(held, axis=0, prepend=0.0)), axis=1)


def trade_count(positions: ArrayLike) -> int:
    """Number of periods at whose start anything was traded."""
    return int(np.sum(traded(positions) > 1e-12))


def turnover(positions: ArrayLike, periods: float) -> float:
    """Traded share of capital per year: Σ|Δw|·periods / T. A full switch from long to short counts 2."""
    volume = traded(positions)
    return float(np.sum(volume)) * periods / len(volume)


def break_even_cost(gross_returns: ArrayLike, positions: ArrayLike) -> float | None:
    """Cost in basis points of the traded value at which the gross profit is gone; None without a trade.

    Σ gross returns / Σ|Δw|·10⁴; negative if the strategy loses before costs.
    """
    gross = inputs.series(gross_returns, "gross_returns", 1)
    volume = traded(positions)
    inputs.same_length(gross, volume, "gross_returns", "positions")
    total = float(np.sum(volume))
    return float(np.sum(gross)) / total * 1e4 if total > 0.0 else None


def cost_stress(
    gross_returns: ArrayLike,
    positions: ArrayLike,
    cost_bps: float,
    periods: float,
    multiples: Sequence[float] = (1.0, 2.0, 3.0),
) -> tuple[CostStress, ...]:
    """Annual return and Sharpe ratio net of 1, 2 and 3 times the assumed cost (bps of the traded value)."""
    gross = inputs.series(gross_returns, "gross_returns", 4)
    volume = traded(positions)
    inputs.same_length(gross, volume, "gross_returns", "positions")
    inputs.number(cost_bps, "cost_bps", low=0.0)
    result = []
    for multiple in multiples:
        cost = cost_bps * inputs.number(multiple, "multiples", low=0.0)
        net = inputs.varying(gross - volume * cost / 1e4, "gross_returns")
        mean = float(np.mean(net))
        result.append(
            CostStress(
                multiple=float(multiple),
                cost_bps=cost,
                annual_return=mean * periods,
                sharpe=mean / float(np.std(net, ddof=1)) * math.sqrt(periods),
            )
        )
    return tuple(result)
