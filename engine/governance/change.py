"""One change to a scope: its lock, the database's clock, the state machine and the audit entries, in one transaction.

Every function of governance that writes works through a ``Change``. Nothing it does can be written without its record:
the entries that were noted go to the audit chain as the last writes of the transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy.engine import Connection

from engine.errors import InvalidInput, NotAllowed
from engine.governance import audit, states
from engine.governance.actors import Actor
from engine.governance.resolve import PRIORITY, LayerState, Live, resolve
from engine.governance.scopes import GLOBAL, ScopeDefinition, definition_from_stored
from engine.store import Store, events, governance_live, governance_proposals, governance_scopes
from engine.store.governance_records import EventLayer, LiveEvent, ProposalRecord, ScopeRecord, VersionRecord

SYSTEM = Actor("tunedesk", {"engine"})
"""In whose name time acts: a ramp's next step, a proposal that expires. It can only carry out what was approved."""


@dataclass
class Change:
    """A locked scope inside a write transaction."""

    connection: Connection
    scope: ScopeRecord
    definition: ScopeDefinition
    _noted: list[tuple[Actor, str, str | None, dict[str, Any]]] = field(default_factory=list)

    @classmethod
    def of(cls, connection: Connection, scope: ScopeRecord) -> Change:
        return cls(connection, scope, definition_from_stored(scope.definition))

    @property
    def now(self) -> float:
        """When the scope was locked: the one time of everything in this change."""
        return self.scope.now

    def proposal(self, proposal_id: str) -> ProposalRecord:
        return governance_proposals.get(self.connection, proposal_id)

    def live(self) -> Live:
        """What counts now, this change's own writes included."""
        return live_values(self.connection, self.scope.name, self.definition, self.now)

    def live_version(self) -> VersionRecord:
        number = governance_scopes.get(self.connection, self.scope.name).live_version
        return governance_live.version(self.connection, self.scope.name, number)

    def override(self) -> LiveEvent | None:
        """The override that is active now."""
        name = self.scope.name
        newest = governance_live.in_force(self.connection, [name]).get((name, "override"))
        if newest is None or newest.params is None or (newest.until is not None and newest.until <= self.now):
            return None
        return newest

    def killed_by(self) -> LiveEvent | None:
        """The kill switch that is tripped, the scope's own before the global one."""
        return tripped(self.connection, self.scope.name) or tripped(self.connection, GLOBAL)

    def check_armed(self) -> None:
        """Raises NotAllowed while a kill switch is tripped."""
        kill = self.killed_by()
        if kill is not None:
            which = "global kill switch" if kill.scope == GLOBAL else f"kill switch of {self.scope.name}"
            raise NotAllowed(f"The {which} is tripped: it has to be re-armed first.")

    def frozen(self) -> str:
        """Why nothing may go live now; empty if something may."""
        for window in governance_scopes.freezes(self.connection, (self.scope.name, GLOBAL), self.now):
            if window.starts_at <= self.now < window.ends_at:
                return f"{self.scope.name} is frozen: {window.reason}"
        return ""

    # --- writing --------------------------------------------------------------------------------------------

    def move(self, proposal: ProposalRecord, move: states.Move, note: str = "", **values: Any) -> ProposalRecord:
        """Makes a move of the state machine. Raises NotAllowed if it doesn't exist from the present state."""
        check_move(proposal, move)
        state = states.MOVES[move][cast(states.ProposalState, proposal.state)]
        governance_proposals.update(
            self.connection, proposal.id, self.now, **{"state": state, "note": note} | values
        )  # fmt: skip
        return self.proposal(proposal.id)

    def event(self, layer: EventLayer, kind: str, actor: Actor, reason: str, **values: Any) -> LiveEvent:
        """Changes a layer of what is live."""
        governance_scopes.update(self.connection, self.scope.name)
        return governance_live.add_event(
            self.connection, self.scope.name, self.now, layer, kind, actor.name, reason, **values
        )  # fmt: skip

    def note(self, actor: Actor, action: str, study_id: str | None = None, **details: Any) -> None:
        """An entry of the audit chain, and a line in the activity."""
        self._noted.append((actor, action, study_id, {"scope": self.scope.name, **details}))

    def note_proposal(self, actor: Actor, verb: str, proposal: ProposalRecord, **details: Any) -> None:
        details = {"proposal": proposal.id, "state": proposal.state, "digest": proposal.digest, **details}
        self.note(actor, f"proposal.{verb}", proposal.study_id, **details)

    def write_notes(self) -> None:
        for actor, action, study_id, details in self._noted:
            words = f"{action.replace('.', ' ').replace('_', ' ')}: {self.scope.name}"
            if action != "metrics.report":  # the activity is for people
                events.add(self.connection, None, actor.name, action.partition(".")[0], _activity(words, details))
            audit.append(self.connection, actor, action, study_id, details)
        self._noted.clear()


