"""Acquisitions that ask what an observation would teach: knowledge gradient, joint and predictive entropy search."""

from __future__ import annotations

import numpy as np

from engine.acquisition.analytic import as_logarithm
from engine.acquisition.covariance import Covariance
from engine.acquisition.entropy import given_value, joint_entropy_search, predictive_entropy_search
from engine.acquisition.knowledge_gradient import log_knowledge_gradient
from engine.surrogate.exact import Posterior


def noise_variance(posterior: Posterior) -> float:
    """Variance of one more observation's noise, in the posterior's units; the median where variances are given."""
    return posterior.scale * (posterior.noise + (0.0 if posterior.given is None else float(np.median(posterior.given))))


class KnowledgeGradient:
    """log KG: how far the least posterior mean over Z (a, d) and the point itself falls by observing the point."""

    name = "log knowledge gradient"

    def __init__(self, posterior: Posterior, Z: np.ndarray) -> None:
        self.posterior, self._noise = posterior, noise_variance(posterior)
        self._mean, _ = posterior.predict(Z)
        self._covariance = Covariance(posterior, Z)

    def value(self, X: np.ndarray) -> np.ndarray:
        mean, std = self.posterior.predict(X)
        return log_knowledge_gradient(self._mean, mean, self._covariance.value(X), std * std, self._noise)[0]

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std, slope_mean, slope_std = self.posterior.gradients(X)
        value, d_mean, d_covariance, d_variance = log_knowledge_gradient(
            self._mean, mean, self._covariance.value(X), std * std, self._noise
        )
        slope = d_mean[:, None] * slope_mean + (2 * std * d_variance)[:, None] * slope_std
        return value, slope + self._covariance.gradient(X, d_covariance)


class JointEntropySearch:
    """log of the JES lower bound, for S sampled minima at rows Z (S, d) with values ``minima`` (S,)."""

    name = "log joint entropy search"

    def __init__(self, posterior: Posterior, Z: np.ndarray, minima: np.ndarray) -> None:
        self.posterior, self.minima, self._noise = posterior, minima, noise_variance(posterior)
        self._mean, self._std = posterior.predict(Z)
        self._covariance = Covariance(posterior, Z)

    def value(self, X: np.ndarray) -> np.ndarray:
        mean, std = self.posterior.predict(X)
        given = self._given(mean, std, self._covariance.value(X))
        value = joint_entropy_search(std * std, *given, self.minima, self._noise)[0]
        return np.log(np.maximum(value, 1e-300))

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std, slope_mean, slope_std = self.posterior.gradients(X)
        covariance = self._covariance.value(X)
        given_mean, given_std = self._given(mean, std, covariance)
        value, d_variance, d_mean, d_std = joint_entropy_search(
            std * std, given_mean, given_std, self.minima, self._noise
        )
        at = self._std * self._std
        # std_given^2 = variance - covariance^2 / variance_at and mean_given = mean + covariance / variance_at *
        # surprise
        d_std = d_std / (2 * given_std)
        d_covariance = (d_mean * (self.minima - self._mean) - 2 * d_std * covariance) / at
        d_variance = d_variance + d_std.sum(axis=1)
        slope = d_mean.sum(axis=1)[:, None] * slope_mean + (2 * std * d_variance)[:, None] * slope_std
        return as_logarithm(value, slope + self._covariance.gradient(X, d_covariance))

    def _given(self, mean: np.ndarray, std: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return given_value(mean, std * std, covariance, self._mean, self._std**2, self.minima)


class PredictiveEntropySearch:
    """log PES, for S sampled places of the minimum, the rows of Z (S, d); best: the incumbent's level."""

    name = "log predictive entropy search"

    def __init__(self, posterior: Posterior, Z: np.ndarray, best: float) -> None:
        self.posterior, self.best, self._noise = posterior, best, noise_variance(posterior)
        mean, std = posterior.predict(Z)
        self._at = mean, std * std
        self._covariance = Covariance(posterior, Z)

    def value(self, X: np.ndarray) -> np.ndarray:
        mean, std = self.posterior.predict(X)
        value = predictive_entropy_search(
            mean, std * std, self._covariance.value(X), *self._at, self.best, self._noise
        )[0]
        return np.log(np.maximum(value, 1e-300))

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std, slope_mean, slope_std = self.posterior.gradients(X)
        value, d_mean, d_variance, d_covariance = predictive_entropy_search(
            mean, std * std, self._covariance.value(X), *self._at, self.best, self._noise
        )
        slope = d_mean[:, None] * slope_mean + (2 * std * d_variance)[:, None] * slope_std
        return as_logarithm(value, slope + self._covariance.gradient(X, d_covariance))
