"""The command line: the verbs of the dashboard and the HTTP API for a terminal and for scripts.

Belongs here: arguments, output, exit codes. Doesn't: anything that a verb does; each calls the service, the store or
governance. Exit codes: 0 done, 1 a study failed or a check found something, 2 refused or wrong use, 130 interrupted.
"""

from __future__ import annotations


def main() -> None:
    """The console script ``tunedesk``. Imported by every worker process, so that it loads nothing by itself."""
    from engine.cli.app import run

    run()
