"""Killed engines and workers: nothing that finished is lost, nothing is done twice, the study goes on by itself."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from engine.governance import audit
from engine.store import Store
from tests.service.support import Engines, make_study, wait_for, wait_for_state


def test_an_engine_killed_twice_ends_with_every_trial_once(store: Store, store_url: str, tmp_path: Path) -> None:
    study_id = make_study(store, budget={"trials": 40}, workers=2, settings={"seconds": 0.02})
    engines = Engines(store_url, tmp_path / "engines.log")
    try:
        for n_before_kill in (8, 22):
            engine = engines.start()
            wait_for(lambda n=n_before_kill: store.get_study(study_id).n_finished >= n, f"{n_before_kill} trials")
            finished = {t.number: t.values for t in store.finished_trials(study_id)}
            orphans = engines.kill(engine)
            wait_for(lambda o=orphans: not any(_alive(p) for p in o), "its workers to die with it", 5)
            after = {t.number: t.values for t in store.finished_trials(study_id)}
            assert finished.items() <= after.items()
        engines.start()
        study = wait_for_state(store, study_id, "complete")
    finally:
        engines.close()
    trials, total = store.list_trials(study_id, limit=1000)
    assert total == 40
    assert [t.number for t in trials] == list(range(40))
    assert {t.state for t in trials} == {"complete"}
    assert sorted(t.finished_order or 0 for t in trials) == list(range(1, 41))
    assert (study.n_complete, study.n_failed, study.n_running) == (40, 0, 0)
    assert study.best_value == min(t.values["value"] for t in trials)
    assert audit.verify(store).ok
    took_over = [e.text for e in store.events(study_id) if "took the study over" in e.text]
    assert len(took_over) == 2


def test_a_killed_worker_is_replaced_and_its_trial_run_again(
    local_store: Store, engines: Engines, tmp_path: Path
) -> None:
    study_id = make_study(local_store, "gated", budget={"trials": 1}, settings={"folder": str(tmp_path)})
    engine = engines.start()
    first = wait_for(lambda: list(tmp_path.glob("started-*")), "the trial to run")
    os.kill(int(first[0].name.partition("-")[2]), signal.SIGKILL)
    wait_for(lambda: len(list(tmp_path.glob("started-*"))) == 2, "a second run")
    (tmp_path / "go").touch()
    wait_for_state(local_store, study_id, "complete")
    [trial] = local_store.finished_trials(study_id)
    assert (trial.state, trial.attempt) == ("complete", 2)
    assert engine.poll() is None


def test_a_worker_that_always_dies_fails_its_trial_with_the_reason(local_store: Store, engines: Engines) -> None:
    study_id = make_study(
        local_store,
        "behaves",
        parameters={"how": {"type": "categorical", "choices": ["die", "fine"]}},
        budget={"trials": 2},
        max_attempts=2,
    )
    engines.start()
    wait_for_state(local_store, study_id, "complete")
    by_kind = {t.params["how"]: t for t in local_store.finished_trials(study_id)}
    assert by_kind["fine"].state == "complete"
    assert by_kind["die"].state == "failed"
    assert "SIGKILL" in by_kind["die"].error
    assert "2 times" in by_kind["die"].error


def test_sigterm_gives_running_trials_back_unharmed(local_store: Store, engines: Engines, tmp_path: Path) -> None:
    study_id = make_study(local_store, "gated", budget={"trials": 1}, settings={"folder": str(tmp_path)})
    engine = engines.start()
    wait_for(lambda: list(tmp_path.glob("started-*")), "the trial to run")
    family = psutil.Process(engine.pid).children(recursive=True)
    engine.terminate()
    assert engine.wait(5) == 0
    wait_for(lambda: not any(_alive(p) for p in family), "its workers to end", 5)
    [trial] = local_store.unfinished_trials(study_id)
    assert (trial.state, trial.attempt) == ("queued", 1)
    study = local_store.get_study(study_id)
    assert (study.state, study.engine_id) == ("queued", None)
    assert local_store.engines() == []
    (tmp_path / "go").touch()
    engines.start()
    wait_for_state(local_store, study_id, "complete")
    assert [t.attempt for t in local_store.finished_trials(study_id)] == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process whose interpreter is stuck")
def test_no_worker_outlives_its_engine_even_stuck_in_native_code(
    local_store: Store, engines: Engines, tmp_path: Path
) -> None:
    make_study(local_store, "stuck", budget={"trials": 1}, settings={"folder": str(tmp_path)})
    engine = engines.start()
    wait_for(lambda: list(tmp_path.glob("started-*")), "the trial to run")
    orphans = engines.kill(engine)
    assert len(orphans) >= 2  # fork server and worker
    wait_for(lambda: not any(_alive(p) for p in orphans), "them to end", 10)


def test_a_restart_in_the_middle_changes_no_bit(local_store: Store, engines: Engines) -> None:
    common = {
        "parameters": {name: {"type": "float", "low": 0, "high": 1} for name in ("x", "y", "z")},
        "budget": {"trials": 40},
        "settings": {"seconds": 0.02},
        "workers": 1,
        "seed": 7,
    }
    interrupted = make_study(local_store, name="interrupted", **common)
    engine = engines.start("--studies", "1")
    wait_for(lambda: local_store.get_study(interrupted).n_finished >= 20, "20 trials")
    engines.kill(engine)
    assert local_store.get_study(interrupted).n_finished < 40
    at_once = make_study(local_store, name="at-once", **common)
    engines.start()
    for study_id in (interrupted, at_once):
        wait_for_state(local_store, study_id, "complete")
    one, other = (
        [(t.number, t.params, t.values) for t in local_store.finished_trials(study_id)]
        for study_id in (interrupted, at_once)
    )
    assert one == other


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
