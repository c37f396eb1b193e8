"""Prints how each single-objective acquisition does against log expected improvement and random search.

    python -m tests.benchmarks.acquisitions [--trials 40] [--seeds 5] [--kinds ei kg ...] [problem ...]

Cells are the mean over seeds of log10 of the regret: of the best value found, or on noisy problems of the true value
at the incumbent, the trial of best posterior mean. Lower is better. ms is the median time of a suggestion by the
model.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from engine.optimizer import Optimizer
from engine.space import Float, SearchSpace
from tests.benchmarks.problems import SINGLE, Single

KINDS = ("random", "ei", "pi", "ucb", "ts", "kg", "mes", "jes", "pes", "portfolio", "hedge")


def regret(problem: Single, kind: str, trials: int, seed: int) -> tuple[float, float]:
    """(regret, ms of a suggestion)"""
    rng = np.random.default_rng([seed, 99])
    space = SearchSpace([Float(f"x{i}", 0, 1) for i in range(problem.dimension)])
    optimizer = Optimizer(space, seed=seed, options={} if kind == "random" else {"acquisition": kind})
    rows, values, seconds = [], [], []
    for _ in range(trials):
        if kind == "random":
            x = rng.random(problem.dimension)
        else:
            start = time.perf_counter()
            [suggestion] = optimizer.ask()
            if suggestion.origin == "model":
                seconds.append(time.perf_counter() - start)
            x = np.array(list(suggestion.params.values()))
        value = problem.function(x)
        seen = value + problem.noise * rng.standard_normal()
        if kind != "random":
            optimizer.tell(suggestion, float(seen))
        rows.append(x)
        values.append((value, seen))
    if problem.noise and kind != "random":
        assert optimizer.best is not None
        found = problem.function(np.array(list(optimizer.best.params.values())))
    elif problem.noise:
        found = values[int(np.argmin([seen for _, seen in values]))][0]
    else:
        found = min(value for value, _ in values)
    return max(found - problem.optimum, 1e-9), 1e3 * float(np.median(seconds)) if seconds else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", help=f"of {', '.join(SINGLE)}; all by default")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    arguments = parser.parse_args()
    problems = arguments.problems or list(SINGLE)
    print(f"| acquisition | {' | '.join(problems)} | mean | ms |")
    print("|---|" + "---|" * (len(problems) + 2))
    for kind in arguments.kinds:
        means, times = [], []
        for name in problems:
            runs = [regret(SINGLE[name], kind, arguments.trials, seed) for seed in range(arguments.seeds)]
            means.append(float(np.mean([np.log10(r) for r, _ in runs])))
            times.append(float(np.median([t for _, t in runs])))
        cells = " | ".join(f"{m:.2f}" for m in means)
        print(f"| {kind} | {cells} | {np.mean(means):.2f} | {np.mean(times):.0f} |", flush=True)


if __name__ == "__main__":
    main()
