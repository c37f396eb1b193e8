"""The initial design: scrambled Sobol points that satisfy the known constraints."""

from __future__ import annotations

import numpy as np

from engine.optimizer.sobol import sobol
from engine.space import SearchSpace


def design(space: SearchSpace, n: int, seed: int) -> np.ndarray:
    """n feasible snapped rows (n, d); the first k of them don't depend on n as long as it stays within a power of
    two."""
    size = 1 << max(6, int(np.ceil(np.log2(max(2 * n, 2)))))
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5EED]))
    X = space.snap(sobol(size, len(space), rng))
    if space.constraints:
        X = X[space.feasible(X)]
    if len(X) < n:
        X = np.concatenate([X, space.sample(n - len(X), rng)])
    return X[:n]
