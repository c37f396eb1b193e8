"""An engine process as users meet it: commands, several studies and engines, every way a trial can end."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.governance.actions import edit_study, enqueue_trial, send_command
from engine.store import Store
from engine.store.records import CommandRecord, Verb
from tests.service.support import ANALYST, Engines, make_study, wait_for, wait_for_state


def _gated(store: Store, folder: Path, name: str = "gated", trials: int = 50) -> str:
    folder.mkdir(exist_ok=True)
    return make_study(store, "gated", name=name, budget={"trials": trials}, settings={"folder": str(folder)})


def _started(folder: Path) -> list[Path]:
    return list(folder.glob("started-*"))


def _command(store: Store, study_id: str, verb: Verb) -> CommandRecord:
    """Sends it and waits for the engine's answer, which has to come within a second."""
    command = send_command(store, study_id, verb, ANALYST)
    answered = wait_for(
        lambda: c if (c := store.command(command.id)).acknowledged_at is not None else None, f"{verb}", 5
    )
    assert answered.acknowledged_at is not None
    assert answered.acknowledged_at - answered.issued_at <= 1.0
    return answered


def test_pause_resume_stop_and_cancel_are_answered_within_a_second(
    local_store: Store, engines: Engines, tmp_path: Path
) -> None:
    store, folder = local_store, tmp_path / "one"
    study_id = _gated(store, folder)
    engines.start()
    wait_for(lambda: _started(folder), "a trial to run")

    assert _command(store, study_id, "pause").accepted
    assert store.get_study(study_id).state == "paused"
    assert store.get_study(study_id).n_running == 1  # what runs may finish
    (folder / "go").touch()
    wait_for(lambda: store.get_study(study_id).n_finished == 1, "the running trial to finish")
    wait_for(lambda: store.get_study(study_id).engine_id is None, "the paused study to be given back")
    assert store.get_study(study_id).n_trials == 1  # nothing new was started

    (folder / "go").unlink()
    assert _command(store, study_id, "resume").accepted
    wait_for(lambda: store.get_study(study_id).n_running == 1, "it to go on")

    assert _command(store, study_id, "stop").accepted
    assert store.get_study(study_id).state == "stopping"
    (folder / "go").touch()
    study = wait_for_state(store, study_id, "stopped")
    assert (study.n_complete, study.n_trials) == (2, 2)

    other = tmp_path / "two"
    cancelled = _gated(store, other, "cancelled")
    wait_for(lambda: _started(other), "the second study to run")
    assert _command(store, cancelled, "cancel").accepted
    assert store.get_study(cancelled).state == "cancelled"
    trials, _ = store.list_trials(cancelled)
    assert [t.state for t in trials] == ["abandoned"]
    pid = int(_started(other)[0].name.partition("-")[2])
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the running trial to be killed", 5)


def test_two_engines_share_the_studies_and_never_one(local_store: Store, engines: Engines, tmp_path: Path) -> None:
    store = local_store
    folders = [tmp_path / "one", tmp_path / "two"]
    ids = [_gated(store, folder, folder.name, trials=4) for folder in folders]
    for _ in range(2):
        engines.start("--studies", "1")
    for folder in folders:
        wait_for(lambda f=folder: _started(f), "both studies to run at once")
    assert sorted(e.studies for e in store.engines()) == [1, 1]
    holders = [store.get_study(study_id).engine_id for study_id in ids]
    assert len(set(holders)) == 2
    for folder in folders:
        (folder / "go").touch()
    for study_id in ids:
        assert wait_for_state(store, study_id, "complete").n_complete == 4
        assert sum("took the study" in e.text for e in store.events(study_id)) == 1
    for folder in folders:
        assert len(_started(folder)) == 1  # one worker, in one engine


