"""The engine process: registers, beats, leases studies and drives several of them in one loop."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from engine.errors import LeaseLost, StoreUnavailable, TunedeskError
from engine.governance.clockwork import keep_ticking
from engine.service.driver import StudyDriver
from engine.service.executors import check_executor, make_executor, warm_up
from engine.store import Lease, Store
from engine.store.records import StudyRecord
from engine.store.states import ENDED

logger = logging.getLogger("tunedesk.engine")

LEASE_SECONDS = 10.0
"""How long an engine may be silent before another one takes its studies."""
POLL_SECONDS = 0.2
"""The longest pause between two looks at commands; the end of a trial cuts a pause short."""
RETRY_SECONDS = 1.0
"""How long to leave a store alone that couldn't be reached."""


def _ignore(study: StudyRecord) -> None:
    """The default of ``on_finish``: nobody watches."""


class EngineProcess:
    """One engine on one store; ``run`` returns when it is told to stop.

    studies: how many it drives at once. executor: ``local`` or the address of a Dask scheduler.
    only: the id of the one study that it drives; ``run`` returns too when that has ended or is paused.
    on_finish: called with a study after each step in which trials of it finished, and for ``only`` while it waits.
    """

    def __init__(
        self,
        store: Store,
        *,
        studies: int = 2,
        executor: str = "local",
        lease_seconds: float = LEASE_SECONDS,
        only: str | None = None,
        on_finish: Callable[[StudyRecord], None] = _ignore,
    ) -> None:
        check_executor(executor)
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._store = store
        self._studies = studies
        self._executor = executor
        self._lease_seconds = lease_seconds
        self._only = only
        self._on_finish = on_finish
        self._drivers: dict[str, tuple[Lease, StudyDriver]] = {}
        self._taken_over: set[str] = set()
        self._due: list[Callable[[], object]] = []
        self._stop = threading.Event()
        self._wake = threading.Event()

    def stop(self) -> None:
        """Ends ``run`` soon: what runs is given back, every lease is released. From any thread or signal handler."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Raises StoreError if the store can't be used at the start; later troubles are logged and waited out."""
        warm_up(self._executor)
        self._store.register_engine(self.id, socket.gethostname(), os.getpid(), self._lease_seconds)
        logger.info("Engine %s on %s.", self.id, self._store.place)
        heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        heart.start()
        threading.Thread(target=keep_ticking, args=(self._store, self._stop), name="governance", daemon=True).start()
        try:
            with self._signals():
                while not self._stop.is_set() and self._step():
                    if not any(driver.busy for _, driver in self._drivers.values()):
                        self._wake.wait(POLL_SECONDS)
                    self._wake.clear()
        finally:
            self._stop.set()
            self._give_everything_back()
            heart.join()
            with self._logged("The engine can't sign off"):
                self._store.unregister_engine(self.id)
            logger.info("Engine %s ended.", self.id)

    def _step(self) -> bool:
        """Every study one step on, and another study if there is room. False when there is nothing left to do."""
        try:
            self._settle()
            while len(self._drivers) < self._studies and (lease := self._lease()):
                self._due.append(functools.partial(self._take, lease))
                self._settle()
        except StoreUnavailable as error:
            self._wait_out(error)
        for study_id in list(self._drivers):
            self._drive(study_id)
        return self._only is None or bool(self._drivers) or self._goes_on(self._only)

    def _lease(self) -> Lease | None:
        return self._store.lease_study(self.id, self._only, lease_seconds=self._lease_seconds)

    def _settle(self) -> None:
        """Does what is due to the store; what can't be done now stays due, so that no lease is kept for nothing."""
        while self._due:
            with self._logged("It came to nothing", but=(StoreUnavailable,)):
                self._due[0]()
            del self._due[0]

    def _goes_on(self, study_id: str) -> bool:
        """Whether the only study may still need this engine. While another engine drives it, it may."""
        try:
            study = self._store.get_study(study_id)
        except StoreUnavailable:
            return True
        self._on_finish(study)
        return bool(self._due) or study.state not in (*ENDED, "paused")

    def _take(self, lease: Lease) -> None:
        try:
            study = self._store.get_study(lease.study_id)
            executor = make_executor(self._executor, study.spec.workers, self._wake.set)
            self._drivers[study.id] = lease, StudyDriver(self._store, lease, executor, self._on_finish)
            logger.info("Took study %s (%s).", study.name, study.id)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one study's trouble is not the others'
            self._fail(lease, error)

    def _drive(self, study_id: str) -> None:
        lease, driver = self._drivers[study_id]
        try:
            if study_id in self._taken_over:
                raise LeaseLost(f"Another engine took the study {study_id} over.")
            if not driver.tick():
                self._leave(study_id)
        except StoreUnavailable as error:
            self._wait_out(error)
        except LeaseLost as error:
            logger.warning("%s", error)
            self._leave(study_id)
        except Exception as error:  # noqa: BLE001 - one study's trouble is not the others'
            self._fail(lease, error)
            self._leave(study_id)

    def _leave(self, study_id: str) -> None:
        """Ends what runs of a study, forgets it and gives the lease back."""
        lease, driver = self._drivers.pop(study_id)
        self._taken_over.discard(study_id)
        driver.close()
        self._due.append(functools.partial(self._store.release, lease))

    def _fail(self, lease: Lease, error: Exception) -> None:
        """The study can't go on: its page says why, the log has the details."""
        if isinstance(error, TunedeskError):
            reason = str(error)
            logger.error("Study %s: %s", lease.study_id, reason)
        else:
            reason = f"The engine met an error of its own: {type(error).__name__}: {error}. Its log has the details."
            logger.error("Study %s can't go on.", lease.study_id, exc_info=error)
        self._due.append(functools.partial(self._store.set_state, lease, "failed", reason))

    def _give_everything_back(self) -> None:
        for study_id, (_, driver) in list(self._drivers.items()):
            with self._logged(f"The trials of study {study_id} can't be given back; its lease will run out"):
                driver.give_back()
            self._leave(study_id)
        with self._logged("Not everything could be settled"):
            self._settle()

    def _wait_out(self, error: StoreUnavailable) -> None:
        logger.warning("%s Trying again.", error)
        self._stop.wait(RETRY_SECONDS)

    def _beat(self) -> None:
        """The heartbeat, in a thread of its own: a long step of one study doesn't cost the engine its leases."""
        while not self._stop.wait(self._lease_seconds / 5):
            held_before = set(self._drivers)
            with self._logged("No heartbeat"):
                lost = held_before - set(self._store.beat(self.id))
                self._taken_over |= lost & set(self._drivers)

    @staticmethod
    @contextmanager
    def _logged(trouble: str, but: tuple[type[TunedeskError], ...] = ()) -> Iterator[None]:
        """What can be told in a sentence goes to the log and no further, except for the kinds in ``but``."""
        try:
            yield
        except but:
            raise
        except TunedeskError as error:
            logger.warning("%s: %s", trouble, error)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and Ctrl-C stop the engine in good order; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def stop(number: int, frame: FrameType | None) -> None:
            self.stop()
            for each, handler in before.items():
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
