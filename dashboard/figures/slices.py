"""One-dimensional slices as small multiples with one common value axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.theme import (
    SYMBOLS,
    Theme,
    escape,
    parameter_axis,
    robust_range,
    style,
    theme,
    trial_hover,
)
from engine.analysis import Observations, Slice
from engine.analysis.axes import format_value

ROW_HEIGHT = 230
MAX_POINTS = 300
"""Observed points a panel: above it the nearest to the slice are shown, the others would only be a haze."""


def slices_figure(
    slices: Sequence[Slice],
    observed: Observations,
    closeness: np.ndarray,
    *,
    outcome: str,
    dark: bool = False,
    columns: int = 3,
    incumbent: Mapping[str, Any] | None = None,
    incumbent_value: float | None = None,
    candidate: Mapping[str, Any] | None = None,
) -> go.Figure:
    """A panel for every slice: mean with one and two standard deviations, the trials, the anchor, the next candidate.

    closeness (n, len(slices)): how near each observation lies to each slice; far ones fade.
    """
    t = theme(dark)
    columns = max(1, min(columns, len(slices)))
    rows = math.ceil(len(slices) / columns)
    height = ROW_HEIGHT * rows + 70
    figure = make_subplots(
        rows, columns, shared_yaxes=True, horizontal_spacing=0.025 if columns > 1 else 0,
        vertical_spacing=min(0.9 / rows, 70 / height) if rows > 1 else 0,
    )  # fmt: skip
    low, high = _value_range(slices, observed)
    for i, part in enumerate(slices):
        at = {"row": i // columns + 1, "col": i % columns + 1}
        _excluded(figure, part, t, at)
        _points(figure, part, observed, closeness[:, i], outcome, t, at, first=i == 0)
        _curve(figure, part, outcome, t, at, first=i == 0)
        _marks(figure, part, incumbent, incumbent_value, candidate, t, at, first=i == 0, low=low, high=high)
    style(figure, dark, height=height)
    for i, part in enumerate(slices):
        at = {"row": i // columns + 1, "col": i % columns + 1}
        figure.update_xaxes(**parameter_axis(part.axis), title_standoff=5, **at)
        figure.update_yaxes(range=[low, high], title_text=escape(outcome) if i % columns == 0 else None, **at)
        if part.note:
            figure.add_annotation(
                text=escape(part.note), x=0.5, y=0.5, xref="x domain", yref="y domain", showarrow=False,
                font={"size": 12, "color": t.muted}, **at,
            )  # fmt: skip
    figure.update_layout(legend={"y": 1 + 12 / height}, margin={"t": 48})
    return figure


def slices_text(slices: Sequence[Slice], outcome: str) -> str:
    """What the slices show, in a sentence."""
    drawn = [s for s in slices if len(s.x)]
    if not drawn:
        return f"Slices of {outcome}: no parameter is active at this anchor."
    strongest = max(drawn, key=lambda s: s.effect)
    return (
        f"Model of {outcome} along each of {len(drawn)} parameters with its uncertainty; {strongest.axis.name} moves "
        f"it most, by {format_value(strongest.effect)} over its range."
    )


def _value_range(slices: Sequence[Slice], observed: Observations) -> list[float]:
    """The bands and the bulk of the trials; a band that shoots far beyond every trial is cut."""
    bands = [v[s.allowed] for s in slices if s.allowed.any() for v in (s.mean - 2 * s.std, s.mean + 2 * s.std)]
    edges = np.concatenate(bands) if bands else np.empty(0)
    finite = observed.value[np.isfinite(observed.value)]
    if len(finite):
        span = np.ptp(finite)
        edges = np.clip(edges, finite.min() - span, finite.max() + span)
    inner = np.percentile(finite, [2, 98]) if len(finite) else []
    best = [finite.min(), finite.max()] if 0 < len(finite) < 50 else []
    ends = [edges.min(), edges.max()] if len(edges) else []
    return robust_range(np.array([*ends, *inner]), keep=[*ends, *inner, *best])


def _curve(figure: go.Figure, part: Slice, outcome: str, t: Theme, at: Mapping[str, int], *, first: bool) -> None:
    if not len(part.x):
        return
    discrete = part.axis.kind == "categorical"
    if discrete:  # between categories there is nothing: bars of uncertainty, no line
        figure.add_trace(
            go.Scatter(
                x=part.x, y=part.mean, mode="markers", showlegend=False, **_curve_hover(part, outcome),
                marker={"symbol": "line-ew", "size": 26, "line": {"width": 2.5, "color": t.mean}},
                error_y={"type": "data", "array": 2 * part.std, "thickness": 12, "width": 0, "color": t.band[1]},
            ), **at,
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=part.x, y=part.mean, mode="markers", showlegend=False, hoverinfo="skip", marker={"size": 0.1},
                error_y={"type": "data", "array": part.std, "thickness": 12, "width": 0, "color": t.band[0]},
            ), **at,
        )  # fmt: skip
        return
    for k, label, colour in ((2, "± 2 sd", t.band[1]), (1, "± 1 sd", t.band[0])):
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([part.x, part.x[::-1]]),
                y=np.concatenate([part.mean + k * part.std, (part.mean - k * part.std)[::-1]]),
                fill="toself", fillcolor=colour, line={"width": 0}, mode="lines", hoverinfo="skip", name=label,
                legendgroup=label, showlegend=first,
            ), **at,
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=part.x, y=part.mean, mode="lines", name="Model mean", legendgroup="mean", showlegend=first,
            line={"width": 2.5, "color": t.mean}, **_curve_hover(part, outcome),
        ), **at,
    )  # fmt: skip


def _curve_hover(part: Slice, outcome: str) -> dict[str, Any]:
    categorical = part.axis.kind == "categorical"
    where = "%{text}" if categorical else "%{x:.4~g}"
    words = f"{escape(part.axis.name)} = {where}<br>{escape(outcome)} %{{y:.4~g}} ± %{{customdata:.2~g}}<extra></extra>"
    texts = {"text": [escape(part.axis.labels[int(x)]) for x in part.x]} if categorical else {}
    return {"customdata": part.std, "hovertemplate": words, **texts}


def _points(
    figure: go.Figure,
    part: Slice,
    observed: Observations,
    weight: np.ndarray,
    outcome: str,
    t: Theme,
    at: Mapping[str, int],
    *,
    first: bool,
) -> None:
    x = observed.at[part.axis.name]
    usable = np.isfinite(x) & np.isfinite(observed.value)
    if usable.sum() > MAX_POINTS:
        usable &= weight >= np.sort(weight[usable])[-MAX_POINTS]
    if part.axis.kind == "categorical":  # spread points of one category a little, the same way every time
        x = x + 0.18 * np.sin(7.0 * observed.numbers)
    for status, label in (("feasible", "Trials"), ("infeasible", "Breaks a constraint")):
        rows = np.flatnonzero(usable & (observed.status == status)).tolist()
        if not len(rows):
            continue
        colour = t.observed if status == "feasible" else t.infeasible
        width = 1.4 if status == "infeasible" else 0
        near = weight[rows].astype(np.float32)
        if first:  # the legend shows the mark at full strength, not that of the first trial
            full = {"symbol": SYMBOLS[status], "size": 7, "color": colour, "line": {"width": width, "color": colour}}
            figure.add_trace(
                go.Scatter(x=[None], y=[None], mode="markers", name=label, legendgroup=status, marker=full), **at
            )
        figure.add_trace(
            go.Scatter(
                x=x[rows], y=observed.value[rows], mode="markers", name=label, legendgroup=status, showlegend=False,
                **trial_hover(
                    observed.numbers[rows], [observed.params[r] for r in rows], f"{escape(outcome)} %{{y:.4~g}}"
                ),
                marker={"symbol": SYMBOLS[status], "size": 4 + 3.5 * near, "color": colour,
                        "opacity": 0.25 + 0.75 * near, "line": {"width": width, "color": colour}},
            ), **at,
        )  # fmt: skip


def _marks(
    figure: go.Figure,
    part: Slice,
    incumbent: Mapping[str, Any] | None,
    value: float | None,
    candidate: Mapping[str, Any] | None,
    t: Theme,
    at: Mapping[str, int],
    *,
    first: bool,
    low: float,
    high: float,
) -> None:
    name = part.axis.name
    if np.isfinite(part.anchor_x):
        figure.add_trace(
            go.Scatter(
                x=[part.anchor_x] * 2, y=[low, high], mode="lines", name="Anchor", legendgroup="anchor",
                showlegend=first, hoverinfo="skip", line={"width": 1.2, "dash": "dot", "color": t.muted},
            ), **at,
        )  # fmt: skip
    if candidate is not None and name in candidate:
        figure.add_trace(
            go.Scatter(
                x=[part.axis.position(candidate[name])], y=[low + 0.045 * (high - low)], mode="markers",
                name="Next candidate", legendgroup="candidate", showlegend=first, hoverinfo="text",
                hovertext=[f"Next candidate<br>{escape(name)} = {escape(format_value(candidate[name]))}"],
                marker={"symbol": SYMBOLS["candidate"], "size": 10, "color": t.candidate,
                        "line": {"width": 1, "color": t.surface}},
            ), **at,
        )  # fmt: skip
    if incumbent is not None and value is not None and name in incumbent:
        figure.add_trace(
            go.Scatter(
                x=[part.axis.position(incumbent[name])], y=[value], mode="markers", name="Best trial",
                legendgroup="incumbent", showlegend=first, hoverinfo="text",
                hovertext=[f"Best trial<br>{escape(name)} = {escape(format_value(incumbent[name]))}"],
                marker={"symbol": SYMBOLS["incumbent"], "size": 13, "color": t.incumbent,
                        "line": {"width": 1, "color": t.text}},
            ), **at,
        )  # fmt: skip


def _excluded(figure: go.Figure, part: Slice, t: Theme, at: Mapping[str, int]) -> None:
    """Shades the stretches that the known constraints exclude."""
    if not len(part.x) or part.allowed.all():
        return
    x = part.axis.low if part.axis.kind == "categorical" else None
    scale = np.log(part.x) if part.axis.log else part.x
    middle = (scale[1:] + scale[:-1]) / 2
    edges = np.concatenate([[scale[0]], middle, [scale[-1]]])
    edges = np.exp(edges) if part.axis.log else edges
    if x is not None:
        edges[0], edges[-1] = part.axis.low, part.axis.high
    out = ~part.allowed
    starts = np.flatnonzero(out & ~np.concatenate([[False], out[:-1]])).tolist()
    ends = np.flatnonzero(out & ~np.concatenate([out[1:], [False]])) + 1
    for a, b in zip(starts, ends):
        figure.add_vrect(
            x0=edges[a], x1=edges[b], fillcolor=t.excluded, opacity=0.75, layer="below", line_width=0,
            **at,
        )  # fmt: skip
        if (b - a) / len(part.x) < 0.2:
            continue
        figure.add_annotation(
            text="excluded", x=_middle(edges[a], edges[b], part.axis.log), y=0.98, yref="y domain", yanchor="top",
            showarrow=False, font={"size": 10, "color": t.muted}, **at,
        )  # fmt: skip


def _middle(a: float, b: float, log: bool) -> float:
    """In the units that Plotly wants of an annotation: the logarithm on a log axis."""
    return float((np.log10(a) + np.log10(b)) / 2) if log else float((a + b) / 2)
