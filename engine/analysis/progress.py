"""Best so far: the points that a chart shows and the exact step line of the best, also when points are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.space import Objective


class Point(Protocol):
    """A finished trial in the picture; engine.store's progress query gives them, decimated."""

    @property
    def number(self) -> int: ...
    @property
    def value(self) -> float | None: ...
    @property
    def state(self) -> str: ...
    @property
    def feasible(self) -> bool | None: ...
    @property
    def incumbent(self) -> bool: ...


@dataclass(frozen=True)
class Progress:
    """The first objective over the trials of a study.

    numbers, value, status (n,): complete trials ('feasible' or 'infeasible'). unmeasured (m,): numbers of failed
    trials, and of those that couldn't be evaluated, without a value; unmeasured_failed (m,) tells the two apart.
    best_numbers, best_value (k,): where the best feasible value improved. total: finished trials of the study.
    """

    objective: Objective
    numbers: np.ndarray
    value: np.ndarray
    status: np.ndarray
    unmeasured: np.ndarray
    unmeasured_failed: np.ndarray
    best_numbers: np.ndarray
    best_value: np.ndarray
    last_number: int
    total: int

    @property
    def shown(self) -> int:
        return len(self.numbers) + len(self.unmeasured)

    @property
    def computed_on(self) -> str:
        """What the chart shows, in words."""
        if self.shown < self.total:
            return (
                f"{self.shown:,} of {self.total:,} finished trials: the extremes of every stretch, every improvement, "
                "a mark where trials failed"
            )
        return f"all {self.total:,} finished trials" if self.total != 1 else "the only finished trial"

    @property
    def since_improvement(self) -> int:
        """Trial numbers since the best improved; 0 without one."""
        return self.last_number - int(self.best_numbers[-1]) if len(self.best_numbers) else 0


def progress(points: Sequence[Point], objective: Objective, total: int) -> Progress:
    """Points (any order, finished trials) -> Progress. ``total`` is how many finished trials they stand for.

    The best line runs over every feasible point, so it is exact as long as the points hold the incumbents.
    """
    ordered = sorted(points, key=lambda p: p.number)
    measured = [p for p in ordered if p.state == "complete" and p.value is not None and np.isfinite(p.value)]
    rest = [p for p in ordered if not (p.state == "complete" and p.value is not None and np.isfinite(p.value))]
    best_numbers, best_value = [], []
    best = np.inf
    for p in measured:
        signed = objective.sign * float(p.value)  # type: ignore[arg-type]
        if p.feasible is not False and signed < best:
            best = signed
            best_numbers.append(p.number)
            best_value.append(float(p.value))  # type: ignore[arg-type]
    return Progress(
        objective=objective,
        numbers=np.array([p.number for p in measured], dtype=int),
        value=np.array([p.value for p in measured], dtype=float),
        status=np.array(["infeasible" if p.feasible is False else "feasible" for p in measured], dtype="<U10"),
        unmeasured=np.array([p.number for p in rest], dtype=int),
        unmeasured_failed=np.array([p.state != "infeasible" for p in rest], dtype=bool),
        best_numbers=np.array(best_numbers, dtype=int),
        best_value=np.array(best_value, dtype=float),
        last_number=ordered[-1].number if ordered else -1,
        total=total,
    )
