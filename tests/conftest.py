"""Fixtures that several packages' tests share: a store on each database."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import Store, tables, upgrade
from tests.support.postgres import PostgresServer, find_binaries, running_server


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """AppTest leaves its page in the place of __main__, and the worker processes of later tests would run that page."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL isn't installed, and CI may not skip its tests.")
        pytest.skip("PostgreSQL isn't installed (Debian: apt install postgresql).")
    with running_server(binaries) as server:
        yield server


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "tunedesk.db"
    upgrade(path)
    return path


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer) -> str:
    """A PostgreSQL store that the tests share one after another: making one for each would take most of their time."""
    url = postgres_server.database()
    upgrade(url)
    return url


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return str(shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "tunedesk.db"))
    url: str = request.getfixturevalue("shared_database")
    with Store.open(url) as opened, opened.transaction() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(tables.audit_head.insert().values(id=1, seq=0, hash="0" * 64))
    return url


@pytest.fixture(params=BOTH)
def new_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store of the test's own, for one that changes the tables or the version."""
    if request.param == "sqlite":
        yield str(shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "tunedesk.db"))
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.database()
    upgrade(url)
    yield url
    server.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened
