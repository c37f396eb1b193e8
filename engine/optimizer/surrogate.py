"""What the models of a study say, in the study's own terms: the one view of them that optimizer and pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from engine.acquisition.functions import Acquisition, LogExpectedImprovement, LogFeasibility, Sum
from engine.errors import InvalidInput
from engine.optimizer.history import History
from engine.optimizer.models import OutcomeModel
from engine.space.search_space import Params
from engine.surrogate.exact import lengthscales
from engine.surrogate.threads import one_blas_thread

SUCCESS = "success"  # the outcome "did the trial run and was it feasible?", +1 or -1
TARGET = "target"  # several objectives rolled into one


class Surrogate:
    """Posteriors of all outcomes, the acquisition and the incumbent at one state of a study.

    X (m, d) is in the unit cube, NaN where inactive. pending: rows (k, d) that run now: the acquisition treats them
    as if they had returned the model's prediction (Kriging believer).
    """

    def __init__(self, history: History, models: Sequence[OutcomeModel], pending: np.ndarray) -> None:
        self.history, self.pending = history, pending
        self._models = {m.name: m for m in models}
        self._believed = {name: _believe(m, pending) for name, m in self._models.items()}
        self._feasible = history.feasible() if len(history.complete) else np.zeros(0, dtype=bool)
        self.position = incumbent_position(history, self._models.get(history.objectives[0].name))
        self.function: Acquisition = self._acquisition()

    @property
    def outcomes(self) -> list[str]:
        """Names of the outcomes with a model: objectives, outcome constraints, and "success" if trials failed."""
        return [name for name in self._models if name != TARGET]

    def model(self, name: str | None = None) -> OutcomeModel:
        """Raises InvalidInput for an outcome without a model."""
        name = name or self.history.objectives[0].name
        if name not in self._models:
            raise InvalidInput("outcome", f"{name} has no model; there are {', '.join(self.outcomes) or 'none'}.")
        return self._models[name]

    @property
    def models(self) -> list[OutcomeModel]:
        return list(self._models.values())

    @property
    def has_objective(self) -> bool:
        return self.history.objectives[0].name in self._models

    def posterior(self, X: np.ndarray, name: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of an outcome (default: the first objective), natural units: (m,), (m,)."""
        with one_blas_thread():
            return self.model(name).natural(np.atleast_2d(X))

    def acquisition(self, X: np.ndarray) -> np.ndarray:
        """(m,) what the search maximises, a logarithm; higher is better."""
        with one_blas_thread():
            return self.function.value(np.atleast_2d(X))

    def p_feasible(self, X: np.ndarray) -> np.ndarray:
        """(m,) probability that a trial runs and meets every outcome constraint."""
        X = np.atleast_2d(X)
        out = np.ones(len(X))
        with one_blas_thread():
            for posterior, limit in self._constraints(self._models):
                mean, std = posterior.predict(X)
                out *= ndtr((limit - mean) / std)
        return out

    @property
    def incumbent(self) -> Params | None:
        """The best feasible trial by the first objective; None before there is one."""
        return None if self.position is None else self.history.params[self.position]

    def lengthscales(self, name: str | None = None) -> dict[str, float]:
        """Parameter -> lengthscale in units of the cube: short means that the outcome reacts to it."""
        posterior = self.model(name).posterior
        return dict(
            zip(
                self.history.space.names,
                lengthscales(posterior.kernel, posterior.theta, len(self.history.space)).tolist(),
            )
        )

    def loo(self, name: str | None = None) -> dict[str, Any]:
        """Leave-one-out fit of an outcome: observed, mean, std (n,) in natural units; z, r2, coverage,
        log_density, verdict."""
        model = self.model(name)
        with one_blas_thread():
            found = model.posterior.leave_one_out()
        mean, std = model.output.natural(found.mean, found.std)
        return {
            "observed": model.sign * model.output.inverse(found.observed),
            "mean": model.sign * mean,
            "std": std,
            "z": model.sign * found.z,
            "r2": found.r2,
            "coverage": found.coverage(),
            "log_density": found.log_density,
            "verdict": found.verdict,
        }

    @property
    def improvement_below(self) -> float | None:
        """The level in the target model's units that expected improvement counts from."""
        return self._best

    @property
    def target(self) -> OutcomeModel | None:
        """The model that is optimised: of the objective, or of the scalarisation."""
        return self._models.get(TARGET) or self._models.get(self.history.objectives[0].name)

    # --- inside ---------------------------------------------------------------------------------------

    def _constraints(self, models: dict[str, OutcomeModel]) -> list[tuple[Any, float]]:
        out = []
        for c in self.history.constraints:
            if c.name in models:
                model = models[c.name]
                limit = model.limit(c.limit)
                # P(sign * outcome <= limit); a lower limit is turned round by predicting the negative.
                out.append(
                    (model.posterior, limit) if (model.sign > 0) == c.upper else (_Negative(model.posterior), -limit)
                )
        if SUCCESS in models:
            out.append((models[SUCCESS].posterior, 0.0))
        return out

    def _acquisition(self) -> Acquisition:
        self._best: float | None = None
        parts: list[Acquisition] = []
        target = self.target
        rows = self.history.complete[self._feasible] if len(self.history.complete) else []
        if target is not None and len(rows):
            mean, _ = target.posterior.predict(self.history.X[rows])
            self._best = float(mean.min())
            believed = self._believed[target.name]
            parts.append(LogExpectedImprovement(believed.posterior, self._best))
        constraints = self._constraints(self._believed)
        if constraints:
            parts.append(LogFeasibility(constraints))
        if not parts:  # nothing is feasible and nothing says why: known constraints changed; any better point helps
            assert target is not None
            parts.append(LogExpectedImprovement(self._believed[target.name].posterior, float(target.posterior.y.min())))
        return parts[0] if len(parts) == 1 else Sum(parts)


NOISELESS = 1e-4
"""Noise variance, as a share of the outcome's, below which an observation is taken at its word."""


def incumbent_position(history: History, model: OutcomeModel | None) -> int | None:
    """Position of the incumbent of the first objective among finished trials; None without a feasible one.

    Under noise it is the best posterior mean, not the luckiest draw; without noise to speak of the best observation.
    """
    if not len(history.complete):
        return None
    feasible = history.feasible()
    if not feasible.any():
        return None
    rows = history.complete[feasible]
    if model is None or model.noise_share < NOISELESS:
        objective = history.objectives[0]
        return int(rows[(objective.sign * history.outcome(objective.name)[feasible]).argmin()])
    return int(rows[model.posterior.predict(history.X[rows])[0].argmin()])


class _Negative:
    """A posterior turned upside down."""

    def __init__(self, posterior: Any) -> None:
        self._posterior = posterior

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std = self._posterior.predict(X)
        return -mean, std

    def gradients(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        mean, std, d_mean, d_std = self._posterior.gradients(X)
        return -mean, std, -d_mean, d_std


def _believe(model: OutcomeModel, pending: np.ndarray) -> OutcomeModel:
    if not len(pending):
        return model
    mean, _ = model.posterior.predict(pending)
    return OutcomeModel(model.name, model.role, model.sign, model.output, model.posterior.condition(pending, mean))
