"""Pareto fronts, hypervolumes and the boxes that partition what no point of a front dominates.

All objectives are minimised; a reference point is the worst corner of interest. moocore, which does the sorting and the
measuring, is imported on use, so that studies of one objective don't carry it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np


def nondominated(Y: np.ndarray) -> np.ndarray:
    """(n,) booleans: which rows of Y (n, m) no other row dominates; of equal rows the first."""
    if len(Y) == 0:
        return np.zeros(0, dtype=bool)
    import moocore

    return np.asarray(moocore.is_nondominated(np.ascontiguousarray(Y, dtype=float)), dtype=bool)


def hypervolume(Y: np.ndarray, reference: np.ndarray) -> float:
    """The volume that the rows of Y (n, m) dominate below ``reference`` (m,)."""
    if len(Y) == 0:
        return 0.0
    import moocore

    return float(moocore.hypervolume(np.ascontiguousarray(Y, dtype=float), ref=np.asarray(reference, dtype=float)))


def reference_point(Y: np.ndarray, margin: float = 0.1) -> np.ndarray:
    """(m,) a reference for outcomes Y (n, m), where a user has fixed none: halfway from the nadir of their front to
    the worst of them, plus ``margin`` of their range (of 1 where they agree).

    Close behind the nadir of a young front the ends of the true one would count for nothing, and the search would never
    go there; behind the worst outcome what is in between counts for too little.
    """
    nadir, worst, spread = Y[nondominated(Y)].max(axis=0), Y.max(axis=0), np.ptp(Y, axis=0)
    return nadir + 0.5 * (worst - nadir) + margin * np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True)
class Boxes:
    """K disjoint boxes (lower, upper], each (K, m), that cover everything below the reference that a front leaves open.

    A lower corner may be -inf; upper corners are finite. The hypervolume that a new point y adds is
    sum_k prod_j max(upper_kj - max(lower_kj, y_j), 0).
    """

    lower: np.ndarray
    upper: np.ndarray

    def __len__(self) -> int:
        return len(self.lower)

    def improvement(self, Y: np.ndarray) -> np.ndarray:
        """(n,) hypervolume that each row of Y (n, m) would add on its own."""
        sides = self.upper - np.maximum(self.lower, Y[:, None, :])
        return np.maximum(sides, 0.0).prod(-1).sum(-1)


def boxes(Y: np.ndarray, reference: np.ndarray) -> Boxes:
    """Partitions the region below ``reference`` (m,) that no row of Y (n, m) dominates; m = 1, 2 or 3.

    n + 1 boxes for two objectives and 2 n + 1 for three, n the size of the front (Yang et al. 2019), by a sweep over
    the last objective. Raises ValueError for other m.
    """
    reference = np.asarray(reference, dtype=float)
    m = len(reference)
    inside = Y[(reference > Y).all(axis=1)] if len(Y) else np.empty((0, m))
    front = inside[nondominated(inside)]
    if m == 1:
        return Boxes(np.full((1, 1), -np.inf), np.vstack([front, reference[None]]).min(axis=0, keepdims=True))
    if m == 2:
        return _strips(front, reference)
    if m == 3:
        return _sweep(front, reference)
    raise ValueError(f"boxes are built for up to 3 objectives, not {m}: scalarise more of them.")


def _strips(front: np.ndarray, reference: np.ndarray) -> Boxes:
    front = front[np.argsort(front[:, 0])]
    edges = np.concatenate([[-np.inf], front[:, 0], reference[:1]])
    heights = np.concatenate([reference[1:], front[:, 1]])
    lower = np.stack([edges[:-1], np.full(len(heights), -np.inf)], axis=1)
    return Boxes(lower, np.stack([edges[1:], heights], axis=1))


def _sweep(front: np.ndarray, reference: np.ndarray) -> Boxes:
    """Strips of the first two objectives, each with the depth from which it has been open; a new point closes some.

    Strip i is (edge_i, edge_i+1] x (-inf, height_i] x (since_i, now]; heights fall from left to right. A point (p, q)
    closes what lies right of p and above q, where one strip of height q opens: at most two boxes a point.
    """
    edges = [-np.inf, float(reference[0])]
    heights, since = [float(reference[1])], [-np.inf]
    done: list[tuple[float, float, float, float, float]] = []  # left, right, height, from, to
    for p, q, depth in front[np.lexsort((front[:, 1], front[:, 0], front[:, 2]))].tolist():
        first = bisect_right(edges, p) - 1  # the strip with edge <= p < next edge
        last = bisect_left(heights, -q, first, key=lambda height: -height)  # the first strip not above q
        if last <= first:
            continue  # another point of the same depth or less leaves nothing open there
        for i in range(first, last):
            left = max(edges[i], p)
            if depth > since[i]:
                done.append((left, edges[i + 1], heights[i], since[i], depth))
        keep = first + (edges[first] < p)
        right = edges[last]
        heights[keep:last] = [q]
        since[keep:last] = [depth]
        edges[keep : last + 1] = [p, right]
    done.extend((edges[i], edges[i + 1], heights[i], since[i], float(reference[2])) for i in range(len(heights)))
    table = np.array(done)
    lower = np.stack([table[:, 0], np.full(len(table), -np.inf), table[:, 3]], axis=1)
    return Boxes(lower, table[:, [1, 2, 4]])
