"""The table of parameters says the same as the study file, there and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.components.space_table import from_frame, to_frame
from engine.objectives import catalogue

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12)
choices = st.one_of(words, st.integers(-99, 99), st.booleans(), st.none(), st.floats(-1e6, 1e6))


@st.composite
def parameter(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["float", "int", "categorical"]))
    out: dict[str, Any] = {"type": kind}
    if kind == "categorical":
        out["choices"] = draw(st.lists(choices, min_size=1, max_size=5))
    else:
        out["low"] = draw(st.integers(-1000, 1000) if kind == "int" else st.floats(-1e9, 1e9).map(float))
        out["high"] = draw(st.integers(1001, 2000))
        if draw(st.booleans()):
            out["log"] = True
        if draw(st.booleans()):
            out["step"] = draw(st.integers(1, 9))
    if draw(st.booleans()):
        out["when"] = draw(st.dictionaries(names, st.lists(choices, min_size=2, max_size=3), min_size=1, max_size=2))
    if draw(st.booleans()):
        out["help"] = draw(words)
    return out


def _equal(left: Any, right: Any) -> bool:
    """Equal, and True told apart from 1."""
    return repr(_numbers(left)) == repr(_numbers(right))


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(st.dictionaries(names, parameter(), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_definition_comes_back_from_the_table(parameters: dict[str, Any]) -> None:
    back, errors = from_frame(to_frame(parameters), parameters)
    assert not errors
    assert _equal(back, parameters)


@pytest.mark.parametrize("path", catalogue())
def test_every_space_of_the_catalogue_comes_back(path: str) -> None:
    parameters = catalogue()[path].space.to_dict()["parameters"]
    back, errors = from_frame(to_frame(parameters), parameters)
    assert not errors
    assert _equal(back, parameters)


def test_what_a_person_types_is_understood() -> None:
    frame = to_frame({"kind": {"type": "categorical"}, "x": {"type": "float", "low": 0, "high": 1}})
    frame.loc[0, "choices"] = 'sma, ema ,"with, comma", 3, true, null, 1e-3'
    frame.loc[1, "when"] = "kind = sma, ema and mode in [fast]"
    back, errors = from_frame(frame)
    assert not errors
    assert back["kind"]["choices"] == ["sma", "ema", "with, comma", 3, True, None, 0.001]
    assert back["x"]["when"] == {"kind": ["sma", "ema"], "mode": "fast"}


@pytest.mark.parametrize("parameters", [None, 3, [], {"x": None}, {"x": {"type": "odd", "low": "a", "log": 3}}])
def test_nonsense_makes_a_table_all_the_same(parameters: Any) -> None:
    from_frame(to_frame(parameters), parameters)
