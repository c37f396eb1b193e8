"""Proposals and what reviewers said of them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import NotFound
from engine.store.database import clock
from engine.store.governance_records import ProposalRecord, ReviewRecord, Verdict
from engine.store.tables import proposals, reviews
from engine.store.values import plain, text

EXPIRING = ("in_review", "changes_requested", "approved", "suspended", "scheduled")
"""States that end when nobody decides; engine.governance.states says the same, and a test holds both together."""

# What is overdue is expired for every reader at once, whenever the row is written.
_STATE = sa.case(
    (sa.and_(proposals.c.state.in_(EXPIRING), proposals.c.expires_at < clock()), "expired"), else_=proposals.c.state
)
_ROWS = sa.select(
    *(c for c in proposals.c if c.name != "state"), _STATE.label("state"), clock().label("now")
)  # fmt: skip
_JSON = ("editors", "changes", "params", "ramp", "plan", "sources", "evidence")
_PREFIX_MIN = 4


def get(connection: Connection, key: str) -> ProposalRecord:
    """By id or a unique beginning of it (4 characters or more). Raises NotFound."""
    found = connection.execute(_ROWS.where(proposals.c.id == key)).one_or_none()
    if found is None and len(key) >= _PREFIX_MIN:
        rows = connection.execute(_ROWS.where(proposals.c.id.startswith(key, autoescape=True)).limit(2)).all()
        if len(rows) > 1:
            raise NotFound(f"{key!r} fits several proposals: give the whole id.")
        found = rows[0] if rows else None
    if found is None:
        raise NotFound(f"There is no proposal {key!r}: tunedesk proposal list shows them.")
    return ProposalRecord(**found._mapping)


def page(
    connection: Connection,
    *,
    scope: str | None = None,
    states: Sequence[str] | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[ProposalRecord], int]:
    """The newest first, and how many there are in all."""
    where: list[sa.ColumnElement[bool]] = []
    if scope is not None:
        where.append(proposals.c.scope == scope)
    if states is not None:
        where.append(_STATE.in_(states))
    total = connection.scalar(sa.select(sa.func.count()).select_from(proposals).where(*where)) or 0
    rows = connection.execute(
        _ROWS.where(*where).order_by(proposals.c.created_at.desc(), proposals.c.id).limit(limit).offset(offset)
    )
    return [ProposalRecord(**row._mapping) for row in rows], total


def under_way(connection: Connection, scope: str) -> ProposalRecord | None:
    """The one that is ramping or paused."""
    query = _ROWS.where(proposals.c.scope == scope, proposals.c.state.in_(("ramping", "paused")))
    row = connection.execute(query).one_or_none()
    return None if row is None else ProposalRecord(**row._mapping)


def with_version(connection: Connection, scope: str, version: int) -> ProposalRecord | None:
    """The one whose values became this version of the live registry."""
    query = _ROWS.where(proposals.c.scope == scope, proposals.c.version == version)
    row = connection.execute(query).one_or_none()
    return None if row is None else ProposalRecord(**row._mapping)


def in_states(connection: Connection, scope: str, states: Sequence[str]) -> list[ProposalRecord]:
    query = _ROWS.where(proposals.c.scope == scope, proposals.c.state.in_(states)).order_by(proposals.c.created_at)
    return [ProposalRecord(**row._mapping) for row in connection.execute(query)]


def due(connection: Connection, scope: str | None = None) -> list[str]:
    """Scopes in which time alone may have something to do, by name."""
    overdue = sa.and_(proposals.c.state.in_(EXPIRING), proposals.c.expires_at < clock())
    starts = sa.and_(proposals.c.state == "scheduled", proposals.c.due_at <= clock())
    query = sa.select(proposals.c.scope).where(sa.or_(overdue, starts, proposals.c.state == "ramping"))
    if scope is not None:
        query = query.where(proposals.c.scope == scope)
    return list(connection.scalars(query.distinct().order_by(proposals.c.scope)))


def overdue(connection: Connection, scope: str) -> list[ProposalRecord]:
    query = _ROWS.where(
        proposals.c.scope == scope, proposals.c.state.in_(EXPIRING), proposals.c.expires_at < clock()
    )  # fmt: skip
    return [ProposalRecord(**row._mapping) for row in connection.execute(query)]


def insert(connection: Connection, at: float, **values: Any) -> str:
    id_ = secrets.token_hex(6)
    defaults = {"state": "draft", "revision": 1, "step": 0, "note": "", "created_at": at, "changed_at": at}
    connection.execute(proposals.insert().values(id=id_, **defaults | _clean(values)))
    return id_


def update(connection: Connection, proposal_id: str, at: float, **values: Any) -> None:
    """Changes columns, moves the revision and notes the time."""
    connection.execute(
        proposals.update()
        .where(proposals.c.id == proposal_id)
        .values(revision=proposals.c.revision + 1, changed_at=at, **_clean(values))
    )


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    out = {k: plain(k, v) if k in _JSON and v is not None else v for k, v in values.items()}
    for name, limit in (("title", 200), ("rationale", 20_000), ("note", 4000), ("author", 200)):
        if name in out:
            out[name] = text(out[name], limit)
    return out


# --- reviews ------------------------------------------------------------------------------------------------


def add_review(
    connection: Connection, proposal_id: str, at: float, actor: str, verdict: Verdict, digest: str, reason: str
) -> ReviewRecord:
    key = connection.execute(
        reviews.insert().values(
            proposal_id=proposal_id, at=at, actor=text(actor, 200), verdict=verdict, digest=digest,
            reason=text(reason, 20_000), revoked_because="",
        )
    ).inserted_primary_key  # fmt: skip
    assert key is not None
    row = connection.execute(sa.select(reviews).where(reviews.c.id == key[0])).one()
    return ReviewRecord(**row._mapping)


def reviews_of(connection: Connection, proposal_id: str) -> list[ReviewRecord]:
    """Oldest first."""
    query = sa.select(reviews).where(reviews.c.proposal_id == proposal_id).order_by(reviews.c.id)
    return [ReviewRecord(**row._mapping) for row in connection.execute(query)]


def revoke(connection: Connection, proposal_id: str, at: float, because: str, actor: str | None = None) -> int:
    """Takes back the approvals that count, all or one person's; how many there were."""
    where = [
        reviews.c.proposal_id == proposal_id,
        reviews.c.verdict == "approve",
        reviews.c.revoked_at.is_(None),
    ]
    if actor is not None:
        where.append(reviews.c.actor == actor)
    return connection.execute(
        reviews.update().where(*where).values(revoked_at=at, revoked_because=text(because, 4000))
    ).rowcount
