"""The states of a trial in words, with an icon and a colour each: defined once for every page."""

from __future__ import annotations

import streamlit as st

from dashboard.components.states import Colour
from engine.store.records import TrialRecord, TrialState

TRIAL_STATES: dict[TrialState, tuple[str, Colour, str]] = {
    "queued": (":material/schedule:", "gray", "Waits for a worker."),
    "running": (":material/play_circle:", "primary", "A worker evaluates it."),
    "complete": (":material/check_circle:", "green", "It gave all its values."),
    "failed": (":material/error:", "red", "It raised an error, took too long, or its worker died too often."),
    "infeasible": (":material/block:", "orange", "It could not be evaluated; the model learns to avoid its like."),
    "abandoned": (":material/cancel:", "gray", "It was given up and teaches nothing."),
}
BREAKS = "breaks a constraint"


def state_words(trial: TrialRecord) -> str:
    """The state, or that a complete trial breaks an outcome constraint."""
    return BREAKS if trial.state == "complete" and trial.feasible is False else trial.state


def trial_badge(trial: TrialRecord) -> None:
    """The state as a coloured word with an icon."""
    icon, colour, meaning = TRIAL_STATES[trial.state]
    if trial.state == "complete" and trial.feasible is False:
        icon, colour, meaning = ":material/block:", "orange", "Complete, but an outcome lies beyond its limit."
    st.badge(state_words(trial), icon=icon, color=colour, help=meaning)
