"""The rows of the store as the rest of the program sees them: frozen, typed, free of SQL.

Times are seconds since the epoch (UTC) by the database's clock, which all engines share.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.study import StudySpec

StudyState = Literal["queued", "running", "paused", "stopping", "complete", "stopped", "cancelled", "failed"]
"""queued: waits for an engine. stopping: ends after what runs. complete: budget used. failed: see ``message``."""

TrialState = Literal["queued", "running", "complete", "failed", "infeasible", "abandoned"]
FINISHED: tuple[TrialState, ...] = ("complete", "failed", "infeasible", "abandoned")
ACTIVE_STUDIES: tuple[StudyState, ...] = ("queued", "running", "paused", "stopping")

Verb = Literal["pause", "resume", "stop", "cancel"]
VERBS: dict[Verb, str] = {
    "pause": "Finish what runs, start nothing new.",
    "resume": "Go on where it was.",
    "stop": "End after what runs.",
    "cancel": "Kill what runs and end.",
}
"""What each command means; shown beside every button, in the CLI's help and in the API's document."""


@dataclass(frozen=True)
class StudyRecord:
    """A study's row: the definition, the state, and the counts that the write path keeps.

    best_value is of the first objective among feasible complete trials (the incumbent as observed).
    revision moves with every write that changes what a page would show.
    """

    id: str
    name: str
    state: StudyState
    revision: int
    spec: StudySpec
    owner: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    n_trials: int
    n_complete: int
    n_failed: int
    n_infeasible: int
    n_running: int
    best_value: float | None
    best_number: int | None
    message: str
    engine_id: str | None
    engine_seen_at: float | None
    now: float
    """The database's clock when the row was read: ages are ``now - ..._at``, whatever the viewer's clock says."""
    n_queued: int = 0
    n_abandoned: int = 0
    archived_at: float | None = None

    @property
    def n_finished(self) -> int:
        return self.n_complete + self.n_failed + self.n_infeasible

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what the CLI and the HTTP API show."""
        out = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return out | {"spec": self.spec.to_dict(), "n_finished": self.n_finished}


@dataclass(frozen=True)
class TrialRecord:
    """One trial. ``values`` are the objectives and other outcomes by name; ``reason`` says why it was chosen.

    origin: 'default' (the objective's defaults), 'design', 'model', 'manual'. finished_order counts finished trials
    of the study: telling trials in this order rebuilds the optimizer bit for bit.
    incumbent: it was the best feasible trial when it finished (first objective).
    """

    number: int
    state: TrialState
    params: dict[str, Any]
    values: dict[str, float] = field(default_factory=dict)
    feasible: bool | None = None
    origin: str = "model"
    reason: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    finished_order: int | None = None
    incumbent: bool = False
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what the CLI and the HTTP API show."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class ModelRecord:
    """What the engine had learnt at a revision: enough to rebuild its posterior exactly, without a fit.

    n_observations: how many finished trials (by finished_order) the model had seen.
    """

    n_observations: int
    revision: int
    created_at: float
    model: dict[str, Any]
    candidates: list[dict[str, Any]]


@dataclass(frozen=True)
class CommandRecord:
    id: int
    study_id: str
    verb: Verb
    issued_by: str
    issued_at: float
    acknowledged_at: float | None
    accepted: bool | None
    note: str


@dataclass(frozen=True)
class Lease:
    """The right of one engine to drive a study. ``token`` grows with every lease, so that a late write is told apart
    from the writes of the engine that took over."""

    study_id: str
    engine_id: str
    token: int


@dataclass(frozen=True)
class EngineRecord:
    """An engine process. ``stale`` when its heartbeat is older than the lease allows: silent, not failed."""

    id: str
    host: str
    pid: int
    started_at: float
    seen_at: float
    studies: int
    stale: bool


@dataclass(frozen=True)
class EventRecord:
    id: int
    study_id: str | None
    at: float
    actor: str
    kind: str
    text: str
