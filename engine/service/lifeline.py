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


def die_with_parent() -> None:
    """Lets the kernel kill this process when the thread that started it ends; does nothing but on Linux."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_engine() -> None:
    """For a worker: ends with the process that owns the pool, be it the parent or behind a fork server."""
    if sys.platform == "linux":
        die_with_parent()
        return
    owner = multiprocessing.parent_process()

    def watch() -> None:
        if owner is not None:
            owner.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()
