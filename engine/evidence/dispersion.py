"""Is the result spread over time and market regimes, or made in one lucky stretch?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from engine.errors import InvalidInput
from engine.evidence import inputs


@dataclass(frozen=True)
class Part:
    """A sub-period or regime with its annualised Sharpe ratio (0 where nothing was held)."""

    label: str
    observations: int
    sharpe: float


@dataclass(frozen=True)
class Dispersion:
    """Annualised Sharpe ratios of the parts.

    ``chance`` is the probability of a spread at least this large if the true ratio were the same in all parts (a small
    one speaks against that): the χ² test of homogeneity with the variance 1 / T of each per-period ratio.
    """

    parts: tuple[Part, ...]
    lowest: float
    deviation: float
    share_positive: float
    chance: float


def by_period(returns: ArrayLike, periods: float, parts: int = 4) -> Dispersion:
    """Sharpe ratio in ``parts`` equally long stretches of returns (T,), oldest first."""
    x = inputs.varying(returns, "returns", minimum=2 * inputs.count(parts, "parts", 2))
    pieces = np.array_split(x, parts)
    return _dispersion([(f"part {i + 1} of {parts}", piece) for i, piece in enumerate(pieces)], periods)


def by_regime(returns: ArrayLike, regimes: ArrayLike, periods: float) -> Dispersion:
    """Sharpe ratio in each regime: ``regimes`` (T,) holds a whole number for each period, negative for none."""
    x = inputs.varying(returns, "returns")
    labels = np.asarray(regimes)
    if labels.shape != x.shape or not np.issubdtype(labels.dtype, np.integer):
        raise InvalidInput("regimes", f"must be {len(x)} whole numbers, one for each period.")
    names = [int(label) for label in np.unique(labels) if label >= 0 and np.sum(labels == label) >= 2]
    if len(names) < 2:
        raise InvalidInput("regimes", "need at least two regimes of two periods or more.")
    return _dispersion([(f"regime {name}", x[labels == name]) for name in names], periods)


def volatility_regimes(benchmark: ArrayLike, window: int = 63, groups: int = 3) -> NDArray[np.int64]:
    """Regimes (T,) by the deviation of the ``window`` benchmark returns before each period: 0 calm … groups − 1 rough.

    The first ``window`` periods get −1. The borders are quantiles over the whole history: a description, not a signal.
    """
    x = inputs.varying(benchmark, "benchmark", minimum=2 * inputs.count(window, "window", 2))
    inputs.count(groups, "groups", 2)
    trailing = np.std(np.lib.stride_tricks.sliding_window_view(x[:-1], window), axis=1)
    borders = np.quantile(trailing, np.arange(1, groups) / groups)
    return np.concatenate([np.full(window, -1), np.searchsorted(borders, trailing, side="right")]).astype(np.int64)


def _dispersion(pieces: list[tuple[str, NDArray[np.float64]]], periods: float) -> Dispersion:
    q = inputs.number(periods, "periods", 0.0, math.inf, open_ends=True)
    ratios = np.array([_ratio(piece) for _, piece in pieces])
    lengths = np.array([len(piece) for _, piece in pieces])
    pooled = float(np.sum(lengths * ratios) / np.sum(lengths))
    statistic = float(np.sum(lengths * (ratios - pooled) ** 2))
    annual = ratios * math.sqrt(q)
    return Dispersion(
        parts=tuple(Part(name, len(piece), float(ratio)) for (name, piece), ratio in zip(pieces, annual)),
        lowest=float(np.min(annual)),
        deviation=float(np.std(annual, ddof=1)),
        share_positive=float(np.mean(annual > 0.0)),
        chance=float(chdtrc(len(pieces) - 1, statistic)),
    )


def _ratio(piece: NDArray[np.float64]) -> float:
    if inputs.is_flat(piece[:, None])[0]:
        return 0.0
    return float(np.mean(piece) / np.std(piece, ddof=1))
