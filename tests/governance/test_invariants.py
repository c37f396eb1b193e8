"""The twelve invariants of governance, held through random histories by a model that shares no rule with the code.

Each history is a scope of its own in one store. TUNEDESK_GOVERNANCE_STEPS sets how many steps are taken in all.
"""

from __future__ import annotations

import copy
import os
from itertools import pairwise
from typing import Any, ClassVar

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.errors import Conflict, InvalidInput, NotAllowed, NotFound
from engine.governance import Actor, audit, kill, live, overrides, proposals, reviews, rollout, scope_changes
from engine.governance.proposals import content_digest
from engine.store import Store, tables
from tests.support.governance import (
    ADA,
    ALAN,
    ANA,
    ENGINE,
    RITA,
    RON,
    ROSE,
    SAFE,
    VIEWER,
    WHY,
    make_definition,
    pass_time,
)

STEPS = int(os.environ.get("TUNEDESK_GOVERNANCE_STEPS", "600"))
LENGTH = 40
REFUSED = (NotAllowed, Conflict, InvalidInput, NotFound)
TWICE = Actor("ana", {"admin", "risk_manager"})  # the analyst with every other role as well
HYBRID = Actor("engine-1", {"engine", "admin"})

people = st.sampled_from([ANA, ALAN, RITA, RON, ROSE, ADA, ENGINE, VIEWER, TWICE, HYBRID])
deciders = st.sampled_from([RITA, RON, ROSE, ADA])
pick = st.integers(0, 50)
gates = st.sampled_from([(), ({"pass": "dd <= 0.1", "fail": "dd >= 0.2"},)])
changes = st.fixed_dictionaries(
    {}, optional={"fast": st.integers(1, 110), "slow": st.integers(4, 310), "weight": st.sampled_from([0.0, 0.5, 1.0]),
                  "mode": st.sampled_from(["calm", "bold"])}
)  # fmt: skip


