"""Posterior covariances with a fixed set of points, and the posterior given values there; both with gradients."""

from __future__ import annotations

import numpy as np

from engine.surrogate.exact import Posterior
from engine.surrogate.inputs import Points
from engine.surrogate.linalg import factorise, inverse_factor

_FLOOR = 1e-8  # of the variance: what is left of it beside a point of Z, where rounding decides


class Covariance:
    """cov(x, z_a) under a posterior, for the rows z_a of Z (a, d)."""

    def __init__(self, posterior: Posterior, Z: np.ndarray) -> None:
        self.posterior, self.Z = posterior, Z
        self._points = Points(Z, posterior.columns)
        k, _ = posterior.kernel.cross(posterior.parameters, posterior.points, self._points)
        self._weights = posterior.solve(k)  # (n, a)

    def value(self, X: np.ndarray) -> np.ndarray:
        """(m, a)"""
        p, A = self.posterior, Points(X, self.posterior.columns)
        near, _ = p.kernel.cross(p.parameters, A, self._points)
        far, _ = p.kernel.cross(p.parameters, A, p.points)
        return p.scale * (near - far @ self._weights)

    def gradient(self, X: np.ndarray, W: np.ndarray) -> np.ndarray:
        """(m, d) gradient by x of sum_a W[m, a] cov(x_m, z_a), W (m, a) held; 0 by columns that aren't numeric."""
        p, A = self.posterior, Points(X, self.posterior.columns)
        _, near = p.kernel.cross(p.parameters, A, self._points)
        _, far = p.kernel.cross(p.parameters, A, p.points)
        by_feature = p.kernel.contract_inputs(p.parameters, A, self._points, near, W)
        by_feature -= p.kernel.contract_inputs(p.parameters, A, p.points, far, W @ self._weights.T)
        return p.scale * p.columns.numeric_part(by_feature)

    def among(self) -> np.ndarray:
        """(a, a) covariance of the set itself."""
        C = self.value(self.Z)
        return 0.5 * (C + C.T)


class GivenValues:
    """The posterior given the latent function's values at Z, for S draws of them; they are exact, without noise.

    draws (S, a): values at the rows of Z (a, d), as from ``draw_at``. Means differ by draw, deviations don't.
    """

    def __init__(self, posterior: Posterior, Z: np.ndarray, draws: np.ndarray) -> None:
        self.posterior = posterior
        self.covariance = Covariance(posterior, Z)
        mean, _ = posterior.predict(Z)
        self._root = inverse_factor(factorise(_regularised(self.covariance.among())))  # C^-1 = root root'
        self._shift = (draws - mean) @ self._root @ self._root.T  # (S, a)

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means (S, m) and deviations (m,)."""
        mean, std = self.posterior.predict(X)
        c = self.covariance.value(X)
        return mean + self._shift @ c.T, self._left(std, c @ self._root)

    def gradient(self, X: np.ndarray, d_means: np.ndarray, d_std: np.ndarray) -> np.ndarray:
        """(m, d) gradient of a function of the means and deviations whose derivatives are d_means (S, m), d_std
        (m,).
        """
        _, std, slope_mean, slope_std = self.posterior.gradients(X)
        rooted = self.covariance.value(X) @ self._root
        left = self._left(std, rooted)
        free = (left * left > _FLOOR * std * std * 1.001) * d_std / left
        W = d_means.T @ self._shift - free[:, None] * (rooted @ self._root.T)
        own = d_means.sum(axis=0)[:, None] * slope_mean + (free * std)[:, None] * slope_std
        return own + self.covariance.gradient(X, W)

    @staticmethod
    def _left(std: np.ndarray, rooted: np.ndarray) -> np.ndarray:
        variance = std * std
        return np.sqrt(np.maximum(variance - np.einsum("ij,ij->i", rooted, rooted), _FLOOR * variance))


def draw_at(posterior: Posterior, Z: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(S, a) joint draws of the latent function at the rows of Z (a, d), from standard normals (S, a)."""
    mean, _ = posterior.predict(Z)
    return mean + normals @ factorise(_regularised(Covariance(posterior, Z).among()))


def _regularised(C: np.ndarray) -> np.ndarray:
    """C plus a nugget, since posterior covariances of close points are singular to rounding."""
    return C + np.eye(len(C)) * (1e-9 * np.diagonal(C).max() + 1e-14)
