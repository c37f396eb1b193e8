"""Scopes: everything that is wrong with a definition is said, and what allows more than before is recognised."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from engine.errors import InvalidInput, InvalidStudy
from engine.governance.limits import check_exploration, loosened
from engine.governance.scopes import definition_from_dict, definition_from_stored
from engine.space import Categorical, Float, Int, SearchSpace
from tests.support.governance import SAFE, make_definition


def changed(path: str, value: Any, tier: str = "high") -> dict[str, Any]:
    """A definition with one entry replaced, or removed where the value is None."""
    data = copy.deepcopy(make_definition(tier=tier))
    *outer, last = path.split(".")
    place = data
    for key in outer:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


def test_a_definition_survives_the_store() -> None:
    data = make_definition()
    data["parameters"]["fast"] |= {"min_dwell": 60, "explore": [2, 200]}
    data["parameters"]["mode"]["switch_at"] = 0.5
    first = definition_from_dict(data)
    second = definition_from_stored(first.to_dict())
    assert second.to_dict() == first.to_dict()
    assert second.pace("fast") == first.pace("fast")
    assert second.explore == {"fast": (2, 200)}
    assert second.approvers == 1


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("name", "no spaces", "name", "letters, digits"),
        ("name", "*", "name", "letters, digits"),
        ("area", "weather", "area", "one of strategy"),
        ("tier", "middle", "tier", "low, high"),
        ("safe", None, "safe", "missing"),
        ("safe", SAFE | {"fast": 200}, "safe.fast", "outside 2 to 100"),
        ("safe", {"fast": 3}, "safe.slow", "has no value"),
        ("safe", SAFE | {"fast": 100, "slow": 50}, "safe.constraints", "break fast < slow"),
        ("parameters.fast.low", 1000, "parameters.fast", "must be below high"),
        ("parameters.fast.max_step", 0, "parameters.fast.max_step", "above 0"),
        ("parameters.fast.max_step", 0.5, "parameters.fast.max_step", "own step"),
        ("parameters.mode.max_step", 1, "parameters.mode.max_step", "no step"),
        ("parameters.fast.min_dwell", -1, "parameters.fast.min_dwell", "0 to"),
        ("parameters.mode.switch_at", 2, "parameters.mode.switch_at", "0 to 1"),
        ("parameters.fast.explore", [5], "parameters.fast.explore", "low, high"),
        ("parameters.weight.when", {"mode": "bold"}, "parameters.weight.when", "always has a value"),
        ("policy", {"max_override_hours": "long"}, "policy.max_override_hours", "must be a number"),
        ("policy", {"unknown": 1}, "policy", "may set"),
        ("owner", "ana", "owner", "not a section"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any, field: str, words: str) -> None:
    with pytest.raises(InvalidStudy) as caught:
        definition_from_dict(changed(path, value))
    assert field in [e.field for e in caught.value.errors]
    assert words in str(caught.value)


def test_all_errors_come_at_once() -> None:
    with pytest.raises(InvalidStudy) as caught:
        definition_from_dict({"name": "", "area": "", "tier": "", "parameters": {}, "safe": 1})
    assert {"name", "area", "tier", "safe"} <= {e.field for e in caught.value.errors}


LOOSER = [
    ("tier", "low"), ("parameters.fast.high", 101), ("parameters.fast.low", 1), ("parameters.fast.max_step", 11),
    ("parameters.fast.max_step", None), ("parameters.mode.choices", ["calm", "bold", "wild"]), ("constraints", []),
    ("safe", SAFE | {"fast": 21}), ("policy", {"max_override_hours": 25}), ("policy", {"rearm_hours": 25}),
    ("policy", {"evidence_required": False}), ("parameters.fast.explore", [2, 200]),
]  # fmt: skip
TIGHTER = [
    ("parameters.fast.high", 99), ("parameters.fast.low", 3), ("parameters.fast.max_step", 9),
    ("parameters.fast.min_dwell", 60), ("constraints", ["fast < slow", "fast + slow <= 350"]),
    ("policy", {"max_override_hours": 1}), ("description", "another"), ("parameters.fast.step", 2),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), LOOSER)
def test_what_allows_more_is_looser(path: str, value: Any) -> None:
    old = changed("policy", {"evidence_required": True})
    new = changed(path, value)
    if path != "policy":
        new["policy"] = old["policy"]
    else:
        new["policy"] = {"evidence_required": True} | value
    assert loosened(definition_from_dict(old), definition_from_dict(new))


@pytest.mark.parametrize(("path", "value"), TIGHTER)
def test_what_allows_less_is_not(path: str, value: Any) -> None:
    old = changed("policy", {"evidence_required": False})
    new = changed(path, value)
    new["policy"] = {"evidence_required": False} | new["policy"]
    assert loosened(definition_from_dict(old), definition_from_dict(new)) == []


def test_another_set_of_parameters_is_looser() -> None:
    old, new = make_definition(), make_definition()
    del new["parameters"]["weight"]
    new["safe"] = {k: v for k, v in SAFE.items() if k != "weight"}
    assert loosened(definition_from_dict(old), definition_from_dict(new)) == ["the parameters are other ones"]


def test_studies_may_search_where_the_scope_lets_them() -> None:
    data = make_definition()
    data["parameters"]["fast"]["explore"] = [2, 200]
    scope = definition_from_dict(data)
    fine = SearchSpace(
        [Int("fast", 2, 150), Float("weight", 0, 1), Categorical("mode", ["calm", "bold"]), Int("own", 1, 9)]
    )
    assert check_exploration(scope, fine) == []
    beyond = SearchSpace(
        [Int("fast", 1, 50), Float("weight", 0, 2), Categorical("mode", ["calm", "wild"]), Int("slow", 5, 300)]
    )
    assert [e.field for e in check_exploration(scope, beyond)] == [
        "parameters.fast",
        "parameters.weight",
        "parameters.mode",
    ]
    other = SearchSpace([Categorical("fast", ["a", "b"])])
    assert "another kind" in check_exploration(scope, other)[0].problem


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "3", None, 3.5])
def test_values_of_another_type_are_no_values(value: Any) -> None:
    with pytest.raises(InvalidInput):
        definition_from_dict(make_definition()).check(SAFE | {"fast": value})
