"""Intervals for statistics of a dependent series: the stationary bootstrap with an automatic block length.

Blocks of random (geometric) length keep the short-term dependence of returns; the series is joined to a ring.

Sources: Politis & Romano, "The stationary bootstrap", JASA 89, 1994; Politis & White, "Automatic block-length
selection", Econometric Reviews 23, 2004, with the correction of Patton, Politis & White, Econometric Reviews 28, 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidInput
from engine.evidence import inputs

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]

_CHUNK_ELEMENTS = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A percentile interval (low, high) at ``level`` around ``estimate``, with how it was made.

    ``standard_error`` is the deviation over the replicates; ``share_positive`` the share of replicates above zero.
    """

    estimate: float
    low: float
    high: float
    level: float
    standard_error: float
    share_positive: float
    block_length: float
    replicates: int
    seed: int


def sharpe_statistic(samples: Array) -> Array:
    """Per-period Sharpe ratio (replicates,) of samples (replicates, T); 0 for a sample that never varies."""
    deviation = np.std(samples, axis=1, ddof=1)
    idle = deviation <= 1e-13 * np.max(np.abs(samples), axis=1)
    return np.where(idle, 0.0, np.mean(samples, axis=1) / np.where(idle, 1.0, deviation))


def optimal_block_length(values: ArrayLike) -> float:
    """Mean block length for the stationary bootstrap of values (T,), T >= 10; at least 1.

    The flat-top lag window ends at twice the first lag that starts a run of five insignificant autocorrelations, as in
    the authors' published code.
    """
    x = inputs.varying(values, "values", minimum=10)
    n = len(x)
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    longest = min(math.ceil(math.sqrt(n)) + run, n - 1)
    x = (x - np.mean(x)) / np.std(x)
    covariance = np.array([x[lag:] @ x[: n - lag] for lag in range(longest + 1)]) / n
    insignificant = np.abs(covariance) < 2.0 * math.sqrt(math.log10(n) / n)
    starts = [lag for lag in range(1, longest - run + 1) if np.all(insignificant[lag : lag + run])]
    window = min(2 * starts[0], longest) if starts else longest
    lags = np.arange(1, window + 1)
    taper = np.clip(2.0 * (1.0 - lags / window), 0.0, 1.0)
    slope = 2.0 * float(np.sum(taper * lags * covariance[1 : window + 1]))
    long_run = float(covariance[0] + 2.0 * np.sum(taper * covariance[1 : window + 1]))
    upper = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    if long_run**2 <= 1e-12:
        return float(upper)
    return min(max((slope**2 / long_run**2 * n) ** (1.0 / 3.0), 1.0), float(upper))


def stationary_positions(
    observations: int, block_length: float, replicates: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Resampled positions (replicates, T) of one chunk; ``block_length`` is the mean of the geometric lengths."""
    shape = (replicates, observations)
    fresh = rng.random(shape) < 1.0 / block_length
    fresh[:, 0] = True
    starts = rng.integers(0, observations, shape)
    columns = np.arange(observations)
    begun = np.maximum.accumulate(np.where(fresh, columns, 0), axis=1)
    return (np.take_along_axis(starts, begun, axis=1) + columns - begun) % observations


def interval(
    values: ArrayLike,
    statistic: Statistic = sharpe_statistic,
    *,
    level: float = 0.95,
    replicates: int = 1000,
    block_length: float | None = None,
    seed: int = 0,
) -> Interval:
    """Percentile interval of ``statistic``, which maps samples (replicates, T) to (replicates,), of values (T,)."""
    x = inputs.varying(values, "values", minimum=10)
    length = _block_length(x, block_length)
    drawn = _replicate(x[:, None], lambda sample: statistic(sample[:, :, 0]), length, replicates, seed)
    return _interval(float(statistic(x[None, :])[0]), drawn, level, length, seed)


def difference_interval(
    values: ArrayLike,
    benchmark: ArrayLike,
    statistic: Statistic = sharpe_statistic,
    *,
    level: float = 0.95,
    replicates: int = 1000,
    block_length: float | None = None,
    seed: int = 0,
) -> Interval:
    """Interval of statistic(values) − statistic(benchmark), both (T,), resampled at the same times."""
    x = inputs.varying(values, "values", minimum=10)
    y = inputs.varying(benchmark, "benchmark", minimum=10)
    inputs.same_length(x, y, "values", "benchmark")
    length = _block_length(x, block_length) if block_length else max(_block_length(x, None), _block_length(y, None))

    def difference(sample: Array) -> Array:
        return statistic(sample[:, :, 0]) - statistic(sample[:, :, 1])

    both = np.column_stack([x, y])
    drawn = _replicate(both, difference, length, replicates, seed)
    return _interval(float(difference(both[None])[0]), drawn, level, length, seed)


def _block_length(x: Array, given: float | None) -> float:
    if given is None:
        return optimal_block_length(x)
    return inputs.number(given, "block_length", 1.0, len(x))


def _replicate(columns: Array, statistic: Statistic, length: float, replicates: int, seed: int) -> Array:
    inputs.count(replicates, "replicates", 100)
    rng = np.random.default_rng(np.random.SeedSequence([inputs.count(seed, "seed", 0)]))
    size = max(1, _CHUNK_ELEMENTS // columns.size)
    drawn = []
    for start in range(0, replicates, size):
        positions = stationary_positions(len(columns), length, min(size, replicates - start), rng)
        drawn.append(statistic(columns[positions]))
    result = np.concatenate(drawn)
    if not np.all(np.isfinite(result)):
        raise InvalidInput("statistic", "is not finite on some resampled series.")
    return result


def _interval(estimate: float, drawn: Array, level: float, length: float, seed: int) -> Interval:
    tail = (1.0 - inputs.number(level, "level", 0.0, 1.0, open_ends=True)) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(
        estimate=estimate,
        low=float(low),
        high=float(high),
        level=level,
        standard_error=float(np.std(drawn, ddof=1)),
        share_positive=float(np.mean(drawn > 0.0)),
        block_length=length,
        replicates=len(drawn),
        seed=seed,
    )
