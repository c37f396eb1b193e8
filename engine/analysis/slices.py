"""One-dimensional slices of the posterior: each parameter in turn along its range, the others held at an anchor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.analysis.axes import Axis, axis, grid
from engine.space import SearchSpace

POINTS = 61
"""Grid points of a slice; together with the chunk below they bound time and memory, whatever the space's size."""
CHUNK = 2_048
NEAR = 0.25
"""Root mean square distance at which an observation counts as near a slice, in the unit cube."""


class Posterior(Protocol):
    """What a picture needs of a model: engine.optimizer.rebuild gives one. X is (m, d), NaN where inactive."""

    def posterior(self, X: np.ndarray, name: str | None = None) -> tuple[np.ndarray, np.ndarray]: ...
    def acquisition(self, X: np.ndarray) -> np.ndarray: ...
    def p_feasible(self, X: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Slice:
    """The posterior along one parameter.

    x (m,): positions on the axis. mean, std (m,): natural units of the outcome, std of the latent function.
    acquisition (m,): log scale, higher is better; NaN where the known constraints exclude the point.
    allowed (m,): whether the known constraints hold there. anchor_x, anchor_mean: where the anchor lies; NaN if the
    parameter is inactive at the anchor, and then ``note`` says why there is no curve.
    """

    axis: Axis
    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    acquisition: np.ndarray
    allowed: np.ndarray
    anchor_x: float
    anchor_mean: float
    note: str = ""

    @property
    def effect(self) -> float:
        """How far the mean moves along the slice, in the outcome's units."""
        curve = self.mean[self.allowed]
        return float(np.ptp(curve)) if len(curve) else 0.0


def centre(space: SearchSpace) -> np.ndarray:
    """The feasible, snapped row nearest to the middle of the space: shape (d,)."""
    row = space.snap(np.full((1, len(space)), 0.5))
    if space.feasible(row)[0]:
        return row[0]
    rows = space.sample(256, np.random.default_rng(0))
    return rows[np.argmin(np.nansum((rows - 0.5) ** 2, axis=1))]


def anchor_row(space: SearchSpace, params: Mapping[str, Any] | None = None) -> np.ndarray:
    """Unit-cube row (d,) of an anchor: a configuration, or the centre. Inactive columns keep 0.5, for when they wake.

    It is a starting point for slices and not itself a configuration: snap it before a model sees it.
    """
    row = centre(space) if params is None else space.encode([params])[0]
    return np.where(np.isnan(row), 0.5, row)


def slices(
    model: Posterior,
    space: SearchSpace,
    anchor: np.ndarray,
    *,
    outcome: str | None = None,
    points: int = POINTS,
    with_acquisition: bool = True,
) -> list[Slice]:
    """Slices of every parameter through an ``anchor_row``, in the space's order. One pass over the model."""
    base = space.snap(anchor[None, :])[0]
    active = ~np.isnan(base)
    grids = [grid(p, points) if active[j] else (np.empty(0), np.empty(0)) for j, p in enumerate(space)]
    rows = []
    for j, (_, u) in enumerate(grids):
        block = np.repeat(anchor[None, :], len(u), axis=0)
        block[:, j] = u
        rows.append(block)
    X = space.snap(np.vstack([*rows, base[None, :]]))
    mean, std = evaluate(model, X, outcome)
    allowed = space.feasible(X)
    acquisition = score(model, X, allowed) if with_acquisition else np.full(len(X), np.nan)

    out, start = [], 0
    for j, (p, (x, _)) in enumerate(zip(space, grids)):
        part = slice(start, start + len(x))
        start += len(x)
        spec = axis(p)
        here = float(_position(p, base[j])) if active[j] else np.nan
        note = "" if active[j] else f"Not active at this anchor: it needs {spec.condition}."
        out.append(
            Slice(spec, x, mean[part], std[part], acquisition[part], allowed[part], here,
                  float(mean[-1]) if active[j] else np.nan, note)
        )  # fmt: skip
    return out


def closeness(space: SearchSpace, configurations: Sequence[Mapping[str, Any]], anchor: np.ndarray) -> np.ndarray:
    """(n, d) weights in (0, 1]: how near each configuration lies to the slice of each parameter.

    1 on the slice itself, falling with the root mean square distance in the other parameters (unit cube).
    """
    gap = _gaps(space, configurations, anchor)
    return _weight(gap.sum(axis=1, keepdims=True) - gap, len(space) - 1)


def closeness_to_plane(
    space: SearchSpace, configurations: Sequence[Mapping[str, Any]], anchor: np.ndarray, varied: Sequence[str]
) -> np.ndarray:
    """(n,) the same for the plane (or more) on which the ``varied`` parameters differ from the anchor."""
    gap = _gaps(space, configurations, anchor)
    others = [j for j, name in enumerate(space.names) if name not in varied]
    return _weight(gap[:, others].sum(axis=1), len(others))


def _gaps(space: SearchSpace, configurations: Sequence[Mapping[str, Any]], anchor: np.ndarray) -> np.ndarray:
    """(n, d) squared distances to the anchor in the unit cube; 1 where a parameter is active in only one of the two."""
    X = space.encode(configurations)
    base = space.snap(anchor[None, :])[0]
    return np.where(np.isnan(X) & np.isnan(base), 0.0, np.where(np.isnan(X - base), 1.0, X - base)) ** 2


def _weight(squared: np.ndarray, n: int) -> np.ndarray:
    return np.exp(-squared / (2 * max(n, 1) * NEAR**2))


def evaluate(model: Posterior, X: np.ndarray, outcome: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and standard deviation at rows of X (m, d), in chunks: (m,), (m,)."""
    parts = [model.posterior(X[i : i + CHUNK], outcome) for i in range(0, len(X), CHUNK)]
    return np.concatenate([m for m, _ in parts]), np.concatenate([s for _, s in parts])


def score(model: Posterior, X: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Acquisition at the allowed rows of X, NaN elsewhere and where it isn't finite: (m,)."""
    out = np.full(len(X), np.nan)
    rows = np.flatnonzero(allowed)
    for i in range(0, len(rows), CHUNK):
        part = rows[i : i + CHUNK]
        out[part] = model.acquisition(X[part])
    return np.where(np.isfinite(out), out, np.nan)


def _position(parameter: Any, u: float) -> float:
    return parameter.values(np.array([u]))[0]
