"""The study definition: every bad input is named, all of them at once, and a study file gives the same study again."""

import contextlib
import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidStudy
from engine.objectives import catalogue, find
from engine.objectives.data import sample_studies
from engine.study import StudySpec

CROSS = "engine.objectives.strategy:moving_average_cross"
BRANIN = "engine.objectives.synthetic:branin"

SKETCH = """
name: sma-cross
objective: engine.objectives.strategy:moving_average_cross
parameters:
  fast: {type: int, low: 2, high: 100, log: true}
  slow: {type: int, low: 5, high: 300, log: true}
constraints: ["fast < slow"]
objectives: [{name: sharpe, direction: maximize}]
outcome_constraints: ["max_drawdown <= 0.35"]
budget: {trials: 60}
workers: 2
seed: 0
"""


def study(**changes):
    """A valid manual study with some sections changed; None takes a section out."""
    data = {
        "name": "mine",
        "objective": "manual",
        "parameters": {"x": {"type": "float", "low": 0.1, "high": 1}, "n": {"type": "int", "low": 1, "high": 9}},
        "objectives": [{"name": "loss", "direction": "minimize"}],
        "budget": {"trials": 10},
    }
    return {key: value for key, value in (data | changes).items() if value is not None}


def errors(data):
    with pytest.raises(InvalidStudy) as caught:
        StudySpec.from_dict(data)
    return {e.field: e.problem for e in caught.value.errors}


def x(**changes):
    return {"x": {"type": "float", "low": 0.1, "high": 1} | changes}


BAD_INPUT = [
    ("empty space", study(parameters={}), "parameters", "the space is empty"),
    ("no space", study(parameters=None), "parameters", "must map each name"),
    ("space is a list", study(parameters=["x"]), "parameters", "must map each name"),
    ("low above high", study(parameters=x(low=2)), "parameters.x", r"low \(2\) must be below high \(1\)"),
    ("low equals high", study(parameters=x(low=1)), "parameters.x", "must be below high"),
    ("log of zero", study(parameters=x(low=0, log=True)), "parameters.x.low", "a log scale needs low above 0"),
    ("no bound", study(parameters={"x": {"type": "float", "low": 0}}), "parameters.x.high", "is missing"),
    ("bound is text", study(parameters=x(low="a")), "parameters.x.low", "must be a number, not 'a'"),
    ("bound is infinite", study(parameters=x(high=float("inf"))), "parameters.x.high", "must be a finite number"),
    ("bound is nan", study(parameters=x(high=float("nan"))), "parameters.x.high", "must be a finite number"),
    ("half an int", study(parameters=x(type="int", low=0.5)), "parameters.x.low", "must be a whole number"),
    ("unknown type", study(parameters=x(type="real")), "parameters.x.type", "must be float, int or categorical"),
    ("unknown key", study(parameters=x(hi=3)), "parameters.x.hi", "is not known; a float takes"),
    ("no definition", study(parameters={"x": 3}), "parameters.x", "must be a mapping"),
    ("unusable name", study(parameters={"x-1": x()["x"]}), "parameters", "'x-1' is not a usable name"),
    ("one choice", study(parameters={"k": {"type": "categorical", "choices": ["a"]}}), "parameters.k.choices",
     "at least two"),
    ("a choice twice", study(parameters={"k": {"type": "categorical", "choices": ["a", "a"]}}), "parameters.k.choices",
     "names a choice twice"),
    ("unknown parent", study(parameters=x(when={"kind": "a"})), "parameters.x.when", "kind is not a parameter"),
    ("unknown objective", study(objective="engine.objectives.strategy:moving_average_crossing"), "objective",
     "not in the catalogue. Did you mean"),
    ("objective that isn't allowed", study(objective="os:system"), "objective", "not on the allow-list"),
    ("no objective", study(objective=None), "objective", "is missing"),
    ("objective is no path", study(objective="branin"), "objective", "is written package.module:function"),
    ("a constraint that no point meets", study(constraints=["x > 2"]), "constraints", "no point of the space"),
    ("a constraint on nothing known", study(constraints=["y < 2"]), "constraints['y < 2']", "y is not a parameter"),
    ("a constraint that is code", study(constraints=["__import__('os').system('true') < x"]),
     """constraints["__import__('os').system('true') < x"]""", "only these functions are known"),
    ("constraints as text", study(constraints="x < 1"), "constraints", "must be a list"),
    ("no name", study(name=None), "name", "is missing"),
    ("blank name", study(name="  "), "name", "is missing"),
    ("long name", study(name="n" * 201), "name", "200 characters"),
    ("name of two lines", study(name="a\nb"), "name", "without line breaks"),
    ("no objectives", study(objectives=[]), "objectives", "must be a list such as"),
    ("objective named twice", study(objectives=[{"name": "a"}, {"name": "a"}]), "objectives", "a stands twice"),
    ("unknown direction", study(objectives=[{"name": "a", "direction": "up"}]), "objectives.a.direction",
     "minimize or maximize"),
    ("objective isn't a mapping", study(objectives=["loss"]), "objectives", "must be of the form"),
    ("outcome constraint", study(outcome_constraints=["drawdown < 1"]), "outcome_constraints", "is not of the form"),
    ("outcome constraints as text", study(outcome_constraints="a <= 1"), "outcome_constraints", "must be a list"),
    ("no trials", study(budget={"trials": 0}), "budget.trials", "must be a whole number from 1"),
    ("half a trial", study(budget={"trials": 1.5}), "budget.trials", "must be a whole number"),
    ("budget is a number", study(budget=60), "budget", "must be a mapping"),
    ("unknown budget", study(budget={"hours": 1}), "budget.hours", "is not known"),
    ("no time", study(budget={"seconds": 0}), "budget.seconds", "above 0"),
    ("no worker", study(workers=0), "workers", "must be a whole number from 1"),
    ("workers is text", study(workers="two"), "workers", "not 'two'"),
    ("negative seed", study(seed=-1), "seed", "must be a whole number from 0"),
    ("endless trial", study(trial_timeout=float("inf")), "trial_timeout", "above 0"),
    ("no attempt", study(max_attempts=0), "max_attempts", "must be a whole number from 1"),
    ("tags as text", study(tags="a"), "tags", "must be a list of words"),
    ("unknown section", study(worker=2), "worker", "is not a section of a study. Did you mean workers?"),
    ("not a mapping", ["name"], "study", "must be a mapping"),
    ("settings aren't a mapping", study(settings=[1]), "settings", "must be a mapping"),
    ("unknown setting", {"name": "a", "objective": CROSS, "settings": {"ticker": "x"}}, "settings.ticker",
     "is not known; this objective takes market"),
    ("unknown market", {"name": "a", "objective": CROSS, "settings": {"market": "x"}}, "settings.market",
     "'x' is not one of wti"),
    ("negative cost", {"name": "a", "objective": CROSS, "settings": {"cost_bps": -1}}, "settings.cost_bps",
     "must be at least 0"),
    ("a parameter it hasn't", {"name": "a", "objective": BRANIN, "parameters": {"yy": x()["x"]}}, "parameters.yy",
     "is not a parameter of branin. Did you mean y?"),
    ("an outcome it hasn't", {"name": "a", "objective": CROSS, "objectives": [{"name": "profit"}]}, "objectives",
     "doesn't report profit; it reports sharpe"),
    ("a limit on an outcome it hasn't", {"name": "a", "objective": CROSS, "outcome_constraints": ["loss <= 1"]},
     "outcome_constraints", "doesn't report loss"),
    ("unknown optimizer option", study(optimizer={"no_such_option": 1}), "optimizer.no_such_option", "."),
]  # fmt: skip


