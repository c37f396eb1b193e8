"""Parameters: definitions that can't be, and the maps to and from the unit cube."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Categorical, Float, Int
from engine.errors import InvalidInput

PARAMETERS = [
    Float("x", -3.0, 5.0),
    Float("lr", 1e-6, 10.0, log=True),
    Float("stepped", 0.0, 1.0, step=0.3),
    Int("k", -2, 9),
    Int("even", 2, 20, step=2),
    Int("wide", 1, 10_000, log=True),
    Categorical("c", ["a", "b", 3, None, True]),
]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Float("x", 1.0, 1.0), "parameters.x"),
        (lambda: Float("x", 2.0, 1.0), "parameters.x"),
        (lambda: Float("x", 0.0, 1.0, log=True), "parameters.x.low"),
        (lambda: Float("x", float("nan"), 1.0), "parameters.x.low"),
        (lambda: Float("x", 0.0, float("inf")), "parameters.x.high"),
        (lambda: Float("x", 0.0, 1.0, step=2.0), "parameters.x.step"),
        (lambda: Float("x", 0.1, 1.0, step=0.1, log=True), "parameters.x.step"),
        (lambda: Int("x", 1.5, 3), "parameters.x.low"),
        (lambda: Int("x", 0, 3, log=True), "parameters.x.low"),
        (lambda: Int("x", 3, 1), "parameters.x"),
        (lambda: Categorical("x", ["a"]), "parameters.x.choices"),
        (lambda: Categorical("x", ["a", "a"]), "parameters.x.choices"),
        (lambda: Categorical("x", "ab"), "parameters.x.choices"),
        (lambda: Float("not a name", 0.0, 1.0), "parameters"),
        (lambda: Float("x", 0.0, 1.0, when={}), "parameters.x.when"),
    ],
)
def test_a_definition_that_cannot_be_names_its_field(make, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.field == field


@pytest.mark.parametrize("p", PARAMETERS, ids=lambda p: p.name)
@given(u=st.floats(0.0, 1.0))
def test_decoded_values_are_valid_and_encode_into_their_own_cell(p, u: float) -> None:
    raw = p.values(np.array([u]))
    value = p.native(raw[0])
    assert p.check(value) == value
    again = p.native(p.values(p.encode([value]))[0])
    assert again == pytest.approx(value) if isinstance(value, float) else again == value


@pytest.mark.parametrize("p", [p for p in PARAMETERS if p.cardinality], ids=lambda p: p.name)
def test_every_value_has_a_share_of_the_column(p) -> None:
    values, counts = np.unique(p.values(np.linspace(0, 1, 200_001)), return_counts=True)
    assert len(values) == p.cardinality
    if not p.log:
        assert counts.min() > 0.98 * counts.max()


def test_bounds_are_reached() -> None:
    for p in PARAMETERS[:2]:
        low, high = p.values(np.array([0.0, 1.0]))
        assert (low, high) == pytest.approx((p.low, p.high), rel=1e-12)


def test_true_and_one_are_told_apart_where_both_are_choices() -> None:
    c = Categorical("c", [True, 1, 0, False])
    assert [c.index(v) for v in (True, 1, 0, False)] == [0, 1, 2, 3]


@pytest.mark.parametrize(("p", "value"), [(PARAMETERS[0], 6), (PARAMETERS[2], 0.2), (PARAMETERS[3], 1.5),
                                          (PARAMETERS[4], 3), (PARAMETERS[6], "z"), (PARAMETERS[0], True)])  # fmt: skip
def test_values_outside_are_refused(p, value) -> None:
    with pytest.raises(InvalidInput, match=p.name):
        p.check(value)
