"""`tunedesk demo`, `up`, `engine` and `dashboard`: the processes that keep running."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import (
    DEFAULT_STORE,
    ExecutorOption,
    ObjectivesOption,
    PortOption,
    SlotsOption,
    StoreOption,
    allow,
    open_store,
)
from engine.errors import StoreError

if TYPE_CHECKING:
    from engine.store import Store

BrowserOption = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")]


def demo(
    folder: Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="Where the demo keeps everything.")] = Path(
        "tunedesk-demo"
    ),
    port: PortOption = 8501,
    browser: BrowserOption = True,
) -> None:
    """See it work: a store of its own, an engine, the dashboard, and sample studies on real price series."""
    from engine.ports import check_port

    check_port(port)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} can't be made: {error.strerror}.") from None
    url = str(folder.absolute() / DEFAULT_STORE)
    store = open_store(url, create=True)
    first = store.list_studies(limit=1, include_archived=True)[1] == 0
    if first:
        _create_samples(store)
    _run_desk(store, url, folder, port, browser, [])


def up(
    store: StoreOption = DEFAULT_STORE,
    port: PortOption = 8501,
    browser: BrowserOption = False,
    studies: SlotsOption = 2,
    executor: ExecutorOption = "local",
    objectives: ObjectivesOption = None,
) -> None:
    """An engine and the dashboard on a store of yours."""
    from engine.ports import check_port
    from engine.service.executors import check_executor

    allow(objectives)
    check_executor(executor)
    check_port(port)
    opened = open_store(store, create=True)
    if "://" in store and not store.startswith("sqlite"):
        folder = Path.cwd() / ".tunedesk"
        folder.mkdir(exist_ok=True)
    else:
        folder = Path(opened.place).parent
    _run_desk(opened, store, folder, port, browser, ["--studies", str(studies), "--executor", executor])


def engine(
    store: StoreOption = DEFAULT_STORE,
    studies: SlotsOption = 2,
    executor: ExecutorOption = "local",
    objectives: ObjectivesOption = None,
    lease_seconds: Annotated[
        float, typer.Option(min=0.5, max=3600, help="How long it may be silent before another takes its studies.")
    ] = 10.0,
) -> None:
    """One engine: takes queued studies from the store and runs their trials. Start as many as you like."""
    import logging

    from engine.service.worker import single_threaded

    single_threaded()  # before the numeric libraries are loaded
    from engine.service.engine import EngineProcess

    allow(objectives)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with open_store(store, create=True) as opened:
        EngineProcess(opened, studies=studies, executor=executor, lease_seconds=lease_seconds).run()


def dashboard(store: StoreOption = DEFAULT_STORE, port: PortOption = 8501, objectives: ObjectivesOption = None) -> None:
    """The dashboard and its HTTP API alone, on 127.0.0.1."""
    from engine.ports import check_port

    allow(objectives)
    check_port(port)
    open_store(store, create=True).close()
    os.environ["TUNEDESK_STORE"] = store
    os.execv(sys.executable, [sys.executable, "-m", "dashboard.server", "--port", str(port)])


def _run_desk(store: Store, url: str, folder: Path, port: int, browser: bool, engine_options: list[str]) -> None:
    """Runs until Ctrl-C or SIGTERM."""
    from engine.service.supervisor import Desk, token_beside

    def ready() -> bool:
        return any(not e.stale for e in store.engines())

    desk = Desk(url, port, folder / "logs", token_beside(folder), typer.echo, engine_options)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: desk.stop())
    try:
        if desk.start(ready):
            typer.echo(f"Tunedesk runs at {desk.url}\nEverything is kept in {folder}. Ctrl-C stops it.")
            if browser:
                typer.launch(desk.url)
            desk.run()
    finally:
        desk.close()
        store.close()
    typer.echo("Stopped. The same command goes on where it was.")


def _create_samples(store: Store) -> None:
    from engine.governance.actions import create_study
    from engine.governance.actors import local_actor
    from engine.objectives import find
    from engine.objectives.data import sample_studies
    from engine.study import StudySpec

    for spec in [StudySpec.from_file(path) for path in sample_studies()]:
        entry = find(spec.objective)
        if entry is not None and entry.missing:
            typer.echo(f"Left out {spec.name}: it needs {' and '.join(entry.missing)}.")
            continue
        create_study(store, spec, local_actor())
    _create_sample_scope(store)


def _create_sample_scope(store: Store) -> None:
    """A scope, and a proposal of somebody else that waits for this account's review."""
    from engine.cli.live import read_definition
    from engine.governance import Actor, proposals, scope_changes
    from engine.governance.actors import local_actor
    from engine.objectives.data import sample_data_folder

    data = read_definition(sample_data_folder() / "scopes" / "strategy-wti.yaml")
    initial = data.pop("initial")
    scope = scope_changes.create_scope(store, data, local_actor(), reason="It comes with the demo.", initial=initial)
    author = Actor("sample analyst", {"analyst"})
    made = proposals.propose(
        store, scope.name, {"fast": 40, "slow": 160}, author, title="Slightly faster averages",
        rationale="A sample to try the review with: nothing was tested, and the missing evidence says so.",
        ramp={"stages": 4, "dwell": 30},
    )  # fmt: skip
    proposals.submit(store, made.id, author)
