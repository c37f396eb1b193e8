"""Prints what tuning gains in each area: defaults, random search, a grid, and the engine, on the sample studies.

    python tests/benchmarks/areas.py [--seeds 5] [--grid 1000] [case ...]

Each case is a sample study with one of its objectives and limits; the others of its objectives are only reported.
"gain" is the best value that meets the limits, the median over the seeds; "held out" is the out-of-sample outcome at
that point, or for a noisy objective the value measured again with other seeds. The grid is full factorial, with as
many levels a parameter as fit into its evaluations; "to grid" is how many trials the engine needed for its best.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine import objectives
from engine.objectives import Context, Infeasible
from engine.objectives.data import sample_data_folder
from engine.optimizer import Optimizer
from engine.space import Categorical, Objective, OutcomeConstraint, SearchSpace
from engine.study import StudySpec


@dataclass(frozen=True)
class Case:
    study: str
    objective: str
    held_out: str | None = None
    """Outcome on data that wasn't tuned on; None: the objective itself, measured again."""
    limits: tuple[str, ...] = ()
    trials: int = 60
    grid: int | None = None
    """Evaluations of the grid if the common number takes too long, or leaves one level a parameter."""


CASES = {
    "crossover on oil": Case("sma-cross-wti", "sharpe", "sharpe_out_of_sample"),
    "crossover on Apple": Case("sma-cross-aapl", "sharpe", "sharpe_out_of_sample"),
    "indicators on Apple": Case("indicator-vote-aapl", "robust_sharpe", "sharpe_out_of_sample", grid=8192),
    "risk limits": Case("portfolio-limits", "sharpe", "sharpe_out_of_sample"),
    "classifier": Case("classifier-breast-cancer", "accuracy", "accuracy_test", trials=40, grid=100),
    "exchange client": Case("exchange-client", "shortfall_bps", limits=("completion_p95 <= 10",)),
    "bar storage": Case("bar-storage", "ratio", limits=("write_ms <= 15", "volatility_error <= 0.001"), grid=300),
    "service pools": Case("service-pools", "throughput", trials=40, grid=250),
}


@dataclass
class Search:
    """A case's study as a function, and the best that a search over it has found so far."""

    spec: StudySpec
    objective: Objective
    limits: tuple[OutcomeConstraint, ...]
    seed: int
    count: int = 0
    best: float = np.inf
    point: dict[str, Any] = field(default_factory=dict)
    outcome: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case, seed: int) -> Search:
        spec = StudySpec.from_file(sample_data_folder() / "studies" / f"{case.study}.yaml")
        entry = objectives.find(spec.objective)
        assert entry is not None
        directions = {o.name: o for o in (*entry.objectives, *spec.objectives)}
        limits = (*spec.outcome_constraints, *map(OutcomeConstraint.parse, case.limits))
        return cls(spec, directions[case.objective], limits, seed)

    def evaluate(self, params: dict[str, Any], seed: int | None = None) -> dict[str, float] | None:
        """The outcomes at a point, None if it is infeasible; keeps the best that meets the limits."""
        self.count += 1
        trial_seed = self.seed * 1_000_000 + self.count if seed is None else seed
        try:
            result = objectives.resolve(self.spec.objective)(params, Context(trial_seed, self.spec.settings))
        except Infeasible:
            return None
        out = result if isinstance(result, dict) else {self.objective.name: result}
        value = self.objective.sign * out[self.objective.name]
        if seed is None and value < self.best and all(c.slack(out[c.name]) >= 0 for c in self.limits):
            self.best, self.point, self.outcome = value, params, out
        return out

    def held_out(self, case: Case) -> float:
        if not self.point:
            return float("nan")
        if case.held_out:
            return self.outcome[case.held_out]
        again = [self.evaluate(self.point, seed=10**9 + i) for i in range(5)]
        return statistics.median(out[self.objective.name] for out in again if out)


def grid_points(space: SearchSpace, most: int) -> Iterator[dict[str, Any]]:
    """Full factorial in the unit cube: cell centres, every category, as many levels as stay within ``most`` points."""
    fixed = [p.cardinality if isinstance(p, Categorical) else None for p in space]
    levels = 1
    while np.prod([n or levels + 1 for n in fixed], dtype=float) <= most:
        levels += 1
    axes = [(np.arange(n or levels) + 0.5) / (n or levels) for n in fixed]
    X = space.snap(np.array(list(itertools.product(*axes))))
    X = np.unique(np.nan_to_num(X, nan=-1.0), axis=0)
    X = np.where(X < 0, np.nan, X)
    yield from space.decode(X[space.feasible(X)])


def run_random(search: Search, trials: int) -> None:
    rng = np.random.default_rng([search.seed, 1])
    for params in search.spec.space.decode(search.spec.space.sample(trials, rng)):
        search.evaluate(params)


def run_engine(search: Search, trials: int, stop: Callable[[], bool] = lambda: False) -> None:
    optimizer = Optimizer(search.spec.space, [search.objective], seed=search.seed, outcome_constraints=search.limits)
    for _ in range(trials):
        [suggestion] = optimizer.ask(1)
        out = search.evaluate(suggestion.params)
        if out is None:
            optimizer.fail(suggestion, "infeasible", infeasible=True)
        else:
            optimizer.tell(suggestion, out)
        if stop():
            return


def compare(name: str, case: Case, seeds: int, grid_size: int) -> str:
    """A row of the table."""
    default = Search.of(case, 0)
    entry = objectives.find(default.spec.objective)
    assert entry is not None
    base = default.evaluate(dict(entry.defaults))
    assert base is not None
    default.point, default.outcome = dict(entry.defaults), base
    sign = default.objective.sign

    grid = Search.of(case, 0)
    for params in grid_points(grid.spec.space, case.grid or grid_size):
        grid.evaluate(params)

    random, engine, reached = [], [], []
    for seed in range(seeds):
        random.append(Search.of(case, seed))
        run_random(random[-1], case.trials)
        engine.append(Search.of(case, seed))
        first: list[int] = []

        def note(search: Search = engine[-1], first: list[int] = first) -> bool:
            if not first and search.best <= grid.best:
                first.append(search.count)
            return False

        run_engine(engine[-1], case.trials, note)
        reached.append(first[0] if first else None)

    def median(searches: list[Search]) -> str:
        values = [sign * s.best for s in searches if s.point]
        held = [s.held_out(case) for s in searches if s.point]
        return f"{statistics.median(values):.4g} | {statistics.median(held):.4g}" if values else "none | none"

    within = "" if all(c.slack(base[c.name]) >= 0 for c in default.limits) else " (over a limit)"
    found = sorted(n for n in reached if n)
    to_grid = f"{len(found)}/{seeds} seeds" + (f", median {statistics.median(found):g}" if found else "")
    start = base[default.objective.name]
    better = sum(s.best < sign * start for s in engine)
    return (
        f"| {name}: {default.objective.name} | {start:.4g}{within} | {default.held_out(case):.4g} "
        f"| {median(random)} | {median([grid])} | {median(engine)} | {case.trials} | {grid.count} | {to_grid} "
        f"| {better}/{seeds} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="case", help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--grid", type=int, default=1000, help="evaluations of the grid, at most")
    arguments = parser.parse_args()
    print(
        "| area: objective | default | held out | random | held out | grid | held out | engine | held out | trials "
        "| grid points | engine reaches the grid's best | seeds better than default |"
    )
    print("|" + "---|" * 13)
    for name in arguments.cases or CASES:
        start = time.perf_counter()
        print(compare(name, CASES[name], arguments.seeds, arguments.grid), flush=True)
        print(f"  {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
