"""What runs inside a Dask worker: it hands each trial to a process beside it, which can be killed.

A Dask task is a thread, and no thread can be ended from outside. So each thread of a Dask worker keeps one child
process (``engine.service.remote_child``), sends it one trial after the other, and kills it when a trial takes too
long or is cancelled. The child ends with its Dask worker: its standard input closes.
"""

from __future__ import annotations

import os
import pickle
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from engine.objectives.catalogue import ALLOW_VARIABLE
from engine.service.outcomes import cause_of_death, read_log, timed_out
from engine.service.task import Outcome, TrialTask

_LENGTH = struct.Struct("!I")
_LOOK_SECONDS = 0.2
"""How often a waiting task looks whether it was cancelled."""

_children = threading.local()


def send(stream: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Raises EOFError at the end of the stream."""
    header = stream.read(_LENGTH.size)
    data = stream.read(_LENGTH.unpack(header)[0]) if len(header) == _LENGTH.size else b""
    if not data:
        raise EOFError
    return pickle.loads(data)


def run_remote(task: TrialTask) -> Outcome:
    """The Dask task: one trial in this thread's child."""
    child: _Child | None = getattr(_children, "child", None)
    if child is None or not child.alive or child.allowed != task.allowed:
        if child is not None:
            child.kill()
        child = _children.child = _Child(task.allowed)
    return child.run(task, _cancelled())


def _cancelled() -> Callable[[], bool]:
    """Asks whether this Dask task is still wanted."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def ask() -> bool:
        known = worker.state.tasks.get(key)
        return known is None or known.state == "cancelled"

    return ask


class _Child:
    """Raises EOFError if it can't be started."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self._folder = tempfile.TemporaryDirectory(prefix="tunedesk-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name) / "trial.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engine.service.remote_child", self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {ALLOW_VARIABLE: ",".join(allowed), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

        assert self._process.stdout is not None
        receive(self._process.stdout)  # it is ready: its start is no part of the first trial's time

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def run(self, task: TrialTask, cancelled: Callable[[], bool]) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + task.timeout
        try:
            send(self._process.stdin, (task, str(self._log)))
            while not select.select([self._process.stdout], [], [], _LOOK_SECONDS)[0]:
                if time.monotonic() > deadline or cancelled():
                    self._process.kill()
                    self._process.wait()
                    return timed_out(task, read_log(self._log))
            outcome: Outcome = receive(self._process.stdout)
        except (EOFError, BrokenPipeError):
            return Outcome("lost", error=cause_of_death(self._process.wait()), log=read_log(self._log))
        return Outcome(outcome.state, outcome.values, outcome.error, read_log(self._log))
