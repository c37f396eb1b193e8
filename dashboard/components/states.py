"""The states of a study and its engine in words, with an icon and a colour each: defined once for every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboard.components.text import ago, count
from engine.store.records import EngineRecord, StudyRecord, StudyState, Verb
from engine.store.states import ENDED

Colour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "primary"]
START_ENGINE = "No engine is running: start one with `tunedesk engine`."


@dataclass(frozen=True)
class StateLook:
    """meaning: what the state says, for a tooltip. light, dark: the fill behind the word in tables."""

    icon: str
    colour: Colour
    light: str
    dark: str
    meaning: str


STATES: dict[StudyState, StateLook] = {
    "queued": StateLook(":material/schedule:", "gray", "#E3E6E8", "#2F3A44", "Waits for an engine."),
    "running": StateLook(":material/play_circle:", "blue", "#CFE6E8", "#174A52", "An engine proposes and runs trials."),
    "paused": StateLook(
        ":material/pause_circle:", "orange", "#F6E0C6", "#573711", "Nothing new starts until it is resumed."
    ),
    "stopping": StateLook(":material/stop_circle:", "orange", "#F6E0C6", "#573711", "Ends after what runs."),
    "complete": StateLook(":material/check_circle:", "green", "#D3E8DA", "#1E4A30", "The budget is used up."),
    "stopped": StateLook(
        ":material/stop_circle:", "gray", "#E3E6E8", "#2F3A44", "Ended by a person before its budget was used."
    ),
    "cancelled": StateLook(
        ":material/cancel:", "gray", "#E3E6E8", "#2F3A44", "Ended by a person; what ran was killed."
    ),
    "failed": StateLook(":material/error:", "red", "#F4D5D0", "#5A2620", "Can't go on; its message says why."),
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
    """What is known of the engine that drives a study. trouble: somebody has to look at it. short: for a table."""

    text: str
    trouble: bool = False
    short: str = "–"
    icon: str = ":material/hourglass_empty:"


def pulse(study: StudyRecord, engines: Sequence[EngineRecord]) -> Pulse:
    """The heartbeat in words: ``Engine last seen 2 s ago``. A silent engine is stale, which isn't failed."""
    if study.state in ENDED:
        return Pulse("")
    if study.engine_id is not None and study.engine_seen_at is not None:
        seen = ago(study.now - study.engine_seen_at)
        holder = next((engine for engine in engines if engine.id == study.engine_id), None)
        if holder is None or holder.stale:
            text = f"Engine stale, last seen {seen}: another one takes over if it stays silent"
            return Pulse(text, True, f"stale, {seen}", ":orange[:material/heart_broken:]")
        return Pulse(f"Engine last seen {seen}", short=f"seen {seen}", icon=":material/favorite:")
    if not any(not engine.stale for engine in engines):
        return Pulse(START_ENGINE, True, "none runs")
    if study.state == "paused":
        return Pulse("No engine holds it while it is paused", icon=":material/pause:")
    return Pulse("Waits for an engine that has room", short="waits")


def engines_line(engines: Sequence[EngineRecord], now: float | None) -> Pulse:
    """All engines in one line: ``2 engines, last seen now``. now: the database's clock, None if it wasn't read."""
    alive = [engine for engine in engines if not engine.stale]
    if not alive:
        return Pulse(START_ENGINE, True)
    seen = "" if now is None else f", last seen {ago(now - max(engine.seen_at for engine in alive))}"
    stale = len(engines) - len(alive)
    return Pulse(f"{count(len(alive), 'engine')} running{seen}" + (f", {stale} stale" if stale else ""))
