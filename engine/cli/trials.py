"""`tunedesk trials`: a study's trials as a table, as CSV or as JSON."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import DEFAULT_STORE, JsonOption, StoreOption, StudyArgument, open_store
from engine.cli.output import cell, counts, number, print_json, print_table
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.records import StudyRecord, TrialRecord

PAGE = 1000


def trials(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one row a trial.")] = False,
    as_json: JsonOption = False,
) -> None:
    """A study's trials with their parameters, values and states."""
    if as_csv and as_json:
        raise InvalidInput("--csv", "and --json don't go together: choose one.")
    opened = open_store(store, readonly=True)
    record = opened.get_study(study)
    rows = _all_trials(opened, record.id)
    if as_json:
        print_json([trial.to_dict() for trial in rows])
    elif as_csv:
        _print_csv(record, list(rows))
    else:
        _print_table(record, rows)


def _all_trials(store: Store, study_id: str) -> Iterator[TrialRecord]:
    offset = 0
    while True:
        page, total = store.list_trials(study_id, limit=PAGE, offset=offset)
        yield from page
        offset += len(page)
        if not page or offset >= total:
            return


def _outcomes(study: StudyRecord) -> list[str]:
    names = [o.name for o in study.spec.objectives] + [c.name for c in study.spec.outcome_constraints]
    return list(dict.fromkeys(names))


def _print_csv(study: StudyRecord, rows: list[TrialRecord]) -> None:
    names = study.spec.space.names
    outcomes = list(dict.fromkeys([*_outcomes(study), *(name for t in rows for name in t.values)]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["number", "state", "origin", *names, *outcomes, "feasible", "started_at", "finished_at", "error"])
    for t in rows:
        inputs = (t.params.get(name, "") for name in names)
        values = (t.values.get(name, "") for name in outcomes)
        feasible = "" if t.feasible is None else str(t.feasible).lower()
        times = (t.started_at or "", t.finished_at or "")
        writer.writerow([t.number, t.state, t.origin, *inputs, *values, feasible, *times, t.error])


def _print_table(study: StudyRecord, rows: Iterator[TrialRecord]) -> None:
    from rich.table import Table

    outcomes, names = _outcomes(study), study.spec.space.names
    table = Table("trial", "state", *outcomes, *names, "", box=None, header_style="bold")
    for t in rows:
        values = (number(t.values.get(o)) for o in outcomes)
        choices = (cell(t.params[n]) if n in t.params else "–" for n in names)
        table.add_row(str(t.number), t.state, *values, *choices, "best so far" if t.incumbent else t.error)
    print_table(table)
    typer.echo(f"{study.name}: {counts(study)}")
