"""Engines for the tests of this folder; workloads are on the allow-list of this process too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.objectives.catalogue import ALLOW_VARIABLE
from engine.store import Store
from tests.service import workloads
from tests.service.support import Engines


@pytest.fixture(autouse=True, scope="session")
def _allow_workloads() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ALLOW_VARIABLE, workloads.PATH)
        yield


@pytest.fixture
def local_store(tmp_path: Path) -> Iterator[Store]:
    """A fresh SQLite store, for what doesn't depend on the database."""
    with Store.open(tmp_path / "tunedesk.db", create=True) as store:
        yield store


@pytest.fixture
def engines(local_store: Store, tmp_path: Path) -> Iterator[Engines]:
    running = Engines(local_store.url, tmp_path / "engines.log")
    yield running
    running.close()


@pytest.fixture(scope="module")
def busy_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with one engine at work, for studies that don't disturb each other."""
    folder = tmp_path_factory.mktemp("busy")
    with Store.open(folder / "tunedesk.db", create=True) as store:
        running = Engines(store.url, folder / "engines.log")
        running.start("--studies", "4")
        yield store
        running.close()
