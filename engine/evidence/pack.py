"""The evidence pack: all numbers of one candidate, the gate they were held against, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidInput
from engine.evidence import bootstrap, dispersion, generic, generic_checks, inputs, pbo, sharpe, trading_checks
from engine.evidence import performance as returns_of
from engine.evidence.stability import Extrapolation, Plateau, Robustness
from engine.evidence.verdict import Gate, Verdict, canonical_json, digest, judge, plain
from engine.evidence.walkforward import WalkForward


@dataclass(frozen=True)
class Benchmark:
    """A benchmark beside the candidate; ``difference`` is candidate − benchmark in per-period Sharpe ratio."""

    name: str
    performance: returns_of.Performance
    difference: bootstrap.Interval


@dataclass(frozen=True)
class TradingNumbers:
    """Numbers of a return series. Sharpe ratios are per period except in ``performance`` and the dispersions.

    ``minimum_track_record`` in observations and ``minimum_backtest_years`` are None where no length would suffice.
    """

    periods: float
    moments: sharpe.Moments
    performance: returns_of.Performance
    probabilistic_sharpe: float
    deflated_all: sharpe.Deflated
    deflated_effective: sharpe.Deflated | None
    average_correlation: float | None
    trial_variance: sharpe.TrialVariance | None
    minimum_track_record: float | None
    minimum_backtest_years: float | None
    sharpe_interval: bootstrap.Interval
    overfitting: pbo.Overfitting | None
    walk_forward: WalkForward | None
    holdout: returns_of.Performance | None
    benchmarks: tuple[Benchmark, ...]
    turnover: float | None
    trades: int | None
    break_even_bps: float | None
    cost_stress: tuple[returns_of.CostStress, ...]
    by_period: dispersion.Dispersion
    by_regime: dispersion.Dispersion | None
    plateau: Plateau | None
    robustness: Robustness | None
    extrapolation: Extrapolation | None


@dataclass(frozen=True)
class GenericNumbers:
    """Numbers of repeated measurements."""

    metric: str
    maximize: bool
    comparison: generic.Comparison
    effects: tuple[generic.Effect, ...]
    limits: tuple[generic.LimitDistance, ...]
    model_trust: generic.ModelTrust | None
    plateau: Plateau | None
    robustness: Robustness | None
    extrapolation: Extrapolation | None


@dataclass(frozen=True)
class EvidencePack:
    """What is known about a candidate. ``notes`` tell what was left out and why."""

    kind: Literal["trading", "generic"]
    verdict: Verdict
    numbers: TradingNumbers | GenericNumbers
    notes: tuple[str, ...]
    gate: Gate

    def to_dict(self) -> dict[str, Any]:
        """JSON-able data."""
        result: dict[str, Any] = plain(self)
        return result

    def to_json(self) -> str:
        """Canonical JSON: equal packs give equal text."""
        return canonical_json(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, which an approval is bound to."""
        return digest(self)


