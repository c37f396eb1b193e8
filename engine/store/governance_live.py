"""The live registry: immutable versions, the events that say what was live when, and the metrics that were reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import NotFound
from engine.store.governance_records import EventLayer, LiveEvent, VersionRecord
from engine.store.tables import live_events, live_metrics, live_versions
from engine.store.values import plain, text


def add_version(
    connection: Connection, scope: str, at: float, actor: str, proposal_id: str | None, digest: str, reason: str,
    approvers: Sequence[str], params: Mapping[str, Any],
) -> int:  # fmt: skip
    """The next version of a locked scope; its number."""
    last = connection.scalar(sa.select(sa.func.max(live_versions.c.version)).where(live_versions.c.scope == scope))
    number = (last or 0) + 1
    connection.execute(
        live_versions.insert().values(
            scope=scope, version=number, at=at, actor=text(actor, 200), proposal_id=proposal_id, digest=digest,
            reason=text(reason, 4000), approvers=list(approvers), params=plain("params", dict(params)),
        )
    )  # fmt: skip
    return number


def version(connection: Connection, scope: str, number: int) -> VersionRecord:
    """Raises NotFound."""
    query = sa.select(live_versions).where(live_versions.c.scope == scope, live_versions.c.version == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"The scope {scope} has no version {number}.")
    return VersionRecord(**row._mapping)


def versions(connection: Connection, scope: str, limit: int = 100) -> list[VersionRecord]:
    """Newest first."""
    query = sa.select(live_versions).where(live_versions.c.scope == scope)
    rows = connection.execute(query.order_by(live_versions.c.version.desc()).limit(limit))
    return [VersionRecord(**row._mapping) for row in rows]


def add_event(
    connection: Connection, scope: str, at: float, layer: EventLayer, kind: str, actor: str, reason: str, **values: Any
) -> LiveEvent:
    """values: version, proposal_id, step, until, params. Events of one change have the same time."""
    if values.get("params") is not None:
        values["params"] = plain("params", dict(values["params"]))
    # A clock that is set back must not make a later event the earlier one.
    newest = sa.select(live_events.c.at).where(live_events.c.scope == scope).order_by(live_events.c.id.desc()).limit(1)
    at = max(at, connection.scalar(newest) or 0.0)
    key = connection.execute(
        live_events.insert().values(
            scope=scope, at=at, layer=layer, kind=kind, actor=text(actor, 200), reason=text(reason, 4000), **values
        )
    ).inserted_primary_key
    assert key is not None
    return LiveEvent(**connection.execute(sa.select(live_events).where(live_events.c.id == key[0])).one()._mapping)


def in_force(
    connection: Connection, scopes: Sequence[str], at: float | None = None
) -> dict[tuple[str, EventLayer], LiveEvent]:
    """(scope, layer) -> its newest event, now or as of a time."""
    rows = connection.execute(_IN_FORCE, {"scopes": list(scopes), "at": _EVER if at is None else at})
    return {(row.scope, row.layer): LiveEvent(**row._mapping) for row in rows}


_EVER = 1e300
# Built once: every consumer reads it every second.
_IN_FORCE = sa.select(live_events).where(
    live_events.c.id.in_(
        sa.select(sa.func.max(live_events.c.id))
        .where(
            live_events.c.scope.in_(sa.bindparam("scopes", expanding=True)),
            live_events.c.at <= sa.bindparam("at", type_=sa.Double()),
        )
        .group_by(live_events.c.scope, live_events.c.layer)
    )
)


def events(
    connection: Connection,
    scopes: Sequence[str],
    *,
    layers: Sequence[EventLayer] | None = None,
    kinds: Sequence[str] | None = None,
    limit: int | None = 100,
    before: int | None = None,
) -> list[LiveEvent]:
    """Newest first; before: only those with a smaller id, for the next page."""
    query = sa.select(live_events).where(live_events.c.scope.in_(scopes)).order_by(live_events.c.id.desc())
    if layers is not None:
        query = query.where(live_events.c.layer.in_(layers))
    if kinds is not None:
        query = query.where(live_events.c.kind.in_(kinds))
    if before is not None:
        query = query.where(live_events.c.id < before)
    return [LiveEvent(**row._mapping) for row in connection.execute(query.limit(limit))]


def add_metrics(
    connection: Connection, scope: str, at: float, actor: str, values: Mapping[str, float], proposal_id: str | None,
    step: int | None,
) -> None:  # fmt: skip
    connection.execute(
        live_metrics.insert(),
        [
            {"scope": scope, "at": at, "name": text(name, 200), "value": value, "actor": text(actor, 200),
             "proposal_id": proposal_id, "step": step}
            for name, value in values.items()
        ],
    )  # fmt: skip


def step_metrics(connection: Connection, proposal_id: str, step: int) -> dict[str, list[float]]:
    """What was reported in a step of a ramp, by name, oldest first."""
    query = sa.select(live_metrics.c.name, live_metrics.c.value).where(
        live_metrics.c.proposal_id == proposal_id, live_metrics.c.step == step
    )
    out: dict[str, list[float]] = {}
    for name, value in connection.execute(query.order_by(live_metrics.c.id)):
        out.setdefault(name, []).append(value)
    return out


def metrics(connection: Connection, scope: str, limit: int = 200) -> list[dict[str, Any]]:
    """The newest first: at, name, value, actor, proposal_id, step."""
    query = sa.select(live_metrics).where(live_metrics.c.scope == scope).order_by(live_metrics.c.id.desc())
    return [dict(row._mapping) for row in connection.execute(query.limit(limit))]