@pytest.mark.parametrize(("data", "field", "problem"), [case[1:] for case in BAD_INPUT], ids=[c[0] for c in BAD_INPUT])
def test_bad_input_names_its_field(data, field, problem):
    found = errors(data)
    assert list(found) == [field]
    assert re.search(problem, found[field])


def test_all_errors_come_at_once():
    found = errors(
        {
            "objective": "nothing:here",
            "parameters": {
                "a": {"type": "float", "low": 1, "high": 0},
                "b": {"type": "int", "low": 0, "high": 3, "log": True},
            },
            "objectives": [{"name": "loss", "direction": "down"}],
            "outcome_constraints": ["loss"],
            "budget": {"trials": -1},
            "workers": 0,
            "seed": "x",
            "tags": 3,
            "colour": "red",
        }
    )  # fmt: skip
    assert set(found) == {
        "colour", "name", "objective", "parameters.a", "parameters.b.low", "objectives.loss.direction",
        "outcome_constraints", "budget.trials", "workers", "seed", "tags",
    }  # fmt: skip


def test_the_study_file_of_the_readme():
    spec = StudySpec.from_yaml(SKETCH)
    assert spec.space.names == ("fast", "slow")
    assert (spec.budget_trials, spec.workers, spec.seed) == (60, 2, 0)
    assert spec.objectives[0].sign == -1
    assert spec.outcome_constraints[0].slack(0.3) == pytest.approx(0.05)
    assert spec.settings["market"] == "wti"


