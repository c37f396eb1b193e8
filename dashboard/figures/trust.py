"""Leave-one-out: observed against predicted, and how honest the uncertainty is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.theme import SYMBOLS, escape, robust_range, style, theme, trial_hover
from engine.analysis import Trust

MAX_BARS = 200
"""Above it the error bars are left out: they would paint the panel full."""


def trust_figure(
    data: Trust,
    *,
    dark: bool = False,
    stacked: bool = False,
    numbers: Sequence[int] | None = None,
    params: Sequence[Mapping[str, Any]] | None = None,
    height: int = 340,
) -> go.Figure:
    """Left: each trial's value against its prediction without it, two deviations as bars, the diagonal is perfect.
    Right: share of trials inside central intervals against the share that should be."""
    t = theme(dark)
    shape = (2, 1) if stacked else (1, 2)
    figure = make_subplots(
        *shape, column_widths=None if stacked else [0.58, 0.42], horizontal_spacing=0.11, vertical_spacing=0.2
    )
    right = {"row": 2, "col": 1} if stacked else {"row": 1, "col": 2}
    left = {"row": 1, "col": 1}
    low, high = robust_range(np.concatenate([data.observed, data.mean]))
    figure.add_trace(_diagonal(low, high, t.muted, "Perfect"), **left)
    ids = np.arange(data.n) if numbers is None or len(numbers) != data.n else np.asarray(numbers)
    given = params if params is not None and len(params) == data.n else [{}] * data.n
    for inside, label, colour, symbol in (
        (True, "Inside two deviations", t.observed, "circle"),
        (False, "Outside", t.infeasible, SYMBOLS["candidate"]),
    ):
        rows = np.flatnonzero(data.inside == inside).tolist()
        if not len(rows):
            continue
        words = f"{escape(data.outcome)} %{{y:.4~g}}, predicted %{{x:.4~g}} ± %{{customdata[1]:.2~g}}"
        hover = trial_hover(ids[rows], [given[r] for r in rows], words, data.std[rows])
        figure.add_trace(
            go.Scatter(
                x=data.mean[rows], y=data.observed[rows], mode="markers", name=label, **hover,
                marker={"size": 6.5, "color": colour, "symbol": symbol, "opacity": 0.9},
                error_x={"array": 2 * data.std[rows], "thickness": 1, "width": 0, "color": colour + "40"}
                if data.n <= MAX_BARS else None,
            ), **left,
        )  # fmt: skip
    figure.add_trace(_diagonal(0.0, 1.0, t.muted, None), **right)
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([[0], data.nominal, [1]]), y=np.concatenate([[0], data.empirical, [1]]),
            mode="lines+markers", name="Model", showlegend=False, line={"width": 2.2, "color": t.mean},
            marker={"size": 6, "color": t.mean},
            hovertemplate="intervals of %{x:.0%} hold %{y:.0%} of the trials<extra></extra>",
        ), **right,
    )  # fmt: skip
    style(figure, dark, height=2 * height if stacked else height)
    name = escape(data.outcome)
    figure.update_xaxes(title_text=f"Predicted {name}, without the trial", range=[low, high], **left)
    figure.update_yaxes(title_text=f"Observed {name}", range=[low, high], **left)
    figure.update_xaxes(title_text="Should be inside the interval", range=[-0.02, 1.02], tickformat=".0%", **right)
    figure.update_yaxes(title_text="Is inside", range=[-0.02, 1.02], tickformat=".0%", **right)
    for text, x, y in (("overconfident", 0.97, 0.06), ("cautious", 0.03, 0.94)):
        figure.add_annotation(
            text=text, x=x, y=y, xanchor="right" if x > 0.5 else "left", showarrow=False,
            font={"size": 11, "color": t.muted}, **right,
        )  # fmt: skip
    return figure


def trust_text(data: Trust) -> str:
    """What the pictures show, in a sentence."""
    return f"Leave-one-out fit of {data.outcome} on {data.n} trials: {data.headline.lower()}. {data.text}"


def _diagonal(low: float, high: float, colour: str, name: str | None) -> go.Scatter:
    return go.Scatter(
        x=[low, high], y=[low, high], mode="lines", name=name, showlegend=name is not None, hoverinfo="skip",
        line={"width": 1.3, "dash": "dash", "color": colour},
    )  # fmt: skip
