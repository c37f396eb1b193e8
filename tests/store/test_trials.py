"""The life of a trial and what the write path keeps with it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.errors import Conflict, InvalidInput, NotFound
from engine.space.outcomes import Objective
from engine.store import Store
from tests.support.studies import leased, make_study, run_trial


def test_a_finished_trial_is_read_back_as_written(store: Store) -> None:
    study_id, lease = leased(store)
    params = {"x": 0.1 + 0.2, "kind": "b"}
    added = store.add_trial(
        lease, params, origin="design", reason={"text": "Sobol\x00\udcff", "acquisition": -math.inf}
    )
    assert (added.number, added.state, added.attempt) == (0, "queued", 1)
    assert store.unfinished_trials(study_id) == [added]
    started = store.start_trial(lease, 0)
    assert started.state == "running"
    assert started.started_at is not None
    done = store.finish_trial(lease, 0, 1, "complete", {"sharpe": 1 / 3, "drawdown": 0.2}, log="hello\x00\udcff")
    assert done == store.get_trial(study_id, 0)
    assert done.params == params
    assert list(done.params) == ["x", "kind"]
    assert done.values == {"sharpe": 1 / 3, "drawdown": 0.2}
    assert done.reason == {"text": "Sobol\x00\udcff", "acquisition": None}  # what JSON can't hold is only shown
    assert (done.feasible, done.incumbent, done.finished_order, done.origin) == (True, True, 1, "design")
    assert store.trial_log(study_id, 0).startswith("hello")
    assert store.unfinished_trials(study_id) == []


def test_counts_and_incumbent_follow_every_write(store: Store) -> None:
    study_id, lease = leased(store)
    run_trial(store, lease, sharpe=1.0)
    run_trial(store, lease, sharpe=3.0, drawdown=0.9)  # better, but it breaks the constraint
    run_trial(store, lease, sharpe=2.0)
    run_trial(store, lease, sharpe=2.0)  # not better: equal
    run_trial(store, lease, state="failed")
    run_trial(store, lease, state="infeasible")
    store.add_trial(lease, {"x": 0.0, "kind": "a"})
    store.start_trial(lease, store.add_trial(lease, {"x": 1.0, "kind": "a"}).number)
    study = store.get_study(study_id)
    assert (study.n_trials, study.n_queued, study.n_running) == (8, 1, 1)
    assert (study.n_complete, study.n_failed, study.n_infeasible, study.n_finished) == (4, 1, 1, 6)
    assert (study.best_value, study.best_number) == (2.0, 2)
    trials, total = store.list_trials(study_id)
    assert total == 8
    assert [t.incumbent for t in trials] == [True, False, True, False, False, False, False, False]
    assert [t.feasible for t in trials] == [True, False, True, True, None, False, None, None]
    assert [t.finished_order for t in trials] == [1, 2, 3, 4, 5, 6, None, None]


def test_minimised_objective_takes_the_smallest(store: Store) -> None:
    study_id, lease = leased(store, objectives=(Objective("loss"),), outcome_constraints=())
    for loss in (0.5, -0.25, 0.0):
        trial = store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
        store.finish_trial(lease, trial.number, 1, "complete", {"loss": loss})
    assert store.get_study(study_id).best_value == -0.25


def test_the_order_of_finishing_is_not_that_of_the_numbers(store: Store) -> None:
    study_id, lease = leased(store)
    for _ in range(3):
        store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    for number in (2, 0, 1):
        store.finish_trial(lease, number, 1, "complete", {"sharpe": float(number), "drawdown": 0.1})
    assert [t.number for t in store.finished_trials(study_id)] == [2, 0, 1]
    assert [t.number for t in store.finished_trials(study_id, upto=2)] == [2, 0]
    assert [t.number for t in store.finished_trials(study_id, after=1)] == [0, 1]
    assert [t.number for t in store.list_trials(study_id, sort="finished_order", descending=True)[0]] == [1, 0, 2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1.0", 1j])
def test_no_value_but_a_finite_number_is_stored(store: Store, value: Any) -> None:
    study_id, lease = leased(store)
    store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    revision = store.revision(study_id)
    with pytest.raises(InvalidInput, match=r"values\.sharpe"):
        store.finish_trial(lease, 0, 1, "complete", {"sharpe": value, "drawdown": 0.1})
    assert store.get_trial(study_id, 0).state == "running"
    assert store.revision(study_id) == revision


@pytest.mark.parametrize(("values", "missing"), [({"sharpe": 1.0}, "drawdown"), ({"drawdown": 0.1}, "sharpe")])
def test_a_complete_trial_has_every_outcome_that_the_study_needs(
    store: Store, values: dict[str, float], missing: str
) -> None:
    _, lease = leased(store)
    store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    with pytest.raises(InvalidInput, match=rf"values\.{missing}: is missing"):
        store.finish_trial(lease, 0, 1, "complete", values)


def test_only_a_complete_trial_has_values(store: Store) -> None:
    study_id, lease = leased(store)
    store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    with pytest.raises(InvalidInput, match="a trial that is failed has none"):
        store.finish_trial(lease, 0, 1, "failed", {"sharpe": 1.0})
    assert store.get_trial(study_id, 0).state == "running"


def test_a_result_is_written_exactly_once(store: Store) -> None:
    study_id, lease = leased(store)
    run_trial(store, lease, sharpe=1.0)
    before = store.get_study(study_id)
    with pytest.raises(Conflict, match=r"comes too late: trial 0 .* is complete"):
        store.finish_trial(lease, 0, 1, "complete", {"sharpe": 9.0, "drawdown": 0.1})
    with pytest.raises(Conflict):
        store.retry_trial(lease, 0, 1, "lost")
    with pytest.raises(Conflict):
        store.abandon_trial(lease, 0)
    with pytest.raises(Conflict):
        store.start_trial(lease, 0)
    assert store.get_study(study_id).revision == before.revision
    assert store.get_trial(study_id, 0).values["sharpe"] == 1.0


def test_a_late_worker_of_an_earlier_attempt_changes_nothing(store: Store) -> None:
    study_id, lease = leased(store)
    store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    again = store.retry_trial(lease, 0, 1, "The worker died.", log="first run")
    assert (again.number, again.state, again.attempt, again.params["x"]) == (0, "queued", 2, 0.5)
    store.start_trial(lease, 0)
    with pytest.raises(Conflict, match="attempt 1"):
        store.finish_trial(lease, 0, 1, "complete", {"sharpe": 9.0, "drawdown": 0.1})
    store.finish_trial(lease, 0, 2, "complete", {"sharpe": 1.0, "drawdown": 0.1}, log="second run")
    assert store.get_trial(study_id, 0).values["sharpe"] == 1.0
    assert store.trial_log(study_id, 0).splitlines() == [
        "--- attempt 1 ---", "first run", "--- attempt 2 ---", "second run"
    ]  # fmt: skip


def test_retries_end_at_the_limit_and_say_why(store: Store) -> None:
    study_id, lease = leased(store, max_attempts=2)
    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    store.start_trial(lease, 0)
    assert store.retry_trial(lease, 0, 1, "Shut down.", counts=False).attempt == 1
    store.start_trial(lease, 0)
    assert store.retry_trial(lease, 0, 1, "The worker died.").attempt == 2
    store.start_trial(lease, 0)
    last = store.retry_trial(lease, 0, 2, "The worker died.")
    assert (last.state, last.error) == ("failed", "The worker died. It was run 2 times.")
    study = store.get_study(study_id)
    assert (study.n_failed, study.n_queued, study.n_running) == (1, 0, 0)
    assert last.finished_order == 1


def test_an_abandoned_trial_is_never_told(store: Store) -> None:
    study_id, lease = leased(store)
    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    assert store.abandon_trial(lease, 0, "cancelled").state == "abandoned"
    assert store.finished_trials(study_id) == []
    assert (store.get_study(study_id).n_abandoned, store.get_study(study_id).n_queued) == (1, 0)


def test_numbers_are_given_out_without_gaps(store: Store) -> None:
    _, lease = leased(store)
    assert store.add_trial(lease, {"x": 0.5, "kind": "a"}, number=0).number == 0
    for number in (0, 2):
        with pytest.raises(Conflict, match=r"next trial .* is number 1"):
            store.add_trial(lease, {"x": 0.5, "kind": "a"}, number=number)


def test_a_study_that_ends_abandons_what_is_left(store: Store) -> None:
    study_id, lease = leased(store)
    run_trial(store, lease)
    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    store.start_trial(lease, store.add_trial(lease, {"x": 0.6, "kind": "a"}).number)
    store.set_state(lease, "complete")
    study = store.get_study(study_id)
    assert (study.state, study.n_queued, study.n_running, study.n_abandoned) == ("complete", 0, 0, 2)
    assert study.finished_at is not None
    with pytest.raises(Conflict, match="can't become running"):
        store.set_state(lease, "running")
    with pytest.raises(Conflict, match="has ended"):
        store.add_trial(lease, {"x": 0.5, "kind": "a"})


def test_pages_of_trials_sort_by_any_outcome_and_filter_by_state(store: Store) -> None:
    study_id, lease = leased(store)
    for i, sharpe in enumerate((0.3, 0.1, None, 0.2)):
        run_trial(store, lease, sharpe=sharpe, drawdown=i / 10, state="complete" if sharpe else "failed")

    def numbers(**query: Any) -> list[int]:
        return [t.number for t in store.list_trials(study_id, **query)[0]]

    assert numbers(sort="value") == [1, 3, 0, 2]
    assert numbers(sort="value", descending=True) == [0, 3, 1, 2]  # without a value: still last
    assert numbers(sort="drawdown", descending=True) == [3, 1, 0, 2]
    assert numbers(sort="value", limit=2, offset=2) == [0, 2]
    assert numbers(sort="value", limit=2, offset=3) == [2]
    assert numbers(sort="value", states=["complete"], limit=2, offset=1) == [3, 0]
    assert numbers(states=["failed"]) == numbers(states=["failed"], sort="value") == [2]
    assert numbers(states=["failed", "complete"], sort="drawdown", descending=True) == [3, 1, 0, 2]
    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    assert numbers(sort="finished_order", descending=True) == [3, 2, 1, 0, 4]
    assert numbers(sort="finished_order", states=["complete", "queued"]) == [0, 1, 3, 4]
    assert numbers(sort="finished_order", states=["complete", "queued"], limit=2, offset=2) == [3, 4]
    assert numbers(sort="value", states=["complete", "queued"], limit=2, offset=2) == [0, 4]
    store.abandon_trial(lease, 4)
    assert numbers(descending=True, limit=1) == [4]
    assert store.list_trials(study_id, states=["failed"])[1] == 1
    with pytest.raises(InvalidInput, match=r"'drawdwn' is not known; .*drawdown"):
        numbers(sort="drawdwn")
    with pytest.raises(InvalidInput, match="'lost' is no state"):
        numbers(states=["lost"])


def test_what_does_not_exist_is_said_to(store: Store) -> None:
    study_id = make_study(store)
    with pytest.raises(NotFound, match="no trial 7"):
        store.get_trial(study_id, 7)
    for read in (store.revision, store.list_trials, store.progress, store.get_study):
        with pytest.raises(NotFound, match="no study 'nothere'"):
            read("nothere")  # type: ignore[operator]
    with pytest.raises(NotFound, match="no command 5"):
        store.command(5)
