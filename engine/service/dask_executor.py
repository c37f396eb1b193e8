"""Trials on a Dask cluster: many machines behind one scheduler. Tunedesk has to be installed on each."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

from distributed import Client, Future
from distributed.client import FutureCancelledError

from engine.errors import TunedeskError
from engine.service.remote import run_remote
from engine.service.task import Outcome, TrialTask

logger = logging.getLogger("tunedesk.engine")

CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = 10.0


class DaskExecutor:
    """Tasks of one study on a cluster. While the scheduler is away, tasks wait; those that it forgot are lost runs."""

    def __init__(self, address: str, wake: Callable[[], None]) -> None:
        self._address = address
        self._wake = wake
        self._client: Client | None = None
        self._connect_at = 0.0
        self._waiting: list[TrialTask] = []
        self._running: dict[int, tuple[TrialTask, Future]] = {}

    def submit(self, task: TrialTask) -> None:
        self._waiting.append(task)
        self._send()

    def poll(self) -> list[tuple[TrialTask, Outcome]]:
        self._send()
        done = sorted(number for number, (_, future) in self._running.items() if future.done())
        out = []
        for number in done:
            task, future = self._running.pop(number)
            out.append((task, self._outcome(future)))
        return out

    def resize(self, workers: int) -> None:
        """Nothing to do: the study's driver never submits more than its workers."""

    def kill(self) -> None:
        self._waiting.clear()
        if self._client is not None and self._running:
            self._attempt(lambda client: client.cancel([f for _, f in self._running.values()], force=True))
        self._running.clear()

    def close(self) -> None:
        self.kill()
        if self._client is not None:
            self._attempt(lambda client: client.close(timeout=2))
            self._client = None

    def _send(self) -> None:
        while self._waiting and self._attempt(self._submit_first):
            del self._waiting[0]

    def _submit_first(self, client: Client) -> None:
        task = self._waiting[0]
        key = f"tunedesk-trial-{task.number}-{task.attempt}-{secrets.token_hex(6)}"
        future = client.submit(run_remote, task, key=key, pure=False)
        future.add_done_callback(lambda _: self._wake())
        self._running[task.number] = task, future

    def _attempt(self, action: Callable[[Client], object]) -> bool:
        """Does something with the cluster; False, for another time, if it can't be reached."""
        if (self._client is None or self._client.status != "running") and not self._connect():
            return False
        assert self._client is not None
        try:
            action(self._client)
        except (OSError, TimeoutError, RuntimeError) as error:
            logger.warning("The Dask scheduler %s: %s. Trying again.", self._address, error or type(error).__name__)
            return False
        return True

    def _connect(self) -> bool:
        if time.monotonic() < self._connect_at:
            return False
        self._connect_at = time.monotonic() + RECONNECT_SECONDS
        try:
            self._client = connect(self._address)
        except TunedeskError as error:
            logger.warning("%s Trying again.", error)
            return False
        return True

    @staticmethod
    def _outcome(future: Future) -> Outcome:
        try:
            outcome: Outcome = future.result(timeout=CONNECT_SECONDS)
        except FutureCancelledError:
            return Outcome("lost", error="The cluster dropped the trial.")
        except Exception as error:  # noqa: BLE001 - whatever a cluster can do to a task, the trial has no part in it
            return Outcome("lost", error=f"The cluster lost the trial: {type(error).__name__}: {error}.")
        return outcome


def connect(address: str) -> Client:
    """A connection to a scheduler. Raises TunedeskError if there is none to be had."""
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="tunedesk")
    except (OSError, TimeoutError, ValueError) as error:
        raise TunedeskError(f"No Dask scheduler answers at {address}: start one with dask scheduler.") from error
