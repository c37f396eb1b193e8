"""Commands to a study: written by people, carried out and acknowledged by the engine that holds it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import NotFound
from engine.store import studies
from engine.store.records import CommandRecord, Verb
from engine.store.tables import commands
from engine.store.values import text


def get(connection: Connection, command_id: int) -> CommandRecord:
    row = connection.execute(sa.select(commands).where(commands.c.id == command_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no command {command_id}.")
    return CommandRecord(**row._mapping)


def latest(connection: Connection, study_id: str, limit: int = 20) -> list[CommandRecord]:
    """Newest first."""
    query = sa.select(commands).where(commands.c.study_id == study_id).order_by(commands.c.id.desc()).limit(limit)
    return [CommandRecord(**row._mapping) for row in connection.execute(query)]


def pending(connection: Connection, study_id: str) -> list[CommandRecord]:
    """Not acknowledged yet, oldest first."""
    query = sa.select(commands).where(commands.c.study_id == study_id, commands.c.acknowledged_at.is_(None))
    return [CommandRecord(**row._mapping) for row in connection.execute(query.order_by(commands.c.id))]


def insert(connection: Connection, study: Row, verb: Verb, issued_by: str) -> int:
    key = connection.execute(
        commands.insert().values(
            study_id=study.id, verb=verb, issued_by=text(issued_by, 200), issued_at=study.now, note=""
        )
    ).inserted_primary_key
    studies.update(connection, study.id)
    assert key is not None
    return key[0]


def acknowledge(connection: Connection, study: Row, command_id: int, accepted: bool, note: str) -> bool:
    """Marks a pending command as carried out or refused; False if it was acknowledged before."""
    where = (
        commands.c.id == command_id,
        commands.c.study_id == study.id,
        commands.c.acknowledged_at.is_(None),
    )
    done = connection.execute(
        commands.update().where(*where).values(acknowledged_at=study.now, accepted=accepted, note=text(note, 2000))
    ).rowcount
    if done:
        studies.update(connection, study.id)
    return bool(done)
