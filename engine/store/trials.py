"""Trials: their life from queued to finished, each result written exactly once; reading them (pages: trial_pages)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import Conflict, InvalidInput, NotFound
from engine.space.outcomes import Objective, OutcomeConstraint
from engine.store import progress, studies
from engine.store.records import TrialRecord, TrialState
from engine.store.tables import studies as study_table
from engine.store.tables import trial_logs, trial_values, trials
from engine.store.values import lenient, outcomes, plain, text

LOG_LIMIT = 50_000
"""Characters of a run's output that are kept: its beginning and its end."""
TOLD: tuple[TrialState, ...] = ("complete", "failed", "infeasible")
_KEY = (trials.c.study_id == sa.bindparam("study"), trials.c.number == sa.bindparam("n"))
_ONE = sa.select(trials).where(*_KEY)
_STATE = sa.select(trials.c.number, trials.c.state, trials.c.attempt, trials.c.error).where(*_KEY)
COUNTS: dict[TrialState, str] = {
    "queued": "n_queued",
    "running": "n_running",
    "complete": "n_complete",
    "failed": "n_failed",
    "infeasible": "n_infeasible",
    "abandoned": "n_abandoned",
}
"""The column of a study that counts its trials in each state."""


# --- reading ------------------------------------------------------------------------------------------


def get(connection: Connection, study_id: str, number: int) -> TrialRecord:
    rows = connection.execute(_ONE, {"study": study_id, "n": number}).all()
    if not rows:
        raise NotFound(f"The study {study_id} has no trial {number}.")
    return with_values(connection, study_id, rows)[0]


def finished(connection: Connection, study_id: str, upto: int | None = None, after: int = 0) -> list[TrialRecord]:
    """Complete, failed and infeasible trials with after < finished_order <= upto, in that order."""
    where = [trials.c.study_id == study_id, trials.c.finished_order > after]
    if upto is not None:
        where.append(trials.c.finished_order <= upto)
    rows = connection.execute(sa.select(trials).where(*where).order_by(trials.c.finished_order)).all()
    return with_values(connection, study_id, rows, sa.select(trials.c.number).where(*where))


def unfinished(connection: Connection, study_id: str) -> list[TrialRecord]:
    """Queued and running trials by number."""
    where = (trials.c.study_id == study_id, trials.c.state.in_(("queued", "running")))
    rows = connection.execute(sa.select(trials).where(*where)).all()  # sorted here, so that the index on states serves
    return [_record(row, {}) for row in sorted(rows, key=lambda row: row.number)]


def log(connection: Connection, study_id: str, number: int) -> str:
    """What the runs of a trial printed; a heading before each when there were several."""
    query = sa.select(trial_logs.c.attempt, trial_logs.c.text).where(
        trial_logs.c.study_id == study_id, trial_logs.c.number == number
    )
    runs = connection.execute(query.order_by(trial_logs.c.attempt)).all()
    if len(runs) == 1 and runs[0].attempt == 1:
        return runs[0].text
    return "\n".join(f"--- attempt {attempt} ---\n{printed}" for attempt, printed in runs)


def with_values(
    connection: Connection, study_id: str, rows: Sequence[Row], numbers: sa.Select | None = None
) -> list[TrialRecord]:
    chosen: Any = numbers if numbers is not None else [row.number for row in rows]
    query = sa.select(trial_values.c.number, trial_values.c.name, trial_values.c.value).where(
        trial_values.c.study_id == study_id, trial_values.c.number.in_(chosen)
    )
    values: dict[int, dict[str, float]] = {}
    for number, name, value in connection.execute(query):
        values.setdefault(number, {})[name] = value
    return [_record(row, values.get(row.number, {})) for row in rows]


def _record(row: Row, values: dict[str, float]) -> TrialRecord:
    fields = dict(row._mapping)
    del fields["study_id"]
    return TrialRecord(values=values, **fields)


# --- writing: ``study`` is a row from studies.lock --------------------------------------------------------


def insert(
    connection: Connection,
    study: Row,
    params: Mapping[str, Any],
    *,
    origin: str,
    reason: Mapping[str, Any] | None = None,
    number: int | None = None,
) -> TrialRecord:
    """Adds a queued trial. Raises Conflict if ``number`` isn't the next one: somebody else added a trial."""
    studies.check_open(study)
    if number is not None and number != study.n_trials:
        raise Conflict(f"The next trial of {study.name} is number {study.n_trials}, not {number}.")
    row = {
        "number": study.n_trials,
        "state": "queued",
        "params": plain("params", dict(params)),
        "origin": text(origin, 50),
        "reason": lenient(reason or {}),
        "attempt": 1,
        "created_at": study.now,
        "incumbent": False,
        "error": "",
    }
    connection.execute(trials.insert().values(study_id=study.id, **row))
    studies.count(connection, study.id, n_trials=1, n_queued=1)
    return TrialRecord(**row)


def start(connection: Connection, study: Row, number: int) -> TrialRecord:
    """Queued -> running. Raises Conflict if it isn't queued."""
    trial = _locked(connection, study, number)
    if trial.state != "queued":
        raise Conflict(f"Trial {number} of {study.name} is {trial.state}, not queued.")
    _change(connection, study, trial, "running", started_at=study.now)
    return get(connection, study.id, number)


