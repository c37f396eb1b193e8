"""`tunedesk demo` and `up`: they start, heal, stop cleanly, go on where they were, and say why if they can't."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from engine.errors import StoreError
from engine.governance import proposals
from engine.store import Store
from tests.cli.support import Run, spawn

Found = TypeVar("Found")
START_SECONDS = 90


def _wait_for(condition: Callable[[], Found], what: str, seconds: float = START_SECONDS) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def desks() -> Iterator[list[subprocess.Popen[str]]]:
    """Desks that a failed test left running are ended."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for desk in started:
        if desk.poll() is None:
            desk.kill()
            desk.wait()


def _first_lines(desk: subprocess.Popen[str]) -> str:
    """What it prints once it answers; a desk that ends instead fails the test with its reason."""
    assert desk.stdout is not None
    line = desk.stdout.readline()
    assert line, desk.stderr.read() if desk.stderr else ""
    return line


def _family(desk: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(desk.pid).children(recursive=True)


def _gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def _engine(desk: subprocess.Popen[str]) -> psutil.Process | None:
    """The engine itself, not its fork server or workers."""
    for child in psutil.Process(desk.pid).children():
        with contextlib.suppress(psutil.Error):  # it ended while we looked
            if "engine.cli" in child.cmdline():
                return child
    return None


def test_the_demo_from_its_first_start_to_its_second(
    tmp_path: Path, port: int, desks: list[subprocess.Popen[str]]
) -> None:
    arguments = ("demo", "--dir", "here", "--port", port, "--no-browser")
    desk = spawn(*arguments, cwd=tmp_path)
    desks.append(desk)
    assert f"http://127.0.0.1:{port}" in _first_lines(desk)
    folder = tmp_path / "here"
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    listening = [c.laddr for p in _family(desk) for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert {address.ip for address in listening} == {"127.0.0.1"}

    with Store.open(folder / "tunedesk.db", readonly=True) as store:
        _, n_samples = store.list_studies()
        assert n_samples >= 3
        [proposal], _ = proposals.page(store)
        assert (proposal.scope, proposal.state) == ("strategy-wti", "in_review")
        _wait_for(lambda: any(s.n_finished > 2 for s in store.list_studies()[0]), "trials of a sample study")

        engine = _engine(desk)
        assert engine is not None
        engine.kill()
        healed = _wait_for(lambda: e if (e := _engine(desk)) and e.pid != engine.pid else None, "another engine")
        assert desk.poll() is None

        family = _family(desk)
        os.killpg(desk.pid, signal.SIGINT)  # Ctrl-C in a terminal
        assert desk.wait(30) == 0
        _wait_for(lambda: _gone([*family, healed]), "every process to end", 5)
        before = {s.id: s.n_finished for s in store.list_studies()[0]}

        desk = spawn(*arguments, cwd=tmp_path)
        desks.append(desk)
        _first_lines(desk)
        after = {s.id: s.n_finished for s in store.list_studies()[0]}
        assert after.keys() == before.keys()  # no second set of samples
        assert all(after[study_id] >= n for study_id, n in before.items())

        family = _family(desk)
        desk.kill()  # even then nothing stays behind
        _wait_for(lambda: _gone(family), "every process to end", 10)


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path, tunedesk: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for verb in (
            ["demo", "--dir", "here"],
            ["up", "--store", "store.db"],
            ["dashboard", "--store", "store.db"],
        ):
            result = tunedesk(*verb, "--port", port)
            assert result.returncode == 2
            assert f"port: {port} is taken by another program" in result.stderr
            assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_opened_is_said_in_one_sentence(tmp_path: Path, tunedesk: Run, port: int) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "tunedesk.db").write_text("these are my notes, no database, " * 50)
    result = tunedesk("demo", "--dir", "here", "--port", port, "--no-browser")
    assert result.returncode == 2
    assert "is not a Tunedesk store" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    result = tunedesk("demo", "--dir", "here/tunedesk.db", "--port", port, "--no-browser")
    assert result.returncode == 2
    assert "The folder here/tunedesk.db can't be made" in result.stderr
    with pytest.raises(StoreError):
        Store.open(tmp_path / "here" / "tunedesk.db")
