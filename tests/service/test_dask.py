"""Trials on a real Dask cluster of two worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.governance.actions import send_command
from engine.store import Store
from tests.service.support import ANALYST, Engines, make_study, wait_for, wait_for_state

distributed = pytest.importorskip("distributed", reason="Dask isn't installed: pip install 'tunedesk[dask]'.")


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as running:
        yield running


@pytest.fixture
def at_work(cluster: object, engines: Engines) -> Engines:
    engines.start("--studies", "4", "--executor", cluster.scheduler_address)  # type: ignore[attr-defined]
    return engines


def test_a_cluster_runs_trials_and_every_way_they_can_end(local_store: Store, at_work: Engines) -> None:
    kinds = ["fine", "nan", "raise", "infeasible", "hang", "die"]
    fine = make_study(local_store, name="fine", budget={"trials": 12}, workers=2)
    mixed = make_study(
        local_store,
        "behaves",
        parameters={"how": {"type": "categorical", "choices": kinds}},
        budget={"trials": len(kinds)},
        trial_timeout=1.0,
        max_attempts=2,
        workers=2,
    )
    assert wait_for_state(local_store, fine, "complete").n_complete == 12
    wait_for_state(local_store, mixed, "complete")
    trials = {t.params["how"]: t for t in local_store.finished_trials(mixed)}
    assert {how: t.state for how, t in trials.items()} == {
        "fine": "complete", "nan": "failed", "raise": "failed", "infeasible": "infeasible", "hang": "failed",
        "die": "failed",
    }  # fmt: skip
    assert "took longer than 1 s" in trials["hang"].error
    assert "SIGKILL" in trials["die"].error
    assert trials["die"].attempt == 2
    assert "said on stdout" in local_store.trial_log(mixed, trials["fine"].number)
    assert "Traceback" in local_store.trial_log(mixed, trials["raise"].number)


def test_a_killed_machine_costs_a_run_and_no_trial(
    local_store: Store, at_work: Engines, cluster: object, tmp_path: Path
) -> None:
    study_id = make_study(
        local_store, "gated", budget={"trials": 6}, workers=2, max_attempts=5, settings={"folder": str(tmp_path)}
    )
    started = wait_for(lambda: s if len(s := list(tmp_path.glob("started-*"))) == 2 else None, "both workers at work")
    child = psutil.Process(int(started[0].name.partition("-")[2]))
    dask_worker = child.parent()
    assert dask_worker is not None
    os.kill(dask_worker.pid, signal.SIGKILL)
    wait_for(lambda: not child.is_running(), "its trial to end with it", 5)
    (tmp_path / "go").touch()
    assert wait_for_state(local_store, study_id, "complete").n_complete == 6


def test_cancel_kills_what_runs_on_the_cluster(local_store: Store, at_work: Engines, tmp_path: Path) -> None:
    study_id = make_study(local_store, "gated", budget={"trials": 6}, settings={"folder": str(tmp_path)})
    started = wait_for(lambda: list(tmp_path.glob("started-*")), "a trial to run")
    send_command(local_store, study_id, "cancel", ANALYST)
    wait_for_state(local_store, study_id, "cancelled")
    pid = int(started[0].name.partition("-")[2])
    wait_for(lambda: not psutil.pid_exists(pid), "the trial's process to end", 10)
