"""The initial design: scrambled Halton points that satisfy the known constraints."""

from __future__ import annotations

import numpy as np

from engine.space import SearchSpace

_MAX_DIMENSION = 64
"""Beyond it the bases outgrow any design: a random point is as well spread."""


def design(space: SearchSpace, n: int, seed: int) -> np.ndarray:
    """n feasible snapped rows (n, d); the first k of them don't depend on n as long as it stays within a power of
    two."""
    d = len(space)
    size = 1 << max(6, int(np.ceil(np.log2(max(2 * n, 2)))))
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5EED]))
    X = space.snap(scrambled_halton(size, d, rng) if d <= _MAX_DIMENSION else rng.random((size, d)))
    if space.constraints:
        X = X[space.feasible(X)]
    if len(X) < n:
        X = np.concatenate([X, space.sample(n - len(X), rng)])
    return X[:n]


def scrambled_halton(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """(n, d) points of a Halton sequence with randomly permuted digits (Owen 2017, "A randomized Halton algorithm").

    As evenly spread as scipy's Sobol points at the sizes of a design, without the 28 MB of memory and the second of
    start-up that importing scipy.stats costs an engine.
    """
    X = np.empty((n, d))
    for j, base in enumerate(_primes(d)):
        k, x, width = np.arange(n), np.zeros(n), 1.0
        while width > 1e-9:
            width /= base
            x += width * rng.permutation(base)[k % base]
            k //= base
        X[:, j] = x + width * rng.random(n)
    return X


def _primes(n: int) -> list[int]:
    found: list[int] = []
    k = 2
    while len(found) < n:
        if all(k % p for p in found if p * p <= k):
            found.append(k)
        k += 1
    return found
