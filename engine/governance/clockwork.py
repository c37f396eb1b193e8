"""Lets time do its part while a program runs. Every engine and every dashboard does so, and one of them is enough."""

from __future__ import annotations

import logging
import threading

from engine.errors import TunedeskError
from engine.governance.rollout import tick
from engine.store import Store

SECONDS = 2.0
"""Between two looks; a look is two short reads while nothing is due."""
_LOG = logging.getLogger("tunedesk.governance")


def keep_ticking(store: Store, stop: threading.Event, seconds: float = SECONDS) -> None:
    """Calls ``tick`` until ``stop`` is set. Trouble goes to the log, and the next look tries again."""
    while not stop.wait(seconds):
        try:
            for sentence in tick(store):
                _LOG.info("%s", sentence)
        except TunedeskError as error:
            _LOG.warning("What is due in governance has to wait: %s", error)
        except Exception:  # noqa: BLE001 - a thread that ended would stop every ramp without a word
            _LOG.exception("What is due in governance can't be done")


def start_ticking(store: Store) -> threading.Event:
    """The same in a thread of its own; set the event to end it."""
    stop = threading.Event()
    threading.Thread(target=keep_ticking, args=(store, stop), name="governance", daemon=True).start()
    return stop
