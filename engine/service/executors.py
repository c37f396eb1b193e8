"""Where trials run: the protocol that the driver of a study knows, and the default, local worker processes.

An executor belongs to one study and is used from one thread. It never raises for what an objective does.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Protocol

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from engine.errors import InvalidInput
from engine.service.task import Outcome, TrialTask
from engine.service.worker import run_local, single_threaded, start_worker

MAX_LOG = 64_000
"""Bytes of a trial's output that are kept: its beginning and, three times as much, its end."""


class Executor(Protocol):
    def submit(self, task: TrialTask) -> None:
        """Starts a trial as soon as a worker is free."""

    def poll(self) -> list[tuple[TrialTask, Outcome]]:
        """What ended since the last call, in the order of trial numbers; returns at once."""

    def resize(self, workers: int) -> None:
        """Another number of workers; only while nothing runs."""

    def kill(self) -> None:
        """Ends everything that runs; nothing of it is ever returned by ``poll``."""

    def close(self) -> None:
        """Kills what runs and gives back processes, files and connections. The executor may be used again."""


def timeout_outcome(task: TrialTask, log: str = "") -> Outcome:
    return Outcome("failed", error=f"The trial took longer than {task.timeout:g} s and was ended.", log=log)


class LocalExecutor:
    """Worker processes on this machine, at most ``workers`` at a time, started when first needed.

    wake is called, from another thread, whenever there is something to poll.
    """

    def __init__(self, workers: int, wake: Callable[[], None]) -> None:
        self._workers = workers
        self._wake = wake
        self._pool: ProcessPool | None = None
        self._folder: Path | None = None
        self._running: dict[int, tuple[TrialTask, ProcessFuture, Path]] = {}

    def submit(self, task: TrialTask) -> None:
        pool, folder = self._open()
        log = folder / f"{task.number}-{task.attempt}.log"
        future = pool.schedule(run_local, args=[task, str(log)], timeout=task.timeout)
        self._running[task.number] = task, future, log
        future.add_done_callback(lambda _: self._wake())

    def poll(self) -> list[tuple[TrialTask, Outcome]]:
        done = sorted(number for number, (_, future, _) in self._running.items() if future.done())
        out = []
        for number in done:
            task, future, log = self._running.pop(number)
            out.append((task, self._outcome(task, future, _read_log(log))))
        return out

    def resize(self, workers: int) -> None:
        self.close()
        self._workers = workers

    def kill(self) -> None:
        for _, future, _ in self._running.values():
            future.cancel()
        self._running.clear()

    def close(self) -> None:
        self.kill()
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _open(self) -> tuple[ProcessPool, Path]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tunedesk-"))
        if self._pool is None or not self._pool.active:  # a pool whose idle workers were killed is broken
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=start_worker,
                initargs=[str(self._folder)],
                context=_context(),
            )
        return self._pool, self._folder

    @staticmethod
    def _outcome(task: TrialTask, future: ProcessFuture, log: str) -> Outcome:
        try:
            outcome: Outcome = future.result(timeout=0)
        except FutureTimeout:
            return timeout_outcome(task, log)
        except ProcessExpired as error:
            return Outcome("lost", error=_cause_of_death(error.exitcode), log=log)
        except CancelledError:
            return Outcome("lost", error="The trial was cancelled by the pool.", log=log)
        except Exception as error:  # noqa: BLE001 - a broken pool: the trial has no part in it
            return Outcome("lost", error=f"The pool of workers broke: {error or type(error).__name__}.", log=log)
        return Outcome(outcome.state, outcome.values, outcome.error, log)


def make_executor(address: str, workers: int, wake: Callable[[], None]) -> Executor:
    """``local`` or the address of a Dask scheduler, ``tcp://host:port`` -> an executor for one study."""
    if address == "local":
        return LocalExecutor(workers, wake)
    from engine.service.dask_executor import DaskExecutor

    return DaskExecutor(address, wake)


def check_executor(address: str) -> None:
    """Raises InvalidInput if an engine can't use the address; connects nowhere."""
    if address == "local":
        return
    scheme, separator, _ = address.partition("://")
    if not separator or scheme not in ("tcp", "tls", "ucx", "ws", "wss"):
        raise InvalidInput("executor", f"must be local or a Dask scheduler such as tcp://host:8786, not {address!r}.")
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise InvalidInput("executor", f"{address} needs Dask: pip install 'tunedesk[dask]'.") from None


def _context() -> multiprocessing.context.BaseContext:
    """Never a fork of this process, which has threads: a fork server that has few modules and no threads."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    single_threaded()
    context = multiprocessing.get_context("forkserver")
    if threading.current_thread() is threading.main_thread():  # the lifeline hangs on the thread that starts it
        context.set_forkserver_preload(["engine.service.fork_server"])
    multiprocessing.forkserver.ensure_running()
    return context


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"The worker process was killed by {name}{hint}."
    return f"The worker process ended with exit code {exit_code}."


def _read_log(path: Path) -> str:
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
