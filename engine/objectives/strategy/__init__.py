"""Trading strategies: the vectorised backtest and the strategies that are tuned with it.

Belongs here: signals, positions, costs, performance of one strategy on one series. Doesn't: portfolios of several
assets (risk), whether a result is luck (evidence).
"""

from engine.objectives.strategy.moving_average import MOVING_AVERAGE_CROSS, moving_average_cross
from engine.objectives.strategy.vote import INDICATOR_VOTE, indicator_vote

ENTRIES = (MOVING_AVERAGE_CROSS, INDICATOR_VOTE)

__all__ = ["ENTRIES", "indicator_vote", "moving_average_cross"]