def finish(
    connection: Connection,
    study: Row,
    number: int,
    attempt: int | None,
    state: TrialState,
    values: Mapping[str, Any] | None = None,
    error: str = "",
    printed: str = "",
) -> TrialRecord:
    """Writes the result of a running trial, and with it the counts, the incumbent and the progress.

    attempt: the run that this result is of; None for a result that a person reports.
    Raises Conflict if the trial isn't running with this attempt (a late worker changes nothing), InvalidInput for a
    value that isn't finite or an outcome that the study needs and misses.
    """
    if state not in TOLD:
        raise InvalidInput("state", f"a trial finishes complete, failed or infeasible, not {state!r}.")
    trial = _locked(connection, study, number)
    _check_run(study, trial, attempt)
    numbers = outcomes(values)
    if numbers and state != "complete":
        raise InvalidInput("values", f"a trial that is {state} has none.")
    objective = Objective(**study.spec["objectives"][0])
    feasible = _feasible(study.spec, numbers) if state == "complete" else False if state == "infeasible" else None
    value = numbers.get(objective.name) if state == "complete" else None
    better = (
        value is not None
        and bool(feasible)
        and (study.best_value is None or objective.sign * value < objective.sign * study.best_value)
    )
    n_finished = study.n_complete + study.n_failed + study.n_infeasible + 1
    if numbers:
        connection.execute(
            trial_values.insert(),
            [{"study_id": study.id, "number": number, "name": n, "value": v} for n, v in numbers.items()],
        )
    _save_log(connection, study.id, number, trial.attempt, printed)
    best_value = value if better else study.best_value
    _change(
        connection,
        study,
        trial,
        state,
        {
            "best_value": best_value,
            "best_number": number if better else study.best_number,
            "best_so_far": progress.extended(study.best_so_far, n_finished, best_value),
            "bucket_width": progress.add(connection, study.id, study.bucket_width, number, state, value, feasible),
        },
        finished_at=study.now,
        finished_order=n_finished,
        feasible=feasible,
        incumbent=better,
        error=text(error),
    )
    return get(connection, study.id, number)


def retry(
    connection: Connection,
    study: Row,
    number: int,
    attempt: int | None,
    reason: str,
    printed: str = "",
    *,
    counts: bool = True,
) -> TrialRecord:
    """A run that was lost, not failed: back to queued with the next attempt, or failed when there is none left.

    counts: False when the run isn't to blame, as in a shutdown: the same attempt runs again.
    Raises Conflict if the trial isn't running with this attempt.
    """
    trial = _locked(connection, study, number)
    _check_run(study, trial, attempt)
    most = study.spec.get("max_attempts", 3)
    if counts and trial.attempt >= most:
        why = f"{reason} It was run {trial.attempt} times." if most > 1 else reason
        return finish(connection, study, number, attempt, "failed", error=why, printed=printed)
    _save_log(connection, study.id, number, trial.attempt, printed)
    _change(
        connection,
        study,
        trial,
        "queued",
        attempt=trial.attempt + (1 if counts else 0),
        started_at=None,
        error=text(reason) if counts else trial.error,
    )
    return get(connection, study.id, number)


def abandon(connection: Connection, study: Row, number: int, reason: str = "", printed: str = "") -> TrialRecord:
    """A queued or running trial that is never run again and teaches nothing."""
    trial = _locked(connection, study, number)
    if trial.state not in ("queued", "running"):
        raise Conflict(f"Trial {number} of {study.name} is {trial.state}: it can't be abandoned any more.")
    _save_log(connection, study.id, number, trial.attempt, printed)
    _change(connection, study, trial, "abandoned", finished_at=study.now, error=text(reason))
    return get(connection, study.id, number)


def recover(connection: Connection, study_id: str, reason: str) -> list[TrialRecord]:
    """Retries whatever a dead engine left running."""
    running = sa.select(trials.c.number).where(trials.c.study_id == study_id, trials.c.state == "running")
    out = []
    for number in connection.scalars(running.order_by(trials.c.number)).all():
        out.append(retry(connection, studies.lock(connection, study_id), number, None, reason))
    return out


def _locked(connection: Connection, study: Row, number: int) -> Row:
    row = connection.execute(_STATE, {"study": study.id, "n": number}).one_or_none()
    if row is None:
        raise NotFound(f"The study {study.name} has no trial {number}.")
    return row


def _check_run(study: Row, trial: Row, attempt: int | None) -> None:
    if trial.state != "running" or (attempt is not None and attempt != trial.attempt):
        run = "" if attempt is None else f" of attempt {attempt}"
        raise Conflict(
            f"The result{run} comes too late: trial {trial.number} of {study.name} is {trial.state}"
            f" (attempt {trial.attempt}). Nothing was changed."
        )


def _feasible(spec: Mapping[str, Any], values: Mapping[str, float]) -> bool:
    limits = [OutcomeConstraint.parse(limit) for limit in spec.get("outcome_constraints", ())]
    for name in [*(o["name"] for o in spec["objectives"]), *(limit.name for limit in limits)]:
        if name not in values:
            raise InvalidInput(f"values.{name}", "is missing: the study needs it.")
    return all(limit.slack(values[limit.name]) >= 0 for limit in limits)


def _change(
    connection: Connection,
    study: Row,
    trial: Row,
    state: TrialState,
    study_values: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    where = (trials.c.study_id == study.id, trials.c.number == trial.number)
    connection.execute(trials.update().where(*where).values(state=state, **values))
    before, after = COUNTS[trial.state], COUNTS[state]
    moved = {before: study_table.c[before] - 1, after: study_table.c[after] + 1}
    studies.update(connection, study.id, **moved, **(study_values or {}))


def _save_log(connection: Connection, study_id: str, number: int, attempt: int, printed: str) -> None:
    if not printed:
        return
    key = {"study_id": study_id, "number": number, "attempt": attempt}
    connection.execute(trial_logs.delete().where(*(trial_logs.c[name] == value for name, value in key.items())))
    connection.execute(trial_logs.insert().values(text=text(printed, LOG_LIMIT), **key))
