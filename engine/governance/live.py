"""The live registry: what is live, what was and when, the versions, and the way back to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from engine.errors import NotAllowed
from engine.governance import golive, kill
from engine.governance.actors import Actor
from engine.governance.change import change, layer_state, live_values, need_reason
from engine.governance.kill import KillState
from engine.governance.limits import changed
from engine.governance.resolve import LayerState, Live, resolve
from engine.governance.scopes import GLOBAL, ScopeDefinition, definition_from_stored
from engine.store import Store, governance_live, governance_proposals, governance_scopes
from engine.store.governance_records import FreezeRecord, LiveEvent, ProposalRecord, ScopeRecord, VersionRecord


@dataclass(frozen=True)
class Interval:
    """What was live from ``start`` to ``end`` (None: until now). who and why: of the event that it began with."""

    start: float
    end: float | None
    values: dict[str, Any]
    source: str
    version: int
    proposal_id: str | None
    step: int | None
    what: str
    who: str
    why: str


@dataclass(frozen=True)
class ScopeView:
    """Everything that a page shows of a scope at once, read in one transaction."""

    record: ScopeRecord
    definition: ScopeDefinition
    live: Live
    version: VersionRecord
    previous: VersionRecord | None
    under_way: ProposalRecord | None
    kill: KillState
    global_kill: KillState
    freezes: list[FreezeRecord]


def get(store: Store, scope: str) -> Live:
    """What counts now, by the database's clock: kill > override > ramp > live. Raises NotFound."""
    with store.snapshot() as connection:
        record = governance_scopes.get(connection, scope)
        return live_values(connection, scope, definition_from_stored(record.definition), record.now)


def at(store: Store, scope: str, when: float) -> Live:
    """What counted at a time in the past (seconds since the epoch), under the limits of then. Raises InvalidInput."""
    with store.snapshot() as connection:
        record = governance_scopes.get(connection, scope)
        then = governance_scopes.definition_at(connection, scope, when)
        definition = definition_from_stored(then.definition if then else record.definition)
        return live_values(connection, scope, definition, record.now, when)


def view(store: Store, scope: str) -> ScopeView:
    """Raises NotFound."""
    with store.snapshot() as connection:
        return _view(connection, governance_scopes.get(connection, scope))


def overview(store: Store) -> list[ScopeView]:
    """Every scope by name."""
    with store.snapshot() as connection:
        return [_view(connection, record) for record in governance_scopes.listed(connection)]


def versions(store: Store, scope: str, limit: int = 100) -> list[VersionRecord]:
    """Newest first. Raises NotFound."""
    with store.snapshot() as connection:
        governance_scopes.get(connection, scope)
        return governance_live.versions(connection, scope, limit)


def diff(store: Store, scope: str, old: int, new: int) -> dict[str, tuple[Any, Any]]:
    """Parameter -> (value in version ``old``, value in ``new``) of those that differ. Raises NotFound."""
    with store.snapshot() as connection:
        governance_scopes.get(connection, scope)
        before, after = (governance_live.version(connection, scope, number) for number in (old, new))
    return changed(before.params, after.params)


def events(store: Store, scope: str, limit: int = 100, before: int | None = None) -> list[LiveEvent]:
    """What happened to the live values, newest first, the global kill switch included."""
    with store.snapshot() as connection:
        governance_scopes.get(connection, scope)
        return governance_live.events(connection, [scope, GLOBAL], limit=limit, before=before)


def history(store: Store, scope: str, limit: int = 100) -> list[Interval]:
    """What was live from when to when, newest first, without gaps since the scope began. Raises NotFound."""
    with store.snapshot() as connection:
        record = governance_scopes.get(connection, scope)
        definitions = {d.version: d for d in governance_scopes.definitions(connection, scope)}
        all_events = governance_live.events(connection, [scope, GLOBAL], limit=None)[::-1]
    in_force = [(d.at, definition_from_stored(d.definition)) for _, d in sorted(definitions.items())]
    return _intervals(all_events, in_force, record.now)[::-1][:limit]


