"""Acquisitions that are functions of one posterior's mean and standard deviation alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.acquisition.functions import Predictor
from engine.acquisition.improvement import Triple

_TINY = 1e-300


@dataclass(frozen=True)
class Analytic:
    """``function`` (mean (m,), std (m,)) -> (value, d / d mean, d / d std), at a posterior.

    logarithm: maximise the log of the value, which must not be negative: a value such as an information gain can be
    tiny everywhere, and can then be searched, and added to a log probability of feasibility.
    """

    posterior: Predictor
    function: Callable[[np.ndarray, np.ndarray], Triple]
    name: str
    logarithm: bool = False

    def value(self, X: np.ndarray) -> np.ndarray:
        value = self.function(*self.posterior.predict(X))[0]
        return np.log(np.maximum(value, _TINY)) if self.logarithm else value

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std, slope_mean, slope_std = self.posterior.gradients(X)
        value, d_mean, d_std = self.function(mean, std)
        slope = d_mean[:, None] * slope_mean + d_std[:, None] * slope_std
        return as_logarithm(value, slope) if self.logarithm else (value, slope)


def as_logarithm(value: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log of a value (m,) and its gradient, from the value's gradient (m, d); flat where there is nothing."""
    positive = value > _TINY
    safe = np.where(positive, value, 1.0)
    return np.where(positive, np.log(safe), np.log(_TINY)), np.where(positive[:, None], slope / safe[:, None], 0.0)
