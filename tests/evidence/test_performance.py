"""Figures of small return series that can be checked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.errors import InvalidInput
from engine.evidence import dispersion, performance, splits, walkforward


def test_drawdown_counts_from_the_highest_peak_and_from_the_start():
    assert performance.max_drawdown([0.10, -0.50, 0.20]) == pytest.approx(0.5)
    assert performance.max_drawdown([-0.20, 0.50]) == pytest.approx(0.2), "the start is a peak as well"
    assert performance.max_drawdown([0.01, 0.02]) == 0.0
    assert performance.max_drawdown([0.5, -1.0, 3.0]) == 1.0, "what is lost entirely doesn't come back"


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-0.9, 0.9)))
def test_drawdown_is_its_definition(returns):
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    expected = 1.0 - np.min(wealth / np.maximum.accumulate(wealth))
    assert performance.max_drawdown(returns) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_expected_shortfall_counts_the_edge_in_part():
    returns = np.arange(-50, 50) / 100.0
    # The worst 2.5 of 100: -.50, -.49 and half of -.48.
    assert performance.expected_shortfall(returns) == pytest.approx((0.50 + 0.49 + 0.24) / 2.5)
    assert performance.expected_shortfall([-0.1, 0.2]) == pytest.approx(0.1), "less than one observation: the worst"
    normal = np.random.default_rng(0).standard_normal(400_000)
    assert performance.expected_shortfall(normal) == pytest.approx(2.3378, abs=0.02)


def test_annual_figures():
    returns = np.tile([0.01, -0.005], 126)
    result = performance.performance(returns, 252)
    assert result.years == 1.0
    assert result.annual_return == pytest.approx(0.63)
    assert result.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    assert result.max_drawdown == pytest.approx(0.005)
    assert result.calmar == pytest.approx(((1.01 * 0.995) ** 126 - 1) / 0.005)
    assert performance.calmar([0.01, 0.02], 252) is None


def test_turnover_trades_and_break_even_cost():
    positions = np.array([0.0, 1.0, 1.0, -1.0, 0.0, 0.0])
    assert performance.traded(positions).tolist() == [0, 1, 0, 2, 1, 0]
    assert performance.trade_count(positions) == 3
    assert performance.turnover(positions, 252) == pytest.approx(4 * 252 / 6)
    gross = np.array([0.0, 0.004, 0.004, 0.002, 0.0, 0.0])
    assert performance.break_even_cost(gross, positions) == pytest.approx(0.010 / 4 * 1e4)
    assert performance.break_even_cost(gross, np.zeros(6)) is None
    assert performance.traded([[0.5, 0.5], [0.2, 0.6]]).tolist() == pytest.approx([1.0, 0.4])


def test_profit_is_gone_exactly_at_the_break_even_cost():
    rng = np.random.default_rng(2)
    positions = rng.choice([-1.0, 0.0, 1.0], 500)
    gross = positions * rng.normal(0.001, 0.01, 500) + 0.001
    cost = performance.break_even_cost(gross, positions)
    one, two, three = performance.cost_stress(gross, positions, cost, 252)
    assert one.annual_return == pytest.approx(0.0, abs=1e-12)
    assert one.sharpe > two.sharpe > three.sharpe
    assert (two.multiple, two.cost_bps) == (2.0, 2 * cost)


def test_walk_forward_efficiency_and_consistency():
    inside = [np.array([0.02, 0.0]), np.array([0.03, 0.01])]
    outside = [np.array([0.01, 0.0]), np.array([0.02, -0.03]), np.array([0.01, 0.01])]
    result = walkforward.summarise([*inside, inside[0]], outside, 100)
    assert result.in_sample_return == pytest.approx((1.0 + 2.0 + 1.0) / 3)
    assert result.out_of_sample_return == pytest.approx((0.5 - 0.5 + 1.0) / 3)
    assert result.efficiency == pytest.approx(0.25)
    assert result.consistency == pytest.approx(2 / 3)
    joined = performance.performance(np.concatenate(outside), 100)
    assert result.out_of_sample == joined
    losing = walkforward.summarise([-inside[0], -inside[1]], outside[:2], 100)
    assert losing.efficiency is None, "a ratio to a loss would mean nothing"


def test_reselection_never_uses_the_test_period():
    rng = np.random.default_rng(4)
    returns = rng.standard_normal((600, 8)) * 0.01
    folds = splits.walk_forward(600, 200, 100)
    base = walkforward.reselect(returns, folds, 252)
    tampered = returns.copy()
    tampered[500:] = rng.standard_normal((100, 8)) * 0.02
    assert walkforward.reselect(tampered, folds, 252).chosen == base.chosen
    for split, chosen in zip(folds, base.chosen):
        train = returns[split.train]
        assert chosen == np.argmax(train.mean(axis=0) / train.std(axis=0))


def test_dispersion_over_time_tells_luck_from_skill():
    rng = np.random.default_rng(5)
    steady = rng.normal(0.001, 0.01, 2000)
    spread = dispersion.by_period(steady, 252)
    assert spread.chance > 0.05
    assert len(spread.parts) == 4
    lucky = np.concatenate([rng.normal(0.004, 0.01, 500), rng.normal(-0.001, 0.01, 1500)])
    lucky_spread = dispersion.by_period(lucky, 252)
    assert lucky_spread.chance < 1e-3
    assert lucky_spread.share_positive < 1.0
    assert lucky_spread.lowest == min(part.sharpe for part in lucky_spread.parts)


def test_chance_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(6)
    chances = [dispersion.by_period(rng.normal(0.0005, 0.01, 1000), 252, 5).chance for _ in range(400)]
    assert np.mean(np.array(chances) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_volatility_regimes_look_back_only():
    rng = np.random.default_rng(7)
    market = np.concatenate([rng.normal(0, 0.005, 400), rng.normal(0, 0.03, 400)])
    regimes = dispersion.volatility_regimes(market, window=50, groups=2)
    assert np.all(regimes[:50] == -1)
    assert np.mean(regimes[50:400]) < 0.2
    assert np.mean(regimes[460:]) > 0.9
    changed = market.copy()
    changed[-1] = 0.5
    np.testing.assert_array_equal(dispersion.volatility_regimes(changed, 50, 2), regimes)
    held = np.where(regimes == 0, 0.001 + rng.normal(0, 0.001, 800), rng.normal(0, 0.01, 800))
    calm, rough = dispersion.by_regime(held, regimes, 252).parts
    assert calm.sharpe > rough.sharpe
    assert calm.observations + rough.observations == 750


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: performance.max_drawdown([0.1, -1.5]), "returns"),
        (lambda: performance.performance([0.1, 0.1, 0.1, 0.1], 252), "returns"),
        (lambda: performance.performance([0.1, 0.2, 0.1, 0.1], 0), "periods"),
        (lambda: performance.traded([0.0, np.nan]), "positions"),
        (lambda: performance.break_even_cost([0.1, 0.2], [1.0]), "gross_returns"),
        (lambda: performance.cost_stress([0.1, 0.2, 0.1, 0.3], [1, 1, 1, 1], -1.0, 252), "cost_bps"),
        (lambda: walkforward.summarise([[0.1, 0.2]], [[0.1, 0.2]], 252), "out_of_sample"),
        (lambda: dispersion.by_regime([0.1, 0.2, 0.3], [0, 0, 0], 252), "regimes"),
        (lambda: dispersion.by_regime([0.1, 0.2, 0.3], [0.5, 0, 1], 252), "regimes"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
