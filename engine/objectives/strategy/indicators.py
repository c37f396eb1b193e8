"""The library of technical indicators: what each is called in TA-Lib, its parameters with our bounds, and its score.

TA-Lib's metadata gives names and defaults but no bounds and no meaning; both stand here. Every indicator is turned
into a *score* that doesn't depend on the price level: positive speaks for a long position (if the indicator is read
in its usual sense), 1 is a strong reading. Nothing in this module imports TA-Lib before a score is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.objectives.data import Series
from engine.objectives.strategy.backtest import rolling_mean
from engine.space import Categorical, Float, Int, Parameter

SCALE_WINDOW = 100
"""Bars over which an unbounded reading is compared with its own past."""
LONGEST_LOOKBACK = 300
"""No indicator needs more bars than this at any point of its bounds."""
WARM_UP = LONGEST_LOOKBACK + SCALE_WINDOW

Score = Callable[[Sequence[np.ndarray], np.ndarray], np.ndarray]
"""(TA-Lib's outputs, close) -> score, all of shape (n,)."""


@dataclass(frozen=True)
class Indicator:
    """function: of TA-Lib. inputs: letters of open, high, low, close, volume, in its order.

    parameters: as TA-Lib names them -> (its default, our low, our high). score: see the module.
    reversion: whether a high reading usually speaks against a long position.
    """

    name: str
    function: str
    inputs: str
    parameters: Mapping[str, tuple[float, float, float]]
    score: Score
    reversion: bool = False
    help: str = ""

    def space(self) -> list[Parameter]:
        """Its parameters as a study names them: TA-Lib's own, then threshold, weight and sense."""
        out: list[Parameter] = []
        for name, (default, low, high) in self.parameters.items():
            kind = Int if isinstance(default, int) else Float
            out.append(kind(f"{self.name}_{name}", low, high, log=True, help=f"{self.function} {name}"))  # type: ignore[arg-type]
        return [
            *out,
            Float(f"{self.name}_threshold", 0.02, 2.0, log=True, help=f"{self.help}: score that gives its full vote"),
            Float(f"{self.name}_weight", 0.0, 1.0, help=f"{self.help}: weight in the vote, relative to the others"),
            Categorical(f"{self.name}_sense", ("trend", "reversion"), help=f"{self.help}: follow it or fade it"),
        ]

    def defaults(self) -> dict[str, Any]:
        own = {f"{self.name}_{name}": default for name, (default, _, _) in self.parameters.items()}
        sense = "reversion" if self.reversion else "trend"
        return {
            **own,
            f"{self.name}_threshold": 0.5,
            f"{self.name}_weight": 0.5,
            f"{self.name}_sense": sense,
        }


# --- scores -----------------------------------------------------------------------------------------


def _relative_to_its_past(x: np.ndarray) -> np.ndarray:
    """x over the root mean square of its last SCALE_WINDOW values; 0 where that is 0."""
    known = np.nan_to_num(x, nan=0.0)
    first = int(np.argmax(~np.isnan(x)))
    rms = np.sqrt(np.maximum(rolling_mean(np.concatenate([[0.0], np.cumsum(known**2)]), SCALE_WINDOW), 0.0))
    out = np.divide(known, rms, out=np.zeros(len(x)), where=rms > 1e-12 * np.nanmax(rms))
    out[: first + SCALE_WINDOW - 1] = np.nan
    return out


def _scaled(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """An unbounded reading around zero."""
    return _relative_to_its_past(outputs[0])


def _level(centre: float, half_width: float) -> Score:
    """A bounded reading: 0 at its centre, 1 at its upper end."""
    return lambda outputs, close: (outputs[0] - centre) / half_width


def _above(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """How far the close is above a line, compared with the past."""
    return _relative_to_its_past(close / outputs[0] - 1.0)


def _band(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """Where the close is in a band: 1 at its upper edge, -1 at its lower. outputs: upper, middle, lower."""
    width = outputs[0] - outputs[2]
    middle = (outputs[0] + outputs[2]) / 2
    return np.divide(2 * (close - middle), width, out=width * 0.0, where=width > 0)


def _difference(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """First output less the second, compared with the past."""
    return _relative_to_its_past(outputs[0] - outputs[1])


def _cross(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """First output less the second, as a share of the second, compared with the past."""
    return _relative_to_its_past(outputs[0] / outputs[1] - 1.0)


def _direction(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """The second output, which is 1 or -1."""
    return outputs[1].astype(float)


def _calm(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """Positive where a measure of unrest is below its mean of the last SCALE_WINDOW bars."""
    known = np.nan_to_num(outputs[0], nan=0.0)
    mean = rolling_mean(np.concatenate([[0.0], np.cumsum(known)]), SCALE_WINDOW)
    out = 1.0 - np.divide(known, mean, out=np.ones(len(known)), where=mean > 1e-12 * np.nanmax(mean))
    out[: int(np.argmax(~np.isnan(outputs[0]))) + SCALE_WINDOW - 1] = np.nan
    return out


def _flow(outputs: Sequence[np.ndarray], close: np.ndarray) -> np.ndarray:
    """A running total (such as OBV) against its mean of the last SCALE_WINDOW bars."""
    total = outputs[0] - outputs[0][0]
    mean = rolling_mean(np.concatenate([[0.0], np.cumsum(total)]), SCALE_WINDOW)
    return _relative_to_its_past(total - mean)


# --- the library ------------------------------------------------------------------------------------


def _period(default: int, high: int = 100, low: int = 2) -> dict[str, tuple[float, float, float]]:
    return {"timeperiod": (default, low, high)}


_MACD = {"fastperiod": (12, 2, 60), "slowperiod": (26, 10, 200), "signalperiod": (9, 2, 60)}
_FAST_SLOW = {"fastperiod": (12, 2, 60), "slowperiod": (26, 10, 200)}
_STOCHASTIC = {"fastk_period": (5, 3, 100), "slowk_period": (3, 2, 30), "slowd_period": (3, 2, 30)}
_OSCILLATOR = _level(50, 50)

INDICATORS: dict[str, Indicator] = {
    i.name: i
    for i in (
        # lines that the close is above or below
        Indicator("sma", "SMA", "c", _period(30, 250), _above, help="Simple average"),
        Indicator("ema", "EMA", "c", _period(30, 250), _above, help="Exponential average"),
        Indicator("wma", "WMA", "c", _period(30, 250), _above, help="Weighted average"),
        Indicator("dema", "DEMA", "c", _period(30, 120), _above, help="Double exponential average"),
        Indicator("tema", "TEMA", "c", _period(30, 90), _above, help="Triple exponential average"),
        Indicator("trima", "TRIMA", "c", _period(30, 250), _above, help="Triangular average"),
        Indicator("kama", "KAMA", "c", _period(30, 250), _above, help="Kaufman adaptive average"),
        Indicator("hma", "HMA", "c", _period(20, 200), _above, help="Hull average"),
        Indicator("rma", "RMA", "c", _period(30, 250), _above, help="Wilder average"),
        Indicator("zlema", "ZLEMA", "c", _period(30, 150, 3), _above, help="Zero-lag average"),
        Indicator("vwma", "VWMA", "cv", _period(30, 250), _above, help="Volume-weighted average"),
        Indicator("t3", "T3", "c", {"timeperiod": (5, 2, 45), "vfactor": (0.7, 0.1, 1.0)}, _above, help="T3 average"),
        Indicator("midpoint", "MIDPOINT", "c", _period(14, 250), _above, help="Middle of the closes' range"),
        Indicator("midprice", "MIDPRICE", "hl", _period(14, 250), _above, help="Middle of the bars' range"),
        Indicator("linearreg", "LINEARREG", "c", _period(14, 250), _above, help="Regression line"),
        Indicator("tsf", "TSF", "c", _period(14, 250), _above, help="Regression forecast"),
        Indicator("intercept", "LINEARREG_INTERCEPT", "c", _period(14, 250), _above, help="Start of the regression"),
        Indicator("mama", "MAMA", "c", {"fastlimit": (0.5, 0.1, 0.9), "slowlimit": (0.05, 0.01, 0.09)}, _cross,
                  help="MESA adaptive average above its follower"),
        Indicator("sar", "SAR", "hl", {"acceleration": (0.02, 0.005, 0.1), "maximum": (0.2, 0.1, 0.5)}, _above,
                  help="Parabolic stop and reverse"),
        Indicator("supertrend", "SUPERTREND", "hlc", {"timeperiod": (10, 2, 100), "multiplier": (3.0, 0.5, 8.0)},
                  _direction, help="Supertrend"),
        # bands
        Indicator("bbands", "BBANDS", "c", {"timeperiod": (20, 5, 250), "nbdevup": (2.0, 0.5, 4.0),
                  "nbdevdn": (2.0, 0.5, 4.0)}, _band, True, "Bollinger bands"),
        Indicator("accbands", "ACCBANDS", "hlc", _period(20, 250), _band, True, "Acceleration bands"),
        Indicator("donchian", "DONCHIAN", "hl", _period(20, 250), _band, help="Donchian channel"),
        Indicator("keltner", "KC", "hlc", {"timeperiod": (20, 2, 150), "atrperiod": (10, 2, 100),
                  "nbdev": (2.0, 0.5, 5.0)}, _band, help="Keltner channel"),
        # momentum
        Indicator("mom", "MOM", "c", _period(10, 250), _scaled, help="Momentum"),
        Indicator("roc", "ROC", "c", _period(10, 250), _scaled, help="Rate of change"),
        Indicator("macd", "MACD", "c", _MACD, _difference, help="MACD above its signal"),
        Indicator("macd_line", "MACD", "c", _MACD, _scaled, help="MACD line"),
        Indicator("macd_fix", "MACDFIX", "c", {"signalperiod": (9, 2, 100)}, _difference, help="MACD 12/26"),
        Indicator("apo", "APO", "c", _FAST_SLOW, _scaled, help="Absolute price oscillator"),
        Indicator("ppo", "PPO", "c", _FAST_SLOW, _scaled, help="Percentage price oscillator"),
        Indicator("ao", "AO", "hl", {"fastperiod": (5, 2, 60), "slowperiod": (34, 10, 200)}, _scaled,
                  help="Awesome oscillator"),
        Indicator("ac", "AC", "hl", {"fastperiod": (5, 2, 60), "slowperiod": (34, 10, 200),
                  "signalperiod": (5, 2, 60)}, _scaled, help="Acceleration of the awesome oscillator"),
        Indicator("tsi", "TSI", "c", {"firstperiod": (25, 2, 100), "secondperiod": (13, 2, 100)}, _level(0, 100),
                  help="True strength"),
        Indicator("trix", "TRIX", "c", _period(30, 90), _scaled, help="Triple smoothed rate of change"),
        Indicator("coppock", "COPPOCK", "c", {"wmaperiod": (10, 2, 100), "roc1period": (11, 2, 150),
                  "roc2period": (14, 2, 150)}, _scaled, help="Coppock curve"),
        Indicator("cmo", "CMO", "c", _period(14), _level(0, 100), help="Chande momentum"),
        Indicator("rsi", "RSI", "c", _period(14), _OSCILLATOR, True, "Relative strength"),
        Indicator("stoch", "STOCH", "hlc", _STOCHASTIC, _OSCILLATOR, True, "Stochastic"),
        Indicator("stochf", "STOCHF", "hlc", {"fastk_period": (5, 3, 200), "fastd_period": (3, 2, 30)}, _OSCILLATOR,
                  True, "Fast stochastic"),
        Indicator("stochrsi", "STOCHRSI", "c", {"timeperiod": (14, 2, 100), "fastk_period": (5, 3, 100),
                  "fastd_period": (3, 2, 30)}, _OSCILLATOR, True, "Stochastic of the relative strength"),
        Indicator("smi", "SMI", "hlc", {"timeperiod": (13, 2, 100), "fastperiod": (2, 2, 30),
                  "slowperiod": (25, 5, 100), "signalperiod": (9, 2, 30)}, _level(0, 100), help="Stochastic momentum"),
        Indicator("willr", "WILLR", "hlc", _period(14, 250), _level(-50, 50), True, "Williams %R"),
        Indicator("cci", "CCI", "hlc", _period(20, 250), _level(0, 200), True, "Commodity channel"),
        Indicator("ultosc", "ULTOSC", "hlc", {"timeperiod1": (7, 2, 30), "timeperiod2": (14, 5, 80),
                  "timeperiod3": (28, 10, 200)}, _OSCILLATOR, True, "Ultimate oscillator"),
        Indicator("imi", "IMI", "oc", _period(14, 200), _OSCILLATOR, True, "Intraday momentum"),
        Indicator("rvi", "RVI", "c", {"timeperiod": (14, 2, 100), "stddevperiod": (10, 2, 100)}, _OSCILLATOR,
                  help="Relative volatility"),
        Indicator("percentrank", "PERCENTRANK", "c", _period(100, 250, 5), _OSCILLATOR, help="Rank of the close"),
        Indicator("fosc", "FOSC", "c", _period(5, 200, 3), _scaled, help="Forecast oscillator"),
        Indicator("qstick", "QSTICK", "oc", _period(10, 200), _scaled, help="Mean body of the bars"),
        Indicator("eri", "ERI", "hlc", _period(13, 200), _scaled, help="Bull power"),
        # trend
        Indicator("di", "PLUS_DI-MINUS_DI", "hlc", _period(14), _level(0, 50), help="Directional movement"),
        Indicator("dm", "PLUS_DM-MINUS_DM", "hl", _period(14), _scaled, help="Raw directional movement"),
        Indicator("aroonosc", "AROONOSC", "hl", _period(14, 250), _level(0, 100), help="Aroon oscillator"),
        Indicator("vortex", "VORTEX", "hlc", _period(14, 200), _difference, help="Vortex"),
        Indicator("slope", "LINEARREG_SLOPE", "c", _period(14, 250), _scaled, help="Slope of the regression"),
        # volume
        Indicator("mfi", "MFI", "hlcv", _period(14, 200), _OSCILLATOR, True, "Money flow"),
        Indicator("adosc", "ADOSC", "hlcv", {"fastperiod": (3, 2, 60), "slowperiod": (10, 5, 200)}, _scaled,
                  help="Accumulation oscillator"),
        Indicator("cmf", "CMF", "hlcv", _period(20, 250), _level(0, 0.5), help="Chaikin money flow"),
        Indicator("efi", "EFI", "cv", _period(13, 250), _scaled, help="Force"),
        Indicator("pvo", "PVO", "v", _FAST_SLOW, _scaled, help="Volume oscillator"),
        Indicator("obv", "OBV", "cv", {}, _flow, help="On-balance volume"),
        Indicator("ad", "AD", "hlcv", {}, _flow, help="Accumulation and distribution"),
        # unrest
        Indicator("atr", "ATR", "hlc", _period(14, 250), _calm, help="Average true range"),
        Indicator("natr", "NATR", "hlc", _period(14, 250), _calm, help="Average true range over the close"),
        Indicator("stddev", "STDDEV", "c", _period(20, 250), _calm, help="Deviation of the closes"),
        Indicator("avgdev", "AVGDEV", "c", _period(14, 250), _calm, help="Mean deviation of the closes"),
    )
}  # fmt: skip
"""Name -> indicator, as the parameters of a study name it: rsi_timeperiod, rsi_threshold, rsi_weight, rsi_sense."""

_COLUMNS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


def missing_inputs(indicator: Indicator, series: Series) -> list[str]:
    """Columns that the indicator needs and the series lacks."""
    return [_COLUMNS[letter] for letter in indicator.inputs if getattr(series, _COLUMNS[letter]) is None]


def score(indicator: Indicator, series: Series, parameters: Mapping[str, float]) -> np.ndarray:
    """Score of an indicator at every bar (n,), NaN where its past is too short; parameters as TA-Lib names them.

    Raises InvalidInput if TA-Lib isn't installed or the series lacks a column.
    """
    try:
        import talib
    except ImportError:
        raise InvalidInput("objective", "indicators need TA-Lib: install tunedesk[indicators].") from None
    missing = missing_inputs(indicator, series)
    if missing:
        raise InvalidInput(
            f"parameters.{indicator.name}",
            f"needs {' and '.join(missing)}, which {series.market.name} has not: choose another market or indicator.",
        )
    arrays = [getattr(series, _COLUMNS[letter]) for letter in indicator.inputs]
    outputs: list[np.ndarray] = []
    for name in indicator.function.split("-"):
        result = getattr(talib, name)(*arrays, **parameters)
        outputs += result if isinstance(result, (tuple, list)) else [result]
    if "-" in indicator.function:
        outputs = [outputs[0] - outputs[1]]
    return indicator.score(outputs, series.close)
