"""The states of a study and what moves it between them; the same rules for people's commands and for engines."""

from __future__ import annotations

from engine.store.records import StudyState, Verb

ENDED: tuple[StudyState, ...] = ("complete", "stopped", "cancelled", "failed")

AFTER: dict[Verb, dict[StudyState, StudyState]] = {
    "pause": {"queued": "paused", "running": "paused"},
    "resume": {"paused": "queued"},
    "stop": {"queued": "stopping", "running": "stopping", "paused": "stopping"},
    "cancel": {"queued": "cancelled", "running": "cancelled", "paused": "cancelled", "stopping": "cancelled"},
}
"""Where a command leads from each state in which it can be carried out. With nothing running, stopping is stopped."""

ENGINE_MOVES: dict[StudyState, tuple[StudyState, ...]] = {
    "queued": ("running", "paused", "stopping", "failed", "complete", "stopped", "cancelled"),
    "running": ("queued", "paused", "stopping", "complete", "stopped", "cancelled", "failed"),
    "paused": ("queued", "running", "stopping", "stopped", "cancelled", "failed"),
    "stopping": ("stopped", "complete", "cancelled", "failed"),
}
"""Where an engine that holds the study may lead it."""

_WHY_NOT: dict[tuple[Verb, StudyState], str] = {
    ("resume", "queued"): "it already waits for an engine",
    ("resume", "running"): "it is running",
    ("resume", "stopping"): "it ends after what runs",
    ("resume", "complete"): "its budget is used up: raise the budget and it goes on",
    ("pause", "paused"): "it is paused already",
    ("pause", "stopping"): "it ends after what runs",
    ("stop", "stopping"): "it is stopping already",
}


def why_not(verb: Verb, state: StudyState) -> str | None:
    """None if the command can be carried out in this state, else the reason as a part of a sentence."""
    if state in AFTER[verb]:
        return None
    return _WHY_NOT.get((verb, state), f"it has ended ({state})")
