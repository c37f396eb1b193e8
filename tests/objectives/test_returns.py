"""The return series behind a trading objective give its outcomes again."""

import numpy as np
import pytest

from engine.objectives import Context, catalogue, resolve, return_series

TRADING = [entry for entry in catalogue().values() if entry.returns]


def sharpe(returns, bars_per_year):
    return returns.mean() / returns.std() * bars_per_year**0.5


def test_every_trading_objective_has_its_returns():
    assert {entry.slug for entry in TRADING} == {"moving_average_cross", "indicator_vote", "portfolio_limits"}


@pytest.mark.parametrize("entry", TRADING, ids=lambda e: e.slug)
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_returns_give_the_outcomes_again(entry, share):
    context = Context(settings={"out_of_sample": share})
    out = resolve(entry.path)(entry.defaults, context)
    series = return_series(entry.path, entry.defaults, context)
    m = len(series.net) - series.held_out
    assert len(series.dates) == len(series.net) == len(series.benchmark)
    assert (np.diff(series.dates).astype(int) > 0).all()
    assert sharpe(series.net[:m], series.bars_per_year) == pytest.approx(out["sharpe"])
    benchmark = out.get("buy_hold_sharpe", out.get("equal_weight_sharpe"))
    assert sharpe(series.benchmark[:m], series.bars_per_year) == pytest.approx(benchmark)
    if share:
        assert sharpe(series.net[m:], series.bars_per_year) == pytest.approx(out["sharpe_out_of_sample"])
        assert series.held_out == pytest.approx(0.4 * len(series.net), abs=1)
    else:
        assert series.held_out == 0


def test_an_objective_without_returns_has_none():
    assert return_series("engine.objectives.synthetic:branin", {"x": 1, "y": 1}) is None
