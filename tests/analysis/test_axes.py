"""Axes come from the search space: type, order, labels, gaps."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis import axes, axis
from engine.analysis.axes import format_value, grid, positions
from engine.space import Categorical, Float, Int
from tests.analysis.problems import SPACE


def test_kinds_follow_the_space():
    kinds = {a.name: (a.kind, a.log) for a in axes(SPACE)}
    assert kinds == {
        "fast": ("log", True),
        "slow": ("log", True),
        "stop": ("log", True),
        "side": ("categorical", False),
        "leverage": ("linear", False),
    }


def test_categories_keep_their_declared_order_and_look_alikes_apart():
    a = axis(Categorical("c", ["z", "a", None, True, 1, "1"]))
    assert a.labels == ("z", "a", "none", "true", "1", "1")
    assert [a.position(v) for v in ("z", "a", None, True, 1, "1")] == [0, 1, 2, 3, 4, 5]
    assert (a.low, a.high) == (-0.5, 5.5)


def test_an_inactive_parameter_is_a_gap_and_says_when_it_is_active():
    a = axis(SPACE["leverage"])
    at = positions(a, [{"side": "long"}, {"side": "both", "leverage": 2.0}])
    assert np.isnan(at[0])
    assert at[1] == 2.0
    assert a.condition == "side is both"


@pytest.mark.parametrize(
    "parameter",
    [
        Int("n", 1, 8), Int("n", 2, 100, log=True), Int("n", 0, 100, step=7), Float("x", -1.0, 2.0),
        Float("x", 1e-5, 1.0, log=True), Float("x", 0.0, 1.0, step=0.25), Categorical("c", ["a", "b", "d"]),
    ],
)  # fmt: skip
def test_a_grid_covers_the_range_and_its_columns_decode_to_its_positions(parameter):
    x, u = grid(parameter, 41)
    assert len(x) <= 41
    assert np.all(np.diff(x) > 0)
    assert parameter.values(u) == pytest.approx(x)
    if not isinstance(parameter, Categorical):
        assert x[0] == parameter.low
        assert x[-1] == pytest.approx(parameter.high, abs=7)


def test_a_log_grid_is_even_in_the_logarithm():
    x, _ = grid(Float("x", 1e-4, 1.0, log=True), 41)
    assert np.diff(np.log10(x)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (1e-7, "1e-07"), (3, "3"), (None, "none"), (True, "true"), ("é", "é"), (0.0, "0"),
     (float("nan"), "–"), (float("inf"), "–"), (123456, "123 456")],
)  # fmt: skip
def test_values_read_well(value, text):
    assert format_value(value) == text
