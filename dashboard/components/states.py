"""The states of a study and its engine in words, with an icon and a colour each: defined once for every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboard.components.text import ago, count
from engine.store.records import EngineRecord, StudyRecord, StudyState, Verb

Colour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "primary"]
START_ENGINE = "No engine is running: start one with `tunedesk engine`."


@dataclass(frozen=True)
class StateLook:
    """meaning: what the state says, for a tooltip."""

    icon: str
    colour: Colour
    hue: str
    meaning: str


STATES: dict[StudyState, StateLook] = {
    "queued": StateLook(":material/schedule:", "gray", "#6F7A85", "Waits for an engine."),
    "running": StateLook(":material/play_circle:", "primary", "#0B6E7A", "An engine proposes and runs trials."),
    "paused": StateLook(":material/pause_circle:", "orange", "#B4610B", "Nothing new starts until it is resumed."),
    "stopping": StateLook(":material/stop_circle:", "orange", "#B4610B", "Ends after what runs."),
    "complete": StateLook(":material/check_circle:", "green", "#2F7D4F", "The budget is used up."),
    "stopped": StateLook(":material/stop_circle:", "gray", "#6F7A85", "Ended by a person before its budget was used."),
    "cancelled": StateLook(":material/cancel:", "gray", "#6F7A85", "Ended by a person; what ran was killed."),
    "failed": StateLook(":material/error:", "red", "#B3382C", "Can't go on; its message says why."),
}

VERB_ICONS: dict[Verb, str] = {
    "pause": ":material/pause:",
    "resume": ":material/play_arrow:",
    "stop": ":material/stop:",
    "cancel": ":material/close:",
}


def badge(state: StudyState) -> None:
    """The state as a coloured word with an icon."""
    look = STATES[state]
    st.badge(state, icon=look.icon, color=look.colour, help=look.meaning)


@dataclass(frozen=True)
class Pulse:
    """What is known of the engine that drives a study. trouble: somebody has to look at it."""

    text: str
    trouble: bool = False


def pulse(study: StudyRecord, engines: Sequence[EngineRecord]) -> Pulse:
    """The heartbeat in words: ``Engine last seen 2 s ago``. A silent engine is stale, which isn't failed."""
    if study.state in ("complete", "stopped", "cancelled", "failed"):
        return Pulse("")
    if study.engine_id is not None and study.engine_seen_at is not None:
        seen = ago(study.now - study.engine_seen_at)
        holder = next((engine for engine in engines if engine.id == study.engine_id), None)
        if holder is None or holder.stale:
            return Pulse(f"Engine stale, last seen {seen}: another one takes over if it stays silent", True)
        return Pulse(f"Engine last seen {seen}")
    alive = sum(not engine.stale for engine in engines)
    if not alive:
        return Pulse(START_ENGINE, True)
    if study.state == "paused":
        return Pulse("No engine holds it while it is paused")
    return Pulse(f"Waits for one of {count(alive, 'engine')}")


def engines_line(engines: Sequence[EngineRecord], now: float | None) -> Pulse:
    """All engines in one line: ``2 engines, last seen now``. now: the database's clock, None if it wasn't read."""
    alive = [engine for engine in engines if not engine.stale]
    if not alive:
        return Pulse(START_ENGINE, True)
    seen = "" if now is None else f", last seen {ago(now - max(engine.seen_at for engine in alive))}"
    stale = len(engines) - len(alive)
    return Pulse(f"{count(len(alive), 'engine')} running{seen}" + (f", {stale} stale" if stale else ""))