class History(RuleBasedStateMachine):
    store: ClassVar[Store]
    counter: ClassVar[int] = 0

    # --- the model ------------------------------------------------------------------------------------------

    @initialize(tier=st.sampled_from(["low", "high"]))
    def begin(self, tier: str) -> None:
        History.counter += 1
        self.scope = f"scope-{History.counter}"
        self.limits = make_definition(self.scope, tier)
        self.limits["parameters"]["weight"]["min_dwell"] = 60
        scope_changes.create_scope(self.store, self.limits, RITA, reason=WHY)
        self.until = 0.0
        self.shift = 0.0  # seconds that were made to pass
        self.ids: list[str] = []
        self.authors: dict[str, set[str]] = {}
        self.approvals: dict[str, set[str]] = {}
        self.started: set[str] = set()
        self.seen_event = 0
        self.base: dict[str, Any] | None = None
        self.layers: dict[str, Any] = {}
        self.moved: dict[str, float] = {}

    def do(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """What the command returns, or None if it was refused."""
        try:
            return function(self.store, *arguments, **options)
        except REFUSED:
            return None

    def one(self, n: int) -> str:
        return self.ids[n % len(self.ids)]

    def some(self) -> bool:
        return bool(getattr(self, "ids", None))

    # --- what people do ---------------------------------------------------------------------------------------

    @rule(values=changes, actor=people, stages=st.integers(1, 3), gates=gates, at_once=st.booleans())
    def propose(self, values: dict[str, Any], actor: Actor, stages: int, gates: Any, at_once: bool) -> None:
        ramp = {"stages": stages, "dwell": 30, "gates": list(gates)}
        made = self.do(proposals.propose, self.scope, values, actor, rationale=WHY, ramp=ramp)
        if made is not None:
            assert actor is not VIEWER
            self.ids.append(made.id)
            self.authors[made.id], self.approvals[made.id] = {actor.name}, set()
            if at_once:
                proposals.submit(self.store, made.id, actor)

    @precondition(some)
    @rule(n=pick, actor=people)
    def submit(self, n: int, actor: Actor) -> None:
        if self.do(proposals.submit, self.one(n), actor):
            self.authors[self.one(n)].add(actor.name)

    @precondition(some)
    @rule(n=pick, actor=people, values=changes, rebase=st.booleans())
    def rewrite(self, n: int, actor: Actor, values: dict[str, Any], rebase: bool) -> None:
        before = proposals.get(self.store, self.one(n))
        if rebase:
            after = self.do(proposals.rebase, before.id, actor)
        else:
            after = self.do(proposals.edit, before.id, actor, changes=values)
        if after is not None and after.revision != before.revision:
            self.authors[before.id].add(actor.name)
            self.approvals[before.id] = set()
            assert after.state in ("draft", "changes_requested", "in_review")

    @precondition(some)
    @rule(n=pick, actor=people, old=st.booleans())
    def approve(self, n: int, actor: Actor, old: bool) -> None:
        p = proposals.get(self.store, self.one(n))
        if self.do(reviews.approve, p.id, actor, WHY, digest="of something else" if old else p.digest):
            assert not old
            assert actor.name not in self.authors[p.id]  # I1
            assert "engine" not in actor.roles  # I12
            assert actor.name not in self.approvals[p.id]
            self.approvals[p.id].add(actor.name)

    @precondition(some)
    @rule(n=pick, first=deciders, second=deciders)
    def approve_by_two(self, n: int, first: Actor, second: Actor) -> None:
        self.approve(n, first, False)
        self.approve(n, second, False)

    @precondition(some)
    @rule(n=pick, actor=people, what=st.sampled_from([reviews.reject, reviews.request_changes, proposals.withdraw]))
    def turn_down(self, n: int, actor: Actor, what: Any) -> None:
        if self.do(what, self.one(n), actor, WHY):
            self.approvals[self.one(n)] = set()

    @precondition(some)
    @rule(n=pick, actor=people, later=st.booleans())
    def start(self, n: int, actor: Actor, later: bool) -> None:
        if later:
            at = proposals.get(self.store, self.one(n)).now + 45
            self.do(rollout.schedule, self.one(n), at, actor)
        else:
            self.do(rollout.start, self.one(n), actor)

    @precondition(some)
    @rule(
        n=pick, actor=people, what=st.sampled_from([rollout.pause, rollout.resume, rollout.abort]), force=st.booleans()
    )
    def steer(self, n: int, actor: Actor, what: Any, force: bool) -> None:
        options = {"pass_gate": force} if what is rollout.resume else {}
        self.do(what, self.one(n), actor, WHY, **options)

    @rule(value=st.sampled_from([0.0, 0.0, 0.15, 0.3, float("nan")]))
    def report(self, value: float) -> None:
        self.do(rollout.report_metrics, self.scope, {"dd": value}, ENGINE)

    @rule(seconds=st.sampled_from([1, 31, 61, 3601, 40 * 86400]))
    def wait(self, seconds: float) -> None:
        pass_time(self.store, seconds)
        self.shift += seconds
        rollout.tick(self.store, self.scope)

    @rule(version=st.integers(1, 4), actor=people)
    def roll_back(self, version: int, actor: Actor) -> None:
        found = self.do(live.rollback, self.scope, version, actor, WHY)
        if found is not None:  # I8
            target = next(v for v in live.versions(self.store, self.scope) if v.version == version)
            assert found.base == target.params
            assert target.approvers or version == 1
            assert self.within(target.params)

    @rule(values=changes, actor=people, hours=st.sampled_from([0.5, 24, 25]), replace=st.booleans())
    def override(self, values: dict[str, Any], actor: Actor, hours: float, replace: bool) -> None:
        found = self.do(overrides.set_override, self.scope, values, actor, WHY, hours=hours, replace=replace)
        if found is not None:  # I9
            assert hours <= 24
            assert found.source == "override"
            assert found.until is not None
            assert found.until - found.at <= 24 * 3600 + 1

    @rule(actor=people)
    def clear(self, actor: Actor) -> None:
        self.do(overrides.clear_override, self.scope, actor, WHY)

    @rule(actor=people, everywhere=st.booleans())
    def trip(self, actor: Actor, everywhere: bool) -> None:
        self.do(kill.trip, "*" if everywhere else self.scope, actor, WHY)

    @rule(first=people, second=people, everywhere=st.booleans())
    def rearm(self, first: Actor, second: Actor, everywhere: bool) -> None:
        where = "*" if everywhere else self.scope
        before = kill.state(self.store, where)
        for actor in (first, second):
            after = self.do(kill.rearm, where, actor, WHY)
            if after is not None and not after.tripped:
                assert before.waits_for_second
                assert before.asked_by != actor.name
            before = kill.state(self.store, where)

    @rule(name=st.sampled_from(["fast", "slow"]), high=st.integers(60, 300), actor=deciders, second=deciders,
          most=st.sampled_from([5, 10, 50]))  # fmt: skip
    def change_limits(self, name: str, high: int, actor: Actor, second: Actor, most: int) -> None:
        new = copy.deepcopy(self.limits)
        new["parameters"][name] |= {"high": max(high, 101) if name == "slow" else min(high, 100), "max_step": most}
        old = self.limits["parameters"][name]
        looser = new["parameters"][name]["high"] > old["high"] or most > old["max_step"]
        record = scope_changes.change_limits(self.store, self.scope, new, actor, WHY)
        assert (record.pending is not None) == looser
        if looser:
            confirmed = self.do(scope_changes.confirm_limits, self.scope, second, WHY)
            assert (confirmed is not None) == (actor.name != second.name)
            if confirmed is None:
                scope_changes.drop_limits(self.store, self.scope, second, WHY)
                return
        self.limits = new

    # --- what holds after each step ---------------------------------------------------------------------------

    def within(self, values: dict[str, Any]) -> bool:
        for name, p in self.limits["parameters"].items():
            if "choices" in p:
                if values[name] not in p["choices"]:
                    return False
            elif not p["low"] <= values[name] <= p["high"]:
                return False
        return bool(values["fast"] < values["slow"])

    @invariant()
    def proposals_keep_their_approvals(self) -> None:
        needed = 1 if self.limits["tier"] == "low" else 2
        found, _ = proposals.page(self.store, scope=self.scope, limit=1000)
        version = scope_changes.get(self.store, self.scope)[0].live_version
        assert sum(p.state == "live" for p in found) <= 1  # I7
        assert sum(p.state in ("ramping", "paused") for p in found) <= 1
        for p in found:
            assert content_digest(p) == p.digest
            if p.state in ("suspended", "draft", "changes_requested", "rejected", "withdrawn", "expired"):
                self.approvals[p.id] = set()
            elif p.state in ("in_review", "approved", "scheduled"):
                assert p.baseline_version == version  # I4
                said = proposals.reviews(self.store, p.id)
                counted = {r.actor for r in said if r.verdict == "approve" and r.revoked_at is None}
                assert counted == self.approvals[p.id]  # I3
                assert (len(counted) >= needed) == (p.state != "in_review")  # I2
            elif p.id not in self.started:  # ramping or beyond for the first time
                self.started.add(p.id)
                assert len(self.approvals[p.id]) >= needed
                assert not self.approvals[p.id] & self.authors[p.id]

    @invariant()
    def what_is_live_follows_its_events(self) -> None:
        found = live.get(self.store, self.scope)
        with self.store.snapshot() as connection:
            query = sa.select(tables.live_events).where(tables.live_events.c.id > self.seen_event)
            rows = connection.execute(
                query.where(tables.live_events.c.scope.in_([self.scope, "*"])).order_by(tables.live_events.c.id)
            ).all()
        for event in rows:
            self.seen_event = event.id
            at = event.at + self.shift
            self.layers[event.scope if event.layer == "kill" else event.layer] = event
            if event.until is not None:
                self.until = event.until + self.shift
            base = self.below()
            if base is None:
                continue
            if self.base is not None and base != self.base:
                for name in (n for n in base if base[n] != self.base[n]):
                    if event.layer == "ramp" and event.kind == "step":  # I5 and I6
                        p = self.limits["parameters"][name]
                        assert self.within(base)
                        assert abs(base[name] - self.base[name]) <= p["max_step"] + 1e-9 if "low" in p else True
                        assert at - self.moved.get(name, -1e12) >= p.get("min_dwell", 0) - 1e-3
                    self.moved[name] = at
            self.base = base
        over = self.layers.get("override")
        killed = any(e is not None and e.params is not None for e in map(self.layers.get, (self.scope, "*")))
        expected, source = dict(self.below() or {}), None
        if over is not None and over.params is not None and self.until > found.at + self.shift:
            expected, source = expected | over.params, "override"
        if killed:  # I10
            expected, source = SAFE, "kill"
        assert found.values == expected
        assert source is None or found.source == source
        assert self.within(found.values) or found.source == "live"  # I9
        assert bool(found.problem) != self.within(found.values)
        assert live.at(self.store, self.scope, found.at).values == found.values

    def below(self) -> dict[str, Any] | None:
        """Ramp over live."""
        ramp, base = self.layers.get("ramp"), self.layers.get("live")
        if ramp is not None and ramp.params is not None:
            return ramp.params
        return None if base is None else base.params

    def teardown(self) -> None:
        if not hasattr(self, "scope"):
            return
        if kill.state(self.store).tripped:
            kill.trip(self.store, "*", RITA, WHY)
            kill.rearm(self.store, "*", RITA, WHY)
            kill.rearm(self.store, "*", RON, WHY)
        assert audit.verify(self.store).ok  # I11
        with self.store.snapshot() as connection:  # I7: every move of the pointer is in the chain
            query = sa.select(tables.live_events.c.id).where(tables.live_events.c.scope == self.scope)
            moves = len(connection.execute(query.where(tables.live_events.c.layer == "live")).all())
            told = sa.select(tables.audit_entries.c.event).where(
                tables.audit_entries.c.event.contains(f'"scope":"{self.scope}"')
            )
            actions = list(connection.scalars(told))
        names = ('"action":"scope.create"', '"action":"proposal.live"', '"action":"live.rollback"')
        assert sum(any(n in e for n in names) for e in actions) == moves
        intervals = live.history(self.store, self.scope, limit=10_000)[::-1]
        assert all(a.end == b.start for a, b in pairwise(intervals))


def test_the_twelve_invariants_hold_through_random_histories(store: Store) -> None:
    History.store, History.counter = store, 0
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=max(1, STEPS // LENGTH), stateful_step_count=LENGTH, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        ),
    )  # fmt: skip
