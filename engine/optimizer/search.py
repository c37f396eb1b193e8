"""From a surrogate to configurations that were never tried: the acquisition's best rows, without repeats."""

from __future__ import annotations

import numpy as np

from engine.acquisition.maximise import Effort, maximise
from engine.errors import SpaceExhausted
from engine.optimizer.domains import domain_of
from engine.optimizer.surrogate import Surrogate
from engine.space import SearchSpace

_ANCHORS = 5  # best trials around which candidates are drawn
_SCORED = 2000  # rows of an enumerated space that are scored for one suggestion
_ATTEMPTS = 40


class Searcher:
    """Finds what to try next in one space."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.domain = domain_of(space)
        self._all = space.enumerate()
        self._keys = None if self._all is None else [space.key(p) for p in space.decode(self._all)]

    def untried(self, seen: set[tuple]) -> int | None:
        """How many configurations of an enumerated space are left; None if it isn't enumerated."""
        return None if self._keys is None else len(self._keys) - sum(k in seen for k in self._keys)

    def random(self, rng: np.random.Generator, seen: set[tuple]) -> np.ndarray:
        """A feasible row (d,) that wasn't tried. Raises SpaceExhausted if none turns up."""
        if self._all is not None and self._keys is not None:
            left = [i for i, k in enumerate(self._keys) if k not in seen]
            if left:
                return self._all[left[int(rng.integers(len(left)))]]
            raise SpaceExhausted("Every configuration of the space has been tried or is running.")
        for _ in range(_ATTEMPTS):
            rows = self.space.sample(256, rng)
            fresh = self._fresh(rows, seen)
            if len(fresh):
                return rows[fresh[0]]
        raise SpaceExhausted(
            "No untried configuration turned up in 10,000 random ones: the space is all but exhausted."
        )

    def propose(
        self, surrogate: Surrogate, rng: np.random.Generator, seen: set[tuple], count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Up to ``count`` untried rows (k, d), best first, and their acquisition (k,); at least one. Raises
        SpaceExhausted."""
        anchors = self._anchors(surrogate)
        if self._all is not None and self._keys is not None:
            rows = self._enumerated(rng, seen, anchors)
            values = surrogate.function.value(rows)
            order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
            rows, values = rows[order], values[order]
        else:
            rows, values = maximise(surrogate.function, self.domain, rng, anchors, Effort())
        fresh = self._fresh(rows, seen, count)
        if not len(fresh):
            row = self.random(rng, seen)
            return row[None], surrogate.function.value(row[None])
        return rows[fresh], values[fresh]

    def _enumerated(self, rng: np.random.Generator, seen: set[tuple], anchors: np.ndarray) -> np.ndarray:
        assert self._all is not None
        assert self._keys is not None
        left = np.array([i for i, k in enumerate(self._keys) if k not in seen], dtype=int)
        if not len(left):
            raise SpaceExhausted("Every configuration of the space has been tried or is running.")
        rows = self._all[left]
        if len(rows) <= _SCORED:
            return rows
        near: list[int] = []
        filled = np.nan_to_num(rows, nan=-1.0)
        for anchor in np.nan_to_num(anchors, nan=-1.0):
            distance = np.abs(filled - anchor).sum(1)
            near += np.argpartition(distance, 100)[:100].tolist()
        chosen = np.union1d(near, rng.choice(len(rows), size=_SCORED, replace=False)).astype(int)
        return rows[chosen]

    def _fresh(self, rows: np.ndarray, seen: set[tuple], count: int = 1) -> np.ndarray:
        """Positions of the first ``count`` rows that weren't tried, each configuration once."""
        found: list[int] = []
        taken: set[tuple] = set()
        for i, params in enumerate(self.space.decode(rows)):
            key = self.space.key(params)
            if key not in seen and key not in taken:
                found.append(i)
                taken.add(key)
                if len(found) == count:
                    break
        return np.array(found, dtype=int)

    def _anchors(self, surrogate: Surrogate) -> np.ndarray:
        """The best feasible trials (or, without any, the likeliest to be feasible), rows inside the space."""
        history = surrogate.history
        complete = history.complete
        X = history.X
        target = surrogate.target
        if target is None or not len(complete):
            p = surrogate.p_feasible(X)
            rows = np.argsort(-p, kind="stable")[:_ANCHORS]
        else:
            mean, _ = target.posterior.predict(X[complete])
            feasible = history.feasible()
            order = np.lexsort([mean, ~feasible])
            rows = complete[order[:_ANCHORS]]
        return np.clip(X[rows], 0.0, 1.0)
