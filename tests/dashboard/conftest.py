"""A store of its own for each test of the dashboard, and pages run without a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.store import Store, upgrade
from tests.dashboard.seeding import many_studies

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PAGES = {
    "studies": "app_pages/studies.py",
    "overview": "app_pages/overview.py",
    "surrogate": "app_pages/surrogate.py",
    "new_study": "app_pages/new_study.py",
    "approvals": "app_pages/approvals.py",
    "live": "app_pages/live.py",
    "limits": "app_pages/limits.py",
    "audit": "app_pages/audit.py",
}
TIMEOUT = 60.0


@pytest.fixture(scope="session")
def _templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An empty store and one with studies in every state, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("templates")
    empty, full = folder / "empty.db", folder / "full.db"
    upgrade(empty)
    upgrade(full)
    with Store.open(full) as store:
        many_studies(store)
    return {"empty": empty, "full": full}


@pytest.fixture
def empty_store(_templates: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from _opened(_templates["empty"], tmp_path, monkeypatch)


@pytest.fixture
def full_store(_templates: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Studies in every state; see tests.dashboard.seeding."""
    yield from _opened(_templates["full"], tmp_path, monkeypatch)


def _opened(template: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    path = folder / "tunedesk.db"
    shutil.copy(template, path)
    monkeypatch.setenv("TUNEDESK_STORE", str(path))
    monkeypatch.delenv("TUNEDESK_OBJECTIVES", raising=False)
    with Store.open(path) as store:
        yield store


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """open_page("overview", study=…) runs the app on a page as a browser in Berlin would see it."""

    def run(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(APP, default_timeout=TIMEOUT)
        app.context = {"timezone": "Europe/Berlin", "theme": "light"}
        if page == "studies":
            app.query_params.update(query)
            return app.run()
        app.run()
        app.switch_page(PAGES[page])
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return run


def study_called(store: Store, word: str) -> str:
    """The id of the one study that a search for the word finds."""
    [found], _ = store.list_studies(search=word)
    return found.id


def texts(app: AppTest) -> str:
    """Everything that the page says, as one text."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "success")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))
