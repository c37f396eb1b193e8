"""How an approved proposal goes live: started by a person, then step by step, with a gate after each.

``tick`` is what time does. It is idempotent and may be called by anyone and by several at once: the engine's loop, the
dashboard's server, the command line. Nothing depends on one process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from engine.errors import Conflict, InvalidInput, NotAllowed
from engine.governance import golive, limits, ramps
from engine.governance.actors import Actor
from engine.governance.change import SYSTEM, Change, change, check_move, need_reason, proposal_change
from engine.governance.gates import Judgement, RampOptions, finite, judge
from engine.governance.proposals import check_content
from engine.governance.reviews import approvers, check_approved
from engine.governance.states import UNDER_WAY
from engine.store import Store, governance_live, governance_proposals, governance_scopes
from engine.store.governance_records import ProposalRecord


def start(store: Store, proposal_id: str, actor: Actor) -> ProposalRecord:
    """Takes the first step of an approved or scheduled proposal now; a single step without gates is live at once.

    Raises NotAllowed if the scope is killed or frozen, another ramp is under way, a parameter changed too lately, or
    approvals, baseline or limits no longer hold.
    """
    actor.check("apply")
    with proposal_change(store, proposal_id) as (this, proposal):
        return _start(this, proposal, actor)


def schedule(store: Store, proposal_id: str, at: float, actor: Actor) -> ProposalRecord:
    """Lets an approved proposal start by itself ``at`` a time (seconds since the epoch), or gives it another time."""
    actor.check("apply")
    with proposal_change(store, proposal_id) as (this, proposal):
        check_move(proposal, "schedule")
        check_content(this, proposal)
        check_approved(this, proposal)
        if isinstance(at, bool) or not isinstance(at, (int, float)) or not at > this.now:
            raise InvalidInput("at", "must be a time in the future.")
        if proposal.expires_at is not None and at > proposal.expires_at:
            raise InvalidInput("at", "lies after the approvals expire.")
        moved = this.move(proposal, "schedule", due_at=float(at))
        this.note_proposal(actor, "schedule", moved, due_at=float(at))
        return moved


def pause(store: Store, proposal_id: str, actor: Actor, reason: str) -> ProposalRecord:
    """Holds a ramp at its present step."""
    actor.check("stop")
    reason = need_reason(reason)
    with proposal_change(store, proposal_id) as (this, proposal):
        return _pause(this, proposal, actor, reason)


def resume(store: Store, proposal_id: str, actor: Actor, reason: str, *, pass_gate: bool = False) -> ProposalRecord:
    """Goes on with a paused ramp. The gate of its step is judged again, or passed by this person's decision.

    A gate that fails aborts all the same, and dwell and limits hold.
    """
    actor.check("apply")
    reason = need_reason(reason)
    with proposal_change(store, proposal_id) as (this, proposal):
        check_move(proposal, "resume")
        this.check_armed()
        moved = this.move(proposal, "resume", reason, gate_passed_by=actor.name if pass_gate else None)
        this.note_proposal(actor, "resume", moved, reason=reason, pass_gate=pass_gate, step=moved.step)
        return moved


def abort(store: Store, proposal_id: str, actor: Actor, reason: str) -> ProposalRecord:
    """Stops a ramp: the version from before counts again, at once."""
    actor.check("stop")
    reason = need_reason(reason)
    with proposal_change(store, proposal_id) as (this, proposal):
        check_move(proposal, "abort")
        return golive.abort(this, proposal, actor, reason)


def report_metrics(
    store: Store, scope: str, metrics: Mapping[str, float], actor: Actor, *, etag: str | None = None
) -> bool:
    """What was measured on the live values. Whether it counts for the gate of a ramp's step.

    etag: of the values that it was measured on. A report that doesn't belong to the present step, because its tag is
    another one, an override is active or the scope is killed, is kept and judges nothing. Raises InvalidInput for NaN.
    """
    actor.check("metrics")
    if not isinstance(metrics, Mapping) or not metrics:
        raise InvalidInput("metrics", "must map names to numbers, such as drawdown: 0.02.")
    values = {str(name): finite(str(name), value) for name, value in metrics.items()}
    with change(store, scope) as this:
        live = this.live()
        counts = live.source == "ramp" and etag in (None, live.etag)
        governance_live.add_metrics(
            this.connection, scope, this.now, actor.name, values, live.proposal_id if counts else None,
            live.step if counts else None,
        )  # fmt: skip
        if counts:  # what a gate judges on belongs to the record
            this.note(actor, "metrics.report", values=values, proposal=live.proposal_id, step=live.step)
        return counts


def tick(store: Store, scope: str | None = None) -> list[str]:
    """Does what is due: expires, starts what was scheduled, judges gates, takes at most one step of each ramp.

    Returns what happened, in sentences; reads only, and takes no lock, while nothing is due.
    """
    with store.snapshot() as connection:
        names = governance_proposals.due(connection, scope)
        names = [name for name in names if _something_due(connection, name)]
    happened: list[str] = []
    for name in names:
        with change(store, name) as this:
            happened += _expire(this)
            happened += _start_scheduled(this)
            ramping = governance_proposals.under_way(this.connection, name)
            if ramping is not None and ramping.state == "ramping":
                words = _advance(this, ramping)
                happened += [words] if words else []
    return happened


# --- what time does -----------------------------------------------------------------------------------------


def _something_due(connection: Connection, name: str) -> bool:
    """A look without a lock; what is found is looked at again under it."""
    scope = governance_scopes.get(connection, name)
    ramping = governance_proposals.under_way(connection, name)
    if ramping is None or ramping.state != "ramping" or governance_proposals.overdue(connection, name):
        return True
    this = Change.of(connection, scope)
    reported = governance_live.step_metrics(connection, ramping.id, ramping.step)
    options = RampOptions.from_dict(ramping.ramp)
    if this.definition.problem(_step(ramping, ramping.step)) or judge(options.gates, reported)[0] == "fail":
        return True
    return this.now >= _next_at(this, ramping, options) and not this.frozen()


def _expire(this: Change) -> list[str]:
    out = []
    for proposal in governance_proposals.overdue(this.connection, this.scope.name):
        governance_proposals.update(
            this.connection, proposal.id, this.now, state="expired", note="Nobody decided in time."
        )
        governance_proposals.revoke(this.connection, proposal.id, this.now, "It expired.")
        this.note_proposal(SYSTEM, "expire", this.proposal(proposal.id))
        out.append(f"The proposal {proposal.id} for {proposal.scope} expired.")
    return out


def _start_scheduled(this: Change) -> list[str]:
    out = []
    for proposal in governance_proposals.in_states(this.connection, this.scope.name, ["scheduled"]):
        if proposal.due_at is None or proposal.due_at > this.now:
            continue
        if this.frozen() or this.killed_by() or governance_proposals.under_way(this.connection, this.scope.name):
            continue  # it waits; what can't pass by waiting suspends it
        try:
            started = _start(this, proposal, SYSTEM)
        except _TooSoon:
            continue
        except (NotAllowed, InvalidInput) as error:
            moved = this.move(proposal, "suspend", str(error))
            governance_proposals.revoke(this.connection, proposal.id, this.now, str(error))
            this.note_proposal(SYSTEM, "suspend", moved, reason=str(error))
            out.append(f"The proposal {proposal.id} for {proposal.scope} was suspended: {error}")
            continue
        out.append(f"The proposal {proposal.id} for {proposal.scope} started: it is {started.state}.")
    return out


def _advance(this: Change, proposal: ProposalRecord) -> str:
    """The next thing that a ramp does; empty if it has to wait."""
    name, options = f"The ramp of {proposal.id} in {proposal.scope}", RampOptions.from_dict(proposal.ramp)
    here = _step(proposal, proposal.step)
    problem = this.definition.problem(here)
    if problem:
        reason = f"Today's limits don't allow step {proposal.step}: {problem}"
        golive.abort(this, proposal, SYSTEM, reason)
        return f"{name} was aborted. {reason}"
    reported = governance_live.step_metrics(this.connection, proposal.id, proposal.step)
    verdict, sentences = judge(options.gates, reported)
    if verdict == "fail":
        reason = " ".join(sentences)
        golive.abort(this, proposal, SYSTEM, reason)
        return f"{name} was aborted at step {proposal.step}. {reason}"
    if this.now < _next_at(this, proposal, options) or this.frozen():
        return ""
    if verdict == "inconclusive" and proposal.gate_passed_by is None:
        reason = "Inconclusive, a person has to decide. " + " ".join(sentences)
        _pause(this, proposal, SYSTEM, reason)
        return f"{name} was paused at step {proposal.step}. {reason}"
    if proposal.step >= len(proposal.plan):
        golive.finish(this, proposal, approvers(this, proposal), SYSTEM)
        return f"{name} is complete: its values are live."
    return _take_next(this, proposal, options, sentences, name)


def _take_next(this: Change, proposal: ProposalRecord, options: RampOptions, gate: list[str], name: str) -> str:
    here, plan = _step(proposal, proposal.step), proposal.plan
    if ramps.check_plan(this.definition, here, plan[proposal.step :]):  # limits were tightened on the way
        problem = this.definition.problem(proposal.params)
        if problem:
            golive.abort(this, proposal, SYSTEM, f"Today's limits don't allow its values: {problem}")
            return f"{name} was aborted. {problem}"
        try:
            rest = ramps.plan(this.definition, here, proposal.params, max(1, len(plan) - proposal.step))
        except InvalidInput as error:
            _pause(this, proposal, SYSTEM, str(error))
            return f"{name} was paused. {error}"
        plan = [*plan[: proposal.step], *rest]
        governance_proposals.update(this.connection, proposal.id, this.now, plan=plan)
        proposal = this.proposal(proposal.id)
        this.note_proposal(SYSTEM, "replan", proposal, plan=plan[proposal.step :])
        if this.now < _next_at(this, proposal, options):  # the next step moves other parameters than it did
            return f"{name} was planned again under today's limits."
    problem = golive.override_problem(this, plan[proposal.step])
    if problem:
        reason = f"The next step and the active override break the limits together: {problem}"
        _pause(this, proposal, SYSTEM, reason)
        return f"{name} was paused. {reason}"
    _take_step(this, proposal, SYSTEM, proposal.step + 1, gate)
    if proposal.step + 1 == len(plan) and not options.gates:
        golive.finish(this, this.proposal(proposal.id), approvers(this, proposal), SYSTEM)
        return f"{name} is complete: its values are live."
    return f"{name} took step {proposal.step + 1} of {len(plan)}."


def _next_at(this: Change, proposal: ProposalRecord, options: RampOptions) -> float:
    """When the present step has lasted long enough for the next one, or for going live."""
    here = _step(proposal, proposal.step)
    rest = proposal.plan[proposal.step :]
    wait = options.dwell
    if rest:
        wait = max(wait, limits.dwell(this.definition, here, rest[0]))
    return (proposal.step_at or 0.0) + wait


# --- steps ----------------------------------------------------------------------------------------------------


class _TooSoon(NotAllowed):
    """A parameter changed too lately: waiting helps."""


def check_startable(this: Change, proposal: ProposalRecord) -> tuple[list[str], list[dict[str, Any]]]:
    """The approvers, and the steps from what is live. Raises NotAllowed, Conflict or InvalidInput as ``start`` does."""
    check_move(proposal, "start")
    this.check_armed()
    if reason := this.frozen():
        raise NotAllowed(reason)
    check_content(this, proposal)
    names = check_approved(this, proposal)
    other = governance_proposals.under_way(this.connection, this.scope.name)
    if other is not None:
        raise Conflict(f"The ramp of the proposal {other.id} is under way in {this.scope.name}: one at a time.")
    baseline = this.live_version().params
    plan = ramps.plan(this.definition, baseline, proposal.params, RampOptions.from_dict(proposal.ramp).stages)
    _check_dwell(this, baseline, plan[0])
    if problem := golive.override_problem(this, plan[0]):
        raise NotAllowed(f"The first step and the active override break the limits together: {problem}")
    return names, plan


def _start(this: Change, proposal: ProposalRecord, actor: Actor) -> ProposalRecord:
    names, plan = check_startable(this, proposal)
    moved = this.move(proposal, "start", plan=plan)
    _take_step(this, moved, actor, 1, [])
    if len(plan) == 1 and not RampOptions.from_dict(proposal.ramp).gates:
        return golive.finish(this, this.proposal(proposal.id), names, actor)
    return this.proposal(proposal.id)


def _take_step(this: Change, proposal: ProposalRecord, actor: Actor, number: int, gate: list[str]) -> None:
    values = this.definition.check(_step(proposal, number))
    governance_proposals.update(
        this.connection, proposal.id, this.now, step=number, step_at=this.now, gate_passed_by=None,
        note=f"Step {number} of {len(proposal.plan)}.",
    )  # fmt: skip
    this.event("ramp", "step", actor, f"Step {number} of {len(proposal.plan)}.", proposal_id=proposal.id, step=number,
               params=values)  # fmt: skip
    passed_by = proposal.gate_passed_by
    this.note_proposal(actor, "step", this.proposal(proposal.id), step=number, params=values, gate=gate,
                       gate_passed_by=passed_by)  # fmt: skip


def _step(proposal: ProposalRecord, number: int) -> dict[str, Any]:
    return proposal.plan[number - 1]


def _pause(this: Change, proposal: ProposalRecord, actor: Actor, reason: str) -> ProposalRecord:
    moved = this.move(proposal, "pause", reason, gate_passed_by=None)
    this.note_proposal(actor, "pause", moved, reason=reason, step=moved.step)
    return moved


def _check_dwell(this: Change, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """A parameter that changed a moment ago, in an earlier ramp or by a rollback, waits like within a ramp."""
    events = governance_live.events(this.connection, [this.scope.name], layers=("live", "ramp"), limit=500)
    live = ramp = None
    was: Mapping[str, Any] | None = None
    last: dict[str, float] = {}  # when each parameter changed
    for event in reversed(events):
        live, ramp = (event.params, ramp) if event.layer == "live" else (live, event.params)
        counts = ramp or live
        if was is not None and counts is not None:
            last |= dict.fromkeys(limits.changed(was, counts), event.at)
        was = counts
    for name in limits.changed(before, after):
        left = last.get(name, 0.0) + this.definition.pace(name).min_dwell - this.now
        if name in last and left > 0:
            raise _TooSoon(f"{name} changed a moment ago and may change again in {left:.0f} seconds.")


@dataclass(frozen=True)
class RampProgress:
    """Where a ramp stands. gates: what each says of the present step. next_at: the earliest time of the next step, or
    of going live after the last one. waits_for: why it doesn't go on then, such as a freeze window; else empty."""

    next_at: float
    gates: list[tuple[Judgement, str]]
    waits_for: str


def progress(store: Store, proposal_id: str) -> RampProgress | None:
    """None if the proposal isn't ramping or paused. Raises NotFound."""
    with store.snapshot() as connection:
        proposal = governance_proposals.get(connection, proposal_id)
        if proposal.state not in UNDER_WAY:
            return None
        this = Change.of(connection, governance_scopes.get(connection, proposal.scope))
        options = RampOptions.from_dict(proposal.ramp)
        reported = governance_live.step_metrics(connection, proposal.id, proposal.step)
        gates = [gate.judge(reported.get(gate.metric, ())) for gate in options.gates]
        return RampProgress(_next_at(this, proposal, options), gates, this.frozen())


def under_way(store: Store, scope: str) -> ProposalRecord | None:
    """The proposal that is ramping or paused."""
    with store.snapshot() as connection:
        return governance_proposals.under_way(connection, scope)
