"""Does the result stand on a plateau or on a needle? Small changes of the parameters, and what the model thinks of
them.

Points are in the unit cube, one column a parameter, NaN where a parameter is inactive; sizes are shares of a
parameter's range. A posterior is a callable X (m, d) -> (mean (m,), deviation (m,)) in the objective's own units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from engine.errors import InvalidInput
from engine.evidence import inputs

Array = NDArray[np.float64]
Posterior = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Plateau:
    """How much of the gain over the baseline the neighbours keep: 1 all of it, 0 none, negative worse than the
    baseline.

    ``ratio`` is the median, ``worst_decile_drop`` 1 minus the tenth percentile. A failed neighbour keeps nothing.
    """

    ratio: float
    worst_decile_drop: float
    value: float
    baseline: float
    median: float
    neighbours: int
    failed: int
    source: str


@dataclass(frozen=True)
class Robustness:
    """Model's view of f(x + δ), δ ~ N(0, size²) in every free coordinate, kept within the cube.

    ``expected`` = E[f(x + δ)], ``worst_decile`` = its 10 % quantile on the bad side, model uncertainty included;
    ``mean`` and ``deviation`` are the posterior at x itself; ``kept`` is the share of the gain of ``mean`` over
    ``baseline`` that ``expected`` keeps, None where there is no gain.
    """

    mean: float
    deviation: float
    expected: float
    worst_decile: float
    baseline: float
    kept: float | None
    size: float
    draws: int
    seed: int


@dataclass(frozen=True)
class Extrapolation:
    """``distance`` to the nearest trial in lengthscales; None if no trial has the same active parameters."""

    distance: float | None
    nearest: int | None
    extrapolates: bool
    limit: float


def neighbours(
    point: ArrayLike,
    *,
    steps: ArrayLike | None = None,
    frozen: ArrayLike | None = None,
    sizes: Sequence[float] = (0.05, 0.10),
) -> Array:
    """Points (m, d) that differ from ``point`` (d,) in one parameter by ± each size; those outside the cube are
    clipped.

    ``steps`` (d,): spacing of the levels of an integer parameter in the cube, 0 for a continuous one; integers move by
    whole levels, at least one. ``frozen`` (d,) true: categorical, not moved. Inactive (NaN) parameters stay inactive.
    A neighbour that clipping makes equal to the point, or to another, is left out.
    """
    x = inputs.points(point, "point")[0]
    spacing = np.zeros(len(x)) if steps is None else inputs.series(steps, "steps", 1)
    fixed = np.zeros(len(x), dtype=bool) if frozen is None else np.asarray(frozen, dtype=bool)
    if spacing.shape != x.shape or fixed.shape != x.shape or np.any(spacing < 0):
        raise InvalidInput(
            "steps", f"and frozen need one entry for each of the {len(x)} parameters, steps not negative."
        )
    found: dict[tuple[int, float], Array] = {}
    for column in np.flatnonzero(~np.isnan(x) & ~fixed):
        for size in sizes:
            shift = inputs.number(size, "sizes", 0.0, 1.0, open_ends=True)
            if spacing[column] > 0:
                shift = max(1.0, np.round(shift / spacing[column])) * spacing[column]
            for sign in (-1.0, 1.0):
                moved = x[column] + sign * shift
                # An integer that would leave the cube goes to the last whole level inside.
                if spacing[column] > 0 and not -1e-12 <= moved <= 1 + 1e-12:
                    room = x[column] if sign < 0 else 1.0 - x[column]
                    moved = x[column] + sign * np.floor(room / spacing[column] + 1e-9) * spacing[column]
                moved = float(np.clip(moved, 0.0, 1.0))
                if abs(moved - x[column]) > 1e-12:
                    neighbour = x.copy()
                    neighbour[column] = moved
                    found[int(column), round(moved, 12)] = neighbour
    if not found:
        raise InvalidInput("point", "has no neighbours: no parameter is both active and numeric.")
    return np.array(list(found.values()))


def plateau(
    value: float,
    around: ArrayLike,
    *,
    baseline: float = 0.0,
    maximize: bool = True,
    failed: int = 0,
    source: str = "runs",
) -> Plateau:
    """Plateau of a point with ``value`` and its neighbours' values ``around`` (m,), beside ``failed`` more without a
    value.

    With baseline 0 and maximisation the ratio is median(neighbours) / value. For a loss, give the value of the default
    configuration as the baseline. ``source`` says where the values are from: "runs" or "model".
    """
    gain = inputs.number(value, "value") - inputs.number(baseline, "baseline")
    if not maximize:
        gain = -gain
    if gain <= 0.0:
        raise InvalidInput(
            "value", f"of {value:g} is no better than the baseline {baseline:g}, so there is no gain to keep."
        )
    values = inputs.series(around, "around", 0)
    if len(values) + inputs.count(failed, "failed", 0) == 0:
        raise InvalidInput("around", "is empty: at least one neighbour is needed.")
    kept = np.concatenate([(values - baseline) * (1.0 if maximize else -1.0) / gain, np.zeros(failed)])
    median = float(np.median(kept))
    return Plateau(
        ratio=median,
        worst_decile_drop=1.0 - float(np.quantile(kept, 0.10)),
        value=float(value),
        baseline=float(baseline),
        median=baseline + median * (value - baseline),
        neighbours=len(kept),
        failed=failed,
        source=source,
    )


def model_plateau(
    posterior: Posterior,
    point: ArrayLike,
    *,
    baseline: float = 0.0,
    maximize: bool = True,
    steps: ArrayLike | None = None,
    frozen: ArrayLike | None = None,
    sizes: Sequence[float] = (0.05, 0.10),
) -> Plateau:
    """Plateau in the posterior mean, where running every neighbour would take too long."""
    around = neighbours(point, steps=steps, frozen=frozen, sizes=sizes)
    means, _ = _predict(posterior, np.vstack([inputs.points(point, "point"), around]))
    return plateau(float(means[0]), means[1:], baseline=baseline, maximize=maximize, source="model")


def robustness(
    posterior: Posterior,
    point: ArrayLike,
    *,
    size: float = 0.05,
    draws: int = 1024,
    baseline: float = 0.0,
    maximize: bool = True,
    frozen: ArrayLike | None = None,
    seed: int = 0,
) -> Robustness:
    """Expected value and worst decile of f(x + δ) by Monte Carlo on the posterior."""
    x = inputs.points(point, "point")
    means, deviations = _predict(posterior, np.vstack([x, _jittered(x[0], size, draws, frozen, seed)]))
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    outcomes = means[1:] + deviations[1:] * rng.standard_normal(draws)
    mean, expected = float(means[0]), float(np.mean(means[1:]))
    gain = mean - inputs.number(baseline, "baseline")
    return Robustness(
        mean=mean,
        deviation=float(deviations[0]),
        expected=expected,
        worst_decile=float(np.quantile(outcomes, 0.10 if maximize else 0.90)),
        baseline=float(baseline),
        kept=(expected - baseline) / gain if (gain if maximize else -gain) > 0.0 else None,
        size=float(size),
        draws=draws,
        seed=seed,
    )


def most_robust(
    posterior: Posterior,
    candidates: ArrayLike,
    *,
    size: float = 0.05,
    draws: int = 256,
    maximize: bool = True,
    frozen: ArrayLike | None = None,
    seed: int = 0,
) -> int:
    """Row of the candidates (m, d) with the best expected value under jitter, the same jitter for all."""
    x = inputs.points(candidates, "candidates")
    jittered = np.vstack([_jittered(row, size, draws, frozen, seed) for row in x])
    means, _ = _predict(posterior, jittered)
    expected = np.mean(means.reshape(len(x), draws), axis=1)
    return int(np.argmax(expected if maximize else -expected))


def extrapolation(point: ArrayLike, trials: ArrayLike, lengthscales: ArrayLike, *, limit: float = 1.0) -> Extrapolation:
    """Is the point (d,) further than ``limit`` lengthscales (d,) from every trial (n, d)?"""
    x = inputs.points(point, "point")[0]
    known = inputs.points(trials, "trials", len(x))
    scale = inputs.series(lengthscales, "lengthscales", 1)
    if len(scale) != len(x) or np.any(scale <= 0):
        raise InvalidInput("lengthscales", f"must be {len(x)} positive numbers, one for each parameter.")
    alike = np.flatnonzero(np.all(np.isnan(known) == np.isnan(x), axis=1))
    if len(alike) == 0:
        return Extrapolation(None, None, True, limit)
    distances = np.sqrt(np.nansum(((known[alike] - x) / scale) ** 2, axis=1))
    nearest = int(np.argmin(distances))
    distance = float(distances[nearest])
    return Extrapolation(distance, int(alike[nearest]), distance > limit, limit)


def _predict(posterior: Posterior, x: Array) -> tuple[Array, Array]:
    mean, deviation = (np.asarray(part, dtype=np.float64) for part in posterior(x))
    good = mean.shape == deviation.shape == (len(x),) and np.all(np.isfinite(mean)) and np.all(np.isfinite(deviation))
    if not good or np.any(deviation < 0):
        raise InvalidInput("posterior", "must give one finite mean and deviation for each point.")
    return mean, deviation


def _jittered(x: Array, size: float, draws: int, frozen: ArrayLike | None, seed: int) -> Array:
    """Points (draws, d) around x. Stratified by coordinate (a Latin hypercube), so that few draws suffice."""
    inputs.number(size, "size", 0.0, 1.0, open_ends=True)
    inputs.count(draws, "draws", 16)
    fixed = np.zeros(len(x), dtype=bool) if frozen is None else np.asarray(frozen, dtype=bool)
    if fixed.shape != x.shape:
        raise InvalidInput("frozen", f"needs one entry for each of the {len(x)} parameters.")
    rng = np.random.default_rng(np.random.SeedSequence([inputs.count(seed, "seed", 0)]))
    strata = np.argsort(rng.random((draws, len(x))), axis=0)
    noise = ndtri((strata + rng.uniform(1e-9, 1.0 - 1e-9, strata.shape)) / draws)
    return np.clip(x + size * np.where(fixed, 0.0, noise), 0.0, 1.0)
