"""What happened, in words, for the activity lists; the audit chain is the record that proves it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.store.database import clock
from engine.store.records import EventRecord
from engine.store.tables import events
from engine.store.values import text


def add(connection: Connection, study_id: str | None, actor: str, kind: str, words: str) -> None:
    connection.execute(
        events.insert().values(study_id=study_id, at=clock(), actor=text(actor, 200), kind=kind, text=text(words, 2000))
    )


def latest(
    connection: Connection,
    study_id: str | None = None,
    limit: int = 50,
    before: int | None = None,
    after: int | None = None,
) -> list[EventRecord]:
    """Newest first: of one study, or of the whole store. before, after: only those with a smaller or larger id."""
    query = sa.select(events).order_by(events.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(events.c.id > after)
    if study_id is not None:
        query = query.where(events.c.study_id == study_id)
    if before is not None:
        query = query.where(events.c.id < before)
    return [EventRecord(**row._mapping) for row in connection.execute(query)]
