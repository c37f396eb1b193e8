"""Everything that the write path derives from trials, computed at once: counts, feasibility, incumbents, progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import InvalidInput
from engine.space.outcomes import Objective, OutcomeConstraint
from engine.store import progress
from engine.store.tables import progress_buckets, studies, trials

_STATES = ("queued", "running", "complete", "failed", "infeasible", "abandoned")


class Derived:
    """Takes trials in any order with ``add``; ``write`` then makes the store what the write path would have left.

    spec: the study's definition as stored.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._objective = Objective(**spec["objectives"][0])
        self._needed = [o["name"] for o in spec["objectives"]]
        self._limits = [OutcomeConstraint.parse(text) for text in spec.get("outcome_constraints", ())]
        self._finished: dict[int, tuple[int, str, float | None, bool | None]] = {}
        self._numbers: set[int] = set()
        self._counts = dict.fromkeys(_STATES, 0)

    def add(self, trial: Mapping[str, Any], values: Mapping[str, float]) -> None:
        """Raises InvalidInput if the number or the place in the order of finishing is taken or missing."""
        number, state, order = trial["number"], trial["state"], trial["finished_order"]
        if number in self._numbers:
            raise InvalidInput("number", f"trial {number} stands twice.")
        self._numbers.add(number)
        self._counts[state] += 1
        if (state in ("complete", "failed", "infeasible")) != (order is not None):
            raise InvalidInput("finished_order", f"doesn't fit the state {state} of trial {number}.")
        if order is None:
            return
        if order in self._finished:
            raise InvalidInput("finished_order", f"trial {number} finished at the same place as another.")
        complete = state == "complete"
        value = values.get(self._objective.name) if complete else None
        self._finished[order] = (number, state, value, self._feasible(number, values) if complete else None)

    def write(self, connection: Connection, study_id: str) -> None:
        """Raises InvalidInput if numbers or the order of finishing have gaps."""
        n, n_finished = len(self._numbers), len(self._finished)
        if self._numbers != set(range(n)) or self._finished.keys() != set(range(1, n_finished + 1)):
            raise InvalidInput("number", "the trials are not numbered without gaps.")
        best: float | None = None
        best_number: int | None = None
        curve: Mapping[str, Any] = {"step": 1, "points": []}
        width = 1
        while self._finished and max(f[0] for f in self._finished.values()) // width >= progress.MAX_BUCKETS:
            width *= 2
        buckets: dict[int, list[dict[str, Any]]] = {}
        marks = []
        for order in range(1, n_finished + 1):
            number, state, value, feasible = self._finished[order]
            sign = self._objective.sign
            better = value is not None and bool(feasible) and (best is None or sign * value < sign * best)
            if better:
                best, best_number = value, number
            curve = progress.extended(curve, order, best)
            buckets.setdefault(number // width, []).append(
                progress.single(number, state, value, feasible)  # type: ignore[arg-type]
            )
            shown = False if state == "infeasible" else feasible
            marks.append({"n": number, "is_feasible": shown, "is_incumbent": better})
        if marks:
            where = (trials.c.study_id == study_id, trials.c.number == sa.bindparam("n"))
            connection.execute(
                trials.update()
                .where(*where)
                .values(feasible=sa.bindparam("is_feasible"), incumbent=sa.bindparam("is_incumbent")),
                marks,
            )
            merged = [{"study_id": study_id, "bucket": k, **progress.merged(b)} for k, b in buckets.items()]
            connection.execute(progress_buckets.insert(), merged)
        connection.execute(
            studies.update()
            .where(studies.c.id == study_id)
            .values(
                n_trials=n,
                best_value=best,
                best_number=best_number,
                best_so_far=curve,
                bucket_width=width,
                **{f"n_{state}": count for state, count in self._counts.items()},
            )
        )

    def _feasible(self, number: int, values: Mapping[str, float]) -> bool:
        for name in (*self._needed, *(limit.name for limit in self._limits)):
            if name not in values:
                raise InvalidInput(f"values.{name}", f"is missing in trial {number}, which is complete.")
        return all(limit.slack(values[limit.name]) >= 0 for limit in self._limits)
