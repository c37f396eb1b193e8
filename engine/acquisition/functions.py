"""Acquisition functions as objects: ``value(X)`` and ``gradient(X)`` over snapped rows, larger is better.

They see posteriors by ``predict`` and ``gradients`` alone, in the model's standardised units, smaller outcomes better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import log_ndtr

from engine.acquisition.log_ei import log_cdf_gradient, log_ei, log_ei_gradient


class Predictor(Protocol):
    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...

    def gradients(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]: ...


class Acquisition(Protocol):
    @property
    def name(self) -> str: ...

    def value(self, X: np.ndarray) -> np.ndarray:
        """(m,)"""

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,), (m, d); 0 by columns that aren't numeric."""


@dataclass(frozen=True)
class LogExpectedImprovement:
    """log EI below ``best``."""

    posterior: Predictor
    best: float
    name: str = "log expected improvement"

    def value(self, X: np.ndarray) -> np.ndarray:
        return log_ei(*self.posterior.predict(X), self.best)

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std, d_mean, d_std = self.posterior.gradients(X)
        return log_ei_gradient(mean, std, self.best, d_mean, d_std)


@dataclass(frozen=True)
class LogFeasibility:
    """``weight`` times the sum of log P(f_c <= limit_c) over independent constraints; above 1 it is wary of borders."""

    constraints: Sequence[tuple[Predictor, float]]
    weight: float = 1.0
    name: str = "log probability of feasibility"

    def value(self, X: np.ndarray) -> np.ndarray:
        total = np.zeros(len(X))
        for posterior, limit in self.constraints:
            mean, std = posterior.predict(X)
            total += log_ndtr((limit - mean) / std)
        return self.weight * total

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total, slope = np.zeros(len(X)), np.zeros(X.shape)
        for posterior, limit in self.constraints:
            mean, std, d_mean, d_std = posterior.gradients(X)
            value, d = log_cdf_gradient(mean, std, limit, d_mean, d_std)
            total += value
            slope += d
        return self.weight * total, self.weight * slope


@dataclass(frozen=True)
class Sum:
    """The sum of log acquisitions: their product, as for constrained expected improvement."""

    parts: Sequence[Acquisition]

    @property
    def name(self) -> str:
        return " + ".join(part.name for part in self.parts)

    def value(self, X: np.ndarray) -> np.ndarray:
        return np.sum([part.value(X) for part in self.parts], axis=0)

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [part.gradient(X) for part in self.parts]
        return np.sum([f for f, _ in found], axis=0), np.sum([g for _, g in found], axis=0)
