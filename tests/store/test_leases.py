"""Leases: one engine a study, take-over by the database's clock, and no write of an engine that lost."""

from __future__ import annotations

import pytest

from engine.errors import LeaseLost
from engine.governance import actions
from engine.store import Lease, Store
from tests.support.studies import ANALYST, leased, make_study, run_trial, silence


def take_over(store: Store, study_id: str, engine: str = "engine-2") -> Lease:
    silence(store, "engine-1")
    store.register_engine(engine, "other", 2)
    lease = store.lease_study(engine, study_id)
    assert lease is not None
    return lease


def test_the_study_that_waits_longest_is_leased_first(store: Store) -> None:
    first, second = make_study(store, "first"), make_study(store, "second")
    assert store.get_study(first).engine_id is None
    taken = [store.lease_study("e1"), store.lease_study("e1"), store.lease_study("e1")]
    assert [lease and lease.study_id for lease in taken] == [first, second, None]
    study = store.get_study(first)
    assert (study.state, study.engine_id) == ("running", "e1")
    assert study.started_at is not None
    assert study.engine_seen_at is not None


def test_a_held_study_cant_be_had(store: Store) -> None:
    study_id, _ = leased(store)
    assert store.lease_study("engine-2", study_id) is None
    assert store.lease_study("engine-2") is None


def test_a_heartbeat_keeps_the_lease(store: Store) -> None:
    study_id, _ = leased(store)
    silence(store, "engine-1")
    assert [e.stale for e in store.engines()] == [True]
    assert store.beat("engine-1") == [study_id]
    assert [(e.id, e.stale, e.studies) for e in store.engines()] == [("engine-1", False, 1)]
    assert store.lease_study("engine-2", study_id) is None


def test_a_silent_engine_is_taken_over_and_shut_out(store: Store) -> None:
    study_id, old = leased(store)
    run_trial(store, old)
    store.start_trial(old, store.add_trial(old, {"x": 0.2, "kind": "b"}).number)
    store.add_trial(old, {"x": 0.3, "kind": "b"})
    new = take_over(store, study_id)
    assert new.token > old.token
    again, queued = store.unfinished_trials(study_id)
    assert (again.number, again.state, again.attempt, again.params) == (1, "queued", 2, {"x": 0.2, "kind": "b"})
    assert (queued.number, queued.state, queued.attempt) == (2, "queued", 1)
    revision = store.revision(study_id)
    writes = [
        lambda: store.add_trial(old, {"x": 0.5, "kind": "a"}),
        lambda: store.start_trial(old, 1),
        lambda: store.finish_trial(old, 1, 1, "complete", {"sharpe": 9.0, "drawdown": 0.1}),
        lambda: store.retry_trial(old, 1, 1, "lost"),
        lambda: store.abandon_trial(old, 1),
        lambda: store.save_model(old, 1, {}),
        lambda: store.set_state(old, "complete"),
        lambda: store.acknowledge(old, 1),
        lambda: store.add_event(old, "note", "text"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost, match="engine-1 no longer holds"):
            write()
    assert store.beat("engine-1") == []
    store.release(old)  # changes nothing
    assert store.revision(study_id) == revision
    assert store.get_study(study_id).engine_id == "engine-2"
    run_trial(store, new)
    assert "took the study over from engine-1" in store.events(study_id)[0].text


def test_an_engine_that_takes_its_study_back_cant_use_its_old_lease(store: Store) -> None:
    study_id, old = leased(store)
    store.start_trial(old, store.add_trial(old, {"x": 0.2, "kind": "b"}).number)
    silence(store, "engine-1")
    new = store.lease_study("engine-1", study_id)
    assert new is not None
    with pytest.raises(LeaseLost):
        store.finish_trial(old, 0, 1, "complete", {"sharpe": 9.0, "drawdown": 0.1})
    run_trial(store, new)


def test_trials_of_dead_engines_fail_after_max_attempts(store: Store) -> None:
    study_id, lease = leased(store, max_attempts=2)
    store.add_trial(lease, {"x": 0.2, "kind": "b"})
    store.start_trial(lease, 0)
    lease = take_over(store, study_id)
    store.start_trial(lease, 0)
    silence(store, "engine-2")
    assert store.lease_study("engine-3", study_id) is not None
    trial = store.get_trial(study_id, 0)
    assert (trial.state, trial.finished_order) == ("failed", 1)
    assert "died" in trial.error


def test_a_released_study_is_free_at_once(store: Store) -> None:
    study_id, lease = leased(store)
    store.release(lease)
    assert store.get_study(study_id).engine_id is None
    with pytest.raises(LeaseLost):
        store.set_state(lease, "paused")
    assert store.lease_study("engine-2", study_id) is not None


def test_an_engine_that_leaves_gives_everything_back(store: Store) -> None:
    study_id, _ = leased(store)
    store.unregister_engine("engine-1")
    assert store.engines() == []
    assert store.lease_study("engine-2", study_id) is not None


def test_paused_and_ended_studies_are_not_leased(store: Store) -> None:
    study_id, lease = leased(store)
    store.set_state(lease, "paused")
    store.release(lease)
    assert store.lease_study("engine-2", study_id) is None
    actions.send_command(store, study_id, "cancel", ANALYST)
    assert store.lease_study("engine-2", study_id) is None


def test_a_command_that_a_dead_engine_never_answered_reaches_the_next(store: Store) -> None:
    study_id, lease = leased(store)
    store.set_state(lease, "paused")
    command = actions.send_command(store, study_id, "resume", ANALYST)
    assert command.acknowledged_at is None
    new = take_over(store, study_id)
    assert [c.id for c in store.take_commands(new)] == [command.id]
