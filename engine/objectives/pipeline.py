"""Data pipelines: how a price series is sampled, laid out and compressed, measured on real bars.

Sizes and errors are exact; times are CPU times of this process on this host, the least of several repeats.
"""

from __future__ import annotations

import bz2
import functools
import lzma
import struct
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context, Infeasible
from engine.objectives.data import load_series
from engine.space import Categorical, Int, Objective, SearchSpace

_HEADER = "<II5b"
"""Bars in the file, bars in a block, decimals of each column."""
_MOST_MERGED = 24
_ENOUGH_MS = 300.0
_COLUMNS = ("open", "high", "low", "close", "volume")
_MARKETS = ("btcusd", "eurusd", "aapl", "ibm", "msft", "sp500")

BAR_STORAGE = ObjectiveEntry(
    path="engine.objectives.pipeline:bar_storage",
    title="Storage of price bars",
    summary=(
        "Samples, lays out, filters and compresses a file of real bars, reads it back and compares: CPU time of the "
        "write against compression against the error of realised volatility. Measured on this host: run it with one "
        "worker. 5 to 500 ms."
    ),
    area="pipeline",
    space=SearchSpace(
        [
            Int("batch", 64, 20_000, log=True, help="Bars in a compressed block"),
            Categorical("codec", ("zlib", "bz2", "lzma"), help="Compression of a block"),
            Int("level", 1, 9, help="Its effort"),
            Categorical("layout", ("rows", "columns"), help="Whether a block holds bar after bar or column by column"),
            Categorical("transform", ("none", "shuffle", "delta", "delta_shuffle"),
                        help="Before compression: differences of neighbours, bytes grouped by significance"),
            Categorical("precision", ("float64", "float32", "int32"),
                        help="Type of a number; int32 counts the smallest decimal steps of each column"),
            Int("sampling", 1, _MOST_MERGED, log=True, help="Bars merged into one"),
        ]
    ),
    objectives=(
        Objective("write_ms", "minimize"),
        Objective("ratio", "maximize"),
        Objective("volatility_error", "minimize"),
    ),
    outcome_constraints=("volatility_error <= 0.1",),
    defaults={
        "batch": 1000,
        "codec": "zlib",
        "level": 6,
        "layout": "rows",
        "transform": "none",
        "precision": "float64",
        "sampling": 1,
    },
    settings=(
        Setting("market", "btcusd", "The bars that are stored.", choices=_MARKETS),
        Setting("repeats", 3, "Timed runs, fewer if they are slow; the least time counts.", low=1, high=100),
        Setting("window", 168, "Bars of a window of realised volatility.", low=24, high=2000),
    ),
    outcomes={
        "write_ms": "CPU time to sample and compress the file, in ms on this host",
        "read_ms": "CPU time to read all of it back, in ms on this host",
        "ratio": "Size of all bars as float64 over the size of the file",
        "megabytes": "Size of the file in MB",
        "volatility_error": "Mean relative error of realised volatility over the windows, against the full bars",
        "blocks": "Compressed blocks in the file",
    },
)  # fmt: skip


def _lzma_filters(size: int, level: int) -> list[dict[str, int]]:
    """The level's effort with a dictionary no larger than the block: clearing 64 MB a block would be all it times."""
    return [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": max(size, 4096)}]


_COMPRESS: dict[str, Callable[[bytes, int], bytes]] = {
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "lzma": lambda raw, level: lzma.compress(raw, filters=_lzma_filters(len(raw), level)),
}
_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.decompress,
    "bz2": bz2.decompress,
    "lzma": lzma.decompress,
}


@functools.cache
def _bars(market: str) -> np.ndarray:
    """(n, 5) float64: open, high, low, close, volume."""
    series = load_series(market)
    return np.column_stack([getattr(series, name) for name in _COLUMNS])


@functools.cache
def _decimals(market: str) -> tuple[int, ...]:
    """Of each column: the fewest decimals that hold every value, or the most that fit into 32 bits; may be negative."""
    out = []
    for column in _bars(market).T:
        largest = max(d for d in range(-9, 10) if column.max() * _MOST_MERGED * 10.0**d < 2**31)
        exact = (d for d in range(largest + 1) if np.abs(column * 10**d - np.rint(column * 10**d)).max() < 1e-4)
        out.append(next(exact, largest))
    return tuple(out)


def merge(bars: np.ndarray, k: int) -> np.ndarray:
    """k bars into one: first open, highest high, lowest low, last close, summed volume. The last may be of fewer."""
    starts = np.arange(0, len(bars), k)
    ends = np.minimum(starts + k, len(bars)) - 1
    return np.column_stack(
        [
            bars[starts, 0],
            np.maximum.reduceat(bars[:, 1], starts),
            np.minimum.reduceat(bars[:, 2], starts),
            bars[ends, 3],
            np.add.reduceat(bars[:, 4], starts),
        ]
    )


