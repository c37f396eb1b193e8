"""Studies: their rows, the lists of them, and the counts that every write keeps."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import Conflict, InvalidInput, NotFound
from engine.store.database import clock, now
from engine.store.records import StudyRecord, StudyState
from engine.store.states import ENDED
from engine.store.tables import leases, studies, trials
from engine.store.values import dumps, plain, text
from engine.study import StudySpec

SORTS = ("created_at", "name", "state", "n_trials", "best_value", "finished_at", "owner")
_PREFIX_MIN = 4
"""Characters of an id that have to be given, so that a typing error doesn't pick a study."""

_COLUMNS = (
    *(c for c in studies.c if c.name not in ("search_text", "best_so_far", "bucket_width")),
    leases.c.engine_id,
    sa.case((leases.c.engine_id.is_not(None), leases.c.seen_at)).label("engine_seen_at"),
    clock().label("now"),
)
_ROWS = sa.select(*_COLUMNS).select_from(studies.outerjoin(leases, leases.c.study_id == studies.c.id))

_LOCKED = sa.select(studies, clock().label("now")).where(studies.c.id == sa.bindparam("key")).with_for_update()


# --- reading ------------------------------------------------------------------------------------------


def get(connection: Connection, key: str) -> StudyRecord:
    """By id, by a unique beginning of an id (at least four characters), or by a name that only one study has.

    Raises NotFound.
    """
    row = connection.execute(_ROWS.where(studies.c.id == key)).one_or_none()
    if row is None:
        row = connection.execute(_ROWS.where(studies.c.id == find(connection, key))).one()
    return to_record(row)


def find(connection: Connection, key: str) -> str:
    """The id of ``get``."""
    key = str(key).strip()
    ids = sa.select(studies.c.id).limit(2)
    found = connection.scalars(ids.where(studies.c.id == key)).all()
    if not found and len(key) >= _PREFIX_MIN:
        found = connection.scalars(ids.where(studies.c.id.startswith(key, autoescape=True))).all()
    if not found:
        found = connection.scalars(ids.where(studies.c.name == key)).all()
    if not found:
        raise NotFound(f"There is no study {key!r}: tunedesk study list shows them.")
    if len(found) > 1:
        raise NotFound(f"{key!r} fits several studies: give the whole id.")
    return found[0]


def revision(connection: Connection, study_id: str) -> int:
    found = connection.scalar(sa.select(studies.c.revision).where(studies.c.id == study_id))
    if found is None:
        raise NotFound(f"There is no study {study_id!r}: tunedesk study list shows them.")
    return found


def page(
    connection: Connection,
    *,
    search: str = "",
    states: Sequence[StudyState] | None = None,
    sort: str = "created_at",
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
    include_archived: bool = False,
) -> tuple[list[StudyRecord], int]:
    """One page of studies, and how many there are in all. Every word of ``search`` has to occur."""
    if sort not in SORTS:
        raise InvalidInput("sort", f"{sort!r} is not known; studies are sorted by {', '.join(SORTS)}.")
    where: list[sa.ColumnElement[bool]] = [] if include_archived else [studies.c.archived_at.is_(None)]
    if states is not None:
        where.append(studies.c.state.in_(states))
    where += [studies.c.search_text.contains(word, autoescape=True) for word in text(search).casefold().split()]
    total = connection.scalar(sa.select(sa.func.count()).select_from(studies).where(*where)) or 0
    column = studies.c[sort]
    order = [column.desc() if descending else column.asc(), studies.c.id]
    if column.nullable:
        order.insert(0, column.is_(None))
    ids = sa.select(studies.c.id).where(*where).order_by(*order).limit(limit).offset(offset).subquery()
    rows = connection.execute(_ROWS.where(studies.c.id.in_(sa.select(ids.c.id))).order_by(*order)).all()
    return [to_record(row) for row in rows], total


