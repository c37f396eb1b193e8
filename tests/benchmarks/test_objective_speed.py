"""How long an evaluation takes: an objective must be cheap next to the engine's own thinking."""

import time

import pytest

from engine.objectives import find, resolve

LIMITS_MS = {"engine.objectives.strategy:moving_average_cross": 5.0}


@pytest.mark.benchmark
@pytest.mark.parametrize("path", LIMITS_MS)
def test_milliseconds_an_evaluation(path):
    entry, function = find(path), resolve(path)
    function(entry.defaults)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        function(entry.defaults)
        times.append((time.perf_counter() - start) * 1e3)
    median = sorted(times)[len(times) // 2]
    print(f"\n{entry.slug}: median {median:.2f} ms, limit {LIMITS_MS[path]:g} ms, ratio {median / LIMITS_MS[path]:.2f}")
    assert median <= LIMITS_MS[path]
