"""A search space as the surrogate and the acquisition see it: columns and cells."""

from __future__ import annotations

import numpy as np

from engine.acquisition.domain import Domain
from engine.space import Categorical, SearchSpace
from engine.surrogate import Columns

_FINE = 512  # an integer with more values is searched like a real number, then snapped


def columns_of(space: SearchSpace) -> Columns:
    """Kinds of the columns; parameters under the same condition form a group."""
    choices = tuple(len(p.choices) if isinstance(p, Categorical) else 0 for p in space)
    groups: dict[str, list[int]] = {}
    for j, p in enumerate(space):
        if p.when:
            groups.setdefault(repr(sorted(p.when.items())), []).append(j)
    return Columns(choices, tuple(tuple(g) for g in groups.values()))


def domain_of(space: SearchSpace) -> Domain:
    cells: list[np.ndarray | None] = []
    for p in space:
        if p.cardinality is None or (p.cardinality > _FINE and not isinstance(p, Categorical)):
            cells.append(None)
        elif isinstance(p, Categorical):
            cells.append((np.arange(p.cardinality) + 0.5) / p.cardinality)
        else:
            cells.append(p.encode(p.low + np.arange(p.cardinality) * (p.step or 1)))
    return Domain(
        tuple(cells),
        np.array([not isinstance(p, Categorical) for p in space]),
        space.snap,
        space.feasible if space.constraints else None,
        space.sample,
    )
