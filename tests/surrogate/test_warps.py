"""Output transforms: inverses, slopes, order, moments, extreme values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import yeojohnson

from engine.surrogate.warps import Output, YeoJohnson

KINDS = ["identity", "yeo-johnson", "log"]


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
def test_yeo_johnson_is_scipys_and_inverts(power: float) -> None:
    z = np.linspace(-3, 3, 41)
    warp = YeoJohnson(power)
    np.testing.assert_allclose(warp.forward(z), yeojohnson(z, power), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(warp.inverse(warp.forward(z)), z, atol=1e-9)
    slope = (warp.forward(z + 1e-6) - warp.forward(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(np.exp(warp.log_slope(z)), slope, rtol=1e-5)


def test_the_power_found_makes_a_lognormal_sample_symmetric() -> None:
    y = np.exp(np.random.default_rng(0).standard_normal(300))
    w = Output.of(y, "yeo-johnson").forward(y)
    assert abs(np.mean(w**3)) < 0.4 < 2.0 < np.mean(((y - y.mean()) / y.std()) ** 3)


@pytest.mark.parametrize("kind", KINDS)
@given(values=st.lists(st.floats(-1e300, 1e300, allow_subnormal=False), min_size=1, max_size=20))
def test_any_finite_values_stay_finite_and_in_order(kind: str, values: list[float]) -> None:
    y = np.sort(np.array(values))
    output = Output.of(y, kind)
    w = output.forward(y)
    assert np.isfinite(w).all()
    assert (np.diff(w) >= -1e-9).all()
    assert np.isfinite(output.inverse(w)).all()
    mean, std = output.natural(w, np.ones_like(w))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()


@pytest.mark.parametrize("kind", KINDS)
def test_natural_moments_are_those_of_samples(kind: str) -> None:
    y = np.exp(np.random.default_rng(0).standard_normal(50))
    output = Output.of(y, kind)
    draws = output.inverse(0.2 + 0.3 * np.random.default_rng(1).standard_normal(400_000))
    mean, std = output.natural(np.array([0.2]), np.array([0.3]))
    assert mean[0] == pytest.approx(draws.mean(), rel=2e-2)
    assert std[0] == pytest.approx(draws.std(), rel=3e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_transform_survives_the_way_through_a_dict(kind: str) -> None:
    y = np.exp(np.random.default_rng(0).standard_normal(50))
    output = Output.of(y, kind)
    assert (Output.from_dict(output.to_dict()).forward(y) == output.forward(y)).all()
