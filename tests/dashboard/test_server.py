"""Starting and stopping the dashboard as a process: what can't work is one sentence and exit code 2."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dashboard import server
from engine.errors import InvalidInput
from engine.ports import check_port
from engine.store import Store

START_SECONDS = 90


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TUNEDESK_", "STREAMLIT_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard.server", *arguments],
        cwd=folder,
        env=environment | {"TUNEDESK_TOKEN": "t"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(folder: Path, *arguments: str) -> str:
    """What the server says when it can't start."""
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2, out + err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    return err.strip()


def test_a_missing_store_is_one_sentence(tmp_path: Path) -> None:
    assert "There is no store at" in refused(tmp_path, "--store", "nowhere.db")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_store_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("These are my notes, a hundred of them." * 100)
    assert refused(tmp_path, "--store", "notes.db").endswith(".")


def test_a_taken_port_is_one_sentence(empty_store: Store, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(tmp_path, "--store", empty_store.url, "--port", str(port))
    assert said == f"port: {port} is taken by another program: choose another one, such as --port {port + 1}."


def test_an_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"203\.0\.113\.7"):
        check_port(8501, "203.0.113.7")


def test_it_serves_pages_and_api_on_loopback_alone_and_stops_cleanly(full_store: Store, tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, "--store", full_store.url, "--port", str(port))
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=5) as answer:
                    assert json.load(answer)["status"] == "ok"
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
            assert "text/html" in page.headers["Content-Type"]
            assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
        listening = Path(f"/proc/{process.pid}/net/tcp")
        if listening.exists():  # Linux: nothing listens on all addresses
            assert f" 00000000:{port:04X} " not in listening.read_text()
        rebound = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "evil.test"})
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(rebound, timeout=10)
        assert refusal.value.code == 421
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    assert f"http://127.0.0.1:{port}" in out
    assert "Traceback" not in err


def test_our_options_close_what_streamlit_leaves_open() -> None:
    options = server.config()
    assert options["browser.gatherUsageStats"] is False
    assert options["client.showErrorDetails"] == "none"
    assert options["server.fileWatcherType"] == "none"
    assert options["server.maxUploadSize"] <= 5
    for mode in ("light", "dark"):
        assert options[f"theme.{mode}.primaryColor"].startswith("#")
        assert len(options[f"theme.{mode}.chartSequentialColors"]) == 10


def test_only_options_that_streamlit_knows() -> None:
    from streamlit import config

    unknown = [name for name in server.config() if name not in config._config_options_template]
    assert not unknown
