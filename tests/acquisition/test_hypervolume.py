"""Fronts and the boxes above them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.acquisition.hypervolume import boxes, hypervolume, nondominated, reference_point

# Whole numbers give ties, duplicates and points on the reference, where sweeps go wrong.
values = st.integers(min_value=-3, max_value=6).map(float)
fronts = st.sampled_from([1, 2, 3]).flatmap(
    lambda m: st.integers(0, 14).flatmap(lambda n: arrays(float, (n, m), elements=values))
)


@settings(max_examples=100, deadline=None)
@given(fronts)
def test_boxes_and_dominated_volume_fill_the_region_below_the_reference(Y):
    reference, floor = np.full(Y.shape[1], 5.0), -4.0
    found = boxes(Y, reference)
    sides = found.upper - np.maximum(found.lower, floor)
    assert (found.upper > found.lower).all()
    inside = Y[(reference > Y).all(axis=1)]
    assert sides.prod(axis=1).sum() + hypervolume(inside, reference) == pytest.approx(9.0 ** Y.shape[1])


@settings(max_examples=60, deadline=None)
@given(fronts, st.integers(0, 2**32 - 1))
def test_boxes_are_disjoint_and_hold_just_what_is_open(Y, seed):
    reference = np.full(Y.shape[1], 5.0)
    found = boxes(Y, reference)
    points = np.random.default_rng(seed).uniform(-5, 6, size=(100, Y.shape[1]))
    holders = ((points[:, None] > found.lower) & (points[:, None] <= found.upper)).all(-1).sum(1)
    dominated = (Y[None] <= points[:, None]).all(-1).any(1)
    np.testing.assert_array_equal(holders, (points < reference).all(1) & ~dominated)


@settings(max_examples=60, deadline=None)
@given(fronts, st.integers(0, 2**32 - 1))
def test_improvement_is_the_hypervolume_that_a_point_adds(Y, seed):
    reference = np.full(Y.shape[1], 5.0)
    points = np.random.default_rng(seed).uniform(-4, 6, size=(5, Y.shape[1]))
    inside = Y[(reference > Y).all(axis=1)]
    before = hypervolume(inside, reference)
    # A point beyond the reference in one objective adds nothing, as does one moved onto it.
    added = [hypervolume(np.vstack([inside, np.minimum(p, reference)]), reference) - before for p in points]
    np.testing.assert_allclose(boxes(Y, reference).improvement(points), added, atol=1e-9)


def test_as_few_boxes_as_the_literature_promises():
    rng = np.random.default_rng(0)
    for m, most in ((2, 51), (3, 101)):
        Y = -np.abs(rng.normal(size=(50, m)))
        Y /= np.linalg.norm(Y, axis=1, keepdims=True)  # on a sphere: all non-dominated
        assert nondominated(Y).all()
        assert len(boxes(Y, np.ones(m))) <= most


def test_of_equal_rows_one_is_kept():
    Y = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])
    np.testing.assert_array_equal(nondominated(Y), [True, False, True, False])
    assert nondominated(np.empty((0, 2))).shape == (0,)
    assert hypervolume(np.empty((0, 2)), np.ones(2)) == 0.0


def test_reference_point_is_between_the_nadir_and_the_worst():
    Y = np.array([[0.0, 10.0], [2.0, 0.0], [5.0, 20.0]])
    np.testing.assert_allclose(reference_point(Y), [2.0 + 1.5 + 0.5, 10.0 + 5.0 + 2.0])
    np.testing.assert_allclose(reference_point(np.array([[3.0, 1.0]])), [3.1, 1.1])


def test_more_than_three_objectives_are_refused():
    with pytest.raises(ValueError, match="up to 3 objectives, not 4"):
        boxes(np.zeros((2, 4)), np.ones(4))
