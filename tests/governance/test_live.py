"""What is live and was: registry, rollback, override, kill switch, limits that need two people."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from engine.errors import Conflict, InvalidInput, InvalidStudy, NotAllowed, NotFound
from engine.governance import Actor, audit, kill, live, overrides, proposals, rollout, scope_changes
from engine.governance.scopes import GLOBAL
from engine.space import Float, Int, SearchSpace
from engine.store import Store
from tests.support.governance import (
    ADA,
    ANA,
    RITA,
    RON,
    ROSE,
    SAFE,
    VIEWER,
    WHY,
    approved,
    make_definition,
    make_scope,
    pass_time,
)  # fmt: skip
from tests.support.studies import make_study


@pytest.fixture
def scope(store: Store) -> str:
    """A scope whose version 2 is live, with fast at 30 instead of 20."""
    make_scope(store)
    rollout.start(store, approved(store).id, RITA)
    return "sma"


def fast(store: Store) -> int:
    return live.get(store, "sma")["fast"]


def test_a_scope_begins_with_the_values_of_its_consumer(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"initial\.fast"):
        scope_changes.create_scope(store, make_definition(), RITA, reason=WHY, initial=SAFE | {"fast": 1})
    scope_changes.create_scope(store, make_definition(), RITA, reason=WHY, initial=SAFE | {"fast": 7})
    assert live.get(store, "sma").values == SAFE | {"fast": 7}
    with pytest.raises(Conflict, match="is a scope sma already"):
        make_scope(store)
    with pytest.raises(InvalidStudy):
        scope_changes.create_scope(store, {"name": "x"}, RITA, reason=WHY)
    with pytest.raises(NotFound, match="no scope 'other'"):
        live.get(store, "other")
    assert [v.record.name for v in live.overview(store)] == ["sma"]


def test_rollback_and_forward_again(store: Store, scope: str) -> None:
    first = live.versions(store, scope)[0].proposal_id
    found = live.rollback(store, scope, 1, RITA, "worse than it looked")
    assert (found.version, found["fast"], found.source) == (1, 20, "live")
    assert proposals.get(store, first or "").state == "rolled_back"
    assert live.view(store, scope).previous.version == 2  # type: ignore[union-attr]
    with pytest.raises(NotAllowed, match="live already"):
        live.rollback(store, scope, 1, RITA, WHY)
    with pytest.raises(NotFound, match="no version 9"):
        live.rollback(store, scope, 9, RITA, WHY)
    assert live.rollback(store, scope, 2, RON, WHY)["fast"] == 30
    assert proposals.get(store, first or "").state == "live"
    assert [v.version for v in live.versions(store, scope)] == [2, 1]  # nothing was written twice
    assert live.diff(store, scope, 1, 2) == {"fast": (20, 30)}


def test_a_rollback_stays_inside_of_todays_limits(store: Store, scope: str) -> None:
    tight = make_definition()
    tight["parameters"]["fast"]["low"] = 15
    tight["safe"] = SAFE
    rollout.start(store, approved(store, changes={"weight": 0.3}).id, RITA)
    tight["constraints"] = ["fast < slow", "weight <= 0.35", "fast >= 25 or weight <= 0.2"]
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    tight["parameters"]["fast"]["high"] = 29
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    assert "outside" in live.get(store, "sma").problem  # it stays live, and every reader is told
    with pytest.raises(NotAllowed, match="outside of today's limits"):
        live.rollback(store, scope, 2, RITA, WHY)
    assert live.rollback(store, scope, 1, RITA, WHY).problem == ""


def test_a_rollback_during_a_ramp_aborts_it_and_works_in_a_freeze(store: Store, scope: str) -> None:
    p = rollout.start(store, approved(store, changes={"fast": 60}).id, RITA)
    scope_changes.add_freeze(store, "sma", p.now - 1, p.now + 1e5, RITA, WHY)
    assert (p.state, fast(store)) == ("ramping", 40)
    live.rollback(store, scope, 1, RITA, WHY)
    assert (proposals.get(store, p.id).state, fast(store)) == ("aborted", 20)


def test_an_override_ends_by_itself(store: Store, scope: str) -> None:
    found = overrides.set_override(store, scope, {"fast": 50}, RITA, "feed is late", hours=2)
    assert (found.source, found["fast"], found.base["fast"]) == ("override", 50, 30)
    assert found.sources == {"fast": "override", "slow": "live", "weight": "live", "mode": "live"}
    assert found.override_reason == "feed is late"
    assert found.until == pytest.approx(found.at + 7200, abs=1)
    pass_time(store, 7100)
    assert fast(store) == 50
    pass_time(store, 101)
    assert (fast(store), live.get(store, scope).source) == (30, "live")
    assert live.history(store, scope)[0].what == "override expired"
    with pytest.raises(NotAllowed, match="isn't overridden"):
        overrides.clear_override(store, scope, RITA, WHY)


@pytest.mark.parametrize(
    ("params", "hours", "words"),
    [
        ({"fast": 500}, 1, "outside 2 to 100"),
        ({"fast": 100}, 1, "break fast < slow"),
        ({"speed": 1}, 1, "not a parameter"),
        ({}, 1, "are empty"),
        ({"fast": 40}, 25, "at most 24"),
        ({"fast": 40}, 0, "above 0"),
        ({"fast": 40}, float("nan"), "above 0"),
        ({"fast": 40}, True, "above 0"),
    ],
)
def test_an_override_has_limits_too(store: Store, scope: str, params: Any, hours: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        overrides.set_override(store, scope, params, RITA, WHY, hours=hours)
    assert live.get(store, scope).source == "live"


def test_one_override_at_a_time(store: Store, scope: str) -> None:
    overrides.set_override(store, scope, {"fast": 50}, RITA, WHY, hours=1)
    with pytest.raises(Conflict, match="overridden already"):
        overrides.set_override(store, scope, {"weight": 0.5}, RON, WHY, hours=1)
    found = overrides.set_override(store, scope, {"weight": 0.5}, RON, WHY, hours=1, replace=True)
    assert (found["fast"], found["weight"]) == (30, 0.5)
    assert overrides.clear_override(store, scope, RITA, WHY).source == "live"


def test_an_override_that_no_longer_fits_is_dropped(store: Store, scope: str) -> None:
    rollout.start(store, approved(store, changes={"slow": 140}).id, RITA)
    overrides.set_override(store, scope, {"fast": 100}, RITA, WHY, hours=1)
    assert live.rollback(store, scope, 1, RITA, WHY).values == SAFE  # slow is 100 again
    overrides.set_override(store, scope, {"fast": 90}, RITA, WHY, hours=1)
    tight = make_definition()
    tight["parameters"]["fast"]["high"] = 80
    scope_changes.change_limits(store, scope, tight, RITA, WHY)
    assert live.get(store, scope).values == SAFE
    assert audit.entries(store)[0].event["action"] == "override.drop"


def test_one_person_kills_and_two_arm_again(store: Store, scope: str) -> None:
    overrides.set_override(store, scope, {"fast": 50}, RITA, WHY, hours=1)
    state = kill.trip(store, scope, ANA, "runs wild")
    assert (state.tripped, state.by, state.reason) == (True, "ana", "runs wild")
    found = live.get(store, scope)
    assert (found.source, found.values, found.kill_reason) == ("kill", SAFE, "runs wild")
    with pytest.raises(NotAllowed, match="that takes the role"):
        kill.rearm(store, scope, ANA, WHY)
    asked = kill.rearm(store, scope, RITA, "found it")
    assert (asked.tripped, asked.waits_for_second, asked.asked_by) == (True, True, "rita")
    assert live.get(store, scope).kill_reason == "runs wild"
    with pytest.raises(Conflict, match="another person"):
        kill.rearm(store, scope, Actor(" RITA", {"admin"}), WHY)
    assert not kill.rearm(store, scope, RON, WHY).tripped
    assert (live.get(store, scope).source, fast(store)) == ("live", 30)  # the override is gone
    with pytest.raises(NotAllowed, match="isn't tripped"):
        kill.rearm(store, scope, RON, WHY)


def test_a_request_to_arm_again_does_not_wait_for_ever(store: Store, scope: str) -> None:
    kill.trip(store, scope, ANA, WHY)
    kill.rearm(store, scope, RITA, WHY)
    pass_time(store, 25 * 3600)
    assert kill.rearm(store, scope, RON, WHY).asked_by == "ron"
    kill.trip(store, scope, ANA, "still wild")  # cancels it
    state = kill.rearm(store, scope, RITA, WHY)
    assert (state.tripped, state.asked_by) == (True, "rita")


def test_the_global_switch_reaches_every_scope(store: Store, scope: str) -> None:
    make_scope(store, "other")
    p = rollout.start(store, approved(store, "other", changes={"fast": 60}).id, RITA)
    kill.trip(store, GLOBAL, ANA, WHY)
    assert {v.live.source for v in live.overview(store)} == {"kill"}
    assert proposals.get(store, p.id).state == "aborted"
    kill.trip(store, "other", ANA, "this one as well")
    make_scope(store, "later")
    assert live.get(store, "later").killed
    kill.rearm(store, GLOBAL, RITA, WHY)
    assert not kill.rearm(store, GLOBAL, RON, WHY).tripped
    assert [v.live.source for v in live.overview(store)] == ["live", "kill", "live"]
    assert kill.state(store, "other").reason == "this one as well"


def test_the_global_switch_works_without_any_scope(store: Store) -> None:
    kill.trip(store, GLOBAL, ANA, WHY)
    assert kill.state(store).tripped
    assert audit.verify(store).ok


def test_history_has_no_gap_and_says_what_was_live_at_any_time(store: Store, scope: str) -> None:
    marks = [(live.get(store, scope).at, 30)]
    moves = [
        (lambda: overrides.set_override(store, scope, {"fast": 50}, RITA, WHY, hours=1), 50),
        (lambda: overrides.clear_override(store, scope, RITA, WHY), 30),
        (lambda: rollout.start(store, approved(store, changes={"fast": 50}).id, RITA), 40),
        (lambda: rollout.tick(store), 50),
        (lambda: kill.trip(store, GLOBAL, ANA, WHY), 20),
        (lambda: (kill.rearm(store, GLOBAL, RITA, WHY), kill.rearm(store, GLOBAL, RON, WHY)), 50),
        (lambda: live.rollback(store, scope, 1, RITA, WHY), 20),
    ]
    for move, value in moves:
        pass_time(store, 100)
        marks = [(at - 100, v) for at, v in marks]
        move()
        marks.append((live.get(store, scope).at, value))
    for when, value in marks:
        assert live.at(store, scope, when)["fast"] == value
    intervals = live.history(store, scope)[::-1]
    assert [i.values["fast"] for i in intervals] == [20, 30, 50, 30, 40, 50, 20, 50, 20]
    assert all(a.end == b.start for a, b in pairwise(intervals))
    assert intervals[-1].end is None
    assert [i.what for i in intervals][4:] == ["ramp step", "live proposal", "kill trip", "kill rearm", "live rollback"]
    assert {i.who for i in intervals} == {"rita", "tunedesk", "ana", "ron"}
    for i in intervals[:-1]:
        assert live.at(store, scope, (i.start + (i.end or 0)) / 2).values == i.values
    with pytest.raises(InvalidInput, match="didn't exist then"):
        live.at(store, scope, 0.0)


def test_wider_limits_take_two_people(store: Store, scope: str) -> None:
    wide = make_definition()
    wide["parameters"]["fast"]["high"] = 150
    record = scope_changes.change_limits(store, scope, wide, RITA, WHY)
    assert record.definition_version == 1
    assert record.pending is not None
    assert record.pending["looser"] == ["the range of fast is wider"]
    with pytest.raises(NotAllowed, match="another person"):
        scope_changes.confirm_limits(store, scope, RITA, WHY)
    with pytest.raises(Conflict, match="aren't the ones"):
        scope_changes.confirm_limits(store, scope, RON, WHY, digest="0" * 64)
    digest = scope_changes.pending_digest(record.pending)
    record = scope_changes.confirm_limits(store, scope, RON, WHY, digest=digest)
    assert (record.definition_version, record.pending) == (2, None)
    newest = scope_changes.definitions(store, scope)[0]
    assert (newest.actor, newest.confirmed_by) == ("rita", "ron")
    with pytest.raises(NotAllowed, match="No limits wait"):
        scope_changes.confirm_limits(store, scope, ROSE, WHY)


def test_limits_may_be_refused_and_are_never_overwritten_unseen(store: Store, scope: str) -> None:
    scope_changes.change_limits(store, scope, make_definition(tier="high"), RITA, WHY)  # tighter: at once
    assert scope_changes.get(store, scope)[1].approvers == 2
    scope_changes.change_limits(store, scope, make_definition(tier="low"), RITA, WHY)
    assert scope_changes.drop_limits(store, scope, RON, WHY).pending is None
    with pytest.raises(Conflict, match="in the meantime"):
        scope_changes.change_limits(store, scope, make_definition(tier="high"), ADA, WHY, version=1)
    with pytest.raises(InvalidInput, match="can't be changed"):
        scope_changes.change_limits(store, scope, make_definition("other"), RITA, WHY)
    fewer = make_definition()
    del fewer["parameters"]["weight"]
    fewer["safe"] = {k: v for k, v in SAFE.items() if k != "weight"}
    with pytest.raises(InvalidInput, match="make a new scope"):
        scope_changes.change_limits(store, scope, fewer, RITA, WHY)


def test_a_study_for_a_scope_stays_inside_of_its_exploration_bounds(store: Store, scope: str) -> None:
    wide = SearchSpace([Int("fast", 2, 300), Float("weight", 0, 1)])
    for tag, field in ((f"scope:{scope}", "parameters.fast"), ("scope:nothing", "tags")):
        with pytest.raises(InvalidStudy) as caught:
            make_study(store, space=wide, tags=(tag,))
        assert [e.field for e in caught.value.errors] == [field]
    make_study(store, space=wide)
    make_study(store, space=SearchSpace([Int("fast", 2, 100)]), tags=(f"scope:{scope}", "other"))
    assert store.list_studies()[1] == 2


def test_freeze_windows_make_sense(store: Store, scope: str) -> None:
    now = live.get(store, scope).at
    for starts, ends in ((now + 10, now + 5), (now - 10, now - 5), (now, now + 400 * 86400)):
        with pytest.raises(InvalidInput, match="ends_at"):
            scope_changes.add_freeze(store, scope, starts, ends, RITA, WHY)
    with pytest.raises(NotFound):
        scope_changes.add_freeze(store, "nothing", now, now + 10, RITA, WHY)
    window = scope_changes.add_freeze(store, scope, now, now + 10, RITA, WHY)
    assert [w.id for w in scope_changes.freezes(store)] == [window.id]
    pass_time(store, 20)
    with pytest.raises(NotAllowed, match="over already"):
        scope_changes.end_freeze(store, window.id, RITA, WHY)


def test_reading_writes_nothing_and_takes_no_right(store: Store, scope: str) -> None:
    head = audit.verify(store).head
    for read in (live.get, live.view, live.history, live.versions, live.events, scope_changes.definitions):
        read(store, scope)
    assert rollout.tick(store) == []
    assert audit.verify(store).head == head
    with pytest.raises(NotAllowed):
        kill.trip(store, scope, VIEWER, WHY)
