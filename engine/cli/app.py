"""The command `tunedesk`: its verbs, and how errors reach the user."""

from __future__ import annotations

import os
import sys

import typer

from engine.cli import desk, live, proposals, studies, trials, upkeep
from engine.errors import TunedeskError

app = typer.Typer(
    name="tunedesk",
    help="Tune the parameters of a trading platform: studies, a background engine, a dashboard.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(desk.demo)
app.command()(desk.up)
app.command()(desk.engine)
app.command()(desk.dashboard)
app.add_typer(studies.app, name="study")
app.command()(trials.trials)
app.add_typer(live.live, name="live")
app.add_typer(live.scope, name="scope")
app.add_typer(proposals.app, name="proposal")
app.command()(live.kill)
app.command()(live.rearm)
app.command()(upkeep.objectives)
app.add_typer(upkeep.audit, name="audit")
app.add_typer(upkeep.db, name="db")
app.command()(upkeep.version)


def run() -> None:
    """Ends the process: a sentence and exit code 2 for what a user can mend, a traceback for a bug."""
    try:
        app()
    except TunedeskError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of the output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
