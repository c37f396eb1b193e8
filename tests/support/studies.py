"""Small studies for tests of the store, and large ones written in bulk."""

from __future__ import annotations

import json
import math
from typing import Any

import sqlalchemy as sa

from engine.governance import Actor, actions
from engine.space import Categorical, Float, SearchSpace
from engine.space.outcomes import Objective, OutcomeConstraint
from engine.store import Lease, Store, progress, tables
from engine.store.records import TrialRecord, TrialState
from engine.study import StudySpec

ANALYST = Actor("ana", {"analyst"})


def make_spec(name: str = "study", **changes: Any) -> StudySpec:
    fields: dict[str, Any] = {
        "name": name,
        "objective": "manual",
        "space": SearchSpace([Float("x", 0.0, 1.0), Categorical("kind", ["a", "b"])]),
        "objectives": (Objective("sharpe", "maximize"),),
        "outcome_constraints": (OutcomeConstraint.parse("drawdown <= 0.35"),),
        "budget_trials": 100,
    }
    return StudySpec(**fields | changes)


def make_study(store: Store, name: str = "study", **changes: Any) -> str:
    return actions.create_study(store, make_spec(name, **changes), ANALYST)


def leased(store: Store, name: str = "study", engine: str = "engine-1", **changes: Any) -> tuple[str, Lease]:
    """A new study and the lease on it of a new engine."""
    study_id = make_study(store, name, **changes)
    store.register_engine(engine, "host", 1)
    lease = store.lease_study(engine, study_id)
    assert lease is not None
    return study_id, lease


def run_trial(
    store: Store,
    lease: Lease,
    sharpe: float | None = 1.0,
    drawdown: float = 0.1,
    state: TrialState = "complete",
    x: float = 0.5,
) -> TrialRecord:
    """Adds, starts and finishes a trial."""
    trial = store.start_trial(lease, store.add_trial(lease, {"x": x, "kind": "a"}).number)
    values = {"sharpe": sharpe, "drawdown": drawdown} if state == "complete" and sharpe is not None else {}
    return store.finish_trial(lease, trial.number, trial.attempt, state, values)


def silence(store: Store, engine: str, seconds: float = 1000.0) -> None:
    """As if no heartbeat had come for so long."""
    with store.transaction() as connection:
        for table, key in ((tables.leases, tables.leases.c.engine_id), (tables.engines, tables.engines.c.id)):
            connection.execute(sa.update(table).where(key == engine).values(seen_at=table.c.seen_at - seconds))


def fill(store: Store, study_id: str, n: int, at: float = 1.7e9) -> None:
    """n finished trials written in bulk: every 10th failed, every 17th breaks the constraint, the rest improve slowly
    under a wave. Counts, incumbents, buckets and curve are as the write path would leave them."""
    best, best_number = None, None
    rows, values = [], []
    buckets: dict[int, list[dict[str, Any]]] = {}
    curve: dict[str, Any] = {"step": 1, "points": []}
    width = 1
    while (n - 1) // width >= progress.MAX_BUCKETS:
        width *= 2
    for number in range(n):
        failed, feasible = number % 10 == 9, number % 17 != 16
        value = math.sin(number * 0.7) + number / n + (math.sin(number * 12.9898) * 43758.5453) % 1.0
        better = not failed and feasible and (best is None or value > best)
        if better:
            best, best_number = value, number
        rows.append(
            {
                "study_id": study_id, "number": number, "state": "failed" if failed else "complete",
                "feasible": None if failed else feasible, "incumbent": better, "attempt": 1,
                "finished_order": number + 1, "origin": "model", "created_at": at + number, "started_at": at + number,
                "finished_at": at + number + 1, "error": "diverged" if failed else "",
                "params": {f"p{i}": (number * (i + 1) % 997) / 997 for i in range(6)},
                "reason": {"acquisition": -number / n, "mean": value, "std": 0.1, "text": "largest improvement"},
            }
        )  # fmt: skip
        if not failed:
            values += [
                {"study_id": study_id, "number": number, "name": "sharpe", "value": value},
                {"study_id": study_id, "number": number, "name": "drawdown", "value": 0.1 if feasible else 0.5},
            ]
        state: TrialState = "failed" if failed else "complete"
        single = progress.single(number, state, *((None, None) if failed else (value, feasible)))
        buckets.setdefault(number // width, []).append(single)
        curve = progress.extended(curve, number + 1, best)
    with store.transaction(durable=False) as connection:
        insert_many(connection, tables.trials, rows)
        insert_many(connection, tables.trial_values, values)
        merged = [{"study_id": study_id, "bucket": k, **progress.merged(b)} for k, b in buckets.items()]
        insert_many(connection, tables.progress_buckets, merged)
        n_failed = sum(row["state"] == "failed" for row in rows)
        connection.execute(
            tables.studies.update()
            .where(tables.studies.c.id == study_id)
            .values(
                n_trials=n,
                n_complete=n - n_failed,
                n_failed=n_failed,
                best_value=best,
                best_number=best_number,
                bucket_width=width,
                best_so_far=curve,
                revision=tables.studies.c.revision + 3 * n,
            )
        )


def insert_many(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Rows that all have the same keys; by COPY on PostgreSQL, which is many times quicker there."""
    if connection.dialect.name == "sqlite" or not rows:
        connection.execute(table.insert(), rows)
        return
    names = list(rows[0])
    wrap = [json.dumps if isinstance(table.c[name].type, sa.JSON) else (lambda value: value) for name in names]
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy,  # type: ignore[attr-defined]
    ):
        for row in rows:
            copy.write_row([w(row[name]) for w, name in zip(wrap, names)])


def copy_study(store: Store, study_id: str, n: int) -> None:
    """n further studies with the same definition and other names, written in bulk."""
    with store.transaction(durable=False) as connection:
        row = dict(connection.execute(sa.select(tables.studies).where(tables.studies.c.id == study_id)).one()._mapping)
        states = ("queued", "running", "paused", "complete", "stopped", "cancelled", "failed")
        rows = []
        for i in range(n):
            name = f"strategy {i:05d} {'mean reversion' if i % 3 else 'breakout'}"
            rows.append(
                row | {
                    "id": f"{i:012x}", "name": name, "search_text": f"{name}\nmanual\nana", "state": states[i % 7],
                    "created_at": row["created_at"] - i, "spec": json.loads(json.dumps(row["spec"])) | {"name": name},
                }
            )  # fmt: skip
        insert_many(connection, tables.studies, rows)
