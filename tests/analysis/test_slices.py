"""Slices and surfaces agree with the model they are taken from, and respect conditions and constraints."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis import anchor_row, closeness, closeness_to_plane, slices, surface
from engine.analysis.surface import grid_points
from engine.errors import InvalidInput
from engine.space import Categorical, Float, Int, SearchSpace
from tests.analysis import problems


@pytest.fixture(scope="module")
def finished():
    return problems.trials(36)


@pytest.fixture(scope="module")
def model(finished):
    return problems.model(finished)


ANCHOR = {"fast": 10, "slow": 100, "stop": 0.05, "side": "both", "leverage": 1.5}


def test_a_slice_is_the_models_posterior_at_its_points(model):
    space = problems.SPACE
    found = slices(model, space, anchor_row(space, ANCHOR))
    assert [s.axis.name for s in found] == list(space.names)
    for part in found[:3]:
        native = space[part.axis.name].native
        at = [ANCHOR | {part.axis.name: native(x)} for x in part.x]
        mean, std = model.posterior(space.encode(at))
        assert part.mean == pytest.approx(mean)
        assert part.std == pytest.approx(std)


def test_every_slice_passes_through_the_anchor(model):
    space = problems.SPACE
    for part in slices(model, space, anchor_row(space, ANCHOR)):
        nearest = np.argmin(np.abs(part.x - part.anchor_x))
        if part.axis.kind == "categorical":
            assert part.mean[nearest] == pytest.approx(part.anchor_mean)
        assert np.interp(part.anchor_x, part.x, part.mean) == pytest.approx(part.anchor_mean, abs=0.02)


def test_constraints_mark_what_they_exclude(model):
    fast = slices(model, problems.SPACE, anchor_row(problems.SPACE, ANCHOR | {"slow": 20}))[0]
    assert np.array_equal(fast.allowed, fast.x < 20)
    assert np.isnan(fast.acquisition[~fast.allowed]).all()
    assert np.isfinite(fast.acquisition[fast.allowed]).all()


def test_a_parameter_that_is_inactive_at_the_anchor_says_why_it_has_no_curve(model):
    anchor = {k: v for k, v in ANCHOR.items() if k != "leverage"} | {"side": "long"}
    leverage = slices(model, problems.SPACE, anchor_row(problems.SPACE, anchor))[4]
    assert len(leverage.x) == 0
    assert "side is both" in leverage.note


def test_a_parent_that_wakes_its_child_is_drawn_on_all_its_choices(model):
    anchor = {k: v for k, v in ANCHOR.items() if k != "leverage"} | {"side": "long"}
    side = slices(model, problems.SPACE, anchor_row(problems.SPACE, anchor))[3]
    assert np.isfinite(side.mean).all()
    assert len(side.mean) == 3


def test_the_centre_is_feasible():
    space = SearchSpace([Int("fast", 50, 100), Int("slow", 5, 60)], ["fast < slow"])
    assert space.feasible(anchor_row(space)[None, :])[0]


def test_the_slice_finds_the_optimum(model):
    fast = slices(model, problems.SPACE, anchor_row(problems.SPACE, ANCHOR))[0]
    best = fast.x[np.argmax(np.where(fast.allowed, fast.mean, -np.inf))]
    assert 5 <= best <= 20


def test_a_surface_is_the_models_posterior_at_its_cells(model):
    space = problems.SPACE
    s = surface(model, space, "fast", "slow", anchor_row(space, ANCHOR), points=9)
    at = [ANCHOR | {"fast": int(x), "slow": int(y)} for y in s.y for x in s.x]
    mean, std = model.posterior(space.encode(at))
    assert s.mean == pytest.approx(mean.reshape(len(s.y), len(s.x)))
    assert s.std == pytest.approx(std.reshape(s.mean.shape))
    assert np.array_equal(s.allowed, s.x[None, :] < s.y[:, None])
    assert np.array_equal(s.excluded, s.border_x[None, :] >= s.border_y[:, None])
    assert (s.anchor_x, s.anchor_y) == (10, 100)
    assert ((s.p_feasible >= 0) & (s.p_feasible <= 1)).all()


def test_a_surface_over_a_child_is_empty_where_its_parent_is_off(model):
    s = surface(model, problems.SPACE, "side", "leverage", anchor_row(problems.SPACE, ANCHOR), points=9)
    assert np.isfinite(s.mean[:, 1]).all()
    assert np.isnan(s.mean[:, [0, 2]]).all()
    assert not s.allowed[:, [0, 2]].any() or np.isnan(s.mean[:, [0, 2]]).all()


def test_one_parameter_on_both_axes_is_refused(model):
    with pytest.raises(InvalidInput, match="both axes"):
        surface(model, problems.SPACE, "fast", "fast", anchor_row(problems.SPACE, ANCHOR))


def test_many_observations_get_a_coarser_grid():
    assert grid_points(100) == 45
    assert 21 <= grid_points(2000) < 35


def test_closeness_is_one_on_the_slice_and_fades(finished):
    space = problems.SPACE
    row = anchor_row(space, ANCHOR)
    near = closeness(space, [ANCHOR, ANCHOR | {"fast": 90}], row)
    assert near[0] == pytest.approx(1)
    assert near[1, 0] == pytest.approx(1)  # on the slice of fast itself
    assert near[1, 1] < 0.8
    assert closeness_to_plane(space, [ANCHOR | {"fast": 90, "slow": 200}], row, ("fast", "slow"))[0] == pytest.approx(1)
    assert closeness(space, [], row).shape == (0, 5)


def test_one_parameter_and_no_category_between():
    space = SearchSpace([Categorical("kind", ["a", "b"]), Float("x", 0.0, 1.0)])
    model, _ = problems.simple(space, lambda p: p["x"] + (p["kind"] == "b"))
    kind, x = slices(model, space, anchor_row(space, {"kind": "a", "x": 0.5}))
    assert kind.mean[1] - kind.mean[0] == pytest.approx(1, abs=0.25)
    assert x.effect == pytest.approx(1, abs=0.25)