def rollback(store: Store, scope: str, version: int, actor: Actor, reason: str) -> Live:
    """Makes an earlier version live again, at once and without a ramp. What is live then.

    Every version was approved when it went live. It has to be inside of today's limits; a ramp that is under way is
    aborted, an override that doesn't fit is dropped. It needs no engine and works in a freeze window. Raises
    NotAllowed, NotFound.
    """
    actor.check("rollback")
    reason = need_reason(reason)
    with change(store, scope) as this:
        target = governance_live.version(this.connection, scope, version)
        if version == this.scope.live_version:
            raise NotAllowed(f"Version {version} of {scope} is live already.")
        problem = this.definition.problem(target.params)
        if problem:
            raise NotAllowed(f"Version {version} of {scope} is outside of today's limits: {problem}")
        ramping = governance_proposals.under_way(this.connection, scope)
        if ramping is not None:
            golive.abort(this, ramping, actor, f"Rolled back to version {version}: {reason}")
        left = governance_proposals.with_version(this.connection, scope, this.scope.live_version)
        if left is not None and left.state == "live":
            moved = this.move(left, "roll_back", f"Rolled back to version {version}: {reason}")
            this.note_proposal(actor, "roll_back", moved, to=version, reason=reason)
        again = governance_proposals.with_version(this.connection, scope, version)
        if again is not None:
            this.note_proposal(actor, "restore", this.move(again, "restore", f"Rolled back to it: {reason}"))
        golive.set_live(this, target, "rollback", actor, reason)
        this.note(actor, "live.rollback", version=version, left=this.scope.live_version, params=target.params,
                  reason=reason)  # fmt: skip
        return this.live()


def _view(connection: Connection, record: ScopeRecord) -> ScopeView:
    name, definition = record.name, definition_from_stored(record.definition)
    hours = definition.policy.rearm_hours
    before = governance_live.events(connection, [name], layers=("live",), limit=2)
    previous = before[1].version if len(before) > 1 else None
    return ScopeView(
        record=record,
        definition=definition,
        live=live_values(connection, name, definition, record.now),
        version=governance_live.version(connection, name, record.live_version),
        previous=None if previous is None else governance_live.version(connection, name, previous),
        under_way=governance_proposals.under_way(connection, name),
        kill=kill.state_in(connection, name, hours, record.now),
        global_kill=kill.state_in(connection, GLOBAL, kill.GLOBAL_HOURS, record.now),
        freezes=governance_scopes.freezes(connection, (name, GLOBAL), record.now),
    )


_RANK = {"kill": 2, "live": 1}
"""A change has one time and may have several events: the first of the highest rank says what it was."""


def _intervals(
    all_events: Sequence[LiveEvent], definitions: Sequence[tuple[float, ScopeDefinition]], now: float
) -> list[Interval]:
    """Oldest first. An override that ran out begins an interval as events do."""
    layers: dict[str, LayerState | None] = {"live": None, "ramp": None, "override": None}
    switches: dict[str, LayerState | None] = {}
    out: list[Interval] = []
    named: tuple[float, int, tuple[str, str, str]] = (0.0, 0, ("", "", ""))

    def add(when: float, what: str, who: str, why: str) -> None:
        nonlocal named
        rank = _RANK.get(what.partition(" ")[0], 0)
        if when != named[0] or rank > named[1]:
            named = when, rank, (what, who, why)
        live = layers["live"]
        if live is None:
            return  # a global kill switch from before the scope began
        definition = [d for since, d in definitions if since <= when or d is definitions[0][1]][-1]
        kill_ = next((s for s in switches.values() if s is not None), None)
        r = resolve(definition, when, live=live, ramp=layers["ramp"], override=layers["override"], kill=kill_)
        new = Interval(when, None, r.values, r.source, r.version, r.proposal_id, r.step, *named[2])
        if out and out[-1].start >= when:  # part of the same change
            out[-1] = new
        elif not out or _shown(out[-1]) != _shown(new):
            if out:
                out[-1] = Interval(**out[-1].__dict__ | {"end": when})
            out.append(new)

    for event, following in zip(all_events, [*all_events[1:], None]):
        state = layer_state(event)
        if event.layer == "kill":
            switches[event.scope] = None if event.params is None else state
        else:
            layers[event.layer] = state
        add(event.at, f"{event.layer} {event.kind}", event.actor, event.reason)
        until = layers["override"].until if layers["override"] else None
        next_at = now if following is None else following.at
        if until is not None and event.at < until <= next_at:
            add(until, "override expired", "tunedesk", "Its time was over.")
    return out


def _shown(interval: Interval) -> tuple[Any, ...]:
    return interval.values, interval.source, interval.version, interval.proposal_id, interval.step
