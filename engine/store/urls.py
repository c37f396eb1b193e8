"""Where a store is: a path or URL as users write it -> a database URL, and its name in messages."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from engine.errors import StoreError

DEFAULT_NAME = "tunedesk.db"
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/")


def parse(text: str | Path) -> URL:
    """``tunedesk.db``, ``sqlite:////data/tunedesk.db`` or ``postgresql://user:password@host/name`` -> URL.

    Raises StoreError. The text may hold a password, so that no message repeats it.
    """
    text = str(text).strip()
    if not text:
        raise StoreError("No store is named: give the path of a SQLite file or a postgresql:// URL.")
    if not _SCHEME.match(text):
        return _sqlite(text)
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise StoreError("The store's URL can't be read: it looks like postgresql://user@host:5432/name.") from None
    if backend == "sqlite":
        return _sqlite(url.database or "")
    if backend in ("postgresql", "postgres"):
        if not url.database:
            raise StoreError(f"The store's URL names no database: {place(url)} needs a name at its end.")
        return url.set(drivername="postgresql+psycopg")
    raise StoreError(f"{backend} is no store: give the path of a SQLite file or a postgresql:// URL.")


def _sqlite(path: str) -> URL:
    if path in ("", ":memory:"):
        raise StoreError("A store in memory can't be shared between engine and dashboard: give the path of a file.")
    return URL.create("sqlite+pysqlite", database=str(Path(path).expanduser().absolute()))


def place(url: URL) -> str:
    """The store in a message: the file's path, or the server without user's password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()
