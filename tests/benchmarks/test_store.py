"""Many readers beside two engines on one store: nobody is locked out, and reads stay quick."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from engine.governance import audit
from engine.store import Store
from tests.support.studies import fill, leased

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10
LIMIT = 0.100

READERS = """
import json, random, sys, threading, time
from engine.store import Store
url, study_id, n, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
store, taken, problems = Store.open(url, readonly=True), [], []
def read(phase):
    time.sleep(phase)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for query in (store.get_study, store.progress, store.list_trials):
            start = time.perf_counter()
            try:
                query(study_id)
            except Exception as error:
                problems.append(str(error))
            taken.append(time.perf_counter() - start)
        time.sleep(2.0)  # a page that refreshes by itself
threads = [threading.Thread(target=read, args=(2.0 * i / n,)) for i in range(n)]
for t in threads: t.start()
for t in threads: t.join()
print(json.dumps({"taken": taken, "problems": problems}))
"""

ENGINE = """
import json, sys, time
from engine.store import Lease, Store
from tests.support.studies import run_trial
url, study_id, engine, token, seconds = sys.argv[1:]
store, lease, n = Store.open(url), Lease(study_id, engine, int(token)), 0
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    run_trial(store, lease)
    store.beat(engine)
    n += 1
    time.sleep(0.1)
print(json.dumps(n))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.benchmark
def test_fifty_readers_and_two_engines(store: Store, store_url: str, pytestconfig: pytest.Config) -> None:
    if "benchmark" not in pytestconfig.option.markexpr:
        pytest.skip("measures: run it with -m benchmark on a quiet machine")
    studies = [leased(store, f"study {i}", engine=f"engine-{i}", budget_trials=100_000) for i in range(2)]
    for study_id, _ in studies:
        fill(store, study_id, 10_000)
    engines = [start(ENGINE, store_url, i, lease.engine_id, lease.token, SECONDS + 2) for i, lease in studies]
    readers = [start(READERS, store_url, studies[i % 2][0], 25, SECONDS) for i in range(2)]
    written = [json.loads(engine.communicate(timeout=60)[0]) for engine in engines]
    results = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]
    taken = sorted(t for result in results for t in result["taken"])
    p95 = taken[int(0.95 * len(taken))]
    print(
        f"\n{len(taken)} reads by 50 readers beside {sum(written)} trials: median"
        f" {1000 * statistics.median(taken):.1f} ms, p95 {1000 * p95:.1f} ms"
    )
    assert [problem for result in results for problem in result["problems"]] == []
    assert [store.get_study(i).n_trials - 10_000 for i, _ in studies] == written
    assert p95 < LIMIT
    assert audit.verify(store).ok
