"""From a plan and the models to the acquisition functions that a suggestion maximises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from engine.acquisition.analytic import Analytic
from engine.acquisition.bounded import Confident, PureExploration, Uncertainty
from engine.acquisition.confidence import confidence_bound, kappa_schedule, plausible_limit
from engine.acquisition.entropy import gibbon, sample_minimum_values
from engine.acquisition.functions import Acquisition, LogExpectedImprovement, Predictor
from engine.acquisition.hypervolume import nondominated, reference_point
from engine.acquisition.improvement import log_probability_of_improvement
from engine.acquisition.lookahead import (
    JointEntropySearch,
    KnowledgeGradient,
    PredictiveEntropySearch,
    noise_variance,
)
from engine.acquisition.multi_objective import ExpectedHypervolumeImprovement, contenders
from engine.acquisition.scalarisation import TchebycheffImprovement, tchebycheff
from engine.acquisition.thompson import Paths, ThompsonSample
from engine.optimizer.domains import domain_of
from engine.optimizer.models import OutcomeModel
from engine.optimizer.plan import Plan
from engine.space import SearchSpace
from engine.surrogate.exact import Posterior
from engine.surrogate.linalg import NotPositiveDefinite

_SCREENED = 256  # rows drawn over the domain for minima and for the knowledge gradient's set
_LOCAL = 64  # rows close to the best trials that join them
_SET = 32  # points whose posterior means the knowledge gradient watches
_MINIMA = 16  # sampled minima of entropy searches
_DRAWS = 8  # of the front, for noisy hypervolume improvement
_QUIET = 1e-3  # noise variance, as a share of the outcome's, below which the front of posterior means is taken as it is
_CONTENDERS = 32  # rows whose outcomes are drawn for it
_PE_KAPPA = 0.5
_UTOPIA = 0.1  # how far beyond the best values seen, in units of their range, a weighted maximum aims
_LEAST_SPAN = 1e-9  # of an objective in standardised units


@dataclass(frozen=True)
class Situation:
    """What a single objective's acquisition is built from, all in the model's standardised units.

    posterior, believed: without and with the pending points. X (n, d): feasible finished rows. best: the least
    posterior mean among them.
    """

    plan: Plan
    posterior: Posterior
    believed: Posterior
    X: np.ndarray
    best: float
    space: SearchSpace

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([*self.plan.draw, 1]))

    @cached_property
    def screened(self) -> np.ndarray:
        """Rows over the space and, closer, around the trials of best posterior mean."""
        rows = self.space.sample(_SCREENED, self.rng)
        order = np.argsort(self.posterior.predict(self.X)[0], kind="stable")[:4]
        near = self.X[order][np.arange(_LOCAL) % len(order)]
        near = np.where(np.isnan(near), self.rng.random(near.shape), near)
        near = near + self.rng.standard_normal(near.shape) * self.rng.choice([0.1, 0.02], (_LOCAL, 1))
        return np.concatenate([rows, domain_of(self.space).admit(np.clip(near, 0, 1))])

    def acquisitions(self) -> list[Acquisition]:
        """One function, or the members of a portfolio with expected improvement first."""
        if self.plan.move == "explore":
            limit = plausible_limit(*self.posterior.predict(self.X), _kappa(self))
            return [PureExploration(self.posterior, self.believed, limit, _PE_KAPPA)]
        if self.plan.move == "exploit":
            return [LogExpectedImprovement(Confident(self.believed), self.best, "log expected improvement, exploiting")]
        if self.plan.acquisition in ("portfolio", "hedge"):
            return [_BUILDERS[kind](self) for kind in ("ei", "pi", "ucb")]
        return [_BUILDERS.get(self.plan.acquisition, _expected_improvement)(self)]


def _kappa(s: Situation) -> float:
    return kappa_schedule(len(s.posterior), s.X.shape[1])


def _expected_improvement(s: Situation) -> Acquisition:
    return LogExpectedImprovement(s.believed, s.best)


def _probability(s: Situation) -> Acquisition:
    function = partial(log_probability_of_improvement, best=s.best, margin=0.01)
    return Analytic(s.believed, function, "log probability of improvement")


def _confidence(s: Situation) -> Acquisition:
    return Analytic(s.believed, partial(confidence_bound, kappa=_kappa(s)), f"confidence bound, kappa {_kappa(s):.2f}")


def _thompson(s: Situation) -> Acquisition:
    return ThompsonSample(Paths(s.believed, 1, s.rng))


def _knowledge(s: Situation) -> Acquisition:
    rows = np.concatenate([s.X, s.screened])
    mean, std = s.believed.predict(rows)
    lowest = np.argsort(mean, kind="stable")[: _SET // 2]
    hopeful = np.argsort(mean - std, kind="stable")
    hopeful = hopeful[~np.isin(hopeful, lowest)][: _SET // 2]
    return KnowledgeGradient(s.believed, rows[np.concatenate([lowest, hopeful])])


def _max_value(s: Situation) -> Acquisition:
    minima = sample_minimum_values(*s.believed.predict(s.screened), _MINIMA, ceiling=s.best)
    function = partial(gibbon, minima=minima, noise=noise_variance(s.believed))
    return Analytic(s.believed, function, "log max-value entropy search", logarithm=True)


def _joint(s: Situation) -> Acquisition:
    return JointEntropySearch(s.believed, *_minima(s))


def _predictive(s: Situation) -> Acquisition:
    return PredictiveEntropySearch(s.believed, _minima(s)[0], s.best)


def _minima(s: Situation) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([s.X, s.screened])
    return Paths(s.believed, _MINIMA, s.rng).minima(np.clip(rows, 0, 1), domain_of(s.space))


_BUILDERS = {
    "ei": _expected_improvement,
    "pi": _probability,
    "ucb": _confidence,
    "ts": _thompson,
    "kg": _knowledge,
    "mes": _max_value,
    "jes": _joint,
    "pes": _predictive,
}


def multi_objective_acquisition(
    plan: Plan, models: Sequence[OutcomeModel], believed: Sequence[OutcomeModel], X: np.ndarray, pending: np.ndarray
) -> Acquisition:  # fmt: skip
    """Expected improvement of several objectives over feasible rows X (n, d): of the hypervolume, or of a weighted
    maximum.

    Hypervolumes are exact where there is little noise and nothing is pending; otherwise averaged over draws of the
    front.
    """
    posteriors = [m.posterior for m in models]
    if plan.move == "explore":
        return Uncertainty([m.posterior for m in believed])
    moments = [p.predict(X) for p in posteriors]
    mean, std = (np.stack([m[i] for m in moments], axis=1) for i in range(2))
    if plan.weights is not None:
        return _weighted(plan, believed, mean)
    reference = reference_in_models(plan, models, mean)
    if plan.move == "exploit":
        return ExpectedHypervolumeImprovement.over_front([Confident(p) for p in posteriors], mean, reference)
    if not len(pending) and all(m.noise_share < _QUIET for m in models):
        return ExpectedHypervolumeImprovement.over_front(posteriors, mean, reference)
    Z = np.concatenate([X[contenders(mean, std, _CONTENDERS)], pending])
    rng = np.random.default_rng(np.random.SeedSequence([*plan.draw, 1]))
    normals = rng.standard_normal((_DRAWS, len(Z), len(models)))
    try:
        return ExpectedHypervolumeImprovement.over_draws(posteriors, Z, reference, normals)
    except NotPositiveDefinite:  # rows so close together that their outcomes can't be drawn jointly
        return ExpectedHypervolumeImprovement.over_front([m.posterior for m in believed], mean, reference)


def _weighted(plan: Plan, believed: Sequence[OutcomeModel], mean: np.ndarray) -> Acquisition:
    """Tchebycheff's maximum, each objective scaled by its range over the trials' means (n, m)."""
    span = np.maximum(np.ptp(mean, axis=0), _LEAST_SPAN)
    ideal, weights = mean.min(axis=0) - _UTOPIA * span, np.array(plan.weights) / span
    posteriors: list[Predictor] = [m.posterior for m in believed]
    if plan.move == "exploit":
        posteriors = [Confident(p) for p in posteriors]
    return TchebycheffImprovement(posteriors, weights, ideal, float(tchebycheff(mean, weights, ideal).min()))


def reference_in_models(plan: Plan, models: Sequence[OutcomeModel], Y: np.ndarray) -> np.ndarray:
    """(m,) the plan's reference point, or one from outcomes Y (n, m), in the models' units."""
    if plan.reference is None:
        return reference_point(Y)
    return np.array([model.limit(value) for model, value in zip(models, plan.reference)])


def front_rows(models: Sequence[OutcomeModel], X: np.ndarray, most: int) -> np.ndarray:
    """Positions of rows of X (n, d) on the front of posterior means, at most ``most``, spread over the first
    objective.
    """
    Y = np.stack([m.posterior.predict(X)[0] for m in models], axis=1)
    rows = np.flatnonzero(nondominated(Y))
    rows = rows[np.argsort(Y[rows, 0], kind="stable")]
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
