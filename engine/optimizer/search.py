"""From a surrogate to configurations that were never tried: the acquisition's best rows, without repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.acquisition.functions import Acquisition
from engine.acquisition.maximise import Effort, maximise
from engine.acquisition.portfolio import hedge_probabilities, mace_front
from engine.errors import SpaceExhausted
from engine.optimizer.domains import domain_of
from engine.optimizer.surrogate import Surrogate
from engine.space import SearchSpace

_ANCHORS = 5  # best trials around which candidates are drawn
_SCORED = 2000  # rows of an enumerated space that are scored for one suggestion
_ATTEMPTS = 40
_NOMINATED = 30  # candidates of each member of a portfolio


@dataclass(frozen=True)
class Proposal:
    """rows (k, d), best first, their acquisition values (k,), whose they are, and what each member of a GP-Hedge
    portfolio put forward (members, d).
    """

    rows: np.ndarray
    values: np.ndarray
    acquisition: str
    nominees: np.ndarray | None = None


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
        self, surrogate: Surrogate, rng: np.random.Generator, seen: set[tuple], count: int,
        nominated: np.ndarray | None = None,
    ) -> Proposal:  # fmt: skip
        """Up to ``count`` untried rows, at least one. nominated (T, k, d): what k members of a portfolio put forward in
        T rounds before, for GP-Hedge. Raises SpaceExhausted."""
        anchors = self._anchors(surrogate)
        found = [self._best_rows(f, rng, seen, anchors) for f in surrogate.members]
        member, nominees = 0, None
        if len(found) == 1:
            rows, values = found[0]
        elif surrogate.plan.acquisition == "hedge":
            found = [self._keep(pair, self._fresh(pair[0], seen, count)) for pair in found]
            if all(len(r) for r, _ in found):
                nominees = np.stack([r[0] for r, _ in found])
                member = int(rng.choice(len(found), p=_chances(surrogate, nominated)))
            rows, values = found[member]
        else:
            rows, values = self._from_portfolio(surrogate, found, rng)
        rows, values = self._keep((rows, values), self._fresh(rows, seen, count))
        if not len(rows):
            rows = self.random(rng, seen)[None]
            values = surrogate.members[member].value(rows)
        return Proposal(rows, values, surrogate.members[member].name, nominees)

    @staticmethod
    def _keep(pair: tuple[np.ndarray, np.ndarray], positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return pair[0][positions], pair[1][positions]

    def _best_rows(
        self, function: Acquisition, rng: np.random.Generator, seen: set[tuple], anchors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and their values, best first, some of them tried before."""
        if self._all is None:
            return maximise(function, self.domain, rng, anchors, Effort())
        rows = self._enumerated(rng, seen, anchors)
        values = function.value(rows)
        order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
        return rows[order], values[order]

    @staticmethod
    def _from_portfolio(
        surrogate: Surrogate, found: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """MACE: of all members' candidates those first, in random order, that no other beats on every member."""
        rows = np.concatenate([r[:_NOMINATED] for r, _ in found])
        criteria = np.stack([f.value(rows) for f in surrogate.members], axis=1)
        front = rng.permutation(mace_front(criteria))
        rest = np.setdiff1d(np.argsort(-criteria[:, 0], kind="stable"), front, assume_unique=True)
        order = np.concatenate([front, rest])
        return rows[order], criteria[order, 0]

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
        if surrogate.multi_objective and len(front := surrogate.front(2 * _ANCHORS)):
            rows = front
        elif target is None or not len(complete):
            p = surrogate.p_feasible(X)
            rows = np.argsort(-p, kind="stable")[:_ANCHORS]
        else:
            mean, _ = target.posterior.predict(X[complete])
            feasible = history.feasible()
            order = np.lexsort([mean, ~feasible])
            rows = complete[order[:_ANCHORS]]
        return np.clip(X[rows], 0.0, 1.0)


def _chances(surrogate: Surrogate, nominated: np.ndarray | None) -> np.ndarray:
    """GP-Hedge's over the members, from today's posterior means of what they nominated (T, k, d)."""
    k = len(surrogate.members)
    if nominated is None or not len(nominated) or surrogate.target is None:
        return hedge_probabilities(np.zeros((0, k)))
    means, _ = surrogate.target.posterior.predict(nominated.reshape(-1, nominated.shape[-1]))
    return hedge_probabilities(means.reshape(-1, k))
