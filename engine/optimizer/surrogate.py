"""What the models of a study say, in the study's own terms: the one view of them that optimizer and pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from engine.acquisition.functions import Acquisition, LogExpectedImprovement, LogFeasibility, Sum
from engine.errors import InvalidInput
from engine.optimizer.acquisitions import Situation, front_rows, multi_objective_acquisition
from engine.optimizer.history import History
from engine.optimizer.models import OutcomeModel
from engine.optimizer.plan import Plan
from engine.space.search_space import Params
from engine.surrogate.exact import lengthscales
from engine.surrogate.threads import one_blas_thread

SUCCESS = "success"  # the outcome "did the trial run and was it feasible?", +1 or -1


class Surrogate:
    """Posteriors of all outcomes, the acquisition and the incumbent at one state of a study.

    X (m, d) is in the unit cube, NaN where inactive. pending: rows (k, d) that run now: the acquisition treats them
    as if they had returned the model's prediction (Kriging believer). plan: what the next suggestion maximises.
    """

    def __init__(
        self, history: History, models: Sequence[OutcomeModel], pending: np.ndarray, plan: Plan | None = None
    ) -> None:
        self.history, self.pending, self.plan = history, pending, plan or Plan()
        self._models = {m.name: m for m in models}
        self._believed = {name: _believe(m, pending) for name, m in self._models.items()}
        self._feasible = history.feasible() if len(history.complete) else np.zeros(0, dtype=bool)
        self.position = incumbent_position(history, self._models.get(history.objectives[0].name))
        self.members: list[Acquisition] = self._acquisitions()

    @property
    def outcomes(self) -> list[str]:
        """Names of the outcomes with a model: objectives, outcome constraints, and "success" if trials failed."""
        return list(self._models)

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

    @property
    def function(self) -> Acquisition:
        """What the search maximises; of a portfolio, expected improvement."""
        return self.members[0]

    def acquisition(self, X: np.ndarray) -> np.ndarray:
        """(m,) what the search maximises; higher is better."""
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
        """The model of the objective; of several, of the first."""
        return self._models.get(self.history.objectives[0].name)

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

    def _acquisitions(self) -> list[Acquisition]:
        self._best: float | None = None
        target = self.target
        rows = self.history.complete[self._feasible] if len(self.history.complete) else np.zeros(0, dtype=int)
        X = self.history.X[rows]
        constraints = self._constraints(self._believed)
        feasibility = [LogFeasibility(constraints, wariness(self.history))] if constraints else []
        if target is None or not len(rows):
            if feasibility:
                return list(feasibility)
            # Nothing is feasible and nothing says why: known constraints changed; any better point helps.
            assert target is not None
            return [LogExpectedImprovement(self._believed[target.name].posterior, float(target.posterior.y.min()))]
        if self.multi_objective:
            found = [self._multi_objective(X)]
        else:
            self._best = float(target.posterior.predict(X)[0].min())
            believed = self._believed[target.name].posterior
            found = Situation(self.plan, target.posterior, believed, X, self._best, self.history.space).acquisitions()
        return [Sum([f, *feasibility]) for f in found] if feasibility else found

    @property
    def multi_objective(self) -> bool:
        return len(self.history.objectives) > 1

    def _multi_objective(self, X: np.ndarray) -> Acquisition:
        names = [o.name for o in self.history.objectives]
        models, believed = [self._models[n] for n in names], [self._believed[n] for n in names]
        return multi_objective_acquisition(self.plan, models, believed, X, self.pending)

    def front(self, most: int = 1000) -> np.ndarray:
        """Positions of feasible finished trials on the front of the objectives' posterior means, at most ``most``."""
        rows = self.history.complete[self._feasible]
        models = [self._models[o.name] for o in self.history.objectives]
        return rows[front_rows(models, self.history.X[rows], most)] if len(rows) else rows


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


def wariness(history: History) -> float:
    """Weight of log feasibility: 1 while trials succeed, up to 3 as they don't.

    Where the optimum lies on a border, gain times probability would try just beyond it again and again.
    """
    recent = range(max(0, len(history) - _RECENT), len(history))
    allowed = dict(zip(history.complete.tolist(), history.feasible().tolist())) if len(history.complete) else {}
    broken = sum(not allowed.get(i, False) for i in recent)
    return 1.0 + 2.0 * broken / _RECENT


_RECENT = 10  # trials


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
