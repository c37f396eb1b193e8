"""Figures say what the analysis says: axes from the space, trials by number, words escaped, both appearances."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard.figures.progress import outside_view, progress_figure, progress_text
from dashboard.figures.slices import slices_figure, slices_text
from dashboard.figures.surface import surface_figure, surface_text
from dashboard.figures.surface3d import surface3d_figure
from dashboard.figures.theme import hover_number, parameter_axis, robust_range, theme
from dashboard.figures.trust import trust_figure, trust_text
from engine.analysis import anchor_row, axes, axis, closeness, observations, progress, slices, surface, trust
from engine.space import Categorical, Float, Int, Objective, SearchSpace
from tests.analysis import problems
from tests.analysis.problems import OBJECTIVE, SPACE, Trial

ANCHOR = {"fast": 10, "slow": 100, "stop": 0.05, "side": "both", "leverage": 1.5}


@pytest.fixture(scope="module")
def finished():
    return problems.trials(36)


@pytest.fixture(scope="module")
def model(finished):
    return problems.model(finished)


@pytest.fixture(scope="module")
def seen(finished):
    return observations(finished, SPACE, "sharpe")


def named(figure: go.Figure, name: str) -> list[go.Scatter]:
    return [t for t in figure.data if t.name == name]


def numbers(trace: go.Scatter) -> list[int]:
    return [hover_number(row) for row in trace.customdata]


def check_plotly(figure: go.Figure) -> None:
    """Plotly's own check of every property, and JSON without NaN or infinity outside arrays."""
    copy = json.loads(figure.to_json())
    go.Figure(copy)
    assert "NaN" not in json.dumps(copy)


# --- axes ---------------------------------------------------------------------------------------------


def test_axis_types_ranges_and_labels_come_from_the_space():
    fast, _, _, side, leverage = (parameter_axis(a) for a in axes(SPACE))
    assert fast["type"] == "log"
    assert fast["range"][0] == pytest.approx(np.log10(2), abs=0.05)
    assert set(fast["tickvals"]) <= set(range(2, 101))
    assert side["ticktext"] == ["long", "both", "none"]
    assert leverage["type"] == "linear"


def test_a_few_integers_get_a_tick_each_and_many_decades_one_each():
    assert parameter_axis(axis(Int("depth", 1, 8)))["dtick"] == 1
    wide = parameter_axis(axis(Float("lr", 1e-9, 1.0, log=True)))
    assert len(wide["tickvals"]) <= 7
    assert "10<sup>-9</sup>" in wide["ticktext"]


def test_choices_are_escaped_and_shortened():
    shown = parameter_axis(axis(Categorical("c", ["<b>x</b>", "y" * 60])))["ticktext"]
    assert shown[0] == "&lt;b&gt;x&lt;/b&gt;"
    assert len(shown[1]) == 18


@pytest.mark.parametrize(
    ("values", "better_low", "outlier_shown"),
    [([*range(20), 1e6], True, False), ([*range(20), 1e6], False, True), ([*range(20), -1e6], False, False)],
)
def test_a_range_leaves_out_what_is_far_on_the_worse_side_only(values, better_low, outlier_shown):
    low, high = robust_range(np.array(values, dtype=float), better_low=better_low)
    outlier = values[-1]
    assert (low <= outlier <= high) == outlier_shown


@pytest.mark.parametrize("values", [[], [np.nan], [2.0], [3.0] * 20, [0.0]])
def test_a_range_of_nearly_nothing_has_a_width(values):
    low, high = robust_range(np.array(values, dtype=float))
    assert low < high


# --- progress ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_progress_shows_every_kind_of_trial(finished, dark):
    data = progress(finished, OBJECTIVE, len(finished))
    figure = progress_figure(data, dark=dark, baseline=0.2, params={t.number: t.params for t in finished})
    check_plotly(figure)
    assert numbers(named(figure, "Trials")[0]) == [t.number for t in finished if t.feasible]
    assert numbers(named(figure, "Breaks a constraint")[0]) == [t.number for t in finished if t.feasible is False]
    assert numbers(named(figure, "Failed")[0]) == [t.number for t in finished if t.state == "failed"]
    assert numbers(named(figure, "Could not be evaluated")[0]) == [
        t.number for t in finished if t.state == "infeasible"
    ]
    line = named(figure, "Best so far")[0]
    assert line.line.shape == "hv"
    assert list(line.y) == [*data.best_value, data.best_value[-1]]
    assert line.line.color == theme(dark).best
    assert "Defaults 0.2" in [t.name for t in figure.data]
    assert "higher is better" in figure.layout.yaxis.title.text


