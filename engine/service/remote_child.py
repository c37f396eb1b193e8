"""A process that runs trials for a thread of a Dask worker: tasks on standard input, outcomes on standard output."""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import IO

from engine.service.remote import receive, send
from engine.service.task import TrialTask
from engine.service.worker import prepare, run_logged


def main() -> None:
    """Runs until standard input closes; then it ends at once, in the middle of a trial too."""
    answers = os.fdopen(os.dup(1), "wb")  # the descriptor 1 becomes the log of each trial
    prepare(sys.argv[1])
    tasks: queue.SimpleQueue[tuple[TrialTask, str]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(os.fdopen(os.dup(0), "rb"), tasks), daemon=True).start()
    send(answers, "ready")
    while True:
        task, log = tasks.get()
        send(answers, run_logged(task, log))


def _read(requests: IO[bytes], tasks: queue.SimpleQueue[tuple[TrialTask, str]]) -> None:
    while True:
        try:
            tasks.put(receive(requests))
        except EOFError:
            os._exit(0)


if __name__ == "__main__":
    main()
