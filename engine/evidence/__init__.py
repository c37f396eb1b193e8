"""Is a result real? Statistics of backtests and trials. Arrays only."""
