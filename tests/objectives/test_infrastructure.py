"""The measured service: every request is answered once, the pools do what their names say, errors come out."""

import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.objectives import Context, find, infrastructure
from engine.objectives.infrastructure import measure, request_keys, service_pools

ENTRY = find("engine.objectives.infrastructure:service_pools")
KEYS = request_keys(300, np.random.default_rng(0))
SMALL = {"requests": 200, "replicates": 2}


def run(keys=KEYS, workers=4, connections=4, cache=256, batch=1, outstanding=32, round_trip=0.001):
    return measure(keys, workers, connections, cache, batch, outstanding, round_trip)


@pytest.mark.parametrize("workers", [1, 3, 16])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_every_request_is_answered_exactly_once(workers, batch):
    service = infrastructure._Service(KEYS, 20, 0.0, 2, infrastructure._Cache(64), batch)
    service.run(workers)
    assert len(service.times) == len(KEYS)
    assert min(service.times) >= 0


def test_fewer_requests_than_may_wait():
    assert run(KEYS[:5], outstanding=64)["throughput"] > 0


def test_the_cache_forgets_what_was_used_least_recently():
    cache = infrastructure._Cache(2)
    cache.put(1, "a")
    cache.put(2, "b")
    assert cache.get(1) == "a"
    cache.put(3, "c")
    assert cache.get(2) is None
    assert cache.get(1) == "a"
    assert cache.get(3) == "c"


def test_a_single_thread_hits_what_the_cache_would():
    """Without concurrency the hit rate is that of the policy itself."""
    cache, hits = infrastructure._Cache(50), 0
    for key in KEYS:
        if cache.get(key) is None:
            cache.put(key, "x")
        else:
            hits += 1
    assert run(workers=1, cache=50, round_trip=0.0)["hit_rate"] == pytest.approx(hits / len(KEYS))


def test_never_more_requests_to_the_backend_than_connections(monkeypatch):
    inside, most = [0], [0]

    def sleep(seconds):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        real(seconds)
        inside[0] -= 1

    real = infrastructure.time.sleep
    monkeypatch.setattr(infrastructure.time, "sleep", sleep)
    run(workers=12, connections=1, cache=16)
    assert most[0] == 1


def test_waiting_in_parallel_is_quicker():
    """The round trip is a sleep, so that many threads wait at once whatever the host does besides."""
    one = run(workers=1, connections=1, cache=16, round_trip=0.005)
    many = run(workers=16, connections=16, cache=16, round_trip=0.005)
    assert many["throughput"] > 3 * one["throughput"]
    assert many["p99_ms"] < one["p99_ms"]


def test_an_error_in_a_thread_comes_out(monkeypatch):
    def broken(value):
        raise RuntimeError("no backend")

    monkeypatch.setattr(infrastructure.json, "dumps", broken)
    with pytest.raises(RuntimeError, match="no backend"):
        run()


def test_outcomes_are_documented_finite_and_consistent():
    for params in ENTRY.space.decode(ENTRY.space.sample(6, np.random.default_rng(1))):
        out = service_pools(params, Context(settings=SMALL))
        assert set(out) == set(ENTRY.outcomes)
        assert all(type(v) is float and np.isfinite(v) for v in out.values())
        assert out["p50_ms"] <= out["p99_ms"]
        assert out["log_p99"] == pytest.approx(np.log(out["p99_ms"]))
        assert 0 <= out["hit_rate"] <= 1


def test_memory_by_hand():
    out = service_pools({"workers": 10, "connections": 4, "cache": 1000, "batch": 1}, Context(settings=SMALL))
    assert out["memory_mb"] == pytest.approx(1 + 1 + 2)


def test_the_seed_decides_the_requests():
    assert request_keys(50, np.random.default_rng(1)) == request_keys(50, np.random.default_rng(1))
    top = np.bincount(request_keys(20_000, np.random.default_rng(0)), minlength=5000)
    assert top[0] > 3 * top[5] > 0


def test_reports_as_it_measures():
    curve = []
    service_pools(ENTRY.defaults, Context(settings=SMALL, report=lambda step, value: curve.append(step)))
    assert curve == [1, 2]


def test_no_threads_are_refused():
    with pytest.raises(InvalidInput, match="between 1 and"):
        service_pools({**ENTRY.defaults, "workers": 0})
