"""Versions of a store: creation, agreement with the tables, up and down, copies, refusals."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.errors import StoreError
from engine.store import Store, backup, migrate, upgrade
from engine.store.database import Database
from engine.store.urls import parse
from tests.support.postgres import PostgresServer
from tests.support.studies import leased, make_study, run_trial


def set_version(url: str, version: str) -> None:
    database = Database(parse(url))
    with database.write() as connection:
        connection.execute(sa.text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = :v"), {"v": version})
    database.close()


def test_migrations_and_tables_agree(store: Store) -> None:
    with store.snapshot() as connection:
        assert migrate.differences(connection) == []


def test_versions_are_those_of_the_scripts() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "engine.store:migrations")
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in scripts)[::-1] == migrate.VERSIONS


def test_down_to_nothing_and_up_again(new_store_url: str) -> None:
    upgrade(new_store_url, "base")
    with pytest.raises(StoreError, match="no store"):
        Store.open(new_store_url)
    upgrade(new_store_url)
    with Store.open(new_store_url) as store:
        make_study(store)
        with store.snapshot() as connection:
            assert migrate.differences(connection) == []


def test_a_missing_store_is_made_only_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tunedesk.db"
    with pytest.raises(StoreError, match=r"no store at .*tunedesk\.db"):
        Store.open(path)
    assert not path.parent.exists()
    with Store.open(path, create=True) as store:
        make_study(store)
    with Store.open(f"sqlite:///{path}") as store:
        assert store.list_studies()[1] == 1


NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9000", {head!r}, None, None


def recreate():  # SQLite: copied, dropped, renamed, with rows of other tables that refer to it
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"


def upgrade():
    with op.batch_alter_table("studies", recreate=recreate()) as table:
        table.add_column(sa.Column("desk", sa.String(), nullable=False, server_default="fx"))


def downgrade():
    with op.batch_alter_table("studies", recreate=recreate()) as table:
        table.drop_column("desk")
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that gives the program another version of the tables, with a migration of its own."""

    def install() -> None:
        (tmp_path / "9000_desks.py").write_text(NEXT.format(head=migrate.HEAD))
        config = migrate._config()
        packaged = Path(migrate.__file__).parent / "migrations" / "versions"
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{packaged}\n{tmp_path}")
        monkeypatch.setattr(migrate, "_config", lambda: config)
        monkeypatch.setattr(migrate, "VERSIONS", (*migrate.VERSIONS, "9000"))
        monkeypatch.setattr(migrate, "HEAD", "9000")

    return install


def test_an_older_store_is_brought_up_on_demand_and_down_again_without_loss(new_store_url: str, next_version) -> None:
    first = migrate.HEAD
    with Store.open(new_store_url) as store:
        study_id, lease = leased(store)
        run_trial(store, lease)
        before = store.get_trial(study_id, 0)
    next_version()
    with pytest.raises(StoreError, match=r"older version .*tunedesk db upgrade"):
        Store.open(new_store_url, create=True)
    copy = upgrade(new_store_url, "9000")
    with Store.open(new_store_url) as store:
        assert store.get_trial(study_id, 0) == before
        with store.snapshot() as connection:
            assert connection.exec_driver_sql("SELECT desk FROM studies").scalar_one() == "fx"
        run_trial(store, lease)
    assert upgrade(new_store_url, "9000") is None  # nothing to do, nothing copied
    upgrade(new_store_url, first)
    with pytest.raises(StoreError, match="older version"):
        Store.open(new_store_url)
    with Store.open(new_store_url, migrate=True) as store:
        assert store.get_study(study_id).n_complete == 2
    if copy is None:
        assert new_store_url.startswith("postgresql")
        return
    with sqlite3.connect(copy) as connection:  # the copy is whole and of the old version
        assert connection.execute(f"SELECT version_num FROM {migrate.VERSION_TABLE}").fetchone() == (first,)
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (1,)


def test_a_migration_that_fails_changes_nothing(new_store_url: str, next_version, tmp_path: Path) -> None:
    with Store.open(new_store_url) as store:
        _, lease = leased(store)
        run_trial(store, lease)
    next_version()
    script = tmp_path / "9000_desks.py"
    script.write_text(
        script.read_text().replace("def downgrade", "    raise RuntimeError('power cut')\n\n\ndef downgrade")
    )
    with pytest.raises(RuntimeError, match="power cut"):
        upgrade(new_store_url, "9000")
    database = Database(parse(new_store_url))
    with database.read() as connection:
        assert "desk" not in [c["name"] for c in sa.inspect(connection).get_columns("studies")]
        assert connection.exec_driver_sql("SELECT count(*) FROM trials").scalar_one() == 1
    database.close()


def test_a_newer_store_is_refused(new_store_url: str) -> None:
    set_version(new_store_url, "9999")
    with pytest.raises(StoreError, match="newer version of Tunedesk"):
        Store.open(new_store_url, create=True, migrate=True)
    with pytest.raises(StoreError, match="newer version of Tunedesk"):
        upgrade(new_store_url)


def test_another_programs_database_is_left_alone(tmp_path: Path, postgres_server: PostgresServer) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE studies (study_id INTEGER)")
    url = postgres_server.database()
    postgres_server.execute("CREATE TABLE studies (study_id INTEGER)", url.rpartition("/")[2])
    for place in (str(path), url):
        with pytest.raises(StoreError, match="another program"):
            Store.open(place, create=True)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_many_processes_may_create_the_same_store(tmp_path: Path) -> None:
    code = "import sys; from engine.store import Store; Store.open(sys.argv[1], create=True).close()"
    path = str(tmp_path / "tunedesk.db")
    started = [subprocess.Popen([sys.executable, "-c", code, path], stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    Store.open(path).close()


def test_backup_of_a_store_in_use(tmp_path: Path) -> None:
    path, target = tmp_path / "tunedesk.db", tmp_path / "copy.db"
    with Store.open(path, create=True) as store:
        study_id, lease = leased(store)
        run_trial(store, lease)
        backup(path, target)
        run_trial(store, lease)
        with Store.open(target) as copy:
            assert copy.get_study(study_id).n_complete == 1
    with pytest.raises(StoreError, match="exists"):
        backup(path, target)
    assert not list(tmp_path.glob("*.partial"))
