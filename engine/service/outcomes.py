"""Outcomes of trials that could not tell themselves what became of them, and what is kept of their output."""

from __future__ import annotations

import signal
from pathlib import Path

from engine.service.task import Outcome, TrialTask

MAX_LOG = 64_000
"""Bytes of a trial's output that are kept: its beginning and, three times as much, its end."""


def timed_out(task: TrialTask, log: str) -> Outcome:
    return Outcome("failed", error=f"The trial took longer than {task.timeout:g} s and was ended.", log=log)


def cause_of_death(exit_code: int | None) -> str:
    """A sentence for the exit code of a worker process, negative for a signal."""
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"The worker process was killed by {name}{hint}."
    return f"The worker process ended with exit code {exit_code}."


def read_log(path: Path) -> str:
    """The trial's output, with the middle cut out if there is too much of it; the file goes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= MAX_LOG:
                data = file.read()
            else:
                head = file.read(MAX_LOG // 4)
                file.seek(size - (MAX_LOG - MAX_LOG // 4))
                data = head + b"\n... %d bytes left out ...\n" % (size - MAX_LOG) + file.read()
        path.unlink()
    except OSError:  # killed before it opened the file
        return ""
    return data.decode("utf-8", "replace").replace("\x00", "")
