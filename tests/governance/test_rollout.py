"""Going live in steps: gates, dwell, pauses, aborts, schedules, freezes; always by whoever happens to tick."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import Conflict, InvalidInput, NotAllowed
from engine.governance import audit, kill, live, overrides, proposals, rollout, scope_changes
from engine.store import Store
from tests.support.governance import (
    ADA,
    ANA,
    ENGINE,
    RITA,
    RON,
    SAFE,
    WHY,
    approved,
    make_definition,
    make_scope,
    pass_time,
)  # fmt: skip

GATED = {"stages": 2, "dwell": 60, "gates": [{"pass": "dd <= 0.1", "fail": "dd >= 0.2"}]}


@pytest.fixture
def ramping(store: Store) -> Any:
    """A gated ramp of fast from 20 to 40 at its first step."""
    make_scope(store)
    return rollout.start(store, approved(store, changes={"fast": 40}, ramp=GATED).id, RITA)


def fast(store: Store) -> int:
    return live.get(store, "sma")["fast"]


def test_a_small_step_without_gates_is_live_at_once(store: Store) -> None:
    make_scope(store)
    p = rollout.start(store, approved(store).id, RITA)
    assert (p.state, p.version) == ("live", 2)
    found = live.get(store, "sma")
    assert (found.source, found.version, found.values) == ("live", 2, SAFE | {"fast": 30})
    first, second = live.versions(store, "sma")[::-1]
    assert (first.approvers, second.approvers) == ([], ["rita"])
    assert second.proposal_id == p.id
    later = rollout.start(store, approved(store, changes={"fast": 33}).id, RITA)
    assert (later.version, proposals.get(store, p.id).state) == (3, "superseded")


def test_a_gate_that_passes_leads_to_the_end(store: Store, ramping: Any) -> None:
    assert (ramping.state, ramping.step, fast(store)) == ("ramping", 1, 30)
    assert rollout.tick(store) == []  # the dwell isn't over
    assert rollout.report_metrics(store, "sma", {"dd": 0.05}, ENGINE)
    pass_time(store, 61)
    assert rollout.tick(store) == [f"The ramp of {ramping.id} in sma took step 2 of 2."]
    assert (fast(store), live.get(store, "sma").source) == (40, "ramp")
    pass_time(store, 61)
    assert "paused at step 2" in rollout.tick(store)[0]  # reports of step 1 don't count for step 2
    rollout.resume(store, ramping.id, RITA, WHY)
    rollout.report_metrics(store, "sma", {"dd": 0.05}, ENGINE)
    assert "live" in rollout.tick(store)[0]
    assert (proposals.get(store, ramping.id).state, live.get(store, "sma").source) == ("live", "live")
    assert rollout.tick(store) == []


def test_a_gate_that_fails_aborts_before_the_dwell_is_over(store: Store, ramping: Any) -> None:
    rollout.report_metrics(store, "sma", {"dd": 0.3}, ENGINE)
    assert "was aborted at step 1" in rollout.tick(store)[0]
    p = proposals.get(store, ramping.id)
    assert (p.state, fast(store), live.get(store, "sma").version) == ("aborted", 20, 1)
    assert "fails by dd >= 0.2" in p.note
    assert rollout.tick(store) == []


@pytest.mark.parametrize("reported", [[], [0.15]])
def test_what_can_not_be_told_waits_for_a_person(store: Store, ramping: Any, reported: list[float]) -> None:
    for value in reported:
        rollout.report_metrics(store, "sma", {"dd": value}, ENGINE)
    pass_time(store, 61)
    assert "Inconclusive, a person has to decide" in rollout.tick(store)[0]
    pass_time(store, 1e6)
    assert (rollout.tick(store), fast(store)) == ([], 30)  # it never goes on by itself
    p = rollout.resume(store, ramping.id, RON, WHY, pass_gate=True)
    assert (p.state, p.gate_passed_by) == ("ramping", "ron")
    rollout.tick(store)
    p = proposals.get(store, ramping.id)
    assert (p.step, p.gate_passed_by, fast(store)) == (2, None, 40)  # for one gate only
    assert audit.entries(store)[0].event["details"]["gate_passed_by"] == "ron"


def test_a_person_can_not_pass_a_gate_that_fails(store: Store, ramping: Any) -> None:
    rollout.pause(store, ramping.id, ANA, WHY)
    rollout.report_metrics(store, "sma", {"dd": 0.3}, ENGINE)
    rollout.resume(store, ramping.id, RITA, WHY, pass_gate=True)
    assert "aborted" in rollout.tick(store)[0]


def test_reports_that_do_not_belong_to_the_step_judge_nothing(store: Store, ramping: Any) -> None:
    tag = live.get(store, "sma").etag
    assert not rollout.report_metrics(store, "sma", {"dd": 0.3}, ENGINE, etag="of other values")
    assert rollout.report_metrics(store, "sma", {"dd": 0.05}, ENGINE, etag=tag)
    overrides.set_override(store, "sma", {"weight": 0.3}, RITA, WHY, hours=1)
    assert not rollout.report_metrics(store, "sma", {"dd": 0.3}, ENGINE)
    overrides.clear_override(store, "sma", RITA, WHY)
    pass_time(store, 61)
    assert "took step 2" in rollout.tick(store)[0]
    for value in (float("nan"), float("inf"), "0.1", True):
        with pytest.raises(InvalidInput, match=r"metrics\.dd"):
            rollout.report_metrics(store, "sma", {"dd": value}, ENGINE)  # type: ignore[dict-item]


def test_people_pause_resume_and_abort(store: Store, ramping: Any) -> None:
    assert rollout.pause(store, ramping.id, ANA, WHY).state == "paused"
    pass_time(store, 1000)
    assert rollout.tick(store) == []
    assert rollout.resume(store, ramping.id, RITA, WHY).state == "ramping"
    assert rollout.abort(store, ramping.id, ANA, WHY).state == "aborted"
    assert fast(store) == 20
    with pytest.raises(NotAllowed, match="it is aborted"):
        rollout.resume(store, ramping.id, RITA, WHY)


def test_one_ramp_at_a_time(store: Store, ramping: Any) -> None:
    other = approved(store, changes={"weight": 0.3})
    with pytest.raises(Conflict, match="one at a time"):
        rollout.start(store, other.id, RITA)


def test_limits_that_are_tightened_on_the_way(store: Store, ramping: Any) -> None:
    tight = make_definition()
    tight["parameters"]["fast"]["max_step"] = 4
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    rollout.report_metrics(store, "sma", {"dd": 0.05}, ENGINE)
    pass_time(store, 61)
    rollout.tick(store)
    p = proposals.get(store, ramping.id)
    assert [step["fast"] for step in p.plan] == [30, 33, 37, 40]  # planned again from where it is
    assert fast(store) == 33
    tight["parameters"]["fast"]["high"] = 35
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    assert fast(store) == 33  # still inside
    rollout.report_metrics(store, "sma", {"dd": 0.05}, ENGINE)
    pass_time(store, 61)
    assert "was aborted" in rollout.tick(store)[0]  # but its end isn't
    assert fast(store) == 20


def test_limits_that_forbid_the_present_step_end_the_ramp_at_once(store: Store, ramping: Any) -> None:
    tight = make_definition()
    tight["parameters"]["fast"]["high"] = 25
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    assert (proposals.get(store, ramping.id).state, fast(store)) == ("aborted", 20)


def test_a_step_waits_for_the_slowest_parameter_that_moves(store: Store) -> None:
    slow = make_definition()
    slow["parameters"]["fast"]["min_dwell"] = 3600
    scope_changes.create_scope(store, slow, RITA, reason=WHY)
    p = rollout.start(store, approved(store, changes={"fast": 40, "weight": 0.4}).id, RITA)
    pass_time(store, 3500)
    assert rollout.tick(store) == []
    pass_time(store, 200)
    assert "complete" in rollout.tick(store)[0]
    assert proposals.get(store, p.id).state == "live"
    again = approved(store, changes={"fast": 41})
    with pytest.raises(NotAllowed, match="fast changed a moment ago"):
        rollout.start(store, again.id, RITA)
    rollout.start(store, approved(store, changes={"weight": 0.5}).id, RITA)  # it never waits for another one


def test_an_aborted_move_counts_as_a_move(store: Store) -> None:
    slow = make_definition()
    slow["parameters"]["fast"]["min_dwell"] = 3600
    scope_changes.create_scope(store, slow, RITA, reason=WHY)
    p = rollout.start(store, approved(store, changes={"fast": 40}).id, RITA)
    pass_time(store, 3700)
    rollout.abort(store, p.id, ANA, WHY)
    with pytest.raises(NotAllowed, match="a moment ago"):
        rollout.start(store, approved(store, changes={"fast": 25}).id, RITA)
    pass_time(store, 3700)
    rollout.start(store, approved(store, changes={"fast": 26}).id, RITA)


def test_a_schedule_starts_by_itself_when_its_time_comes(store: Store) -> None:
    make_scope(store)
    p = approved(store)
    with pytest.raises(InvalidInput, match="in the future"):
        rollout.schedule(store, p.id, p.now - 1, RITA)
    with pytest.raises(InvalidInput, match="after the approvals expire"):
        rollout.schedule(store, p.id, p.now + 40 * 86400, RITA)
    assert rollout.schedule(store, p.id, p.now + 3600, RITA).state == "scheduled"
    rollout.schedule(store, p.id, p.now + 7200, RITA)
    pass_time(store, 3700)
    assert rollout.tick(store) == []
    pass_time(store, 3700)
    assert rollout.tick(store) == [f"The proposal {p.id} for sma started: it is live."]


def test_a_schedule_that_can_not_start_is_suspended(store: Store) -> None:
    make_scope(store)
    p = approved(store)
    rollout.schedule(store, p.id, p.now + 60, RITA)
    tight = make_definition()
    tight["parameters"]["fast"]["high"] = 25
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    pass_time(store, 61)
    assert "was suspended" in rollout.tick(store)[0]
    assert proposals.get(store, p.id).state == "suspended"


def test_nothing_goes_live_in_a_freeze_and_stopping_works(store: Store, ramping: Any) -> None:
    window = scope_changes.add_freeze(store, "*", ramping.now - 1, ramping.now + 1e5, RITA, "year end")
    rollout.report_metrics(store, "sma", {"dd": 0.05}, ENGINE)
    pass_time(store, 61)
    assert rollout.tick(store) == []
    make_scope(store, "other")
    with pytest.raises(NotAllowed, match="is frozen: year end"):
        rollout.start(store, approved(store, "other").id, RITA)
    scope_changes.end_freeze(store, window.id, RON, WHY)
    assert "took step 2" in rollout.tick(store)[0]
    window = scope_changes.add_freeze(store, "sma", window.starts_at, window.ends_at + 1e6, RITA, "again")
    assert live.view(store, "sma").freezes[0].id == window.id
    rollout.abort(store, ramping.id, ANA, WHY)
    assert fast(store) == 20


def test_a_ramp_and_an_override_never_break_the_limits_together(store: Store) -> None:
    make_scope(store)
    p = rollout.start(store, approved(store, changes={"slow": 30}, ramp={"stages": 2}).id, RITA)
    overrides.set_override(store, "sma", {"fast": 40}, RITA, WHY, hours=1)
    assert live.get(store, "sma").values["slow"] == 65
    assert "break the limits together" in rollout.tick(store)[0]
    assert proposals.get(store, p.id).state == "paused"
    overrides.clear_override(store, "sma", RITA, WHY)
    rollout.resume(store, p.id, RITA, WHY)
    assert "complete" in rollout.tick(store)[0]


def test_a_kill_ends_a_ramp_and_nothing_starts_until_it_is_armed_again(store: Store, ramping: Any) -> None:
    other = approved(store, changes={"weight": 0.3})
    kill.trip(store, "sma", ANA, WHY)
    assert proposals.get(store, ramping.id).state == "aborted"
    for act in (
        lambda: rollout.start(store, other.id, RITA),
        lambda: overrides.set_override(store, "sma", {"weight": 0.3}, RITA, WHY, hours=1),
    ):
        with pytest.raises(NotAllowed, match="kill switch of sma is tripped"):
            act()
    kill.rearm(store, "sma", RITA, WHY)
    kill.rearm(store, "sma", ADA, WHY)
    assert rollout.start(store, other.id, RITA).state == "live"


def test_a_raised_tier_asks_for_more_approvals_before_the_start(store: Store) -> None:
    make_scope(store, tier="low")
    p = approved(store)
    scope_changes.change_limits(store, "sma", make_definition(tier="high"), RITA, WHY)
    with pytest.raises(NotAllowed, match="1 of the 2 approvals"):
        rollout.start(store, p.id, RITA)
