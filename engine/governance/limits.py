"""What the limits of a scope say about a change: is the step small enough, may a study look there, are they looser?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import InvalidInput
from engine.governance.scopes import APPROVERS, ScopeDefinition
from engine.space import Categorical, SearchSpace

_SLACK = 1e-9
"""Relative rounding that a step may have: 0.1 + 0.2 is not a breach."""


def same(a: Any, b: Any) -> bool:
    """Equal values of a parameter; true and 1 are told apart."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Parameter -> (old, new) of those that differ; a value that is missing is None."""
    names = dict.fromkeys([*before, *after])
    return {n: (before.get(n), after.get(n)) for n in names if not same(before.get(n), after.get(n))}


def too_large(definition: ScopeDefinition, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Why the way from ``before`` to ``after`` is more than one step; empty if it isn't."""
    for name, (old, new) in changed(before, after).items():
        most = definition.pace(name).max_step
        if most is not None and abs(new - old) > most * (1 + _SLACK) + _SLACK * max(abs(new), abs(old)):
            return f"{name} moves by {abs(new - old):g}, at most {most:g} is allowed in one step."
    return ""


def dwell(definition: ScopeDefinition, before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """Seconds that must have passed since these parameters last changed."""
    return max((definition.pace(name).min_dwell for name in changed(before, after)), default=0.0)


@dataclass(frozen=True)
class Margin:
    """How far a change goes and how near it comes to the hard limits.

    share: of the allowed range that the value moves by. room: from the new value to the nearest limit, as a part of
    the range; nearest: that limit. All None for a categorical.
    """

    old: Any
    new: Any
    share: float | None = None
    room: float | None = None
    nearest: float | None = None


def margins(
    definition: ScopeDefinition, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Margin]:  # fmt: skip
    """Parameter -> Margin of those that differ."""
    out = {}
    for name, (old, new) in changed(before, after).items():
        p = definition.space[name]
        if isinstance(p, Categorical):
            out[name] = Margin(old, new)
            continue
        width = (p.high - p.low) or 1.0
        nearest = p.low if new - p.low <= p.high - new else p.high
        out[name] = Margin(old, new, abs(new - old) / width, abs(new - nearest) / width, nearest)
    return out


def check_exploration(definition: ScopeDefinition, space: SearchSpace) -> list[InvalidInput]:
    """What a study's space searches beyond the scope's exploration bounds; parameters of other names are free."""
    errors = []
    for p in space:
        if p.name not in definition.space:
            continue
        limit = definition.space[p.name]
        if isinstance(p, Categorical) or isinstance(limit, Categorical):
            if not (isinstance(p, Categorical) and isinstance(limit, Categorical)):
                errors.append(InvalidInput(f"parameters.{p.name}", f"is of another kind in {definition.name}."))
                continue
            allowed = definition.explore.get(p.name, limit.choices)
            beyond = [c for c in p.choices if not any(same(c, a) for a in allowed)]
            if beyond:
                shown = ", ".join(map(str, beyond))
                errors.append(InvalidInput(f"parameters.{p.name}", f"{shown} may not be tried in {definition.name}."))
            continue
        low, high = definition.explore.get(p.name, (limit.low, limit.high))
        if p.low < low or p.high > high:
            errors.append(
                InvalidInput(f"parameters.{p.name}", f"may be searched from {low:g} to {high:g} in {definition.name}.")
            )
    return errors


def loosened(old: ScopeDefinition, new: ScopeDefinition) -> list[str]:
    """Each way in which the new definition allows more than the old one, in words; empty if it is at most as loose."""
    out = []
    if APPROVERS[new.tier] < APPROVERS[old.tier]:
        out.append(f"the tier falls from {old.tier} to {new.tier}")
    if set(new.space.names) != set(old.space.names):
        return [*out, "the parameters are other ones"]
    for p in new.space:
        before = old.space[p.name]
        if isinstance(p, Categorical) != isinstance(before, Categorical) or type(p) is not type(before):
            out.append(f"{p.name} is of another kind")
        elif isinstance(p, Categorical):
            assert isinstance(before, Categorical)
            if any(not any(same(c, b) for b in before.choices) for c in p.choices):
                out.append(f"{p.name} has new choices")
        else:
            assert not isinstance(before, Categorical)
            if p.low < before.low or p.high > before.high:
                out.append(f"the range of {p.name} is wider")
            grid = before.step
            if grid is not None and (p.step is None or p.step % grid or (p.low - before.low) % grid):
                out.append(f"{p.name} is on another grid")
        a, b = old.pace(p.name), new.pace(p.name)
        if a.max_step is not None and (b.max_step is None or b.max_step > a.max_step):
            out.append(f"{p.name} may move in larger steps")
        if b.min_dwell < a.min_dwell:
            out.append(f"{p.name} may move after a shorter wait")
        if old.explore.get(p.name) != new.explore.get(p.name):
            out.append(f"studies may search {p.name} elsewhere")
    gone = {c.text for c in old.space.constraints} - {c.text for c in new.space.constraints}
    out += [f"the constraint {text} is gone" for text in sorted(gone)]
    if changed(old.safe, new.safe):
        out.append("the safe values are other ones")
    for name in ("max_override_hours", "review_hours", "rearm_hours"):
        if getattr(new.policy, name) > getattr(old.policy, name):
            out.append(f"{name.replace('_', ' ')} is longer")
    if old.policy.evidence_required and not new.policy.evidence_required:
        out.append("evidence is no longer required")
    return out
