"""Defining scopes, changing their limits, and freeze windows: the risk manager's writes.

A change that only tightens takes effect at once. One that allows more waits until a second person confirms it, so that
nobody widens a limit alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from engine.errors import Conflict, InvalidInput, InvalidStudy, NotAllowed, NotFound
from engine.governance import audit, golive
from engine.governance.actors import Actor, identity
from engine.governance.change import SYSTEM, Change, change, digest_of, need_reason
from engine.governance.limits import check_exploration, loosened
from engine.governance.scopes import GLOBAL, ScopeDefinition, definition_from_dict, definition_from_stored
from engine.space import SearchSpace
from engine.store import Store, events, governance_live, governance_proposals, governance_scopes
from engine.store.database import now
from engine.store.governance_records import DefinitionRecord, FreezeRecord, ScopeRecord
from engine.study import StudySpec

SCOPE_TAG = "scope:"


def get(store: Store, scope: str) -> tuple[ScopeRecord, ScopeDefinition]:
    """Raises NotFound."""
    with store.snapshot() as connection:
        record = governance_scopes.get(connection, scope)
    return record, definition_from_stored(record.definition)


def listed(store: Store) -> list[ScopeRecord]:
    """All scopes by name."""
    with store.snapshot() as connection:
        return governance_scopes.listed(connection)


def definitions(store: Store, scope: str) -> list[DefinitionRecord]:
    """Every version of a scope's definition, newest first: who changed which limit, when and why."""
    with store.snapshot() as connection:
        return governance_scopes.definitions(connection, scope)


def create_scope(
    store: Store,
    definition: ScopeDefinition | Mapping[str, Any],
    actor: Actor,
    *,
    reason: str,
    initial: Mapping[str, Any] | None = None,
) -> ScopeRecord:
    """A new scope. ``initial``: the values that its consumer runs with today; they become version 1, default safe.

    Raises InvalidStudy with everything that is wrong in the definition, Conflict if the name is taken.
    """
    actor.check("limits")
    reason = need_reason(reason)
    checked = _definition(definition)
    try:
        values = checked.check(checked.safe if initial is None else initial)
    except InvalidInput as error:
        raise InvalidInput(f"initial.{error.field}", error.problem) from None
    with store.transaction() as connection:
        record = governance_scopes.insert(connection, checked.to_dict(), actor.name, reason)
        this = Change.of(connection, record)
        digest = digest_of({"scope": checked.name, "params": values})
        governance_live.add_version(
            connection, checked.name, this.now, actor.name, None, digest, "The values it began with.", [], values
        )
        this.event("live", "initial", actor, reason, version=1, params=values)
        this.note(actor, "scope.create", definition=checked.to_dict(), initial=values, reason=reason)
        this.write_notes()
        return governance_scopes.get(connection, checked.name)


def change_limits(
    store: Store, scope: str, definition: ScopeDefinition | Mapping[str, Any], actor: Actor, reason: str,
    *, version: int | None = None,
) -> ScopeRecord:  # fmt: skip
    """Another definition: in force at once if it is at most as loose, else ``pending`` in the record that comes back.

    An override or a ramp's step that the new limits forbid ends at once; a live version that they forbid stays until a
    person acts, and every reader is told. version: Conflict unless the definition is still this one.
    """
    actor.check("limits")
    reason = need_reason(reason)
    new = _definition(definition)
    with change(store, scope) as this:
        if new.name != scope:
            raise InvalidInput("name", f"of a scope can't be changed; this one is {scope}.")
        if version is not None and version != this.scope.definition_version:
            raise Conflict(f"The limits of {scope} were changed in the meantime: look at them again.")
        kinds = [{p.name: type(p) for p in d.space} for d in (this.definition, new)]
        if kinds[0] != kinds[1]:
            raise InvalidInput(
                "parameters", f"of {scope} can't be added, removed or made another kind: make a new scope."
            )
        looser = loosened(this.definition, new)
        if not looser:
            _apply(this, new, actor, None, reason)
        else:
            pending = {
                "definition": new.to_dict(),
                "by": actor.name,
                "at": this.now,
                "reason": reason,
                "looser": looser,
            }
            governance_scopes.update(this.connection, scope, pending=pending)
            this.note(actor, "limits.ask", definition=new.to_dict(), looser=looser, reason=reason)
        this.write_notes()
        return governance_scopes.get(this.connection, scope)


def confirm_limits(store: Store, scope: str, actor: Actor, reason: str, *, digest: str | None = None) -> ScopeRecord:
    """The second person's yes to looser limits. digest: ``pending_digest`` of what was looked at, else Conflict."""
    actor.check("limits")
    reason = need_reason(reason)
    with change(store, scope) as this:
        pending = _pending(this)
        if identity(pending["by"]) == identity(actor.name):
            raise NotAllowed(f"{actor.name} asked for these limits: another person has to confirm them.")
        if digest is not None and digest != pending_digest(pending):
            raise Conflict(f"The limits that wait for {scope} aren't the ones that were looked at: read them again.")
        asked_by = Actor(pending["by"])
        _apply(this, definition_from_stored(pending["definition"]), asked_by, actor, f"{pending['reason']} / {reason}")
        this.write_notes()
        return governance_scopes.get(this.connection, scope)


