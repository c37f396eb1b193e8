"""Scrambled Sobol points without scipy.stats, whose import would cost an engine process 30 MB.

Direction numbers of Joe and Kuo (2008) for the first 32 columns; further columns are Latin hypercubes. Scrambled by a
random lower-triangular matrix on the binary digits and a random shift (Matousek 1998), which keeps the balance.
"""

from __future__ import annotations

import numpy as np

_BITS = 30
# For each column from the second: the primitive polynomial's coefficients as bits, and the first direction numbers.
_DIRECTIONS = (
    (3, 1),
    (7, 1, 3),
    (11, 1, 3, 1),
    (13, 1, 1, 1),
    (19, 1, 1, 3, 3),
    (25, 1, 3, 5, 13),
    (37, 1, 1, 5, 5, 17),
    (41, 1, 1, 5, 5, 5),
    (47, 1, 1, 7, 11, 19),
    (55, 1, 1, 5, 1, 1),
    (59, 1, 1, 1, 3, 11),
    (61, 1, 3, 5, 5, 31),
    (67, 1, 3, 3, 9, 7, 49),
    (91, 1, 1, 1, 15, 21, 21),
    (97, 1, 3, 1, 13, 27, 49),
    (103, 1, 1, 1, 15, 7, 5),
    (109, 1, 3, 1, 15, 13, 25),
    (115, 1, 1, 5, 5, 19, 61),
    (131, 1, 3, 7, 11, 23, 15, 103),
    (137, 1, 3, 7, 13, 13, 15, 69),
    (143, 1, 1, 3, 13, 7, 35, 63),
    (145, 1, 3, 5, 9, 1, 25, 53),
    (157, 1, 3, 1, 13, 9, 35, 107),
    (167, 1, 3, 1, 5, 27, 61, 31),
    (171, 1, 1, 5, 11, 19, 41, 61),
    (185, 1, 3, 5, 3, 3, 13, 69),
    (191, 1, 1, 7, 13, 1, 19, 1),
    (193, 1, 3, 7, 5, 13, 19, 59),
    (203, 1, 1, 3, 9, 25, 29, 41),
    (211, 1, 3, 5, 13, 23, 1, 55),
    (213, 1, 3, 7, 3, 13, 59, 17),
)


def sobol(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """n scrambled points (n, d) in the unit cube; balanced best where n is a power of two."""
    columns = min(d, len(_DIRECTIONS) + 1)
    index = np.arange(n)
    gray = index ^ (index >> 1)
    chosen = (gray[:, None] >> np.arange(_BITS)) & 1  # which direction numbers make up each point
    X = np.empty((n, d))
    for j in range(columns):
        V = _scrambled(_direction_numbers(j), rng)
        digits = np.bitwise_xor.reduce(np.where(chosen == 1, V, 0), axis=1) ^ int(rng.integers(1 << _BITS))
        X[:, j] = (digits + rng.random()) / (1 << _BITS)
    for j in range(columns, d):
        X[:, j] = (rng.permutation(n) + rng.random(n)) / n
    return X


def _direction_numbers(j: int) -> np.ndarray:
    """(30,) of column j, the most significant digit first."""
    if j == 0:
        return 1 << np.arange(_BITS - 1, -1, -1)
    polynomial, *first = _DIRECTIONS[j - 1]
    s = len(first)
    m = list(first)
    for i in range(s, _BITS):
        value = m[i - s] ^ (m[i - s] << s)
        for k in range(1, s):
            if (polynomial >> (s - k)) & 1:
                value ^= m[i - k] << k
        m.append(value)
    return np.array([m[i] << (_BITS - 1 - i) for i in range(_BITS)])


def _scrambled(V: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each direction number times a random lower-triangular binary matrix with unit diagonal, digits from the top."""
    places = np.arange(_BITS - 1, -1, -1)
    digits = (V[:, None] >> places) & 1
    matrix = np.tril(rng.integers(2, size=(_BITS, _BITS)), -1) + np.eye(_BITS, dtype=np.int64)
    return ((digits @ matrix.T) % 2) @ (1 << places)
