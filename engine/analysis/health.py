"""Health checks in words: what a careful colleague would point out about a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.analysis.axes import format_value
from engine.analysis.progress import Progress
from engine.analysis.trust import Level, Trust
from engine.space import Categorical, SearchSpace

EDGE = 0.02
"""Share of a parameter's range (on its own scale) that counts as its edge."""
STAGNATION_SHARE, STAGNATION_LEAST = 0.3, 15
"""No improvement over this share of the finished trials, and at least so many, is called stagnation."""


@dataclass(frozen=True)
class Check:
    """One finding. level: good, watch, bad or unknown. title: a few words. text: a sentence with what to do."""

    name: str
    level: Level
    title: str
    text: str


def health(
    space: SearchSpace,
    progress: Progress,
    *,
    incumbent: Mapping[str, Any] | None,
    n_complete: int,
    n_failed: int,
    n_infeasible: int,
    constraint_misses: tuple[int, int] | None = None,
    trust: Trust | None = None,
) -> list[Check]:
    """All checks, the worst first. n_infeasible: trials that couldn't be evaluated. constraint_misses: how many of
    how many complete trials looked at break an outcome constraint; None where there is none."""
    found = [
        model_trust(trust),
        edge(space, incumbent),
        failures(n_complete, n_failed, n_infeasible),
        stagnation(progress),
    ]
    if constraint_misses is not None:
        found.append(outcome_constraints(*constraint_misses, n_complete))
    order = {"bad": 0, "watch": 1, "unknown": 2, "good": 3}
    return sorted(found, key=lambda check: order[check.level])


def model_trust(trust: Trust | None) -> Check:
    """Whether the surrogate predicts trials that it hasn't seen."""
    if trust is None:
        return Check("model", "unknown", "No model yet", "The surrogate starts once the initial design has finished.")
    return Check("model", trust.level, f"Model: {trust.headline.lower()}", trust.text)


def edge(space: SearchSpace, incumbent: Mapping[str, Any] | None) -> Check:
    """Whether the best trial sits at a bound of the search space: better values may lie beyond."""
    if incumbent is None:
        return Check("edge", "unknown", "No best trial yet", "Bounds are checked once a feasible trial has finished.")
    row = space.encode([incumbent])[0]
    at = []
    for j, p in enumerate(space):
        if isinstance(p, Categorical) or np.isnan(row[j]) or (p.cardinality or 9) < 4:
            continue
        low, high = p.encode(np.array([p.low, p.high]))
        share = (row[j] - low) / (high - low)
        if share <= EDGE or share >= 1 - EDGE:
            bound, word = (p.low, "lower") if share <= EDGE else (p.high, "upper")
            at.append(f"{p.name} = {format_value(incumbent[p.name])} at its {word} bound {format_value(bound)}")
    if not at:
        return Check("edge", "good", "Best lies inside", "No parameter of the best trial sits at a bound of its range.")
    return Check(
        "edge", "watch", "Best at a bound",
        f"The best trial has {'; '.join(at)}. Better values may lie beyond: consider a wider range.",
    )  # fmt: skip


def failures(n_complete: int, n_failed: int, n_infeasible: int) -> Check:
    """How many trials bring nothing."""
    n = n_complete + n_failed + n_infeasible
    if n == 0:
        return Check("failures", "unknown", "No finished trial", "Failures are counted once trials finish.")
    lost, share = n_failed + n_infeasible, (n_failed + n_infeasible) / n
    counts = f"{n_failed} failed and {n_infeasible} could not be evaluated, of {n:,} finished trials ({share:.0%})."
    if n_failed / n > 0.2 or share > 0.5:
        return Check("failures", "bad", "Many trials lost", counts + " Look at the errors in the table below.")
    if share > 0.1:
        return Check("failures", "watch", "Some trials lost", counts + " A known constraint may avoid them.")
    if lost:
        return Check("failures", "good", "Few trials lost", counts)
    return Check("failures", "good", "No failures", f"All {n:,} finished trials gave a value.")


def stagnation(progress: Progress) -> Check:
    """Whether the best has stopped improving."""
    if len(progress.best_numbers) == 0:
        return Check("progress", "unknown", "No best yet", "Improvement is judged once a feasible trial has finished.")
    since, last = progress.since_improvement, progress.last_number + 1
    when = (
        f"The best was found at trial #{int(progress.best_numbers[-1])}, {since} trial{'' if since == 1 else 's'} ago."
    )
    if since == 0:
        when = f"The latest trial, #{int(progress.best_numbers[-1])}, is the best."
    if since >= STAGNATION_LEAST and since >= STAGNATION_SHARE * last:
        return Check(
            "progress", "watch", "No improvement lately",
            when + " More trials of the same kind may not pay: check the model, the ranges, or stop.",
        )  # fmt: skip
    return Check("progress", "good", "Still improving", when)


def outcome_constraints(n_misses: int, n_seen: int, n_complete: int) -> Check:
    """How many of the complete trials that were looked at break an outcome constraint."""
    if n_seen == 0:
        return Check("feasible", "unknown", "No value yet", "Outcome constraints are checked once a trial completes.")
    share = n_misses / n_seen
    which = f"{n_seen:,} complete trials" + (f" shown, of {n_complete:,}," if n_seen < n_complete else "")
    text = f"{n_seen - n_misses:,} of {which} meet the outcome constraints ({1 - share:.0%})."
    if n_misses == n_seen:
        return Check("feasible", "bad", "Nothing feasible", text + " Loosen a limit or widen the space.")
    return Check("feasible", "watch" if share > 0.6 else "good", "Outcome constraints", text)
