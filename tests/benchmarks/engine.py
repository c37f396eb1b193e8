"""Measures the optimization engine and prints ratios: against limits, and against Optuna's GPSampler in the same run.

    python -m tests.benchmarks.engine [--skip-peer]

One BLAS thread. Prediction and maximisation are the CPU time of the fastest of several calls, so that a busy machine
doesn't count; whole suggestions are wall time, medians, and include refitting to the newest trial. Optuna is in the
extra ``peers``; ``--peer-python`` names an interpreter that has it where this one doesn't.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from engine import Float, Optimizer, SearchSpace
from engine.acquisition.functions import LogExpectedImprovement
from engine.acquisition.maximise import maximise
from engine.optimizer.domains import domain_of
from engine.surrogate import GaussianProcess
from engine.surrogate.threads import one_blas_thread

D = 6
_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(X: np.ndarray) -> np.ndarray:
    """Hartmann's function in six dimensions at rows of X (n, 6) in the unit cube; least -3.32237."""
    gap = ((X[:, None, :] - _P) ** 2 * _A).sum(2)
    return -np.exp(-gap) @ np.array([1.0, 1.2, 3.0, 3.2])


def best_of(function: Callable[[], object], repetitions: int = 50) -> float:
    """CPU seconds of the fastest call."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def report(what: str, seconds: float, limit: float) -> bool:
    print(f"{what:<62}{seconds * 1e3:>10.2f} ms   limit {limit * 1e3:>7.0f} ms   ratio {seconds / limit:>6.2f}")
    return seconds <= limit


def prediction() -> bool:
    rng = np.random.default_rng(0)
    X = rng.random((100, D))
    gp = GaussianProcess(kernel="matern52").fit(X, hartmann6(X))
    Z = rng.random((1000, D))
    return report("mean and deviation at 1,000 points, 100 observations", best_of(lambda: gp.predict(Z)), 1e-3)


def acquisition() -> bool:
    rng = np.random.default_rng(0)
    X = rng.random((100, D))
    y = hartmann6(X)
    gp = GaussianProcess(kernel="matern52").fit(X, y)
    domain = domain_of(space())
    function = LogExpectedImprovement(gp.posterior, float(gp.posterior.y.min()))
    anchors = X[np.argsort(y)[:5]]
    with one_blas_thread():
        seconds = best_of(lambda: maximise(function, domain, np.random.default_rng(1), anchors), 20)
    return report("maximise log EI, 100 observations, 6 parameters", seconds, 10e-3)


def space() -> SearchSpace:
    return SearchSpace([Float(f"x{i}", 0.0, 1.0) for i in range(D)])


def ours(n: int, repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median seconds, by the clock, of a suggestion after n trials."""
    rng = np.random.default_rng(n)
    X = rng.random((n, D))
    optimizer = Optimizer(space(), seed=0)
    for row, y in zip(X, hartmann6(X)):
        optimizer.tell({f"x{i}": float(v) for i, v in enumerate(row)}, float(y))
    times = []
    for _ in range(repeats + 1):
        start = clock()
        (s,) = optimizer.ask()
        times.append(clock() - start)
        optimizer.tell(s, float(hartmann6(np.array([list(s.params.values())]))[0]))
    later = [round(t * 1e3, 1) for t in times[1:]]
    print(f"    n = {n}: first suggestion {times[0] * 1e3:.1f} ms (fits from nothing), later {later}")
    return statistics.median(times[1:])


def optunas(n: int, repeats: int = 5) -> float:
    """The same of Optuna's GPSampler."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = np.random.default_rng(n)
    X = rng.random((n, D))
    axes = {f"x{i}": optuna.distributions.FloatDistribution(0, 1) for i in range(D)}
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0))
    for row, y in zip(X, hartmann6(X)):
        params = {f"x{i}": float(v) for i, v in enumerate(row)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=axes, value=float(y)))
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        trial = study.ask(axes)
        times.append(time.perf_counter() - start)
        study.tell(trial, float(hartmann6(np.array([list(trial.params.values())]))[0]))
    return statistics.median(times[1:])


def suggestions(peer: str | None) -> bool:
    ok, mine = True, {}
    for n in (30, 100, 300):
        mine[n] = ours(n)
        line = f"a suggestion after {n} trials"
        if peer:
            command = [peer, "-m", "tests.benchmarks.engine", "--peer-only", str(n)]
            theirs = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            ratio = theirs / mine[n]
            print(f"{line:<62}{mine[n] * 1e3:>10.2f} ms   Optuna {theirs * 1e3:>8.1f} ms   {ratio:>5.1f} times faster")
            ok &= ratio >= 10
        else:
            print(f"{line:<62}{mine[n] * 1e3:>10.2f} ms")
    return report("a suggestion after 1,000 trials (CPU)", ours(1000, 3, time.process_time), 1.0) and ok


def against_grid() -> bool:
    """Evaluations to the quality of a grid search over three parameters of Hartmann's function."""
    levels = 10
    axis = (np.arange(levels) + 0.5) / levels
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    fixed = np.array([0.275, 0.312, 0.657])

    def value(X: np.ndarray) -> np.ndarray:
        return hartmann6(np.concatenate([X, np.broadcast_to(fixed, X.shape)], axis=1))

    target, needed = float(value(grid).min()), []
    for seed in range(3):
        optimizer = Optimizer(SearchSpace([Float(f"x{i}", 0.0, 1.0) for i in range(3)]), seed=seed)
        count = 0
        while count < 100:
            count += 1
            (s,) = optimizer.ask()
            y = float(value(np.array([list(s.params.values())]))[0])
            optimizer.tell(s, y)
            if y <= target:
                break
        needed.append(count)
    ratio = len(grid) / statistics.median(needed)
    print(f"evaluations to a {len(grid):,}-point grid's best: {needed}, {ratio:.0f} times fewer")
    return ratio >= 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skip-peer", action="store_true", help="don't measure Optuna")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter with the extra peers")
    parser.add_argument("--peer-only", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer_only:
        print(optunas(args.peer_only))
        return 0
    found = [prediction(), acquisition(), suggestions(None if args.skip_peer else args.peer_python), against_grid()]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
