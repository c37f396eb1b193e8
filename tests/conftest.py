"""Fixtures that several packages' tests share: a store on each database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import Store, upgrade
from tests.support.postgres import PostgresServer, find_binaries, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL isn't installed, and CI may not skip its tests.")
        pytest.skip("PostgreSQL isn't installed (Debian: apt install postgresql).")
    with running_server(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def _migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An empty store of each kind, migrated once and copied for each test."""
    return {}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    _migrated: dict[str, str],
) -> str:
    """The URL of a fresh store, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        if "sqlite" not in _migrated:
            _migrated["sqlite"] = str(tmp_path_factory.mktemp("template") / "tunedesk.db")
            upgrade(_migrated["sqlite"])
        path = tmp_path / "tunedesk.db"
        shutil.copy(_migrated["sqlite"], path)
        return str(path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    if "postgresql" not in _migrated:
        url = server.database()
        upgrade(url)
        _migrated["postgresql"] = url.rpartition("/")[2]
    return server.database(template=_migrated["postgresql"])


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened
