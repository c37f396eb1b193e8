"""Ramps: every step is inside of all limits, whatever start and target are, or it is said that there is no way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.governance import limits, ramps
from engine.governance.scopes import ScopeDefinition, definition_from_dict
from tests.support.governance import SAFE, make_definition


def definition(constraints: list[str] | None = None, **parameters: dict[str, Any]) -> ScopeDefinition:
    data = make_definition()
    if parameters:
        safe = {n: p["choices"][0] if "choices" in p else p["low"] for n, p in parameters.items()}
        data |= {"parameters": parameters, "safe": safe, "constraints": []}
    return definition_from_dict(data | ({"constraints": constraints} if constraints is not None else {}))


SCOPE = definition()


@st.composite
def points(draw: st.DrawFn) -> dict[str, Any]:
    fast = draw(st.integers(2, 100))
    return {
        "fast": fast,
        "slow": draw(st.integers(max(5, fast + 1), 300)),
        "weight": draw(st.floats(0, 1)),
        "mode": draw(st.sampled_from(["calm", "bold"])),
    }


def check(scope: ScopeDefinition, start: dict[str, Any], target: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """I5 and I6 of a whole plan."""
    assert steps[-1] == target if steps else start == target
    assert ramps.check_plan(scope, start, steps) == ""
    before = start
    for step in steps:
        assert scope.check(step) == step
        assert step != before
        for p in scope.space:
            old, new, most = before[p.name], step[p.name], scope.pace(p.name).max_step
            assert type(new) is type(target[p.name])
            if isinstance(new, (int, float)) and not isinstance(new, bool):
                assert most is None or abs(new - old) <= most * (1 + 1e-9) + 1e-12
                low, high = sorted((start[p.name], target[p.name]))
                assert low <= new <= high
                assert abs(target[p.name] - new) <= abs(target[p.name] - old)  # never back
            else:
                assert new in (start[p.name], target[p.name])
        before = step


@given(points(), points(), st.integers(1, 12))
@example(
    {"fast": 10, "slow": 11, "weight": 0.0, "mode": "calm"}, {"fast": 90, "slow": 91, "weight": 0.0, "mode": "calm"}, 1
)
@example(
    {"fast": 90, "slow": 91, "weight": 0.0, "mode": "bold"}, {"fast": 10, "slow": 11, "weight": 1.0, "mode": "calm"}, 3
)
def test_every_step_is_feasible_and_bounded(start: dict[str, Any], target: dict[str, Any], stages: int) -> None:
    steps = ramps.plan(SCOPE, start, target, stages)
    check(SCOPE, start, target, steps)
    if start != target:
        assert len(steps) >= max(abs(start["fast"] - target["fast"]) / 10, abs(start["slow"] - target["slow"]) / 50)


@st.composite
def ramp_problems(draw: st.DrawFn) -> tuple[ScopeDefinition, dict[str, Any], dict[str, Any]]:
    """A random scope of 1 to 4 parameters on grids, with a random order between two of them."""
    n = draw(st.integers(1, 4))
    parameters: dict[str, Any] = {}
    for i in range(n):
        kind = draw(st.sampled_from(["int", "float", "grid", "categorical"]))
        if kind == "categorical":
            parameters[f"p{i}"] = {
                "type": kind, "choices": ["a", "b", "c"], "switch_at": draw(st.sampled_from([0.0, 0.5, 1.0])),
            }  # fmt: skip
            continue
        entry: dict[str, Any] = {"type": "int" if kind == "int" else "float", "low": 0, "high": 20}
        if kind != "float":
            entry["step"] = draw(st.sampled_from([1, 2] if kind == "int" else [0.5, 2.5]))
        if draw(st.booleans()):
            entry["max_step"] = draw(st.sampled_from([2.5, 3, 5, 7.5]))
        parameters[f"p{i}"] = entry
    numbers = [name for name, p in parameters.items() if p["type"] != "categorical"]
    constraints = []
    if len(numbers) >= 2:
        a, b = numbers[:2]
        constraints = draw(st.sampled_from([[], [f"{a} <= {b}"], [f"{a} + {b} <= 24"], [f"abs({a} - {b}) <= 9"]]))
    scope = definition(constraints, **parameters)
    drawn: list[dict[str, Any]] = []
    for _ in range(2):
        point = {}
        for p in scope.space:
            u = draw(st.floats(0, 1))
            values = p.values(np.array([u]))
            point[p.name] = p.native(values[0])
        drawn.append(point)
    assume(not any(scope.problem(point) for point in drawn))
    return scope, drawn[0], drawn[1]


@settings(max_examples=150)
@given(ramp_problems(), st.integers(1, 6))
def test_random_scopes(problem: tuple[ScopeDefinition, dict[str, Any], dict[str, Any]], stages: int) -> None:
    scope, start, target = problem
    try:
        steps = ramps.plan(scope, start, target, stages)
    except InvalidInput:  # a path that never goes back may not exist on a coarse grid
        assert scope.space.constraints
        return
    check(scope, start, target, steps)


def test_the_slow_one_moves_first_when_both_rise() -> None:
    start, target = SAFE | {"fast": 40, "slow": 41}, SAFE | {"fast": 50, "slow": 91}
    assert ramps.plan(SCOPE, start, target)[0] == SAFE | {"fast": 50, "slow": 91}  # in one step, both at once
    start, target = SAFE | {"fast": 95, "slow": 96}, SAFE | {"fast": 20, "slow": 21}
    steps = ramps.plan(SCOPE, start, target)
    check(SCOPE, start, target, steps)
    assert len(steps) <= 9


def test_a_categorical_switches_at_its_stage() -> None:
    for switch_at, stage in ((0.0, 1), (0.5, 2), (1.0, 4)):
        scope = definition(
            x={"type": "float", "low": 0, "high": 1, "max_step": 0.25},
            mode={"type": "categorical", "choices": ["a", "b"], "switch_at": switch_at},
        )
        steps = ramps.plan(scope, {"x": 0.0, "mode": "a"}, {"x": 1.0, "mode": "b"})
        assert [s["x"] for s in steps] == [0.25, 0.5, 0.75, 1.0]
        assert [s["mode"] for s in steps].index("b") + 1 == stage


def test_constraints_between_choice_and_number_decide_the_stage() -> None:
    scope = definition(
        ["mode == 'a' or x <= 0.5"],
        x={"type": "float", "low": 0, "high": 1, "max_step": 0.25},
        mode={"type": "categorical", "choices": ["a", "b"], "switch_at": 1.0},
    )
    steps = ramps.plan(scope, {"x": 0.25, "mode": "b"}, {"x": 1.0, "mode": "a"})
    check(scope, {"x": 0.25, "mode": "b"}, {"x": 1.0, "mode": "a"}, steps)


def test_no_way_is_said() -> None:
    scope = definition(["x <= 0.2 or x >= 0.8"], x={"type": "float", "low": 0, "high": 1, "max_step": 0.3})
    with pytest.raises(InvalidInput, match="no way of small steps leads there"):
        ramps.plan(scope, {"x": 0.1}, {"x": 0.9})


@pytest.mark.parametrize(
    ("start", "target", "stages", "words"),
    [
        (SAFE | {"fast": 120}, SAFE, 1, "120 lies outside 2 to 100"),
        (SAFE, SAFE | {"fast": 100}, 1, "the values break fast < slow"),
        (SAFE, SAFE | {"mode": "wild"}, 1, "not one of the choices"),
        (SAFE, {"fast": 3}, 1, "slow: has no value"),
        (SAFE, SAFE | {"fast": 30}, 0, "whole number from 1"),
        (SAFE, SAFE | {"fast": 30}, 2.5, "whole number from 1"),
    ],
)
def test_what_can_not_be_planned(start: Any, target: Any, stages: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ramps.plan(SCOPE, start, target, stages)


def test_too_many_steps_are_refused_quickly() -> None:
    scope = definition(x={"type": "float", "low": 0, "high": 1e6, "max_step": 1})
    with pytest.raises(InvalidInput, match="more than 1000"):
        ramps.plan(scope, {"x": 0.0}, {"x": 1e6})


def test_a_point_on_a_limit_is_inside() -> None:
    scope = definition(
        ["a + b <= 1"],
        a={"type": "float", "low": 0, "high": 1},
        b={"type": "float", "low": 0.1, "high": 1, "log": True},
    )
    assert scope.problem({"a": 0.3, "b": 0.7}) == ""
    assert limits.too_large(scope, {"a": 0.0, "b": 0.1}, {"a": 1.0, "b": 0.1}) == ""
