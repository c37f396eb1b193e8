"""Projected BFGS for many starts at once: each iteration is one call of the objective on a (B, d) batch.

Rows move on their own: a row whose step fails retries a shorter one while the others go on, so that no call waits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Gradient = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
_STEP = 0.25  # the longest move of a coordinate in one step
_ARMIJO = 1e-4
_HOPE, _SLACK = 10.0, 0.5  # a row is given up when this many times its promised gain leaves it so far below the best


def ascend(
    gradient: Gradient,
    X: np.ndarray,
    free: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    calls: int = 30,
    tolerance: float = 1e-5,
    feasible: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Maximises from the rows of X (B, d) within low <= x <= high (d,) or (B, d), moving only ``free`` (B, d)
    coordinates.

    gradient(X) -> (B,), (B, d). A step to a row that isn't ``feasible`` is shortened. Returns X and the values (B,).
    """
    X = X.copy()
    B, d = X.shape
    value, slope = gradient(X)
    slope = np.where(free, slope, 0.0)
    eye = np.eye(d)
    H = np.broadcast_to(eye, (B, d, d)) * (0.1 / np.maximum(np.abs(slope).max(1), 1e-12))[:, None, None]
    step = np.ones(B)
    direction = np.zeros_like(X)
    fresh = np.ones(B, dtype=bool)
    failures = np.zeros(B, dtype=int)
    untouched = np.ones(B, dtype=bool)
    live = np.isfinite(value)
    for _ in range(calls):
        if fresh.any():
            blocked = ~free | ((low >= X) & (slope < 0)) | ((high <= X) & (slope > 0))
            g = np.where(blocked, 0.0, slope)
            p = np.where(blocked, 0.0, np.einsum("bij,bj->bi", H, g))
            bad = ~((p * g).sum(1) > 0)
            if bad.any():
                p[bad] = g[bad] * (0.1 / np.maximum(np.abs(g[bad]).max(1), 1e-12))[:, None]
                H[bad] = eye * (0.1 / np.maximum(np.abs(g[bad]).max(1), 1e-12))[:, None, None]
            p *= np.minimum(1.0, _STEP / np.maximum(np.abs(p).max(1), 1e-12))[:, None]
            direction = np.where(fresh[:, None], p, direction)
            # What a step promises, in log units: a row stops if it is little, or can't bring it near the best row.
            promise = (p * g).sum(1)
            live &= ~fresh | ((promise > tolerance) & (value + _HOPE * promise + _SLACK > value.max()))
        if not live.any():
            break
        trial = np.minimum(np.maximum(X + step[:, None] * direction, low), high)
        trial = np.where(free & live[:, None], trial, X)
        new_value, new_slope = gradient(trial)
        new_slope = np.where(free, new_slope, 0.0)
        move = np.where(free, trial - X, 0.0)
        gain = (slope * move).sum(1)
        accepted = live & (new_value >= value + _ARMIJO * gain) & np.isfinite(new_value)
        if feasible is not None:
            accepted &= feasible(trial)
        change = slope - new_slope  # of the negated objective's gradient, new minus old
        sy = (move * change).sum(1)
        curved = accepted & (sy > 1e-12)
        if curved.any():
            unscaled = curved & untouched  # the first curvature seen sets the scale (Nocedal and Wright, eq. 6.20)
            if unscaled.any():
                H[unscaled] = eye * (sy[unscaled] / (change[unscaled] ** 2).sum(1))[:, None, None]
                untouched &= ~unscaled
            _update(H, move, change, sy, curved)
        failures = np.where(accepted, 0, failures + 1)
        X = np.where(accepted[:, None], trial, X)
        value = np.where(accepted, new_value, value)
        slope = np.where(accepted[:, None], new_slope, slope)
        step = np.where(accepted, 1.0, step * 0.25)
        fresh = accepted
        live &= failures < 8
    return X, value


def _update(H: np.ndarray, s: np.ndarray, y: np.ndarray, sy: np.ndarray, rows: np.ndarray) -> None:
    """The BFGS update of inverse Hessians H (B, d, d), in place, at the chosen rows."""
    s, y, r = s[rows], y[rows], 1.0 / sy[rows]
    A = H[rows]
    Hy = np.einsum("bij,bj->bi", A, y)
    factor = r * (1.0 + r * (y * Hy).sum(1))
    cross = Hy[:, :, None] * s[:, None, :]
    A += factor[:, None, None] * (s[:, :, None] * s[:, None, :])
    A -= r[:, None, None] * (cross + cross.transpose(0, 2, 1))
    H[rows] = A
