"""The kill switch, of a scope or of all: one person trips it and the safe values count at once; two re-arm it.

Tripping ends ramps and overrides, so that re-arming brings back what was last approved and nothing else.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from engine.errors import Conflict, NotAllowed
from engine.governance import audit, golive
from engine.governance.actors import Actor, identity
from engine.governance.change import Change, cause, need_reason, tripped
from engine.governance.scopes import GLOBAL, Policy, definition_from_stored
from engine.store import Store, audit_log, events, governance_live, governance_proposals, governance_scopes
from engine.store.database import now
from engine.store.governance_records import ScopeRecord

GLOBAL_HOURS = Policy().rearm_hours
"""Within which a second person has to confirm that the global switch is re-armed."""


@dataclass(frozen=True)
class KillState:
    """A kill switch. ``waits_for_second``: somebody asked to re-arm it, and another person has to confirm until
    ``confirm_until``."""

    scope: str
    tripped: bool
    by: str = ""
    at: float | None = None
    reason: str = ""
    waits_for_second: bool = False
    asked_by: str = ""
    asked_reason: str = ""
    confirm_until: float | None = None


def state(store: Store, scope: str = GLOBAL) -> KillState:
    """Of a scope's own switch, or of the global one, '*'. Raises NotFound."""
    with store.snapshot() as connection:
        hours = GLOBAL_HOURS
        if scope != GLOBAL:
            hours = definition_from_stored(governance_scopes.get(connection, scope).definition).policy.rearm_hours
        return state_in(connection, scope, hours, now(connection))


def trip(store: Store, scope: str, actor: Actor, reason: str) -> KillState:
    """Safe values at once, in one scope or, with '*', in all. Tripping again cancels a request to re-arm."""
    actor.check("stop")
    reason = need_reason(reason)
    with store.transaction() as connection:
        changes, at = _lock(connection, scope)
        _event(connection, scope, at, "trip", actor, reason, params={})
        for this in changes:
            ramping = governance_proposals.under_way(connection, this.scope.name)
            if ramping is not None:
                golive.abort(this, ramping, actor, f"Kill switch: {reason}")
            golive.drop_override(this, actor, f"Kill switch: {reason}")
        for this in changes:
            this.write_notes()
        audit.append(connection, actor, "kill.trip", None, {"scope": scope, "reason": reason})
        return state_in(connection, scope, _hours(changes, scope), at)


def rearm(store: Store, scope: str, actor: Actor, reason: str) -> KillState:
    """The first person asks, a second one confirms within the scope's ``rearm_hours``; then the live version counts.

    Raises NotAllowed if the switch isn't tripped, Conflict if the same person would confirm.
    """
    actor.check("rearm")
    reason = need_reason(reason)
    with store.transaction() as connection:
        changes, at = _lock(connection, scope)
        hours = _hours(changes, scope)
        before = state_in(connection, scope, hours, at)
        if not before.tripped:
            raise NotAllowed(f"The kill switch of {_called(scope)} isn't tripped.")
        if before.waits_for_second and identity(before.asked_by) == identity(actor.name):
            raise Conflict(f"{actor.name} asked for it already: another person has to confirm.")
        if before.waits_for_second:
            _event(connection, scope, at, "rearm", actor, reason, params=None)
            details = {"scope": scope, "reason": reason, "asked_by": before.asked_by}
            audit.append(connection, actor, "kill.rearm", None, details)
        else:
            _event(connection, scope, at, "ask", actor, reason, params={})
            audit.append(connection, actor, "kill.ask_to_rearm", None, {"scope": scope, "reason": reason})
        return state_in(connection, scope, hours, at)


def _lock(connection: Connection, scope: str) -> tuple[list[Change], float]:
    """The scopes that a switch concerns, locked, and the one time of the change.

    The global switch also takes the chain's lock: there may be no scope yet.
    """
    rows: list[ScopeRecord]
    if scope == GLOBAL:
        rows = governance_scopes.lock_all(connection)
        audit_log.lock_head(connection)
    else:
        rows = [governance_scopes.lock(connection, scope)]
    at = now(connection)
    return [Change.of(connection, dataclasses.replace(row, now=at)) for row in rows], at


def _event(
    connection: Connection, scope: str, at: float, kind: str, actor: Actor, reason: str, params: dict | None
) -> None:
    names = [scope] if scope != GLOBAL else [row.name for row in governance_scopes.listed(connection)]
    for name in names:
        governance_scopes.update(connection, name)
    governance_live.add_event(connection, scope, at, "kill", kind, actor.name, reason, params=params)
    words = {"trip": "tripped", "ask": "is asked to be re-armed", "rearm": "re-armed"}[kind]
    events.add(connection, None, actor.name, "kill", f"Kill switch of {_called(scope)} {words} – {reason}.")


def state_in(connection: Connection, scope: str, hours: float, at: float) -> KillState:
    newest = tripped(connection, scope)
    if newest is None:
        return KillState(scope, False)
    origin = cause(connection, newest)
    until = newest.at + hours * 3600.0
    if newest.kind != "ask" or at > until:
        return KillState(scope, True, origin.actor, origin.at, origin.reason)
    return KillState(scope, True, origin.actor, origin.at, origin.reason, True, newest.actor, newest.reason, until)


def _hours(changes: list[Change], scope: str) -> float:
    return GLOBAL_HOURS if scope == GLOBAL else changes[0].definition.policy.rearm_hours


def _called(scope: str) -> str:
    return "all scopes" if scope == GLOBAL else scope
