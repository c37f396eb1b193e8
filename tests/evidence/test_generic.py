"""Repeated measurements: intervals with the coverage they promise, sensitivity, distance to the limits."""

import numpy as np
import pytest
from scipy import stats

from engine.errors import InvalidInput
from engine.evidence import generic


def test_interval_is_students():
    x = [10.1, 9.7, 10.4, 10.0, 9.9]
    result = generic.replicates(x, 0.9)
    low, high = stats.t.interval(0.9, 4, loc=np.mean(x), scale=stats.sem(x))
    assert (result.low, result.high) == (pytest.approx(low), pytest.approx(high))
    assert not result.deterministic


def test_equal_runs_are_deterministic_and_not_an_error():
    result = generic.replicates([0.1 + 0.2, 0.3, 0.3])
    assert result.deterministic
    assert result.low == result.mean == result.high


def test_unpaired_comparison_is_welchs():
    rng = np.random.default_rng(0)
    x, y = rng.normal(9, 1, 8), rng.normal(10, 3, 15)
    result = generic.compare(x, y)
    welch = stats.ttest_ind(y, x, equal_var=False).confidence_interval(0.95)
    assert result.improvement == pytest.approx(y.mean() - x.mean())
    assert (result.low, result.high) == (pytest.approx(welch.low), pytest.approx(welch.high))
    up = generic.compare(x, y, maximize=True)
    assert up.improvement == pytest.approx(-result.improvement)
    assert up.low == pytest.approx(-result.high)


def test_pairing_removes_what_both_have_in_common():
    rng = np.random.default_rng(1)
    weather = rng.normal(0, 5, 10)
    x, y = 10 + weather + rng.normal(0, 0.1, 10), 11 + weather + rng.normal(0, 0.1, 10)
    paired = generic.compare(x, y, paired=True)
    assert paired.low > 0.8
    assert generic.compare(x, y).low < 0.0
    test = stats.ttest_rel(y, x).confidence_interval(0.95)
    assert (paired.low, paired.high) == (pytest.approx(test.low), pytest.approx(test.high))


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(1000):
        result = generic.compare(rng.normal(1, 1, 5), rng.normal(2, 1, 5))
        covered += result.low <= 1.0 <= result.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.025)


def test_sensitivity_puts_the_worst_parameter_first():
    def latency(p):
        return None if p["pool"] < 4 else 10.0 + (p["batch"] - 20) ** 2 * 0.5 + p["timeout"] * 0.001

    parameters = {"batch": 20, "timeout": 2.0, "pool": 8}
    effects = generic.sensitivity(latency, parameters, value=latency(parameters), bounds={"pool": (1, 8)})
    assert [effect.parameter for effect in effects] == ["batch", "timeout", "pool"]
    batch = effects[0]
    assert (batch.low, batch.high) == (18, 22)
    assert batch.relative_change == pytest.approx(-2.0 / 10.002)
    pool = effects[2]
    assert (pool.low, pool.high) == (7, 8), "whole numbers move by at least one and stay in their bounds"
    fragile = generic.sensitivity(latency, {**parameters, "pool": 4}, value=10.002)
    assert fragile[0].parameter == "pool"
    assert fragile[0].low_outcome is None
    assert fragile[0].relative_change is None


def test_sensitivity_of_something_maximised():
    effects = generic.sensitivity(lambda p: -((p["x"] - 1.0) ** 2) + 2, {"x": 1.0}, value=2.0, maximize=True)
    assert effects[0].relative_change == pytest.approx(-0.01 / 2)


def test_distance_to_a_limit_predicts_the_next_run():
    rng = np.random.default_rng(3)
    kept = []
    for _ in range(2000):
        runs = rng.normal(10, 1, 6)
        limit = runs.mean() + stats.t.ppf(0.9, 5) * runs.std(ddof=1) * np.sqrt(1 + 1 / 6)
        assert generic.limit_distance("p99", runs, limit).probability == pytest.approx(0.9)
        kept.append(rng.normal(10, 1) <= limit)
    assert np.mean(kept) == pytest.approx(0.9, abs=0.02)
    result = generic.limit_distance("p99", [9.0, 10.0, 11.0], 12.0)
    assert result.slack == pytest.approx(2.0)
    assert result.deviations == pytest.approx(2.0)
    assert result.kept == 3


def test_lower_and_deterministic_limits():
    result = generic.limit_distance("fill", [0.98, 0.99, 1.0], 0.985, upper=False)
    assert result.slack == pytest.approx(0.005)
    assert result.kept == 2
    assert generic.limit_distance("bans", [0.0, 0.0], 0.0).probability == 1.0
    broken = generic.limit_distance("bans", [1.0, 1.0], 0.0)
    assert broken.probability == 0.0
    assert broken.deviations is None


def test_model_trust():
    rng = np.random.default_rng(4)
    mean = rng.normal(0, 2, 300)
    observed = mean + rng.normal(0, 0.5, 300)
    good = generic.model_trust(observed, mean, np.full(300, 0.5))
    assert good.coverage == pytest.approx(0.95, abs=0.03)
    assert good.r_squared > 0.9
    sure = generic.model_trust(observed, mean, np.full(300, 0.1))
    assert sure.coverage < 0.4
    assert sure.deviation_z == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: generic.replicates([1.0]), "values"),
        (lambda: generic.replicates([1.0, np.inf]), "values"),
        (lambda: generic.replicates([1.0, 2.0], 1.5), "level"),
        (lambda: generic.compare([1.0, 2.0], [1.0, 2.0, 3.0], paired=True), "values"),
        (lambda: generic.sensitivity(lambda p: 1.0, {"kind": "a"}, value=1.0), "parameters.kind"),
        (lambda: generic.sensitivity(lambda p: np.nan, {"x": 1.0}, value=1.0), "outcome with x = 0.9"),
        (lambda: generic.sensitivity(lambda p: 1.0, {"x": 1.0}, value=1.0, numeric=["y"]), "parameters.y"),
        (lambda: generic.limit_distance("p99", [1.0, 2.0], np.nan), "limits.p99"),
        (lambda: generic.model_trust([1, 2, 3, 4], [1, 2, 3, 4], [1, 1, 1, 0]), "deviation"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
