"""A child process that ends when its parent ends, however that happens.

On Linux the kernel sees to it (a signal on the parent's death); elsewhere workers watch their parent from a thread.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


fork_server: int | None = None
"""The process that this one was forked from, where that is a fork server; it sets this before it forks."""


def die_with_parent(parent: int | None = None) -> None:
    """Lets the kernel kill this process when the thread that started it ends; does nothing but on Linux.

    parent: whose child this has to be; default: the present parent.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid() if parent is None else parent
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_engine() -> None:
    """For a worker: ends with the process that owns the pool, be it the parent or behind a fork server."""
    if sys.platform == "linux":
        die_with_parent(fork_server)
        return
    owner = multiprocessing.parent_process()

    def watch() -> None:
        if owner is not None:
            owner.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()
