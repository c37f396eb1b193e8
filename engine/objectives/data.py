"""The sample series: real prices as numpy arrays, with their dates, origin and checksum.

A file is read once a process. Nothing here imports pandas: worker processes stay small.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InvalidInput, NotFound

DATA_VARIABLE = "TUNEDESK_DATA"
"""Environment variable: a folder with the sample files, used instead of the packaged one."""


@dataclass(frozen=True)
class Market:
    """One series of the sample data. bars_per_year annualises; free is true where the data are in the public domain."""

    name: str
    title: str
    file: str
    bars_per_year: float
    free: bool
    note: str
    column: str = "close"
    ticker: str = ""


_WIKI = "wiki_us5_daily_ohlcv.csv.gz"
_WIKI_NOTE = "Quandl WIKI prices (public domain), adjusted for splits and dividends with adj_close / close."
_EXAMPLE = "Example data, not for commercial use. "

MARKETS: dict[str, Market] = {
    m.name: m
    for m in (
        Market("wti", "WTI crude oil, daily", "wti_daily_1986_2019.csv.gz", 252, True,
               "Spot price, FRED DCOILWTICO (public domain): nobody can hold it without storage or roll costs.", "wti"),
        Market("aapl", "Apple, daily", _WIKI, 252, True, _WIKI_NOTE, ticker="AAPL"),
        Market("ibm", "IBM, daily", _WIKI, 252, True, _WIKI_NOTE, ticker="IBM"),
        Market("msft", "Microsoft, daily", _WIKI, 252, True, _WIKI_NOTE, ticker="MSFT"),
        Market("goog", "Alphabet, daily", _WIKI, 252, True, _WIKI_NOTE, ticker="GOOG"),
        Market("sp500", "S&P 500 index, daily", "sp500_daily_ohlcv_1999_2018.csv.gz", 252, False,
               _EXAMPLE + "An index without dividends, not tradable itself."),
        Market("btcusd", "Bitcoin in US dollars, hourly", "btcusd_1h_coinbase_2017_2019.csv.gz", 365 * 24, False,
               _EXAMPLE + "Coinbase, by CryptoDataDownload.com."),
        Market("eurusd", "Euro in US dollars, hourly", "eurusd_1h_ask_2017.csv.gz", 6_240, False,
               _EXAMPLE + "Ask prices of one year; weekends are absent."),
    )
}  # fmt: skip
"""Name -> market. The public-domain series come first and are the defaults."""

LONG_DAILY = ("wti", "aapl", "ibm", "msft", "sp500")
"""Daily series long enough to hold out a part and still have several years to tune on."""

_FIRST_STUDIES = ("sma-cross-wti", "sma-cross-aapl", "branin", "indicator-vote-aapl", "portfolio-limits")
PANEL_FILE = "sp500_20stocks_daily_close_1990_2022.csv.gz"


@dataclass(frozen=True)
class Series:
    """Prices of one market, oldest first, read-only arrays of shape (n,); open … volume are None where unknown.

    dates: datetime64[s]. sha256: of the file that they were read from.
    """

    market: Market
    dates: np.ndarray
    close: np.ndarray
    open: np.ndarray | None
    high: np.ndarray | None
    low: np.ndarray | None
    volume: np.ndarray | None
    sha256: str

    def __len__(self) -> int:
        return len(self.close)


@dataclass(frozen=True)
class Panel:
    """Adjusted closes of several stocks on the same days: closes (n, k), oldest first, read-only."""

    dates: np.ndarray
    tickers: tuple[str, ...]
    closes: np.ndarray
    sha256: str


def sample_data_folder() -> Path:
    """Where the sample files are: $TUNEDESK_DATA, a checkout's sample_data, or the copy inside the package.

    Raises NotFound if there is none.
    """
    named = os.environ.get(DATA_VARIABLE, "").strip()
    package = Path(__file__).resolve().parents[1]
    candidates = [Path(named)] if named else [package.parent / "sample_data", package / "_sample_data"]
    for folder in candidates:
        if (folder / "SHA256SUMS").is_file():
            return folder
    where = f"{DATA_VARIABLE} names {named}, which holds no" if named else "this installation lacks the"
    raise NotFound(f"The sample data can't be found: {where} sample files (SHA256SUMS marks their folder).")


def sample_studies() -> list[Path]:
    """The study files that come with the sample data: the strategies first, the others by name."""
    paths = (sample_data_folder() / "studies").glob("*.yaml")
    return sorted(paths, key=lambda p: (_FIRST_STUDIES.index(p.stem) if p.stem in _FIRST_STUDIES else 99, p.stem))


def market(name: str) -> Market:
    """Raises InvalidInput if there is no such market."""
    if name not in MARKETS:
        raise InvalidInput("settings.market", f"{name!r} is not one of {', '.join(MARKETS)}.")
    return MARKETS[name]


@functools.cache
def load_series(name: str) -> Series:
    """The series of a market. Raises InvalidInput for an unknown one, NotFound if its file is missing or damaged."""
    entry = market(name)
    columns, digest = _read(entry.file)
    rows = slice(None)
    if entry.ticker:
        found = np.flatnonzero(columns["ticker"] == entry.ticker)
        rows = slice(int(found[0]), int(found[-1]) + 1)
    values = {k: v[rows].astype(float) for k, v in columns.items() if k not in ("date", "time", "ticker")}
    if "adj_close" in values:
        factor = values["adj_close"] / values["close"]
        for key in ("open", "high", "low", "close"):
            values[key] = values[key] * factor
        values["volume"] = values["volume"] / factor  # price times volume stays the traded value
    dates = columns["time" if "time" in columns else "date"][rows].astype("datetime64[s]")
    close = values.get(entry.column)
    assert close is not None
    optional = {key: values.get(key) for key in ("open", "high", "low", "volume")}
    for array in (dates, close, *optional.values()):
        if array is not None:
            array.flags.writeable = False
    return Series(entry, dates, close, **optional, sha256=digest)


@functools.cache
def load_panel(since: str = "2000-01-01") -> Panel:
    """The 20-stock panel from a date on. Chosen in hindsight: results on it are survivorship-biased."""
    columns, digest = _read(PANEL_FILE)
    dates = columns.pop("date").astype("datetime64[s]")
    keep = dates >= np.datetime64(since)
    closes = np.ascontiguousarray(np.column_stack([v.astype(float)[keep] for v in columns.values()]))
    dates = dates[keep]
    dates.flags.writeable = closes.flags.writeable = False
    return Panel(dates, tuple(columns), closes, digest)


@functools.cache
def sha256(file: str) -> str:
    """Checksum of a sample file as it is on disk: what a result was computed on."""
    return hashlib.sha256(_bytes(file)).hexdigest()


def _bytes(file: str) -> bytes:
    path = sample_data_folder() / file
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"The sample file {path} can't be read: {error.strerror}.") from None


def _read(file: str) -> tuple[dict[str, np.ndarray], str]:
    """Columns of a gzipped CSV as arrays of text, and its checksum."""
    try:
        text = gzip.decompress(_bytes(file)).decode("ascii")
        header, *lines = text.split()  # a line has a blank only between a date and its hour
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, ValueError):
        raise NotFound(f"The sample file {sample_data_folder() / file} is damaged: fetch it again.") from None
    names = header.split(",")
    if lines and "," not in lines[0]:
        lines = [f"{day}T{rest}" for day, rest in zip(lines[::2], lines[1::2])]
    table = np.array([line.split(",") for line in lines])
    return {name: table[:, i] for i, name in enumerate(names)}, sha256(file)