def test_a_catalogue_objective_brings_its_space_and_limits():
    spec = StudySpec.from_dict({"name": "a", "objective": CROSS})
    entry = find(CROSS)
    assert spec.space == entry.space
    assert spec.objectives == entry.objectives
    assert [c.text for c in spec.outcome_constraints] == list(entry.outcome_constraints)
    assert spec.budget_trials == 50


def test_a_manual_study_is_minimised_by_default():
    spec = StudySpec.from_dict(study(objectives=None))
    assert spec.manual
    assert (spec.objectives[0].name, spec.objectives[0].direction) == ("value", "minimize")


def test_a_budget_of_time_alone_has_no_small_limit_of_trials():
    spec = StudySpec.from_dict(study(budget={"seconds": 60}))
    assert spec.budget_seconds == 60
    assert spec.budget_trials >= 100_000


def specs():
    yield from (StudySpec.from_file(path) for path in sample_studies())
    yield from (StudySpec.from_dict({"name": e.slug, "objective": path}) for path, e in catalogue().items())
    yield StudySpec.from_dict(
        study(
            tags=["a", " b "],
            notes="two\nlines: é",
            trial_timeout=5,
            max_attempts=1,
            budget={"trials": 7, "seconds": 1.5},
            constraints=["x < n", "not (n == 3 and x > 0.5)"],
            outcome_constraints=["loss <= 0.1", "memory >= -1.5e-7"],
            settings={"anything": [1, "two"]},
        )
    )


@pytest.mark.parametrize("spec", list(specs()), ids=lambda s: s.name)
def test_round_trips(spec):
    assert StudySpec.from_yaml(spec.to_yaml()) == spec
    assert StudySpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert StudySpec.from_stored(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("path", sample_studies(), ids=lambda p: p.stem)
def test_sample_studies_are_named_like_their_file_and_explained(path):
    spec = StudySpec.from_file(path)
    assert spec.name == path.stem
    assert len(spec.notes) > 80
    assert "sample" in spec.tags
    entry = find(spec.objective)
    for p in spec.space:
        if p.name in entry.defaults:
            p.check(entry.defaults[p.name])


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("name: [", "study file", "line 1"),
        ("name: a\n\tobjective: b", "study file", "line 2"),
        ("parameters:\n  x: {type: int}\n  x: {type: int}", "study file", "the name x stands twice"),
        ("", "study", "must be a mapping"),
        ("just text", "study", "must be a mapping"),
        ("workers: 2026-13-45", "study file", "a date or number that doesn't exist"),
        (f"workers: {'9' * 5000}", "study file", "number that doesn't exist"),
        ("!!python/object/apply:os.system ['true']", "study file", "python/object"),
    ],
)
def test_a_corrupt_file_says_where(text, field, problem):
    with pytest.raises(InvalidStudy) as caught:
        StudySpec.from_yaml(text)
    [error] = caught.value.errors
    assert error.field == field
    assert problem in error.problem


def test_a_file_that_cant_be_read_is_named(tmp_path):
    with pytest.raises(InvalidStudy, match=r"absent\.yaml: can't be read"):
        StudySpec.from_file(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InvalidStudy, match=r"binary\.yaml: is not a text file"):
        StudySpec.from_file(tmp_path / "binary.yaml")
    (tmp_path / "broken.yaml").write_text("name: [")
    with pytest.raises(InvalidStudy, match=r"broken\.yaml: line 1"):
        StudySpec.from_file(tmp_path / "broken.yaml")


VALID = [
    study(
        parameters={
            "kind": {"type": "categorical", "choices": ["a", "b"]},
            "x": {"type": "float", "low": 0.1, "high": 1, "log": True, "when": {"kind": "a"}},
            "n": {"type": "int", "low": 1, "high": 9, "step": 2},
        },
        constraints=["x < n"],
        outcome_constraints=["loss <= 0.1"],
        budget={"trials": 7, "seconds": 1.5},
        tags=["a"],
        notes="n",
        workers=2,
        seed=1,
        trial_timeout=5,
        max_attempts=2,
    ),
    {"name": "a", "objective": CROSS, "settings": {"market": "aapl", "cost_bps": 1, "warm_up": 300}},
]
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**400), st.floats(), st.text(max_size=5),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), st.one_of(st.integers(), st.none()), max_size=3),
)  # fmt: skip


def places(data, path=()):
    """Every path into nested mappings and lists."""
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_junk_anywhere_in_a_study_is_either_valid_or_explained(data):
    base = copy.deepcopy(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from(list(places(base))))
        target = base
        for key in parents:
            target = target[key]
        target[last] = data.draw(JUNK)
    with contextlib.suppress(InvalidStudy):
        spec = StudySpec.from_dict(base)
        assert StudySpec.from_dict(spec.to_dict()) == spec
        assert StudySpec.from_yaml(spec.to_yaml()) == spec
