"""Hyperparameters by maximum a posteriori: the log marginal likelihood with its analytic gradient, and its search.

Model of standardised outputs: y ~ N(m 1, s2 (K + nu I) + R), K with unit diagonal. The mean m (standard normal prior)
and the
scale s2 (prior of ``Prior.scale`` pseudo-observations at 1) are maximised in closed form, so that by the envelope
theorem
the gradient in theta needs no further terms. R holds given noise variances; the scale is fixed at 1 with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from engine.surrogate.inputs import Pairs
from engine.surrogate.kernels import Kernel
from engine.surrogate.linalg import JITTER, dpotrf, dpotri, dpotrs
from engine.surrogate.priors import PriorArrays

_WORST = 1e25  # stands for an infinite objective, which L-BFGS-B can't step back from


@dataclass(frozen=True)
class Fit:
    """theta (kernel parameters, log noise), and the log posterior there."""

    theta: np.ndarray
    log_posterior: float


class LogPosterior:
    """log p(y | theta) + log p(theta) of data (n rows), as a function of theta."""

    def __init__(
        self, kernel: Kernel, prior: PriorArrays, pairs: Pairs, y: np.ndarray, noise_variance: np.ndarray | None = None
    ) -> None:
        self.kernel, self.prior, self.pairs, self.y = kernel, prior, pairs, y
        self.given = np.zeros(len(y)) if noise_variance is None else noise_variance
        self.scale = prior.scale if noise_variance is None else np.inf
        self._right = np.empty((len(y), 2), order="F")
        self._matrix = np.empty(len(y) * len(y))

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """(log posterior, gradient (p,)); (-1e25, 0) where the covariance can't be factorised."""
        n, pairs, flat = len(self.y), self.pairs, self.pairs.flat
        noise = np.exp(theta[-1])
        k, cache = self.kernel.pairs(theta[:-1], pairs)
        diagonal = 1.0 + noise + self.given
        for jitter in JITTER:
            matrix = self._matrix
            matrix[flat] = k
            matrix[:: n + 1] = diagonal + jitter
            U, info = dpotrf(matrix.reshape(n, n).T, lower=0, overwrite_a=1, clean=0)
            if info == 0:
                break
        else:
            return -_WORST, np.zeros_like(theta)
        log_det = 2 * np.log(np.diagonal(U)).sum()
        self._right[:, 0], self._right[:, 1] = self.y, 1.0
        solved = dpotrs(U, self._right, lower=0)[0]
        inverse = dpotri(U, lower=0, overwrite_c=1)[0].T.reshape(-1)
        m = solved[:, 0].sum() / (solved[:, 1].sum() + 1.0)
        alpha = solved[:, 0] - m * solved[:, 1]
        quadratic = float(alpha @ (self.y - m)) + m * m
        if np.isinf(self.scale):
            s2, fit = 1.0, -0.5 * quadratic
        else:
            s2 = (quadratic + self.scale) / (n + self.scale)
            fit = -0.5 * (n + self.scale) * np.log(s2) - 0.5 * n
        value = fit - 0.5 * log_det - 0.5 * n * np.log(2 * np.pi)
        alpha = alpha / np.sqrt(s2)
        M = alpha[pairs.rows]
        M *= alpha[pairs.cols]
        M -= inverse[flat]
        gradient = np.empty_like(theta)
        gradient[:-1] = self.kernel.contract(theta[:-1], pairs, cache, M)
        gradient[-1] = 0.5 * noise * float(alpha @ alpha - inverse[:: n + 1].sum())
        log_prior, d_prior = self.prior.log_density(theta)
        total = value + log_prior
        if not np.isfinite(total) or not np.isfinite(gradient).all():
            return -_WORST, np.zeros_like(theta)
        return float(total), gradient + d_prior


def maximise(target: LogPosterior, starts: Sequence[np.ndarray], iterations: int = 50) -> Fit:
    """The best of L-BFGS-B searches from ``starts``; at worst the first start itself."""
    low, high = target.prior.low, target.prior.high

    def negative(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = target(theta)
        return -value, -gradient

    best = Fit(np.clip(starts[0], low, high), -np.inf)
    for start in starts:
        found = minimize(
            negative, np.clip(start, low, high), jac=True, method="L-BFGS-B", bounds=np.stack([low, high], axis=1),
            options={"maxiter": iterations, "ftol": 1e-5, "gtol": 1e-2, "maxcor": 10},
        )  # fmt: skip
        if np.isfinite(found.x).all() and -found.fun > best.log_posterior:
            best = Fit(found.x, float(-found.fun))
    return best
