"""Proposals: values for a scope with their evidence, what they are compared with, and how they would go live.

An author writes and submits; an edit or a new baseline makes it another proposal to which no earlier approval applies.
The functions of reviewers are in reviews.py, those that make it live in rollout.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import Conflict, InvalidInput, NotAllowed
from engine.governance import evidence_freeze, ramps
from engine.governance.actors import Actor, identity
from engine.governance.change import (
    Change,
    change,
    check_move,
    digest_of,
    need_reason,
    proposal_change,
)
from engine.governance.gates import RampOptions
from engine.governance.limits import changed
from engine.store import Store, governance_live, governance_proposals
from engine.store.governance_records import ProposalRecord, ReviewRecord

if TYPE_CHECKING:
    from engine.evidence import EvidencePack


def get(store: Store, proposal_id: str) -> ProposalRecord:
    """By id or a unique beginning of it. What is overdue reads as expired. Raises NotFound."""
    with store.snapshot() as connection:
        return governance_proposals.get(connection, proposal_id)


def page(
    store: Store, *, scope: str | None = None, states: Sequence[str] | None = None, limit: int = 50, offset: int = 0
) -> tuple[list[ProposalRecord], int]:
    """The newest first, and how many there are in all."""
    with store.snapshot() as connection:
        return governance_proposals.page(connection, scope=scope, states=states, limit=limit, offset=offset)


def reviews(store: Store, proposal_id: str) -> list[ReviewRecord]:
    """What was said of a proposal, oldest first, revoked approvals included."""
    with store.snapshot() as connection:
        return governance_proposals.reviews_of(connection, governance_proposals.get(connection, proposal_id).id)


def diff(store: Store, proposal_id: str) -> dict[str, tuple[Any, Any]]:
    """Parameter -> (baseline, proposed) of those that change."""
    with store.snapshot() as connection:
        proposal = governance_proposals.get(connection, proposal_id)
        baseline = governance_live.version(connection, proposal.scope, proposal.baseline_version)
    return changed(baseline.params, proposal.params)


def propose(
    store: Store,
    scope: str,
    changes: Mapping[str, Any],
    actor: Actor,
    *,
    rationale: str,
    title: str = "",
    ramp: Mapping[str, Any] | RampOptions | None = None,
    evidence: EvidencePack | Mapping[str, Any] | None = None,
    sources: Mapping[str, Any] | None = None,
) -> ProposalRecord:
    """A draft with values of a person's choice; parameters that aren't among ``changes`` stay as they are live.

    Raises InvalidInput where limits are broken, no feasible ramp leads there, nothing changes, or a reason is missing.
    """
    actor.check("propose")
    with change(store, scope) as this:
        return _create(this, actor, changes, rationale, title, ramp, evidence, dict(sources or {}), None, None)


def propose_trial(
    store: Store,
    scope: str,
    study_id: str,
    number: int,
    actor: Actor,
    *,
    rationale: str,
    title: str = "",
    only: Sequence[str] | None = None,
    ramp: Mapping[str, Any] | RampOptions | None = None,
    evidence: EvidencePack | Mapping[str, Any] | None = None,
    sources: Mapping[str, Any] | None = None,
) -> ProposalRecord:
    """A draft with the values of a complete trial, for those parameters that the scope has, or ``only`` some of them.

    The study's definition, the trial and the objective's code are frozen with their hashes; ``sources`` adds to them,
    such as {"data": {"sha256": …}}. Raises NotAllowed for a trial that isn't complete or broke a constraint.
    """
    actor.check("propose")
    study = store.get_study(study_id)
    trial = store.get_trial(study.id, number)
    if trial.state != "complete":
        raise NotAllowed(f"Trial {number} of {study.name} is {trial.state}: only complete trials can be proposed.")
    if trial.feasible is False:
        raise NotAllowed(f"Trial {number} of {study.name} breaks the study's outcome constraints.")
    frozen = evidence_freeze.sources(study, trial) | dict(sources or {})
    with change(store, scope) as this:
        names = [n for n in this.definition.space.names if n in trial.params and (only is None or n in only)]
        if not names:
            raise InvalidInput(
                "only", f"the study {study.name} and the scope {scope} have no such parameter in common."
            )
        values = {name: trial.params[name] for name in names}
        return _create(this, actor, values, rationale, title, ramp, evidence, frozen, study.id, number)


def edit(
    store: Store,
    proposal_id: str,
    actor: Actor,
    *,
    changes: Mapping[str, Any] | None = None,
    rationale: str | None = None,
    title: str | None = None,
    ramp: Mapping[str, Any] | RampOptions | None = None,
    evidence: EvidencePack | Mapping[str, Any] | None = None,
    revision: int | None = None,
) -> ProposalRecord:
    """Changes what is given. In review or approved, every approval is revoked and it is in review once more.

    Whoever edits counts as an author from then on and can't approve it. revision: Conflict unless it is still this one.
    """
    actor.check("propose")
    with proposal_change(store, proposal_id) as (this, proposal):
        check_move(proposal, "edit")
        _check_revision(proposal, revision)
        values: dict[str, Any] = {}
        if rationale is not None:
            values["rationale"] = need_reason(rationale, "rationale")
        if title is not None:
            values["title"] = title.strip()
        if ramp is not None:
            values["ramp"] = _options(ramp).to_dict()
        if evidence is not None:
            values["evidence"], values["evidence_digest"] = evidence_freeze.freeze(evidence)
        if changes is not None:
            values["changes"] = dict(changes)
        if not values:
            return proposal
        edited = _redone(this, dataclasses.replace(proposal, **values), proposal.baseline_version)
        return _rewrite(this, proposal, edited, actor, "edit", "It was edited.", list(values))


def rebase(store: Store, proposal_id: str, actor: Actor) -> ProposalRecord:
    """Compares the proposal with what is live now: its changes on top of the live values. Approvals are revoked."""
    actor.check("propose")
    with proposal_change(store, proposal_id) as (this, proposal):
        check_move(proposal, "rebase")
        if proposal.baseline_version == this.scope.live_version and proposal.state != "suspended":
            return proposal
        rebased = _redone(this, proposal, this.scope.live_version)
        return _rewrite(this, proposal, rebased, actor, "rebase", "Its baseline moved.", ["baseline_version"])


def submit(store: Store, proposal_id: str, actor: Actor) -> ProposalRecord:
    """Puts a draft before the reviewers. Raises NotAllowed if its baseline moved or evidence is missing."""
    actor.check("propose")
    with proposal_change(store, proposal_id) as (this, proposal):
        check_move(proposal, "submit")
        check_content(this, proposal)
        if this.definition.policy.evidence_required and proposal.evidence is None:
            raise NotAllowed(f"{proposal.scope} takes no proposal without an evidence pack: add one.")
        expires = this.now + this.definition.policy.review_hours * 3600.0
        editors = _with_editor(proposal, actor)
        moved = this.move(proposal, "submit", submitted_at=this.now, expires_at=expires, editors=editors)
        this.note_proposal(actor, "submit", moved, params=moved.params, baseline=moved.baseline_version,
                           evidence=moved.evidence_digest)  # fmt: skip
        return moved


def withdraw(store: Store, proposal_id: str, actor: Actor, reason: str) -> ProposalRecord:
    """Takes a proposal back that isn't under way yet. Its authors may, and admins."""
    actor.check("propose")
    reason = need_reason(reason)
    with proposal_change(store, proposal_id) as (this, proposal):
        if not is_author(proposal, actor) and "admin" not in actor.roles:
            raise NotAllowed(f"Only its authors can withdraw the proposal {proposal.id}: reject it instead.")
        moved = this.move(proposal, "withdraw", reason)
        governance_proposals.revoke(this.connection, proposal.id, this.now, "It was withdrawn.")
        this.note_proposal(actor, "withdraw", moved, reason=reason)
        return moved


