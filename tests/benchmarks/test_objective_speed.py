"""How long an evaluation takes: an objective must be cheap next to the engine's own thinking."""

import time

import pytest

from engine.objectives import Context, resolve
from engine.objectives.strategy import vote

TEN = ("rsi", "macd", "bbands", "di", "obv", "ema", "cci", "roc", "aroonosc", "mfi")
CASES = {
    "moving-average crossover, 8,321 bars": ("engine.objectives.strategy:moving_average_cross", {}, {}, 5.0),
    "10 indicators, 5,031 bars": (
        "engine.objectives.strategy:indicator_vote",
        vote.vote_defaults(TEN),
        {"market": "sp500", "min_trades": 1},
        10.0,
    ),
}


@pytest.mark.benchmark
@pytest.mark.parametrize("name", CASES)
def test_milliseconds_an_evaluation(name):
    path, params, settings, limit = CASES[name]
    function, context = resolve(path), Context(settings=settings)
    function(params, context)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        function(params, context)
        times.append((time.perf_counter() - start) * 1e3)
    median = sorted(times)[len(times) // 2]
    print(f"\n{name}: median {median:.2f} ms, limit {limit:g} ms, ratio {median / limit:.2f}")
    assert median <= limit
