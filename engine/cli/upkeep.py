"""`tunedesk objectives`, `audit`, `db` and `version`: what is here, and whether it is in order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import DEFAULT_STORE, JsonOption, ObjectivesOption, StoreOption, allow, open_store
from engine.cli.output import params, print_json
from engine.errors import InvalidInput

audit = typer.Typer(help="The record of who decided what: check it, export it.", no_args_is_help=True)
db = typer.Typer(help="The store itself.", no_args_is_help=True)


def objectives(objectives: ObjectivesOption = None, as_json: JsonOption = False) -> None:
    """What can be tuned here: the catalogue of objectives."""
    from engine.objectives import catalogue
    from engine.objectives.catalogue import allowed_modules

    allow(objectives)
    entries = catalogue().values()
    if as_json:
        print_json(
            [
                {
                    "path": e.path, "title": e.title, "summary": e.summary, "area": e.area, **e.space.to_dict(),
                    "objectives": [{"name": o.name, "direction": o.direction} for o in e.objectives],
                    "outcome_constraints": list(e.outcome_constraints), "defaults": dict(e.defaults),
                    "settings": {s.name: s.default for s in e.settings}, "outcomes": dict(e.outcomes),
                }
                for e in entries
            ]
        )  # fmt: skip
        return
    for e in entries:
        aims = ", ".join(f"{o.direction} {o.name}" for o in e.objectives)
        typer.echo(f"{e.path}\n  {e.title}: {e.summary}\n  {aims}; defaults: {params(e.defaults)}\n")
    for module in allowed_modules():
        typer.echo(f"{module}:…\n  every function of this module, by --objectives\n")


def version() -> None:
    """The version of Tunedesk."""
    from importlib.metadata import version as installed

    typer.echo(f"tunedesk {installed('tunedesk')}")


@audit.command()
def verify(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Recompute the chain; exit code 1 and the first wrong entry if it was tampered with."""
    from engine.governance.audit import verify as check

    with open_store(store, readonly=True) as opened:
        verdict = check(opened)
    if as_json:
        print_json(verdict.__dict__)
    else:
        typer.echo(verdict.text)
    if not verdict.ok:
        raise typer.Exit(1)


@audit.command()
def export(
    store: StoreOption = DEFAULT_STORE,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A new file; default: the terminal.")
    ] = None,
) -> None:
    """Every entry with its hash, as JSON lines; the last line is the anchor to keep elsewhere."""
    from engine.governance.actors import local_actor
    from engine.governance.audit import export as write

    with open_store(store, readonly=True) as opened:
        if out is None:
            write(opened, local_actor(), sys.stdout)
            return
        try:
            with out.open("x", encoding="utf-8") as file:
                n = write(opened, local_actor(), file)
        except OSError as error:
            raise InvalidInput("--out", f"{out} can't be written: {error.strerror}.") from None
    typer.echo(f"{n} entries written to {out}.")


@db.command()
def upgrade(store: StoreOption = DEFAULT_STORE) -> None:
    """Make the store, or bring it to this program's version; a copy of a SQLite file is kept."""
    from engine.store import upgrade as bring_up

    copy = bring_up(store)
    typer.echo("The store is up to date." + (f" A copy of the old one is {copy}." if copy else ""))
