"""The mean over two parameters as a landscape, coloured by its uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.theme import escape, parameter_axis, style, theme, trial_hover
from engine.analysis import Observations, Surface


def surface3d_figure(
    data: Surface, observed: Observations, *, outcome: str, dark: bool = False, height: int = 560
) -> go.Figure:
    """Height: the mean of the outcome; colour: its standard deviation; points: feasible trials."""
    t = theme(dark)
    hidden = ~data.allowed
    figure = go.Figure(
        go.Surface(
            x=data.x, y=data.y, z=np.where(hidden, np.nan, data.mean), surfacecolor=np.where(hidden, np.nan, data.std),
            colorscale=t.std_scale, name="Mean", hovertemplate=(
                f"{escape(data.x_axis.name)} = %{{x:.4g}}<br>{escape(data.y_axis.name)} = %{{y:.4g}}<br>"
                f"{escape(outcome)} %{{z:.4g}} ± %{{surfacecolor:.2g}}<extra></extra>"
            ),
            contours={"z": {"show": True, "usecolormap": False, "color": t.muted, "width": 1}},
            colorbar={"title": {"text": f"Deviation of {escape(outcome)}", "side": "right"}, "thickness": 10,
                      "len": 0.7, "tickfont": {"size": 10, "color": t.muted}, "outlinewidth": 0},
            lighting={"ambient": 0.85, "diffuse": 0.4, "specular": 0.05},
        )
    )  # fmt: skip
    x, y = observed.at[data.x_axis.name], observed.at[data.y_axis.name]
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & np.isfinite(observed.value))[-500:].tolist()
    hover = trial_hover(observed.numbers[rows], [observed.params[r] for r in rows], f"{escape(outcome)} %{{z:.4~g}}")
    figure.add_trace(
        go.Scatter3d(
            x=x[rows], y=y[rows], z=observed.value[rows], mode="markers", name="Trials", **hover,
            marker={"size": 2.6, "color": t.incumbent, "line": {"width": 0}, "opacity": 0.85},
        )
    )  # fmt: skip
    style(figure, dark, height=height, legend=False)
    plane = {"backgroundcolor": "rgba(0,0,0,0)", "gridcolor": t.grid, "zerolinecolor": t.grid, "color": t.muted}
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        scene={
            "xaxis": plane | _scene_axis(parameter_axis(data.x_axis)),
            "yaxis": plane | _scene_axis(parameter_axis(data.y_axis)),
            "zaxis": plane | {"title": {"text": escape(outcome)}},
            "camera": {"eye": {"x": 0.95, "y": -1.15, "z": 0.62}, "center": {"x": 0, "y": 0, "z": -0.16}},
            "aspectratio": {"x": 1, "y": 1, "z": 0.65},
        },
    )
    return figure


def _scene_axis(settings: dict[str, Any]) -> dict[str, Any]:
    """A parameter's axis as a scene takes it."""
    out = {k: v for k, v in settings.items() if k != "title_text"}
    return out | {"title": {"text": settings["title_text"]}, "tickfont": {"size": 11}}
