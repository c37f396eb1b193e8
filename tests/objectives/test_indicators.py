"""The indicator library against TA-Lib's own metadata, and what every score must keep: no future, no gaps, no level."""

import dataclasses
import sys

import numpy as np
import pytest
import talib.abstract

from engine.errors import InvalidInput
from engine.objectives.data import load_series
from engine.objectives.strategy.indicators import INDICATORS, WARM_UP, score

EACH = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=lambda i: i.name)


def corners(indicator):
    """Parameters at TA-Lib's default, all low, all high."""
    return [{name: bounds[k] for name, bounds in indicator.parameters.items()} for k in range(3)]


def cut_after(series, bar, rng):
    """The series with other prices and volumes after a bar."""

    def change(values):
        out = values.copy()
        out[bar + 1 :] *= factor
        return out

    factor = np.exp(rng.normal(0, 0.03, len(series) - bar - 1).cumsum())
    changed = {k: change(getattr(series, k)) for k in ("open", "high", "low", "close", "volume")}
    return dataclasses.replace(series, **changed)


def test_at_least_fifty_indicators_are_tunable():
    assert sum(bool(i.parameters) for i in INDICATORS.values()) >= 50


@EACH
def test_parameters_and_defaults_are_those_of_talib(indicator):
    for function in indicator.function.split("-"):
        known = talib.abstract.Function(function).info["parameters"]
        for name, (default, low, high) in indicator.parameters.items():
            assert low <= default <= high
            if (function, name) not in {("CCI", "timeperiod"), ("STDDEV", "timeperiod")}:  # 20 bars, as they are read
                assert known[name] == default
            assert type(default) is type(known[name])


@EACH
def test_scores_have_no_gap_after_the_warm_up_and_no_extreme_scale(indicator):
    for market in ("aapl", "sp500"):
        series = load_series(market)
        for parameters in corners(indicator):
            values = score(indicator, series, parameters)
            assert np.isfinite(values[WARM_UP:]).all(), parameters
        usual = np.abs(score(indicator, series, corners(indicator)[0])[WARM_UP:])
        assert 0.02 < np.median(usual) < 3


@EACH
def test_scores_know_no_future(indicator):
    series = load_series("aapl")
    rng = np.random.default_rng(0)
    for parameters in corners(indicator):
        before = score(indicator, series, parameters)
        for bar in (700, 2000):
            after = score(indicator, cut_after(series, bar, rng), parameters)
            np.testing.assert_array_equal(before[: bar + 1], after[: bar + 1])


@EACH
def test_scores_dont_depend_on_the_unit_of_the_price(indicator):
    series = load_series("sp500")
    scaled = {k: getattr(series, k) * 10 for k in ("open", "high", "low", "close")}
    before = score(indicator, series, corners(indicator)[0])[WARM_UP:]
    after = score(indicator, dataclasses.replace(series, **scaled), corners(indicator)[0])[WARM_UP:]
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-6)


def test_a_rising_market_is_a_positive_trend():
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.003 + 0.004 * rng.standard_normal(900)))
    spread = close * 0.004
    series = dataclasses.replace(
        load_series("aapl"), open=close - spread / 2, high=close + spread, low=close - spread, close=close,
        volume=np.full(900, 1e6), dates=np.arange(900),
    )  # fmt: skip
    for name in (
        "sma",
        "ema",
        "kama",
        "sar",
        "supertrend",
        "bbands",
        "mom",
        "macd_line",
        "tsi",
        "rsi",
        "di",
        "aroonosc",
    ):
        indicator = INDICATORS[name]
        assert score(indicator, series, corners(indicator)[0])[WARM_UP:].mean() > 0.1, name


def test_a_column_that_the_market_lacks_is_named():
    with pytest.raises(InvalidInput, match="needs high and low and volume, which wti has not"):
        score(INDICATORS["mfi"], load_series("wti"), {"timeperiod": 14})


def test_without_talib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "talib", None)
    with pytest.raises(InvalidInput, match=r"install tunedesk\[indicators\]"):
        score(INDICATORS["rsi"], load_series("wti"), {"timeperiod": 14})