def trading_pack(
    returns: ArrayLike,
    *,
    periods: float,
    benchmarks: Mapping[str, ArrayLike],
    trials: ArrayLike | None = None,
    trial_sharpes: ArrayLike | None = None,
    random: ArrayLike | None = None,
    trial_count: int | None = None,
    positions: ArrayLike | None = None,
    gross_returns: ArrayLike | None = None,
    cost_bps: float | None = None,
    walk_forward: WalkForward | None = None,
    holdout: ArrayLike | None = None,
    regimes: ArrayLike | None = None,
    plateau: Plateau | None = None,
    robustness: Robustness | None = None,
    extrapolation: Extrapolation | None = None,
    blocks: int = 16,
    replicates: int = 1000,
    seed: int = 0,
    gate: Gate | None = None,
) -> EvidencePack:
    """Evidence for a candidate with net excess returns (T,) over the periods in which it was searched.

    ``periods`` per year. ``benchmarks``: at least one, such as buy and hold and equal weight, each (T,). ``trials`` (T,
    N): the same for every evaluated configuration, the candidate included; or only their per-period Sharpe ratios
    ``trial_sharpes`` (N,). ``random`` (N,) marks those that were drawn at random or by design. ``trial_count``: how
    many were evaluated in all, failed ones included. ``holdout``: the candidate's returns where the optimiser never
    looked.
    """
    gate = gate or Gate()
    x = inputs.varying(returns, "returns", minimum=30)
    q = inputs.number(periods, "periods", 0.0, math.inf, open_ends=True)
    notes: list[str] = []
    moments = sharpe.moments(x)
    own = returns_of.performance(x, q)
    shape = {"skew": moments.skew, "kurtosis": moments.kurtosis}

    tried = _tried(x, trials, trial_sharpes, random, trial_count, notes)
    all_trials = sharpe.deflated_sharpe(moments.sharpe, len(x), tried.count, tried.spread, **shape)
    effective = None
    if tried.correlation is not None:
        number = sharpe.effective_trials(tried.count, tried.correlation)
        effective = sharpe.deflated_sharpe(moments.sharpe, len(x), number, tried.spread, **shape)
    record = sharpe.minimum_track_record(moments.sharpe, **shape)
    backtest = sharpe.minimum_backtest_years(tried.count, own.sharpe) if own.sharpe > 0 else None
    overfit, reason = _overfitting(tried, blocks)

    beside = _benchmarks(x, benchmarks, q, replicates, seed)
    best = max(beside, key=lambda b: (b.performance.sharpe, b.name))
    held_out = None if holdout is None else returns_of.performance(inputs.varying(holdout, "holdout", 4), q)
    trading = _traded(x, positions, gross_returns, cost_bps, q)
    by_period = dispersion.by_period(x, q)
    by_regime = None if regimes is None else dispersion.by_regime(x, regimes, q)

    numbers = TradingNumbers(
        periods=q,
        moments=moments,
        performance=own,
        probabilistic_sharpe=sharpe.probabilistic_sharpe(moments.sharpe, len(x), **shape),
        deflated_all=all_trials,
        deflated_effective=effective,
        average_correlation=tried.correlation,
        trial_variance=tried.variance,
        minimum_track_record=record if math.isfinite(record) else None,
        minimum_backtest_years=backtest,
        sharpe_interval=bootstrap.interval(x, replicates=replicates, seed=seed),
        overfitting=overfit,
        walk_forward=walk_forward,
        holdout=held_out,
        benchmarks=beside,
        turnover=trading.turnover,
        trades=trading.trades,
        break_even_bps=trading.break_even,
        cost_stress=trading.stress,
        by_period=by_period,
        by_regime=by_regime,
        plateau=plateau,
        robustness=robustness,
        extrapolation=extrapolation,
    )
    stressed = next((s.sharpe for s in trading.stress if s.multiple == 2.0), None)
    checks = [
        trading_checks.deflated_sharpe(gate, all_trials, effective, q),
        trading_checks.overfitting(gate, overfit, reason, tried.count),
        trading_checks.track_record(gate, len(x), record, q),
        trading_checks.backtest_length(gate, own.years, backtest, tried.count),
        *trading_checks.walk_forward(gate, walk_forward),
        trading_checks.holdout(gate, own, held_out),
        trading_checks.benchmark(gate, best.name, own, best.performance, best.difference, q),
        trading_checks.trades(gate, trading.trades),
        trading_checks.costs(gate, trading.break_even, cost_bps, stressed),
        trading_checks.sub_periods(gate, by_period),
        trading_checks.regimes(gate, by_regime),
        generic_checks.plateau(gate, plateau),
        generic_checks.robustness(gate, robustness),
        generic_checks.extrapolation(gate, extrapolation),
    ]
    return EvidencePack("trading", judge(checks), numbers, tuple(notes), gate)


def generic_pack(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    metric: str = "value",
    maximize: bool = False,
    paired: bool = False,
    effects: Sequence[generic.Effect] = (),
    limits: Sequence[generic.LimitDistance] = (),
    model_trust: generic.ModelTrust | None = None,
    plateau: Plateau | None = None,
    robustness: Robustness | None = None,
    extrapolation: Extrapolation | None = None,
    gate: Gate | None = None,
) -> EvidencePack:
    """Evidence from repeated runs of the candidate ``values`` (n,) and of what it would replace, ``baseline`` (m,)."""
    gate = gate or Gate()
    comparison = generic.compare(values, baseline, maximize=maximize, paired=paired)
    numbers = GenericNumbers(
        metric, maximize, comparison, tuple(effects), tuple(limits), model_trust, plateau, robustness, extrapolation
    )
    checks = [
        generic_checks.replicates(gate, comparison),
        generic_checks.improvement(gate, comparison),
        generic_checks.sensitivity(gate, effects),
        generic_checks.limits(gate, limits),
        generic_checks.model_trust(gate, model_trust),
        generic_checks.robustness(gate, robustness),
        generic_checks.extrapolation(gate, extrapolation),
    ]
    # Sensitivity moves each value by 10 % already; the plateau over the ranges counts where somebody measured it.
    if plateau is not None:
        checks.insert(3, generic_checks.plateau(gate, plateau))
    return EvidencePack("generic", judge(checks), numbers, (), gate)


@dataclass(frozen=True)
class _Tried:
    returns: NDArray[np.float64] | None
    count: int
    variance: sharpe.TrialVariance | None
    correlation: float | None

    @property
    def spread(self) -> float:
        return self.variance.value if self.variance else 0.0


