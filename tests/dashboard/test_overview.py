"""The Overview: figures, best so far, health, what is next, trials with details; also where there is little to show."""
# ruff: noqa: F811

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from unittest.mock import patch

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components import trials_table
from engine.governance import actions
from engine.space import Categorical, Float, Objective, SearchSpace
from engine.store import Store
from tests.dashboard.modelled import Modelled, charts, modelled, read, spec, template, tune  # noqa: F401 (fixtures)
from tests.dashboard.seeding import ANALYST, Engine, sma_spec

OpenPage = Callable[..., AppTest]


def test_figures_say_best_trials_losses_and_time(modelled: Modelled, open_page: OpenPage):
    app = open_page("overview", study=modelled.id)
    record = modelled.store.get_study(modelled.id)
    metrics = {m.label: m for m in app.metric}
    assert metrics["Best sharpe"].value == f"{record.best_value:.4g}"
    assert metrics["Trials"].value == "30 / 60"
    assert metrics["Lost trials"].value == str(record.n_failed + record.n_infeasible)
    assert "Running for" in metrics


def test_the_defaults_are_the_baseline(empty_store: Store, open_page: OpenPage):
    study = tune(empty_store, spec(), 6)
    lease_free = open_page("overview", study=study)
    assert "no baseline" in lease_free.metric[0].delta


def test_the_chart_shows_every_trial_by_number(modelled: Modelled, open_page: OpenPage):
    [chart] = charts(open_page("overview", study=modelled.id))
    names = [t.get("name") for t in chart["data"]]
    assert {"Trials", "Best so far", "Failed", "Could not be evaluated", "Best"} <= set(names)
    assert "Shows all 30 finished trials." in read(open_page("overview", study=modelled.id))


def test_health_is_said_in_words(modelled: Modelled, open_page: OpenPage):
    said = read(open_page("overview", study=modelled.id))
    assert "of the variation is predicted without the trial itself" in said
    assert "could not be evaluated" in said
    assert "complete trials meet the outcome constraints" in said


def test_what_runs_and_what_comes_next(modelled: Modelled, open_page: OpenPage):
    said = read(open_page("overview", study=modelled.id))
    assert "#30 running** with fast =" in said
    assert "The model's choice after" in said


def test_trials_are_paged_sorted_and_filtered_in_the_store(empty_store: Store, open_page: OpenPage):
    study = actions.create_study(empty_store, sma_spec(budget_trials=200), ANALYST)
    Engine(empty_store).run(study, 120)
    app = open_page("overview", study=study)
    table = app.dataframe[-1].value
    assert list(table["number"])[:2] == [119, 118]
    assert len(table) == trials_table.PAGE_SIZE
    app.selectbox(key=f"trials_{study}_order").select("best sharpe").run()
    values = app.dataframe[-1].value["out:sharpe"]
    assert values.is_monotonic_decreasing
    assert values.iloc[0] == empty_store.get_study(study).best_value
    app.multiselect(key=f"trials_{study}_states").set_value(["failed"]).run()
    assert set(app.dataframe[-1].value["state"]) == {"failed"}
    app.multiselect(key=f"trials_{study}_states").set_value(["abandoned"]).run()
    assert "No trial in these states." in read(app)


def test_the_export_holds_every_trial_and_no_formula(modelled: Modelled, open_page: OpenPage):
    open_page("overview", study=modelled.id)
    rows = list(csv.DictReader(io.StringIO(trials_table.export(modelled.store.get_study(modelled.id)))))
    assert [int(r["number"]) for r in rows] == list(range(31))
    assert {"sharpe", "drawdown", "turnover", "fast", "leverage", "origin", "error"} <= set(rows[0])
    assert trials_table._cell("=1+1") == "'=1+1"


def test_a_trial_opens_by_its_address(modelled: Modelled, open_page: OpenPage):
    failed = next(t for t in modelled.store.finished_trials(modelled.id) if t.state == "failed")
    app = open_page("overview", study=modelled.id, trial=str(failed.number))
    said = read(app)
    assert "ZeroDivisionError" in said
    tables = [d.value for d in app.dataframe]
    parameters = next(t for t in tables if "Parameter" in t.columns)
    assert "Best trial" in parameters.columns
    assert set(failed.params) <= set(parameters["Parameter"])


@pytest.mark.parametrize("trial", ["999", "x", "-1", "1e3", "٣"])
def test_an_address_of_no_trial_does_no_harm(modelled: Modelled, trial: str, open_page: OpenPage):
    read(open_page("overview", study=modelled.id, trial=trial))


def test_without_live_nothing_moves_until_asked(empty_store: Store, open_page: OpenPage):
    study = actions.create_study(empty_store, sma_spec(), ANALYST)
    engine = Engine(empty_store)
    lease = engine.run(study, 20)
    app = open_page("overview", study=study)
    assert app.toggle(key="live").value is True
    app.toggle(key="live").set_value(False).run()
    before = charts(app)
    for i in (20, 21):
        engine.finish(lease, empty_store.get_study(study).spec, i)
    app.run()
    assert charts(app) == before
    assert app.button(key="live_update").label == "2 new trials – update"
    app.button(key="live_update").click().run()
    assert charts(app) != before


def test_one_broken_card_leaves_the_others(modelled: Modelled, open_page: OpenPage):
    with patch("dashboard.pictures.model", side_effect=RuntimeError("boom")):
        app = open_page("overview", study=modelled.id)
    said = read(app)
    assert "unexpected RuntimeError" in said
    assert "boom" not in said
    assert len(charts(app)) == 1
    assert app.dataframe


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_trials(n: int, empty_store: Store, open_page: OpenPage):
    study = tune(empty_store, spec("日本 <b>é</b>"), n)
    said = read(open_page("overview", study=study))
    assert ("The first point appears" in said) == (n == 0)


def test_only_failures(empty_store: Store, open_page: OpenPage):
    study = tune(empty_store, spec(), 12, lambda p, i: ("failed", "<script>alert(1)</script> **x**"))
    said = read(open_page("overview", study=study))
    assert "Many trials lost" in said
    assert "no feasible trial yet" in open_page("overview", study=study).metric[0].delta


def test_nothing_feasible(empty_store: Store, open_page: OpenPage):
    study = tune(empty_store, spec(), 10, lambda p, i: ("complete", {"sharpe": 1.0, "drawdown": 0.9}))
    assert "Nothing feasible" in read(open_page("overview", study=study))


def test_several_objectives_and_extreme_values(empty_store: Store, open_page: OpenPage):
    space = SearchSpace([Float("x", 0.0, 1.0), Categorical("c", [None, True, 1, "é"])])
    two = (Objective("loss", "minimize"), Objective("speed", "maximize"))
    study = tune(
        empty_store, spec("two", space, two, ()), 14,
        lambda p, i: ("complete", {"loss": 1e300 if i == 3 else p["x"], "speed": -p["x"]}), end="complete",
    )  # fmt: skip
    app = open_page("overview", study=study)
    assert "Best loss" in {m.label for m in app.metric}
    read(app)
