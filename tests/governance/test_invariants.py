"""The twelve invariants of governance, held through random histories by a model that shares no rule with the code.

Each history is a scope of its own in one store, and the same for the same seed: a failure prints what was done.
TUNEDESK_GOVERNANCE_STEPS sets how many steps are taken in all.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

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

STEPS = int(os.environ.get("TUNEDESK_GOVERNANCE_STEPS", "360"))
LENGTH = 60
REFUSED = (NotAllowed, Conflict, InvalidInput, NotFound)
TWICE = Actor("ana", {"admin", "risk_manager"})  # the analyst with every other role as well
HYBRID = Actor("engine-1", {"engine", "admin"})

PEOPLE = [ANA, ALAN, RITA, RON, ROSE, ADA, ENGINE, VIEWER, TWICE, HYBRID]
DECIDERS = [RITA, RON, ROSE, ADA]
GATES: list[Any] = [(), ({"pass": "dd <= 0.1", "fail": "dd >= 0.2"},)]
VALUES: dict[str, list[Any]] = {
    "fast": [5, 15, 20, 25, 35, 50, 65, 80, 99, 110],
    "slow": [10, 60, 80, 90, 100, 105, 120, 160, 220, 310],
    "weight": [0.0, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5],
    "mode": ["calm", "bold"],
}


class History:
    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.random, self.log = store, random.Random(seed), [f"seed {seed}"]
        self.begin(f"scope-{seed}", self.random.choice(["low", "high"]))

    # --- the model ------------------------------------------------------------------------------------------

    def begin(self, scope: str, tier: str) -> None:
        self.scope = scope
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
        return self.ids[-1 - n % min(len(self.ids), 3)]  # mostly what is being worked on

    def step(self) -> None:
        """One thing that somebody does, mostly something sensible, and everything that has to hold after it."""
        r = self.random
        actions: dict[str, tuple[int, Callable[[], dict[str, Any]]]] = {
            "agree": (4, lambda: {"values": self.draw(), "author": r.choice(PEOPLE), "first": r.choice(PEOPLE),
                                  "second": r.choice(DECIDERS), "stages": r.randint(1, 3), "gates": r.choice(GATES),
                                  "go": r.random() < 0.7}),
            "propose": (1, lambda: {"values": self.draw(), "actor": r.choice(PEOPLE), "stages": r.randint(1, 3),
                                    "gates": r.choice(GATES), "at_once": r.random() < 0.7}),
            "submit": (1, lambda: {"n": r.randrange(3), "actor": r.choice(PEOPLE)}),
            "rewrite": (3, lambda: {"n": r.randrange(3), "actor": r.choice(PEOPLE), "values": self.draw(),
                                    "rebase": r.random() < 0.5}),
            "approve": (4, lambda: {"n": r.randrange(3), "actor": r.choice(PEOPLE), "old": r.random() < 0.1}),
            "approve_by_two": (2, lambda: {"n": r.randrange(3), "first": r.choice(DECIDERS),
                                           "second": r.choice(DECIDERS)}),
            "turn_down": (1, lambda: {"n": r.randrange(3), "actor": r.choice(PEOPLE), "what": r.choice(
                [reviews.reject, reviews.request_changes, reviews.request_changes, proposals.withdraw])}),
            "start": (2, lambda: {"n": r.randrange(3), "actor": r.choice(DECIDERS), "later": r.random() < 0.3}),
            "steer": (3, lambda: {"n": r.randrange(3), "actor": r.choice(PEOPLE), "force": r.random() < 0.5,
                                  "what": r.choice([rollout.pause, rollout.resume, rollout.resume, rollout.abort])}),
            "report": (3, lambda: {"value": r.choice([0.0] * 6 + [0.15, 0.3, float("nan")])}),
            "wait": (6, lambda: {"seconds": r.choice([1, 31, 31, 61, 61, 61, 61, 3601] + [40 * 86400] * (
                r.random() < 0.3))}),
            "roll_back": (1, lambda: {"version": r.randint(1, 4), "actor": r.choice(PEOPLE)}),
            "override": (2, lambda: {"values": self.draw(), "actor": r.choice(PEOPLE), "replace": r.random() < 0.5,
                                     "hours": r.choice([0.5, 24, 24, 25])}),
            "clear": (1, lambda: {"actor": r.choice(PEOPLE)}),
            "trip": (1, lambda: {"actor": r.choice(PEOPLE), "everywhere": r.random() < 0.3}),
            "rearm": (3, lambda: {"first": r.choice(PEOPLE), "second": r.choice(DECIDERS),
                                  "everywhere": r.random() < 0.5}),
            "change_limits": (1, lambda: {"name": r.choice(["fast", "slow"]), "high": r.randint(60, 300),
                                          "actor": r.choice(DECIDERS), "second": r.choice(DECIDERS),
                                          "most": r.choice([5, 10, 50])}),
        }  # fmt: skip
        needs_proposal = {"submit", "rewrite", "approve", "approve_by_two", "turn_down", "start", "steer"}
        names = [n for n in actions if self.ids or n not in needs_proposal]
        [name] = r.choices(names, [actions[n][0] for n in names])
        arguments = actions[name][1]()
        self.log.append(f"{name} {arguments}")
        getattr(self, name)(**arguments)
        self.proposals_keep_their_approvals()
        self.what_is_live_follows_its_events()

    def draw(self) -> dict[str, Any]:
        names = self.random.sample(list(VALUES), self.random.choice([1, 1, 2, 3]))
        return {name: self.random.choice(VALUES[name]) for name in names}

    # --- what people do ---------------------------------------------------------------------------------------

    def propose(self, values: dict[str, Any], actor: Actor, stages: int, gates: Any, at_once: bool) -> None:
        ramp = {"stages": stages, "dwell": 30, "gates": list(gates)}
        made = self.do(proposals.propose, self.scope, values, actor, rationale=WHY, ramp=ramp)
        if made is not None:
            assert actor is not VIEWER
            self.ids.append(made.id)
            self.authors[made.id], self.approvals[made.id] = {actor.name}, set()
            if at_once:
                proposals.submit(self.store, made.id, actor)

    def agree(self, values: dict[str, Any], author: Actor, first: Actor, second: Actor, stages: int, gates: Any,
              go: bool) -> None:  # fmt: skip
        """The usual way, so that histories get somewhere."""
        before = len(self.ids)
        self.propose(values, author, stages, gates, True)
        if len(self.ids) > before:
            self.approve(0, first, False)
            self.approve(0, second, False)
            if go:
                self.start(0, second, False)

    def submit(self, n: int, actor: Actor) -> None:
        if self.do(proposals.submit, self.one(n), actor):
            self.authors[self.one(n)].add(actor.name)

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

    def approve(self, n: int, actor: Actor, old: bool) -> None:
        p = proposals.get(self.store, self.one(n))
        if self.do(reviews.approve, p.id, actor, WHY, digest="of something else" if old else p.digest):
            assert not old
            assert actor.name not in self.authors[p.id]  # I1
            assert "engine" not in actor.roles  # I12
            assert actor.name not in self.approvals[p.id]
            self.approvals[p.id].add(actor.name)

    def approve_by_two(self, n: int, first: Actor, second: Actor) -> None:
        self.approve(n, first, False)
        self.approve(n, second, False)

    def turn_down(self, n: int, actor: Actor, what: Any) -> None:
        if self.do(what, self.one(n), actor, WHY):
            self.approvals[self.one(n)] = set()

    def start(self, n: int, actor: Actor, later: bool) -> None:
        if later:
            at = proposals.get(self.store, self.one(n)).now + 45
            self.do(rollout.schedule, self.one(n), at, actor)
        else:
            self.do(rollout.start, self.one(n), actor)

    def steer(self, n: int, actor: Actor, what: Any, force: bool) -> None:
        options = {"pass_gate": force} if what is rollout.resume else {}
        self.do(what, self.one(n), actor, WHY, **options)

    def report(self, value: float) -> None:
        self.do(rollout.report_metrics, self.scope, {"dd": value}, ENGINE)

    def wait(self, seconds: float) -> None:
        pass_time(self.store, seconds)
        self.shift += seconds
        rollout.tick(self.store, self.scope)

    def roll_back(self, version: int, actor: Actor) -> None:
        found = self.do(live.rollback, self.scope, version, actor, WHY)
        if found is not None:  # I8
            target = next(v for v in live.versions(self.store, self.scope) if v.version == version)
            assert found.base == target.params
            assert target.approvers or version == 1
            assert self.within(target.params)

    def override(self, values: dict[str, Any], actor: Actor, hours: float, replace: bool) -> None:
        found = self.do(overrides.set_override, self.scope, values, actor, WHY, hours=hours, replace=replace)
        if found is not None:  # I9
            assert hours <= 24
            assert found.source == "override"
            assert found.until is not None
            assert found.until - found.at <= 24 * 3600 + 1

    def clear(self, actor: Actor) -> None:
        self.do(overrides.clear_override, self.scope, actor, WHY)

    def trip(self, actor: Actor, everywhere: bool) -> None:
        self.do(kill.trip, "*" if everywhere else self.scope, actor, WHY)

    def rearm(self, first: Actor, second: Actor, everywhere: bool) -> None:
        where = "*" if everywhere else self.scope
        before = kill.state(self.store, where)
        for actor in (first, second):
            after = self.do(kill.rearm, where, actor, WHY)
            if after is not None and not after.tripped:
                assert before.waits_for_second
                assert before.asked_by != actor.name
            before = kill.state(self.store, where)

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

    def finish(self) -> None:
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
    for seed in range(max(1, STEPS // LENGTH)):
        history = History(store, seed)
        try:
            for _ in range(LENGTH):
                history.step()
            history.finish()
        except BaseException:
            print(*history.log, sep="\n")
            raise
