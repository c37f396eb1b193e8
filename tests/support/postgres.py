"""A PostgreSQL server of the tests' own: a private cluster on loopback that is gone when the tests end."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

USER, PASSWORD = "tunedesk", "correct/horse battery"


class PostgresServer:
    """A running server. ``database()`` makes an empty database and gives its URL."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries, self.folder = binaries, folder
        self.data = folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def run(self, program: str, *arguments: str) -> None:
        """A program of PostgreSQL, as the user postgres when we are root: it refuses to run as root."""
        command = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60)

    def initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            shutil.chown(secret, "postgres", "postgres")
        self.run(
            "initdb", f"--pgdata={self.data}", f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories='' -c fsync=off"
            " -c full_page_writes=off -c max_connections=200"
        )
        log = self.folder / "server.log"
        self.run("pg_ctl", "start", "--wait", f"--pgdata={self.data}", f"--log={log}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "stop", "--wait", f"--pgdata={self.data}", f"--mode={mode}")

    def url(self, name: str, user: str = USER, password: str = PASSWORD) -> str:
        quoted = password.replace("/", "%2F").replace(" ", "%20")
        return f"postgresql://{user}:{quoted}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def database(self) -> str:
        name = f"t_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)


def find_binaries() -> Path | None:
    """The folder with initdb and pg_ctl: Debian keeps one a version, the newest is taken."""
    folders = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "initdb").exists()]
    if folders:
        return max(folders, key=lambda p: float(p.parent.name))
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def running_server(binaries: Path) -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="tunedesk-postgresql-"))
    server = PostgresServer(binaries, folder)
    try:
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
