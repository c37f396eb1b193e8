"""Engines and their leases: who drives which study, told by the database's clock alone.

A lease ends when it is given back or when no heartbeat came for ``lease_seconds``; then another engine may take the
study over, with a larger token. An engine that was silent and comes back keeps its lease if nobody took it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import LeaseLost
from engine.store import events, studies, trials
from engine.store.database import clock, now
from engine.store.records import EngineRecord, Lease
from engine.store.tables import commands, engines, leases
from engine.store.tables import studies as study_table
from engine.store.values import text

LEASE_SECONDS = 15.0
_HELD = sa.select(leases.c.token).where(
    leases.c.study_id == sa.bindparam("study"),
    leases.c.engine_id == sa.bindparam("engine"),
    leases.c.token == sa.bindparam("number"),
)
_FORGET_AFTER = 7 * 86400.0
"""A silent engine is shown for a week."""


# --- engines ----------------------------------------------------------------------------------------------


def register(connection: Connection, engine_id: str, host: str, pid: int, lease_seconds: float) -> None:
    connection.execute(engines.delete().where(engines.c.seen_at < clock() - _FORGET_AFTER))
    connection.execute(engines.delete().where(engines.c.id == engine_id))
    at = now(connection)
    connection.execute(
        engines.insert().values(
            id=engine_id, host=text(host, 200), pid=pid, lease_seconds=lease_seconds, started_at=at, seen_at=at
        )
    )


def beat(connection: Connection, engine_id: str) -> list[str]:
    """The heartbeat of an engine and of all its leases; the ids of the studies that it still holds."""
    at = now(connection)
    connection.execute(engines.update().where(engines.c.id == engine_id).values(seen_at=at))
    connection.execute(leases.update().where(leases.c.engine_id == engine_id).values(seen_at=at))
    return list(connection.scalars(sa.select(leases.c.study_id).where(leases.c.engine_id == engine_id)))


def unregister(connection: Connection, engine_id: str) -> None:
    """Gives every lease back and forgets the engine."""
    connection.execute(engines.delete().where(engines.c.id == engine_id))  # in the order of beat: no deadlock
    connection.execute(leases.update().where(leases.c.engine_id == engine_id).values(engine_id=None))


def all_engines(connection: Connection) -> list[EngineRecord]:
    """Newest heartbeat first."""
    held = sa.select(sa.func.count()).where(leases.c.engine_id == engines.c.id).scalar_subquery()
    query = sa.select(
        *(c for c in engines.c if c.name != "lease_seconds"),
        held.label("studies"),
        (engines.c.seen_at < clock() - engines.c.lease_seconds).label("stale"),
    )
    rows = connection.execute(query.order_by(engines.c.seen_at.desc(), engines.c.id))
    return [EngineRecord(**{**row._mapping, "stale": bool(row.stale)}) for row in rows]


# --- leases -----------------------------------------------------------------------------------------------


def holder(connection: Connection, study_id: str) -> str | None:
    """The engine that holds the study and isn't stale."""
    return connection.scalar(
        sa.select(leases.c.engine_id).where(leases.c.study_id == study_id, ~_free(), leases.c.engine_id.is_not(None))
    )


def take(connection: Connection, engine_id: str, lease_seconds: float, study_id: str | None = None) -> Lease | None:
    """Leases the study that waits longest, or the named one; None if there is none to have.

    Trials that a dead engine left running are retried in the same transaction.
    """
    for candidate in candidates(connection, study_id):
        study = studies.lock(connection, candidate)
        query = sa.select(leases, _free().label("free")).where(leases.c.study_id == candidate)
        row = connection.execute(query).one_or_none()
        if (row is not None and not row.free) or not _wanted(connection, study):
            continue  # another engine was faster, or the study has ended meanwhile
        lost = row.engine_id if row is not None else None
        token = 1 if row is None else row.token + 1
        values = {
            "engine_id": engine_id,
            "token": token,
            "lease_seconds": lease_seconds,
            "leased_at": study.now,
            "seen_at": study.now,
        }
        if row is None:
            connection.execute(leases.insert().values(study_id=candidate, **values))
        else:
            connection.execute(leases.update().where(leases.c.study_id == candidate).values(**values))
        trials.recover(connection, candidate, "The engine or worker that ran it died.")
        words = f"Engine {engine_id} took the study over from {lost}, which fell silent." if lost else (
            f"Engine {engine_id} took the study."
        )  # fmt: skip
        events.add(connection, candidate, engine_id, "lease", words)
        if study.state == "queued":
            studies.set_state(connection, study, "running")
        else:
            studies.update(connection, candidate)
        return Lease(candidate, engine_id, token)
    return None


def check(connection: Connection, lease: Lease) -> Row:
    """Locks the study and returns its row. Raises LeaseLost if another engine took it over."""
    study = studies.lock(connection, lease.study_id)
    key = {"study": lease.study_id, "engine": lease.engine_id, "number": lease.token}
    if connection.execute(_HELD, key).one_or_none() is None:
        raise LeaseLost(
            f"Engine {lease.engine_id} no longer holds the study {study.name}: another took it over, or it was ended."
        )
    return study


def give_back(connection: Connection, lease: Lease) -> None:
    """Ends the lease; running trials have to be retried or abandoned before. Nothing if it was lost already."""
    studies.lock(connection, lease.study_id)
    where = (leases.c.study_id == lease.study_id, leases.c.token == lease.token)
    if connection.execute(leases.update().where(*where).values(engine_id=None)).rowcount:
        studies.update(connection, lease.study_id)


def revoke(connection: Connection, study_id: str) -> None:
    """Shuts out a stale engine: its token is no longer valid, whatever it does when it comes back."""
    connection.execute(
        leases.update().where(leases.c.study_id == study_id).values(engine_id=None, token=leases.c.token + 1)
    )


def _free() -> sa.ColumnElement[bool]:
    return sa.or_(leases.c.engine_id.is_(None), leases.c.seen_at < clock() - leases.c.lease_seconds)


def candidates(connection: Connection, study_id: str | None) -> list[str]:
    """Studies without a living engine: those that wait or were left in the middle, and paused ones with a command."""
    commanded = sa.exists().where(commands.c.study_id == study_table.c.id, commands.c.acknowledged_at.is_(None))
    query = (
        sa.select(study_table.c.id)
        .outerjoin(leases, leases.c.study_id == study_table.c.id)
        .where(
            sa.or_(
                study_table.c.state.in_(("queued", "running", "stopping")),
                sa.and_(study_table.c.state == "paused", commanded),
            ),
            sa.or_(leases.c.study_id.is_(None), _free()),
        )
        .order_by(study_table.c.created_at, study_table.c.id)
        .limit(20)
    )
    if study_id is not None:
        query = query.where(study_table.c.id == study_id)
    return list(connection.scalars(query))


def _wanted(connection: Connection, study: Row) -> bool:
    if study.state == "paused":
        return bool(
            connection.scalar(
                sa.select(sa.exists().where(commands.c.study_id == study.id, commands.c.acknowledged_at.is_(None)))
            )
        )
    return study.state in ("queued", "running", "stopping")
