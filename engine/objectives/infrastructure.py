"""Infrastructure: the sizes of a service's pools, measured with real threads in this process.

Real are the threads, the queue, the locks, the cache and the interpreter's lock; the backend's round trip is a sleep.
What is measured holds for this host and what else runs on it: give such a study one worker.
"""

from __future__ import annotations

import itertools
import json
import math
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context
from engine.space import Int, Objective, SearchSpace

THREAD_MB, CONNECTION_MB, ENTRY_MB = 0.1, 0.25, 0.002
"""Memory that a thread, a connection and a cached entry are counted with: assumptions, not measured."""
_KEYS, _ZIPF = 5000, 1.2
_PER_KEY = 0.02
"""Share of a round trip that each key of a batch adds to it."""

SERVICE_POOLS = ObjectiveEntry(
    path="engine.objectives.infrastructure:service_pools",
    title="Pools of a quote service",
    summary=(
        "Worker threads, connections, cache and batch of a service that answers requests from a cache or a backend, "
        "measured on this host with real threads: throughput against the slowest answers and memory. Noisy, most of "
        "all in the tail. 0.1 to 5 s; run it with one worker."
    ),
    area="infrastructure",
    space=SearchSpace(
        [
            Int("workers", 1, 64, log=True, help="Threads that answer requests"),
            Int("connections", 1, 64, log=True, help="Requests to the backend at the same time"),
            Int("cache", 16, 4096, log=True, help="Entries of the cache"),
            Int("batch", 1, 64, log=True, help="Most requests that a thread takes at once"),
        ]
    ),
    objectives=(
        Objective("throughput", "maximize"),
        Objective("log_p99", "minimize"),
        Objective("memory_mb", "minimize"),
    ),
    defaults={"workers": 8, "connections": 4, "cache": 256, "batch": 1},
    settings=(
        Setting("requests", 1500, "Requests of a replicate.", low=50, high=1_000_000),
        Setting("outstanding", 64, "Requests that wait or are worked on at any time.", low=1, high=10_000),
        Setting("round_trip_ms", 1.0, "Sleep of a request to the backend, in ms.", low=0, high=1000),
        Setting("replicates", 3, "Measurements; the median counts.", low=1, high=50),
    ),
    outcomes={
        "throughput": "Answers a second on this host, median of the replicates",
        "log_p99": "Natural logarithm of the 99th percentile of the answer time in ms, median of the replicates",
        "p99_ms": "99th percentile of the answer time in ms, median of the replicates",
        "p50_ms": "Median answer time in ms, median of the replicates",
        "memory_mb": "Memory counted for threads (0.1), connections (0.25) and entries (0.002), in MB",
        "hit_rate": "Share of the requests answered from the cache",
        "throughput_spread": "Largest less smallest throughput of the replicates, over the median",
    },
)