def _tried(
    x: NDArray[np.float64],
    trials: ArrayLike | None,
    trial_sharpes: ArrayLike | None,
    random: ArrayLike | None,
    trial_count: int | None,
    notes: list[str],
) -> _Tried:
    """What was tried: the returns of those that traded, how many there were, and how their Sharpe ratios vary."""
    matrix: NDArray[np.float64] | None = None
    if trials is not None:
        matrix = np.array(trials, dtype=np.float64)
        if matrix.ndim != 2 or len(matrix) != len(x):
            raise InvalidInput("trials", f"must be {len(x)} periods by configurations, not of shape {matrix.shape}.")
        if not np.all(np.isfinite(matrix)):
            raise InvalidInput(
                "trials", "hold missing or infinite returns; leave out failed trials and count them instead."
            )
        idle = inputs.is_flat(matrix)
        evaluated = matrix.shape[1]
        if trial_sharpes is None and random is not None:
            random = _mask(random, evaluated)[~idle]
        if np.any(idle):
            notes.append(
                f"{np.sum(idle)} of {evaluated} trials never traded: they count as trials, but have no Sharpe ratio."
            )
        matrix = matrix[:, ~idle]
        if trial_sharpes is None and matrix.shape[1] >= 1:
            trial_sharpes = sharpe.column_sharpes(matrix)
    else:
        evaluated = 0 if trial_sharpes is None else len(inputs.series(trial_sharpes, "trial_sharpes", 1))
    if trial_count is None and evaluated == 0:
        raise InvalidInput("trial_count", "is needed: how many configurations were tried before this one was chosen?")
    count = max(evaluated, 1) if trial_count is None else inputs.count(trial_count, "trial_count", max(evaluated, 1))
    if count == 1:
        notes.append("One configuration was tried, so nothing was selected and nothing deflated.")
        return _Tried(None, 1, None, None)
    if trial_sharpes is None or len(np.atleast_1d(trial_sharpes)) < 2:
        raise InvalidInput(
            "trial_sharpes", f"are needed to judge the best of {count} trials: give their returns or ratios."
        )
    variance = sharpe.trial_variance(trial_sharpes, random)
    if variance.source == "random":
        notes.append(
            "The variance of the Sharpe ratios is that of the random trials: the optimiser's own are closer together."
        )
    if matrix is None or matrix.shape[1] < 2:
        return _Tried(None, count, variance, None)
    return _Tried(matrix, count, variance, sharpe.average_correlation(matrix))


def _mask(random: ArrayLike, trials: int) -> NDArray[np.bool_]:
    mask = np.asarray(random)
    if mask.dtype != bool or mask.shape != (trials,):
        raise InvalidInput("random", f"must be {trials} true or false values, one for each trial.")
    return mask


def _overfitting(tried: _Tried, blocks: int) -> tuple[pbo.Overfitting | None, str]:
    if tried.count == 1:
        return None, "One configuration was tried, so nothing was selected."
    if tried.returns is None:
        return None, "Give the returns of every trial over the same periods."
    if len(tried.returns) < max(24, 2 * blocks):
        return None, f"The history of {len(tried.returns)} periods is too short for {blocks} blocks."
    return pbo.overfitting(tried.returns, blocks), ""


def _benchmarks(
    x: NDArray[np.float64], benchmarks: Mapping[str, ArrayLike], periods: float, replicates: int, seed: int
) -> tuple[Benchmark, ...]:
    if not benchmarks:
        raise InvalidInput("benchmarks", "are empty: give at least one to compare with, such as buy and hold.")
    result = []
    for name, series in benchmarks.items():
        y = inputs.varying(series, f"benchmarks.{name}", 10)
        inputs.same_length(y, x, f"benchmarks.{name}", "returns")
        difference = bootstrap.difference_interval(x, y, replicates=replicates, seed=seed)
        result.append(Benchmark(name, returns_of.performance(y, periods), difference))
    return tuple(result)


@dataclass(frozen=True)
class _Traded:
    turnover: float | None = None
    trades: int | None = None
    break_even: float | None = None
    stress: tuple[returns_of.CostStress, ...] = ()


def _traded(
    x: NDArray[np.float64],
    positions: ArrayLike | None,
    gross_returns: ArrayLike | None,
    cost_bps: float | None,
    periods: float,
) -> _Traded:
    if positions is None:
        return _Traded()
    volume = returns_of.traded(positions)
    inputs.same_length(volume, x, "positions", "returns")
    turnover, number = returns_of.turnover(positions, periods), returns_of.trade_count(positions)
    if gross_returns is None or cost_bps is None:
        return _Traded(turnover, number)
    break_even = returns_of.break_even_cost(gross_returns, positions)
    return _Traded(turnover, number, break_even, returns_of.cost_stress(gross_returns, positions, cost_bps, periods))
