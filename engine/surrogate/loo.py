"""Leave-one-out diagnostics: each observation predicted from all the others, from one Cholesky factor.

With K the covariance including noise and alpha = K^-1 (y - m): mean_-i = y_i - alpha_i / K^-1_ii and
variance_-i = 1 / K^-1_ii (Sundararajan and Keerthi 2001), hyperparameters held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr


@dataclass(frozen=True)
class LeaveOneOut:
    """observed, mean, std: (n,) in the outputs' units; std includes the noise."""

    observed: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """(n,) standardised errors: standard normal if the model is calibrated."""
        return (self.observed - self.mean) / self.std

    @property
    def log_densities(self) -> np.ndarray:
        """(n,) log predictive densities of the observations."""
        return -0.5 * self.z**2 - np.log(self.std) - 0.5 * np.log(2 * np.pi)

    @property
    def log_density(self) -> float:
        """Mean log predictive density."""
        return float(self.log_densities.mean())

    @property
    def r2(self) -> float:
        """Share of the variance that is predicted: 1 perfect, 0 no better than the mean, negative worse."""
        total = float(((self.observed - self.observed.mean()) ** 2).sum())
        if total <= 0:
            return 0.0
        return 1.0 - float(((self.observed - self.mean) ** 2).sum()) / total

    def coverage(self, level: float = 0.9) -> float:
        """Share of observations inside their central interval of this level."""
        return float(np.mean(np.abs(2 * ndtr(self.z) - 1) <= level))

    @property
    def verdict(self) -> str:
        """Whether to trust the model, in words."""
        n = len(self.observed)
        if n < 6:
            return f"too early to say: {n} observations"
        rank = rank_correlation(self.observed, self.mean)
        covered = self.coverage(0.9)
        if rank < 0.25:
            fit = "poor: it hardly orders the trials"
        elif rank < 0.6:
            fit = "fair: it orders the trials roughly"
        else:
            fit = "good: it orders the trials well"
        if covered < 0.75:
            return f"{fit}; its intervals are too narrow ({covered:.0%} of trials inside the 90 % interval)"
        return f"{fit}; {covered:.0%} of trials lie inside the 90 % interval"


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, 0 if either is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    ra, rb = (np.argsort(np.argsort(v, kind="stable"), kind="stable") for v in (a, b))
    return float(np.corrcoef(ra, rb)[0, 1])


def leave_one_out(y: np.ndarray, alpha: np.ndarray, inverse_diagonal: np.ndarray, scale: float = 1.0) -> LeaveOneOut:
    """From alpha = K^-1 (y - m) and the diagonal of K^-1, K in units of ``scale``."""
    return LeaveOneOut(y, y - alpha / inverse_diagonal, np.sqrt(scale / inverse_diagonal))
