"""The experiment store as the rest of the program uses it: one object, a method for every read and write.

Each method is one short transaction. Reads see one consistent state and never keep a writer waiting. Writes of an
engine take its ``Lease``, whose token is checked in the same transaction: LeaseLost means that another engine drives
the study now. Writes of people are in engine.governance.actions, which checks rights and appends to the audit chain.

Any method raises StoreError if the store can't be used; its subclass StoreUnavailable if trying again may help (a
write that raised it in the moment of its commit may have been done: read before you repeat it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection, Row

from engine.errors import Conflict
from engine.store import commands, events, leases, models, progress, studies, transfer, trial_pages, trials
from engine.store.migrate import open_database
from engine.store.progress import ProgressPoint
from engine.store.records import (
    CommandRecord,
    EngineRecord,
    EventRecord,
    Lease,
    ModelRecord,
    StudyRecord,
    StudyState,
    TrialRecord,
    TrialState,
)
from engine.store.states import ENGINE_MOVES


class Store:
    """Open one with ``Store.open``. It may be shared between threads; every process opens its own."""

    def __init__(self, url: str | Path, *, create: bool = False, migrate: bool = False, readonly: bool = False) -> None:
        self.url = str(url)
        self._database = open_database(url, create=create, migrate=migrate, readonly=readonly)

    @classmethod
    def open(cls, url: str | Path, *, create: bool = False, migrate: bool = False, readonly: bool = False) -> Store:
        """The store at a path of a SQLite file, ``sqlite:///…`` or ``postgresql://…``.

        create: makes it if there is none. migrate: brings an older one to this version, after a copy of a SQLite
        file. readonly: refuses every write. Raises StoreError with the reason and what to do.
        """
        return cls(url, create=create, migrate=migrate, readonly=readonly)

    @property
    def place(self) -> str:
        """The store's path or server in a message, without user's password."""
        return self._database.place

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[Connection]:
        """A write transaction for engine.governance, which joins several writes and the audit chain in one."""
        return self._database.write(durable=durable)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """A consistent view for several reads, for engine.governance."""
        return self._database.read()

    # --- studies -------------------------------------------------------------------------------------------

    def get_study(self, key: str) -> StudyRecord:
        """By id, a unique beginning of an id (4 characters or more), or a name that only one study has.

        Raises NotFound.
        """
        with self._database.read() as connection:
            return studies.get(connection, key)

    def list_studies(
        self,
        *,
        search: str = "",
        states: Sequence[StudyState] | None = None,
        sort: str = "created_at",
        descending: bool = True,
        limit: int = 50,
        offset: int = 0,
        include_archived: bool = False,
    ) -> tuple[list[StudyRecord], int]:
        """One page of studies and the number of all that fit. Every word of ``search`` has to occur in the name,
        objective, owner or tags. sort: created_at, name, state, n_trials, best_value, finished_at or owner."""
        with self._database.read() as connection:
            return studies.page(
                connection, search=search, states=states, sort=sort, descending=descending, limit=limit,
                offset=offset, include_archived=include_archived,
            )  # fmt: skip

    def revision(self, study_id: str) -> int:
        """Moves with every write to the study: the key of every cache. Raises NotFound."""
        with self._database.read() as connection:
            return studies.revision(connection, study_id)

    def sparklines(self, study_ids: Sequence[str], points: int = 30) -> dict[str, list[float]]:
        """Best so far of each study, oldest first, at most ``points`` values; an empty list before the first."""
        with self._database.read() as connection:
            return studies.sparklines(connection, study_ids, points)

    def export_study(self, key: str, path: str | Path) -> None:
        """Writes everything of a study into one file (gzipped if it ends in .gz), which
        engine.governance.actions.import_study reads. Raises NotFound, or StoreError if it can't be written."""
        with self._database.read() as connection:
            transfer.write_file(transfer.export_lines(connection, key), Path(path))

    # --- trials --------------------------------------------------------------------------------------------

    def get_trial(self, study_id: str, number: int) -> TrialRecord:
        """Raises NotFound."""
        with self._database.read() as connection:
            return trials.get(connection, study_id, number)

    def list_trials(
        self,
        study_id: str,
        *,
        states: Sequence[TrialState] | None = None,
        sort: str = "number",
        descending: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[TrialRecord], int]:
        """One page of trials and the number of all that fit. sort: number, finished_order, value (of the first
        objective) or the name of an outcome, with the trials that lack it at the end."""
        with self._database.read() as connection:
            return trial_pages.page(
                connection, study_id, states=states, sort=sort, descending=descending, limit=limit, offset=offset
            )

    def finished_trials(self, study_id: str, upto: int | None = None, after: int = 0) -> list[TrialRecord]:
        """Complete, failed and infeasible trials with after < finished_order <= upto, in that order (from 1)."""
        with self._database.read() as connection:
            return trials.finished(connection, study_id, upto, after)

    def unfinished_trials(self, study_id: str) -> list[TrialRecord]:
        """Queued and running trials by number."""
        with self._database.read() as connection:
            return trials.unfinished(connection, study_id)

    def trial_log(self, study_id: str, number: int) -> str:
        """What the runs of a trial printed; empty if nothing."""
        with self._database.read() as connection:
            return trials.log(connection, study_id, number)

    def progress(self, study_id: str, max_points: int = 2000) -> list[ProgressPoint]:
        """Finished trials by number for the progress picture: all of a small study; of a large one the lowest and
        highest of each bucket, one mark for its failures, and every incumbent. Raises NotFound."""
        with self._database.read() as connection:
            return progress.points(connection, study_id, max_points)

    # --- models, events, commands, engines -------------------------------------------------------------------

    def latest_model(self, study_id: str) -> ModelRecord | None:
        with self._database.read() as connection:
            return models.latest(connection, study_id)

    def models(self, study_id: str) -> list[tuple[int, int]]:
        """(n_observations, revision) of each model kept, oldest first: the steps of a replay."""
        with self._database.read() as connection:
            return models.listed(connection, study_id)

    def model_at(self, study_id: str, n_observations: int) -> ModelRecord | None:
        """The newest model that had seen at most ``n_observations`` finished trials."""
        with self._database.read() as connection:
            return models.at(connection, study_id, n_observations)

    def events(
        self, study_id: str | None = None, limit: int = 50, before: int | None = None, after: int | None = None
    ) -> list[EventRecord]:
        """Newest first, of one study or of the store. before: an event's id, for the next page; after: for what is
        new since then."""
        with self._database.read() as connection:
            return events.latest(connection, study_id, limit, before, after)

    def commands(self, study_id: str, limit: int = 20) -> list[CommandRecord]:
        """Newest first."""
        with self._database.read() as connection:
            return commands.latest(connection, study_id, limit)

    def command(self, command_id: int) -> CommandRecord:
        """Raises NotFound."""
        with self._database.read() as connection:
            return commands.get(connection, command_id)

    def engines(self) -> list[EngineRecord]:
        """Every engine that was seen within a week, the one with the newest heartbeat first."""
        with self._database.read() as connection:
            return leases.all_engines(connection)

    # --- an engine and its leases ------------------------------------------------------------------------------

    def register_engine(self, engine_id: str, host: str, pid: int, lease_seconds: float = leases.LEASE_SECONDS) -> None:
        """Makes the engine known. Its leases may be taken over once it was silent for ``lease_seconds``."""
        with self._database.write() as connection:
            leases.register(connection, engine_id, host, pid, lease_seconds)

    def beat(self, engine_id: str) -> list[str]:
        """The heartbeat of the engine and of all its leases, due every third of ``lease_seconds`` or more often.

        Returns the ids of the studies that it still holds; a lease missing there is lost.
        """
        with self._database.write() as connection:
            return leases.beat(connection, engine_id)

    def unregister_engine(self, engine_id: str) -> None:
        """At the end of an engine: gives back whatever it still holds."""
        with self._database.write() as connection:
            leases.unregister(connection, engine_id)

    def lease_study(
        self, engine_id: str, study_id: str | None = None, lease_seconds: float = leases.LEASE_SECONDS
    ) -> Lease | None:
        """Takes the study that waits longest (queued, or left by a silent engine), or the named one if it is to be
        had; None if not. A queued study is running from then on. Trials that a dead engine left running are back in
        the queue, or failed, when it returns.
        """
        with self._database.read() as connection:  # polling takes no write lock
            if not leases.candidates(connection, study_id):
                return None
        with self._database.write() as connection:
            return leases.take(connection, engine_id, lease_seconds, study_id)

    def release(self, lease: Lease) -> None:
        """Gives the study back, for any engine to take; nothing happens if it was lost already."""
        with self._database.write() as connection:
            leases.give_back(connection, lease)

    # --- writes of the engine that holds the lease ----------------------------------------------------------

    def add_trial(
        self,
        lease: Lease,
        params: Mapping[str, Any],
        *,
        origin: str = "model",
        reason: Mapping[str, Any] | None = None,
        number: int | None = None,
    ) -> TrialRecord:
        """A new queued trial. With ``number``: Conflict unless it is the study's next one, ``n_trials``."""
        with self._leased(lease) as (connection, study):
            return trials.insert(connection, study, params, origin=origin, reason=reason, number=number)

    def start_trial(self, lease: Lease, number: int) -> TrialRecord:
        """Queued -> running; ``attempt`` of the returned record names this run. Raises Conflict if not queued."""
        with self._leased(lease) as (connection, study):
            return trials.start(connection, study, number)

    def finish_trial(
        self,
        lease: Lease,
        number: int,
        attempt: int,
        state: TrialState,
        values: Mapping[str, float] | None = None,
        *,
        error: str = "",
        log: str = "",
    ) -> TrialRecord:
        """complete, failed or infeasible, exactly once: Conflict if the trial isn't running with this attempt.

        Raises InvalidInput if a value isn't finite, or an objective or constrained outcome is missing.
        """
        with self._leased(lease) as (connection, study):
            return trials.finish(connection, study, number, attempt, state, values, error, log)

    def retry_trial(
        self, lease: Lease, number: int, attempt: int, reason: str, *, log: str = "", counts: bool = True
    ) -> TrialRecord:
        """A lost run: queued again with the next attempt, or failed after ``max_attempts`` of them.

        counts: False if the run isn't to blame (a shutdown): the attempt isn't used up.
        """
        with self._leased(lease) as (connection, study):
            return trials.retry(connection, study, number, attempt, reason, log, counts=counts)

    def abandon_trial(self, lease: Lease, number: int, reason: str = "", *, log: str = "") -> TrialRecord:
        """Queued or running -> abandoned: never again, teaches nothing."""
        with self._leased(lease) as (connection, study):
            return trials.abandon(connection, study, number, reason, log)

    def save_model(
        self,
        lease: Lease,
        n_observations: int,
        model: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """What was learnt from the first n finished trials. At most models.MAX_MODELS of a study are kept."""
        with self._leased(lease) as (connection, study):
            models.save(connection, study, n_observations, model, candidates)

    def take_commands(self, lease: Lease) -> list[CommandRecord]:
        """Commands that wait for an acknowledgement, oldest first. Doesn't check the lease: acknowledging does."""
        with self._database.read() as connection:
            return commands.pending(connection, lease.study_id)

    def acknowledge(
        self,
        lease: Lease,
        command_id: int,
        *,
        accepted: bool = True,
        note: str = "",
        state: StudyState | None = None,
        message: str = "",
    ) -> None:
        """Answers a command, and moves the study to ``state`` in the same transaction."""
        with self._leased(lease) as (connection, study):
            if commands.acknowledge(connection, study, command_id, accepted, note) and state is not None:
                _move(connection, study, state, message)

    def set_state(self, lease: Lease, state: StudyState, message: str = "") -> None:
        """Moves the study. One that ends abandons what is still queued or running. Raises Conflict for a move that
        doesn't exist, such as out of a study that has ended."""
        with self._leased(lease) as (connection, study):
            _move(connection, study, state, message)

    def add_event(self, lease: Lease, kind: str, text: str) -> None:
        """Something that a reader of the study's activity should know."""
        with self._leased(lease) as (connection, study):
            events.add(connection, study.id, lease.engine_id, kind, text)
            studies.update(connection, study.id)

    @contextmanager
    def _leased(self, lease: Lease) -> Iterator[tuple[Connection, Row]]:
        with self._database.write() as connection:
            yield connection, leases.check(connection, lease)


def _move(connection: Connection, study: Row, state: StudyState, message: str) -> None:
    if state == study.state:
        return
    if state not in ENGINE_MOVES.get(study.state, ()):
        raise Conflict(f"The study {study.name} is {study.state}: it can't become {state}.")
    studies.set_state(connection, study, state, message)
    words = f"{study.state} → {state}" + (f": {message}" if message else "")
    events.add(connection, study.id, "engine", "state", words)
