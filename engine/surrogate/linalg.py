"""Cholesky with a bounded jitter ladder, on LAPACK directly because its wrappers cost more than small matrices do."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtri

JITTER = (0.0, 1e-10, 1e-8, 1e-6, 1e-4)
"""Added to the diagonal, in units of its mean, until the factorisation succeeds; never more than the last."""


class NotPositiveDefinite(ArithmeticError):
    """The matrix has no Cholesky factor, even with the largest jitter."""


def factorise(K: np.ndarray) -> np.ndarray:
    """Upper Cholesky factor U (K = U' U) of a symmetric (n, n) matrix whose lower triangle is read.

    Raises NotPositiveDefinite.
    """
    diagonal = np.diagonal(K)
    if not np.isfinite(K).all():
        raise NotPositiveDefinite("the covariance is not finite")
    for jitter in JITTER:
        A = K.copy()
        A[np.diag_indices(len(A))] += jitter * diagonal.mean()
        U, info = dpotrf(A.T, lower=0, overwrite_a=1, clean=1)
        if info == 0:
            return U
    raise NotPositiveDefinite("the covariance is not positive definite")


def solve(U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(U' U)^-1 b."""
    return dpotrs(U, b, lower=0)[0]


def inverse_factor(U: np.ndarray) -> np.ndarray:
    """U^-1, so that K^-1 = U^-1 U^-T."""
    return dtrtri(U, lower=0)[0]


__all__ = ["JITTER", "NotPositiveDefinite", "dpotrf", "dpotri", "dpotrs", "factorise", "inverse_factor", "solve"]
