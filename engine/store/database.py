"""A database: connections, transactions, its clock, and its errors in words. Knows nothing of studies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from engine.errors import StoreError, StoreUnavailable
from engine.store.urls import place
from engine.store.values import dumps

BUSY_SECONDS = 20.0
"""How long a write waits for another before the store counts as locked."""


class clock(FunctionElement):
    """The database's clock in seconds since the epoch; SQLite's is exact to a millisecond."""

    type = sa.Double()
    name = "clock"
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(element: Any, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _postgresql_clock(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


def now(connection: Connection) -> float:
    return cast(float, connection.execute(sa.select(clock())).scalar_one())


class Database:
    """Opens connections when they are needed; safe to share between threads, not across a fork.

    migrating: a SQLite file is created if it is missing, and foreign keys rest while tables are rebuilt.
    """

    def __init__(self, url: URL, *, readonly: bool = False, migrating: bool = False) -> None:
        self.url = url
        self.migrating = migrating
        self.place = place(url)
        self.readonly = readonly
        self.sqlite = url.get_backend_name() == "sqlite"
        self.engine = self._sqlite_engine() if self.sqlite else self._postgresql_engine()
        self._reader = self.engine if self.sqlite else self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )  # fmt: skip

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the store. On SQLite it never waits for a writer nor keeps one waiting."""
        with self.errors_in_words(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that is committed at the end, or undone if anything is raised. Keep it short.

        durable: it survives a power cut too. Others survive the death of every process, and a power cut loses at
        most the last of them, never a part of one (SQLite; PostgreSQL is always durable).
        """
        if self.readonly:
            raise StoreError(f"The store {self.place} was opened for reading only.")
        with self.errors_in_words(), self.engine.connect() as plain:
            connection = plain.execution_options(tunedesk_write=True, tunedesk_durable=durable)
            with connection.begin():
                yield connection

    @contextmanager
    def errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except exc.TimeoutError:
            raise StoreUnavailable(f"The store {self.place} is busy: every connection is in use. Try again.") from None
        except exc.IntegrityError:
            raise  # the modules check before they write, so that this one is a bug
        except (exc.DBAPIError, sqlite3.DatabaseError) as error:
            raise _in_words(error, self.place, self.sqlite) from error

    def _sqlite_engine(self) -> Engine:
        path = Path(str(self.url.database))
        mode = "ro" if self.readonly else "rwc" if self.migrating else "rw"

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                f"{path.as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,  # transactions are begun below, not by the driver
                check_same_thread=False,
            )
            connection.execute(f"PRAGMA foreign_keys = {'OFF' if self.migrating else 'ON'}")
            if self.readonly:
                connection.execute("PRAGMA query_only = ON")
            return connection

        engine = sa.create_engine(
            "sqlite+pysqlite://", creator=connect, poolclass=sa.QueuePool, pool_size=5, max_overflow=20,
            json_serializer=dumps,
        )  # fmt: skip

        @sa.event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            options = connection.get_execution_options()
            if options.get("tunedesk_write"):
                level = "FULL" if options.get("tunedesk_durable") else "NORMAL"
                connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql("BEGIN")

        return engine

    def _postgresql_engine(self) -> Engine:
        try:
            engine = sa.create_engine(
                self.url, pool_size=5, max_overflow=20, pool_pre_ping=True, pool_recycle=1800, json_serializer=dumps,
                connect_args={"connect_timeout": 10, "application_name": "tunedesk"},
            )  # fmt: skip
        except ImportError:
            raise StoreError(
                "PostgreSQL needs the driver psycopg: install it with pip install 'tunedesk[postgres]'."
            ) from None

        @sa.event.listens_for(engine, "connect")
        def settings(connection: Any, record: Any) -> None:
            autocommit, connection.autocommit = connection.autocommit, True
            connection.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
            connection.execute("SET idle_in_transaction_session_timeout = 60000")
            connection.autocommit = autocommit

        return engine


def _in_words(error: exc.DBAPIError | sqlite3.DatabaseError, where: str, sqlite: bool) -> StoreError:
    """The sentence for a driver's error. The driver's own text stays out where it could hold a password."""
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    return (_sqlite_words if sqlite else _postgresql_words)(original, where)


_SQLITE: dict[str, tuple[type[StoreError], str]] = {
    "SQLITE_BUSY": (StoreUnavailable, "is locked by another program: try again, or end what holds it"),
    "SQLITE_LOCKED": (StoreUnavailable, "is locked by another program: try again, or end what holds it"),
    "SQLITE_FULL": (StoreUnavailable, "can't be written, the disk is full: free some space"),
    "SQLITE_READONLY": (StoreUnavailable, "can't be written: it is read-only for this user"),
    "SQLITE_IOERR": (StoreUnavailable, "can't be read or written: the disk reports an error"),
    "SQLITE_CANTOPEN": (StoreUnavailable, "can't be opened: check the folder and its permissions"),
    "SQLITE_PERM": (StoreUnavailable, "can't be opened: check the file's permissions"),
    "SQLITE_NOTADB": (StoreError, "is not a Tunedesk store: the file is no SQLite database"),
    "SQLITE_CORRUPT": (StoreError, "is damaged: restore a backup"),
}


def _sqlite_words(original: BaseException | None, where: str) -> StoreError:
    name = getattr(original, "sqlite_errorname", "") or ""
    for prefix, (kind, words) in _SQLITE.items():
        if name.startswith(prefix):
            return kind(f"The store {where} {words}.")
    return StoreError(f"The store {where} reports: {original}.")


_POSTGRESQL: dict[str, tuple[type[StoreError], str]] = {
    "28": (StoreError, "refuses this user or password"),
    "3D": (StoreError, "doesn't exist on its server: create the database first"),
    "42501": (StoreError, "forbids this to its user: grant the right"),
    "25006": (StoreUnavailable, "can't be written: the server is read-only"),
    "53100": (StoreUnavailable, "can't be written, the server's disk is full: free some space"),
    "53": (StoreUnavailable, "has no resources left on its server: try again"),
    "55P03": (StoreUnavailable, "is locked by another program: try again, or end what holds it"),
    "40": (StoreUnavailable, "was changed at the same moment by somebody else: try again"),
    "57": (StoreUnavailable, "is not served: the server restarts or shuts down"),
    "58": (StoreUnavailable, "can't be read or written: the server's disk reports an error"),
    "08": (StoreUnavailable, "lost its connection: try again"),
    "25P03": (StoreUnavailable, "lost its connection: try again"),
}


def _postgresql_words(original: BaseException | None, where: str) -> StoreError:
    code = getattr(original, "sqlstate", None) or ""
    for prefix, (kind, words) in _POSTGRESQL.items():
        if code.startswith(prefix):
            return kind(f"The store {where} {words}.")
    if code:
        return StoreError(f"The store {where} reports: {str(original).splitlines()[0]}.")
    message = str(original)  # no code: the connection failed before the server spoke, or broke
    for mark, words in (
        ("password authentication failed", "refuses this user or password"),
        ("no password supplied", "refuses this user or password"),
        ("does not exist", "doesn't exist on its server: create the database and the user first"),
    ):
        if mark in message:
            return StoreError(f"The store {where} {words}.")
    return StoreUnavailable(f"The store {where} can't be reached: no server answers, or the connection was cut.")
