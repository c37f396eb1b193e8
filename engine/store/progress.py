"""Progress of a study in a bounded number of rows, kept by the write path: no page reads all trials.

Trial numbers fall into buckets of ``bucket_width`` numbers, a power of two; a bucket knows its lowest and highest
value and how many trials failed. When a study outgrows MAX_BUCKETS the width doubles and neighbours are merged, so
that a write costs the same however long the study is. Incumbents are marked on the trials and never decimated away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import NotFound
from engine.store.records import TrialState
from engine.store.tables import progress_buckets, studies, trial_values, trials

MAX_BUCKETS = 1024
CURVE_POINTS = 64
"""Most points of the best-so-far curve that is kept with a study for sparklines."""
_COUNTS = ("n_complete", "n_failed", "n_infeasible")
_KEPT = ("low_value", "low_number", "high_value", "high_number", "unmeasured_number")


@dataclass(frozen=True)
class ProgressPoint:
    """A trial in the progress picture. value: the first objective; None for a failed or infeasible trial.

    n: finished trials that this point stands for, itself included, when others of its kind in its bucket were left
    out (failures are shown by one mark a bucket).
    """

    number: int
    value: float | None
    state: TrialState
    feasible: bool | None
    incumbent: bool
    finished_at: float | None
    n: int = 1


def points(connection: Connection, study_id: str, max_points: int = 2000) -> list[ProgressPoint]:
    """At most about ``max_points`` finished trials by number: all of a small study; of a large one the lowest and
    highest value and one failure of each bucket, and every incumbent (the latest ones if even they are too many)."""
    name = _objective(connection, study_id)
    buckets = _buckets(connection, study_id, max(1, max_points // 2))
    weights: dict[int, int] = {}
    for bucket in buckets:
        measured = {bucket["low_number"], bucket["high_number"]} - {None}
        for number in measured:
            weights[number] = max(1, bucket["n_complete"] // len(measured))
        if bucket["unmeasured_number"] is not None:
            weights[bucket["unmeasured_number"]] = bucket["n_failed"] + bucket["n_infeasible"]
    incumbents = connection.scalars(
        sa.select(trials.c.number)
        .where(trials.c.study_id == study_id, trials.c.incumbent)
        .order_by(trials.c.number.desc())
        .limit(max_points)
    )
    for number in incumbents:
        weights.setdefault(number, 1)
    t, v = trials.c, trial_values.c
    joined = trials.outerjoin(trial_values, sa.and_(v.study_id == t.study_id, v.number == t.number, v.name == name))
    columns = sa.select(t.number, v.value, t.state, t.feasible, t.incumbent, t.finished_at).select_from(joined)
    query = columns.where(t.study_id == study_id, t.number.in_(list(weights))).order_by(t.number)
    return [ProgressPoint(**row._mapping, n=weights[row.number]) for row in connection.execute(query)]


def extended(curve: Mapping[str, Any], n_finished: int, best: float | None) -> dict[str, Any]:
    """The best-so-far curve after one more finished trial: one value every ``step`` trials, at most CURVE_POINTS."""
    step, values = curve["step"], list(curve["points"])
    if n_finished % step == 0:
        values.append(best)
    if len(values) > CURVE_POINTS:
        step, values = 2 * step, values[1::2]
    return {"step": step, "points": values}


def add(connection: Connection, study_id: str, width: int, number: int, state: TrialState, value: float | None) -> int:
    """Counts a finished trial in its bucket; the bucket width from now on."""
    while number // width >= MAX_BUCKETS:
        width = _double(connection, study_id, width)
    key = (progress_buckets.c.study_id == study_id, progress_buckets.c.bucket == number // width)
    row = connection.execute(sa.select(progress_buckets).where(*key)).one_or_none()
    trial = single(number, state, value)
    if row is None:
        connection.execute(progress_buckets.insert().values(study_id=study_id, bucket=number // width, **trial))
    else:
        connection.execute(progress_buckets.update().where(*key).values(**merged([row._mapping, trial])))
    return width


def single(number: int, state: TrialState, value: float | None) -> dict[str, Any]:
    """The bucket of one finished trial."""
    measured = value is not None
    return {
        "n_complete": int(state == "complete"),
        "n_failed": int(state == "failed"),
        "n_infeasible": int(state == "infeasible"),
        "low_value": value,
        "low_number": number if measured else None,
        "high_value": value,
        "high_number": number if measured else None,
        "unmeasured_number": None if measured else number,
    }


def merged(buckets: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """One bucket for several."""
    buckets = list(buckets)
    out: dict[str, Any] = {name: sum(b[name] for b in buckets) for name in _COUNTS}
    measured = [b for b in buckets if b["low_value"] is not None]
    low = min(measured, key=lambda b: (b["low_value"], b["low_number"]), default=None)
    high = max(measured, key=lambda b: (b["high_value"], -b["high_number"]), default=None)
    unmeasured = [b["unmeasured_number"] for b in buckets if b["unmeasured_number"] is not None]
    out |= dict.fromkeys(_KEPT)
    if low is not None and high is not None:
        out |= {name: low[name] for name in ("low_value", "low_number")}
        out |= {name: high[name] for name in ("high_value", "high_number")}
    out["unmeasured_number"] = min(unmeasured, default=None)
    return out


def _double(connection: Connection, study_id: str, width: int) -> int:
    rows = connection.execute(sa.select(progress_buckets).where(progress_buckets.c.study_id == study_id)).all()
    connection.execute(progress_buckets.delete().where(progress_buckets.c.study_id == study_id))
    if rows:
        connection.execute(
            progress_buckets.insert(), [{"study_id": study_id, "bucket": k, **b} for k, b in _grouped(rows, 2).items()]
        )
    return 2 * width


def _buckets(connection: Connection, study_id: str, most: int) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(progress_buckets).where(progress_buckets.c.study_id == study_id)).all()
    factor = 1
    while len({row.bucket // factor for row in rows}) > most:
        factor *= 2
    return list(_grouped(rows, factor).values())


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