# --- shared with the modules beside -------------------------------------------------------------------------


def is_author(proposal: ProposalRecord, actor: Actor) -> bool:
    """Whether the actor wrote any part of it; names are compared as people read them."""
    return identity(actor.name) in {identity(name) for name in (proposal.author, *proposal.editors)}


def check_content(this: Change, proposal: ProposalRecord) -> None:
    """Raises NotAllowed if it is no longer what was frozen, compared with what is live, or inside the limits."""
    if proposal.baseline_version != this.scope.live_version:
        raise NotAllowed(
            f"The proposal {proposal.id} is compared with version {proposal.baseline_version} of {proposal.scope}, "
            f"and version {this.scope.live_version} is live: rebase it."
        )
    tampered = evidence_freeze.altered(proposal)
    if not tampered and content_digest(proposal) != proposal.digest:
        tampered = f"The proposal {proposal.id} was altered past this program."
    if tampered:
        raise NotAllowed(tampered)
    problem = this.definition.problem(proposal.params)
    if problem:
        raise NotAllowed(f"The proposal {proposal.id} is outside of today's limits of {proposal.scope}: {problem}")


def content_digest(proposal: ProposalRecord) -> str:
    """What an approval is bound to: values, evidence, baseline, and the way to get there."""
    return digest_of(
        {
            "scope": proposal.scope,
            "baseline": proposal.baseline_version,
            "params": proposal.params,
            "evidence": proposal.evidence_digest,
            "ramp": proposal.ramp,
            "sources": proposal.sources,
        }
    )


