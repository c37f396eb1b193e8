"""The Surrogate page: maps, slices, candidates, trust, the held point, replay; and why there is no model yet."""
# ruff: noqa: F811

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.errors import InvalidInput
from engine.governance import actions
from engine.space import Categorical, Float, Int, Objective, SearchSpace
from engine.store import Store
from tests.dashboard.modelled import Modelled, charts, modelled, read, spec, template, tune  # noqa: F401 (fixtures)
from tests.dashboard.seeding import ANALYST, Engine, sma_spec

OpenPage = Callable[..., AppTest]


def test_maps_slices_candidates_and_trust_are_on_screen(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    maps, slices, trust = charts(app)
    assert [t["name"] for t in maps["data"] if t.get("showscale") is not False and t["type"] == "contour"] == [
        "Mean of sharpe (higher is better)", "Standard deviation of sharpe", "Acquisition, against its highest",
    ]  # fmt: skip
    assert {"Next candidates", "Best trial", "Running", "Trials"} <= {t.get("name") for t in maps["data"]}
    assert {"Model mean", "± 2 sd"} <= {t.get("name") for t in slices["data"]}
    assert "Perfect" in {t.get("name") for t in trust["data"]}
    said = read(app)
    assert "this is the model after all 30 finished trials" in said.lower()
    assert "of the variation is predicted without the trial itself" in said


def test_the_outcome_can_be_the_constraint_or_success(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    for outcome in ("drawdown", "success"):
        app.selectbox(key="surrogate_outcome").select(outcome).run()
        assert outcome in charts(app)[0]["data"][0]["name"] or outcome == "success"


def test_the_held_point_moves_every_picture(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    before = charts(app)
    app.segmented_control(key="surrogate_anchor").set_value("Centre of the space").run()
    centre = charts(app)
    assert centre[0]["data"][0]["z"] != before[0]["data"][0]["z"]
    stop = next(s for s in app.select_slider if s.label == "stop")
    stop.set_value(stop.options[0] if not isinstance(stop.options[0], str) else 0.01).run()
    assert charts(app)[1]["data"] != centre[1]["data"]


def test_a_trial_can_be_the_held_point_and_a_missing_one_is_said(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    app.segmented_control(key="surrogate_anchor").set_value("A trial").run()
    app.number_input(key="surrogate_trial").set_value(5).run()
    wanted = modelled.store.get_trial(modelled.id, 5).params
    side = next(s for s in app.selectbox if s.label == "side")
    assert side.value == wanted["side"]


def test_replay_shows_an_earlier_model(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    before = charts(app)[1]
    replay = next(s for s in app.select_slider if s.label.startswith("Finished trials"))
    replay.set_value(12).run()
    assert charts(app)[1] != before
    assert "the model after 12 of 30 finished trials" in read(app)


def test_two_parameters_are_chosen(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    app.selectbox(key=f"map_x_{modelled.id}").select("stop").run()
    app.selectbox(key=f"map_y_{modelled.id}_stop").select("fast").run()
    layout = charts(app)[0]["layout"]
    assert (layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]) == ("stop", "fast")


def test_the_landscape(modelled: Modelled, open_page: OpenPage):
    app = open_page("surrogate", study=modelled.id)
    app.segmented_control(key="map_view").set_value("Landscape").run()
    assert charts(app)[0]["data"][0]["type"] == "surface"


@pytest.mark.parametrize(("n", "words"), [(0, "None has finished yet"), (2, "more trials (2 of 5 finished)")])
def test_before_the_first_model_it_says_what_is_missing(n: int, words: str, empty_store: Store, open_page: OpenPage):
    study = actions.create_study(empty_store, sma_spec(), ANALYST)
    Engine(empty_store).run(study, n)
    app = open_page("surrogate", study=study)
    assert not charts(app)
    assert words in read(app)


def test_a_model_of_two_trials_says_that_it_is_early(empty_store: Store, open_page: OpenPage):
    app = open_page("surrogate", study=tune(empty_store, spec(), 2))
    assert charts(app)
    assert "Too early to tell" in read(app)


def test_only_failures_say_that_there_is_nothing_to_model(empty_store: Store, open_page: OpenPage):
    study = tune(empty_store, spec(), 10, lambda p, i: ("failed", "boom"))
    assert read(open_page("surrogate", study=study))


def test_a_model_that_cant_be_rebuilt_is_a_sentence(modelled: Modelled, open_page: OpenPage):
    with patch("dashboard.pictures.rebuild", side_effect=InvalidInput("model", "was written by another version.")):
        said = read(open_page("surrogate", study=modelled.id))
    assert "was written by another version" in said


def test_a_broken_card_leaves_the_others(modelled: Modelled, open_page: OpenPage):
    with patch("dashboard.pictures.surface", side_effect=np.linalg.LinAlgError("singular")):
        app = open_page("surrogate", study=modelled.id)
    assert "can't be drawn here: an unexpected LinAlgError" in read(app)
    assert len(charts(app)) == 2


@pytest.mark.parametrize(
    "space",
    [
        SearchSpace([Float("x", 0.0, 1.0)]),
        SearchSpace([Categorical("a", list("uvwxyz")), Categorical("b", [None, True, 1])]),
        SearchSpace([Int("n", 1, 3), Float("x", 1e-6, 1.0, log=True)]),
        SearchSpace([Float(f"p{i}", 0.0, 1.0) for i in range(15)]),
    ],
    ids=["one parameter", "categories", "three integers", "fifteen"],
)
def test_unusual_spaces(space: SearchSpace, empty_store: Store, open_page: OpenPage):
    study = tune(empty_store, spec("odd", space, (Objective("v", "minimize"),), ()), 17 if len(space) > 5 else 9,
                 lambda p, i: ("complete", {"v": float(len(str(p)) + i % 3)}))  # fmt: skip
    assert charts(open_page("surrogate", study=study))


@pytest.mark.parametrize("values", [lambda i: 1.0, lambda i: 10.0 ** (i * 20), lambda i: -1e-300 * i])
def test_unusual_values(values, empty_store: Store, open_page: OpenPage):
    space = SearchSpace([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)])
    study = tune(empty_store, spec("odd", space, (Objective("v", "minimize"),), ()), 10,
                 lambda p, i: ("complete", {"v": values(i)}))  # fmt: skip
    assert charts(open_page("surrogate", study=study))
