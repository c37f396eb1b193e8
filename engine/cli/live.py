"""`tunedesk live …`, `scope …`, `kill` and `rearm`: what is live, its limits, and how to stop it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import DEFAULT_STORE, JsonOption, StoreOption, open_store
from engine.cli.output import ago, params, print_json, print_table
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.governance.resolve import Live

live = typer.Typer(help="What is live: read it, its history, go back, override, report metrics.", no_args_is_help=True)
scope = typer.Typer(help="Scopes: the live parameters and their limits.", no_args_is_help=True)

ScopeArgument = Annotated[str, typer.Argument(metavar="SCOPE", help="The scope's name.")]
SwitchArgument = Annotated[str, typer.Argument(metavar="SCOPE|all", help="A scope's name, or all of them.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the record for good.")]
ValuesArgument = Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="Such as fast=20 mode=calm.")]


def values(given: list[str]) -> dict[str, Any]:
    """``fast=20 mode=calm`` as {"fast": 20, "mode": "calm"}: what reads as JSON is that, everything else is text."""
    out: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name.strip():
            raise InvalidInput("NAME=VALUE", f"{item!r} must look like fast=20.")
        try:
            out[name.strip()] = json.loads(text)
        except ValueError:
            out[name.strip()] = text
    return out


def read_definition(file: Path) -> dict[str, Any]:
    """A scope file, YAML or JSON."""
    import yaml

    from engine.study import read_text

    try:
        return yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise InvalidInput(str(file), f"is not readable as YAML: {getattr(error, 'problem', error)}.") from None


def show(found: Live) -> None:
    where = f"version {found.version}" + (f", step {found.step} of a ramp" if found.step else "")
    typer.echo(f"{found.scope}: {found.source} ({where})")
    for name, value in found.values.items():
        mark = f"   [{found.sources[name]}]" if found.sources[name] not in ("live", "ramp") else ""
        typer.echo(f"  {name} = {value}{mark}")
    if found.killed:
        typer.echo(f"The kill switch is tripped: {found.kill_reason}")
    if found.until is not None:
        typer.echo(f"The override ends in {(found.until - found.at) / 60:.0f} min: {found.override_reason}")
    if found.problem:
        typer.echo(f"Outside of today's limits: {found.problem}")


@live.command()
def get(scope: ScopeArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """The values that count now: kill > override > ramp > live."""
    from engine.governance.live import get as read

    with open_store(store, readonly=True) as opened:
        found = read(opened, scope)
    print_json(found.to_dict()) if as_json else show(found)


@live.command()
def history(
    scope: ScopeArgument,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """What was live from when to when, by whose decision and why."""
    import time

    from engine.governance.live import history as read

    with open_store(store, readonly=True) as opened:
        found = read(opened, scope, limit)
    if as_json:
        print_json([dataclasses.asdict(interval) for interval in found])
        return
    from rich.table import Table

    table = Table("from", "what", "source", "version", "values", "who", "why", box=None, header_style="bold")
    for i in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(i.start))
        table.add_row(when, i.what, i.source, str(i.version), params(i.values), i.who, i.why)
    print_table(table)


@live.command()
def rollback(
    scope: ScopeArgument,
    version: Annotated[int, typer.Argument(help="An earlier version; `tunedesk live history` shows them.")],
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Make an earlier version live again, at once. It needs no engine."""
    from engine.governance.actors import local_actor
    from engine.governance.live import rollback as go_back

    with open_store(store) as opened:
        show(go_back(opened, scope, version, local_actor(), reason))


