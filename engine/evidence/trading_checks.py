"""The sentences of the checks on a return series. Ratios come in per period and are told per year."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.evidence.bootstrap import Interval
from engine.evidence.dispersion import Dispersion
from engine.evidence.pbo import Overfitting
from engine.evidence.performance import Performance
from engine.evidence.sharpe import Deflated
from engine.evidence.verdict import Check, Gate, graded, missing
from engine.evidence.walkforward import WalkForward


def deflated_sharpe(gate: Gate, all_trials: Deflated, effective: Deflated | None, periods: float) -> Check:
    title = "Deflated Sharpe ratio"
    year = math.sqrt(periods)
    sentence = (
        f"{title} {all_trials.probability:.3f}: the Sharpe ratio is {all_trials.sharpe * year:.2f} a year, and the "
        f"best of "
        f"{all_trials.trials:.0f} trials without skill would be expected to show {all_trials.hurdle * year:.2f}; the "
        f"probability that the true ratio is above that is {_percent(all_trials.probability)}, "
        f"{_percent(gate.deflated_sharpe.green)} is asked for."
    )
    if effective is not None:
        sentence += (
            f" Counting only the {effective.trials:.0f} effectively independent ones it is {effective.probability:.3f}."
        )
    return graded("deflated_sharpe", title, gate, all_trials.probability, sentence)


def overfitting(gate: Gate, result: Overfitting | None, reason: str, trials: int) -> Check:
    name, title = "overfitting", "Backtest overfitting"
    if result is None:
        unknown = missing(name, title, gate, reason)
        # Where nothing was selected there is nothing to overfit: the question needs no answer.
        return replace(unknown, required=unknown.required and trials > 1)
    band = gate.overfitting
    status = band.status(result.probability)
    # PBO is noisy: it can only be green if its interval stays out of the red as well.
    if status == "green" and result.high > band.amber:
        status = "amber"
    sentence = (
        f"{title}: in {_percent(result.probability)} of {result.ways:,} ways to halve the history the best of "
        f"{result.configurations} configurations on one half was at or below the median on the other (between "
        f"{_percent(result.low)} and {_percent(result.high)}, for this estimate is noisy); it lost money there in "
        f"{_percent(result.loss)}. At most {_percent(band.green)} is asked for, {_percent(band.amber)} is pure luck."
    )
    return graded(name, title, gate, result.probability, sentence, status=status)


def track_record(gate: Gate, observations: int, needed: float, periods: float) -> Check:
    name, title = "track_record", "Track record"
    have = observations / periods
    if not math.isfinite(needed):
        return graded(
            name,
            title,
            gate,
            0.0,
            f"{title}: the Sharpe ratio is not above zero, so no record is long enough to trust it.",
        )
    sentence = (
        f"{title}: {have:.1f} years; {needed / periods:.1f} are needed before a Sharpe ratio like this one is "
        f"distinguishable "
        f"from zero with 95 % confidence."
    )
    return graded(name, title, gate, observations / needed, sentence)


def backtest_length(gate: Gate, years: float, needed: float | None, trials: float) -> Check:
    name, title = "backtest_length", "Backtest length"
    if needed is None:
        return graded(name, title, gate, 0.0, f"{title}: the Sharpe ratio is not above zero, whatever the length.")
    if needed == 0.0:
        return missing(name, title, gate, "With a single trial nothing was selected.")
    sentence = (
        f"{title}: {years:.1f} years were tested; with {trials:.0f} trials anything below {needed:.1f} years would be "
        f"expected to show a Sharpe ratio this high by luck."
    )
    return graded(name, title, gate, years / needed, sentence)


def walk_forward(gate: Gate, result: WalkForward | None) -> list[Check]:
    name, title = "walk_forward", "Walk-forward"
    if result is None:
        reason = "Choose the parameters on the past and test them on what follows, several times over."
        return [missing(name, title, gate, reason), missing("consistency", "Consistency", gate, reason)]
    if result.efficiency is None:
        sentence = (
            f"{title}: the in-sample return is {_percent(result.in_sample_return)} a year, so there is nothing to keep."
        )
        first = graded(name, title, gate, 0.0, sentence, status="red")
    else:
        sentence = (
            f"{title}: {_percent(result.efficiency)} of the in-sample return is left out of sample "
            f"({_percent(result.in_sample_return, 1)} a year became {_percent(result.out_of_sample_return, 1)} over "
            f"{result.folds} folds, out-of-sample Sharpe ratio {result.out_of_sample.sharpe:.2f}); "
            f"{_percent(gate.walk_forward.green)} is asked for."
        )
        first = graded(name, title, gate, result.efficiency, sentence)
    sentence = f"Consistency: {_percent(result.consistency)} of {result.folds} out-of-sample folds made money."
    return [first, graded("consistency", "Consistency", gate, result.consistency, sentence)]


def holdout(gate: Gate, in_sample: Performance, held_out: Performance | None) -> Check:
    name, title = "holdout", "Held-out period"
    if held_out is None:
        return missing(name, title, gate, "No period was kept away from the optimiser.")
    share = held_out.sharpe / in_sample.sharpe if in_sample.sharpe > 0 else -1.0
    sentence = (
        f"{title}: Sharpe ratio {held_out.sharpe:.2f} over {held_out.years:.1f} years that the optimiser never saw, "
        f"against {in_sample.sharpe:.2f} where it searched."
    )
    return graded(name, title, gate, share, sentence)


def benchmark(
    gate: Gate, name_of: str, own: Performance, other: Performance, difference: Interval, periods: float
) -> Check:
    title = "Benchmark"
    year = math.sqrt(periods)
    sentence = (
        f"{title}: Sharpe ratio {own.sharpe:.2f} (largest loss {_percent(own.max_drawdown)}) against "
        f"{other.sharpe:.2f} "
        f"({_percent(other.max_drawdown)}) for {name_of}; the difference is {difference.estimate * year:.2f}, with "
        f"{_percent(difference.level)} confidence between {difference.low * year:.2f} and "
        f"{difference.high * year:.2f}, and "
        f"positive in {_percent(difference.share_positive)} of resampled histories; {_percent(gate.benchmark.green)} "
        f"is "
        f"asked for."
    )
    return graded("benchmark", title, gate, difference.share_positive, sentence)


def trades(gate: Gate, number: int | None) -> Check:
    title = "Number of trades"
    if number is None:
        return missing("trades", title, gate, "Give the positions.")
    sentence = f"{title}: {number}; fewer than {gate.trades.green:.0f} say little."
    return graded("trades", title, gate, number, sentence)


def costs(gate: Gate, break_even: float | None, assumed: float | None, stressed: float | None) -> Check:
    title = "Costs"
    if break_even is None or assumed is None:
        return missing("costs", title, gate, "Give the positions, the returns before costs and the assumed cost.")
    if break_even <= 0.0:
        sentence = f"{title}: it loses before any cost is taken, {-break_even:.1f} bps of the traded value."
        return graded("costs", title, gate, 0.0, sentence, status="red")
    after = "" if stressed is None else f" At twice the assumed cost the Sharpe ratio is {stressed:.2f}."
    if assumed == 0.0:
        sentence = (
            f"{title}: no cost was assumed; the profit would be gone at {break_even:.1f} bps of the traded value."
        )
        return graded("costs", title, gate, 0.0, sentence, status="amber")
    sentence = (
        f"{title}: the profit is gone at {break_even:.1f} bps of the traded value, {break_even / assumed:.1f} times "
        f"the "
        f"{assumed:.1f} bps assumed; {gate.costs.green:g} times is asked for.{after}"
    )
    return graded("costs", title, gate, break_even / assumed, sentence)


def sub_periods(gate: Gate, result: Dispersion) -> Check:
    title = "Sub-periods"
    sentence = f"{title}: {_spread(result, 'stretches of the history')}."
    return graded("sub_periods", title, gate, result.share_positive, sentence)


def regimes(gate: Gate, result: Dispersion | None) -> Check:
    title = "Regimes"
    if result is None:
        return missing("regimes", title, gate, "No market regimes were given.")
    return graded("regimes", title, gate, result.share_positive, f"{title}: {_spread(result, 'market regimes')}.")


def _spread(result: Dispersion, parts: str) -> str:
    number = len(result.parts)
    chance = "more than chance would make" if result.chance < 0.05 else "no more than chance would make"
    return (
        f"the Sharpe ratio is positive in {round(result.share_positive * number)} of {number} {parts}, from "
        f"{result.lowest:.2f} to {max(part.sharpe for part in result.parts):.2f}, a spread that is {chance}"
    )


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