def drop_limits(store: Store, scope: str, actor: Actor, reason: str) -> ScopeRecord:
    """Looser limits that wait are refused or taken back."""
    actor.check("limits")
    reason = need_reason(reason)
    with change(store, scope) as this:
        pending = _pending(this)
        governance_scopes.update(this.connection, scope, pending=None)
        this.note(actor, "limits.drop", asked_by=pending["by"], reason=reason)
        this.write_notes()
        return governance_scopes.get(this.connection, scope)


def pending_digest(pending: Mapping[str, Any]) -> str:
    """Identifies what waits for a second person."""
    return digest_of(pending)


def check_study(store: Store, scope: str, space: SearchSpace) -> list[InvalidInput]:
    """What a study's space searches beyond the exploration bounds of a scope; empty if nothing. Raises NotFound."""
    return check_exploration(get(store, scope)[1], space)


def check_launch(store: Store, spec: StudySpec) -> None:
    """Raises InvalidStudy if a study that names a scope by the tag ``scope:NAME`` searches beyond what that allows."""
    errors: list[InvalidInput] = []
    for tag in spec.tags:
        if tag.startswith(SCOPE_TAG):
            try:
                errors += check_study(store, tag.removeprefix(SCOPE_TAG).strip(), spec.space)
            except NotFound as error:
                errors.append(InvalidInput("tags", str(error)))
    if errors:
        raise InvalidStudy(errors)


# --- freeze windows -----------------------------------------------------------------------------------------


def add_freeze(store: Store, scope: str, starts_at: float, ends_at: float, actor: Actor, reason: str) -> FreezeRecord:
    """Between these times nothing goes live in a scope, or with '*' in any; what is live stays.

    Stopping always works: abort, rollback, override and kill switch.
    """
    actor.check("limits")
    reason = need_reason(reason)
    with store.transaction() as connection:
        if scope != GLOBAL:
            governance_scopes.lock(connection, scope)
        if not now(connection) < ends_at or not starts_at < ends_at < starts_at + 366 * 86400.0:
            raise InvalidInput("ends_at", "must lie in the future, after the start, and within a year of it.")
        window = governance_scopes.add_freeze(connection, scope, starts_at, ends_at, actor.name, reason)
        events.add(connection, None, actor.name, "freeze", f"Freeze window for {_called(scope)} – {reason}.")
        audit.append(connection, actor, "freeze.add", None, dataclasses.asdict(window))
        return window


def end_freeze(store: Store, freeze_id: int, actor: Actor, reason: str) -> FreezeRecord:
    """Ends a window before its time, or takes back one that hasn't begun."""
    actor.check("limits")
    reason = need_reason(reason)
    with store.transaction() as connection:
        window = governance_scopes.freeze(connection, freeze_id)
        if window.scope != GLOBAL:
            governance_scopes.lock(connection, window.scope)
        at = now(connection)
        if governance_scopes.freeze(connection, freeze_id).ends_at <= at:
            raise NotAllowed(f"The freeze window {freeze_id} is over already.")
        governance_scopes.end_freeze(connection, freeze_id, at, actor.name)
        audit.append(
            connection, actor, "freeze.end", None, {"freeze": freeze_id, "scope": window.scope, "reason": reason}
        )
        return governance_scopes.freeze(connection, freeze_id)


def freezes(store: Store, since: float = 0.0) -> list[FreezeRecord]:
    """Windows of every scope that end after ``since``, the next one first."""
    with store.snapshot() as connection:
        return governance_scopes.freezes(connection, None, since)


# --- inside -------------------------------------------------------------------------------------------------


def _definition(given: ScopeDefinition | Mapping[str, Any]) -> ScopeDefinition:
    """A definition is always read from its data, so that one built by hand is checked as well."""
    return definition_from_dict(given.to_dict() if isinstance(given, ScopeDefinition) else given)


def _pending(this: Change) -> dict[str, Any]:
    if this.scope.pending is None:
        raise NotAllowed(f"No limits wait for a second person in {this.scope.name}.")
    return this.scope.pending


def _apply(this: Change, new: ScopeDefinition, actor: Actor, confirmed_by: Actor | None, reason: str) -> None:
    number = this.scope.definition_version + 1
    second = None if confirmed_by is None else confirmed_by.name
    governance_scopes.add_definition(
        this.connection, new.name, number, new.to_dict(), actor.name, second, reason, this.now
    )
    governance_scopes.update(this.connection, new.name, definition_version=number, pending=None)
    this.note(confirmed_by or actor, "limits.change", definition=new.to_dict(), version=number, asked_by=actor.name,
              reason=reason)  # fmt: skip
    this.definition = new
    ramping = governance_proposals.under_way(this.connection, new.name)
    base = this.live_version().params
    if ramping is not None:
        here = ramping.plan[ramping.step - 1]
        problem = new.problem(here)
        if problem:
            golive.abort(this, ramping, SYSTEM, f"The limits were changed: {problem}")
        else:
            base = here
    golive.drop_override_if_broken(this, base)


def _called(scope: str) -> str:
    return "all scopes" if scope == GLOBAL else scope
