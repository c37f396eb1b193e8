"""Moves at the ends of the scale between exploring and exploiting, for searches with bounds on either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.acquisition.confidence import pure_exploration
from engine.acquisition.functions import Predictor


@dataclass(frozen=True)
class PureExploration:
    """The deviation with pending points counted in, where a minimum is plausible (``confidence.pure_exploration``)."""

    posterior: Predictor
    believed: Predictor
    limit: float
    kappa: float = 0.5
    name: str = "pure exploration"

    def value(self, X: np.ndarray) -> np.ndarray:
        return pure_exploration(*self.posterior.predict(X), self.believed.predict(X)[1], self.limit, self.kappa)[0]

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std, slope_mean, slope_std = self.posterior.gradients(X)
        _, std_pending, _, slope_pending = self.believed.gradients(X)
        value, d_mean, d_std, d_pending = pure_exploration(mean, std, std_pending, self.limit, self.kappa)
        return value, d_mean[:, None] * slope_mean + d_std[:, None] * slope_std + d_pending[:, None] * slope_pending


@dataclass(frozen=True)
class Uncertainty:
    """The sum of several posteriors' deviations: pure exploration of several objectives."""

    posteriors: Sequence[Predictor]
    name: str = "pure exploration"

    def value(self, X: np.ndarray) -> np.ndarray:
        return np.sum([p.predict(X)[1] for p in self.posteriors], axis=0)

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [p.gradients(X) for p in self.posteriors]
        return np.sum([f[1] for f in found], axis=0), np.sum([f[3] for f in found], axis=0)


@dataclass(frozen=True)
class Confident:
    """A posterior whose deviations are ``share`` of what they are: expected improvement under it exploits."""

    posterior: Predictor
    share: float = 0.1

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std = self.posterior.predict(X)
        return mean, self.share * std

    def gradients(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        mean, std, slope_mean, slope_std = self.posterior.gradients(X)
        return mean, self.share * std, slope_mean, self.share * slope_std