def _create(
    this: Change,
    actor: Actor,
    changes: Mapping[str, Any],
    rationale: str,
    title: str,
    ramp: Mapping[str, Any] | RampOptions | None,
    evidence: EvidencePack | Mapping[str, Any] | None,
    sources: dict[str, Any],
    study_id: str | None,
    number: int | None,
) -> ProposalRecord:
    rationale = need_reason(rationale, "rationale")
    pack, evidence_digest = evidence_freeze.freeze(evidence)
    options = _options(ramp).to_dict()
    id_ = governance_proposals.insert(
        this.connection, this.now, scope=this.scope.name, author=actor.name, editors=[], title=title.strip(),
        rationale=rationale, changes=dict(changes), params={}, ramp=options, plan=[], sources=sources, evidence=pack,
        evidence_digest=evidence_digest, baseline_version=this.scope.live_version, digest="", study_id=study_id,
        trial_number=number,
    )  # fmt: skip
    made = _redone(this, this.proposal(id_), this.scope.live_version)
    governance_proposals.update(
        this.connection, id_, this.now, changes=made.changes, params=made.params, plan=made.plan, digest=made.digest
    )
    made = this.proposal(id_)
    this.note_proposal(actor, "create", made, params=made.params, baseline=made.baseline_version,
                       evidence=evidence_digest, study=study_id, trial=number, rationale=rationale)  # fmt: skip
    return made


def _redone(this: Change, proposal: ProposalRecord, baseline: int) -> ProposalRecord:
    """The proposal with values, plan and digest that belong to its changes and this baseline."""
    live = governance_live.version(this.connection, this.scope.name, baseline).params
    for name in proposal.changes:
        if name not in this.definition.space:
            raise InvalidInput(str(name), f"is not a parameter of {this.scope.name}.")
    params = this.definition.check(live | proposal.changes)
    differing = changed(live, params)
    if not differing:
        raise InvalidInput("changes", f"nothing changes: these values are live in {this.scope.name} already.")
    plan = ramps.plan(this.definition, live, params, RampOptions.from_dict(proposal.ramp).stages)
    changes = {name: params[name] for name in proposal.changes}
    made = dataclasses.replace(proposal, params=params, changes=changes, plan=plan, baseline_version=baseline)
    return dataclasses.replace(made, digest=content_digest(made))


def _rewrite(
    this: Change, old: ProposalRecord, new: ProposalRecord, actor: Actor, move: Any, because: str, what: list[str]
) -> ProposalRecord:
    values = {f: getattr(new, f) for f in ("title", "rationale", "changes", "params", "plan", "ramp", "evidence",
                                           "evidence_digest", "baseline_version", "digest")}  # fmt: skip
    if old.state == "suspended" or old.state == "approved":
        values["expires_at"] = this.now + this.definition.policy.review_hours * 3600.0
    moved = this.move(old, move, editors=_with_editor(old, actor), **values)
    revoked = governance_proposals.revoke(this.connection, old.id, this.now, because)
    this.note_proposal(actor, move, moved, params=moved.params, baseline=moved.baseline_version, changed=what,
                       evidence=moved.evidence_digest, approvals_revoked=revoked)  # fmt: skip
    return moved


def _with_editor(proposal: ProposalRecord, actor: Actor) -> list[str]:
    return proposal.editors if is_author(proposal, actor) else [*proposal.editors, actor.name]


def _options(ramp: Mapping[str, Any] | RampOptions | None) -> RampOptions:
    return ramp if isinstance(ramp, RampOptions) else RampOptions.from_dict(ramp)


def _check_revision(proposal: ProposalRecord, revision: int | None) -> None:
    if revision is not None and revision != proposal.revision:
        raise Conflict(f"The proposal {proposal.id} was changed in the meantime: look at it again.")
