"""The sample data as the objectives read them."""

import hashlib

import numpy as np
import pytest

from engine.errors import InvalidInput, NotFound
from engine.objectives import data


@pytest.fixture
def _fresh():
    """Caches that know nothing of the real folder, before and after."""
    for cached in (data.load_series, data.load_panel, data.sha256):
        cached.cache_clear()
    yield
    for cached in (data.load_series, data.load_panel, data.sha256):
        cached.cache_clear()


ROWS = {
    "wti": 8321,
    "aapl": 3270,
    "ibm": 3270,
    "msft": 3270,
    "goog": 2148,
    "sp500": 5031,
    "btcusd": 20111,
    "eurusd": 6225,
}


@pytest.mark.parametrize("name", data.MARKETS)
def test_series_are_complete_and_in_order(name):
    series = data.load_series(name)
    assert len(series) == len(series.dates) == ROWS[name]
    assert (np.diff(series.dates).astype(int) > 0).all()
    assert (series.close > 0).all()
    assert np.isfinite(series.close).all()
    if series.high is not None:
        low, high = series.low * (1 - 1e-9), series.high * (1 + 1e-9)
        for price in (series.open, series.close):
            assert ((low <= price) & (price <= high)).all()


def test_stocks_are_adjusted_and_splits_leave_no_jump():
    aapl = data.load_series("aapl")
    assert aapl.close[0] == pytest.approx(4.18666)  # adj_close of 2000-03-01; the raw close was 130.31
    split = np.flatnonzero(aapl.dates == np.datetime64("2000-06-21"))[0]
    assert abs(aapl.close[split] / aapl.close[split - 1] - 1) < 0.15  # two for one


def test_hourly_dates_keep_their_hour():
    assert data.load_series("btcusd").dates[0] == np.datetime64("2017-07-01T11:00:00")


def test_panel_has_twenty_stocks_from_2000_on():
    panel = data.load_panel()
    assert panel.closes.shape == (5785, 20)
    assert panel.tickers[0] == "AAPL"
    assert panel.dates[0] >= np.datetime64("2000-01-01")


def test_arrays_are_shared_and_read_only():
    assert data.load_series("wti") is data.load_series("wti")
    with pytest.raises(ValueError, match="read-only"):
        data.load_series("wti").close[0] = 1


def test_checksum_is_that_of_the_file():
    path = data.sample_data_folder() / "wti_daily_1986_2019.csv.gz"
    assert data.load_series("wti").sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    recorded = (data.sample_data_folder() / "SHA256SUMS").read_text()
    assert all(f"{data.sha256(market.file)}  {market.file}" in recorded for market in data.MARKETS.values())


def test_defaults_are_the_public_domain_series():
    assert data.MARKETS[data.LONG_DAILY[0]].free


def test_an_unknown_market_is_named():
    with pytest.raises(InvalidInput, match="'tsla' is not one of wti, aapl"):
        data.load_series("tsla")


@pytest.mark.usefixtures("_fresh")
def test_another_folder_by_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(data.DATA_VARIABLE, str(tmp_path))
    with pytest.raises(NotFound, match="TUNEDESK_DATA names"):
        data.load_series("wti")
    (tmp_path / "SHA256SUMS").write_text("")
    with pytest.raises(NotFound, match=r"wti_daily_1986_2019.csv.gz can't be read"):
        data.load_series("wti")
    (tmp_path / "wti_daily_1986_2019.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(NotFound, match="is damaged"):
        data.load_series("wti")


def test_pandas_is_not_needed(python):
    """Workers import the catalogue and the data: pandas would cost each of them 60 MB."""
    python(
        "import sys; from engine.objectives import catalogue, resolve; from engine.objectives.data import load_series;"
        "catalogue(); load_series('wti'); resolve('engine.objectives.strategy:moving_average_cross')({});"
        "heavy = {'pandas', 'sklearn', 'scipy', 'talib', 'streamlit'} & set(sys.modules); assert not heavy, heavy"
    )


def test_sample_studies_begin_with_the_strategies():
    names = [path.stem for path in data.sample_studies()]
    assert names[0] == "sma-cross-wti"
    assert len(names) == len(set(names)) >= 9
