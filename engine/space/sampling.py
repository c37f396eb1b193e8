"""Feasible points under known constraints: rejection where it is cheap, hit-and-run where the region is narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.space.search_space import SearchSpace

_BATCH = 4096
_DESCENTS = 64
_WALK_STEPS = 32


def find_feasible(space: SearchSpace, rng: np.random.Generator | None = None) -> np.ndarray | None:
    """One feasible snapped row (d,), or None if neither sampling nor descending the violation finds one."""
    rng = rng or np.random.default_rng(0)
    X = rng.random((_BATCH, len(space)))
    violation = space.violation(space.snap(X))
    if (violation <= 0).any():
        return space.snap(X[violation <= 0][:1])[0]
    # A pattern search on the summed violation, from the least bad points, all at once.
    best = np.argsort(violation, kind="stable")[:_DESCENTS]
    X, violation, scale = X[best], violation[best], 0.5
    for _ in range(400):
        moves = np.where(rng.random(X.shape) < max(0.3, 1 / len(space)), rng.standard_normal(X.shape) * scale, 0.0)
        trial = np.clip(X + moves, 0, 1)
        trial_violation = space.violation(space.snap(trial))
        better = trial_violation <= violation
        X, violation = np.where(better[:, None], trial, X), np.where(better, trial_violation, violation)
        if (violation <= 0).any():
            return space.snap(X[violation <= 0][:1])[0]
        scale = max(scale * 0.985, 1e-3)
    return None


def sample_feasible(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """n feasible snapped rows. Raises InvalidInput if the constraints leave nothing."""
    if n <= 0:
        return np.empty((0, len(space)))
    if not space.constraints:
        return space.snap(rng.random((n, len(space))))
    kept: list[np.ndarray] = []
    count = 0
    for _ in range(16):
        X = space.snap(rng.random((max(_BATCH, 2 * n), len(space))))
        X = X[space.feasible(X)]
        kept.append(X)
        count += len(X)
        if count >= n:
            return np.concatenate(kept)[:n]
    starts = np.concatenate(kept)
    if not len(starts):
        start = find_feasible(space, rng)
        if start is None:
            raise InvalidInput(
                "constraints", "no point of the space satisfies them. Widen the bounds or drop a constraint."
            )
        starts = start[None]
    return np.concatenate([starts, _hit_and_run(space, starts, n - len(starts), rng)])[:n]


def _hit_and_run(space: SearchSpace, starts: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n rows by random walks from feasible rows: each step draws a direction and shrinks it until it stays inside."""
    X = starts[rng.integers(len(starts), size=n)]
    X = np.where(np.isnan(X), rng.random(X.shape), X)
    for _ in range(_WALK_STEPS):
        direction = rng.standard_normal(X.shape)
        direction *= rng.random((n, 1)) / np.linalg.norm(direction, axis=1, keepdims=True)
        if len(space) > 1:  # every other step along few axes: thin regions are often aligned
            mask = rng.random(X.shape) < 2 / len(space)
            direction = np.where(rng.random((n, 1)) < 0.5, direction * mask, direction)
        moved = np.zeros(n, dtype=bool)
        for _ in range(12):
            trial = np.clip(X + direction, 0, 1)
            ok = space.feasible(space.snap(trial)) & ~moved
            X = np.where(ok[:, None], trial, X)
            moved |= ok
            direction *= 0.5
    return space.snap(X)
