"""Reviews: approve, reject, ask for changes, comment. Nobody approves what they wrote, whatever their roles."""

from __future__ import annotations

from typing import Literal

from engine.errors import Conflict, NotAllowed
from engine.governance import evidence_freeze
from engine.governance.actors import Actor, identity
from engine.governance.change import Change, check_move, need_reason, proposal_change
from engine.governance.proposals import check_content, is_author
from engine.store import Store, governance_proposals, governance_scopes
from engine.store.governance_records import ProposalRecord, ReplayRecord, ReviewRecord


def approve(
    store: Store, proposal_id: str, actor: Actor, reason: str, *, digest: str, despite_evidence: bool = False
) -> ProposalRecord:
    """One approval of what the reviewer saw, whose ``digest`` is the proposal's.

    With as many distinct people as the tier asks for, the proposal is approved. Nothing goes live by that alone.
    Raises Conflict if it is another proposal by now, or this person approved it already; NotAllowed for an author, an
    engine, a moved baseline or a broken limit, and for evidence that doesn't say yes unless ``despite_evidence``.
    """
    check_reviewer(actor)
    reason = need_reason(reason)
    with proposal_change(store, proposal_id) as (this, proposal):
        check_approvable(this, proposal, actor)
        if digest != proposal.digest:
            raise Conflict(f"The proposal {proposal.id} isn't the one that was looked at: read it again.")
        said = evidence_freeze.answer(proposal)
        if said in ("no", "not yet") and not despite_evidence:
            sentence = proposal.evidence["verdict"].get("sentence", said) if proposal.evidence else said
            raise NotAllowed(
                f"The evidence says {said}: approving it takes the words that it is despite that. {sentence}"
            )
        governance_proposals.add_review(
            this.connection, proposal.id, this.now, actor.name, "approve", proposal.digest, reason
        )
        n, needed = len(approvers(this, proposal)), this.definition.approvers
        if n >= needed:
            proposal = this.move(proposal, "approve", f"Approved by {', '.join(approvers(this, proposal))}.")
        else:
            governance_proposals.update(this.connection, proposal.id, this.now, note=f"{n} of {needed} approvals.")
            proposal = this.proposal(proposal.id)
        this.note_proposal(
            actor, "approve", proposal, reason=reason, approvals=n, needed=needed, evidence=said,
            despite_evidence=despite_evidence and said != "yes",
        )  # fmt: skip
        return proposal


def reject(store: Store, proposal_id: str, actor: Actor, reason: str) -> ProposalRecord:
    """One no is enough, also after it was approved or scheduled, until it is under way."""
    return _close(store, proposal_id, actor, reason, "reject")


def request_changes(store: Store, proposal_id: str, actor: Actor, reason: str) -> ProposalRecord:
    """Back to its authors; approvals are revoked."""
    return _close(store, proposal_id, actor, reason, "request_changes")


def comment(store: Store, proposal_id: str, actor: Actor, text: str) -> ReviewRecord:
    """Words that change nothing. Authors and reviewers may."""
    if not actor.may("review"):
        actor.check("propose")
    text = need_reason(text, "comment")
    with proposal_change(store, proposal_id) as (this, proposal):
        record = governance_proposals.add_review(
            this.connection, proposal.id, this.now, actor.name, "comment", proposal.digest, text
        )
        this.note_proposal(actor, "comment", proposal, comment=text)
        return record


def standing(store: Store, proposal_id: str) -> tuple[list[str], int]:
    """Who has approved the proposal as it stands, and how many it takes today."""
    with store.snapshot() as connection:
        proposal = governance_proposals.get(connection, proposal_id)
        this = Change.of(connection, governance_scopes.get(connection, proposal.scope))
        return approvers(this, proposal), this.definition.approvers


def record_replay(store: Store, proposal_id: str, actor: Actor, replayed: ReplayRecord) -> ReplayRecord:
    """Puts the outcome of a replay beside the reviews, for everyone who decides. Authors and reviewers may."""
    if not actor.may("review"):
        actor.check("propose")
    with proposal_change(store, proposal_id) as (this, proposal):
        governance_proposals.add_review(
            this.connection, proposal.id, this.now, actor.name, "replay", proposal.digest, replayed.text
        )
        this.note_proposal(actor, "replay", proposal, ok=replayed.ok, same_code=replayed.same_code,
                           values=replayed.values, text=replayed.text)  # fmt: skip
        return replayed


# --- shared with the modules beside -------------------------------------------------------------------------


def check_approvable(this: Change, proposal: ProposalRecord, actor: Actor) -> None:
    """Raises NotAllowed or Conflict if this person can't approve the proposal as it stands, whatever its evidence."""
    check_reviewer(actor)
    if is_author(proposal, actor):
        raise NotAllowed(f"{actor.name} wrote a part of the proposal {proposal.id}: somebody else has to approve it.")
    check_move(proposal, "approve")
    check_content(this, proposal)
    if identity(actor.name) in {identity(r.actor) for r in valid_approvals(this, proposal)}:
        raise Conflict(f"{actor.name} has approved the proposal {proposal.id} already.")


def valid_approvals(this: Change, proposal: ProposalRecord) -> list[ReviewRecord]:
    """Approvals that weren't revoked, of exactly this content, by people who wrote none of it."""
    authors = {identity(name) for name in (proposal.author, *proposal.editors)}
    return [
        review
        for review in governance_proposals.reviews_of(this.connection, proposal.id)
        if review.verdict == "approve"
        and review.revoked_at is None
        and review.digest == proposal.digest
        and identity(review.actor) not in authors
    ]


def approvers(this: Change, proposal: ProposalRecord) -> list[str]:
    """The distinct people behind them."""
    return list({identity(r.actor): r.actor for r in valid_approvals(this, proposal)}.values())


def check_approved(this: Change, proposal: ProposalRecord) -> list[str]:
    """The approvers. Raises NotAllowed if there are fewer than the scope's tier asks for today."""
    names = approvers(this, proposal)
    if len(names) < this.definition.approvers:
        raise NotAllowed(
            f"The proposal {proposal.id} has {len(names)} of the {this.definition.approvers} approvals "
            f"that {proposal.scope} asks for today."
        )
    return names


def _close(
    store: Store, proposal_id: str, actor: Actor, reason: str, verdict: Literal["reject", "request_changes"]
) -> ProposalRecord:
    check_reviewer(actor)
    reason = need_reason(reason)
    with proposal_change(store, proposal_id) as (this, proposal):
        moved = this.move(proposal, verdict, reason)
        governance_proposals.add_review(
            this.connection,
            proposal.id,
            this.now,
            actor.name,
            verdict,
            proposal.digest,
            reason,
        )
        words = "It was rejected." if verdict == "reject" else "Changes were requested."
        revoked = governance_proposals.revoke(this.connection, proposal.id, this.now, words)
        this.note_proposal(actor, verdict, moved, reason=reason, approvals_revoked=revoked)
        return moved


def check_reviewer(actor: Actor) -> None:
    """Raises NotAllowed for whoever isn't a person with the right to review."""
    if "engine" in actor.roles:  # whatever else it may be: a program never decides what goes live
        raise NotAllowed(f"{actor.name} is an engine: it may propose, and people decide.")
    actor.check("review")
