"""The rows of governance as the rest of the program sees them. Times are seconds since the epoch, the database's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["approve", "reject", "request_changes", "comment", "replay"]
EventLayer = Literal["live", "ramp", "override", "kill"]


@dataclass(frozen=True)
class ScopeRecord:
    """A scope. ``definition`` as its file says it; ``pending``: a change that waits for a second person."""

    name: str
    revision: int
    definition_version: int
    definition: dict[str, Any]
    live_version: int
    created_at: float
    created_by: str
    pending: dict[str, Any] | None
    now: float


@dataclass(frozen=True)
class DefinitionRecord:
    scope: str
    version: int
    at: float
    actor: str
    confirmed_by: str | None
    reason: str
    definition: dict[str, Any]


@dataclass(frozen=True)
class ProposalRecord:
    """A proposal. ``params``: all values of the scope that it leads to; ``changes``: those that its authors chose.

    digest: of parameters, evidence, baseline and ramp, which approvals are bound to. plan: the values of each step.
    sources: where evidence and values come from (study, trial, hashes of study, data and code).
    note: why it is in this state. step: of the ramp, from 1; 0 before it starts. due_at: when a scheduled one starts.
    """

    id: str
    scope: str
    state: str
    revision: int
    author: str
    baseline_version: int
    digest: str
    evidence_digest: str | None
    study_id: str | None
    trial_number: int | None
    created_at: float
    changed_at: float
    submitted_at: float | None
    expires_at: float | None
    due_at: float | None
    step: int
    step_at: float | None
    gate_passed_by: str | None
    version: int | None
    title: str
    rationale: str
    note: str
    editors: list[str]
    changes: dict[str, Any]
    params: dict[str, Any]
    ramp: dict[str, Any]
    plan: list[dict[str, Any]]
    sources: dict[str, Any]
    evidence: dict[str, Any] | None
    now: float


@dataclass(frozen=True)
class ReviewRecord:
    """What a reviewer said. An approval counts while it isn't revoked and its digest is the proposal's."""

    id: int
    proposal_id: str
    at: float
    actor: str
    verdict: Verdict
    digest: str
    reason: str
    revoked_at: float | None
    revoked_because: str


@dataclass(frozen=True)
class ReplayRecord:
    """What came of running a proposal's trial again. same_code: its objective's file is the frozen one."""

    ok: bool
    same_code: bool
    values: dict[str, float]
    text: str


@dataclass(frozen=True)
class VersionRecord:
    """Values that were live once, for good. proposal_id is None for those that the scope began with."""

    scope: str
    version: int
    at: float
    actor: str
    proposal_id: str | None
    digest: str
    reason: str
    approvers: list[str]
    params: dict[str, Any]


@dataclass(frozen=True)
class LiveEvent:
    """A layer of a scope changed. ``params`` is None where the layer ends; ``until``: an override ends by itself."""

    id: int
    scope: str
    at: float
    layer: EventLayer
    kind: str
    actor: str
    reason: str
    version: int | None
    proposal_id: str | None
    step: int | None
    until: float | None
    params: dict[str, Any] | None


@dataclass(frozen=True)
class FreezeRecord:
    """A window in which nothing goes live. scope '*' is all of them. ended_by: who ended it before its time."""

    id: int
    scope: str
    starts_at: float
    ends_at: float
    at: float
    actor: str
    reason: str
    ended_by: str | None
