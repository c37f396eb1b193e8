"""Acquisitions over a posterior: values by hand, gradients by columns, what a searcher relies on."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from engine.acquisition.analytic import Analytic
from engine.acquisition.confidence import confidence_bound
from engine.acquisition.covariance import draw_at
from engine.acquisition.entropy import gibbon, max_value_entropy_search
from engine.acquisition.hypervolume import boxes
from engine.acquisition.improvement import log_probability_of_improvement
from engine.acquisition.lookahead import JointEntropySearch, KnowledgeGradient, PredictiveEntropySearch
from engine.acquisition.multi_objective import ExpectedHypervolumeImprovement, contenders
from tests.acquisition.test_covariance import check_gradient, posterior, rows

MINIMA = np.array([-1.4, -1.1, -0.9, -1.2])


def other():
    """A second outcome over the same rows."""
    p = posterior("rbf", noise=0.02)
    return type(p)(p.kernel, p.theta, p.X, -p.y + 0.5 * p.X[:, 1], p.columns, mean_scale=(0.0, 1.2))


def noisy_hypervolume(S: int = 4):
    pair = [posterior(), other()]
    normals = np.random.default_rng(0).standard_normal((S, 5, 2))
    return ExpectedHypervolumeImprovement.over_draws(pair, pair[0].X[:5], np.array([2.0, 1.5]), normals)


ACQUISITIONS = {
    "pi": lambda: Analytic(posterior(), partial(log_probability_of_improvement, best=-0.5), "log PI"),
    "ucb": lambda: Analytic(posterior(), partial(confidence_bound, kappa=1.5), "UCB"),
    "mes": lambda: Analytic(posterior(), partial(max_value_entropy_search, minima=MINIMA), "MES", logarithm=True),
    "gibbon": lambda: Analytic(posterior(), partial(gibbon, minima=MINIMA, noise=0.1), "GIBBON", logarithm=True),
    "kg": lambda: KnowledgeGradient(posterior(), rows(6, 8)),
    "jes": lambda: JointEntropySearch(posterior(), rows(4, 8), MINIMA),
    "pes": lambda: PredictiveEntropySearch(posterior(), rows(4, 8), -0.7),
    "ehvi": lambda: ExpectedHypervolumeImprovement.over_front(
        [posterior(), other()], np.array([[-0.5, 0.5], [0.4, -0.6]]), np.array([2.0, 1.5])
    ),
    "nehvi": noisy_hypervolume,
}


@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_gradient_agrees_with_finite_differences_and_value(kind):
    acquisition, X = ACQUISITIONS[kind](), rows(7, 2)
    value, slope = acquisition.gradient(X)
    np.testing.assert_allclose(value, acquisition.value(X), rtol=1e-9)
    check_gradient(acquisition.value, slope, X, rtol=2e-4)
    assert acquisition.name


@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_finite_where_nothing_can_be_learnt(kind):
    """At the data of a posterior all but without noise, and far outside any improvement."""
    acquisition = ACQUISITIONS[kind]()
    value, slope = acquisition.gradient(np.concatenate([acquisition_rows(acquisition), rows(3, 9)]))
    assert not np.isnan(value).any()
    assert np.isfinite(slope).all()


def acquisition_rows(acquisition) -> np.ndarray:
    found = getattr(acquisition, "posterior", None) or acquisition.posteriors[0]
    return found.X[:4]


def test_exact_hypervolume_is_the_limit_of_draws_without_noise():
    quiet = [posterior(noise=1e-9), posterior("rbf", noise=1e-9)]
    Z = quiet[0].X[:5]
    Y = np.stack([p.predict(Z)[0] for p in quiet], axis=1)
    reference, X = Y.max(0) + 0.5, rows(6, 2)
    exact = ExpectedHypervolumeImprovement.over_front(quiet, Y, reference).value(X)
    normals = np.random.default_rng(0).standard_normal((3, 5, 2))
    drawn = ExpectedHypervolumeImprovement.over_draws(quiet, Z, reference, normals).value(X)
    np.testing.assert_allclose(drawn, exact, atol=0.02)


def test_noisy_hypervolume_against_joint_sampling():
    """Daulton et al.'s definition: the gain of f(x) over the front of f(Z), both from one joint draw."""
    acquisition, X, reference = noisy_hypervolume(S=256), rows(3, 2), np.array([2.0, 1.5])
    rng = np.random.default_rng(3)
    joint = np.concatenate([acquisition.posteriors[0].X[:5], X])
    draws = np.stack([draw_at(p, joint, rng.standard_normal((6000, 8))) for p in acquisition.posteriors], axis=-1)
    gains = np.array([boxes(draw[:5], reference).improvement(draw[5:]) for draw in draws])
    np.testing.assert_allclose(np.exp(acquisition.value(X)), gains.mean(0), rtol=0.12, atol=0.01)


def test_contenders_drop_what_cannot_be_on_the_front():
    mean = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 3.0], [1.2, 1.2], [0.5, 0.5]])
    std = np.full((5, 2), 0.1)
    np.testing.assert_array_equal(contenders(mean, std, most=10), [0, 1, 4])
    np.testing.assert_array_equal(contenders(mean, np.ones((5, 2)), most=10), [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(contenders(mean, np.ones((5, 2)), most=3), [0, 1, 4])
