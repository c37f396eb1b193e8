"""Studies in every state for the dashboard's tests, written through the store's own verbs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from engine.governance import Actor, actions
from engine.space import Categorical, Float, Int, Objective, OutcomeConstraint, SearchSpace
from engine.store import Lease, Store
from engine.store.records import StudyState
from engine.study import StudySpec

ANALYST = Actor("ada", {"analyst"})
HOSTILE_NAME = "<script>alert(1)</script> **bold** ![x](http://evil.test/x.png) :red[é] 日本 $x^2$"


def sma_spec(name: str = "sma-cross", **changes: Any) -> StudySpec:
    space = SearchSpace(
        [Int("fast", 2, 100, log=True), Int("slow", 5, 300, log=True), Float("stop_loss", 0.02, 0.5, log=True),
         Categorical("direction", ("long_only", "long_short"))],
        ["fast < slow"],
    )  # fmt: skip
    fields: dict[str, Any] = {
        "objective": "engine.objectives.strategy:moving_average_cross",
        "space": space,
        "objectives": (Objective("sharpe", "maximize"),),
        "outcome_constraints": (OutcomeConstraint.parse("max_drawdown <= 0.35"),),
        "budget_trials": 40,
        "workers": 2,
        "tags": ("strategy",),
    }
    return StudySpec(name=name, **(fields | changes))


@dataclass
class Engine:
    """A pretended engine: it holds leases and finishes trials with a smooth function of their number."""

    store: Store
    id: str = "test-engine"

    def __post_init__(self) -> None:
        self.store.register_engine(self.id, "testhost", 4242, lease_seconds=3600)

    def run(self, study_id: str, n: int, *, end: StudyState | None = None, running: int = 0) -> Lease:
        """Finishes n trials: every 7th infeasible, every 11th failed, the others ever better."""
        lease = self.store.lease_study(self.id, study_id)
        assert lease is not None
        spec = self.store.get_study(study_id).spec
        for i in range(n):
            self.finish(lease, spec, i)
        for i in range(n, n + running):
            self.add(lease, spec, i)
        if end is not None:
            self.store.set_state(lease, end, "The objective can't be loaded." if end == "failed" else "")
        return lease

    def add(self, lease: Lease, spec: StudySpec, i: int) -> int:
        origin, text = ("design", "Space-filling design") if i < 8 else ("model", "Highest expected improvement")
        trial = self.store.add_trial(lease, params(spec, i), origin=origin, reason={"text": text})
        self.store.start_trial(lease, trial.number)
        return trial.number

    def finish(self, lease: Lease, spec: StudySpec, i: int) -> None:
        number = self.add(lease, spec, i)
        if i % 11 == 10:
            self.store.finish_trial(lease, number, 1, "failed", error="ZeroDivisionError: float division by zero")
        elif i % 7 == 6:
            self.store.finish_trial(lease, number, 1, "infeasible", error="Fewer than 5 trades.")
        else:
            value = 0.6 * (1 - math.exp(-i / 12)) + 0.12 * math.sin(2.3 * i)
            drawdown = {c.name: 0.2 for c in spec.outcome_constraints}
            self.store.finish_trial(lease, number, 1, "complete", {o.name: value for o in spec.objectives} | drawdown)


def params(spec: StudySpec, i: int) -> dict[str, Any]:
    import numpy as np

    return spec.space.decode(spec.space.sample(1, np.random.default_rng(i)))[0]


def many_studies(store: Store) -> dict[str, str]:
    """One study in each interesting situation; name of the situation -> id. A living engine holds the running ones."""
    engine = Engine(store)
    out = {}

    def create(situation: str, spec: StudySpec) -> str:
        out[situation] = actions.create_study(store, spec, ANALYST)
        return out[situation]

    engine.run(create("complete", sma_spec("SMA cross WTI, costs 5 bp", tags=("strategy", "wti"))), 40, end="complete")
    engine.run(
        create("failed", sma_spec("Order-book imbalance, first attempt", tags=("exchange",), budget_trials=60)),
        13,
        end="failed",
    )
    engine.run(create("hostile", sma_spec(HOSTILE_NAME, tags=("<b>tag</b>",))), 9)
    engine.run(
        create(
            "paused",
            sma_spec(
                "Volatility target and trailing stop on AAPL with a name that is rather longer than usual",
                budget_trials=200,
            ),
        ),
        25,
        end="paused",
    )
    create("queued", sma_spec("Queued and waiting", budget_trials=30))
    engine.run(create("running", sma_spec("SMA cross SPX", tags=("strategy", "spx", "live"))), 23, running=2)
    engine.run(create("empty", sma_spec("Just leased", budget_trials=80)), 0)
    return out
