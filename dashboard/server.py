"""Starts the dashboard: ``python -m dashboard.server --store URL --port N``.

One process serves the pages (Streamlit) and /api/v1 on one port, on loopback unless told otherwise. It opens the
store before the port, so that whoever waits for the port finds a dashboard that works.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import TunedeskError
from engine.ports import check_port

DEFAULT_PORT = 8501
DEFAULT_HOST = "127.0.0.1"
TOKEN_VARIABLE = "TUNEDESK_TOKEN"
_HERE = Path(__file__).resolve().parent
_CONFIG_PLACES = (_HERE.parent / ".streamlit" / "config.toml", _HERE / "_streamlit" / "config.toml")
"""In a checkout, and in an installed package."""


class CannotStart(TunedeskError):
    """The dashboard can't be served; the sentence says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or Ctrl-C. Returns 0, or 2 after one sentence if it can't start."""
    try:
        serve(_parser().parse_args(arguments))
    except TunedeskError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def serve(options: argparse.Namespace) -> None:
    """Raises StoreError, InvalidInput or CannotStart before the port is opened."""
    from engine.governance.clockwork import start_ticking
    from engine.store import Store

    os.environ["TUNEDESK_STORE"] = options.store
    with Store.open(options.store) as store:
        check_port(options.port, options.host)
        if not is_loopback(options.host):
            print(
                f"The dashboard listens on {options.host}: whoever reaches this address can change studies.",
                file=sys.stderr,
            )
        app = create_app(store, host=options.host, token=os.environ.get(TOKEN_VARIABLE), names=options.allow_host)
        start_ticking(store)
        shown = f"[{options.host}]" if ":" in options.host else options.host
        print(f"Dashboard: http://{shown}:{options.port}", flush=True)
        app.run(config={**config(), "server.address": options.host, "server.port": options.port})


def create_app(store: Any, *, host: str = DEFAULT_HOST, token: str | None = None, names: Sequence[str] = ()) -> Any:
    """The ASGI application: Streamlit's pages with /api/v1 beside them. One in a process."""
    import streamlit as st
    from starlette.middleware import Middleware
    from starlette.routing import Mount, Route

    from dashboard.api import create_api
    from dashboard.guard import ALLOW_VARIABLE, HostGuard, own_names
    from dashboard.vendor import PLOTLY_PATH, plotly_js
    from engine.governance import local_actor

    extra = [*names, *os.environ.get(ALLOW_VARIABLE, "").split(",")]
    api = create_api(store, local_actor(), token, token_for_reads=not is_loopback(host))
    return st.App(
        _HERE / "app.py",
        routes=[Mount("/api/v1", app=api), Route(PLOTLY_PATH, plotly_js)],
        middleware=[Middleware(HostGuard, names=own_names(extra))],
        on_script_error=explain_error,
    )


def explain_error(error: Exception) -> bool:
    """What a page shows instead of a traceback: our own sentences, or a number to find the traceback by in the log."""
    import streamlit as st

    from dashboard.components.text import plain

    if isinstance(error, TunedeskError):
        st.error(plain(str(error)), icon=":material/error:")
        return True
    number = secrets.token_hex(4)
    # Streamlit has just logged the traceback; this line is what the number leads to.
    logging.getLogger("tunedesk.dashboard").error("page error %s is the %s above", number, type(error).__name__)
    st.error(
        f"This page met an error that it can't explain. The server's log has the details under {number}.",
        title="Something went wrong",
        icon=":material/error:",
    )
    return True


def config() -> dict[str, Any]:
    """Streamlit's options from our own file, by dotted name: {"theme.light.primaryColor": …}."""
    for place in _CONFIG_PLACES:
        if place.is_file():
            return _flat(tomllib.loads(place.read_text(encoding="utf-8")))
    raise CannotStart(f"The file {_CONFIG_PLACES[-1]} is missing: install Tunedesk again.")


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return out


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard.server", description="Serves the Tunedesk dashboard.")
    parser.add_argument(
        "--store",
        metavar="URL",
        default=os.environ.get("TUNEDESK_STORE") or "tunedesk.db",
        help="a SQLite file or postgresql+psycopg://user@host/name (environment: TUNEDESK_STORE)",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port to listen on (default {DEFAULT_PORT})")
    parser.add_argument(
        "--host", default=DEFAULT_HOST, help=f"address to listen on (default {DEFAULT_HOST}: this machine only)"
    )
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name under which browsers reach this server, such as a reverse proxy's; repeatable",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
