"""Options that several verbs share, and how a verb comes by its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.store import Store

DEFAULT_STORE = "tunedesk.db"

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="TUNEDESK_STORE",
        metavar="URL",
        help="The experiment store: a SQLite file, or postgresql+psycopg://user@host/name.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StudyArgument = Annotated[str, typer.Argument(metavar="ID", help="The study's id, or its beginning.")]
PortOption = Annotated[int, typer.Option("--port", min=1, max=65535, help="The dashboard's port on 127.0.0.1.")]
ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="local|tcp://HOST:PORT",
        help="Where trials run: worker processes here, or a Dask cluster's scheduler.",
    ),
]
ObjectivesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--objectives", metavar="MODULE", help="Allow the functions of a module of yours as objectives. Repeatable."
    ),
]
SlotsOption = Annotated[int, typer.Option("--studies", min=1, max=64, help="How many studies to drive at once.")]


def open_store(url: str, *, create: bool = False, readonly: bool = False) -> Store:
    from engine.store import Store

    return Store.open(url, create=create, readonly=readonly)


def allow(modules: list[str] | None) -> None:
    """Adds modules to the allow-list of this process and its children. Raises InvalidInput on what is no name."""
    import os

    from engine.errors import InvalidInput
    from engine.objectives.catalogue import ALLOW_VARIABLE, allowed_modules

    for module in modules or ():
        if not all(part.isidentifier() for part in module.split(".")):
            raise InvalidInput("objectives", f"{module!r} is no module's name, such as mycompany.objectives.")
    if modules:
        os.environ[ALLOW_VARIABLE] = ",".join(dict.fromkeys([*allowed_modules(), *modules]))
