"""The backtest against backtesting.py, for whoever has it installed: it is no dependency, its licence is the AGPL."""

import warnings

import numpy as np
import pandas as pd
import pytest

from engine.objectives.data import load_series
from engine.objectives.strategy import backtest

backtesting = pytest.importorskip("backtesting", reason="backtesting.py is not installed (development only)")


def peer_equity(series, signal, cost):
    """Equity after each close of a strategy that is fully invested while the signal of that close is 1."""

    class Follow(backtesting.Strategy):
        def init(self):
            self.signal = self.I(lambda: signal)

        def next(self):
            if self.signal[-1] > 0 and not self.position:
                self.buy(size=0.9999)
            elif self.signal[-1] <= 0 and self.position:
                self.position.close()

    frame = pd.DataFrame(
        {"Open": series.open, "High": series.high, "Low": series.low, "Close": series.close},
        index=pd.DatetimeIndex(series.dates),
    )
    run = backtesting.Backtest(frame, Follow, cash=1e12, commission=cost, trade_on_close=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = run.run()
    return result["_equity_curve"]["Equity"].to_numpy() / 1e12, len(result["_trades"])


@pytest.mark.parametrize("market", ["aapl", "sp500"])
@pytest.mark.parametrize(("fast", "slow"), [(10, 50), (50, 200)])
def test_equity_and_trades_equal_an_established_backtester(market, fast, slow):
    series = load_series(market)
    sums = np.concatenate([[0.0], np.cumsum(series.close)])
    with np.errstate(invalid="ignore"):
        signal = (backtest.rolling_mean(sums, fast) > backtest.rolling_mean(sums, slow)).astype(float)
    held = backtest.held_positions(signal)
    net = backtest.net_returns(held, backtest.simple_returns(series.close), cost_bps=10)
    equity = np.cumprod(1 + net)
    peer, trades = peer_equity(series, signal, cost=0.001)
    assert trades == backtest.count_trades(held)
    np.testing.assert_allclose(equity, peer, rtol=0.01)
