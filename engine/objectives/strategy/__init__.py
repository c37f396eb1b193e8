"""Trading strategies: the vectorised backtest and the strategies that are tuned with it.

Belongs here: signals, positions, costs, performance of one strategy on one series. Doesn't: portfolios of several
assets (risk), whether a result is luck (evidence).
"""

from engine.objectives.strategy.moving_average import MOVING_AVERAGE_CROSS, moving_average_cross

ENTRIES = (MOVING_AVERAGE_CROSS,)

__all__ = ["ENTRIES", "moving_average_cross"]
