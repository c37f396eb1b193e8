"""Several people and programs at the same moment: whatever the order, each rule holds, and the chain stays whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.errors import Conflict, NotAllowed
from engine.governance import Actor, audit, kill, live, overrides, proposals, reviews, rollout
from engine.store import Store, governance_live
from tests.support.governance import (
    ADA,
    ANA,
    RITA,
    RON,
    ROSE,
    SAFE,
    WHY,
    approved,
    make_proposal,
    make_scope,
    pass_time,
)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls in threads that begin at the same moment; what each returned or was refused with."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except (Conflict, NotAllowed) as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(run, call) for call in calls]]


def refused(results: list[Any]) -> list[Any]:
    return [r for r in results if isinstance(r, Exception)]


@pytest.mark.parametrize("turn", range(2))
def test_two_approvers_at_once(store: Store, turn: int) -> None:
    make_scope(store, tier="high")
    p = proposals.submit(store, make_proposal(store).id, ANA)
    people = (RITA, RON, ROSE, Actor("Rita", {"admin"}))
    results = together(*(lambda a=a: reviews.approve(store, p.id, a, WHY, digest=p.digest) for a in people))
    assert len(refused(results)) == 2  # two are enough, and rita counts once
    counted = [r for r in proposals.reviews(store, p.id) if r.verdict == "approve"]
    assert len({r.actor.casefold() for r in counted}) == 2
    assert proposals.get(store, p.id).state == "approved"
    assert audit.verify(store).ok


@pytest.mark.parametrize("turn", range(2))
def test_approving_while_the_baseline_moves(store: Store, turn: int) -> None:
    make_scope(store)
    p = proposals.submit(store, make_proposal(store, changes={"fast": 25}).id, ANA)
    other = approved(store)
    results = together(
        lambda: reviews.approve(store, p.id, RITA, WHY, digest=p.digest), lambda: rollout.start(store, other.id, RON)
    )
    assert results[1].state == "live"
    after = proposals.get(store, p.id)
    assert (after.state, after.baseline_version) == ("suspended", 1)
    assert all(r.revoked_at for r in proposals.reviews(store, p.id))


@pytest.mark.parametrize("turn", range(2))
def test_only_one_of_two_ramps_starts(store: Store, turn: int) -> None:
    make_scope(store)
    a, b = approved(store, changes={"fast": 60}), approved(store, changes={"weight": 0.9})
    results = together(*(lambda p=p: rollout.start(store, p.id, RITA) for p in (a, b)))
    assert len(refused(results)) == 1
    assert sorted(proposals.get(store, p.id).state for p in (a, b)) == ["approved", "ramping"]


@pytest.mark.parametrize("turn", range(2))
def test_two_roll_back_at_once(store: Store, turn: int) -> None:
    make_scope(store)
    for value in (30, 40):
        rollout.start(store, approved(store, changes={"fast": value}).id, RITA)
    together(*(lambda v=v, a=a: live.rollback(store, "sma", v, a, WHY) for v, a in ((1, RITA), (2, RON), (1, ROSE))))
    found = live.get(store, "sma")
    states = {p.version: p.state for p in proposals.page(store)[0]}
    assert [v for v, s in states.items() if s == "live"] == ([found.version] if found.version > 1 else [])
    assert audit.verify(store).ok


@pytest.mark.parametrize("turn", range(2))
def test_a_kill_during_a_ramp(store: Store, turn: int) -> None:
    make_scope(store)
    p = rollout.start(store, approved(store, changes={"fast": 60}).id, RITA)
    together(
        lambda: rollout.tick(store), lambda: kill.trip(store, "*" if turn else "sma", ANA, WHY),
        lambda: rollout.tick(store), lambda: overrides.set_override(store, "sma", {"fast": 22}, RITA, WHY, hours=1),
        lambda: kill.trip(store, "sma", RON, WHY),
    )  # fmt: skip
    found = live.get(store, "sma")
    assert (found.source, found.values) == ("kill", SAFE)
    assert found.base == SAFE  # neither ramp nor override is left for the time after
    assert proposals.get(store, p.id).state == "aborted"
    assert rollout.tick(store) == []
    kill.trip(store, "*", ANA, WHY)
    results = together(*(lambda a=a: kill.rearm(store, "*", a, WHY) for a in (RITA, RON)))
    assert refused(results) == []
    assert not kill.state(store).tripped


@pytest.mark.parametrize("turn", range(2))
def test_many_tick_at_once_and_one_step_is_taken(store: Store, turn: int) -> None:
    slow = {"stages": 1, "dwell": 60}
    make_scope(store)
    p = rollout.start(store, approved(store, changes={"fast": 60}, ramp=slow).id, RITA)
    pass_time(store, 61)
    results = together(*(lambda: rollout.tick(store) for _ in range(4)))
    assert sorted(map(len, results)) == [0, 0, 0, 1]
    assert proposals.get(store, p.id).step == 2
    with store.snapshot() as connection:
        steps = [e.step for e in governance_live.events(connection, ["sma"], layers=("ramp",))]
    assert steps == [2, 1]


def test_scopes_do_not_wait_for_each_other_to_be_right(store: Store) -> None:
    names = ["a", "b", "c"]
    made = [make_scope(store, name) for name in names]
    ready = [approved(store, name) for name in made]
    results = together(
        *(lambda p=p: rollout.start(store, p.id, RITA) for p in ready), lambda: kill.trip(store, "*", ADA, WHY)
    )
    assert results[-1].tripped
    assert {v.live.source for v in live.overview(store)} == {"kill"}
    assert audit.verify(store).ok
