"""What a person can do with a proposal now, and why not: asked with the very checks that the commands make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from engine.errors import NotAllowed, TunedeskError
from engine.governance import states
from engine.governance.actors import Actor
from engine.governance.change import Change, check_move
from engine.governance.proposals import check_content, is_author
from engine.governance.reviews import check_approvable, check_approved, check_reviewer
from engine.governance.rollout import check_startable
from engine.store import Store, governance_proposals, governance_scopes
from engine.store.governance_records import ProposalRecord

Verb = Literal[
    "submit", "rebase", "withdraw", "approve", "reject", "request_changes", "start", "schedule", "pause", "resume",
    "abort",
]  # fmt: skip
"""The commands that move a proposal."""


def why_not(store: Store, proposal_id: str, actor: Actor) -> dict[Verb, str]:
    """Command -> why this person can't give it now, in a sentence; empty if they can. Raises NotFound.

    It only informs: the command checks again under its lock.
    """
    with store.snapshot() as connection:
        proposal = governance_proposals.get(connection, proposal_id)
        this = Change.of(connection, governance_scopes.get(connection, proposal.scope))
        return {verb: _reason(check, this, proposal, actor) for verb, check in _CHECKS.items()}


def moves(proposal: ProposalRecord) -> set[Verb]:
    """The commands that its state knows at all, for whomever."""
    return {verb for verb in _CHECKS if states.why_not(verb, proposal.state) is None}  # type: ignore[arg-type]


_Check = Callable[[Change, ProposalRecord, Actor], object]


def _reason(check: _Check, this: Change, proposal: ProposalRecord, actor: Actor) -> str:
    try:
        check(this, proposal, actor)
    except TunedeskError as error:
        return str(error)
    return ""


def _submit(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
    actor.check("propose")
    check_move(proposal, "submit")
    check_content(this, proposal)
    if this.definition.policy.evidence_required and proposal.evidence is None:
        raise NotAllowed(f"{proposal.scope} takes no proposal without an evidence pack: add one.")


def _withdraw(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
    actor.check("propose")
    check_move(proposal, "withdraw")
    if not is_author(proposal, actor) and "admin" not in actor.roles:
        raise NotAllowed(f"Only its authors can withdraw the proposal {proposal.id}: reject it instead.")


def _start(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
    actor.check("apply")
    check_startable(this, proposal)


def _schedule(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
    actor.check("apply")
    check_move(proposal, "schedule")
    check_content(this, proposal)
    check_approved(this, proposal)


def _resume(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
    actor.check("apply")
    check_move(proposal, "resume")
    this.check_armed()


def _moves_as(verb: Literal["reject", "request_changes"]) -> _Check:
    def check(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
        check_reviewer(actor)
        check_move(proposal, verb)

    return check


def _with_right(verb: Literal["rebase", "pause", "abort"], right: Literal["propose", "stop"]) -> _Check:
    def check(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
        actor.check(right)
        check_move(proposal, verb)

    return check


_CHECKS: dict[Verb, _Check] = {
    "submit": _submit,
    "rebase": _with_right("rebase", "propose"),
    "withdraw": _withdraw,
    "approve": check_approvable,
    "reject": _moves_as("reject"),
    "request_changes": _moves_as("request_changes"),
    "start": _start,
    "schedule": _schedule,
    "pause": _with_right("pause", "stop"),
    "resume": _resume,
    "abort": _with_right("abort", "stop"),
}
