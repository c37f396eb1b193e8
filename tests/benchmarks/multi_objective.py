"""Prints the hypervolume after a number of evaluations: the engine's acquisitions, random search, and a peer if wanted.

    python -m tests.benchmarks.multi_objective [--trials 60] [--seeds 5] [--peer] [--methods auto parego ...] [problem
    ...]

Methods: "auto" knows no reference point, "reference" is given the problem's, as BoTorch's benchmarks are; "parego"
weights the objectives; "random" is uniform. --peer adds Optuna's GPSampler. Hypervolumes are against the problem's
reference point, a mean over the seeds with its standard error; ms is the median time of a suggestion by the model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.acquisition.hypervolume import hypervolume
from engine.optimizer import Optimizer
from engine.space import Float, Objective, SearchSpace
from tests.benchmarks.problems import SEVERAL, Several

Run = Callable[[Several, int, int], tuple[np.ndarray, float]]


def outcomes(problem: Several, x: np.ndarray) -> tuple[np.ndarray, float]:
    return problem.function(x), 0.0 if problem.slack is None else problem.slack(x)


def by_engine(problem: Several, trials: int, seed: int, options: dict[str, Any]) -> tuple[np.ndarray, float]:
    names = [f"f{j}" for j in range(len(problem.reference))]
    space = SearchSpace([Float(f"x{i}", 0, 1) for i in range(problem.dimension)])
    limits = ["slack >= 0"] if problem.slack else []
    optimizer = Optimizer(space, [Objective(n) for n in names], seed, limits, options)
    found, seconds = [], []
    for _ in range(trials):
        start = time.perf_counter()
        [suggestion] = optimizer.ask()
        if suggestion.origin == "model":
            seconds.append(time.perf_counter() - start)
        y, slack = outcomes(problem, np.array(list(suggestion.params.values())))
        optimizer.tell(suggestion, y.tolist(), constraints={"slack": slack} if limits else None)
        found.append((y, slack))
    return volume(problem, found), 1e3 * float(np.median(seconds))


def at_random(problem: Several, trials: int, seed: int) -> tuple[np.ndarray, float]:
    rng = np.random.default_rng(seed)
    return volume(problem, [outcomes(problem, rng.random(problem.dimension)) for _ in range(trials)]), 0.0


def by_optuna(problem: Several, trials: int, seed: int) -> tuple[np.ndarray, float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    limits: dict[str, Any] = {}
    if problem.slack:
        limits["constraints_func"] = lambda trial: [-trial.user_attrs["slack"]]
    sampler = optuna.samplers.GPSampler(seed=seed, **limits)
    study = optuna.create_study(directions=["minimize"] * len(problem.reference), sampler=sampler)
    found, seconds = [], []
    for number in range(trials):
        start = time.perf_counter()
        trial = study.ask()
        x = np.array([trial.suggest_float(f"x{i}", 0, 1) for i in range(problem.dimension)])
        if number >= 10:
            seconds.append(time.perf_counter() - start)
        y, slack = outcomes(problem, x)
        trial.set_user_attr("slack", slack)
        study.tell(trial, y.tolist())
        found.append((y, slack))
    return volume(problem, found), 1e3 * float(np.median(seconds))


def volume(problem: Several, found: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """After a third, two thirds and all of the evaluations."""
    ends = [len(found) // 3, 2 * len(found) // 3, len(found)]
    feasible = [[y for y, slack in found[:end] if slack >= 0] for end in ends]
    return np.array([hypervolume(np.array(Y), np.array(problem.reference)) if Y else 0.0 for Y in feasible])


def method(name: str, problem: Several) -> Run:
    if name == "random":
        return at_random
    if name == "optuna":
        return by_optuna
    options: dict[str, Any] = {"acquisition": "parego"} if name == "parego" else {}
    if name == "reference":
        options["reference"] = {f"f{j}": r for j, r in enumerate(problem.reference)}
    return lambda p, trials, seed: by_engine(p, trials, seed, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", help=f"of {', '.join(SEVERAL)}; all by default")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=["random", "parego", "auto", "reference"])
    parser.add_argument("--peer", action="store_true", help="add Optuna's GPSampler, in the same run")
    arguments = parser.parse_args()
    methods = arguments.methods + (["optuna"] if arguments.peer else [])
    thirds = [arguments.trials // 3, 2 * arguments.trials // 3, arguments.trials]
    print(f"| problem | method | {' | '.join(f'after {n}' for n in thirds)} | standard error | ms |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.problems or SEVERAL:
        problem = SEVERAL[name]
        for label in methods:
            if label == "reference" and len(problem.reference) > 3:
                continue
            runs = [method(label, problem)(problem, arguments.trials, seed) for seed in range(arguments.seeds)]
            V = np.array([v for v, _ in runs])
            error = V[:, -1].std(ddof=1) / np.sqrt(len(V)) if len(V) > 1 else float("nan")
            cells = " | ".join(f"{v:.5g}" for v in V.mean(0))
            print(f"| {name} | {label} | {cells} | {error:.2g} | {np.mean([t for _, t in runs]):.0f} |", flush=True)


if __name__ == "__main__":
    main()
