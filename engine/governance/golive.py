"""Moving the live pointer, ending a ramp, dropping an override: the writes that rollout, rollback and kill share.

The pointer of a scope changes here and nowhere else, always with an event and an entry of the audit chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.governance import states
from engine.governance.actors import Actor
from engine.governance.change import SYSTEM, Change
from engine.store import governance_live, governance_proposals, governance_scopes
from engine.store.governance_records import ProposalRecord, VersionRecord


def set_live(this: Change, version: VersionRecord, kind: str, actor: Actor, reason: str) -> None:
    """The version is live from now on. Proposals that were compared with another one are suspended."""
    this.event("live", kind, actor, reason, version=version.version, proposal_id=version.proposal_id,
               params=version.params)  # fmt: skip
    governance_scopes.update(this.connection, this.scope.name, live_version=version.version)
    for other in governance_proposals.in_states(this.connection, this.scope.name, states.BOUND):
        if other.state in states.MOVES["suspend"] and other.baseline_version != version.version:
            because = f"Version {version.version} went live; it was compared with version {other.baseline_version}."
            moved = this.move(other, "suspend", because)
            governance_proposals.revoke(this.connection, other.id, this.now, because)
            this.note_proposal(SYSTEM, "suspend", moved, reason=because)
    drop_override_if_broken(this, version.params)


def finish(this: Change, proposal: ProposalRecord, approvers: list[str], actor: Actor) -> ProposalRecord:
    """The last step of a ramp becomes the next version and is live."""
    before = governance_proposals.with_version(this.connection, this.scope.name, this.scope.live_version)
    if before is not None and before.state == "live":
        moved = this.move(before, "supersede", f"The proposal {proposal.id} went live.")
        this.note_proposal(SYSTEM, "supersede", moved, by=proposal.id)
    number = governance_live.add_version(
        this.connection, this.scope.name, this.now, proposal.author, proposal.id, proposal.digest, proposal.rationale,
        approvers, proposal.params,
    )  # fmt: skip
    done = this.move(proposal, "finish", f"Live as version {number}.", version=number)
    version = governance_live.version(this.connection, this.scope.name, number)
    set_live(this, version, "proposal", actor, proposal.rationale)
    this.event("ramp", "end", actor, "It is live.", proposal_id=proposal.id, step=proposal.step)
    this.note_proposal(actor, "live", done, version=number, params=done.params, approvers=approvers)
    return done


def abort(this: Change, proposal: ProposalRecord, actor: Actor, reason: str) -> ProposalRecord:
    """Ends a ramp: the version from before it counts again, at once."""
    moved = this.move(proposal, "abort", reason)
    this.event("ramp", "abort", actor, reason, proposal_id=proposal.id, step=proposal.step)
    this.note_proposal(actor, "abort", moved, reason=reason, step=proposal.step)
    drop_override_if_broken(this, this.live_version().params)
    return moved


def drop_override(this: Change, actor: Actor, reason: str, kind: str = "clear") -> None:
    """Ends the active override, if there is one."""
    override = this.override()
    if override is not None:
        this.event("override", kind, actor, reason)
        this.note(actor, f"override.{kind}", params=override.params, reason=reason)


def drop_override_if_broken(this: Change, base: Mapping[str, Any]) -> None:
    """An override that doesn't fit what is live below it any more must not count, not even until somebody looks."""
    problem = override_problem(this, base)
    if problem:
        drop_override(this, SYSTEM, f"It no longer fits the limits together with what is live: {problem}", "drop")


def override_problem(this: Change, base: Mapping[str, Any]) -> str:
    """Why the active override and these values break the limits together; empty if they don't."""
    override = this.override()
    if override is None or override.params is None:
        return ""
    return this.definition.problem(dict(base) | override.params)
