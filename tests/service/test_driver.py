"""The driver of a study against a store whose connection breaks: nothing is lost, nothing is written twice."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.errors import LeaseLost, StoreUnavailable
from engine.governance.actions import report_trial
from engine.service.driver import StudyDriver
from engine.service.task import Outcome, TrialTask
from engine.store import Lease, Store
from engine.store.records import StudyRecord
from tests.service.support import ANALYST, make_study

WRITES = (
    "add_trial",
    "start_trial",
    "finish_trial",
    "retry_trial",
    "save_model",
    "set_state",
    "acknowledge",
)


class InlineExecutor:
    """Evaluates at once, in this process; every fifth run is lost, as if its worker was killed."""

    def __init__(self) -> None:
        self._done: list[tuple[TrialTask, Outcome]] = []
        self.runs = 0

    def submit(self, task: TrialTask) -> None:
        self.runs += 1
        lost = self.runs % 5 == 0
        outcome = Outcome("lost", error="Killed.") if lost else Outcome("complete", {"value": task.params["x"] ** 2})
        self._done.append((task, outcome))

    def poll(self) -> list[tuple[TrialTask, Outcome]]:
        done, self._done = self._done, []
        return done

    def resize(self, workers: int) -> None:
        assert not self._done

    def kill(self) -> None:
        self._done.clear()

    def close(self) -> None:
        self.kill()


class BrokenConnection:
    """A store of which one call in four fails, before or after the write went through."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._random = random.Random(seed)
        self.broken = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)
        if not callable(call) or self._random.random() > 0.25:
            return call

        def fail(*arguments: Any, **named: Any) -> Any:
            self.broken += 1
            if name in WRITES and self._random.random() < 0.5:
                call(*arguments, **named)
            raise StoreUnavailable("The connection was cut.")

        return fail


def _lease(store: Store, study_id: str, engine_id: str = "e1", seconds: float = 60.0) -> Lease:
    store.register_engine(engine_id, "host", 1, lease_seconds=seconds)
    lease = store.lease_study(engine_id, study_id, lease_seconds=seconds)
    assert lease is not None
    return lease


def _drive(driver: StudyDriver, steps: int = 2000) -> None:
    for _ in range(steps):
        try:
            if not driver.tick():
                return
        except StoreUnavailable:
            continue
    pytest.fail("the study didn't end")


def _ignore(study: StudyRecord) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("seed", range(4))
def test_a_breaking_connection_costs_nothing(local_store: Store, seed: int) -> None:
    study_id = make_study(local_store, budget={"trials": 15}, workers=3, max_attempts=50)
    lease = _lease(local_store, study_id)
    broken = BrokenConnection(local_store, seed)
    driver = StudyDriver(local_store, lease, InlineExecutor(), _ignore)
    driver._store = broken  # type: ignore[assignment]
    _drive(driver)
    assert broken.broken > 10
    study = local_store.get_study(study_id)
    trials, total = local_store.list_trials(study_id)
    assert study.state == "complete"
    assert total == study.n_complete == 15
    assert [t.finished_order for t in sorted(trials, key=lambda t: t.finished_order or 0)] == list(range(1, 16))
    assert {t.values["value"] for t in trials} == {t.params["x"] ** 2 for t in trials}
    assert len({t.params["x"] for t in trials}) == 15


def test_a_driver_whose_lease_was_taken_writes_nothing_more(local_store: Store) -> None:
    study_id = make_study(local_store, budget={"trials": 15})
    driver = StudyDriver(local_store, _lease(local_store, study_id, "old", 0.0), InlineExecutor(), _ignore)
    driver.tick()
    _lease(local_store, study_id, "new")
    before = local_store.revision(study_id)
    with pytest.raises(LeaseLost):
        driver.tick()
    assert local_store.revision(study_id) == before


def test_a_manual_study_waits_for_people_and_goes_on_with_what_they_report(local_store: Store) -> None:
    study_id = make_study(local_store, objective="manual", budget={"trials": 4}, workers=2)
    driver = StudyDriver(local_store, _lease(local_store, study_id), InlineExecutor(), _ignore)
    for _ in range(3):
        assert driver.tick()
    assert [t.state for t in local_store.unfinished_trials(study_id)] == ["queued", "queued"]
    report_trial(local_store, study_id, ANALYST, params={"x": 0.5}, values={"value": 2.0})
    for _ in range(3):
        for trial in local_store.unfinished_trials(study_id)[:1]:
            report_trial(local_store, study_id, ANALYST, number=trial.number, values={"value": 1.0})
        more = driver.tick()
    assert not more
    study = local_store.get_study(study_id)
    assert (study.state, study.n_complete) == ("complete", 4)


def test_the_model_in_the_store_has_seen_every_trial_at_the_end(local_store: Store) -> None:
    study_id = make_study(local_store, budget={"trials": 12}, workers=3, max_attempts=50)
    _drive(StudyDriver(local_store, _lease(local_store, study_id), InlineExecutor(), _ignore))
    assert [n for n, _ in local_store.models(study_id)][-1] == 12


def test_progress_is_told_after_every_trial(local_store: Store) -> None:
    study_id = make_study(local_store, budget={"trials": 5}, max_attempts=50)
    seen: list[int] = []
    lease = _lease(local_store, study_id)
    _drive(StudyDriver(local_store, lease, InlineExecutor(), lambda study: seen.append(study.n_finished)))
    assert seen == [1, 2, 3, 4, 5]
