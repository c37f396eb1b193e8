"""`tunedesk study …`: create, list, show, command; `study run` is in foreground.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import foreground
from engine.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    ObjectivesOption,
    StoreOption,
    StudyArgument,
    allow,
    open_store,
)
from engine.cli.output import ago, counts, number, params, print_json, print_table
from engine.errors import InvalidInput, NotAllowed

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.records import CommandRecord, StudyRecord, StudyState, Verb

app = typer.Typer(help="Create, run, list, show and control studies.", no_args_is_help=True)
app.command("run")(foreground.run)

ANSWER_SECONDS = 2.0
"""How long a command waits for the engine's answer; an engine that is alive answers within one second."""


@app.command()
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The study file (YAML or JSON).")],
    store: StoreOption = DEFAULT_STORE,
    objectives: ObjectivesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a study for the next free engine; prints its id."""
    from engine.governance.actions import create_study
    from engine.governance.actors import local_actor
    from engine.study import StudySpec

    allow(objectives)
    spec = StudySpec.from_file(file)
    opened = open_store(store, create=True)
    study_id = create_study(opened, spec, local_actor())
    if as_json:
        print_json(opened.get_study(study_id).to_dict())
    else:
        typer.echo(study_id)


@app.command("list")
def list_studies(
    store: StoreOption = DEFAULT_STORE,
    search: Annotated[str, typer.Option(help="Only studies with this in name, objective, owner or tags.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="Only studies in this state. Repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """The studies of a store, the newest first."""
    opened = open_store(store, readonly=True)
    studies, total = opened.list_studies(search=search, states=_states(state), limit=limit)
    if as_json:
        print_json([study.to_dict() for study in studies])
        return
    if not studies:
        typer.echo("There are no studies here. `tunedesk study create FILE` queues one.")
        return
    from rich.table import Table

    table = Table("id", "name", "state", "trials", "best", "created", box=None, header_style="bold")
    for s in studies:
        progress = f"{s.n_finished}/{s.spec.budget_trials}"
        table.add_row(s.id[:8], s.name, s.state, progress, _best(s), ago(s.now - s.created_at))
    print_table(table)
    if total > len(studies):
        typer.echo(f"{len(studies)} of {total} studies; --limit shows more.")


@app.command()
def show(study: StudyArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """One study: state, progress, best parameters, the engine's heartbeat, what happened last."""
    opened = open_store(store, readonly=True)
    record = opened.get_study(study)
    best = _best_params(opened, record)
    if as_json:
        print_json(record.to_dict() | {"best_params": best})
        return
    lines = [
        f"{record.name}  ({record.id})",
        f"state      {record.state}" + (f": {record.message}" if record.message else ""),
        f"objective  {record.spec.objective}",
        f"progress   {counts(record)}, {record.n_running} running",
        f"best       {_best(record)}" + (f" in trial {record.best_number}" if record.best_number is not None else ""),
    ]
    if best is not None:
        lines.append(f"           {params(best)}")
    if record.engine_seen_at is not None:
        lines.append(f"engine     {record.engine_id}, last seen {ago(record.now - record.engine_seen_at)}")
    for event in opened.events(record.id, limit=5):
        lines.append(f"           {ago(record.now - event.at):>12}  {event.text}")
    typer.echo("\n".join(lines))


@app.command()
def pause(study: StudyArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Finish what runs, start nothing new."""
    _command("pause", study, store, as_json)


@app.command()
def resume(study: StudyArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Go on where it was."""
    _command("resume", study, store, as_json)


@app.command()
def stop(study: StudyArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """End after what runs."""
    _command("stop", study, store, as_json)


@app.command()
def cancel(study: StudyArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Kill what runs and end."""
    _command("cancel", study, store, as_json)


def _command(verb: Verb, study: str, store: str, as_json: bool) -> None:
    from engine.governance.actions import send_command
    from engine.governance.actors import local_actor

    opened = open_store(store)
    record = opened.get_study(study)
    command = _answer(opened, send_command(opened, record.id, verb, local_actor()))
    record = opened.get_study(record.id)
    if as_json:
        print_json({"command": command.__dict__, "study": record.to_dict()})
    if command.accepted is False:
        raise NotAllowed(f"{record.name}: {command.note}")
    if not as_json and command.acknowledged_at is None:
        typer.echo(f"{record.name}: {verb} is written down, but no engine has answered yet. Is one running?")
    elif not as_json:
        typer.echo(f"{record.name}: {record.state}")


def _answer(store: Store, command: CommandRecord) -> CommandRecord:
    deadline = time.monotonic() + ANSWER_SECONDS
    while command.acknowledged_at is None and time.monotonic() < deadline:
        time.sleep(0.05)
        command = store.command(command.id)
    return command


def _states(given: list[str] | None) -> list[StudyState] | None:
    from typing import get_args

    from engine.store.records import StudyState

    known = get_args(StudyState)
    for word in given or ():
        if word not in known:
            raise InvalidInput("--state", f"{word!r} is no state; the states are {', '.join(known)}.")
    return given or None  # type: ignore[return-value]


def _best(study: StudyRecord) -> str:
    return "–" if study.best_value is None else f"{study.spec.objectives[0].name} {number(study.best_value)}"


def _best_params(store: Store, study: StudyRecord) -> dict | None:
    return None if study.best_number is None else store.get_trial(study.id, study.best_number).params