@contextmanager
def change(store: Store, scope: str) -> Iterator[Change]:
    """Locks a scope for a change. Raises NotFound."""
    with store.transaction() as connection:
        yield from _locked(connection, governance_scopes.lock(connection, scope))


@contextmanager
def proposal_change(store: Store, proposal_id: str) -> Iterator[tuple[Change, ProposalRecord]]:
    """Locks the scope of a proposal. Raises NotFound."""
    with store.transaction() as connection:
        scope = governance_proposals.get(connection, str(proposal_id)).scope
        locked = governance_scopes.lock(connection, scope)
        # Read once more: somebody may have changed it while this waited for the lock.
        found = governance_proposals.get(connection, str(proposal_id))
        for this in _locked(connection, locked):
            yield this, found


def _locked(connection: Connection, scope: ScopeRecord) -> Iterator[Change]:
    this = Change.of(connection, scope)
    yield this
    this.write_notes()


def check_move(proposal: ProposalRecord, move: states.Move) -> None:
    reason = states.why_not(move, cast(states.ProposalState, proposal.state))
    if reason:
        raise NotAllowed(f"The proposal {proposal.id} for {proposal.scope}: {reason}.")


def need_reason(reason: str, field_: str = "reason") -> str:
    """The reason without spaces around it. Raises InvalidInput if there is none."""
    if not isinstance(reason, str) or len(reason.strip()) < 3:
        raise InvalidInput(field_, "is missing: say why, in a few words at least.")
    return reason.strip()


def digest_of(value: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(audit.canonical(value).encode("utf-8", "backslashreplace")).hexdigest()


def tripped(connection: Connection, scope: str, at: float | None = None) -> LiveEvent | None:
    """The newest event of a kill switch if it is tripped; scope '*' is the global one."""
    newest = governance_live.in_force(connection, [scope], at).get((scope, "kill"))
    return newest if newest is not None and newest.params is not None else None


def cause(connection: Connection, kill: LiveEvent) -> LiveEvent:
    """The event that tripped a switch, where ``kill`` is one after it: a request to re-arm changes nothing yet."""
    if kill.kind == "trip":
        return kill
    return governance_live.events(connection, [kill.scope], layers=("kill",), kinds=("trip",), before=kill.id, limit=1)[
        0
    ]


def live_values(
    connection: Connection, scope: str, definition: ScopeDefinition, now: float, at: float | None = None
) -> Live:
    """The values of a scope: now, or as they were ``at`` a time in the past."""
    found = governance_live.in_force(connection, [scope, GLOBAL], at)
    layers: dict[str, LayerState | None] = {
        layer: None if event is None else layer_state(event)
        for layer in PRIORITY
        for event in [found.get((scope, layer))]
    }
    live, kill = layers["live"], None
    if live is None:
        raise InvalidInput("at", f"the scope {scope} didn't exist then.")
    for where in (scope, GLOBAL):
        switch = found.get((where, "kill"))
        if kill is None and switch is not None and switch.params is not None:
            kill = layer_state(cause(connection, switch))
    return resolve(
        definition, now if at is None else at, live=live, ramp=layers["ramp"], override=layers["override"], kill=kill
    )


def layer_state(event: LiveEvent) -> LayerState:
    return LayerState(
        event.params, event.at, event.until, event.actor, event.reason, event.version, event.proposal_id, event.step
    )


def _activity(words: str, details: Mapping[str, Any]) -> str:
    reason = details.get("reason")
    return words + (f" – {reason}" if reason else "") + "."
