"""Where trials run: the protocol that the driver of a study knows, and the default, local worker processes.

An executor belongs to one study and is used from one thread. It never raises for what an objective does.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.forkserver
import shutil
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
from engine.objectives.catalogue import allowed_modules
from engine.service.outcomes import cause_of_death, read_log, timed_out
from engine.service.task import Outcome, TrialTask
from engine.service.worker import run_logged, single_threaded, start_local_worker

logger = logging.getLogger("tunedesk.engine")


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


class LocalExecutor:
    """Worker processes on this machine, at most ``workers`` at a time, started when first needed.

    wake is called, from another thread, whenever there is something to poll.
    """

    def __init__(self, workers: int, wake: Callable[[], None]) -> None:
        self._workers = workers
        self._wake = wake
        self._pool: ProcessPool | None = None
        self._folder: Path | None = None
        self._waiting: list[TrialTask] = []
        self._running: dict[int, tuple[TrialTask, ProcessFuture, Path]] = {}

    def submit(self, task: TrialTask) -> None:
        self._waiting.append(task)
        self._send()

    def poll(self) -> list[tuple[TrialTask, Outcome]]:
        broken = self._pool is not None and bool(self._running) and not self._pool.active
        out = []
        for number in sorted(self._running):
            task, future, log = self._running[number]
            if future.done() or broken:
                del self._running[number]
                out.append((task, self._outcome(task, future, read_log(log))))
        self._send()
        return out

    def resize(self, workers: int) -> None:
        self.close()
        self._workers = workers

    def kill(self) -> None:
        for _, future, _ in self._running.values():
            future.cancel()
        self._running.clear()
        self._waiting.clear()

    def close(self) -> None:
        self.kill()
        self._stop_pool()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _send(self) -> None:
        """Hands waiting tasks to the pool. One that can't be started, as when the fork server was killed, is made
        anew the next time."""
        while self._waiting:
            try:
                self._schedule(self._waiting[0])
            except (RuntimeError, OSError, EOFError) as error:
                logger.warning("The pool of workers can't take a trial (%r); it is made anew.", error)
                self._stop_pool()
                return
            del self._waiting[0]

    def _schedule(self, task: TrialTask) -> None:
        pool, folder = self._open()
        log = folder / f"{task.number}-{task.attempt}.log"
        future = pool.schedule(run_logged, args=[task, str(log)], timeout=task.timeout)
        self._running[task.number] = task, future, log
        future.add_done_callback(lambda _: self._wake())

    def _open(self) -> tuple[ProcessPool, Path]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tunedesk-"))
        if self._pool is not None and not self._pool.active:  # it breaks when an idle worker is killed
            self._stop_pool()
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=start_local_worker,
                initargs=[str(self._folder), allowed_modules()],
                context=_context(),
            )
        return self._pool, self._folder

    def _stop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            try:
                pool.join()
            except (RuntimeError, OSError) as error:
                logger.warning("A worker process can't be ended: %r.", error)

    @staticmethod
    def _outcome(task: TrialTask, future: ProcessFuture, log: str) -> Outcome:
        try:
            outcome: Outcome = future.result(timeout=0)
        except FutureTimeout:
            return timed_out(task, log)
        except ProcessExpired as error:
            return Outcome("lost", error=cause_of_death(error.exitcode), log=log)
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


def warm_up(address: str) -> None:
    """Starts what the first trial would have to wait for; returns at once."""
    if address == "local":
        _context()


def check_executor(address: str) -> None:
    """Raises InvalidInput if an engine can't use the address, TunedeskError if no scheduler answers there."""
    if address == "local":
        return
    scheme, separator, _ = address.partition("://")
    if not separator or scheme not in ("tcp", "tls", "ucx", "ws", "wss"):
        raise InvalidInput("executor", f"must be local or a Dask scheduler such as tcp://host:8786, not {address!r}.")
    try:
        from engine.service.dask_executor import connect
    except ImportError:
        raise InvalidInput("executor", f"{address} needs Dask: pip install 'tunedesk[dask]'.") from None
    connect(address).close()


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
