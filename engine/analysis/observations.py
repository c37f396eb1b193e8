"""Finished trials as points in a picture: positions on every axis, the value of one outcome, what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.analysis.axes import axes, positions
from engine.space import SearchSpace

MAX_POINTS = 2_000


class Trial(Protocol):
    """What a picture needs of a trial; engine.store.records.TrialRecord has it."""

    @property
    def number(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def values(self) -> Mapping[str, float]: ...
    @property
    def feasible(self) -> bool | None: ...
    @property
    def incumbent(self) -> bool: ...


@dataclass(frozen=True)
class Observations:
    """n points of the ``total`` finished trials.

    numbers (n,): trial numbers. value (n,): the outcome, NaN without one. status (n,): 'feasible', 'infeasible'
    (it breaks an outcome constraint, or couldn't be evaluated) or 'failed'. at: parameter -> positions (n,), NaN
    where it is inactive. params: the configurations, for hovers.
    """

    outcome: str
    numbers: np.ndarray
    value: np.ndarray
    status: np.ndarray
    at: Mapping[str, np.ndarray]
    params: Sequence[Mapping[str, Any]]
    total: int

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def computed_on(self) -> str:
        """Which trials are shown, in words."""
        if len(self) < self.total:
            return f"{len(self)} of {self.total:,} finished trials"
        return f"{self.total:,} finished trial{'' if self.total == 1 else 's'}"


def status_of(trial: Trial) -> str:
    """One word for what a finished trial teaches."""
    if trial.state == "failed":
        return "failed"
    return "infeasible" if trial.state == "infeasible" or trial.feasible is False else "feasible"


def observations(
    trials: Sequence[Trial], space: SearchSpace, outcome: str, *, max_points: int = MAX_POINTS
) -> Observations:
    """Finished trials (others are left out) as points. Above ``max_points`` an even choice that keeps every trial
    that was an incumbent and the lowest and highest value."""
    finished = [t for t in trials if t.state in ("complete", "failed", "infeasible")]
    kept = _thin(finished, outcome, max_points)
    params = [t.params for t in kept]
    return Observations(
        outcome=outcome,
        numbers=np.array([t.number for t in kept], dtype=int),
        value=np.array([_value(t, outcome) for t in kept], dtype=float),
        status=np.array([status_of(t) for t in kept], dtype="<U10"),
        at={a.name: positions(a, params) for a in axes(space)},
        params=params,
        total=len(finished),
    )


def _value(trial: Trial, outcome: str) -> float:
    value = trial.values.get(outcome) if trial.state == "complete" else None
    return float("nan") if value is None or not np.isfinite(value) else float(value)


def _thin(trials: list[Trial], outcome: str, max_points: int) -> list[Trial]:
    if len(trials) <= max_points:
        return trials
    keep = {i for i, t in enumerate(trials) if t.incumbent}
    values = np.array([_value(t, outcome) for t in trials])
    if not np.isnan(values).all():
        keep |= {int(np.nanargmin(values)), int(np.nanargmax(values))}
    rest = max(max_points - len(keep), 0)
    keep |= set(np.linspace(0, len(trials) - 1, rest).astype(int).tolist())
    return [trials[i] for i in sorted(keep)]
