"""The optimizer of a study, rebuilt from the store: what finished, in the order in which it finished, and what runs.

The same trials give the same optimizer, bit for bit, whether one engine ran them all or several after each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import objectives
from engine.errors import InvalidInput
from engine.optimizer import Optimizer, Suggestion
from engine.space import SearchSpace
from engine.store.records import TrialRecord
from engine.study import StudySpec


def new_optimizer(spec: StudySpec) -> Optimizer:
    return Optimizer(
        spec.space,
        objectives=list(spec.objectives),
        seed=spec.seed,
        outcome_constraints=spec.outcome_constraints,
        options=dict(spec.optimizer),
    )


def teach(optimizer: Optimizer, suggestion: Suggestion, trial: TrialRecord) -> None:
    """What a finished trial means to the optimizer."""
    if trial.state == "complete":
        optimizer.tell(suggestion, dict(trial.values))
    elif trial.state == "abandoned":
        optimizer.abandon(suggestion)
    else:
        optimizer.fail(suggestion, trial.error, infeasible=trial.state == "infeasible")


def add_pending(optimizer: Optimizer, trial: TrialRecord) -> Suggestion:
    """The suggestion behind a trial of the store, which the optimizer then counts on."""
    return optimizer.add_pending(trial.number, trial.params, trial.origin, trial.reason)


def baseline(spec: StudySpec) -> dict[str, Any] | None:
    """The objective's documented defaults as a configuration of the study's space; None if they lie outside."""
    entry = objectives.find(spec.objective)
    if entry is None:
        return None
    return defaults_within(spec.space, entry.defaults)


def defaults_within(space: SearchSpace, defaults: Mapping[str, Any]) -> dict[str, Any] | None:
    given = {name: value for name, value in defaults.items() if name in space}
    try:
        for parameter in space.parameters:
            if parameter.name in given:
                given[parameter.name] = parameter.check(given[parameter.name])
        row = space.active(space.encode([given]))[0]
        return space.check({name: given[name] for name in space.names if name in given and row[space.column(name)]})
    except InvalidInput:
        return None
