"""The rows of the audit chain. What goes into an entry and how it is verified is governance's matter."""

from __future__ import annotations

import json
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


def page(
    connection: Connection, *, actions: str, actor: str, search: str, limit: int, offset: int
) -> tuple[list[Row], int]:
    """Newest first, and how many fit. An event is canonical JSON: its keys are sorted and ``action`` is the first."""
    event = audit_entries.c.event
    where: list[sa.ColumnElement[bool]] = []
    if actions:
        where.append(event.startswith(f'{{"action":"{actions}', autoescape=True))
    if actor:
        where.append(event.contains(f'"actor":{json.dumps(actor, ensure_ascii=False)},"at":', autoescape=True))
    if search:
        where.append(event.icontains(search, autoescape=True))
    total = connection.scalar(sa.select(sa.func.count()).select_from(audit_entries).where(*where)) or 0
    query = sa.select(audit_entries).where(*where).order_by(audit_entries.c.seq.desc()).limit(limit).offset(offset)
    return list(connection.execute(query)), total
