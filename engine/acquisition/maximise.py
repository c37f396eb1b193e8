"""The search for an acquisition's maximum: screen many rows, polish the best by gradients and by discrete moves.

Integers and categories sit at cell centres in every row that is evaluated: the acquisition is maximised over what can
really be suggested, not rounded afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.acquisition.ascent import ascend
from engine.acquisition.domain import Domain
from engine.acquisition.functions import Acquisition

_FEW_CELLS = 12  # up to this many values all are tried; beyond, steps of 1, 2, 4, ... cells
_SCALES = np.array([0.2, 0.05, 0.01, 0.002])


@dataclass(frozen=True)
class Effort:
    """How long to search. screened: rows drawn over the domain; local: rows around the anchors; starts: rows polished;
    calls: batched gradient calls; rounds: alternations of discrete moves and gradients."""

    screened: int = 384
    local: int = 160
    starts: int = 8
    calls: int = 30
    rounds: int = 2


def maximise(
    acquisition: Acquisition,
    domain: Domain,
    rng: np.random.Generator,
    anchors: np.ndarray,
    effort: Effort = Effort(),
    box: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (k, d) and their values (k,), best first; at least one row, all feasible and snapped.

    anchors: (a, d) good rows to search around. box: (low, high) each (d,), a trust region that every row must keep to.
    """
    low, high = box if box is not None else (np.zeros(len(domain)), np.ones(len(domain)))
    rows = domain.sample(effort.screened, rng)
    if box is not None:
        squeezed = domain.admit(np.where(domain.continuous, low + rows * (high - low), rows))
        rows = squeezed if len(squeezed) else rows
    if len(anchors):
        near = domain.admit(_perturb(domain, anchors, effort.local, rng, low, high))
        rows = np.concatenate([rows, near])
    values = _finite(acquisition.value(rows))
    order = np.argsort(-values, kind="stable")
    chosen = _spread_out(rows, order, effort.starts)
    X, best = rows[chosen], values[chosen]
    X, best = _polish(acquisition, domain, X, best, low, high, effort.calls)
    if domain.discrete:
        for _ in range(effort.rounds):
            moved, gained = _discrete_moves(acquisition, domain, X, best, rng)
            better = gained > best + 1e-9
            if not better.any():
                break
            X[better], best[better] = moved[better], gained[better]
            X[better], best[better] = _polish(
                acquisition, domain, X[better], best[better], low, high, effort.calls // 2
            )
    rows, values = np.concatenate([X, rows[order[:64]]]), np.concatenate([best, values[order[:64]]])
    order = np.argsort(-values, kind="stable")
    return rows[order], values[order]


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, -1e300)


def _perturb(
    domain: Domain, anchors: np.ndarray, n: int, rng: np.random.Generator, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """n rows around anchors: Gaussian steps of several scales in some coordinates; categories redrawn now and then."""
    d = len(domain)
    X = anchors[np.arange(n) % len(anchors)]
    X = np.where(np.isnan(X), rng.random(X.shape), X)
    scale = rng.choice(_SCALES, size=(n, 1))
    touched = rng.random((n, d)) < np.maximum(rng.random((n, 1)), 1.5 / d)
    step = rng.standard_normal((n, d)) * scale
    for j in domain.discrete:
        cells = domain.cells[j]
        assert cells is not None
        if domain.ordered[j]:  # at least a cell's width, or the step would vanish in the snapping
            width = 1.0 / len(cells)
            step[:, j] = np.sign(step[:, j]) * np.maximum(np.abs(step[:, j]), width * 1.01)
    X = np.where(touched, np.clip(X + step, low, high), X)
    for j in domain.discrete:
        if not domain.ordered[j]:
            redraw = touched[:, j] & (rng.random(n) < 0.5)
            X[redraw, j] = rng.random(redraw.sum())
    return X


def _spread_out(rows: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """The best row, then the best ones that keep a distance from those chosen, so that starts differ."""
    filled = np.nan_to_num(rows[order[:128]], nan=-1.0)
    chosen = [0]
    distance = np.full(len(filled), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, np.abs(filled - filled[chosen[-1]]).max(1))
        apart = np.flatnonzero(distance > 0.1)
        if not len(apart):
            apart = np.flatnonzero(distance > 1e-3)
        if not len(apart):
            break
        chosen.append(int(apart[0]))
    return order[chosen]


def _polish(
    acquisition: Acquisition, domain: Domain, X: np.ndarray, values: np.ndarray, low: np.ndarray, high: np.ndarray,
    calls: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    free = domain.continuous & ~np.isnan(X)
    if not free.any():
        return X, values
    polished, after = ascend(acquisition.gradient, X, free, low, high, calls, feasible=domain.feasible)
    polished = domain.snap(polished)  # columns of very many cells are searched as if continuous
    if domain.feasible is not None:
        after = np.where(domain.feasible(polished), after, -np.inf)
    better = np.isfinite(after) & (after > values)
    return np.where(better[:, None], polished, X), np.where(better, after, values)


def _discrete_moves(
    acquisition: Acquisition, domain: Domain, X: np.ndarray, values: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """For each row the best of its neighbours that differ in one discrete column, and their values."""
    full = np.where(np.isnan(X), rng.random(X.shape), X)
    rows, owners = [], []
    for j in domain.discrete:
        cells = domain.cells[j]
        assert cells is not None
        for b in np.flatnonzero(~np.isnan(X[:, j])):
            here = int(np.abs(cells - X[b, j]).argmin())
            targets = _targets(len(cells), here, bool(domain.ordered[j]), rng)
            block = np.repeat(full[b][None], len(targets), axis=0)
            block[:, j] = cells[targets]
            rows.append(block)
            owners.append(np.full(len(targets), b))
    candidates, owner = domain.snap(np.concatenate(rows)), np.concatenate(owners)
    if domain.feasible is not None:
        ok = domain.feasible(candidates)
        candidates, owner = candidates[ok], owner[ok]
    if not len(candidates):
        return X, values
    found = _finite(acquisition.value(candidates))
    moved, best = X.copy(), np.full(len(X), -np.inf)
    for i in range(len(X)):
        mine = np.flatnonzero(owner == i)
        if len(mine):
            top = mine[found[mine].argmax()]
            moved[i], best[i] = candidates[top], found[top]
    return moved, best


def _targets(count: int, here: int, ordered: bool, rng: np.random.Generator) -> np.ndarray:
    if count <= _FEW_CELLS:
        return np.delete(np.arange(count), here)
    if not ordered:
        return np.setdiff1d(rng.choice(count, size=_FEW_CELLS, replace=False), [here])
    steps = 2 ** np.arange(int(np.log2(count)) + 1)
    targets = np.concatenate([here - steps, here + steps])
    return targets[(targets >= 0) & (targets < count)]