def test_progress_hovers_name_the_parameters(finished):
    data = progress(finished, OBJECTIVE, len(finished))
    template = named(progress_figure(data, params={t.number: t.params for t in finished}), "Trials")[0].hovertemplate
    assert all(name in template for name in ("sharpe", "fast", "slow", "stop"))
    assert template.startswith("<b>#%{customdata[0]")


def test_progress_on_a_log_axis_and_with_thousands_of_points():
    points = [Trial(i, "complete", {}, {"v": 10.0 ** (3 - i / 1000)}, True) for i in range(3000)]
    figure = progress_figure(progress(points, Objective("v"), 3000), log=True)
    check_plotly(figure)
    assert figure.layout.yaxis.type == "log"
    assert isinstance(named(figure, "Trials")[0], go.Scattergl)
    assert len(figure.to_json()) < 200_000


@pytest.mark.parametrize(
    "points",
    [[], [Trial(0, "failed", {})], [Trial(0, "complete", {}, {"v": 1.0}, True)],
     [Trial(i, "complete", {}, {"v": 0.0}, False) for i in range(3)],
     [Trial(0, "complete", {}, {"v": float("nan")}, True)]],
)  # fmt: skip
def test_progress_of_next_to_nothing_is_drawn_and_said(points):
    data = progress(points, Objective("v"), len(points))
    check_plotly(progress_figure(data))
    assert progress_text(data)


def test_points_far_outside_are_counted():
    points = [Trial(i, "complete", {}, {"v": 1.0 + i / 100}, True) for i in range(30)]
    points.append(Trial(30, "complete", {}, {"v": 1e9}, True))
    assert outside_view(progress(points, Objective("v"), 31)) == 1


# --- slices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 3])
def test_slices_share_the_value_axis_and_mark_anchor_best_and_candidate(model, seen, columns):
    row = anchor_row(SPACE, ANCHOR)
    parts = slices(model, SPACE, row)
    figure = slices_figure(
        parts, seen, closeness(SPACE, seen.params, row), outcome="sharpe", columns=columns, incumbent=ANCHOR,
        incumbent_value=1.0, candidate={"fast": 5, "slow": 50, "stop": 0.1, "side": "long"},
    )  # fmt: skip
    check_plotly(figure)
    ranges = {tuple(figure.layout[f"yaxis{i or ''}"].range) for i in ("", 2, 3, 4, 5)}
    assert len(ranges) == 1
    assert figure.layout.xaxis.title.text == "fast"
    assert figure.layout.xaxis4.ticktext == ("long", "both", "none")
    assert len(named(figure, "Best trial")) == 5
    assert len(named(figure, "Next candidate")) == 4  # the candidate has no leverage
    assert len(named(figure, "Model mean")) == 4
    legend = [t.name for t in figure.data if t.showlegend is not False]
    assert len(legend) == len(set(legend))
    assert slices_text(parts, "sharpe").startswith("Model of sharpe along each of 5 parameters")


def test_a_slice_without_a_curve_explains_itself(model, seen):
    anchor = {k: v for k, v in ANCHOR.items() if k != "leverage"} | {"side": "long"}
    row = anchor_row(SPACE, anchor)
    figure = slices_figure(slices(model, SPACE, row), seen, closeness(SPACE, seen.params, row), outcome="sharpe")
    assert any("Not active at this anchor" in (a.text or "") for a in figure.layout.annotations)


