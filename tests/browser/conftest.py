"""A real Chromium and a real desk: `tunedesk up` on a store of its own, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START_SECONDS = 90


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@dataclass
class Desk:
    """A running desk: its address, its folder, its process and what it printed."""

    url: str
    folder: Path
    process: subprocess.Popen[str]
    output: Path

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture(scope="session")
def start_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    """start_desk(*arguments, folder=…) runs `tunedesk …` until its dashboard answers."""
    desks: list[Desk] = []

    def start(*arguments: str, folder: Path | None = None) -> Desk:
        folder = folder or tmp_path_factory.mktemp("desk")
        port = free_port()
        output = folder / f"output-{port}.txt"
        with output.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", *arguments, "--port", str(port)],
                cwd=folder,
                stdout=stream,
                stderr=subprocess.STDOUT,
                text=True,
            )
        desk = Desk(f"http://127.0.0.1:{port}", folder, process, output)
        desks.append(desk)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{desk.url}/api/v1/health", timeout=5) as answer:
                    if answer.status == 200:
                        return desk
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"the desk did not start:\n{output.read_text()}")
            time.sleep(0.2)

    yield start
    for desk in desks:
        if desk.process.poll() is None:
            desk.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A headless Chromium; without one the test is skipped, in CI it fails."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        message = "no Chromium on this machine: install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[object]:
    """A fresh browser context; console errors are collected in ``page.errors``; a screenshot is kept on failure."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, timezone_id="Europe/Berlin")
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.errors = errors
    yield page
    artifacts = os.environ.get("TUNEDESK_TEST_ARTIFACTS")
    if artifacts:
        Path(artifacts).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(artifacts) / f"{request.node.name}.png"), full_page=True)
    context.close()