def test_every_way_a_trial_can_end(busy_store: Store) -> None:
    store = busy_store
    kinds = ["fine", "nan", "text", "missing", "raise", "infeasible", "hang", "exit"]
    study_id = make_study(
        store,
        "behaves",
        parameters={"how": {"type": "categorical", "choices": kinds}},
        budget={"trials": len(kinds)},
        workers=2,
        trial_timeout=1.0,
    )
    study = wait_for_state(store, study_id, "complete")
    trials = {t.params["how"]: t for t in store.finished_trials(study_id)}
    assert {how: t.state for how, t in trials.items()} == {
        "fine": "complete", "nan": "failed", "text": "failed", "missing": "failed", "raise": "failed",
        "infeasible": "infeasible", "hang": "failed", "exit": "failed",
    }  # fmt: skip
    assert (study.n_complete, study.n_failed, study.n_infeasible) == (1, 6, 1)
    assert trials["fine"].values == {"value": 1.0, "extra": 2.0}
    assert "nan as value" in trials["nan"].error
    assert "'high' as value" in trials["text"].error
    assert "no value" in trials["missing"].error
    assert "loss" in trials["missing"].error
    assert "ZeroDivisionError: no volume on that day (workloads.py, line" in trials["raise"].error
    assert "no trades at all" in trials["infeasible"].error
    assert "took longer than 1 s" in trials["hang"].error
    assert "SystemExit" in trials["exit"].error
    for how in ("fine", "raise", "hang"):
        log = store.trial_log(study_id, trials[how].number)
        assert "said on stdout" in log
        assert "said in a log" in log
    assert "Traceback" in store.trial_log(study_id, trials["raise"].number)
    assert "broken_extra is not kept" in store.trial_log(study_id, trials["fine"].number)


def test_the_first_trial_is_the_baseline_and_the_study_uses_its_budget(busy_store: Store) -> None:
    objective = "engine.objectives.synthetic:branin"
    study_id = make_study(
        busy_store,
        objective=objective,
        parameters={"x": {"type": "float", "low": -5, "high": 10}, "y": {"type": "float", "low": 0, "high": 15}},
        budget={"trials": 12},
        workers=3,
    )
    study = wait_for_state(busy_store, study_id, "complete")
    trials, _ = busy_store.list_trials(study_id)
    assert study.n_complete == 12
    assert (trials[0].origin, trials[0].params) == ("default", {"x": 2.5, "y": 7.5})
    assert all(t.reason for t in trials)
    assert busy_store.latest_model(study_id) is not None


def test_a_finite_space_ends_the_study_when_it_is_exhausted(busy_store: Store) -> None:
    study_id = make_study(
        busy_store, parameters={"x": {"type": "int", "low": 0, "high": 4}}, budget={"trials": 50}, workers=3
    )
    study = wait_for_state(busy_store, study_id, "complete")
    assert study.n_complete == 5
    assert study.message
    assert sorted(t.params["x"] for t in busy_store.finished_trials(study_id)) == [0, 1, 2, 3, 4]


def test_a_budget_of_seconds_ends_the_study(busy_store: Store) -> None:
    study_id = make_study(busy_store, budget={"seconds": 0.6}, settings={"seconds": 0.05})
    study = wait_for_state(busy_store, study_id, "complete")
    assert 1 <= study.n_complete < 20
    assert "0.6 s" in study.message


def test_people_add_trials_and_change_the_budget_while_it_runs(busy_store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    study_id = _gated(busy_store, folder, trials=2)
    wait_for(lambda: _started(folder), "a trial to run")
    enqueue_trial(busy_store, study_id, {"x": 0.125}, ANALYST)
    edit_study(busy_store, study_id, ANALYST, budget_trials=4, workers=2)
    (folder / "go").touch()
    study = wait_for_state(busy_store, study_id, "complete")
    trials = busy_store.finished_trials(study_id)
    assert study.n_complete == len(trials) == 4
    assert [t.number for t in trials if t.origin == "manual" and t.params == {"x": 0.125}] == [1]


def test_a_study_that_cannot_run_fails_in_words_and_leaves_the_others_alone(busy_store: Store) -> None:
    fine = make_study(busy_store, name="fine", budget={"trials": 5}, settings={"seconds": 0.05})
    missing = make_study(busy_store, "no_such_function")
    with pytest.MonkeyPatch.context() as patch:  # allowed where the study was made, but not where the engine runs
        patch.setenv("TUNEDESK_OBJECTIVES", "tests.elsewhere")
        elsewhere = make_study(busy_store, objective="tests.elsewhere:bowl", name="elsewhere")
    assert "no_such_function" in wait_for_state(busy_store, missing, "failed").message
    assert "--objectives tests.elsewhere" in wait_for_state(busy_store, elsewhere, "failed").message
    assert wait_for_state(busy_store, fine, "complete").n_complete == 5
    assert [e.stale for e in busy_store.engines()] == [False]
