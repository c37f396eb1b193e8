"""One page of trials in any order, from the indexes: no page costs more the further inside a study it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import InvalidInput, NotFound
from engine.store.records import TrialRecord, TrialState
from engine.store.tables import studies, trial_values, trials
from engine.store.trials import COUNTS, TOLD, with_values

SORTS = ("number", "finished_order", "value")
_CHUNK = 1000
"""Numbers in one query: databases limit the parameters of a statement."""


def page(
    connection: Connection,
    study_id: str,
    *,
    states: Sequence[TrialState] | None = None,
    sort: str = "number",
    descending: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[TrialRecord], int]:
    """One page of trials, and how many fit the filter in all.

    sort: 'number', 'finished_order', 'value' (the first objective) or the name of any outcome; trials without it
    come last, by number. Raises InvalidInput for an unknown sort, NotFound.
    """
    study = connection.execute(sa.select(studies).where(studies.c.id == study_id)).one_or_none()
    if study is None:
        raise NotFound(f"There is no study {study_id!r}: tunedesk study list shows them.")
    wanted = tuple(COUNTS) if states is None else tuple(dict.fromkeys(states))
    if unknown := [s for s in wanted if s not in COUNTS]:
        raise InvalidInput("states", f"{unknown[0]!r} is no state of a trial; they are {', '.join(COUNTS)}.")
    total = _total(study, wanted)
    limit, offset = max(0, min(limit, total)), max(0, offset)
    numbers = _numbers(connection, study, wanted, sort, descending, limit, offset)
    parts = (numbers[i : i + _CHUNK] for i in range(0, len(numbers), _CHUNK))
    return [trial for part in parts for trial in _chosen(connection, study_id, part)], total


def _numbers(
    connection: Connection,
    study: Row,
    wanted: Sequence[TrialState],
    sort: str,
    descending: bool,
    limit: int,
    offset: int,
) -> list[int]:
    """First the trials that have what is sorted by, straight from its index, then the others by number."""
    n, own = trials.c.number, trials.c.study_id == study.id
    if sort == "number" and set(COUNTS) <= set(wanted):  # numbers have no gaps
        every = range(study.n_trials)[::-1] if descending else range(study.n_trials)
        return list(every[offset : offset + limit])
    if sort == "number":
        query = sa.select(n).where(own, _state_in(wanted)).order_by(n.desc() if descending else n.asc())
        return list(connection.scalars(query.limit(limit).offset(offset)))
    if sort == "finished_order":
        keyed, n_keyed, others = _by_order(study, wanted, descending)
    else:
        keyed, n_keyed, others = _by_outcome(connection, study, wanted, sort, descending)
    numbers = list(connection.scalars(keyed.limit(limit).offset(offset)))
    if len(numbers) < limit:
        rest = sa.select(n).where(own, others).order_by(n)
        skipped = max(0, offset - n_keyed())
        numbers += connection.scalars(rest.limit(limit - len(numbers)).offset(skipped))
    return numbers


_Keyed = tuple[sa.Select[Any], Callable[[], int], sa.ColumnElement[bool]]
"""(sorted numbers of the trials that have what is sorted by, how many they are, which trials are the others)."""


def _by_order(study: Row, wanted: Sequence[TrialState], descending: bool) -> _Keyed:
    first = [state for state in wanted if state in TOLD]
    order = trials.c.finished_order
    keyed = sa.select(trials.c.number).where(trials.c.study_id == study.id, order.is_not(None), _state_in(first, TOLD))
    others = _state_in([state for state in wanted if state not in TOLD])
    return keyed.order_by(order.desc() if descending else order.asc()), lambda: _total(study, first), others


def _by_outcome(
    connection: Connection, study: Row, wanted: Sequence[TrialState], sort: str, descending: bool
) -> _Keyed:
    objectives = [o["name"] for o in study.spec["objectives"]]
    name = objectives[0] if sort == "value" else sort
    v = trial_values.c
    having = (v.study_id == study.id, v.name == name)
    order = (v.value.desc(), v.number.desc()) if descending else (v.value.asc(), v.number.asc())
    complete = [state for state in wanted if state == "complete"]  # only those have values
    keyed = sa.select(v.number).where(*having, sa.true() if complete else sa.false()).order_by(*order)
    if name in objectives:  # every complete trial has it
        others = _state_in([state for state in wanted if state != "complete"])
        return keyed, lambda: _total(study, complete), others

    def n_keyed() -> int:
        n = connection.scalar(sa.select(sa.func.count()).where(*having)) or 0
        if not n and study.n_complete:
            known = connection.scalars(sa.select(v.name).where(v.study_id == study.id).distinct()).all()
            raise InvalidInput("sort", f"{name!r} is not known; trials are sorted by {', '.join((*SORTS, *known))}.")
        return n if complete else 0

    lacking = ~sa.exists().where(v.study_id == trials.c.study_id, v.number == trials.c.number, v.name == name)
    return keyed, n_keyed, sa.and_(lacking, _state_in(wanted))


def _state_in(wanted: Sequence[TrialState], of: Sequence[TrialState] = tuple(COUNTS)) -> sa.ColumnElement[bool]:
    """The condition on the state; none if every state ``of`` the trials in question is wanted."""
    return sa.true() if set(of) <= set(wanted) else trials.c.state.in_(wanted)


def _total(study: Row, states: Sequence[TrialState]) -> int:
    return sum(getattr(study, COUNTS[state]) for state in states)


def _chosen(connection: Connection, study_id: str, numbers: Sequence[int]) -> list[TrialRecord]:
    """The trials with these numbers, in this order."""
    query = sa.select(trials).where(trials.c.study_id == study_id, trials.c.number.in_(numbers))
    rows = {row.number: row for row in connection.execute(query)}
    return with_values(connection, study_id, [rows[number] for number in numbers])