def sparklines(connection: Connection, study_ids: Sequence[str], points: int = 30) -> dict[str, list[float]]:
    """Best so far of each study, at most ``points`` values evenly over its finished trials, oldest first."""
    query = sa.select(studies.c.id, studies.c.best_so_far, studies.c.best_value).where(studies.c.id.in_(study_ids))
    out = {}
    for id_, kept, best in connection.execute(query):
        curve = [v for v in kept["points"] if v is not None]
        if best is not None and (not curve or curve[-1] != best):
            curve.append(best)
        n = len(curve)
        chosen = range(n) if n <= points else [round(i * (n - 1) / max(1, points - 1)) for i in range(points)]
        out[id_] = [curve[i] for i in chosen]
    return out


def to_record(row: Row) -> StudyRecord:
    fields = dict(row._mapping)
    fields["spec"] = _spec(dumps(fields["spec"]))
    return StudyRecord(**fields)


@functools.lru_cache(maxsize=512)
def _spec(stored: str) -> StudySpec:
    return StudySpec.from_stored(json.loads(stored))


# --- writing ------------------------------------------------------------------------------------------


def lock(connection: Connection, study_id: str) -> Row:
    """The study's whole row with ``now``; until the transaction ends nobody else writes to this study.

    Every write begins here, so that the order of locks is the same everywhere: study, lease, audit.
    """
    row = connection.execute(_LOCKED, {"key": study_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no study {study_id!r}: tunedesk study list shows them.")
    return row


def new_id() -> str:
    return secrets.token_hex(6)


def insert(connection: Connection, spec: StudySpec, owner: str, state: StudyState) -> str:
    """Writes a study and returns its id. Raises InvalidInput if the definition holds what JSON can't keep."""
    return insert_row(connection, spec, owner, state=state, revision=1, created_at=now(connection), message="")


def insert_row(connection: Connection, spec: StudySpec, owner: str, *, id: str | None = None, **values: Any) -> str:
    """Writes a study without trials, with these columns; a new id unless one is given."""
    id = id or new_id()
    connection.execute(
        studies.insert().values(
            id=id,
            name=spec.name,
            owner=text(owner, 200),
            bucket_width=1,
            search_text=_search_text(spec, owner),
            best_so_far={"step": 1, "points": []},
            spec=plain("study", spec.to_dict()),
            **dict.fromkeys((c.name for c in studies.c if c.name.startswith("n_")), 0),
            **values,
        )
    )
    return id


def update(connection: Connection, study_id: str, **values: Any) -> None:
    """Changes columns and moves the revision; every change that a page would show goes through here."""
    connection.execute(
        studies.update().where(studies.c.id == study_id).values(revision=studies.c.revision + 1, **values)
    )


def redefine(connection: Connection, study_id: str, spec: StudySpec) -> None:
    """Replaces the definition: a new name, budget or number of workers."""
    row = lock(connection, study_id)
    update(
        connection,
        study_id,
        name=spec.name,
        spec=plain("study", spec.to_dict()),
        search_text=_search_text(spec, row.owner),
    )


def set_state(connection: Connection, row: Row, state: StudyState, message: str = "") -> None:
    """Moves a locked study. One that ends abandons what it left queued or running."""
    values: dict[str, Any] = {"state": state, "message": text(message)}
    if state == "running" and row.started_at is None:
        values["started_at"] = row.now
    if state in ENDED:
        values["finished_at"] = row.now
        left = connection.execute(
            trials.update()
            .where(trials.c.study_id == row.id, trials.c.state.in_(("queued", "running")))
            .values(state="abandoned", finished_at=row.now, error=f"The study ended before it: {state}.")
        ).rowcount
        values |= {"n_queued": 0, "n_running": 0, "n_abandoned": studies.c.n_abandoned + left}
    elif row.finished_at is not None:
        values["finished_at"] = None
    update(connection, row.id, **values)


def count(connection: Connection, study_id: str, **changes: int) -> None:
    """Adds to the counts: ``count(connection, id, n_queued=-1, n_running=1)``."""
    update(connection, study_id, **{name: studies.c[name] + change for name, change in changes.items()})


def check_open(row: Row) -> None:
    """Raises Conflict if the study has ended."""
    if row.state in ENDED:
        raise Conflict(f"The study {row.name} has ended ({row.state}): no trial can be added or changed.")


def _search_text(spec: StudySpec, owner: str) -> str:
    return text("\n".join((spec.name, spec.objective, owner, *spec.tags))).casefold()
