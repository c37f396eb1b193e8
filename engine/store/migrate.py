"""Versions of a store: which one it has, bringing it to this program's, copies before a change."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.urls import parse

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS = ("0001", "0002")
"""Every version of the tables, oldest first; kept here so that opening a store needs no Alembic."""
HEAD = VERSIONS[-1]
_LOCK = 0x74756E65  # PostgreSQL's advisory lock while a store is migrated: "tune"
VERSION_TABLE = "tunedesk_version"
_VERSION = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))


def check(database: Database) -> str:
    """What has to happen before the store can be used: 'create', 'upgrade' or '' for nothing.

    Raises StoreError if it can't be opened, isn't a store, or is of a newer program.
    """
    if database.sqlite and not Path(str(database.url.database)).exists():
        return "create"
    with database.read() as connection:
        return _need(connection, database.place)


def open_database(url: str | Path, *, create: bool, migrate: bool, readonly: bool) -> Database:
    """A database of this program's version. Raises StoreError with the reason and what to do."""
    database = Database(parse(url), readonly=readonly)
    try:
        need = check(database)
        if need == "create" and not create:
            raise StoreError(f"There is no store at {database.place}: tunedesk db upgrade makes one.")
        if need == "upgrade" and not migrate:
            raise StoreError(
                f"The store {database.place} was made by an older version of Tunedesk: run tunedesk db upgrade."
            )
        if need:
            if readonly:
                raise StoreError(f"The store {database.place} can't be made or changed while it is read only.")
            upgrade(url)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(url: str | Path, target: str | None = None) -> Path | None:
    """Creates the store or brings it to ``target`` (this program's version, or an older one, or 'base').

    Returns the copy of a SQLite file that was made before a change, else None.

    Safe to call from several processes at once: one migrates, the others find the work done.
    """
    parsed, target = parse(url), target or HEAD
    copy: Path | None = None
    if parsed.get_backend_name() == "sqlite":
        _make_folder(parsed)
    database = Database(parsed, migrating=True)
    try:
        if database.sqlite:
            _write_ahead_log(database)
        need = check(database)
        if not need and target == HEAD:
            return None
        if database.sqlite and need != "create":
            copy = _copy_beside(database)
        with database.write(durable=True) as connection:
            if not database.sqlite:  # SQLite's write transaction is a lock by itself
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            if _need(connection, database.place) or target != HEAD:
                _run(connection, target)
    finally:
        database.close()
    return copy


def backup(url: str | Path, target: str | Path) -> Path:
    """A consistent copy of a SQLite store while it is in use. PostgreSQL has pg_dump for that."""
    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite":
        raise StoreError("A PostgreSQL store is backed up with pg_dump.")
    source, target = Path(str(parsed.database)), Path(target)
    if not source.exists():
        raise StoreError(f"There is no store at {source}.")
    if target.exists():
        raise StoreError(f"{target} exists: name a new file for the backup.")
    database = Database(parsed)
    partial = target.with_name(target.name + ".partial")
    try:
        with database.errors_in_words():
            old, new = sqlite3.connect(source), sqlite3.connect(partial)
            try:
                old.backup(new)
                new.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            finally:
                old.close()
                new.close()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
        database.close()
    return target


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to make the database as tables.py says; empty when both agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from engine.store.tables import metadata

    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
    )
    return list(compare_metadata(context, metadata))


def _need(connection: Connection, where: str) -> str:
    names = sa.inspect(connection).get_table_names()
    if VERSION_TABLE not in names:
        if "studies" in names or (names and connection.dialect.name == "sqlite"):
            raise StoreError(f"{where} is a database of another program, not a Tunedesk store.")
        return "create"
    version = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    if version is None:
        return "create"
    if version not in VERSIONS:
        raise StoreError(f"The store {where} was made by a newer version of Tunedesk: update this program.")
    return "" if version == HEAD else "upgrade"


def _run(connection: Connection, target: str) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    version = None
    if VERSION_TABLE in sa.inspect(connection).get_table_names():
        version = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    order = ["base", *VERSIONS]
    down = order.index(target) < order.index(version or "base")
    (command.downgrade if down else command.upgrade)(config, target)
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StoreError("The migration would have left rows without what they refer to; nothing was changed.")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "engine.store:migrations")
    return config


def _make_folder(url: URL) -> None:
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} can't be made: {error.strerror}.") from None


def _write_ahead_log(database: Database) -> None:
    """Readers and the writer don't wait for each other in this mode; the file remembers it."""
    with database.errors_in_words():
        raw = database.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            raw.close()


def _copy_beside(database: Database) -> Path:
    path = Path(str(database.url.database))
    name = f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}"
    names = (f"{name}{suffix}.backup" for suffix in ("", *(f"-{i}" for i in range(2, 1000))))
    return backup(path, next(path.with_name(n) for n in names if not path.with_name(n).exists()))
