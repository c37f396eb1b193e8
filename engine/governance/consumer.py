"""``engine.live(scope)``: what a trading program asks for its values, and gets the last known ones without the store.

A reader never waits long and never fails because of the store once it has read a scope: it gets what counted then, with
``stale`` set, and an override that has run out meanwhile no longer counts.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from dataclasses import dataclass

from engine.errors import StoreError
from engine.governance import live as registry
from engine.governance.resolve import Layer, Live
from engine.store import Store
from engine.store.urls import DEFAULT_NAME

STORE_VARIABLE = "TUNEDESK_STORE"
MAX_AGE = 1.0
"""Seconds for which values are taken from memory; a kill switch reaches every consumer within that time."""


@dataclass(frozen=True)
class _Kept:
    live: Live
    read_at: float  # of this process's monotonic clock


_stores: dict[str, Store] = {}
_kept: dict[tuple[str, str], _Kept] = {}
_lock = threading.Lock()


def live(scope: str, *, store: str | Store | None = None, max_age: float = MAX_AGE) -> Live:
    """The values that count now: ``live("sma-sp500")["fast"]``.

    store: a URL, an open Store, or by default the one that TUNEDESK_STORE names. max_age: seconds for which the answer
    may come from memory; 0 asks the store every time. When the store can't be read, the last values that it gave come
    back with ``stale`` set. Raises StoreError if there are none, NotFound for an unknown scope.
    """
    url = store.url if isinstance(store, Store) else store or os.environ.get(STORE_VARIABLE) or DEFAULT_NAME
    key = (url, scope)
    kept, now = _kept.get(key), time.monotonic()
    if kept is not None and now - kept.read_at < max_age and not _ran_out(kept, now):
        return kept.live
    try:
        opened = store if isinstance(store, Store) else _open(url)
        found = registry.get(opened, scope)
    except StoreError:
        if kept is None:
            raise
        return _last_known(kept, now)
    _kept[key] = _Kept(found, now)
    return found


def forget() -> None:
    """Closes the stores that ``live`` opened and drops what it kept; for tests and forked processes."""
    with _lock:
        for opened in _stores.values():
            opened.close()
        _stores.clear()
        _kept.clear()


def _open(url: str) -> Store:
    with _lock:
        if url not in _stores:
            _stores[url] = Store.open(url, readonly=True)
        return _stores[url]


def _ran_out(kept: _Kept, now: float) -> bool:
    return kept.live.until is not None and kept.live.at + (now - kept.read_at) >= kept.live.until


def _last_known(kept: _Kept, now: float) -> Live:
    last = dataclasses.replace(kept.live, stale=True)
    if last.killed or not _ran_out(kept, now):
        return last
    source: Layer = "live" if last.step is None else "ramp"
    return dataclasses.replace(
        last, values=dict(last.base), source=source, sources=dict.fromkeys(last.base, source), override={},
        override_reason="", until=None,
    )  # fmt: skip
