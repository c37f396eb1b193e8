"""Leave-one-out from one factorisation against really leaving out, and the verdict in words."""

from __future__ import annotations

import numpy as np
import pytest

from engine.surrogate.exact import Posterior
from engine.surrogate.inputs import Columns
from engine.surrogate.kernels import make_kernel
from engine.surrogate.loo import LeaveOneOut

COLUMNS = Columns.continuous(2)
THETA = np.log([0.4, 0.7, 0.01])


def test_it_is_what_leaving_out_gives() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((15, 2))
    y = np.sin(5 * X[:, 0]) + 0.1 * rng.standard_normal(15)
    kernel = make_kernel("matern52", COLUMNS)
    posterior = Posterior(kernel, THETA, X, y, COLUMNS)
    found = posterior.leave_one_out()
    for i in range(15):
        others = np.arange(15) != i
        left = Posterior(kernel, THETA, X[others], y[others], COLUMNS, mean_scale=(posterior.mean, posterior.scale))
        mean, std = left.predict(X[[i]])
        assert found.mean[i] == pytest.approx(mean[0], abs=1e-8)
        assert found.std[i] ** 2 == pytest.approx(std[0] ** 2 + 0.01, rel=1e-6)


def test_the_verdict_says_good_poor_narrow_and_too_early() -> None:
    y = np.linspace(0, 1, 20)
    shuffled = np.random.default_rng(0).permutation(y)
    assert LeaveOneOut(y, y + 0.01, np.full(20, 0.02)).verdict.startswith("good")
    assert LeaveOneOut(y, shuffled, np.full(20, 0.5)).verdict.startswith("poor")
    assert "too narrow" in LeaveOneOut(y, y + 0.1, np.full(20, 0.01)).verdict
    assert LeaveOneOut(y[:4], y[:4], np.ones(4)).verdict.startswith("too early")


def test_constant_observations_have_no_r2_to_speak_of() -> None:
    assert LeaveOneOut(np.ones(8), np.ones(8), np.ones(8)).r2 == 0.0
