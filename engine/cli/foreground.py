"""`tunedesk study run`: a study in the foreground, with a progress bar and the result against the defaults."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import ExecutorOption, JsonOption, ObjectivesOption, allow, open_store
from engine.cli.output import cell, counts, number, print_json, print_table
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.records import StudyRecord, TrialRecord
    from engine.study import StudySpec

INTERRUPTED = 130


def run(
    study: Annotated[str, typer.Argument(metavar="FILE|ID", help="A study file, or a study of --store to go on with.")],
    trials: Annotated[int | None, typer.Option(help="Another budget of trials than the file's.")] = None,
    workers: Annotated[int | None, typer.Option(help="Another number of workers than the file's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the file's.")] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", envvar="TUNEDESK_STORE", metavar="URL", help="Keep the study here. Default: a temporary store."
        ),
    ] = None,
    executor: ExecutorOption = "local",
    objectives: ObjectivesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a study here and now; prints the best parameters and how they compare with the defaults."""
    from engine.service.worker import single_threaded

    single_threaded()  # before the numeric libraries are loaded
    from engine.service.executors import check_executor

    allow(objectives)
    check_executor(executor)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    spec = _read(study, {"trials": trials, "workers": workers, "seed": seed}) if Path(study).exists() else None
    if spec is None and store is None:
        raise InvalidInput(study, "is no file here; to go on with a study of a store, name the store with --store.")
    folder = Path(tempfile.mkdtemp(prefix="tunedesk-")) if store is None else None
    url = str(folder / "tunedesk.db") if folder is not None else str(store)
    opened = open_store(url, create=spec is not None)
    record = _run(opened, _create(opened, spec) if spec is not None else opened.get_study(study), executor)
    _print_result(opened, record, as_json)
    opened.close()
    if record.state in ("complete", "stopped") and folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    if record.state in ("queued", "running", "paused"):
        typer.echo(f"Interrupted. To go on: tunedesk study run {record.id} --store {url}", err=True)
        raise typer.Exit(INTERRUPTED)
    if record.state != "complete" and record.state != "stopped":
        raise typer.Exit(1)


def _read(file: str, overrides: dict[str, int | None]) -> StudySpec:
    """The study file with what the command line says instead of it."""
    from engine.study import StudySpec

    spec = StudySpec.from_file(file)
    data = spec.to_dict()
    for name, value in overrides.items():
        if value is not None:
            data |= {"budget": data["budget"] | {"trials": value}} if name == "trials" else {name: value}
    return StudySpec.from_dict(data)


def _create(store: Store, spec: StudySpec) -> StudyRecord:
    from engine.governance.actions import create_study
    from engine.governance.actors import local_actor

    return store.get_study(create_study(store, spec, local_actor()))


def _run(store: Store, record: StudyRecord, executor: str) -> StudyRecord:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from engine.service.foreground import run_study

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[best]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(
            record.name, total=record.spec.budget_trials, completed=record.n_finished, best=_best(record)
        )

        def show(study: StudyRecord) -> None:
            progress.update(task, completed=study.n_finished, best=_best(study))

        record = run_study(store, record.id, show, executor=executor)
        show(record)
    return record


def _best(study: StudyRecord) -> str:
    if study.best_value is None:
        return "no result yet"
    return f"best {study.spec.objectives[0].name} {number(study.best_value)}"


def _default_trial(store: Store, study: StudyRecord) -> TrialRecord | None:
    """The trial of the objective's defaults, which is the first one if there is one."""
    if study.n_trials == 0:
        return None
    first = store.get_trial(study.id, 0)
    return first if first.origin == "default" else None


def _print_result(store: Store, study: StudyRecord, as_json: bool) -> None:
    best = None if study.best_number is None else store.get_trial(study.id, study.best_number)
    default = _default_trial(store, study)
    if as_json:
        out = study.to_dict() | {
            "best_params": None if best is None else best.params,
            "default_params": None if default is None else default.params,
            "default_values": None if default is None else default.values,
        }
        print_json(out)
        return
    typer.echo(f"{study.name}: {study.state}, {counts(study)}" + (f". {study.message}" if study.message else ""))
    if best is None:
        typer.echo("No trial gave a feasible result; tunedesk trials shows what became of each.")
        return
    typer.echo(_comparison(study, default))
    _print_parameters(study, best, default)


def _comparison(study: StudyRecord, default: TrialRecord | None) -> str:
    name = study.spec.objectives[0].name
    if default is None:
        return f"{name} {number(study.best_value)} in trial {study.best_number}"
    if name not in default.values:
        return f"{name}: {default.state} with the defaults → {number(study.best_value)} in trial {study.best_number}"
    broken = "" if default.feasible else " (which break a limit)"
    return (
        f"{name} {number(default.values[name])} with the defaults{broken} → {number(study.best_value)}"
        f" in trial {study.best_number}"
    )


def _print_parameters(study: StudyRecord, best: TrialRecord, default: TrialRecord | None) -> None:
    from rich.table import Table

    table = Table("parameter", "best", *(["default"] if default else []), box=None, header_style="bold")
    for name in study.spec.space.names:
        values = [t.params.get(name, "–") for t in (best, default) if t is not None]
        table.add_row(name, *map(cell, values))
    for outcome in sorted(best.values):
        values = [t.values.get(outcome) for t in (best, default) if t is not None]
        table.add_row(outcome, *map(number, values), style="dim")
    print_table(table)
