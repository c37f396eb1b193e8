"""Health in words, trust from leave-one-out, and why a candidate was chosen."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis import explain, health, progress, trust
from engine.analysis.health import edge, failures, outcome_constraints, stagnation
from engine.space import Float, Int, Objective, SearchSpace
from tests.analysis import problems
from tests.analysis.problems import OBJECTIVE, Trial

SPACE = SearchSpace([Float("lr", 1e-4, 1.0, log=True), Int("depth", 1, 20), Int("few", 1, 2)])


@pytest.mark.parametrize(
    ("incumbent", "named"),
    [
        ({"lr": 1e-4, "depth": 10, "few": 1}, "lr = 0.0001 at its lower bound"),
        ({"lr": 0.93, "depth": 10, "few": 1}, "lr = 0.93 at its upper bound 1"),
        ({"lr": 0.01, "depth": 20, "few": 2}, "depth = 20 at its upper bound 20"),
    ],
)
def test_a_best_trial_at_a_bound_is_named(incumbent, named):
    check = edge(SPACE, incumbent)
    assert check.level == "watch"
    assert named in check.text


def test_a_best_trial_inside_and_none_at_all():
    assert edge(SPACE, {"lr": 0.01, "depth": 10, "few": 2}).level == "good"
    assert edge(SPACE, None).level == "unknown"


@pytest.mark.parametrize(
    ("counts", "level"),
    [((0, 0, 0), "unknown"), ((10, 0, 0), "good"), ((95, 2, 3), "good"), ((80, 5, 15), "watch"), ((70, 30, 0), "bad"),
     ((0, 0, 5), "bad")],
)  # fmt: skip
def test_failure_rates(counts, level):
    assert failures(*counts).level == level


def test_stagnation_is_told_from_late_improvement():
    values = [1.0, *[0.5] * 60]
    still = [Trial(i, "complete", {}, {"sharpe": v}, True) for i, v in enumerate(values)]
    assert stagnation(progress(still, OBJECTIVE, 61)).level == "watch"
    late = [Trial(i, "complete", {}, {"sharpe": float(i)}, True) for i in range(61)]
    assert stagnation(progress(late, OBJECTIVE, 61)).level == "good"
    assert stagnation(progress([], OBJECTIVE, 0)).level == "unknown"


def test_all_checks_come_worst_first_and_as_sentences():
    finished = problems.trials(40)
    model = problems.model(finished)
    checks = health(
        problems.SPACE, progress(finished, OBJECTIVE, 40), incumbent=model.incumbent, n_complete=31, n_failed=4,
        n_infeasible=5, constraint_misses=(31, 31), trust=trust("sharpe", model.loo("sharpe")),
    )  # fmt: skip
    assert len(checks) == 5
    assert checks[0].level == "bad"
    assert all(c.text.endswith(".") and c.title for c in checks)


def test_shares_of_a_decimated_study_say_what_they_were_counted_on():
    assert "10%" in failures(45_000, 5_000, 0).text
    check = outcome_constraints(105, 1_570, 45_000)
    assert check.text.startswith("1,465 of 1,570 complete trials shown, of 45,000, meet")


def test_a_good_model_is_trusted_and_its_own_numbers_agree():
    finished = problems.trials(50, failures=False)
    model = problems.model(finished)
    found = trust("sharpe", model.loo("sharpe"))
    assert found.level == "good"
    assert found.n == 50
    assert found.r2 > 0.6
    assert 0.8 <= found.coverage <= 1
    assert np.all(np.diff(found.empirical) >= 0)


def test_a_model_of_noise_isnt_trusted():
    rng = np.random.default_rng(0)
    observed = rng.standard_normal(40)
    found = trust("v", {"observed": observed, "mean": np.zeros(40), "std": np.ones(40)})
    assert found.level == "bad"
    assert "Not predictive" in found.headline


def test_narrow_bands_are_called_overconfident():
    rng = np.random.default_rng(0)
    mean = np.linspace(0, 1, 40)
    found = trust("v", {"observed": mean + 0.1 * rng.standard_normal(40), "mean": mean, "std": np.full(40, 0.02)})
    assert found.headline == "Overconfident"


@pytest.mark.parametrize(
    "loo",
    [
        {"observed": [], "mean": [], "std": []},
        {"observed": [1.0], "mean": [1.0], "std": [0.1]},
        {"observed": [np.nan] * 9, "mean": [0.0] * 9, "std": [1.0] * 9},
        {"observed": [1.0] * 9, "mean": [1.0] * 9, "std": [0.1] * 9},
    ],
)
def test_trust_without_evidence_is_unknown(loo):
    assert trust("v", loo).level == "unknown"


def test_calibration_of_a_right_model_lies_on_the_diagonal():
    rng = np.random.default_rng(1)
    found = trust("v", {"observed": rng.standard_normal(5000), "mean": np.zeros(5000), "std": np.ones(5000)})
    assert found.empirical == pytest.approx(found.nominal, abs=0.02)


@pytest.mark.parametrize(("mean", "kind"), [(0.5, "explore"), (1.05, "both"), (1.4, "exploit")])
def test_what_drives_a_candidate(mean, kind):
    found = explain({"params": {"x": 1.0}, "mean": mean, "std": 0.1, "p_feasible": 1.0}, OBJECTIVE, 1.0)
    assert found.kind == kind
    assert 0 <= found.p_better <= 1


def test_expected_gain_agrees_with_sampling():
    found = explain({"params": {}, "mean": 0.9, "std": 0.2}, Objective("v", "minimize"), 1.0)
    draws = 0.9 + 0.2 * np.random.default_rng(0).standard_normal(400_000)
    assert found.gain == pytest.approx(np.maximum(1.0 - draws, 0).mean(), rel=0.01)
    assert found.p_better == pytest.approx((draws < 1.0).mean(), abs=0.005)


def test_the_nearest_trial_and_a_missing_best():
    near = {"lr": 0.01, "depth": 10, "few": 1}
    tried = [(4, near), (7, near | {"lr": 1.0})]
    found = explain({"params": near, "mean": None, "std": None}, OBJECTIVE, None, SPACE, tried)
    assert found.nearest == (4, 0.0)
    assert found.kind == "unknown"
    assert "almost the same point" in found.text
