"""Storage of bars: what is read back is what was written, and the measured figures mean what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.objectives import Context, Infeasible, find, pipeline
from engine.objectives.pipeline import bar_storage

ENTRY = find("engine.objectives.pipeline:bar_storage")
ONCE = Context(settings={"repeats": 1})
choice = {p.name: st.sampled_from(p.choices) for p in ENTRY.space if hasattr(p, "choices")}


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(choice | {"level": st.integers(1, 9), "sampling": st.integers(1, 24)}),
    st.sampled_from([1, 2, 7, 64, 1000, 20_000]),
    st.integers(1, 130),
    st.sampled_from(["btcusd", "eurusd", "sp500"]),
)
def test_what_is_read_is_what_was_written(params, batch, n, market):
    bars, decimals = pipeline._bars(market)[:n], pipeline._decimals(market)
    params = params | {"batch": batch}
    back = pipeline.read(pipeline.write(bars, decimals, params), params)
    expected = pipeline.merge(bars, params["sampling"])
    if params["precision"] == "float64":
        np.testing.assert_array_equal(back, expected)
    else:
        tolerance = {"rtol": 1e-7} if params["precision"] == "float32" else {"rtol": 1e-6, "atol": 1e-3}
        np.testing.assert_allclose(back, expected, **tolerance)


@pytest.mark.parametrize("market", pipeline._MARKETS)
def test_thirty_two_bits_hold_every_market(market):
    params = {**ENTRY.defaults, "precision": "int32", "sampling": 24}
    bars = pipeline._bars(market)
    back = pipeline.read(pipeline.write(bars, pipeline._decimals(market), params), params)
    np.testing.assert_allclose(back[:, :4], pipeline.merge(bars, 24)[:, :4], rtol=1e-4)
    np.testing.assert_allclose(back[:, 4], pipeline.merge(bars, 24)[:, 4], rtol=1e-6, atol=1)


def test_bars_of_bitcoin_are_exact_in_whole_steps():
    bars, decimals = pipeline._bars("btcusd"), pipeline._decimals("btcusd")
    assert decimals == (2, 2, 2, 2, 3)
    params = ENTRY.defaults | {"precision": "int32"}
    back = pipeline.read(pipeline.write(bars, decimals, params), params)
    np.testing.assert_allclose(back[:, :4], bars[:, :4], rtol=1e-14)
    np.testing.assert_allclose(back[:, 4], bars[:, 4], rtol=0, atol=5e-4)


def test_merged_bars_by_hand():
    bars = np.array([[1.0, 5, 1, 2, 10], [2, 3, 0.5, 3, 20], [3, 9, 3, 8, 5]])
    assert pipeline.merge(bars, 2).tolist() == [[1, 5, 0.5, 3, 30], [3, 9, 3, 8, 5]]


def test_realised_volatility_by_hand():
    close = np.exp(np.array([0.0, 0.1, 0.3, 0.3, 0.6, 0.5]))
    out = pipeline.realised_volatility(close, 1, 3, 6)
    np.testing.assert_allclose(out, [np.sqrt(0.01 + 0.04), np.sqrt(0.09 + 0.01)])


def test_all_bars_have_no_error_and_sampling_has():
    full = bar_storage(ENTRY.defaults, ONCE)
    assert full["volatility_error"] == 0
    sampled = [bar_storage(ENTRY.defaults | {"sampling": k}, ONCE) for k in (2, 4, 12)]
    errors = [out["volatility_error"] for out in sampled]
    assert errors == sorted(errors)
    assert errors[0] == pytest.approx(0.056, abs=2e-3)
    assert sampled[1]["ratio"] > 3 * full["ratio"]


def test_sizes_are_known():
    assert bar_storage(ENTRY.defaults, ONCE)["ratio"] == pytest.approx(2.80, abs=0.05)
    better = {"precision": "int32", "layout": "columns", "transform": "shuffle"}
    out = bar_storage(ENTRY.defaults | better, ONCE)
    assert out["ratio"] > 4.2
    assert out["volatility_error"] < 1e-9
    assert out["ratio"] * out["megabytes"] == pytest.approx(20_111 * 5 * 8 / 1e6)


def test_random_points_give_finite_documented_outcomes():
    for params in ENTRY.space.decode(ENTRY.space.sample(15, np.random.default_rng(0))):
        out = bar_storage(params, ONCE)
        assert set(out) == set(ENTRY.outcomes)
        assert all(type(v) is float and np.isfinite(v) for v in out.values())


def test_windows_shorter_than_the_bars_are_infeasible():
    with pytest.raises(Infeasible, match="too short for bars of 24"):
        bar_storage(ENTRY.defaults | {"sampling": 24}, Context(settings={"window": 24}))


def test_sampling_beyond_what_fits_is_refused():
    with pytest.raises(InvalidInput, match="between 1 and 24"):
        bar_storage(ENTRY.defaults | {"sampling": 48})
