"""engine.live(scope): quick, right within a second, and there when the store isn't."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine.errors import NotFound, StoreError, StoreUnavailable
from engine.governance import clockwork, consumer, kill, overrides, proposals, rollout
from engine.governance import live as registry
from engine.store import Store
from tests.support.governance import ANA, RITA, SAFE, WHY, approved, make_scope, pass_time


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    consumer.forget()
    yield
    consumer.forget()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Called, it makes the store unreachable for readers."""

    def unreachable(*arguments: Any) -> Any:
        raise StoreUnavailable("The store is away.")

    return lambda: monkeypatch.setattr(registry, "get", unreachable)


def test_a_program_reads_its_values(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_scope(store)
    assert engine.live("sma", store=store_url)["fast"] == 20
    monkeypatch.setenv("TUNEDESK_STORE", store_url)
    assert engine.live("sma").values == SAFE
    assert not engine.live("sma").stale
    with pytest.raises(NotFound, match="no scope 'other'"):
        engine.live("other")


def test_a_kill_reaches_it_as_soon_as_it_asks_again(store: Store) -> None:
    make_scope(store)
    rollout.start(store, approved(store).id, RITA)
    assert engine.live("sma", store=store)["fast"] == 30
    kill.trip(store, "sma", ANA, WHY)
    assert engine.live("sma", store=store, max_age=1000)["fast"] == 30  # from memory
    assert engine.live("sma", store=store, max_age=0).source == "kill"


def test_without_the_store_the_last_known_values_count(store: Store, away: Any) -> None:
    make_scope(store)
    engine.live("sma", store=store)
    away()
    found = engine.live("sma", store=store, max_age=0)
    assert (found.stale, found.values) == (True, SAFE)
    with pytest.raises(StoreError, match="away"):
        engine.live("never read", store=store)


def test_an_override_ends_in_time_without_the_store(store: Store, away: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_scope(store)
    overrides.set_override(store, "sma", {"fast": 50}, RITA, WHY, hours=1)
    assert engine.live("sma", store=store)["fast"] == 50
    away()
    assert engine.live("sma", store=store, max_age=0)["fast"] == 50
    start = consumer.time.monotonic()
    monkeypatch.setattr(consumer.time, "monotonic", lambda: start + 3601)
    found = engine.live("sma", store=store, max_age=1e9)
    assert (found["fast"], found.source, found.override, found.stale) == (20, "live", {}, True)


def test_a_missing_store_is_said(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match="no store"):
        engine.live("sma", store=str(tmp_path / "nothing.db"))


def test_whoever_runs_lets_time_do_its_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_scope(store)
    p = rollout.start(store, approved(store, changes={"fast": 40}, ramp={"dwell": 60}).id, RITA)
    pass_time(store, 61)
    stop, done, calls = threading.Event(), threading.Event(), []

    def once(store: Store) -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            raise StoreUnavailable("busy")  # the next look tries again
        if len(calls) == 2:
            raise ZeroDivisionError
        said = rollout.tick(store)
        stop.set()
        done.set()
        return said

    monkeypatch.setattr(clockwork, "tick", once)
    clockwork.keep_ticking(store, stop, seconds=0.001)
    assert done.is_set()
    assert proposals.get(store, p.id).state == "live"
