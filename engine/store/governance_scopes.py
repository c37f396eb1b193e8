"""Scopes, the versions of their definitions, and freeze windows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from engine.errors import Conflict, NotFound
from engine.store.database import clock, now
from engine.store.governance_records import DefinitionRecord, FreezeRecord, ScopeRecord
from engine.store.tables import freeze_windows, scope_definitions, scopes
from engine.store.values import plain, text

_ROWS = sa.select(
    scopes,
    scope_definitions.c.definition,
    clock().label("now"),
).select_from(
    scopes.join(
        scope_definitions,
        sa.and_(
            scope_definitions.c.scope == scopes.c.name,
            scope_definitions.c.version == scopes.c.definition_version,
        ),
    )
)

_ONE = _ROWS.where(scopes.c.name == sa.bindparam("name"))  # built once: every reader needs it


def get(connection: Connection, name: str) -> ScopeRecord:
    """Raises NotFound."""
    row = connection.execute(_ONE, {"name": name}).one_or_none()
    if row is None:
        raise NotFound(f"There is no scope {name!r}: tunedesk scope list shows them.")
    return ScopeRecord(**row._mapping)


def lock(connection: Connection, name: str) -> ScopeRecord:
    """The scope; until the transaction ends nobody else writes to it, its proposals or what is live in it.

    Every write begins here, so that the order of locks is the same everywhere: scope, audit. Several scopes are
    locked by name.
    """
    connection.execute(sa.select(scopes.c.name).where(scopes.c.name == name).with_for_update())
    return get(connection, name)


def lock_all(connection: Connection) -> list[ScopeRecord]:
    names = connection.scalars(sa.select(scopes.c.name).order_by(scopes.c.name).with_for_update()).all()
    return [get(connection, name) for name in names]


def listed(connection: Connection) -> list[ScopeRecord]:
    """All scopes by name."""
    return [ScopeRecord(**row._mapping) for row in connection.execute(_ROWS.order_by(scopes.c.name))]


def insert(connection: Connection, definition: dict[str, Any], actor: str, reason: str) -> ScopeRecord:
    """Raises Conflict if the name is taken."""
    name = definition["name"]
    at = now(connection)
    insert_ = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = connection.execute(
        insert_(scopes)
        .values(
            name=name, revision=1, definition_version=1, live_version=1, created_at=at, created_by=text(actor, 200)
        )
        .on_conflict_do_nothing()
        .returning(scopes.c.name)
    ).first()  # fmt: skip
    if made is None:
        raise Conflict(f"There is a scope {name} already: choose another name, or change its limits.")
    add_definition(connection, name, 1, definition, actor, None, reason, at)
    return lock(connection, name)


def update(connection: Connection, name: str, **values: Any) -> None:
    """Changes columns and moves the revision."""
    connection.execute(scopes.update().where(scopes.c.name == name).values(revision=scopes.c.revision + 1, **values))


def add_definition(
    connection: Connection, name: str, version: int, definition: dict[str, Any], actor: str,
    confirmed_by: str | None, reason: str, at: float,
) -> None:  # fmt: skip
    connection.execute(
        scope_definitions.insert().values(
            scope=name, version=version, at=at, actor=text(actor, 200), confirmed_by=confirmed_by,
            reason=text(reason, 4000), definition=plain("definition", definition),
        )
    )  # fmt: skip


def definitions(connection: Connection, name: str) -> list[DefinitionRecord]:
    """Newest first."""
    query = sa.select(scope_definitions).where(scope_definitions.c.scope == name)
    rows = connection.execute(query.order_by(scope_definitions.c.version.desc()))
    return [DefinitionRecord(**row._mapping) for row in rows]


def definition_at(connection: Connection, name: str, at: float) -> DefinitionRecord | None:
    """The definition that was in force at a time."""
    query = sa.select(scope_definitions).where(scope_definitions.c.scope == name, scope_definitions.c.at <= at)
    row = connection.execute(query.order_by(scope_definitions.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else DefinitionRecord(**row._mapping)


# --- freeze windows ---------------------------------------------------------------------------------------


def add_freeze(
    connection: Connection, scope: str, starts_at: float, ends_at: float, actor: str, reason: str
) -> FreezeRecord:
    key = connection.execute(
        freeze_windows.insert().values(
            scope=scope, starts_at=starts_at, ends_at=ends_at, at=now(connection), actor=text(actor, 200),
            reason=text(reason, 4000),
        )
    ).inserted_primary_key  # fmt: skip
    assert key is not None
    return freeze(connection, key[0])


def freeze(connection: Connection, freeze_id: int) -> FreezeRecord:
    row = connection.execute(sa.select(freeze_windows).where(freeze_windows.c.id == freeze_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no freeze window {freeze_id}.")
    return FreezeRecord(**row._mapping)


def end_freeze(connection: Connection, freeze_id: int, at: float, actor: str) -> None:
    connection.execute(
        freeze_windows.update().where(freeze_windows.c.id == freeze_id).values(ends_at=at, ended_by=text(actor, 200))
    )


def freezes(connection: Connection, scopes_: tuple[str, ...] | None, since: float) -> list[FreezeRecord]:
    """Windows that end after ``since``, the next one first; of these scopes ('*' is not implied), or all."""
    query = sa.select(freeze_windows).where(freeze_windows.c.ends_at > since)
    if scopes_ is not None:
        query = query.where(freeze_windows.c.scope.in_(scopes_))
    rows = connection.execute(query.order_by(freeze_windows.c.starts_at, freeze_windows.c.id))
    return [FreezeRecord(**row._mapping) for row in rows]
