"""A study's numbers with a known answer, and the real model of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.optimizer import Optimizer, Surrogate, rebuild
from engine.space import Categorical, Float, Int, Objective, OutcomeConstraint, SearchSpace

SPACE = SearchSpace(
    [
        Int("fast", 2, 100, log=True),
        Int("slow", 5, 300, log=True),
        Float("stop", 0.01, 0.5, log=True),
        Categorical("side", ["long", "both", None]),
        Float("leverage", 1.0, 3.0, when={"side": ["both"]}),
    ],
    ["fast < slow"],
)
OBJECTIVE = Objective("sharpe", "maximize")
LIMIT = OutcomeConstraint.parse("drawdown <= 0.4")


@dataclass(frozen=True)
class Trial:
    """A finished trial as the store gives it, as far as analysis looks."""

    number: int
    state: str
    params: Mapping[str, Any]
    values: Mapping[str, float] = field(default_factory=dict)
    feasible: bool | None = None
    incumbent: bool = False
    finished_at: float | None = None

    @property
    def value(self) -> float | None:
        return next(iter(self.values.values()), None)


def sharpe(params: Mapping[str, Any]) -> float:
    """Best at fast 10, slow 100, whatever the stop; 'both' costs a little."""
    a = np.log10(params["fast"] / 10.0)
    b = np.log10(params["slow"] / 100.0)
    return float(1.0 - a * a - b * b - (0.2 if params["side"] == "both" else 0.0))


def trials(n: int, *, seed: int = 0, failures: bool = True) -> list[Trial]:
    """n feasible random trials in finished order; every 9th fails, every 7th can't be evaluated."""
    rows = SPACE.decode(SPACE.sample(n, np.random.default_rng(seed)))
    out, best = [], -np.inf
    for i, params in enumerate(rows):
        if failures and i % 9 == 8:
            out.append(Trial(i, "failed", params, finished_at=float(i)))
            continue
        if failures and i % 7 == 6:
            out.append(Trial(i, "infeasible", params, finished_at=float(i)))
            continue
        value, drawdown = sharpe(params), 0.1 + params["stop"]
        feasible = drawdown <= 0.4
        improves = feasible and value > best
        best = value if improves else best
        out.append(Trial(i, "complete", params, {"sharpe": value, "drawdown": drawdown}, feasible, improves, float(i)))
    return out


def model(
    finished: list[Trial], space: SearchSpace = SPACE, limits: tuple[OutcomeConstraint, ...] = (LIMIT,)
) -> Surrogate:
    """The engine's surrogate after these trials, rebuilt from its own record."""
    optimizer = Optimizer(space, [OBJECTIVE], seed=0, outcome_constraints=limits)
    for t in finished:
        if t.state == "complete":
            optimizer.tell(t.params, {"sharpe": t.values["sharpe"]},
                           constraints={c.name: t.values[c.name] for c in limits})  # fmt: skip
        else:
            optimizer.fail(t.params, infeasible=t.state == "infeasible")
    optimizer.ask(1)
    record = optimizer.model_record()
    assert record is not None
    told = [(t.params, dict(t.values) or None, t.state) for t in finished]
    return rebuild(space, [OBJECTIVE], limits, told, record)


def simple(space: SearchSpace, f: Callable[[Mapping[str, Any]], float], n: int = 12) -> tuple[Surrogate, list[Trial]]:
    """The model of a function on any space, from n random trials."""
    rows = space.decode(space.sample(n, np.random.default_rng(3)))
    finished = [Trial(i, "complete", p, {"sharpe": f(p)}, True) for i, p in enumerate(rows)]
    return model(finished, space, ()), finished
