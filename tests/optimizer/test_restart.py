"""The same calls give the same suggestions bit for bit, and a record rebuilds the model bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import Objective, Optimizer
from engine.errors import InvalidInput
from engine.optimizer import rebuild
from engine.space import OutcomeConstraint
from tests.optimizer.problems import bowl, mixed_loss, mixed_space, play, square


def settle(optimizer: Optimizer, s) -> None:
    """Infeasible at depth 8, failed at depth 7."""
    if s.params["depth"] == 8:
        optimizer.fail(s, infeasible=True)
    elif s.params["depth"] == 7:
        optimizer.fail(s, "crashed")
    else:
        optimizer.tell(s, mixed_loss(s.params))


def replay(optimizer: Optimizer, numbered: list[tuple[int, dict]]) -> None:
    for number, params in numbered:
        settle(optimizer, optimizer.add_pending(number, params))


def test_twenty_five_and_twenty_five_are_fifty() -> None:
    whole = play(Optimizer(mixed_space(), seed=3), mixed_loss, 50, settle)
    second = Optimizer(mixed_space(), seed=3)
    replay(second, list(enumerate(whole[:25])))
    assert play(second, mixed_loss, 25, settle) == whole[25:]


def test_replaying_by_tell_alone_is_the_same_too() -> None:
    whole = play(Optimizer(square(), seed=3), bowl, 20)
    for cut in (2, 7, 13):
        second = Optimizer(square(), seed=3)
        for params in whole[:cut]:
            second.tell(params, bowl(params))
        assert play(second, bowl, 20 - cut) == whole[cut:]


def test_a_restart_with_running_trials_goes_on_alike() -> None:
    first = Optimizer(square(), seed=4)
    done = play(first, bowl, 12)
    running = first.ask(3)
    second = Optimizer(square(), seed=4)
    for params in done:
        second.tell(params, bowl(params))
    for s in running:
        second.add_pending(s.number, s.params, s.origin, s.reason)
    second.tell(running[1], bowl(running[1].params))
    first.tell(running[1], bowl(running[1].params))
    assert first.ask(2) == second.ask(2)


def test_looking_changes_nothing() -> None:
    quiet, curious = Optimizer(square(), seed=0), Optimizer(square(), seed=0)
    for _ in range(12):
        (a,), (b,) = quiet.ask(), curious.ask()
        assert a == b
        quiet.tell(a, bowl(a.params))
        curious.tell(b, bowl(b.params))
        curious.best, curious.predict([a.params]), curious.model_record(), curious.candidates()


def test_different_seeds_differ() -> None:
    assert play(Optimizer(square(), seed=0), bowl, 3) != play(Optimizer(square(), seed=1), bowl, 3)


@pytest.mark.parametrize("several", [False, True])
def test_a_record_rebuilds_the_model_bit_for_bit(several: bool) -> None:
    objectives = [Objective("loss"), Objective("size", "maximize")] if several else [Objective("loss")]
    constraints = [OutcomeConstraint.parse("cost <= 6")]
    space = mixed_space()
    optimizer = Optimizer(space, objectives, seed=2, outcome_constraints=constraints)
    finished = []
    for _ in range(24):
        (s,) = optimizer.ask()
        if s.params["depth"] == 8:
            optimizer.fail(s, infeasible=True)
            finished.append((s.params, None, "infeasible"))
            continue
        values = {"loss": mixed_loss(s.params), "cost": float(s.params["depth"])}
        if several:
            values["size"] = float(s.params["slow"])
        optimizer.tell(s, values)
        finished.append((s.params, values, "complete"))
    optimizer.ask(2)
    running = [s.params for s in optimizer.pending[:1]]
    live = optimizer.surrogate()
    assert live is not None
    record = json.loads(json.dumps(optimizer.model_record(), allow_nan=False))
    again = rebuild(space, objectives, constraints, finished, record, running)
    X = space.sample(40, np.random.default_rng(0))
    assert again.outcomes == live.outcomes
    for name in again.outcomes:
        for ours, theirs in zip(again.posterior(X, name), live.posterior(X, name)):
            assert (ours == theirs).all()
    assert (again.acquisition(X) == live.acquisition(X)).all()
    assert (again.p_feasible(X) == live.p_feasible(X)).all()
    assert again.incumbent == live.incumbent


def test_a_record_of_more_trials_than_there_are_is_refused() -> None:
    optimizer = Optimizer(square(), seed=0)
    params = play(optimizer, bowl, 6)
    record = optimizer.model_record()
    assert record is not None
    with pytest.raises(InvalidInput, match="6 finished trials"):
        rebuild(square(), [Objective()], [], [(p, {"value": bowl(p)}, "complete") for p in params[:5]], record)


def test_the_view_shows_its_own_fit() -> None:
    optimizer = Optimizer(square(), seed=0)
    play(optimizer, bowl, 20)
    surrogate = optimizer.surrogate()
    assert surrogate is not None
    loo = surrogate.loo()
    assert len(loo["observed"]) == 20
    assert min(loo["observed"]) == pytest.approx(optimizer.best.value, rel=1e-6)  # type: ignore[union-attr]
    assert loo["r2"] > 0.5
    assert loo["verdict"].startswith("good")
    assert set(surrogate.lengthscales()) == {"x", "y"}
    with pytest.raises(InvalidInput, match="cost"):
        surrogate.posterior(np.array([[0.5, 0.5]]), "cost")
