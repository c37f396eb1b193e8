"""Several processes and threads on one store: nothing lost, nothing twice, nobody locked out."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Conflict, LeaseLost, NotAllowed
from engine.governance import actions, audit
from engine.store import Lease, Store
from tests.support.studies import ANALYST, leased, make_study, run_trial

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys
from engine.store import Lease, Store
from tests.support.studies import run_trial
url, study_id, engine, token, n = sys.argv[1:]
with Store.open(url) as store:
    for _ in range(int(n)):
        run_trial(store, Lease(study_id, engine, int(token)))
"""

TAKER = """
import sys
from engine.store import Store
url, engine = sys.argv[1:]
with Store.open(url) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    while (lease := store.lease_study(engine)) is not None:
        print(lease.study_id, flush=True)
"""


def start(code: str, *arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls in threads that begin at the same moment; what each returned or raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except (Conflict, LeaseLost) as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(run, call) for call in calls]]


def test_two_engine_processes_never_lease_the_same_study(store: Store, store_url: str) -> None:
    ids = {make_study(store, f"study {i}") for i in range(20)}
    engines = [start(TAKER, store_url, f"engine-{i}") for i in range(2)]
    for engine in engines:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "ready\n"
    for engine in engines:
        assert engine.stdin is not None
        engine.stdin.write("go\n")
        engine.stdin.flush()
    taken = [engine.communicate(timeout=60)[0].split() for engine in engines]
    assert sorted(taken[0] + taken[1]) == sorted(ids)
    for engine, mine in enumerate(taken):
        assert all(store.get_study(i).engine_id == f"engine-{engine}" for i in mine)


def test_one_study_two_engines_at_the_same_moment(store: Store) -> None:
    for i in range(5):
        study_id = make_study(store, f"study {i}")
        calls = [lambda e=e, s=study_id: store.lease_study(e, s) for e in ("one", "two", "three")]
        assert sum(isinstance(lease, Lease) for lease in together(*calls)) == 1


def test_writers_in_several_processes_lose_no_update(store: Store, store_url: str) -> None:
    studies = [leased(store, f"study {i}", engine=f"engine-{i}") for i in range(2)]
    writers = [start(WRITER, store_url, id_, lease.engine_id, lease.token, 12) for id_, lease in studies * 2]
    commands = [actions.enqueue_trial(store, id_, {"x": 0.5, "kind": "a"}, ANALYST).number for id_, _ in studies * 5]
    for writer in writers:
        assert writer.wait(timeout=100) == 0
    for study_id, _ in studies:
        study = store.get_study(study_id)
        trials, total = store.list_trials(study_id, limit=1000)
        assert total == study.n_trials == 29
        assert (study.n_complete, study.n_queued) == (24, 5)
        assert [t.number for t in trials] == list(range(29))
        assert [t.finished_order for t in store.finished_trials(study_id)] == list(range(1, 25))
        assert sum(p.n for p in store.progress(study_id)) == 24
    assert len(set(commands)) >= 5
    assert audit.verify(store).ok


def test_of_two_results_for_one_run_one_is_written(store: Store) -> None:
    study_id, lease = leased(store)
    for number in range(5):
        store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
        values = [{"sharpe": float(k), "drawdown": 0.1} for k in range(3)]
        calls = [lambda v=v, n=number: store.finish_trial(lease, n, 1, "complete", v) for v in values]
        results = together(*calls)
        assert sum(isinstance(r, Conflict) for r in results) == 2
        [written] = [r for r in results if not isinstance(r, Conflict)]
        assert store.get_trial(study_id, number).values == written.values
    assert store.get_study(study_id).n_complete == 5


def test_a_take_over_in_the_middle_of_writing_shuts_the_old_engine_out(store: Store) -> None:
    study_id, old = leased(store)
    store.register_engine("engine-1", "host", 1, lease_seconds=0.0)
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE leases SET lease_seconds = 0")

    def write() -> int:
        for i in range(1000):
            try:
                run_trial(store, old)
            except (LeaseLost, Conflict):
                return i
        return 1000

    results = together(write, lambda: store.lease_study("engine-2", study_id))
    assert isinstance(results[1], Lease)
    assert results[0] < 1000
    n = store.get_study(study_id).n_complete
    assert results[0] <= n <= results[0] + 1
    run_trial(store, results[1])


def test_many_readers_dont_disturb_a_writer(store: Store) -> None:
    study_id, lease = leased(store)
    stop = threading.Event()

    def read() -> int:
        n = 0
        while not stop.is_set():
            study = store.get_study(study_id)
            trials, total = store.list_trials(study_id)
            assert total >= study.n_trials
            assert len(trials) <= total
            assert len(store.progress(study_id)) >= study.n_finished
            n += 1
        return n

    def write() -> None:
        try:
            for _ in range(20):
                run_trial(store, lease)
        finally:
            stop.set()

    *reads, _ = together(*[read] * 10, write)
    assert all(n > 0 for n in reads)
    assert store.get_study(study_id).n_complete == 20


def test_leases_change_hands_without_deadlocks(store: Store) -> None:
    """Whatever engines and people do at once, each call ends, done or refused in words."""
    for i in range(4):
        make_study(store, f"study {i}")

    def engine(name: str) -> int:
        n = 0
        store.register_engine(name, "host", 1)
        for _ in range(15):
            lease = store.lease_study(name)
            store.beat(name)
            if lease is None:
                continue
            try:
                run_trial(store, lease)
                store.set_state(lease, "queued")
            except LeaseLost:
                continue
            n += 1
            store.release(lease)
        store.unregister_engine(name)
        return n

    def person() -> int:
        for i in range(15):
            study_id = store.list_studies()[0][i % 4].id
            try:
                actions.enqueue_trial(store, study_id, {"x": 0.5, "kind": "a"}, ANALYST)
                actions.edit_study(store, study_id, ANALYST, workers=1 + i % 3)
            except Conflict:
                continue
        return 15

    done = together(lambda: engine("one"), lambda: engine("two"), person)
    assert all(isinstance(n, int) for n in done)
    assert sum(store.get_study(s.id).n_complete for s in store.list_studies()[0]) == done[0] + done[1] > 0
    assert audit.verify(store).ok


@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_of_two_people_who_send_the_same_command_one_is_refused(store: Store, verb: Any) -> None:
    study_id, _ = leased(store)

    def send() -> bool:
        try:
            actions.send_command(store, study_id, verb, ANALYST)
        except NotAllowed:
            return False
        return True

    assert sorted(together(send, send)) == [False, True]
    assert len(store.commands(study_id)) == 1
