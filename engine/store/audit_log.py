"""The rows of the audit chain. What goes into an entry and how it is verified is governance's matter."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.store.tables import audit_entries, audit_head


def lock_head(connection: Connection) -> tuple[int, str]:
    """(seq, hash) of the last entry; until the transaction ends nobody else adds one."""
    row = connection.execute(sa.select(audit_head).where(audit_head.c.id == 1).with_for_update()).one()
    return row.seq, row.hash


def append(connection: Connection, seq: int, study_id: str | None, event: str, hash_: str) -> None:
    """Adds the entry after the head and moves the head; call it after ``lock_head`` in the same transaction."""
    connection.execute(audit_entries.insert().values(seq=seq, study_id=study_id, event=event, hash=hash_))
    connection.execute(audit_head.update().where(audit_head.c.id == 1).values(seq=seq, hash=hash_))


def head(connection: Connection) -> tuple[int, str] | None:
    """(seq, hash) as the head says; None if the head was removed."""
    row = connection.execute(sa.select(audit_head).where(audit_head.c.id == 1)).one_or_none()
    return None if row is None else (row.seq, row.hash)


def entries(connection: Connection) -> Iterator[Row]:
    """(seq, study_id, event, hash) from the first to the last, streamed."""
    query = sa.select(audit_entries).order_by(audit_entries.c.seq)
    yield from connection.execute(query, execution_options={"yield_per": 1000})


def latest(connection: Connection, study_id: str | None, limit: int) -> list[Row]:
    query = sa.select(audit_entries).order_by(audit_entries.c.seq.desc()).limit(limit)
    if study_id is not None:
        query = query.where(audit_entries.c.study_id == study_id)
    return list(connection.execute(query))