@live.command()
def override(
    scope: ScopeArgument,
    given: ValuesArgument,
    reason: ReasonOption,
    hours: Annotated[float, typer.Option(help="After which the approved values count again.")],
    replace: Annotated[bool, typer.Option("--replace", help="In the place of the present override.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Set single parameters by hand for a limited time."""
    from engine.governance.actors import local_actor
    from engine.governance.overrides import set_override

    with open_store(store) as opened:
        show(set_override(opened, scope, values(given), local_actor(), reason, hours=hours, replace=replace))


@live.command()
def clear(scope: ScopeArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """End an override before its time."""
    from engine.governance.actors import local_actor
    from engine.governance.overrides import clear_override

    with open_store(store) as opened:
        show(clear_override(opened, scope, local_actor(), reason))


@live.command()
def report(scope: ScopeArgument, given: ValuesArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Report metrics that were measured on the live values; the gates of ramps judge on them."""
    from engine.governance.actors import local_actor
    from engine.governance.rollout import report_metrics

    with open_store(store) as opened:
        counts = report_metrics(opened, scope, values(given), local_actor())
    typer.echo("It counts for the present step of the ramp." if counts else "Kept; no ramp's step is judged by it.")


@live.command()
def tick(store: StoreOption = DEFAULT_STORE) -> None:
    """Do what is due: steps of ramps, schedules, expiries. Engine and dashboard do so by themselves."""
    from engine.governance.rollout import tick as do

    with open_store(store) as opened:
        for sentence in do(opened):
            typer.echo(sentence)


@scope.command("list")
def list_scopes(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Every scope, and what counts in it."""
    from engine.governance.live import overview

    with open_store(store, readonly=True) as opened:
        found = overview(opened)
    if as_json:
        print_json([{**dataclasses.asdict(v.record), "live": v.live.to_dict()} for v in found])
        return
    from rich.table import Table

    table = Table("scope", "area", "tier", "version", "source", "values", "since", box=None, header_style="bold")
    for v in found:
        since = ago(v.live.at - v.live.since)
        table.add_row(v.record.name, v.definition.area, v.definition.tier, str(v.live.version), v.live.source,
                      params(v.live.values), since)  # fmt: skip
    print_table(table)


@scope.command("show")
def show_scope(scope: ScopeArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """The definition that is in force, as JSON, and a change that waits for a second person."""
    from engine.governance.scope_changes import get as read

    with open_store(store, readonly=True) as opened:
        record, _ = read(opened, scope)
    print_json({"version": record.definition_version, "definition": record.definition, "pending": record.pending})


@scope.command("create")
def create_scope(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The scope file (YAML or JSON).")],
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Make a scope. An entry `initial` gives the values that run today; they become version 1."""
    from engine.governance.actors import local_actor
    from engine.governance.scope_changes import create_scope as create

    data = read_definition(file)
    initial = data.pop("initial", None) if isinstance(data, dict) else None
    with open_store(store, create=True) as opened:
        typer.echo(create(opened, data, local_actor(), reason=reason, initial=initial).name)


@scope.command("change")
def change_scope(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The scope file with the new limits.")],
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Change limits: tighter ones at once, looser ones once a second person confirms them."""
    from engine.governance.actors import local_actor
    from engine.governance.scope_changes import change_limits

    data = read_definition(file)
    if isinstance(data, dict):
        data.pop("initial", None)
    name = data.get("name", "") if isinstance(data, dict) else ""
    with open_store(store) as opened:
        record = change_limits(opened, str(name), data, local_actor(), reason)
    if record.pending is None:
        typer.echo(f"In force as version {record.definition_version}.")
    else:
        typer.echo(f"Waits for a second person: {'; '.join(record.pending['looser'])}.")


@scope.command("confirm")
def confirm_scope(scope: ScopeArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Confirm looser limits that another person asked for."""
    from engine.governance.actors import local_actor
    from engine.governance.scope_changes import confirm_limits

    with open_store(store) as opened:
        record = confirm_limits(opened, scope, local_actor(), reason)
    typer.echo(f"In force as version {record.definition_version}.")


def kill(scope: SwitchArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Safe values at once; ramps and overrides end. One person is enough."""
    from engine.governance.actors import local_actor
    from engine.governance.kill import trip

    with open_store(store) as opened:
        trip(opened, _switch(scope), local_actor(), reason)
    typer.echo("Tripped: the safe values count. Two people re-arm it: tunedesk rearm.")


def rearm(scope: SwitchArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Ask for a kill switch to be re-armed, or confirm it as the second person."""
    from engine.governance.actors import local_actor
    from engine.governance.kill import rearm as again

    with open_store(store) as opened:
        state = again(opened, _switch(scope), local_actor(), reason)
    typer.echo("Another person has to confirm." if state.tripped else "Re-armed: the live values count again.")


def _switch(name: str) -> str:
    return "*" if name == "all" else name
