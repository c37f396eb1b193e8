"""Progress of a study in a bounded number of rows, kept by the write path: no page reads all trials.

Trial numbers fall into buckets of ``bucket_width`` numbers, a power of two; a bucket knows its lowest and highest
value and how many trials failed. When a study outgrows MAX_BUCKETS the width doubles and neighbours are merged, so
that a write costs the same however long the study is. Incumbents are marked on the trials and never decimated away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import NotFound
from engine.store.records import TrialState
from engine.store.tables import progress_buckets, studies, trial_values, trials

MAX_BUCKETS = 1024
CURVE_POINTS = 64
"""Most points of the best-so-far curve that is kept with a study for sparklines."""
_COUNTS = ("n_complete", "n_failed", "n_infeasible")
_MARKS: dict[str, TrialState] = {"failed_number": "failed", "infeasible_number": "infeasible"}


class ProgressPoint(NamedTuple):
    """A finished trial in the progress picture. value: the first objective; None for a failed or infeasible trial.

    n: how many trials of its kind this point stands for, itself included: those of its bucket.
    """

    number: int
    value: float | None
    state: TrialState
    feasible: bool | None
    incumbent: bool
    n: int = 1


def points(connection: Connection, study_id: str, max_points: int = 2000) -> list[ProgressPoint]:
    """At most about ``max_points`` finished trials by number: all of a small study; of a large one the lowest and
    highest value of each bucket, every incumbent (the latest if even they are too many), and in addition one mark a
    bucket for its failed trials and one for its infeasible ones."""
    objective = _objective(connection, study_id)
    found: dict[int, ProgressPoint] = {}
    for b in _buckets(connection, study_id, max(1, max_points // 2)):
        if b["failed_number"] is not None:
            found[b["failed_number"]] = ProgressPoint(b["failed_number"], None, "failed", None, False, b["n_failed"])
        if (number := b["infeasible_number"]) is not None:
            found[number] = ProgressPoint(number, None, "infeasible", False, False, b["n_infeasible"])
        low, high = b["low_number"], b["high_number"]
        if low is None:
            continue
        n = b["n_complete"] if low == high else b["n_complete"] // 2
        found[low] = ProgressPoint(low, b["low_value"], "complete", bool(b["low_feasible"]), False, n)
        if low != high:
            found[high] = ProgressPoint(high, b["high_value"], "complete", bool(b["high_feasible"]), False, n)
    for number, value in _incumbents(connection, study_id, objective, max_points):
        n = found[number].n if number in found else 1
        found[number] = ProgressPoint(number, value, "complete", True, True, n)
    return [found[number] for number in sorted(found)]


def _incumbents(connection: Connection, study_id: str, objective: str, limit: int) -> Sequence[Row]:
    t, v = trials.c, trial_values.c
    values = sa.and_(v.study_id == t.study_id, v.number == t.number, v.name == objective)
    query = sa.select(t.number, v.value).select_from(trials.join(trial_values, values))
    latest = query.where(t.study_id == study_id, t.incumbent).order_by(t.number.desc()).limit(limit)
    return connection.execute(latest).all()


def extended(curve: Mapping[str, Any], n_finished: int, best: float | None) -> dict[str, Any]:
    """The best-so-far curve after one more finished trial: one value every ``step`` trials, at most CURVE_POINTS."""
    step, values = curve["step"], list(curve["points"])
    if n_finished % step == 0:
        values.append(best)
    if len(values) > CURVE_POINTS:
        step, values = 2 * step, values[1::2]
    return {"step": step, "points": values}


def add(
    connection: Connection,
    study_id: str,
    width: int,
    number: int,
    state: TrialState,
    value: float | None,
    feasible: bool | None,
) -> int:
    """Counts a finished trial in its bucket; the bucket width from now on."""
    while number // width >= MAX_BUCKETS:
        width = _double(connection, study_id, width)
    key = (progress_buckets.c.study_id == study_id, progress_buckets.c.bucket == number // width)
    row = connection.execute(sa.select(progress_buckets).where(*key)).one_or_none()
    trial = single(number, state, value, feasible)
    if row is None:
        connection.execute(progress_buckets.insert().values(study_id=study_id, bucket=number // width, **trial))
    else:
        connection.execute(progress_buckets.update().where(*key).values(**merged([row._mapping, trial])))
    return width


def single(number: int, state: TrialState, value: float | None, feasible: bool | None) -> dict[str, Any]:
    """The bucket of one finished trial. value: None unless it is complete."""
    out: dict[str, Any] = {f"n_{kind}": int(kind == state) for kind in ("complete", "failed", "infeasible")}
    out |= {mark: number if kind == state else None for mark, kind in _MARKS.items()}
    for end in ("low", "high"):
        measured = (number, value, feasible) if value is not None else (None, None, None)
        out |= dict(zip((f"{end}_number", f"{end}_value", f"{end}_feasible"), measured))
    return out


def merged(buckets: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """One bucket for several."""
    buckets = list(buckets)
    if len(buckets) == 1:
        return {name: value for name, value in buckets[0].items() if name not in ("study_id", "bucket")}
    out: dict[str, Any] = {name: sum(b[name] for b in buckets) for name in _COUNTS}
    for mark in _MARKS:
        out[mark] = min((b[mark] for b in buckets if b[mark] is not None), default=None)
    measured = [b for b in buckets if b["low_number"] is not None]
    low = min(measured, key=lambda b: (b["low_value"], b["low_number"]), default={})
    high = min(measured, key=lambda b: (-b["high_value"], b["high_number"]), default={})
    for end, chosen in (("low", low), ("high", high)):
        out |= {name: chosen.get(name) for name in (f"{end}_number", f"{end}_value", f"{end}_feasible")}
    return out


def _double(connection: Connection, study_id: str, width: int) -> int:
    rows = connection.execute(sa.select(progress_buckets).where(progress_buckets.c.study_id == study_id)).all()
    connection.execute(progress_buckets.delete().where(progress_buckets.c.study_id == study_id))
    if rows:
        connection.execute(
            progress_buckets.insert(), [{"study_id": study_id, "bucket": k, **b} for k, b in _grouped(rows, 2).items()]
        )
    return 2 * width


def _buckets(connection: Connection, study_id: str, most: int) -> Iterable[Mapping[Any, Any]]:
    """The study's buckets, neighbours merged until there are at most so many."""
    rows = connection.execute(sa.select(progress_buckets).where(progress_buckets.c.study_id == study_id)).all()
    if len(rows) <= most:
        return [row._mapping for row in rows]
    factor = 2
    while len({row.bucket // factor for row in rows}) > most:
        factor *= 2
    return _grouped(rows, factor).values()


def _grouped(rows: Iterable[Row], factor: int) -> dict[int, dict[str, Any]]:
    groups: dict[int, list[Mapping[Any, Any]]] = {}
    for row in rows:
        groups.setdefault(row.bucket // factor, []).append(row._mapping)
    return {key: merged(group) for key, group in groups.items()}


def _objective(connection: Connection, study_id: str) -> str:
    spec = connection.scalar(sa.select(studies.c.spec).where(studies.c.id == study_id))
    if spec is None:
        raise NotFound(f"There is no study {study_id!r}: tunedesk study list shows them.")
    return spec["objectives"][0]["name"]
