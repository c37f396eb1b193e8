"""What holds for every objective of the catalogue, and which ones an engine may run."""

import dataclasses
import math

import pytest

from engine.errors import InvalidInput, NotAllowed
from engine.objectives import Context, Setting, catalogue, check_allowed, find, resolve
from engine.objectives.catalogue import ALLOW_VARIABLE, read_arguments
from engine.space import OutcomeConstraint

ENTRIES = list(catalogue().values())
QUICK = {
    "slow_noisy_bowl": {"seconds": 0.0},
    "service_pools": {"requests": 100, "replicates": 1},
    "classifier": {"dataset": "wine", "folds": 2},
}


def by_slug(entry):
    return entry.slug


@pytest.mark.parametrize("entry", ENTRIES, ids=by_slug)
def test_defaults_are_a_point_of_the_space(entry):
    assert entry.space.check(entry.defaults) == dict(entry.defaults)


@pytest.mark.parametrize("entry", ENTRIES, ids=by_slug)
def test_defaults_evaluate_to_the_documented_outcomes(entry):
    out = resolve(entry.path)(entry.defaults, Context(settings=QUICK.get(entry.slug, {})))
    if not isinstance(out, dict):
        out = {entry.objectives[0].name: out}
    assert set(out) <= set(entry.outcomes)
    assert {o.name for o in entry.objectives} <= set(out)
    assert {OutcomeConstraint.parse(c).name for c in entry.outcome_constraints} <= set(out)
    assert all(isinstance(v, float) and math.isfinite(v) for v in out.values())


@pytest.mark.parametrize("entry", ENTRIES, ids=by_slug)
def test_everything_is_explained(entry):
    assert entry.title
    assert len(entry.summary) > 40
    assert all(entry.outcomes.values())
    assert all(s.help for s in entry.settings)
    for setting in entry.settings:
        assert setting.check(setting.default) == setting.default


@pytest.mark.parametrize("entry", ENTRIES, ids=by_slug)
def test_a_parameter_it_doesnt_have_is_refused(entry):
    with pytest.raises(InvalidInput, match="is not a parameter of"):
        resolve(entry.path)({**entry.defaults, "no_such_name": 1}, Context())


def test_arguments_are_completed_from_the_defaults():
    entry = find("engine.objectives.strategy:moving_average_cross")
    params, settings = read_arguments(entry, {"fast": 5.0, "slow": 20}, Context(settings={"market": "aapl"}))
    assert params == {**entry.defaults, "fast": 5, "slow": 20}
    assert type(params["fast"]) is int
    assert settings["market"] == "aapl"
    assert settings["cost_bps"] == 5.0


def test_an_inactive_parameter_stays_absent():
    entry = find("engine.objectives.synthetic:conditional_wells")
    params, _ = read_arguments(entry, {"shape": "comb", "teeth": 2}, None)
    assert "depth" not in params


def test_parameters_of_another_branch_are_left_alone():
    entry = find("engine.objectives.synthetic:conditional_wells")
    params, _ = read_arguments(entry, {"shape": "comb", "teeth": 2, "centre": 0.5, "depth": 1.0}, None)
    assert params == {"shape": "comb", "teeth": 2}


@pytest.mark.parametrize("value", [None, "5", math.nan, True])
def test_a_parameter_that_is_no_number_is_named(value):
    entry = find("engine.objectives.strategy:moving_average_cross")
    with pytest.raises(InvalidInput) as error:
        read_arguments(entry, {"fast": value}, None)
    assert error.value.field == "parameters.fast"


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        (Setting("market", "wti", "", choices=("wti", "aapl")), "tsla", "'tsla' is not one of wti, aapl"),
        (Setting("market", "wti", "", choices=("wti", "aapl")), ["wti"], "is not one of"),
        (Setting("cost", 5.0, "", low=0), -1, "at least 0, not -1"),
        (Setting("cost", 5.0, "", low=0, high=9), 10, "at least 0 and at most 9, not 10"),
        (Setting("cost", 5.0, ""), math.inf, "must be a number"),
        (Setting("cost", 5.0, ""), "five", "must be a number, not 'five'"),
        (Setting("bars", 5, ""), 5.5, "must be a whole number, not 5.5"),
        (Setting("panel", False, ""), 1, "must be true or false, not 1"),
        (Setting("label", "a", ""), 1, "must be text, not 1"),
    ],
)
def test_settings_refuse_in_words(setting, value, problem):
    with pytest.raises(InvalidInput, match=problem) as error:
        setting.check(value)
    assert error.value.field == f"settings.{setting.name}"


def test_settings_keep_their_type():
    assert type(Setting("bars", 5, "").check(7.0)) is int
    assert type(Setting("cost", 5.0, "").check(7)) is float


@pytest.mark.parametrize("path", ["", "  ", None, 3])
def test_a_missing_objective_is_named(path):
    with pytest.raises(InvalidInput, match="is missing"):
        check_allowed(path)


def test_a_near_miss_gets_a_hint():
    with pytest.raises(InvalidInput, match=r"Did you mean engine\.objectives\.synthetic:branin"):
        check_allowed("engine.objectives.synthetic:brannin")


@pytest.mark.parametrize("path", ["os:system", "subprocess:run", "builtins:eval"])
def test_code_that_nobody_allowed_is_refused(path):
    with pytest.raises(NotAllowed, match="not on the allow-list"):
        resolve(path)


def test_an_allowed_module_may_run(tmp_path, monkeypatch):
    (tmp_path / "allowed_by_test.py").write_text("def loss(params, context):\n    return params['x'] ** 2\nvalue = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(ALLOW_VARIABLE, "other, allowed_by_test")
    assert resolve("allowed_by_test:loss")({"x": 3}, None) == 9
    with pytest.raises(InvalidInput, match="can't be loaded"):
        resolve("allowed_by_test:absent")
    with pytest.raises(InvalidInput, match="is not a function"):
        resolve("allowed_by_test:value")
    monkeypatch.delenv(ALLOW_VARIABLE)
    with pytest.raises(NotAllowed):
        resolve("allowed_by_test:loss")


def test_what_has_to_be_installed_first_is_named():
    entry = find("engine.objectives.strategy:indicator_vote")
    assert entry.missing == []
    absent = dataclasses.replace(entry, requires={"no_such_module": "tunedesk[indicators]"})
    assert absent.missing == ["tunedesk[indicators]"]
