"""New study: the form, the YAML and the launch, without a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from engine.objectives import catalogue
from engine.store import Store
from engine.study import StudySpec
from tests.dashboard.conftest import study_called

OpenPage = Callable[..., AppTest]


def field(app: AppTest, name: str) -> str:
    """The key of the field in the present version of the draft."""
    return f"draft_{app.session_state['draft_version']}_{name}"


def launch_button(app: AppTest):
    return app.button(key="draft_launch")


def problems(app: AppTest) -> str:
    return "\n".join(error.value.replace("\\", "") for error in app.error)


@pytest.mark.parametrize("path", catalogue())
def test_every_objective_of_the_catalogue_can_be_launched_as_it_is(
    path: str, empty_store: Store, open_page: OpenPage
) -> None:
    app = open_page("new_study")
    app.selectbox(key=field(app, "objective")).select(path).run()
    assert not app.exception
    assert not launch_button(app).disabled
    spec = StudySpec.from_dict(app.session_state["draft_current"])
    assert spec.objective == path
    assert spec.space == catalogue()[path].space
    assert spec.objectives == catalogue()[path].objectives


def test_launch_writes_the_study_and_opens_its_overview(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    app.text_input(key=field(app, "name")).set_value("first *study*")
    app.number_input(key=field(app, "trials")).set_value(25)
    app.number_input(key=field(app, "seed")).set_value(7)
    app.run()
    launch_button(app).click().run()
    assert not app.exception
    [study], total = empty_store.list_studies()
    assert total == 1
    assert (study.name, study.state, study.spec.budget_trials, study.spec.seed) == ("first *study*", "queued", 25, 7)
    assert app.query_params["study"] == study.id
    assert app.title[0].value.replace("\\", "") == "first *study*"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"edited_rows": {0: {"low": 500}}}, "parameters.fast: low (500) must be below high (100)"),
        ({"edited_rows": {2: {"low": 0}}}, "parameters.stop_loss.low: a log scale needs low above 0"),
        ({"edited_rows": {0: {"low": None}}}, "parameters.fast.low: is missing"),
        ({"edited_rows": {1: {"name": "fast"}}}, "parameters.fast: stands twice"),
        ({"edited_rows": {5: {"choices": "one"}}}, "parameters.direction.choices: needs at least two"),
        ({"edited_rows": {0: {"when": "direction is odd"}}}, "parameters.fast.when:"),
        ({"deleted_rows": [0, 1, 2, 3, 4, 5]}, "parameters: the space is empty"),
        ({"added_rows": [{"type": "float", "low": 1, "high": 2}]}, "parameters: row 7 has no name"),
    ],
)
def test_a_wrong_cell_is_named_and_nothing_is_written(
    edit: dict, said: str, empty_store: Store, open_page: OpenPage
) -> None:
    app = open_page("new_study")
    app.session_state[field(app, "parameters")] = {"edited_rows": {}, "added_rows": [], "deleted_rows": []} | edit
    app.run()
    assert not app.exception
    assert said in problems(app)
    assert launch_button(app).disabled
    assert empty_store.list_studies()[1] == 0


def test_constraints_are_checked_while_they_are_typed(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    area = field(app, "constraints")
    app.text_area(key=area).set_value("fast < slow\nfsat < 3").run()
    assert "fsat is not a parameter. Did you mean fast?" in problems(app)
    assert launch_button(app).disabled
    app.text_area(key=area).set_value("fast > 100").run()
    assert "no point of the space satisfies fast > 100" in problems(app)
    app.text_area(key=area).set_value("fast < slow").run()
    assert not app.error
    assert not launch_button(app).disabled


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("trials", 0, "budget.trials: must be a whole number from 1"),
        ("workers", 1000, "workers: must be a whole number from 1 to 128"),
        ("seed", -1, "seed: must be a whole number from 0"),
        ("trial_timeout", 0, "trial_timeout: must be a number of seconds above 0"),
        ("seconds", -5, "budget.seconds: must be a number of seconds above 0"),
    ],
)
def test_a_wrong_number_is_named(name: str, value: int, said: str, empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    app.number_input(key=field(app, name)).set_value(value).run()
    assert said in problems(app)
    assert launch_button(app).disabled


def test_goals_can_be_added_changed_and_removed(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    app.button(key=field(app, "add_goal")).click().run()
    app.selectbox(key=field(app, "goal_1")).select("turnover").run()
    assert app.session_state["draft_current"]["objectives"] == [
        {"name": "sharpe", "direction": "maximize"},
        {"name": "turnover", "direction": "minimize"},
    ]
    app.button(key=field(app, "remove_goal_0")).click().run()
    assert [row["name"] for row in app.session_state["draft_current"]["objectives"]] == ["turnover"]
    app.text_area(key=field(app, "limits")).set_value("max_drawdown < 1").run()
    assert "'max_drawdown < 1' is not of the form" in problems(app)


def test_form_and_yaml_are_in_step(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    app.number_input(key=field(app, "trials")).set_value(33).run()
    app.segmented_control(key="draft_view").set_value("YAML").run()
    area = app.text_area(key=field(app, "yaml"))
    written = yaml.safe_load(area.value)
    assert written["budget"] == {"trials": 33}
    written["parameters"]["slow"]["high"] = 222
    area.set_value(yaml.safe_dump(written, sort_keys=False)).run()
    app.segmented_control(key="draft_view").set_value("Form").run()
    assert not app.exception
    table = app.data_editor[0].value
    assert table.loc[table["name"] == "slow", "high"].item() == 222


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "line 1"),
        ("just words", "must have sections"),
        ("name: a\nname: b", "the name name stands twice"),
        ("name: x\nobjective: engine.objectives.strategy:nope", "is not in the catalogue"),
        ("name: x\nobjective: os:system", "is not on the allow-list"),
        ("objective: engine.objectives.synthetic:branin", "name: is missing"),
        ("name: x\nobjective: engine.objectives.synthetic:branin\nbudgte: {trials: 3}", "Did you mean budget?"),
        ("parameters: 3\nobjectives: 4\nbudget: 5\ntags: 6\nsettings: [1]", "objective: is missing"),
    ],
)
def test_a_wrong_study_file_is_explained_in_both_views(
    text: str, said: str, empty_store: Store, open_page: OpenPage
) -> None:
    app = open_page("new_study")
    app.segmented_control(key="draft_view").set_value("YAML").run()
    app.text_area(key=field(app, "yaml")).set_value(text).run()
    assert not app.exception
    assert said in problems(app)
    assert launch_button(app).disabled
    app.segmented_control(key="draft_view").set_value("Form").run()
    assert not app.exception
    assert empty_store.list_studies()[1] == 0


def test_sections_that_the_form_does_not_show_survive_it(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    app.segmented_control(key="draft_view").set_value("YAML").run()
    area = app.text_area(key=field(app, "yaml"))
    area.set_value(area.value + "\nnotes: from the desk\noptimizer: {initial: 9}\n").run()
    app.segmented_control(key="draft_view").set_value("Form").run()
    app.text_input(key=field(app, "name")).set_value("other").run()
    launch_button(app).click().run()
    [study], _ = empty_store.list_studies()
    assert (study.spec.notes, dict(study.spec.optimizer)) == ("from the desk", {"initial": 9})


def test_a_draft_survives_a_reload(empty_store: Store, open_page: OpenPage) -> None:
    first = open_page("new_study")
    first.number_input(key=field(first, "trials")).set_value(44).run()
    second = open_page("new_study", draft=first.query_params["draft"])
    assert second.number_input(key=field(second, "trials")).value == 44
    assert open_page("new_study").number_input[0].value != 44


def test_a_second_click_launches_no_second_study(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("new_study")
    name = app.query_params["draft"]
    late = open_page("new_study", draft=name)  # the same draft in another tab
    launch_button(app).click().run()
    launch_button(late).click().run()
    assert not late.exception
    assert empty_store.list_studies()[1] == 1


def test_a_study_is_cloned(full_store: Store, open_page: OpenPage) -> None:
    study = full_store.get_study(study_called(full_store, "WTI"))
    app = open_page("new_study", clone=study.id)
    assert not app.exception
    assert app.text_input(key=field(app, "name")).value == f"{study.name} (copy)"
    launch_button(app).click().run()
    copy = full_store.get_study(study_called(full_store, "copy"))
    assert copy.spec.to_dict() | {"name": study.name} == study.spec.to_dict() | {
        "settings": copy.spec.to_dict()["settings"]
    }