def _transform(block: np.ndarray, name: str) -> bytes:
    """A block (rows, columns) of floats, contiguous in the order to store, as bytes."""
    words = block.view(f"u{block.itemsize}")
    if name.startswith("delta"):
        # Differences of the bit patterns along the stored order, modulo 2^bits: exact, and small for close numbers.
        words = np.diff(words, axis=0, prepend=words.dtype.type(0))
    if name.endswith("shuffle"):
        return np.ascontiguousarray(words).view(np.uint8).reshape(-1, block.itemsize).T.tobytes()
    return words.tobytes()


def _inverse(raw: bytes, shape: tuple[int, int], dtype: np.dtype, name: str) -> np.ndarray:
    words_type = np.dtype(f"u{dtype.itemsize}")
    if name.endswith("shuffle"):
        raw = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    words = np.frombuffer(raw, words_type).reshape(shape)
    if name.startswith("delta"):
        words = np.cumsum(words, axis=0, dtype=words_type)
    return words.view(dtype)


def write(bars: np.ndarray, decimals: Sequence[int], params: Mapping[str, Any]) -> bytes:
    """The file: a header, then each block with its length before it. decimals: of each column, for int32."""
    merged = merge(bars, params["sampling"])
    if params["precision"] == "int32":
        merged = np.rint(merged * 10.0 ** np.array(decimals))
    merged = merged.astype(params["precision"])
    parts = [struct.pack(_HEADER, len(merged), params["batch"], *decimals)]
    for start in range(0, len(merged), params["batch"]):
        block = merged[start : start + params["batch"]]
        if params["layout"] == "columns":
            block = block.T.reshape(-1, 1)
        raw = _transform(np.ascontiguousarray(block), params["transform"])
        packed = _COMPRESS[params["codec"]](raw, params["level"])
        parts += [struct.pack("<I", len(packed)), packed]
    return b"".join(parts)


def read(file: bytes, params: Mapping[str, Any]) -> np.ndarray:
    """The bars (m, 5) in a file as float64."""
    n, batch, *decimals = struct.unpack_from(_HEADER, file)
    dtype, width = np.dtype(params["precision"]), len(_COLUMNS)
    position, out = struct.calcsize(_HEADER), []
    for start in range(0, n, batch):
        (length,) = struct.unpack_from("<I", file, position)
        raw = _DECOMPRESS[params["codec"]](file[position + 4 : position + 4 + length])
        position += 4 + length
        rows = min(batch, n - start)
        if params["layout"] == "columns":
            out.append(_inverse(raw, (rows * width, 1), dtype, params["transform"]).reshape(width, rows).T)
        else:
            out.append(_inverse(raw, (rows, width), dtype, params["transform"]))
    bars = np.concatenate(out).astype(np.float64)
    return bars / 10.0 ** np.array(decimals) if params["precision"] == "int32" else bars


def realised_volatility(close: np.ndarray, sampling: int, window: int, n_bars: int) -> np.ndarray:
    """Root of the summed squared log returns in each full window of ``window`` original bars."""
    end = np.minimum((np.arange(len(close)) + 1) * sampling, n_bars) - 1
    squares = np.diff(np.log(close)) ** 2
    sums = np.bincount(end[1:] // window, weights=squares, minlength=n_bars // window)
    return np.sqrt(sums[: n_bars // window])


def _least_ms(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Least CPU time of up to ``repeats`` runs, fewer where one alone takes long, and what the last returned."""
    times: list[float] = []
    result = None
    for _ in range(repeats):
        start = time.process_time_ns()
        result = run()
        times.append((time.process_time_ns() - start) / 1e6)
        if sum(times) > _ENOUGH_MS:
            break
    return min(times), result


def bar_storage(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Writes and reads the bars; see ``BAR_STORAGE`` for parameters and outcomes.

    Raises Infeasible if the merged bars are too long for a window of realised volatility.
    """
    values, settings = read_arguments(BAR_STORAGE, params, context)
    bars, decimals = _bars(settings["market"]), _decimals(settings["market"])
    if not 1 <= values["sampling"] <= _MOST_MERGED:
        raise InvalidInput("parameters.sampling", f"must lie between 1 and {_MOST_MERGED}, not {values['sampling']}.")
    if settings["window"] < 2 * values["sampling"]:
        raise Infeasible(f"Windows of {settings['window']} bars are too short for bars of {values['sampling']}.")
    write_ms, file = _least_ms(lambda: write(bars, decimals, values), settings["repeats"])
    read_ms, back = _least_ms(lambda: read(file, values), settings["repeats"])
    exact = realised_volatility(bars[:, 3], 1, settings["window"], len(bars))
    stored = realised_volatility(back[:, 3], values["sampling"], settings["window"], len(bars))
    return {
        "write_ms": write_ms,
        "read_ms": read_ms,
        "ratio": bars.nbytes / len(file),
        "megabytes": len(file) / 1e6,
        "volatility_error": float(np.mean(np.abs(stored / exact - 1))),
        "blocks": float(-(-len(back) // values["batch"])),
    }


ENTRIES = (BAR_STORAGE,)
