"""The processes of a desk on one machine: an engine and the dashboard, kept alive, ended together.

Used by ``tunedesk demo`` and ``tunedesk up``. Children outlive neither a clean stop nor the death of this process.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import TunedeskError
from engine.service.lifeline import die_with_parent

_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HOST = "127.0.0.1"
HEALTH_PATH = "/api/v1/health"
START_SECONDS = 90.0
STOP_SECONDS = 12.0
MAX_BACKOFF = 30.0
STEADY_SECONDS = 60.0
"""A child that ran this long before it ended is started again at once."""


class ChildFailed(TunedeskError):
    """A part of the desk can't be started; the message says which, and quotes the end of its log."""


def token_beside(folder: Path) -> str:
    """The desk's bearer token, made on first use in a file that only its owner can read."""
    path = folder / "token"
    with suppress(FileNotFoundError):
        if token := path.read_text().strip():
            return token
    token = secrets.token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token


@dataclass
class _Child:
    name: str
    arguments: Sequence[str]
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    started: float = 0.0
    failures: int = 0
    restart_at: float = field(default=0.0)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment,
                start_new_session=True,  # Ctrl-C reaches the desk only, which ends its children in order
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
        self.started = time.monotonic()

    def tail(self, lines: int = 8) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def signal_group(self, number: int) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Desk:
    """Engine and dashboard on one store.

    say: shows a line to the user. stop(): from a signal handler or another thread, ends ``run``.
    """

    def __init__(
        self,
        store_url: str,
        port: int,
        logs: Path,
        token: str,
        say: Callable[[str], None],
        engine_options: Sequence[str] = (),
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.url = f"http://{HOST}:{port}"
        self._say = say
        self._stop = threading.Event()
        # The store goes through the environment: a URL may hold a password, and arguments are public on a machine.
        environment = {"TUNEDESK_STORE": store_url, "TUNEDESK_TOKEN": token}
        self._children = [
            _Child("engine", ["engine.cli", "engine", *engine_options], logs / "engine.log", environment),
            _Child("dashboard", ["dashboard.server", "--port", str(port)], logs / "dashboard.log", environment),
        ]

    def stop(self) -> None:
        self._stop.set()

    def start(self, engine_ready: Callable[[], bool]) -> bool:
        """Starts both and waits until they answer; False if it was stopped meanwhile. Raises ChildFailed."""
        for child in self._children:
            child.start()
        deadline = time.monotonic() + START_SECONDS
        while not (self._answers() and engine_ready()):
            if self._stop.wait(0.15):
                return False
            for child in self._children:
                if child.process is not None and child.process.poll() is not None:
                    raise ChildFailed(
                        f"The {child.name} ended while it started. The end of {child.log}:\n{child.tail()}"
                    )
            if time.monotonic() > deadline:
                logs = " and ".join(str(child.log) for child in self._children)
                raise ChildFailed(f"The desk doesn't answer after {START_SECONDS:g} s: see {logs}.")
        return True

    def run(self) -> None:
        """Restarts what ends by itself, ever more slowly, until it is stopped."""
        while not self._stop.wait(0.2):
            for child in self._children:
                self._look_after(child)

    def close(self) -> None:
        """Asks both to end, and ends what doesn't."""
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            if child.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.0, deadline - time.monotonic()))
                child.signal_group(signal.SIGKILL)
                child.process.wait()

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            child.signal_group(signal.SIGKILL)  # what it may have left behind
            child.process = None
            child.failures = 0 if now - child.started > STEADY_SECONDS else child.failures + 1
            pause = min(MAX_BACKOFF, 0.5 * 2**child.failures)
            child.restart_at = now + pause
            self._say(f"The {child.name} ended with code {code}; it starts again in {pause:g} s. See {child.log}.")
        elif now >= child.restart_at:
            child.start()

    def _answers(self) -> bool:
        try:
            with _no_proxy.open(self.url + HEALTH_PATH, timeout=2) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False
