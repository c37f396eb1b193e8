"""The gate: what makes it say yes, not yet and no, and that it says the same every time."""

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.evidence import Check, Gate, generic, judge
from engine.evidence.verdict import Band, canonical_json, digest, graded, missing, plain


def check(status, required=True, name="plateau"):
    return Check(name, name.title(), status, "A sentence.", None, 0.8, 0.6, required)


@given(st.lists(st.tuples(st.sampled_from(["green", "amber", "red", "missing"]), st.booleans()), min_size=1))
def test_one_red_is_no_and_nothing_required_may_be_missing_for_a_yes(states):
    verdict = judge([check(*state) for state in states])
    if any(status == "red" for status, _ in states):
        assert verdict.answer == "no"
        assert verdict.sentence.startswith("No. ")
    elif any(status == "amber" or (status == "missing" and required) for status, required in states):
        assert verdict.answer == "not yet"
    else:
        assert verdict.answer == "yes"
    assert verdict.passed == (verdict.answer == "yes")


def test_the_sentence_names_what_fails_and_what_is_unknown():
    verdict = judge([check("red", name="costs"), check("amber", name="trades"), check("missing", name="plateau")])
    assert verdict.sentence == "No. 1 of 2 checks fail: Costs. Also doubtful: Trades; not known: Plateau."
    assert judge([check("green"), check("missing", False)]).sentence == "Yes. Every check passes (1 of 1)."


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deflated_sharpe", [(0.95, "green"), (0.9499, "amber"), (0.80, "amber"), (0.7999, "red")]),
        ("overfitting", [(0.2, "green"), (0.21, "amber"), (0.5, "amber"), (0.51, "red")]),
        ("walk_forward", [(0.5, "green"), (0.3, "amber"), (-1.0, "red")]),
        ("plateau", [(0.8, "green"), (0.7, "amber"), (0.5, "red")]),
        ("trades", [(30, "green"), (29, "amber"), (14, "red")]),
        ("costs", [(2.0, "green"), (1.0, "amber"), (0.9, "red")]),
        ("extrapolation", [(0.9, "green"), (50.0, "amber")]),
    ],
)
def test_default_thresholds(name, values):
    for value, status in values:
        assert graded(name, name, Gate(), value, "…").status == status


def test_the_documentation_tells_the_thresholds_in_force():
    text = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    rows = {match[1]: match[2] for match in re.finditer(r"^\| `(\w+)`.*?\|(.*)\|$", text, re.MULTILINE)}
    assert set(rows) == {field.name for field in dataclasses.fields(Gate)}
    for name, row in rows.items():
        if name == "improvement":
            continue
        band = getattr(Gate(), name)
        green, amber, required = (cell.strip().replace("−", "-") for cell in row.split("|"))
        assert float(re.search(r"-?[\d.]+", green)[0]) == band.green
        assert green.startswith("≥" if band.high else "≤")
        if re.search(r"\d", amber):
            assert float(re.search(r"-?[\d.]+", amber)[0]) == band.amber
        assert bool(required) == band.required


def test_a_number_that_is_none_is_never_judged():
    for value in (math.nan, math.inf):
        with pytest.raises(InvalidInput):
            graded("plateau", "Plateau", Gate(), value, "…")
    with pytest.raises(InvalidInput):
        judge([])
    unknown = missing("plateau", "Plateau", Gate(), "Nobody looked.")
    assert unknown.status == "missing"
    assert unknown.sentence == "Plateau: not known. Nobody looked."


def test_gate_can_be_changed_and_says_what_is_wrong():
    gate = Gate.from_dict({"overfitting": {"green": 0.1}, "trades": {"required": False}})
    assert gate.overfitting == Band(0.1, 0.5, high=False)
    assert not gate.trades.required
    assert Gate.from_dict({}) == Gate()
    for changes, field in [
        ({"sharp": {"green": 1}}, "gate.sharp"),
        ({"plateau": {"green": 0.1}}, "gate.plateau"),
        ({"overfitting": {"amber": 0.1}}, "gate.overfitting"),
        ({"plateau": {"green": "high"}}, "gate.plateau.green"),
        ({"plateau": {"green": math.nan}}, "gate.plateau.green"),
        ({"plateau": {"required": 1}}, "gate.plateau.required"),
        ({"plateau": {"high": False}}, "gate.plateau"),
        ({"plateau": 0.9}, "gate.plateau"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            Gate.from_dict(changes)
        assert caught.value.field == field


def test_json_is_the_same_every_time_and_holds_no_nan():
    data = generic.replicates([1.0, 2.0, 4.0])
    text = canonical_json(data)
    assert text == canonical_json(generic.replicates(np.array([1.0, 2.0, 4.0])))
    assert json.loads(text)["runs"] == 3
    assert digest(data) == digest(dataclasses.replace(data))
    assert digest(data) != digest(dataclasses.replace(data, runs=4))
    assert canonical_json({"b": -0.0, "a": [np.float64(0.1), np.int64(2), np.True_, math.inf]}) == (
        '{"a":[0.1,2,true,null],"b":0.0}'
    )
    assert canonical_json(0.1 + 0.2) == canonical_json(0.3), "the last digits differ between machines"
    with pytest.raises(InvalidInput):
        plain({"x": math.nan})
    with pytest.raises(InvalidInput):
        plain(object())


def test_verdict_is_frozen():
    verdict = judge([check("green")])
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.answer = "no"
    assert verdict.check("plateau").status == "green"
    with pytest.raises(InvalidInput):
        verdict.check("luck")
