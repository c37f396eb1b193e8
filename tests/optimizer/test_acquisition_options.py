"""Every acquisition by its option: valid suggestions, the same after a restart, bounds on exploration, fronts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import Categorical, Float, Int, Objective, Optimizer, SearchSpace
from engine.acquisition.hypervolume import hypervolume, nondominated
from engine.errors import InvalidInput, InvalidStudy
from engine.optimizer import check_options, rebuild
from engine.study import StudySpec
from engine.surrogate.linalg import NotPositiveDefinite

SINGLE = ["ei", "pi", "ucb", "ts", "kg", "mes", "jes", "pes", "portfolio", "hedge"]


def space() -> SearchSpace:
    return SearchSpace(
        [Float("x", 0, 1), Int("k", 1, 20), Categorical("c", ["a", "b"]), Float("g", 0, 1, when={"c": "b"})],
        constraints=["k >= 20 * x - 12"],
    )


def loss(p: dict) -> float:
    return (p["x"] - 0.3) ** 2 + 0.01 * abs(p["k"] - 7) + (0.1 if p["c"] == "a" else (p["g"] - 0.6) ** 2)


def two(p: dict) -> list[float]:
    return [loss(p), (p["x"] - 0.8) ** 2 + 0.02 * p["k"]]


def run(optimizer: Optimizer, trials: int, objective=loss) -> list[dict]:
    out = []
    for _ in range(trials):
        [s] = optimizer.ask()
        optimizer.tell(s, objective(s.params))
        out.append(s.params)
    return out


@pytest.mark.parametrize("kind", SINGLE)
def test_each_acquisition_makes_progress_and_restarts_bit_for_bit(kind):
    options = {"acquisition": kind, "initial": 4}
    optimizer = Optimizer(space(), seed=3, options=options)
    params = run(optimizer, 10)
    assert len({repr(p) for p in params}) == 10
    assert min(loss(p) for p in params[4:]) < np.median([loss(p) for p in params[:4]])
    again = Optimizer(space(), seed=3, options=options)
    told = Optimizer(space(), seed=3, options=options)
    for s in again.ask(4):
        again.tell(s, loss(s.params))
        told.tell(told.add_pending(s.number, s.params, s.origin, json.loads(json.dumps(s.reason))), loss(s.params))
    for _ in range(3):  # one goes on, the other is told what the first stored
        [s] = again.ask()
        again.tell(s, loss(s.params))
        told.tell(told.add_pending(s.number, s.params, s.origin, json.loads(json.dumps(s.reason))), loss(s.params))
    [a], [b] = again.ask(), told.ask()
    assert a.params == b.params
    assert a.reason == b.reason


@pytest.mark.parametrize("kind", SINGLE)
def test_record_rebuilds_the_acquisition(kind):
    optimizer = Optimizer(space(), seed=1, options={"acquisition": kind, "initial": 4})
    params = run(optimizer, 5)
    surrogate = optimizer.surrogate()
    assert surrogate is not None
    record = json.loads(json.dumps(optimizer.model_record()))
    finished = [(p, {"value": loss(p)}, "complete") for p in params]
    copy = rebuild(space(), [Objective()], [], finished, record)
    X = space().sample(20, np.random.default_rng(0))
    np.testing.assert_array_equal(copy.acquisition(X), surrogate.acquisition(X))


@pytest.mark.parametrize("kind", SINGLE)
def test_failures_and_outcome_constraints_go_with_every_acquisition(kind):
    optimizer = Optimizer(
        space(), seed=2, outcome_constraints=["size <= 8"], options={"acquisition": kind, "initial": 6}
    )
    for _ in range(8):
        [s] = optimizer.ask()
        if s.params["x"] > 0.9:
            optimizer.fail(s)
        else:
            optimizer.tell(s, loss(s.params), constraints={"size": s.params["k"]})
    assert 0 <= optimizer.ask()[0].reason["p_feasible"] <= 1


@pytest.mark.parametrize(("bounds", "explores"), [({"floor": 1.0}, 1.0), ({"ceiling": 0.0}, 0.0), ({}, None)])
def test_bounds_on_exploration_are_kept(bounds, explores):
    optimizer = Optimizer(space(), seed=0, options={"exploration": bounds, "initial": 5})
    run(optimizer, 5)
    moves = []
    for _ in range(4):
        [s] = optimizer.ask()
        moves.append(s.reason["move"])
        optimizer.tell(s, loss(s.params))
    if explores is None:
        assert set(moves) == {"free"}
    else:
        assert set(moves) == {"explore" if explores else "exploit"}


def test_a_search_that_explores_goes_where_less_is_known_than_one_that_exploits():
    spread = {}
    for name, bounds in (("explore", {"floor": 1.0}), ("exploit", {"ceiling": 0.0})):
        optimizer = Optimizer(space(), seed=0, options={"exploration": bounds, "initial": 5})
        spread[name] = np.median([optimizer_std(optimizer) for _ in range(10)][5:])
    assert spread["explore"] > 1.5 * spread["exploit"]


def optimizer_std(optimizer: Optimizer) -> float:
    [s] = optimizer.ask()
    optimizer.tell(s, loss(s.params))
    return s.reason.get("std", 1.0)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"acquisition": "eii"}, "optimizer.acquisition"),
        ({"exploration": {"flor": 0.1}}, "optimizer.exploration.flor"),
        ({"exploration": {"floor": 1.5}}, "optimizer.exploration.floor"),
        ({"exploration": {"floor": 0.5, "ceiling": 0.2}}, "optimizer.exploration"),
        ({"exploration": 0.5}, "optimizer.exploration"),
        ({"reference": {"f": float("nan")}}, "optimizer.reference.f"),
        ({"reference": [1, 2]}, "optimizer.reference"),
    ],
)
def test_bad_options_name_their_field(options, field):
    with pytest.raises(InvalidInput) as found:
        check_options(options)
    assert found.value.field == field


@pytest.mark.parametrize(
    ("objectives", "options", "field"),
    [
        (1, {"acquisition": "ehvi"}, "optimizer.acquisition"),
        (2, {"acquisition": "kg"}, "optimizer.acquisition"),
        (4, {"acquisition": "ehvi"}, "optimizer.acquisition"),
        (1, {"reference": {"f0": 1.0}}, "optimizer.reference"),
        (2, {"reference": {"f0": 1.0}}, "optimizer.reference"),
    ],
)
def test_options_that_do_not_go_with_the_objectives(objectives, options, field):
    with pytest.raises(InvalidInput) as found:
        Optimizer(space(), [Objective(f"f{j}") for j in range(objectives)], options=options)
    assert found.value.field == field
    study = {
        "name": "s",
        "objective": "manual",
        "parameters": {"x": {"type": "float", "low": 0, "high": 1}},
        "objectives": [{"name": f"f{j}"} for j in range(objectives)],
        "optimizer": options,
    }
    with pytest.raises(InvalidStudy) as refused:
        StudySpec.from_dict(study)
    assert [e.field for e in refused.value.errors] == [field]


@pytest.mark.parametrize("options", [{}, {"acquisition": "parego"}, {"reference": {"a": 1.0, "b": 1.0}}])
def test_several_objectives_widen_the_front(options):
    objectives = [Objective("a"), Objective("b", "maximize")]

    def outcomes(p):
        first, second = two(p)
        return [first, -second]

    optimizer = Optimizer(space(), objectives, seed=0, options={**options, "initial": 6})
    params = run(optimizer, 14, outcomes)
    Y, reference = np.array([two(p) for p in params]), np.ones(2)
    rng = np.random.default_rng(0)
    random = [np.array([two(p) for p in space().decode(space().sample(14, rng))]) for _ in range(20)]
    assert hypervolume(Y, reference) > np.mean([hypervolume(r, reference) for r in random])
    found = np.array([[b.values["a"], -b.values["b"]] for b in optimizer.front])
    assert nondominated(found).all()
    assert hypervolume(found, reference) == pytest.approx(hypervolume(Y, reference), rel=1e-6)
    reason = optimizer.ask()[0].reason
    assert set(reason["outcomes"]) == {"a", "b"}
    record = json.loads(json.dumps(optimizer.model_record()))
    finished = [(p, dict(zip("ab", outcomes(p))), "complete") for p in params]
    copy = rebuild(space(), objectives, [], finished, record)
    X = space().sample(9, rng)
    np.testing.assert_array_equal(copy.acquisition(X), Optimizer.surrogate(optimizer).acquisition(X))


def test_pending_trials_draw_the_front():
    optimizer = Optimizer(space(), [Objective("a"), Objective("b")], seed=0, options={"initial": 6})
    run(optimizer, 8, two)
    batch = optimizer.ask(3)
    assert len({repr(s.params) for s in batch}) == 3
    assert {s.reason["acquisition"] for s in batch[1:]} == {"log noisy expected hypervolume improvement"}


def test_four_objectives_are_weighted():
    optimizer = Optimizer(space(), [Objective(f"f{j}") for j in range(4)], seed=0, options={"initial": 6})
    run(optimizer, 7, lambda p: [*two(p), p["x"], 1 - p["x"]])
    assert optimizer.ask()[0].reason["acquisition"] == "log expected improvement of weighted objectives"


def test_where_the_front_cannot_be_drawn_the_means_stand_in(monkeypatch):
    def refuse(*args):
        raise NotPositiveDefinite("too close")

    optimizer = Optimizer(space(), [Objective("a"), Objective("b")], seed=0, options={"initial": 4})
    run(optimizer, 5, two)
    monkeypatch.setattr("engine.acquisition.multi_objective.draw_at", refuse)
    reasons = [s.reason["acquisition"] for s in optimizer.ask(2)]
    assert reasons[1] == "log expected hypervolume improvement"
