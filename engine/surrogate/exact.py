"""The exact posterior, and the public ``GaussianProcess`` around it."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dtrmm

from engine.surrogate.fit import LogPosterior, maximise
from engine.surrogate.inputs import Columns, Pairs, Points
from engine.surrogate.kernels import Kernel, make_kernel
from engine.surrogate.linalg import factorise, inverse_factor, solve
from engine.surrogate.loo import LeaveOneOut, leave_one_out
from engine.surrogate.priors import Prior
from engine.surrogate.threads import one_blas_thread
from engine.surrogate.warps import Output

_BLOCK = 256  # rows predicted at a time: the block of V = K U^-1 stays in the cache
_TINY_VARIANCE = 1e-18


class Posterior:
    """GP posterior of standardised outputs at fixed hyperparameters.

    X (n, d), y (n,), theta = [kernel parameters, log noise], given (n,) known noise variances or None.
    ``scale_strength`` is the prior strength of the output scale (``Prior.scale``); mean and scale follow in closed form
    unless they are handed over, as for fantasies. Raises NotPositiveDefinite if even the jitter ladder fails.
    """

    def __init__(
        self,
        kernel: Kernel,
        theta: np.ndarray,
        X: np.ndarray,
        y: np.ndarray,
        columns: Columns,
        given: np.ndarray | None = None,
        scale_strength: float = np.inf,
        mean_scale: tuple[float, float] | None = None,
    ) -> None:
        n = len(y)
        self.kernel, self.theta, self.X, self.y, self.columns, self.given = kernel, theta, X, y, columns, given
        self.noise = float(np.exp(theta[-1]))
        self.parameters = theta[:-1]
        self.points = Points(X, columns)
        K = kernel.values(self.parameters, self.points, self.points).reshape(-1)
        K[:: n + 1] = 1.0 + self.noise + (0.0 if given is None else given)
        self._U = factorise(K.reshape(n, n))
        self._U_inv = inverse_factor(self._U)
        if mean_scale is None:
            a, b = solve(self._U, y), solve(self._U, np.ones(n))
            m = float(a.sum() / (b.sum() + 1.0))
            quadratic = float((a - m * b) @ (y - m)) + m * m
            fixed = np.isinf(scale_strength) or given is not None
            mean_scale = m, 1.0 if fixed else (quadratic + scale_strength) / (n + scale_strength)
        self.mean, self.scale = mean_scale
        self.alpha = solve(self._U, y - self.mean)

    def __len__(self) -> int:
        return len(self.y)

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the latent function at the rows of X: (m,), (m,)."""
        mean, variance = np.empty(len(X)), np.empty(len(X))
        for start in range(0, len(X), _BLOCK):
            block = slice(start, start + _BLOCK)
            k = self.kernel.values(self.parameters, Points(X[block], self.columns), self.points)
            mean[block] = k @ self.alpha
            V = dtrmm(1.0, self._U_inv, k.T, trans_a=1, overwrite_b=1)  # U^-T k', in place of k
            variance[block] = np.einsum("ij,ij->j", V, V)
        return mean + self.mean, self._deviation(variance)

    def gradients(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """mean (m,), std (m,), and their gradients by the numeric columns of X (m, d), 0 in the others."""
        A = Points(X, self.columns)
        k, cache = self.kernel.cross(self.parameters, A, self.points)
        V = k @ self._U_inv
        mean = self.mean + k @ self.alpha
        std = self._deviation(np.einsum("ij,ij->i", V, V))
        # Rows of W are alpha for the mean and K^-1 k for the explained variance.
        d_mean = self.kernel.contract_inputs(
            self.parameters, A, self.points, cache, np.broadcast_to(self.alpha, k.shape)
        )
        d_explained = self.kernel.contract_inputs(self.parameters, A, self.points, cache, V @ self._U_inv.T)
        d_std = -self.scale * d_explained / std[:, None]
        return mean, std, self.columns.numeric_part(d_mean), self.columns.numeric_part(d_std)

    def condition(self, X: np.ndarray, y: np.ndarray) -> Posterior:
        """The posterior after further observations with the model's own noise; mean and scale stay."""
        given = None if self.given is None else np.concatenate([self.given, np.zeros(len(y))])
        return Posterior(
            self.kernel, self.theta, np.concatenate([self.X, X]), np.concatenate([self.y, y]), self.columns, given,
            mean_scale=(self.mean, self.scale),
        )  # fmt: skip

    def solve(self, b: np.ndarray) -> np.ndarray:
        """(K + noise)^-1 b in units of ``scale``; b is (n,) or (n, k)."""
        return solve(self._U, b)

    def leave_one_out(self) -> LeaveOneOut:
        """Each observation predicted from all others, at these hyperparameters: no refit, O(n^2)."""
        inverse_diagonal = np.einsum("ij,ij->i", self._U_inv, self._U_inv)
        return leave_one_out(self.y, self.alpha, inverse_diagonal, self.scale)

    def _deviation(self, explained: np.ndarray) -> np.ndarray:
        variance = np.maximum(1.0 - explained, _TINY_VARIANCE)
        return np.sqrt(self.scale * variance)


class GaussianProcess:
    """Exact Gaussian-process regression on the unit cube with MAP hyperparameters.

    kernel: a name of ``kernels.make_kernel``, such as "matern52", "rbf" or "matern52+matern52", or a Kernel.
    columns: what the columns of X mean; by default all are numeric. prior: see ``Prior``.
    theta: hyperparameters to use in place of fitting (kernel parameters, then log noise, for standardised outputs).

        gp = GaussianProcess(kernel="matern52").fit(X, y)
        mean, std = gp.predict(X_new)
    """

    def __init__(
        self,
        kernel: str | Kernel = "matern52",
        *,
        columns: Columns | None = None,
        prior: Prior | None = None,
        theta: np.ndarray | None = None,
    ) -> None:
        self.kernel, self.columns, self.prior = kernel, columns, prior or Prior()
        self.theta = None if theta is None else np.asarray(theta, dtype=float)
        self._posterior: Posterior | None = None

    def fit(self, X: np.ndarray, y: np.ndarray, noise_variance: np.ndarray | None = None) -> GaussianProcess:
        """X (n, d) in the unit cube, y (n,), noise_variance (n,) where known. Raises ValueError on other shapes or
        NaN."""
        X, y = np.atleast_2d(np.asarray(X, dtype=float)), np.asarray(y, dtype=float).ravel()
        if len(X) != len(y) or len(y) == 0:
            raise ValueError(f"X has {len(X)} rows and y {len(y)} values: they must agree, and be one at least.")
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinite values.")
        columns = self.columns or Columns.continuous(X.shape[1])
        kernel = make_kernel(self.kernel, columns) if isinstance(self.kernel, str) else self.kernel
        self._output = Output.of(y)
        z, given = self._output.forward(y), None
        if noise_variance is not None:
            given = self._output.noise(y, np.broadcast_to(np.asarray(noise_variance, dtype=float), y.shape))
        with one_blas_thread():
            theta = self.theta
            if theta is None:
                prior = self.prior.arrays(kernel)
                target = LogPosterior(kernel, prior, Pairs(X, columns), z, given)
                theta = maximise(target, [prior.mean, prior.mean - np.log(4.0)]).theta
            self._posterior = Posterior(kernel, theta, X, z, columns, given, self.prior.scale)
        return self

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the latent function (without noise): (m,), (m,)."""
        X = np.atleast_2d(np.asarray(X, dtype=float))
        with one_blas_thread():
            mean, std = self.posterior.predict(X)
            return self._output.natural(mean, std)

    @property
    def posterior(self) -> Posterior:
        """The posterior of the standardised outputs. Raises ValueError before ``fit``."""
        if self._posterior is None:
            raise ValueError("fit the model first.")
        return self._posterior

    def leave_one_out(self) -> LeaveOneOut:
        """In standardised units; see ``Posterior.leave_one_out``."""
        return self.posterior.leave_one_out()

    @property
    def lengthscales(self) -> np.ndarray:
        """(d,) lengthscales in units of the cube; where a column has several, the shortest."""
        return lengthscales(self.posterior.kernel, self.posterior.theta, len(self.posterior.columns))


def lengthscales(kernel: Kernel, theta: np.ndarray, d: int) -> np.ndarray:
    """(d,) the shortest lengthscale of each column, infinity for a column that the kernel doesn't see."""
    out = np.full(d, np.inf)
    for info, value in zip(kernel.parameters(), theta):
        if info.kind == "lengthscale":
            out[info.column] = min(out[info.column], float(np.exp(value)))
    return out
