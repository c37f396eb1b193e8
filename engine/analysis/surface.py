"""Two-dimensional surfaces of the posterior, the acquisition and the feasibility, all on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.analysis.axes import Axis, axis, grid
from engine.analysis.slices import CHUNK, Posterior, evaluate, score
from engine.errors import InvalidInput
from engine.space import SearchSpace

POINTS = 45
BORDER_POINTS = 91
WORK = 1_500_000
"""Cells times observations that one surface may cost: above it the grid gets coarser, and says so by its shape."""


@dataclass(frozen=True)
class Surface:
    """The model over two parameters with the others at the anchor.

    x (nx,), y (ny,): positions on the axes. mean, std, acquisition, p_feasible (ny, nx): natural units, the log
    acquisition, a probability; NaN where one of the two parameters is inactive. allowed (ny, nx): whether the known
    constraints hold in the cell; the model's curves go on beyond, so that the border can be drawn sharply with
    excluded (my, mx), the same question on the finer positions border_x, border_y. anchor_x, anchor_y: the anchor.
    """

    x_axis: Axis
    y_axis: Axis
    x: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    acquisition: np.ndarray
    p_feasible: np.ndarray
    allowed: np.ndarray
    border_x: np.ndarray
    border_y: np.ndarray
    excluded: np.ndarray
    anchor_x: float
    anchor_y: float


def grid_points(n_observations: int) -> int:
    """Points a side that keep one surface within WORK."""
    return int(np.clip(np.sqrt(WORK / max(n_observations, 1)), 21, POINTS))


def surface(
    model: Posterior,
    space: SearchSpace,
    x_name: str,
    y_name: str,
    anchor: np.ndarray,
    *,
    outcome: str | None = None,
    points: int = POINTS,
) -> Surface:
    """The surface over two different parameters through an ``anchor_row``. Raises InvalidInput for one given twice."""
    if x_name == y_name:
        raise InvalidInput("parameters", f"{x_name} is on both axes: choose two different parameters.")
    jx, jy = space.column(x_name), space.column(y_name)

    def rows(points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions of both axes, and the snapped rows of their grid, x running fastest."""
        x, ux = grid(space[x_name], points)
        y, uy = grid(space[y_name], points)
        block = np.repeat(anchor[None, :], len(ux) * len(uy), axis=0)
        block[:, jx], block[:, jy] = np.tile(ux, len(uy)), np.repeat(uy, len(ux))
        return x, y, space.snap(block)

    x, y, X = rows(points)
    shape = (len(y), len(x))
    active = ~np.isnan(X[:, [jx, jy]]).any(axis=1)
    mean, std, p_feasible = (np.full(len(X), np.nan) for _ in range(3))
    if active.any():
        inside = X[active]
        mean[active], std[active] = evaluate(model, inside, outcome)
        p_feasible[active] = np.concatenate(
            [model.p_feasible(inside[i : i + CHUNK]) for i in range(0, len(inside), CHUNK)]
        )
    border_x, border_y, fine = rows(BORDER_POINTS) if space.constraints else (x, y, X)
    here = space.snap(anchor[None, :])[0]
    return Surface(
        x_axis=axis(space[x_name]),
        y_axis=axis(space[y_name]),
        x=x,
        y=y,
        mean=mean.reshape(shape),
        std=std.reshape(shape),
        acquisition=score(model, X, active).reshape(shape),
        p_feasible=p_feasible.reshape(shape),
        allowed=space.feasible(X).reshape(shape),
        border_x=border_x,
        border_y=border_y,
        excluded=~space.feasible(fine).reshape(len(border_y), len(border_x)),
        anchor_x=_natural(space, x_name, here[jx]),
        anchor_y=_natural(space, y_name, here[jy]),
    )


def _natural(space: SearchSpace, name: str, u: float) -> float:
    return float("nan") if np.isnan(u) else float(space[name].values(np.array([u]))[0])
