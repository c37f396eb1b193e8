"""The way from the live values to new ones: bounded steps, every one of them inside the hard limits. Pure.

Each parameter has levels, evenly spaced from its old to its new value, close enough together for its largest step. A
ramp is a path through the grid of these levels on which no parameter ever goes back. The straight path is tried first;
where it would break a constraint between parameters, the shortest path around is searched: ``fast < slow`` moves slow
first when both rise.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.errors import InvalidInput
from engine.governance.limits import changed, too_large
from engine.governance.scopes import ScopeDefinition
from engine.space import Categorical, Int

MAX_STEPS = 1000
_MAX_CHECKS = 4000
"""Points that a search may look at; it takes less than a second, and paths that exist are short."""

Values = dict[str, Any]


def plan(
    definition: ScopeDefinition, start: Mapping[str, Any], target: Mapping[str, Any], stages: int = 1
) -> list[Values]:
    """The values of each step; the last is ``target``, the start isn't among them.

    stages: the number of steps that is wished; it takes more where the largest steps ask for them. A whole number
    moves as evenly as it can, a categorical switches at the stage that its ``switch_at`` names. No change gives no
    steps. Raises InvalidInput if start or target are outside of the limits or no path leads there.
    """
    start, target = definition.check(start), definition.check(target)
    if isinstance(stages, bool) or not isinstance(stages, int) or not 1 <= stages <= MAX_STEPS:
        raise InvalidInput("ramp.stages", f"must be a whole number from 1 to {MAX_STEPS}, not {stages!r}.")
    moving = list(changed(start, target))
    if not moving:
        return []
    levels = [_levels(definition, name, start[name], target[name], stages) for name in moving]
    most = max(len(column) - 1 for column in levels)
    known: dict[tuple[int, ...], bool] = {}

    def values(at: tuple[int, ...]) -> Values:
        return start | {name: levels[j][i] for j, (name, i) in enumerate(zip(moving, at))}

    def allowed(at: tuple[int, ...]) -> bool:
        if at not in known:
            known[at] = not definition.problem(values(at))
        return known[at]

    switches = [definition.pace(name).switch_at if isinstance(definition.space[name], Categorical) else None
                for name in moving]  # fmt: skip
    path = _straight([len(column) - 1 for column in levels], switches, max(most, stages if most > 1 else 1))
    if not all(allowed(at) for at in path):
        ends = [len(column) - 1 for column in levels]
        # Categoricals keep their stage if that leaves a path, and otherwise switch where the constraints let them.
        found = _search(ends, switches, allowed) or _search(
            ends, [None if s is None else 0.0 for s in switches], allowed
        )
        if found is None:
            raise InvalidInput(
                "ramp",
                f"no way of small steps leads there inside the limits of {definition.name}: propose a point between.",
            )
        path = found
    return [values(at) for at in path]


def check_plan(definition: ScopeDefinition, start: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    """Why the steps may not be taken from ``start`` under these limits; empty if they may."""
    before = start
    for number, step in enumerate(steps, 1):
        problem = definition.problem(step) or too_large(definition, before, step)
        if problem:
            return f"step {number}: {problem}"
        before = step
    return ""


def _levels(definition: ScopeDefinition, name: str, old: Any, new: Any, stages: int) -> list[Any]:
    """The values of a parameter from old to new, both included."""
    p, pace = definition.space[name], definition.pace(name)
    if isinstance(p, Categorical):
        return [old, new]
    gap = new - old
    least = 1 if pace.max_step is None else math.ceil(abs(gap) / pace.max_step * (1 - 1e-9))
    if p.step is None:
        n = _count(max(least, stages))
        return [old, *(_between(old, new, i / n) for i in range(1, n)), new]
    units = max(1, round(abs(gap) / p.step))  # on a grid: whole numbers of its steps
    if pace.max_step is not None:
        least = math.ceil(units / max(1, math.floor(pace.max_step / p.step * (1 + 1e-9))))
    n = _count(min(max(least, stages), units))
    sign = 1 if gap > 0 else -1
    inner = [old + sign * ((2 * i * units + n) // (2 * n)) * p.step for i in range(1, n)]
    return [old, *(int(v) if isinstance(p, Int) else v for v in inner), new]


def _count(n: int) -> int:
    if n > MAX_STEPS:
        raise InvalidInput("ramp", f"takes {n} steps, more than {MAX_STEPS}: propose a nearer point first.")
    return max(n, 1)


def _between(old: float, new: float, t: float) -> float:
    low, high = min(old, new), max(old, new)
    return min(max(old + (new - old) * t, low), high)


def _straight(ends: Sequence[int], switches: Sequence[float | None], n: int) -> list[tuple[int, ...]]:
    """All parameters together, in n steps; steps in which nothing would move are left out."""
    path: list[tuple[int, ...]] = []
    last = tuple(0 for _ in ends)
    for i in range(1, n + 1):
        at = tuple(
            (2 * i * end + n) // (2 * n) if switch is None else int(i >= max(1, math.ceil(switch * n)))
            for end, switch in zip(ends, switches)
        )
        if at != last:
            path.append(at)
            last = at
    return path


def _search(
    ends: Sequence[int], switches: Sequence[float | None], allowed: Callable[[tuple[int, ...]], bool]
) -> list[tuple[int, ...]] | None:
    """A* over the grid: the fewest steps found first; None if there is no path or it is too hard to find."""
    goal, origin = tuple(ends), tuple(0 for _ in ends)
    open_ = [(max(goal, default=0), 0, origin)]
    cost: dict[tuple[int, ...], int] = {origin: 0}
    came: dict[tuple[int, ...], tuple[int, ...]] = {}
    looked = 0
    while open_ and looked < _MAX_CHECKS:
        _, _, at = heapq.heappop(open_)
        if at == goal:
            path = []
            while at != origin:
                path.append(at)
                at = came[at]
            return path[::-1]
        for step in _neighbours(at, goal, switches):
            looked += 1
            far = cost[at] + 1
            if far < cost.get(step, far + 1) and allowed(step):
                cost[step], came[step] = far, at
                left = max(g - s for g, s in zip(goal, step))
                heapq.heappush(open_, (far + left, -sum(step), step))
    return None


def _neighbours(
    at: tuple[int, ...], goal: tuple[int, ...], switches: Sequence[float | None]
) -> Iterator[tuple[int, ...]]:
    """One level further: all that may move, all but one, each alone."""
    ramped = [j for j, switch in enumerate(switches) if switch is None]
    share = sum(min(at[j] + 1, goal[j]) / goal[j] for j in ramped) / len(ramped) if ramped else 1.0
    moving = [
        j for j, (a, g) in enumerate(zip(at, goal)) if a < g and (switches[j] or 0.0) <= share * (1 + 1e-9)
    ]  # fmt: skip
    sets = [moving, *([k for k in moving if k != j] for j in moving), *([j] for j in moving)]
    for chosen in sets:
        if chosen:
            yield tuple(a + (j in chosen) for j, a in enumerate(at))
