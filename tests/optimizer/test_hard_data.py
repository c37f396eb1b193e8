"""Failures, constraints, noise, and data no model likes: every suggestion stays finite, new and sensible."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine import Float, Objective, Optimizer, SearchSpace
from engine.errors import InvalidInput
from tests.optimizer.problems import bowl, mixed_space, play, square


def test_failures_are_learnt_from() -> None:
    def settle(optimizer: Optimizer, s) -> None:
        if s.params["x"] > 0.5:
            optimizer.fail(s, "crashed")
        else:
            optimizer.tell(s, (s.params["x"] - 0.8) ** 2 + (s.params["y"] - 0.5) ** 2)

    optimizer = Optimizer(square(), seed=0)
    play(optimizer, bowl, 35, settle)
    assert optimizer.best is not None
    assert 0.49 < optimizer.best.params["x"] <= 0.5
    surrogate = optimizer.surrogate()
    assert surrogate is not None
    beyond, within = surrogate.p_feasible(np.array([[0.8, 0.5], [0.3, 0.5]]))
    assert beyond < 0.2
    assert within > 0.8


def test_an_outcome_constraint_is_learnt() -> None:
    optimizer = Optimizer(square(), [Objective("gain", "maximize")], seed=0, outcome_constraints=["risk <= 0.8"])
    params = play(optimizer, lambda p: {"gain": p["x"] + p["y"], "risk": p["x"] ** 2 + p["y"] ** 2}, 30)
    best = optimizer.best
    assert best is not None
    assert best.values["risk"] <= 0.8
    assert best.value > 0.97 * math.sqrt(1.6)
    assert len(params) == 30


def test_without_a_feasible_trial_it_looks_for_one() -> None:
    space = SearchSpace([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)])
    optimizer = Optimizer(space, seed=0, outcome_constraints=["c >= -0.01"])
    play(optimizer, lambda p: {"value": p["x"], "c": -((p["x"] - 0.77) ** 2) - (p["y"] - 0.13) ** 2}, 25)
    assert optimizer.best is not None
    assert optimizer.best.values["c"] >= -0.01


def test_a_missing_constraint_value_is_refused_by_name() -> None:
    optimizer = Optimizer(square(), outcome_constraints=["risk <= 1"])
    with pytest.raises(InvalidInput, match="risk"):
        optimizer.tell({"x": 0.1, "y": 0.1}, 1.0)
    optimizer.tell({"x": 0.1, "y": 0.1}, 1.0, constraints={"risk": 0.5})
    assert optimizer.best is not None


def test_under_noise_the_incumbent_is_the_best_mean_not_the_luckiest_draw() -> None:
    rng = np.random.default_rng(0)
    optimizer = Optimizer(square(), seed=0)
    for p in [{"x": x, "y": 0.7} for x in np.linspace(0.05, 0.95, 40)]:
        optimizer.tell(p, (p["x"] - 0.3) ** 2 + 0.05 * rng.standard_normal())
    optimizer.tell({"x": 0.9, "y": 0.7}, -0.05)  # a lucky draw far from the optimum
    assert optimizer.best is not None
    assert abs(optimizer.best.params["x"] - 0.3) < 0.2
    assert 0.0 < optimizer.best.std < 0.1
    assert optimizer.best.value != optimizer.best.values["value"]


def test_known_variances_are_used() -> None:
    optimizer = Optimizer(square(), seed=0)
    for i, x in enumerate(np.linspace(0, 1, 12)):
        optimizer.tell(
            {"x": x, "y": 0.5}, (x - 0.3) ** 2 - (5.0 if i == 11 else 0.0), variance=100.0 if i == 11 else 1e-6
        )
    assert optimizer.best is not None
    assert optimizer.best.params["x"] < 0.6
    with pytest.raises(InvalidInput, match="variance"):
        optimizer.tell({"x": 0.5, "y": 0.2}, 1.0, variance=-1.0)


OUTCOMES = {
    "constant": lambda p, i: 1.0,
    "huge": lambda p, i: 1e300 * (1 if i % 2 else -1),
    "one huge": lambda p, i: 1e300 if i == 3 else p["lr"],
    "tiny": lambda p, i: 1e-300 * (1 + i),
    "steps": lambda p, i: float(p["depth"] > 4),
    "huge offset": lambda p, i: 1e15 + p["depth"],
    "two levels of scale": lambda p, i: 10.0 ** (30 if p["lr"] > 0.01 else -30),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_no_model_likes_never_break_it(name: str) -> None:
    space = mixed_space()
    optimizer = Optimizer(space, seed=0)
    for i in range(16):
        (s,) = optimizer.ask()
        space.check(s.params)
        assert all(math.isfinite(v) for v in s.reason.values() if isinstance(v, float))
        optimizer.tell(s, OUTCOMES[name](s.params, i))
    assert optimizer.best is not None
    mean, std = optimizer.predict([s.params])
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()


def test_all_infeasible_goes_on_without_a_model_of_the_objective() -> None:
    optimizer = Optimizer(mixed_space(), seed=0)
    params = play(optimizer, bowl, 20, lambda o, s: o.fail(s, infeasible=True))
    assert len({str(p) for p in params}) == 20
    assert optimizer.best is None
    surrogate = optimizer.surrogate()
    assert surrogate is not None
    assert surrogate.outcomes == ["success"]


def test_repeated_measurements_of_one_point_are_fine() -> None:
    optimizer = Optimizer(square(), seed=0)
    for value in (1.0, 1.2, 0.9, 1.1, 1.0, 1.05):
        optimizer.tell({"x": 0.5, "y": 0.5}, value)
    (s,) = optimizer.ask()
    assert s.params != {"x": 0.5, "y": 0.5}


def test_more_columns_than_trials() -> None:
    space = SearchSpace([Float(f"x{i}", 0.0, 1.0) for i in range(40)])
    optimizer = Optimizer(space, seed=0, options={"initial": 5})
    params = play(optimizer, lambda p: sum(v**2 for v in p.values()), 10)
    assert len(params) == 10


def test_one_column() -> None:
    optimizer = Optimizer(SearchSpace([Float("x", -5.0, 5.0)]), seed=0)
    play(optimizer, lambda p: math.sin(3 * p["x"]) + 0.1 * p["x"] ** 2, 20)
    assert optimizer.best is not None
    assert optimizer.best.value == pytest.approx(-0.9749, abs=0.01)
