"""Evidence for objectives that aren't return series: a latency, a loss, a fill rate, measured by repeated runs.

Source of the intervals: Student's t for the mean; Welch (Biometrika 34, 1947) for two means; the predictive t for one
more run. Measurements far from normal (a p99 latency) belong on a logarithmic scale first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from engine.errors import InvalidInput
from engine.evidence import inputs


@dataclass(frozen=True)
class Replicates:
    """Mean of repeated runs with its t-interval. ``deterministic``: all runs gave the same, so the interval has no
    width.
    """

    runs: int
    mean: float
    deviation: float
    low: float
    high: float
    level: float
    deterministic: bool


@dataclass(frozen=True)
class Comparison:
    """Improvement over a baseline (positive is better) with its interval; ``paired`` runs shared their seeds."""

    improvement: float
    low: float
    high: float
    level: float
    paired: bool
    candidate: Replicates
    baseline: Replicates


@dataclass(frozen=True)
class Effect:
    """What moving one parameter does: the outcome at ``low`` and ``high`` and the worst change relative to the value.

    ``relative_change`` is negative where the outcome gets worse; None where a run failed.
    """

    parameter: str
    low: float
    high: float
    low_outcome: float | None
    high_outcome: float | None
    relative_change: float | None


@dataclass(frozen=True)
class LimitDistance:
    """How far an outcome is inside its limit: ``slack`` in its own units and in deviations of one run.

    ``probability`` that one more run keeps the limit (predictive t). ``deviations`` is None for deterministic outcomes.
    """

    name: str
    limit: float
    upper: bool
    mean: float
    slack: float
    deviations: float | None
    probability: float
    kept: int
    runs: int


@dataclass(frozen=True)
class ModelTrust:
    """Leave-one-out fit of the model: share of observations within its 95 % interval, share of variance explained."""

    observations: int
    coverage: float
    r_squared: float
    mean_z: float
    deviation_z: float


def replicates(values: ArrayLike, level: float = 0.95) -> Replicates:
    """Mean and t-interval of the outcomes (n,) of n >= 2 runs of the same configuration."""
    x = inputs.series(values, "values")
    deviation = 0.0 if inputs.is_flat(x[:, None])[0] else float(np.std(x, ddof=1))
    half = _quantile(len(x) - 1, level) * deviation / math.sqrt(len(x))
    mean = float(np.mean(x))
    return Replicates(len(x), mean, deviation, mean - half, mean + half, level, deviation == 0.0)


def compare(
    values: ArrayLike, baseline: ArrayLike, *, maximize: bool = False, paired: bool = False, level: float = 0.95
) -> Comparison:
    """Improvement of runs ``values`` over runs ``baseline``. ``paired``: run i of both had the same seed or data."""
    one, other = replicates(values, level), replicates(baseline, level)
    x, y = inputs.series(values, "values"), inputs.series(baseline, "baseline")
    sign = 1.0 if maximize else -1.0
    if paired:
        inputs.same_length(x, y, "values", "baseline")
        gain = replicates(sign * (x - y), level)
        return Comparison(gain.mean, gain.low, gain.high, level, True, one, other)
    improvement = sign * (one.mean - other.mean)
    first, second = one.deviation**2 / one.runs, other.deviation**2 / other.runs
    half = 0.0
    if first + second > 0.0:
        freedom = (first + second) ** 2 / (first**2 / (one.runs - 1) + second**2 / (other.runs - 1))
        half = _quantile(freedom, level) * math.sqrt(first + second)
    return Comparison(improvement, improvement - half, improvement + half, level, False, one, other)


def sensitivity(
    evaluate: Callable[[dict[str, float]], float | None],
    parameters: dict[str, float],
    *,
    value: float,
    numeric: Sequence[str] | None = None,
    bounds: dict[str, tuple[float, float]] | None = None,
    size: float = 0.10,
    maximize: bool = False,
) -> tuple[Effect, ...]:
    """Outcome with each numeric parameter moved by ± ``size`` of its value, the others as they are; largest harm first.

    ``evaluate`` returns None where the run failed or was infeasible. Whole numbers move by at least 1; ``bounds`` clip.
    """
    inputs.number(value, "value")
    inputs.number(size, "size", 0.0, 1.0, open_ends=True)
    names = list(parameters) if numeric is None else list(numeric)
    effects = []
    for name in names:
        if name not in parameters:
            raise InvalidInput(f"parameters.{name}", "is not among the parameters.")
        low, high = _moved(name, parameters[name], size, (bounds or {}).get(name))
        outcomes = [_outcome(evaluate, {**parameters, name: level}, name) for level in (low, high)]
        finite = [outcome for outcome in outcomes if outcome is not None]
        change = None
        if len(finite) == 2:
            worst = min(finite) if maximize else max(finite)
            change = (worst - value) * (1.0 if maximize else -1.0) / (abs(value) if value else 1.0)
        effects.append(Effect(name, low, high, outcomes[0], outcomes[1], change))
    return tuple(
        sorted(effects, key=lambda e: (-math.inf if e.relative_change is None else e.relative_change, e.parameter))
    )


def limit_distance(name: str, values: ArrayLike, limit: float, *, upper: bool = True) -> LimitDistance:
    """Distance of the outcomes (n,) of n >= 2 runs to ``limit``, which is an upper or a lower one."""
    runs = replicates(values)
    sign = 1.0 if upper else -1.0
    slack = sign * (inputs.number(limit, f"limits.{name}") - runs.mean)
    kept = int(np.sum(sign * (limit - inputs.series(values, "values")) >= 0.0))
    if runs.deterministic:
        return LimitDistance(name, limit, upper, runs.mean, slack, None, 1.0 if slack >= 0 else 0.0, kept, runs.runs)
    spread = runs.deviation * math.sqrt(1.0 + 1.0 / runs.runs)
    return LimitDistance(
        name=name,
        limit=float(limit),
        upper=upper,
        mean=runs.mean,
        slack=slack,
        deviations=slack / runs.deviation,
        probability=float(stdtr(runs.runs - 1, slack / spread)),
        kept=kept,
        runs=runs.runs,
    )


def model_trust(observed: ArrayLike, mean: ArrayLike, deviation: ArrayLike) -> ModelTrust:
    """Trust in the model from its leave-one-out predictions, all (n,), in the outcome's units; ``deviation`` incl.
    noise.
    """
    y = inputs.varying(observed, "observed", minimum=4)
    m, s = inputs.series(mean, "mean"), inputs.series(deviation, "deviation")
    inputs.same_length(m, y, "mean", "observed")
    inputs.same_length(s, y, "deviation", "observed")
    if np.any(s <= 0.0):
        raise InvalidInput("deviation", "must be positive.")
    z = (y - m) / s
    return ModelTrust(
        observations=len(y),
        coverage=float(np.mean(np.abs(z) <= 1.959963984540054)),
        r_squared=1.0 - float(np.sum((y - m) ** 2) / np.sum((y - np.mean(y)) ** 2)),
        mean_z=float(np.mean(z)),
        deviation_z=float(np.std(z, ddof=1)),
    )


def _quantile(freedom: float, level: float) -> float:
    return float(stdtrit(freedom, 0.5 + inputs.number(level, "level", 0.0, 1.0, open_ends=True) / 2.0))


def _moved(name: str, value: float, size: float, bounds: tuple[float, float] | None) -> tuple[float, float]:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InvalidInput(
            f"parameters.{name}", f"is {value!r}, not a number, so it can't move by a share of its value."
        )
    whole = isinstance(value, int | np.integer)
    shift = abs(inputs.number(value, f"parameters.{name}")) * size
    shift = max(1, round(shift)) if whole else shift
    low, high = bounds or (-math.inf, math.inf)
    return max(low, value - shift), min(high, value + shift)


def _outcome(
    evaluate: Callable[[dict[str, float]], float | None], parameters: dict[str, float], name: str
) -> float | None:
    outcome = evaluate(parameters)
    if outcome is None:
        return None
    return inputs.number(outcome, f"outcome with {name} = {parameters[name]!r}")
