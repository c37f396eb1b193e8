"""One outcome's model: fitted from the history, written to a record, rebuilt from it bit for bit.

Hyperparameters are a pure function of the finished trials: a fit starts from the one at the last *anchor*, a number of
observations on a fixed geometric ladder, which is itself fitted from scratch to the observations up to there. A
restarted optimizer fits the last anchor again and arrives at the same numbers, and in steady state a suggestion costs
one short warm-started fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.surrogate.exact import Posterior
from engine.surrogate.fit import LogPosterior, maximise
from engine.surrogate.inputs import Columns, Pairs
from engine.surrogate.kernels import Kernel, kernel_from_dict, make_kernel
from engine.surrogate.linalg import NotPositiveDefinite
from engine.surrogate.priors import Prior
from engine.surrogate.warps import Output

_LADDER_START, _LADDER_GROWTH = 4, 1.3
_MARGIN = 1.0
_FIT_ROWS = 150  # hyperparameters are learnt from at most this many observations
_ANCHOR_ITERATIONS = 50
_WARM_ITERATIONS, _WARM_ITERATIONS_LATE, _LATE = 12, 6, 100  # late: from this many observations


@dataclass(frozen=True)
class OutcomeModel:
    """Posterior of one outcome. sign: sign * outcome is modelled, smaller is better."""

    name: str
    role: str  # "objective", "constraint" or "success" (did the trial run?)
    sign: float
    output: Output
    posterior: Posterior

    def natural(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the outcome in natural units: (m,), (m,)."""
        mean, std = self.output.natural(*self.posterior.predict(X))
        return self.sign * mean, std

    def limit(self, value: float) -> float:
        """A limit on the outcome in the model's units."""
        return float(self.output.forward(np.array([self.sign * value]))[0])

    @property
    def noise_share(self) -> float:
        """Noise variance, the largest there is, over that of the standardised outcome."""
        given = self.posterior.given
        return self.posterior.noise + (0.0 if given is None else float(given.max()))

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "role": self.role,
            "sign": self.sign,
            "kernel": self.posterior.kernel.to_dict(),
            "theta": self.posterior.theta.tolist(),
            "mean": self.posterior.mean,
            "scale": self.posterior.scale,
            "output": self.output.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], X: np.ndarray, y: np.ndarray, columns: Columns, variances: np.ndarray | None
    ) -> OutcomeModel:
        """Rebuilds the model of observations (X, y) from ``to_dict``; no fitting. y in natural units."""
        output = Output.from_dict(data["output"])
        signed = data["sign"] * y
        posterior = Posterior(
            kernel_from_dict(data["kernel"], columns), np.array(data["theta"]), X, output.forward(signed), columns,
            None if variances is None else output.noise(signed, variances), mean_scale=(data["mean"], data["scale"]),
        )  # fmt: skip
        return cls(data["name"], data["role"], data["sign"], output, posterior)


@dataclass(frozen=True)
class Spec:
    """A kind of model that competes for an outcome."""

    transform: str
    kernel: str
    prior: Prior = field(default_factory=Prior)

    @property
    def name(self) -> str:
        return f"{self.kernel}, {self.transform}"


