"""Finished trials as arrays, in the order in which they finished; everything a model learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.space import Objective, OutcomeConstraint, SearchSpace

STATES = ("complete", "failed", "infeasible")


class History:
    """Append-only. Every row is a finished trial; outcomes are in natural units."""

    def __init__(
        self, space: SearchSpace, objectives: Sequence[Objective], constraints: Sequence[OutcomeConstraint]
    ) -> None:
        self.space, self.objectives, self.constraints = space, tuple(objectives), tuple(constraints)
        self.names = list(dict.fromkeys([o.name for o in objectives] + [c.name for c in constraints]))
        self.params: list[dict[str, Any]] = []
        self.numbers: list[int] = []
        self.states: list[str] = []
        self.values: list[dict[str, float] | None] = []
        self.variances: list[float | None] = []
        self._rows: list[np.ndarray] = []
        self._stacked: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.params)

    def add(
        self, params: dict[str, Any], state: str, values: Mapping[str, float] | None, number: int,
        variance: float | None = None,
    ) -> None:  # fmt: skip
        """A complete trial needs all outcomes: raises InvalidInput naming the one that is missing or not finite."""
        if state == "complete":
            values = {name: self._checked(name, values or {}) for name in self.names}
        self._rows.append(self.space.encode([params])[0])
        self._stacked = None
        self.params.append(params)
        self.numbers.append(number)
        self.states.append(state)
        self.values.append(dict(values) if state == "complete" and values else None)
        self.variances.append(variance)

    @staticmethod
    def _checked(name: str, values: Mapping[str, Any]) -> float:
        value = values.get(name)
        if value is None:
            raise InvalidInput(name, "has no value: the evaluation must give one.")
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise InvalidInput(name, f"{value!r} is not a number.") from None
        if not np.isfinite(number):
            raise InvalidInput(name, f"is {number}: an outcome must be a finite number.")
        return number

    @property
    def X(self) -> np.ndarray:
        """(n, d) all finished rows."""
        if self._stacked is None:
            self._stacked = np.array(self._rows).reshape(len(self._rows), len(self.space))
        return self._stacked

    def snapshot(self) -> History:
        """A copy that later trials leave alone."""
        copy = History(self.space, self.objectives, self.constraints)
        copy._stacked = self.X
        for name in ("params", "numbers", "states", "values", "variances", "_rows"):
            setattr(copy, name, list(getattr(self, name)))
        return copy

    @property
    def complete(self) -> np.ndarray:
        """Positions of complete trials."""
        return np.array([i for i, s in enumerate(self.states) if s == "complete"], dtype=int)

    def outcome(self, name: str) -> np.ndarray:
        """Values of complete trials."""
        return np.array([v[name] for v in self.values if v is not None])

    def given_variances(self) -> np.ndarray | None:
        """Known noise variances of the first objective at complete trials, 0 where unknown; None if none is known."""
        found = [v for v, s in zip(self.variances, self.states) if s == "complete"]
        return None if all(v is None for v in found) else np.array([v or 0.0 for v in found])

    def feasible(self) -> np.ndarray:
        """Booleans over complete trials: outcome constraints and known constraints hold."""
        ok = self.space.feasible(self.X[self.complete])
        for c in self.constraints:
            ok &= np.array([c.slack(v[c.name]) >= 0 for v in self.values if v is not None], dtype=bool)
        return ok

    @property
    def some_failed(self) -> bool:
        return any(s != "complete" for s in self.states)