def test_words_of_users_are_escaped():
    space = SearchSpace([Categorical("c", ["<img src=x>", "b"]), Float("x", 0.0, 1.0)])
    model, told = problems.simple(space, lambda p: p["x"])
    seen = observations(told, space, "sharpe")
    row = anchor_row(space)
    parts = slices(model, space, row)
    text = slices_figure(parts, seen, closeness(space, seen.params, row), outcome="sharpe").to_json()
    text += surface_figure(surface(model, space, "c", "x", row), seen, objective=OBJECTIVE).to_json()
    assert "<img" not in text.replace("\\u003c", "<")


# --- surfaces ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_maps_share_their_axes_and_cover_what_is_excluded(model, seen, dark, stacked):
    data = surface(model, SPACE, "fast", "slow", anchor_row(SPACE, ANCHOR), points=15)
    figure = surface_figure(
        data, seen, objective=OBJECTIVE, dark=dark, stacked=stacked, incumbent=ANCHOR,
        candidates=[{"fast": 5, "slow": 50}, {"fast": 6, "slow": 60}], pending=[{"fast": 7, "slow": 70}],
    )  # fmt: skip
    check_plotly(figure)
    maps = [t for t in figure.data if isinstance(t, go.Contour) and t.showscale is not False]
    assert [t.name.split()[0] for t in maps] == ["Mean", "Standard", "Acquisition,"]
    assert figure.layout.xaxis2.matches == figure.layout.xaxis3.matches == "x"
    assert figure.layout.yaxis2.matches == "y"
    assert len(named(figure, "Excluded")) == 3
    assert maps[2].zmax == 0.0
    assert np.nanmax(np.asarray(maps[2].z)[data.allowed]) == 0.0
    assert {"Trials", "Infeasible", "Failed", "Best trial", "Next candidates", "Running"} <= {
        t.name for t in figure.data
    }
    assert numbers(named(figure, "Trials")[0])
    assert surface_text(data, OBJECTIVE).startswith("Model of sharpe over fast and slow")


def test_a_category_on_a_map_gives_cells_instead_of_contours(model, seen):
    data = surface(model, SPACE, "side", "leverage", anchor_row(SPACE, ANCHOR), points=9)
    figure = surface_figure(data, seen, objective=OBJECTIVE)
    check_plotly(figure)
    assert not any(isinstance(t, go.Contour) for t in figure.data)
    assert figure.layout.xaxis.ticktext == ("long", "both", "none")


def test_better_is_always_the_bright_end(model, seen):
    data = surface(model, SPACE, "fast", "slow", anchor_row(SPACE, ANCHOR), points=9)
    for direction, reversed_ in (("maximize", False), ("minimize", True)):
        figure = surface_figure(data, seen, objective=Objective("sharpe", direction))
        assert bool(figure.data[0].reversescale) is reversed_


def test_a_constant_model_is_drawn(seen):
    space = SearchSpace([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)])
    model, told = problems.simple(space, lambda p: 1.0)
    data = surface(model, space, "x", "y", anchor_row(space), points=9)
    check_plotly(surface_figure(data, observations(told, space, "sharpe"), objective=OBJECTIVE))
    check_plotly(surface3d_figure(data, observations(told, space, "sharpe"), outcome="sharpe"))


def test_the_landscape_is_coloured_by_its_deviation(model, seen):
    data = surface(model, SPACE, "fast", "slow", anchor_row(SPACE, ANCHOR), points=9)
    figure = surface3d_figure(data, seen, outcome="sharpe", dark=True)
    check_plotly(figure)
    colour = np.asarray(figure.data[0].surfacecolor)
    assert colour[data.allowed] == pytest.approx(data.std[data.allowed])
    assert figure.layout.scene.xaxis.type == "log"


# --- trust ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stacked", [False, True])
def test_trust_shows_the_diagonal_and_the_calibration(model, stacked):
    data = trust("sharpe", model.loo("sharpe"))
    figure = trust_figure(data, stacked=stacked, numbers=list(range(100, 100 + data.n)))
    check_plotly(figure)
    shown = [n for t in figure.data if t.name in ("Inside two deviations", "Outside") for n in numbers(t)]
    assert sorted(shown) == list(range(100, 100 + data.n))
    assert trust_text(data).startswith("Leave-one-out fit of sharpe")


def test_trust_of_nothing_is_drawn():
    check_plotly(trust_figure(trust("v", {"observed": [], "mean": [], "std": []})))