class _Cache:
    """The least recently used entry goes first. One lock for all, as such caches have."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.entries: OrderedDict[int, str] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: int) -> str | None:
        with self.lock:
            value = self.entries.get(key)
            if value is not None:
                self.entries.move_to_end(key)
            return value

    def put(self, key: int, value: str) -> None:
        with self.lock:
            self.entries[key] = value
            self.entries.move_to_end(key)
            if len(self.entries) > self.size:
                self.entries.popitem(last=False)


@dataclass
class _Service:
    """Answers ``keys`` once each; ``outstanding`` of them are in the queue or in work until they run out."""

    keys: Sequence[int]
    outstanding: int
    round_trip: float
    connections: int
    cache: _Cache
    batch: int
    waiting: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    times: list[float] = field(default_factory=list)
    hits: int = 0
    errors: list[BaseException] = field(default_factory=list)

    def run(self, workers: int) -> float:
        """Seconds from the first request to the last answer."""
        self._pool = threading.BoundedSemaphore(self.connections)
        self._ticket = itertools.count()
        self._done = threading.Lock()
        self._workers = workers
        threads = [threading.Thread(target=self._guarded, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        start = time.perf_counter()
        self._issue(self.outstanding)
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
        return time.perf_counter() - start

    def _issue(self, n: int) -> None:
        for _ in range(n):
            number = next(self._ticket)
            if number < len(self.keys):
                self.waiting.put((self.keys[number], time.perf_counter()))

    def _guarded(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  (a thread has nobody to raise to; run() raises it)
            self.errors.append(error)
            self._stop()

    def _stop(self) -> None:
        for _ in range(self._workers):
            self.waiting.put(None)

    def _work(self) -> None:
        while True:
            taken = [self.waiting.get()]
            while len(taken) < self.batch and taken[-1] is not None:
                try:
                    taken.append(self.waiting.get_nowait())
                except queue.Empty:
                    break
            requests = [item for item in taken if item is not None]
            if requests:
                self._answer(requests)
            if taken[-1] is None:
                return

    def _answer(self, requests: list[tuple[int, float]]) -> None:
        found = [self.cache.get(key) for key, _ in requests]
        missing = {key for (key, _), value in zip(requests, found) if value is None}
        if missing:
            with self._pool:
                time.sleep(self.round_trip * (1 + _PER_KEY * (len(missing) - 1)))
            for key in missing:
                self.cache.put(key, json.dumps({"key": key, "bid": key / 7, "ask": key / 6}))
        now = time.perf_counter()
        with self._done:
            self.times += [now - asked for _, asked in requests]
            self.hits += sum(value is not None for value in found)
            finished = len(self.times) == len(self.keys)
        self._issue(len(requests))
        if finished:
            self._stop()


def measure(
    keys: Sequence[int], workers: int, connections: int, cache: int, batch: int, outstanding: int, round_trip: float
) -> dict[str, float]:
    """One replicate: throughput (1/s), p50_ms, p99_ms, hit_rate. round_trip: seconds."""
    service = _Service(keys, outstanding, round_trip, connections, _Cache(cache), batch)
    seconds = service.run(workers)
    milliseconds = np.array(service.times) * 1e3
    return {
        "throughput": len(keys) / seconds,
        "p50_ms": float(np.quantile(milliseconds, 0.5)),
        "p99_ms": float(np.quantile(milliseconds, 0.99)),
        "hit_rate": service.hits / len(keys),
    }


def request_keys(n: int, rng: np.random.Generator) -> list[int]:
    """n keys of which a few are asked for often: ranks with a Zipf law of exponent 1.2 on 5,000 keys."""
    weights = np.arange(1, _KEYS + 1) ** -_ZIPF
    return rng.choice(_KEYS, size=n, p=weights / weights.sum()).tolist()


def service_pools(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Measures a service with real threads; see ``SERVICE_POOLS`` for parameters and outcomes.

    The context's seed decides the requests; the host decides the times.
    """
    context = context or Context()
    values, settings = read_arguments(SERVICE_POOLS, params, context)
    for name, value in values.items():
        if not 1 <= value <= 100_000:
            raise InvalidInput(f"parameters.{name}", f"must lie between 1 and 100,000, not {value}.")
    runs = []
    for replicate in range(settings["replicates"]):
        rng = np.random.default_rng([context.seed % 2**63, replicate])
        keys = request_keys(settings["requests"], rng)
        runs.append(
            measure(keys, **values, outstanding=settings["outstanding"], round_trip=settings["round_trip_ms"] / 1e3)
        )
        context.report(replicate + 1, float(np.median([run["throughput"] for run in runs])))
    out = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
    throughputs = [run["throughput"] for run in runs]
    memory = values["workers"] * THREAD_MB + values["connections"] * CONNECTION_MB + values["cache"] * ENTRY_MB
    return out | {
        "log_p99": math.log(out["p99_ms"]),
        "memory_mb": memory,
        "throughput_spread": (max(throughputs) - min(throughputs)) / out["throughput"],
    }


ENTRIES = (SERVICE_POOLS,)
