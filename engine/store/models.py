"""What the engine had learnt after n observations: kept densely for the recent past, thinned out before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import InvalidInput
from engine.store import studies
from engine.store.records import ModelRecord
from engine.store.tables import models
from engine.store.values import dumps, lenient, plain

MAX_MODELS = 256
"""Models kept of a study. When there are more, those before the RECENT last are thinned out to an even spread, so that
a replay covers the whole study however long it is."""
RECENT = 64
MAX_CANDIDATES = 20
MAX_MODEL_BYTES = 1_000_000


def latest(connection: Connection, study_id: str) -> ModelRecord | None:
    query = sa.select(models).where(models.c.study_id == study_id).order_by(models.c.n_observations.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _record(row)


def at(connection: Connection, study_id: str, n_observations: int) -> ModelRecord | None:
    """The newest model that had seen at most ``n_observations`` finished trials."""
    query = sa.select(models).where(models.c.study_id == study_id, models.c.n_observations <= n_observations)
    row = connection.execute(query.order_by(models.c.n_observations.desc()).limit(1)).one_or_none()
    return None if row is None else _record(row)


def listed(connection: Connection, study_id: str) -> list[tuple[int, int]]:
    """(n_observations, revision) of every model kept, oldest first."""
    query = sa.select(models.c.n_observations, models.c.revision).where(models.c.study_id == study_id)
    return [(n, revision) for n, revision in connection.execute(query.order_by(models.c.n_observations))]


def save(
    connection: Connection,
    study: Row,
    n_observations: int,
    model: Mapping[str, Any],
    candidates: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Writes or replaces the model of n observations. Raises InvalidInput if it holds NaN or is too large."""
    kept = plain("model", dict(model))
    if len(dumps(kept)) > MAX_MODEL_BYTES:
        raise InvalidInput("model", f"may have {MAX_MODEL_BYTES:,} bytes as JSON.")
    key = (models.c.study_id == study.id, models.c.n_observations == n_observations)
    connection.execute(models.delete().where(*key))
    connection.execute(
        models.insert().values(
            study_id=study.id,
            n_observations=n_observations,
            revision=study.revision + 1,
            created_at=study.now,
            model=kept,
            candidates=lenient(list(candidates)[:MAX_CANDIDATES]),
        )
    )
    _thin_out(connection, study.id)
    studies.update(connection, study.id)


def _thin_out(connection: Connection, study_id: str) -> None:
    numbers = [n for n, _ in listed(connection, study_id)]
    if len(numbers) > MAX_MODELS:
        dropped = sorted(set(numbers) - spread(numbers, (MAX_MODELS - RECENT) // 2, RECENT))
        connection.execute(models.delete().where(models.c.study_id == study_id, models.c.n_observations.in_(dropped)))


def spread(numbers: Sequence[int], n: int, recent: int) -> set[int]:
    """The last ``recent`` of ascending numbers, and at most n of the others, spread evenly from the first of them."""
    old = numbers[:-recent]
    step = (old[-1] - old[0]) / max(1, n - 1)
    nearest = {min(old, key=lambda number: abs(number - (old[0] + i * step))) for i in range(n)}
    return nearest | set(numbers[-recent:])


def _record(row: Row) -> ModelRecord:
    fields = dict(row._mapping)
    del fields["study_id"]
    return ModelRecord(**fields)
