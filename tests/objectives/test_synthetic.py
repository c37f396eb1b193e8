"""The test functions have the best values that their documentation claims."""

import math

import numpy as np
import pytest

from engine.objectives import Context, Infeasible
from engine.objectives.synthetic import (
    CONDITIONAL_WELLS,
    branin,
    conditional_wells,
    hartmann6,
    slow_noisy_bowl,
)

QUICK = {"seconds": 0}


@pytest.mark.parametrize(("x", "y"), [(-math.pi, 12.275), (math.pi, 2.275), (9.42478, 2.475)])
def test_branin_minima(x, y):
    assert branin({"x": x, "y": y}) == pytest.approx(0.397887, abs=1e-6)
    assert branin({"x": x + 0.1, "y": y}) > 0.4


def test_hartmann6_minimum():
    x = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    assert hartmann6({f"x{i + 1}": v for i, v in enumerate(x)}) == pytest.approx(-3.32237, abs=1e-5)


def test_conditional_wells_minima():
    assert conditional_wells({"shape": "bowl", "centre": 0.3}) == 1
    assert conditional_wells({"shape": "comb", "teeth": 5, "depth": 0.1}) == pytest.approx(0)
    assert conditional_wells({"shape": "comb", "teeth": 1}) == 4
    space = CONDITIONAL_WELLS.space
    values = [conditional_wells(p) for p in space.decode(space.sample(500, np.random.default_rng(0)))]
    assert min(values) >= 0


def test_noise_depends_on_the_seed_alone():
    def value(seed):
        return slow_noisy_bowl({"x": 2, "y": -1}, Context(seed=seed, settings=QUICK))

    assert value(1) == value(1)
    assert value(1)["value"] != value(2)["value"]
    assert value(1)["noiseless"] == 0


def test_bowl_reports_a_curve_that_ends_at_its_value():
    curve = []
    out = slow_noisy_bowl(
        {"x": 0, "y": 0}, Context(settings=QUICK | {"steps": 5}, report=lambda step, value: curve.append((step, value)))
    )
    assert [step for step, _ in curve] == [1, 2, 3, 4, 5]
    assert curve[-1][1] == pytest.approx(out["value"])
    assert curve[0][1] > curve[-1][1]


def test_bowl_fails_and_refuses_where_it_is_asked_to():
    with pytest.raises(RuntimeError, match="failure_share"):
        slow_noisy_bowl({"x": 0, "y": 0}, Context(settings=QUICK | {"failure_share": 1}))
    with pytest.raises(Infeasible, match="x = -4"):
        slow_noisy_bowl({"x": -4, "y": 0}, Context(settings=QUICK | {"infeasible_share": 0.2}))
