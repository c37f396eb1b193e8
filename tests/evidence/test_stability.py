"""Plateaus, needles, and what a model expects when the parameters miss their values a little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.evidence import stability


def test_neighbours_move_one_parameter_by_each_size():
    around = stability.neighbours([0.5, 0.5])
    expected = {(0.45, 0.5), (0.55, 0.5), (0.4, 0.5), (0.6, 0.5), (0.5, 0.45), (0.5, 0.55), (0.5, 0.4), (0.5, 0.6)}
    assert {tuple(np.round(row, 9)) for row in around} == expected


def test_integers_move_by_whole_levels_and_categories_not_at_all():
    # Five levels 0, .25 … 1: 5 and 10 % are less than a level, so one level either way.
    around = stability.neighbours([0.25, 0.75], steps=[0.25, 0.0], frozen=[False, True])
    assert around.tolist() == [[0.0, 0.75], [0.5, 0.75]]
    # 101 levels: 5 and 10 of them.
    around = stability.neighbours([0.5], steps=[0.01])
    np.testing.assert_allclose(np.sort(around[:, 0]), [0.40, 0.45, 0.55, 0.60], atol=1e-12)
    # Near the end the last whole level is the furthest neighbour.
    around = stability.neighbours([0.9], steps=[0.3], sizes=[0.3])
    np.testing.assert_allclose(around[:, 0], [0.6], atol=1e-12)


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=5).filter(
        lambda x: not all(np.isnan(x))
    )
)
def test_neighbours_stay_in_the_cube_and_leave_inactive_parameters_alone(point):
    x = np.array(point)
    around = stability.neighbours(x)
    assert np.array_equal(np.isnan(around), np.tile(np.isnan(x), (len(around), 1)))
    active = around[:, ~np.isnan(x)]
    assert np.all((active >= 0) & (active <= 1))
    assert np.all(np.sum(active != x[~np.isnan(x)], axis=1) == 1)
    assert len(np.unique(active, axis=0)) == len(active)


def test_plateau_ratio_is_the_median_share_that_is_kept():
    result = stability.plateau(2.0, [1.8, 1.6, 2.2, 1.0])
    assert result.ratio == pytest.approx(0.85)
    assert result.worst_decile_drop == pytest.approx(1 - np.quantile([0.9, 0.8, 1.1, 0.5], 0.1))
    assert result.median == pytest.approx(1.7)


def test_plateau_of_a_loss_is_measured_from_the_baseline():
    result = stability.plateau(10.0, [12.0, 12.0, 14.0], baseline=20.0, maximize=False)
    assert result.ratio == pytest.approx(0.8)
    assert result.median == pytest.approx(12.0)
    shifted = stability.plateau(110.0, [112.0, 112.0, 114.0], baseline=120.0, maximize=False)
    assert shifted.ratio == pytest.approx(result.ratio), "a constant added to all outcomes changes nothing"


def test_failed_neighbours_keep_nothing():
    result = stability.plateau(1.0, [1.0, 1.0], failed=3)
    assert result.ratio == 0.0
    assert result.neighbours == 5
    assert stability.plateau(1.0, [], failed=2).worst_decile_drop == 1.0


def hill(width):
    def posterior(x):
        return np.exp(-0.5 * np.sum(((x - 0.5) / width) ** 2, axis=1)), np.full(len(x), 0.01)

    return posterior


def test_needle_and_plateau_of_a_model():
    plateau = stability.model_plateau(hill(0.5), [0.5, 0.5])
    needle = stability.model_plateau(hill(0.03), [0.5, 0.5])
    assert plateau.ratio > 0.95
    assert plateau.source == "model"
    assert needle.ratio < 0.3
    assert needle.worst_decile_drop > 0.9


def test_robustness_equals_the_integral():
    # E over N(0, s²) of exp(−δ²/2w²) is w / sqrt(w² + s²), for each of two parameters.
    result = stability.robustness(hill(0.1), [0.5, 0.5], size=0.05, draws=4096)
    assert result.mean == 1.0
    assert result.expected == pytest.approx(0.1**2 / (0.1**2 + 0.05**2), abs=0.005)
    assert result.kept == pytest.approx(result.expected)
    assert result.worst_decile < result.expected
    assert result == stability.robustness(hill(0.1), [0.5, 0.5], size=0.05, draws=4096)


def test_robustness_of_a_loss_takes_the_other_tail_and_the_models_doubt_counts():
    def loss(x):
        return 5.0 + np.sum((x - 0.5) ** 2, axis=1), np.full(len(x), 0.2)

    result = stability.robustness(loss, [0.5], baseline=6.0, maximize=False)
    assert result.worst_decile == pytest.approx(5.0 + 1.2816 * 0.2, abs=0.03)
    assert result.kept == pytest.approx(1.0 - 0.05**2, abs=1e-3)
    assert stability.robustness(loss, [0.5], baseline=4.0, maximize=False).kept is None


def test_most_robust_prefers_the_plateau_to_the_higher_needle():
    def posterior(x):
        needle = 1.2 * np.exp(-0.5 * ((x[:, 0] - 0.2) / 0.01) ** 2)
        plateau = np.exp(-0.5 * ((x[:, 0] - 0.7) / 0.2) ** 2)
        return needle + plateau, np.zeros(len(x))

    assert stability.most_robust(posterior, [[0.2], [0.7]]) == 1
    assert stability.most_robust(posterior, [[0.2], [0.7]], size=0.001) == 0


def test_extrapolation_is_measured_in_lengthscales():
    trials = [[0.1, 0.5], [0.9, 0.5], [0.5, np.nan]]
    near = stability.extrapolation([0.15, 0.5], trials, [0.1, 0.3])
    assert near.distance == pytest.approx(0.5)
    assert near.nearest == 0
    assert not near.extrapolates
    far = stability.extrapolation([0.75, 0.5], trials, [0.1, 0.3])
    assert far.distance == pytest.approx(1.5)
    assert far.extrapolates
    conditional = stability.extrapolation([0.52, np.nan], trials, [0.1, 0.3])
    assert conditional.distance == pytest.approx(0.2)
    assert conditional.nearest == 2
    unknown = stability.extrapolation([np.nan, 0.5], trials, [0.1, 0.3])
    assert unknown.distance is None
    assert unknown.extrapolates


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: stability.neighbours([1.5]), "point"),
        (lambda: stability.neighbours([np.nan]), "point"),
        (lambda: stability.neighbours([0.5], frozen=[True]), "point"),
        (lambda: stability.neighbours([0.5], steps=[0.1, 0.1]), "steps"),
        (lambda: stability.plateau(-1.0, [0.0]), "value"),
        (lambda: stability.plateau(np.nan, [0.0]), "value"),
        (lambda: stability.plateau(1.0, [np.nan]), "around"),
        (lambda: stability.plateau(1.0, []), "around"),
        (lambda: stability.robustness(lambda x: (np.full(len(x), np.nan), np.ones(len(x))), [0.5]), "posterior"),
        (lambda: stability.robustness(lambda x: (np.ones(len(x)), -np.ones(len(x))), [0.5]), "posterior"),
        (lambda: stability.robustness(lambda x: (np.ones(3), np.ones(3)), [0.5]), "posterior"),
        (lambda: stability.robustness(hill(0.1), [0.5], size=0.0), "size"),
        (lambda: stability.extrapolation([0.5], [[0.5]], [0.0]), "lengthscales"),
        (lambda: stability.extrapolation([0.5], [[0.5, 0.5]], [1.0]), "trials"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