class Fitter:
    """Fits models of one outcome at growing numbers of observations, remembering the anchors.

    The specs compete at the anchors, by leave-one-out density; in between the winner is refitted alone.
    """

    def __init__(self, columns: Columns, specs: Sequence[Spec]) -> None:
        self.columns, self.specs = columns, list(specs)
        self.kernels: list[Kernel] = [make_kernel(s.kernel, columns) for s in self.specs]
        self._priors = [s.prior.arrays(k) for s, k in zip(self.specs, self.kernels)]
        self._anchors: dict[int, tuple[int, np.ndarray]] = {}

    def fit(self, X: np.ndarray, y: np.ndarray, given: np.ndarray | None = None) -> tuple[Output, Posterior]:
        """The winning spec's model. y (n,) signed, smaller is better; given (n,) noise variances where known."""
        n = len(y)
        pairs = Pairs(X, self.columns) if n <= _FIT_ROWS else None
        if n < _LADDER_START:
            winner, start, iterations = 0, self._priors[0].mean, _ANCHOR_ITERATIONS
        else:
            m = anchor(n)
            if m not in self._anchors:
                self._anchors[m] = self._compete(X[:m], y[:m], None if given is None else given[:m])
            winner, start = self._anchors[m]
            iterations = _WARM_ITERATIONS if n < _LATE else _WARM_ITERATIONS_LATE
        theta = self._search(winner, X, y, given, [start], iterations, pairs)
        return self._posterior(winner, theta, X, y, given)

    def _compete(self, X: np.ndarray, y: np.ndarray, given: np.ndarray | None) -> tuple[int, np.ndarray]:
        """Fits every spec to the observations of an anchor: the position of the best and its hyperparameters."""
        best: tuple[int, np.ndarray, np.ndarray] | None = None
        pairs = Pairs(X, self.columns) if len(y) <= _FIT_ROWS else None
        for i, prior in enumerate(self._priors):
            starts = [prior.mean, prior.mean - np.log(3.0)]
            if best is not None and self.specs[i].kernel == self.specs[best[0]].kernel:
                starts = [best[1]]  # another transform of the same values: not far from there
            theta = self._search(i, X, y, given, starts, _ANCHOR_ITERATIONS, pairs)
            if len(self.specs) == 1:
                return 0, theta
            output, posterior = self._posterior(i, theta, X, y, given)
            scores = posterior.leave_one_out().log_densities + output.log_slope(y)
            if best is None or _clearly_above(scores, best[2]):
                best = i, theta, scores
        assert best is not None
        return best[0], best[1]

    def _posterior(
        self, i: int, theta: np.ndarray, X: np.ndarray, y: np.ndarray, given: np.ndarray | None
    ) -> tuple[Output, Posterior]:
        output = Output.of(y, self.specs[i].transform)
        z, noise = output.forward(y), None if given is None else output.noise(y, given)
        scale = self.specs[i].prior.scale
        try:
            return output, Posterior(self.kernels[i], theta, X, z, self.columns, noise, scale)
        except NotPositiveDefinite:
            safe = self._priors[i].mean.copy()
            safe[-1] = np.log(1e-2)
            return output, Posterior(self.kernels[i], safe, X, z, self.columns, noise, scale)

    def _search(
        self, i: int, X: np.ndarray, y: np.ndarray, given: np.ndarray | None, starts: list[np.ndarray],
        iterations: int, pairs: Pairs | None = None,
    ) -> np.ndarray:  # fmt: skip
        if len(y) > _FIT_ROWS:
            rows = representative(y, _FIT_ROWS)
            X, y, given, pairs = X[rows], y[rows], None if given is None else given[rows], None
        output = Output.of(y, self.specs[i].transform)
        noise = None if given is None else output.noise(y, given)
        pairs = pairs or Pairs(X, self.columns)
        target = LogPosterior(self.kernels[i], self._priors[i], pairs, output.forward(y), noise)
        return maximise(target, starts, iterations).theta


def _clearly_above(scores: np.ndarray, others: np.ndarray) -> bool:
    """Whether the mean gain (n,) is more than ``_MARGIN`` of its standard errors: noise must not choose a transform."""
    gain = scores - others
    return float(gain.mean()) > _MARGIN * float(gain.std()) / np.sqrt(len(gain))


def anchor(n: int) -> int:
    """The largest anchor up to n >= 4: they are 4, 6, 8, 10, 13, ..., each 1.3 times the one before."""
    m = _LADDER_START
    while (above := max(m + 2, round(m * _LADDER_GROWTH))) <= n:
        m = above
    return m


def representative(y: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` positions: the best third of them, the rest spread evenly over the order of arrival."""
    n = len(y)
    if n <= count:
        return np.arange(n)
    best = np.argsort(y, kind="stable")[: count // 3]
    others = np.setdiff1d(np.arange(n), best)
    spread = others[np.linspace(0, len(others) - 1, count - len(best)).round().astype(int)]
    return np.sort(np.concatenate([best, spread]))
