"""Ask and tell: exact counts, no repeats, constraints, exhaustion, bad input, and that it optimises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine import Categorical, Float, Int, Objective, Optimizer, SearchSpace
from engine.errors import InvalidInput, SpaceExhausted
from engine.optimizer import check_options
from tests.optimizer.problems import bowl, mixed_loss, mixed_space, play, square


def test_it_finds_the_optimum_of_a_mixed_conditional_constrained_space() -> None:
    space = mixed_space()
    optimizer = Optimizer(space, seed=1)
    for params in play(optimizer, mixed_loss, 45):
        space.check(params)
    assert optimizer.best is not None
    assert mixed_loss(optimizer.best.params) < 0.1


def test_maximising_is_minimising_the_negative() -> None:
    up = Optimizer(square(), objectives=[Objective("gain", "maximize")], seed=5)
    down = Optimizer(square(), seed=5)
    assert play(up, lambda p: -bowl(p), 15) == play(down, bowl, 15)
    assert up.best is not None
    assert down.best is not None
    assert up.best.value == pytest.approx(-down.best.value)


def test_ask_gives_exactly_n_that_differ_and_become_pending() -> None:
    optimizer = Optimizer(mixed_space(), seed=0)
    play(optimizer, mixed_loss, 8)
    batch = optimizer.ask(7)
    assert len(batch) == 7
    assert len({optimizer.space.key(s.params) for s in batch}) == 7
    assert [s.number for s in batch] == list(range(8, 15))
    assert optimizer.number == 15


def test_points_of_a_batch_keep_apart() -> None:
    optimizer = Optimizer(square(), seed=0)
    play(optimizer, bowl, 8)
    X = optimizer.space.encode([s.params for s in optimizer.ask(5)])
    gaps = np.abs(X[:, None] - X[None]).max(2)[~np.eye(5, dtype=bool)]
    assert gaps.min() > 0


def test_many_may_be_asked_for_before_anything_is_told() -> None:
    batch = Optimizer(mixed_space(), seed=0).ask(40)
    assert all(s.origin == "design" for s in batch)
    assert len({str(s.params) for s in batch}) == 40


def test_a_finite_space_is_tried_once_each_then_exhausted() -> None:
    space = SearchSpace([Int("a", 1, 4), Categorical("b", ["x", "y", "z"])], constraints=["a < 4"])
    optimizer = Optimizer(space, seed=0)
    params = play(optimizer, lambda p: p["a"] + len(p["b"]), 9)
    assert len({space.key(p) for p in params}) == 9
    with pytest.raises(SpaceExhausted, match="0 untried"):
        optimizer.ask()


def test_asking_for_more_than_is_left_takes_nothing() -> None:
    optimizer = Optimizer(SearchSpace([Int("a", 1, 5)]), seed=0)
    play(optimizer, lambda p: p["a"], 3)
    with pytest.raises(SpaceExhausted, match="2 untried"):
        optimizer.ask(3)
    assert len(optimizer.ask(2)) == 2


def test_told_and_abandoned_points_are_never_suggested() -> None:
    space = SearchSpace([Int("a", 1, 6)])
    optimizer = Optimizer(space, seed=0)
    optimizer.tell({"a": 3}, 0.0)
    (s,) = optimizer.ask()
    optimizer.abandon(s)
    rest = play(optimizer, lambda p: p["a"], 4)
    assert {p["a"] for p in rest} == {1, 2, 3, 4, 5, 6} - {3, s.params["a"]}


def test_every_suggestion_says_why() -> None:
    optimizer = Optimizer(square(), seed=0)
    play(optimizer, bowl, 10)
    (s,) = optimizer.ask()
    assert s.origin == "model"
    assert {"acquisition", "explore", "expected_gain", "p_feasible", "nearest", "mean", "std", "summary"} <= set(
        s.reason
    )
    assert 0 <= s.reason["explore"] <= 1
    assert 0 <= s.reason["p_feasible"] <= 1
    assert all(math.isfinite(v) for v in s.reason.values() if isinstance(v, float))
    top = optimizer.candidates()[0]
    assert top["params"] == s.params
    assert {"acquisition", "mean", "std", "p_feasible"} <= set(top)


def test_predictions_come_in_natural_units() -> None:
    points = [{"x": 0.3, "y": 0.7}, {"x": 0.9, "y": 0.1}, {"x": 0.55, "y": 0.35}]

    def predicted(offset: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
        optimizer = Optimizer(square(), seed=0)
        for x in np.linspace(0, 1, 6):
            for y in np.linspace(0, 1, 6):
                optimizer.tell({"x": x, "y": y}, offset + scale * bowl({"x": x, "y": y}))
        mean, std = optimizer.predict(points)
        return (mean - offset) / scale, std / scale

    mean, std = predicted(0.0, 1.0)
    shifted_mean, shifted_std = predicted(1e6, 1e3)
    truth = np.array([bowl(p) for p in points])
    assert (np.abs(mean - truth) < 3 * std).all()
    assert (std < 0.05).all()
    np.testing.assert_allclose(shifted_mean, mean, rtol=0, atol=1e-6)
    np.testing.assert_allclose(shifted_std, std, rtol=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "good", [1.0, 2.0]])
def test_a_value_that_is_none_is_refused_and_changes_nothing(value: object) -> None:
    optimizer = Optimizer(square(), seed=0)
    (s,) = optimizer.ask()
    with pytest.raises(InvalidInput):
        optimizer.tell(s, value)  # type: ignore[arg-type]
    assert optimizer.n_finished == 0
    assert optimizer.pending == [s]


@pytest.mark.parametrize(
    ("params", "field"),
    [({"x": 2.0, "y": 0.1}, "x"), ({"x": 0.2}, "y"), ({"x": 0.1, "y": 0.1, "z": 1}, "z"), ({"x": "a", "y": 0.1}, "x")],
)
def test_points_that_cannot_be_are_refused_by_name(params: dict, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        Optimizer(square()).tell(params, 1.0)


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_count_that_is_none_is_refused(n: object) -> None:
    with pytest.raises(InvalidInput, match="n:"):
        Optimizer(square()).ask(n)  # type: ignore[arg-type]


def test_options_are_checked_by_name() -> None:
    assert check_options({"initial": 7}) == {"initial": 7}
    with pytest.raises(InvalidInput, match=r"optimizer\.intial.*initial"):
        check_options({"intial": 7})
    with pytest.raises(InvalidInput, match=r"optimizer\.initial"):
        check_options({"initial": 0})


def test_a_point_beyond_a_new_constraint_is_still_learnt_from() -> None:
    space = SearchSpace([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)], constraints=["x < 0.5"])
    optimizer = Optimizer(space, seed=0)
    optimizer.tell({"x": 0.9, "y": 0.7}, -5.0)
    params = play(optimizer, bowl, 12)
    assert all(p["x"] < 0.5 for p in params)
    assert optimizer.n_finished == 13
    assert optimizer.best is not None
    assert optimizer.best.params["x"] < 0.5
