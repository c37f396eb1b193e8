"""Scopes, people and the passing of time for tests of governance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from engine.governance import Actor, proposals, reviews, scope_changes
from engine.store import Store, tables
from engine.store.governance_records import ProposalRecord

ANA, ALAN = Actor("ana", {"analyst"}), Actor("alan", {"analyst"})
RITA, RON, ROSE = (Actor(name, {"risk_manager"}) for name in ("rita", "ron", "rose"))
ADA = Actor("ada", {"admin"})
ENGINE = Actor("engine-1", {"engine"})
VIEWER = Actor("eve", {"viewer"})
WHY = "because of the test"

SAFE = {"fast": 20, "slow": 100, "weight": 0.2, "mode": "calm"}
EVIDENCE = {"kind": "trading", "verdict": {"answer": "yes", "sentence": "Yes. Every check passes."}}
REFUSED = {"kind": "trading", "verdict": {"answer": "no", "sentence": "No. 1 of 12 checks fails."}}


def make_definition(name: str = "sma", tier: str = "low", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "area": "strategy",
        "tier": tier,
        "parameters": {
            "fast": {"type": "int", "low": 2, "high": 100, "max_step": 10},
            "slow": {"type": "int", "low": 5, "high": 300, "max_step": 50},
            "weight": {"type": "float", "low": 0.0, "high": 1.0, "max_step": 0.25},
            "mode": {"type": "categorical", "choices": ["calm", "bold"]},
        },
        "constraints": ["fast < slow"],
        "safe": SAFE,
        "policy": {"evidence_required": False},
    } | changes


def make_scope(store: Store, name: str = "sma", tier: str = "low", **changes: Any) -> str:
    return scope_changes.create_scope(store, make_definition(name, tier, **changes), RITA, reason=WHY).name


def make_proposal(
    store: Store, scope: str = "sma", changes: Mapping[str, Any] | None = None, actor: Actor = ANA, **options: Any
) -> ProposalRecord:
    return proposals.propose(store, scope, changes or {"fast": 30}, actor, rationale=WHY, **options)


def approved(
    store: Store,
    scope: str = "sma",
    changes: Mapping[str, Any] | None = None,
    by: tuple[Actor, ...] = (RITA,),
    **options: Any,
) -> ProposalRecord:
    """Submitted by ana and approved by these people."""
    proposal = proposals.submit(store, make_proposal(store, scope, changes, **options).id, ANA)
    for actor in by:
        proposal = reviews.approve(store, proposal.id, actor, WHY, digest=proposal.digest)
    return proposal


_TIMES = {
    tables.scopes: ("created_at",),
    tables.scope_definitions: ("at",),
    tables.proposals: ("created_at", "changed_at", "submitted_at", "expires_at", "due_at", "step_at"),
    tables.reviews: ("at", "revoked_at"),
    tables.live_versions: ("at",),
    tables.live_events: ("at", "until"),
    tables.freeze_windows: ("starts_at", "ends_at", "at"),
    tables.live_metrics: ("at",),
}


def pass_time(store: Store, seconds: float) -> None:
    """As if so much time had gone by: everything that was written is so much older."""
    with store.transaction(durable=False) as connection:
        for table, columns in _TIMES.items():
            connection.execute(sa.update(table).values({name: table.c[name] - seconds for name in columns}))
