"""Real prices and moving-average strategies on them, as a quant would try them at random."""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# A busy machine makes single examples slow without any fault of theirs.
settings.register_profile("evidence", deadline=None)
settings.load_profile("evidence")

SAMPLES = Path(__file__).parents[2] / "sample_data"
WARM_UP = 300
COST_BPS = 2.0


@dataclass(frozen=True)
class Market:
    """Daily closes and simple returns, both (T,)."""

    close: np.ndarray
    returns: np.ndarray

    def average(self, length: int) -> np.ndarray:
        sums = np.cumsum(np.concatenate([[0.0], self.close]))
        return np.concatenate([np.full(length - 1, np.nan), (sums[length:] - sums[:-length]) / length])

    def cross(self, fast: int, slow: int, short: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions, gross and net returns after the warm-up; decided at the close, held the next day."""
        signal = np.where(self.average(fast) > self.average(slow), 1.0, -1.0 if short else 0.0)
        positions = np.concatenate([[0.0], signal[:-1]])[WARM_UP:]
        gross = positions * self.returns[WARM_UP:]
        return positions, gross, gross - np.abs(np.diff(positions, prepend=0.0)) * COST_BPS / 1e4


@pytest.fixture(scope="session")
def sp500() -> Market:
    with gzip.open(SAMPLES / "sp500_daily_ohlcv_1999_2018.csv.gz", "rt") as file:
        close = np.array([float(row["close"]) for row in csv.DictReader(file)])
    return Market(close, np.concatenate([[0.0], close[1:] / close[:-1] - 1.0]))
