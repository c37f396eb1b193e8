"""Real engine processes for the tests, and waiting on conditions instead of sleeping."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil

from engine.governance.actions import create_study
from engine.governance.actors import Actor
from engine.store import Store
from engine.store.records import StudyRecord
from engine.study import StudySpec
from tests.service import workloads

ANALYST = Actor("ann", {"analyst"})
LEASE_SECONDS = 1.0
Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], what: str, seconds: float = 60.0) -> Found:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return found


def wait_for_state(store: Store, study_id: str, *states: str, seconds: float = 90.0) -> StudyRecord:
    def reached() -> StudyRecord | None:
        study = store.get_study(study_id)
        return study if study.state in states else None

    return wait_for(reached, f"the study to be {' or '.join(states)}", seconds)


def make_study(store: Store, function: str = "bowl", **sections: Any) -> str:
    """Queues a study of a workload on x in [0, 1]."""
    sections = {"name": function, "parameters": {"x": {"type": "float", "low": 0, "high": 1}}} | sections
    spec = StudySpec.from_dict(
        {"objective": f"{workloads.PATH}:{function}", "objectives": [{"name": "value"}]} | sections
    )
    return create_study(store, spec, ANALYST)


class Engines:
    """Starts `tunedesk engine` processes on a store and ends those that are left."""

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log
        self.all: list[subprocess.Popen] = []

    def start(self, *options: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "engine.cli", "engine", "--store", self._url),
                    *("--lease-seconds", str(LEASE_SECONDS), "--objectives", workloads.PATH, *options),
                ],
                stdout=log,
                stderr=log,
                env=os.environ | dict(environment or {}),
            )
        self.all.append(process)
        return process

    def kill(self, process: subprocess.Popen) -> list[psutil.Process]:
        """SIGKILL, as if the machine took it; returns what were its descendants."""
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        return family

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def close(self) -> None:
        for process in self.all:
            if process.poll() is None:
                process.terminate()
        for process in self.all:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
