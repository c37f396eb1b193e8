"""Best so far over the trials of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.theme import SYMBOLS, escape, robust_range, scatter, style, theme, trial_hover
from engine.analysis import Progress
from engine.analysis.axes import format_value


def progress_figure(
    data: Progress,
    *,
    dark: bool = False,
    log: bool = False,
    baseline: float | None = None,
    params: Mapping[int, Mapping[str, Any]] | None = None,
    height: int = 380,
) -> go.Figure:
    """Observed values, the best so far as a step line, the baseline, and failures as ticks on the lower edge.

    log: logarithmic values; points that aren't positive are left out. params: trial number -> parameters for hovers.
    """
    t = theme(dark)
    figure = go.Figure()
    params = params or {}
    name = escape(data.objective.name)
    low, high = _range(data, baseline, log)
    draw = scatter(len(data.numbers))
    for status, label, marker in (
        ("feasible", "Trials", {"symbol": SYMBOLS["feasible"], "size": 6.5, "color": t.observed, "opacity": 0.8}),
        ("infeasible", "Breaks a constraint",
         {"symbol": SYMBOLS["infeasible"], "size": 6, "color": t.infeasible, "opacity": 0.85,
          "line": {"width": 1.4, "color": t.infeasible}}),
    ):  # fmt: skip
        rows = data.status == status
        if rows.any():
            numbers, values = data.numbers[rows], data.value[rows]
            figure.add_trace(
                draw(
                    x=numbers, y=values, mode="markers", name=label, marker=marker,
                    **_hover(name, numbers, params),
                )
            )  # fmt: skip
    if len(data.unmeasured):
        _add_unmeasured(figure, data, params, dark)
    if len(data.best_numbers):
        x = np.append(data.best_numbers, max(data.last_number, data.best_numbers[-1]))
        y = np.append(data.best_value, data.best_value[-1])
        figure.add_trace(
            go.Scatter(x=x, y=y, mode="lines", name="Best so far", line={"shape": "hv", "width": 2.5, "color": t.best},
                       hoverinfo="skip")
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=data.best_numbers, y=data.best_value, mode="markers", name="Improvement", showlegend=False,
                **_hover(name, data.best_numbers, params),
                marker={"size": 6, "color": t.best, "line": {"width": 1, "color": t.surface}},
            )
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=data.best_numbers[-1:], y=data.best_value[-1:], mode="markers", name="Best",
                **_hover(name, data.best_numbers[-1:], params),
                marker={"symbol": SYMBOLS["incumbent"], "size": 15, "color": t.incumbent,
                        "line": {"width": 1, "color": t.text}},
            )
        )  # fmt: skip
    if baseline is not None and np.isfinite(baseline) and not (log and baseline <= 0):
        figure.add_trace(
            go.Scatter(
                x=[0, max(data.last_number, 1)], y=[baseline, baseline], mode="lines",
                name=f"Defaults {format_value(baseline)}", hoverinfo="skip",
                line={"width": 1.5, "dash": "dash", "color": t.muted},
            )
        )  # fmt: skip
    style(figure, dark, height=height)
    direction = "lower" if data.objective.sign > 0 else "higher"
    figure.layout.yaxis.update(
        title_text=f"{name} ({direction} is better)", type="log" if log else "linear", range=[low, high]
    )
    span = max(data.last_number, 1)
    figure.layout.xaxis.update(
        title_text="Trial",
        range=[-0.02 * span - 0.5, 1.02 * span + 0.5],
        tickformat=",d",
        dtick=1 if span <= 10 else None,
    )
    return figure


def progress_text(data: Progress, baseline: float | None = None) -> str:
    """What the chart shows, in a sentence."""
    if not data.total:
        return f"Best {data.objective.name} so far: no trial has finished yet."
    if not len(data.best_numbers):
        return f"{data.objective.name} of {data.computed_on}: no feasible trial yet."
    change = "rose" if data.objective.sign < 0 else "fell"
    start = f"{change} from {format_value(data.best_value[0])} to" if len(data.best_value) > 1 else "is"
    best = f"{format_value(data.best_value[-1])} at trial {data.best_numbers[-1]}"
    text = f"Best {data.objective.name} so far {start} {best}"
    against = f", against {format_value(baseline)} with the defaults" if baseline is not None else ""
    return f"{text}{against}; {data.computed_on}."


def outside_view(data: Progress, baseline: float | None = None) -> int:
    """How many observed points lie beyond the first view because they would flatten the rest."""
    low, high = _range(data, baseline, False)
    return int(((data.value < low) | (data.value > high)).sum())


def _range(data: Progress, baseline: float | None, log: bool) -> tuple[float, float]:
    keep = [*data.best_value[-1:], *([] if baseline is None else [baseline])]
    values = data.value
    if log:
        values = np.log10(values[values > 0])
        keep = [float(np.log10(v)) for v in keep if v > 0]
    low, high = robust_range(values, better_low=data.objective.sign > 0, keep=keep)
    return low, high


def _add_unmeasured(figure: go.Figure, data: Progress, params: Mapping[int, Mapping[str, Any]], dark: bool) -> None:
    """Failures have no value: they stand on the lower edge, on a second axis that zooming leaves alone."""
    t = theme(dark)
    for failed, label, colour in ((True, "Failed", t.failed), (False, "Could not be evaluated", t.infeasible)):
        numbers = data.unmeasured[data.unmeasured_failed == failed]
        if not len(numbers):
            continue
        figure.add_trace(
            go.Scatter(
                x=numbers, y=np.full(len(numbers), 0.015), yaxis="y2", mode="markers", name=label,
                **trial_hover(numbers, [params.get(int(n), {}) for n in numbers], label.lower()),
                opacity=0.9 if len(numbers) < 300 else 0.25,
                marker={"symbol": SYMBOLS["failed"], "size": 9, "color": colour,
                        "line": {"width": 2, "color": colour}},
            )
        )  # fmt: skip
    figure.update_layout(
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True, "side": "right"}
    )


def _hover(name: str, numbers: np.ndarray, params: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    return trial_hover(numbers, [params.get(int(n), {}) for n in numbers], f"{name} %{{y:.4~g}}")
