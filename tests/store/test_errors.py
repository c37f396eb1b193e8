"""Every way a database can fail is a sentence that names the place, never a password, and never a lost state."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import StoreError, StoreUnavailable
from engine.store import Store, database, upgrade
from engine.store.urls import parse, place
from tests.support.postgres import PASSWORD, PostgresServer
from tests.support.studies import leased, make_study, run_trial


@pytest.fixture
def file_store(tmp_path: Path):
    with Store.open(tmp_path / "tunedesk.db", create=True) as store:
        yield store


def execute(store: Store, *statements: str | tuple[str, tuple[str, ...]]) -> None:
    """Statements in one transaction, past the store's methods."""
    with store.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(*([statement] if isinstance(statement, str) else statement))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "No store is named"),
        (":memory:", "in memory"),
        ("sqlite://", "in memory"),
        ("mysql://root:hunter2@host/x", "mysql is no store"),
        ("postgresql://user:hunter2@host:port/x", "can't be read"),
        ("postgresql://user:hunter2@host", "names no database"),
        ("http://host/x", "is no store|can't be read"),
    ],
)
def test_an_unusable_url_gets_a_sentence_without_its_password(text: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as error:
        Store.open(text)
    assert "hunter2" not in str(error.value)


def test_paths_and_urls_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = str(tmp_path / "a.db")
    for text in ("a.db", "./a.db", "~/a.db", f"sqlite:///{path}", "sqlite:///a.db", path):
        assert Path(place(parse(text))).resolve() == Path(path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but longer than a header " * 10)
    for create in (False, True):
        with pytest.raises(StoreError, match=r"notes\.txt is not a Tunedesk store"):
            Store.open(path, create=create)
    assert path.read_text().startswith("not a database")


def test_a_folder_that_cant_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"The folder .*file/sub can't be made: Not a directory"):
        Store.open(tmp_path / "file" / "sub" / "tunedesk.db", create=True)
    with pytest.raises(StoreError, match="can't be opened"):
        Store.open(tmp_path, create=True)


def test_reading_only_refuses_writes_and_reads_beside_a_writer(file_store: Store) -> None:
    study_id, lease = leased(file_store)
    with Store.open(file_store.url, readonly=True) as reader:
        run_trial(file_store, lease)
        assert reader.get_study(study_id).n_complete == 1
        with pytest.raises(StoreError, match="for reading only"):
            reader.beat("engine-1")
    with pytest.raises(StoreError, match="no store"):
        Store.open(file_store.url + ".other", readonly=True, create=False)


def test_a_locked_file_is_said_to_be_locked_and_recovers(
    file_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    study_id = make_study(file_store)
    with Store.open(file_store.url) as impatient:
        blocker = sqlite3.connect(file_store.url, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"tunedesk\.db is locked by another program"):
            impatient.beat("engine-1")
        assert impatient.get_study(study_id).id == study_id  # reads don't wait
        blocker.execute("ROLLBACK")
        blocker.close()
        impatient.beat("engine-1")


def test_a_full_disk_is_said_to_be_full_and_recovers(file_store: Store) -> None:
    study_id, lease = leased(file_store)
    before = file_store.events()
    with file_store.snapshot() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def overfill() -> None:
        insert = "INSERT INTO events (study_id, at, actor, kind, text) VALUES (NULL, 0, 'a', 'b', ?)"
        execute(file_store, f"PRAGMA max_page_count = {pages}", *[(insert, ("x" * 1000,))] * 1000)

    with pytest.raises(StoreUnavailable, match="disk is full"):
        overfill()
    file_store._database.engine.dispose()  # the limit belongs to the connection
    assert file_store.events() == before
    run_trial(file_store, lease)
    assert file_store.get_study(study_id).n_complete == 1


def test_a_read_only_file_is_said_to_be_read_only(file_store: Store) -> None:
    make_study(file_store)
    with pytest.raises(StoreUnavailable, match="read-only"):
        execute(file_store, "PRAGMA query_only = ON", "DELETE FROM events")
    file_store._database.engine.dispose()
    assert len(file_store.events()) == 1


def test_a_damaged_file_is_said_to_be_damaged(file_store: Store) -> None:
    study_id, lease = leased(file_store)
    for _ in range(20):
        run_trial(file_store, lease)
    file_store.close()
    path = Path(file_store.url)
    content = bytearray(path.read_bytes())
    content[3 * 4096 :] = b"\xff" * (len(content) - 3 * 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged|is not a Tunedesk store"), Store.open(path) as store:
        store.list_trials(study_id)


def test_no_server_wrong_password_missing_database(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    upgrade(url)
    name = url.rpartition("/")[2]
    cases = {
        postgres_server.url(name, password="hunter2"): (StoreError, "refuses this user or password"),
        postgres_server.url("nowhere"): (StoreError, "doesn't exist on its server"),
        f"postgresql://u:hunter2@127.0.0.1:1/{name}": (StoreUnavailable, "can't be reached"),
        f"postgresql://u:hunter2@no-such-host.invalid/{name}?password=hunter2": (StoreUnavailable, "can't be reached"),
    }
    for broken, (kind, words) in cases.items():
        with pytest.raises(kind, match=words) as error:
            Store.open(broken)
        assert "hunter2" not in str(error.value)
        assert PASSWORD not in str(error.value)
        assert "postgresql://" in str(error.value)


def test_a_cut_connection_recovers_by_itself(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    name = url.rpartition("/")[2]
    with Store.open(url, create=True) as store:
        study_id, lease = leased(store)
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        postgres_server.execute(cut)
        run_trial(store, lease)  # an idle connection that was cut is replaced unseen

        def cut_within() -> None:
            with store.transaction() as connection:
                postgres_server.execute(cut)
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises(StoreUnavailable, match=r"lost its connection|not served"):
            cut_within()
        run_trial(store, lease)
        assert store.get_study(study_id).n_complete == 2


def test_a_restart_of_the_server_recovers_by_itself(postgres_server: PostgresServer) -> None:
    url = postgres_server.database()
    with Store.open(url, create=True) as store:
        study_id, lease = leased(store)
        postgres_server.stop("immediate")
        try:
            with pytest.raises(StoreUnavailable, match=r"can't be reached|lost its connection"):
                store.get_study(study_id)
        finally:
            postgres_server.start()
        run_trial(store, lease)
        assert store.get_study(study_id).n_complete == 1


def test_opening_a_store_needs_no_alembic(file_store: Store) -> None:
    code = (
        "import sys; from engine.store import Store; Store.open(sys.argv[1]).list_studies(); "
        "print([m for m in ('alembic', 'pandas', 'psycopg') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code, file_store.url], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
