"""What counts at this moment: kill > override > ramp > live. Pure, and the only place where the priority is decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from engine.governance.scopes import ScopeDefinition

Layer = Literal["kill", "override", "ramp", "live"]
PRIORITY: tuple[Layer, ...] = ("kill", "override", "ramp", "live")


@dataclass(frozen=True)
class LayerState:
    """The newest event of a layer: its values, or None where the layer isn't set."""

    params: Mapping[str, Any] | None = None
    at: float = 0.0
    until: float | None = None
    actor: str = ""
    reason: str = ""
    version: int | None = None
    proposal_id: str | None = None
    step: int | None = None


@dataclass(frozen=True)
class Live:
    """The values of a scope at a moment, and why they are these.

    source: the highest layer that is set. sources: parameter -> the layer that its value comes from. base: what the
    values are when kill switch and override are gone. until: when they change by themselves, an override that ends.
    problem: why the values break today's limits, which only a version from before they were tightened can; else empty.
    stale: a reader kept this from before the store could no longer be reached.
    """

    scope: str
    values: dict[str, Any]
    source: Layer
    sources: dict[str, Layer]
    version: int
    base: dict[str, Any]
    killed: bool = False
    kill_reason: str = ""
    override: dict[str, Any] = field(default_factory=dict)
    override_reason: str = ""
    until: float | None = None
    proposal_id: str | None = None
    step: int | None = None
    since: float = 0.0
    at: float = 0.0
    problem: str = ""
    etag: str = ""
    stale: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def resolve(
    definition: ScopeDefinition,
    at: float,
    *,
    live: LayerState,
    ramp: LayerState | None = None,
    override: LayerState | None = None,
    kill: LayerState | None = None,
) -> Live:
    """The values at the time ``at`` (seconds since the epoch, the database's clock).

    A ramp step or an override that would leave the hard limits is passed over, whatever let it in.
    """
    assert live.params is not None
    assert live.version is not None
    base, source, since = dict(live.params), "live", live.at
    proposal_id, step = live.proposal_id, None
    if ramp is not None and ramp.params is not None and not definition.problem(ramp.params):
        base, source, since = dict(ramp.params), "ramp", ramp.at
        proposal_id, step = ramp.proposal_id, ramp.step
    sources: dict[str, Any] = dict.fromkeys(base, source)
    values, over = dict(base), {}
    until, words = None, ""
    if override is not None and override.params and (override.until is None or at < override.until):
        combined = values | dict(override.params)
        if not definition.problem(combined):
            values, over, until, words = combined, dict(override.params), override.until, override.reason
            sources |= dict.fromkeys(over, "override")
            source, since = "override", max(since, override.at)
    killed = kill is not None and kill.params is not None
    if kill is not None and killed:
        values, source, since = dict(definition.safe), "kill", kill.at
        sources = dict.fromkeys(values, "kill")
    names = definition.space.names
    result = Live(
        scope=definition.name,
        values={n: values[n] for n in names if n in values},
        source=source,  # type: ignore[arg-type]
        sources={n: sources[n] for n in names if n in sources},
        version=live.version,
        base={n: base[n] for n in names if n in base},
        killed=killed,
        kill_reason=kill.reason if kill is not None and killed else "",
        override=over,
        override_reason=words,
        until=until,
        proposal_id=proposal_id,
        step=step,
        since=since,
        at=at,
        problem=definition.problem(values),
    )
    return _with_etag(result)


def _with_etag(live: Live) -> Live:
    """The tag moves with whatever a reader would see, not with the time of reading."""
    content = {k: v for k, v in live.to_dict().items() if k not in ("at", "etag", "stale")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return Live(**live.__dict__ | {"etag": hashlib.sha256(text.encode()).hexdigest()[:32]})
