"""People's writes: rights, the states in which a command makes sense, and what happens without an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import Conflict, InvalidInput, LeaseLost, NotAllowed, NotFound
from engine.governance import Actor, actions, audit
from engine.store import Store
from engine.store.records import VERBS, StudyState, Verb
from engine.store.states import AFTER, ENDED
from tests.support.studies import ANALYST, leased, make_spec, make_study, run_trial, silence

VIEWER = Actor("eve", {"viewer"})
STATES: tuple[StudyState, ...] = ("queued", "running", "paused", "stopping", *ENDED)


def untouched(store: Store) -> Callable[[], bool]:
    """Whether nothing was written since: no study, revision, event or audit entry."""

    def look() -> Any:
        studies, _ = store.list_studies(include_archived=True)
        return [(s.id, s.revision) for s in studies], store.events(), audit.verify(store).head

    before = look()
    return lambda: look() == before


def test_without_the_right_nothing_is_written(store: Store) -> None:
    study_id = make_study(store)
    same = untouched(store)
    point = {"x": 0.5, "kind": "a"}
    acts: list[Callable[[], Any]] = [
        lambda: actions.create_study(store, make_spec(), VIEWER),
        lambda: actions.send_command(store, study_id, "pause", VIEWER),
        lambda: actions.rename_study(store, study_id, "other", VIEWER),
        lambda: actions.edit_study(store, study_id, VIEWER, workers=2),
        lambda: actions.archive_study(store, study_id, VIEWER),
        lambda: actions.enqueue_trial(store, study_id, point, VIEWER),
        lambda: actions.report_trial(store, study_id, VIEWER, params=point, values={}),
    ]
    for act in acts:
        with pytest.raises(NotAllowed, match="eve may not"):
            act()
    assert same()


def put_in(store: Store, state: StudyState) -> str:
    """A study in this state, held by a living engine unless it waits for one."""
    if state == "queued":
        return make_study(store)
    study_id, lease = leased(store, engine=f"engine of {state}")
    store.set_state(lease, state)
    return study_id


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_in_every_state(store: Store, verb: Verb) -> None:
    for state in STATES:
        check_command(store, verb, state)


def check_command(store: Store, verb: Verb, state: StudyState) -> None:
    study_id = put_in(store, state)
    if state in AFTER[verb]:
        command = actions.send_command(store, study_id, verb, ANALYST)
        assert (command.verb, command.issued_by, command.study_id) == (verb, "ana", study_id)
        assert audit.entries(store)[0].event["action"] == f"study.{verb}"
        return
    same = untouched(store)
    with pytest.raises(NotAllowed, match=r"The study study can't be \w+: .+\.$"):
        actions.send_command(store, study_id, verb, ANALYST)
    assert same()


def test_a_command_to_a_living_engine_waits_for_its_answer(store: Store) -> None:
    study_id, lease = leased(store)
    command = actions.send_command(store, study_id[:6], "pause", ANALYST)
    assert command.acknowledged_at is None
    assert store.get_study(study_id).state == "running"
    with pytest.raises(NotAllowed, match="pause is already on its way to the engine"):
        actions.send_command(store, study_id, "pause", ANALYST)
    resume = actions.send_command(store, study_id, "resume", ANALYST)  # judged after what is on its way
    assert [c.id for c in store.take_commands(lease)] == [command.id, resume.id]
    store.acknowledge(lease, command.id, state="paused")
    store.acknowledge(lease, resume.id, accepted=False, note="The disk is full.")
    assert store.take_commands(lease) == []
    answered = store.command(command.id)
    assert answered.acknowledged_at is not None
    assert answered.accepted is True
    refused = store.commands(study_id)[0]
    assert (refused.accepted, refused.note) == (False, "The disk is full.")
    assert store.get_study(study_id).state == "paused"


def test_an_answer_counts_once(store: Store) -> None:
    study_id, lease = leased(store)
    command = actions.send_command(store, study_id, "pause", ANALYST)
    store.acknowledge(lease, command.id, state="paused")
    store.set_state(lease, "running")
    store.acknowledge(lease, command.id, state="paused")
    assert store.get_study(study_id).state == "running"


def test_a_queued_study_obeys_at_once(store: Store) -> None:
    verbs: dict[Verb, StudyState] = {"pause": "paused", "stop": "stopped", "cancel": "cancelled"}
    for verb, after in verbs.items():
        study_id = make_study(store, verb)
        command = actions.send_command(store, study_id, verb, ANALYST)
        assert command.accepted is True
        assert command.acknowledged_at is not None
        assert store.get_study(study_id).state == after
        assert store.lease_study("engine-1") is None
    actions.send_command(store, "pause", "resume", ANALYST)
    assert store.get_study("pause").state == "queued"


def test_a_study_of_a_silent_engine_obeys_at_once_and_shuts_the_engine_out(store: Store) -> None:
    study_id, lease = leased(store)
    run_trial(store, lease)
    store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    pause = actions.send_command(store, study_id, "pause", ANALYST)  # it never answers this
    silence(store, "engine-1")
    stop = actions.send_command(store, study_id, "stop", ANALYST)
    study = store.get_study(study_id)
    assert (study.state, study.n_running, study.n_queued, study.n_abandoned) == ("stopped", 0, 0, 1)
    assert store.command(pause.id).accepted is True
    assert store.command(stop.id).accepted is True
    with pytest.raises(LeaseLost):
        store.finish_trial(lease, 1, 1, "complete", {"sharpe": 9.0, "drawdown": 0.1})


def test_pressing_again_carries_out_what_a_dead_engine_never_answered(store: Store) -> None:
    study_id, _ = leased(store)
    pause = actions.send_command(store, study_id, "pause", ANALYST)
    with pytest.raises(NotAllowed, match="already on its way"):
        actions.send_command(store, study_id, "pause", ANALYST)
    silence(store, "engine-1")
    again = actions.send_command(store, study_id, "pause", ANALYST)
    assert (again.id, again.accepted, store.get_study(study_id).state) == (pause.id, True, "paused")
    actions.send_command(store, study_id, "resume", ANALYST)
    assert store.get_study(study_id).state == "queued"


def test_a_command_after_an_unanswered_stop_finds_the_study_stopped(store: Store) -> None:
    study_id, _ = leased(store)
    stop = actions.send_command(store, study_id, "stop", ANALYST)
    silence(store, "engine-1")
    with pytest.raises(NotAllowed, match=r"it has ended \(stopped\)"):
        actions.send_command(store, study_id, "cancel", ANALYST)
    assert store.command(stop.id).accepted is True
    assert [c.id for c in store.commands(study_id)] == [stop.id]


def test_names_and_budgets_change_and_nothing_else(store: Store) -> None:
    study_id, lease = leased(store, tags=("fx",), notes="keep me")
    run_trial(store, lease)
    actions.rename_study(store, study_id, "  another name ", ANALYST)
    actions.edit_study(store, study_id, ANALYST, budget_trials=7, workers=3)
    study = store.get_study("another name")
    assert (study.id, study.name, study.spec.name) == (study_id, "another name", "another name")
    assert (study.spec.budget_trials, study.spec.workers) == (7, 3)
    assert (study.spec.tags, study.spec.notes, study.n_complete) == (("fx",), "keep me", 1)
    assert store.list_studies(search="another fx")[1] == 1
    changes = [e.event["details"]["changes"] for e in audit.entries(store, study_id)[:2]]
    assert changes == [{"budget_trials": [100, 7], "workers": [1, 3]}, {"name": ["study", "  another name "]}]
    same = untouched(store)
    actions.edit_study(store, study_id, ANALYST, workers=3)  # as it is
    for bad in ({"workers": 0}, {"workers": 1000}, {"budget_trials": 1.5}, {"budget_trials": True}):
        with pytest.raises(InvalidInput):
            actions.edit_study(store, study_id, ANALYST, **bad)  # type: ignore[arg-type]
    for name in ("", "a\nb", "x" * 201):
        with pytest.raises(InvalidInput):
            actions.rename_study(store, study_id, name, ANALYST)
    assert same()


def test_a_larger_budget_lets_a_complete_study_go_on(store: Store) -> None:
    study_id, lease = leased(store, budget_trials=1)
    run_trial(store, lease)
    store.set_state(lease, "complete")
    store.release(lease)
    with pytest.raises(NotAllowed, match="raise the budget"):
        actions.send_command(store, study_id, "resume", ANALYST)
    actions.edit_study(store, study_id, ANALYST, budget_trials=2)
    study = store.get_study(study_id)
    assert (study.state, study.finished_at) == ("queued", None)
    assert store.lease_study("engine-2") is not None


def test_archiving_hides_and_brings_back(store: Store) -> None:
    study_id, lease = leased(store)
    with pytest.raises(NotAllowed, match="is running: pause"):
        actions.archive_study(store, study_id, ANALYST)
    store.set_state(lease, "complete")
    actions.archive_study(store, study_id, ANALYST)
    assert store.list_studies() == ([], 0)
    assert store.get_study(study_id).archived_at is not None
    assert store.list_studies(include_archived=True)[1] == 1
    actions.archive_study(store, study_id, ANALYST, archived=False)
    assert store.list_studies()[1] == 1
    assert [e.event["action"] for e in audit.entries(store)[:2]] == ["study.restore", "study.archive"]


def test_a_point_of_ones_own_is_checked_and_queued(store: Store) -> None:
    study_id, lease = leased(store)
    trial = actions.enqueue_trial(store, study_id, {"kind": "b", "x": 1}, ANALYST)
    assert (trial.number, trial.state, trial.origin, trial.params) == (0, "queued", "manual", {"x": 1.0, "kind": "b"})
    same = untouched(store)
    for params, field in (({"x": 0.5}, "kind"), ({"x": 2.0, "kind": "a"}, "x"), ({"x": 0.5, "kinds": "a"}, "kinds")):
        with pytest.raises(InvalidInput, match=field):
            actions.enqueue_trial(store, study_id, params, ANALYST)
    assert same()
    store.set_state(lease, "stopping")
    with pytest.raises(NotAllowed, match="takes no more trials"):
        actions.enqueue_trial(store, study_id, {"x": 0.5, "kind": "a"}, ANALYST)


def test_results_of_a_manual_study_are_reported_by_people(store: Store) -> None:
    study_id, lease = leased(store)
    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    values = {"sharpe": 1.5, "drawdown": 0.1}
    told = actions.report_trial(store, study_id, ANALYST, number=0, values=values)
    assert (told.state, told.values, told.finished_order, told.incumbent) == ("complete", values, 1, True)
    new = actions.report_trial(store, study_id, ANALYST, params={"x": 0.1, "kind": "b"}, values=values)
    assert (new.number, new.origin, new.finished_order) == (1, "manual", 2)
    failed = actions.report_trial(
        store, study_id, ANALYST, params={"x": 0.2, "kind": "b"}, state="failed", error="no data"
    )
    assert (failed.state, failed.error) == ("failed", "no data")
    same = untouched(store)
    with pytest.raises(Conflict, match="too late"):
        actions.report_trial(store, study_id, ANALYST, number=0, values=values)
    with pytest.raises(NotFound):
        actions.report_trial(store, study_id, ANALYST, number=99, values=values)
    with pytest.raises(InvalidInput, match=r"values\.drawdown"):  # and the new trial isn't left behind
        actions.report_trial(store, study_id, ANALYST, params={"x": 0.3, "kind": "b"}, values={"sharpe": 1.0})
    with pytest.raises(InvalidInput, match="either the number"):
        actions.report_trial(store, study_id, ANALYST, values=values)
    assert same()


def test_an_engines_own_study_takes_no_reports(store: Store) -> None:
    study_id = make_study(store, objective="engine.objectives.strategy:moving_average_cross")
    with pytest.raises(NotAllowed, match="evaluates the trials"):
        actions.report_trial(store, study_id, ANALYST, params={"x": 0.1, "kind": "b"}, values={})


def test_a_failure_in_the_middle_writes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    same = untouched(store)

    def broken(*_: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(audit, "append", broken)
    with pytest.raises(RuntimeError):
        make_study(store)
    assert same()
