"""Maps over two parameters: mean, deviation and acquisition side by side on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.theme import (
    SYMBOLS,
    Theme,
    compact,
    escape,
    param_lines,
    parameter_axis,
    style,
    theme,
    trial_hover,
)
from engine.analysis import Observations, Surface
from engine.analysis.axes import Axis, format_value
from engine.space import Objective

PANEL_HEIGHT = 330
DECADES = 3.0
"""The acquisition map shows this many powers of ten below its maximum; the rest is as good as nothing."""
MAX_POINTS = 500
INK = "#1e2a35"
"""Outline of marks on a map, in both appearances: maps have their own background."""


def surface_figure(
    data: Surface,
    observed: Observations,
    near: np.ndarray | None = None,
    *,
    objective: Objective,
    dark: bool = False,
    stacked: bool = False,
    incumbent: Mapping[str, Any] | None = None,
    candidates: Sequence[Mapping[str, Any]] = (),
    pending: Sequence[Mapping[str, Any]] = (),
    acquisition: bool = True,
) -> go.Figure:
    """Panels with linked zoom, each with its scale above it. stacked: one below the other, for narrow screens.

    near (n,): how near each observation lies to the map in its other parameters, 0 to 1; far ones fade. objective:
    the outcome shown, with the direction that is better. candidates: the engine's next ones, the best first. Clicking
    a point gives its trial number as customdata.
    """
    t = theme(dark)
    panels = ["mean", "std"] + (["acquisition"] if acquisition and np.isfinite(data.acquisition).any() else [])
    n = len(panels)
    strength = np.ones(len(observed)) if near is None else 0.3 + 0.7 * near
    rows, columns = (n, 1) if stacked else (1, n)
    gap = 0.03 if not stacked else 0.36 / n
    figure = make_subplots(rows, columns, horizontal_spacing=gap, vertical_spacing=gap)
    height = (PANEL_HEIGHT + 90) * n if stacked else PANEL_HEIGHT + 110
    for i, panel in enumerate(panels):
        at = {"row": i + 1 if stacked else 1, "col": 1 if stacked else i + 1}
        domain = _domain(figure, at)
        _map(figure, data, panel, objective, t, at, domain, height)
        _excluded(figure, data, t, at)
        _feasibility(figure, data, t, at, first=i == 0)
        _points(figure, data, observed, strength, objective.name, t, at, first=i == 0)
        _special(figure, data, incumbent, candidates, pending, t, at, first=i == 0)
    style(figure, dark, height=height)
    figure.update_layout(
        margin={"t": 66, "b": 44, "l": 8, "r": 14},
        legend={"y": -46 / (height - 110) if not stacked else -0.05, "yanchor": "top", "x": 0},
    )
    for i in range(n):
        at = {"row": i + 1 if stacked else 1, "col": 1 if stacked else i + 1}
        figure.update_xaxes(
            **parameter_axis(data.x_axis) | {"showgrid": False, "matches": None if i == 0 else "x"}, **at
        )
        side = parameter_axis(data.y_axis, title=stacked or i == 0)
        linked = {"showgrid": False, "showticklabels": stacked or i == 0, "matches": None if i == 0 else "y"}
        figure.update_yaxes(**side | linked, **at)
    return figure


def surface_text(data: Surface, objective: Objective) -> str:
    """What the maps show, in a sentence."""
    inside = np.where(data.allowed, objective.sign * data.mean, np.inf)
    if not np.isfinite(inside).any():
        return f"Model of {objective.name} over {data.x_axis.name} and {data.y_axis.name}: not active at this anchor."
    i, j = np.unravel_index(np.nanargmin(inside), inside.shape)
    return (
        f"Model of {objective.name} over {data.x_axis.name} and {data.y_axis.name}: best mean "
        f"{format_value(float(data.mean[i, j]))} at {data.x_axis.name} {_shown(data.x_axis, data.x[j])} and "
        f"{data.y_axis.name} {_shown(data.y_axis, data.y[i])}, beside its standard deviation and the acquisition."
    )


def _shown(axis: Any, x: float) -> str:
    if axis.kind == "categorical":
        return axis.labels[int(x)]
    return format_value(round(x) if axis.kind == "integer" else float(x))


def _domain(figure: go.Figure, at: Mapping[str, int]) -> tuple[list[float], list[float]]:
    plot = figure.get_subplot(**at)
    return list(plot.xaxis.domain), list(plot.yaxis.domain)


def _map(
    figure: go.Figure,
    data: Surface,
    panel: str,
    objective: Objective,
    t: Theme,
    at: Mapping[str, int],
    domain: tuple[list[float], list[float]],
    height: int,
) -> None:
    z, title, scale, reverse, low, high, ticks = _panel(data, panel, objective, t)
    x_domain, y_domain = domain
    plot_height = height - 110
    bar = {
        "orientation": "h", "thickness": 9, "len": x_domain[1] - x_domain[0], "lenmode": "fraction",
        "x": (x_domain[0] + x_domain[1]) / 2, "xanchor": "center", "xpad": 0,
        "y": y_domain[1] + 2 / plot_height, "yanchor": "bottom", "ypad": 0,
        "title": {"text": title, "side": "top", "font": {"size": 13, "color": t.text}},
        "tickfont": {"size": 10, "color": t.muted}, "ticks": "", "outlinewidth": 0, "nticks": 5, **ticks,
    }  # fmt: skip
    common = {
        "x": data.x, "y": data.y, "z": z, "colorscale": scale, "reversescale": reverse, "zmin": low, "zmax": high,
        "colorbar": bar, "name": title, **_hover(data, panel, objective),
    }  # fmt: skip
    if _numeric(data):
        step = _nice_step(high - low, 9 if panel != "acquisition" else 6)
        figure.add_trace(
            go.Contour(
                **common,
                contours={"coloring": "heatmap", "start": np.ceil(low / step) * step, "end": high, "size": step,
                          "showlabels": panel != "acquisition", "labelfont": {"size": 10, "color": _on(panel, t)}},
                line={"width": 0.7, "color": _on(panel, t), "smoothing": 1.0},
            ), **at,
        )  # fmt: skip
    else:
        figure.add_trace(go.Heatmap(**common, xgap=_gap(data.x_axis), ygap=_gap(data.y_axis)), **at)


def _numeric(data: Surface) -> bool:
    """Whether contours make sense: both axes are numbers with enough steps."""
    return "categorical" not in (data.x_axis.kind, data.y_axis.kind) and min(len(data.x), len(data.y)) >= 4


def _gap(axis: Axis) -> int:
    return 2 if axis.kind == "categorical" else 0


def _on(panel: str, t: Theme) -> str:
    """Colour of contour lines and labels that reads on the panel's scale."""
    if panel == "mean":
        return "rgba(255,255,255,0.75)"
    return "rgba(255,255,255,0.55)" if t.dark else "rgba(31,39,51,0.45)"


def _panel(data: Surface, panel: str, objective: Objective, t: Theme) -> tuple:
    inside = data.allowed & np.isfinite(data.mean)
    name = escape(objective.name)
    if panel == "mean":
        low, high = _span(data.mean[inside], better_low=objective.sign > 0)
        word = "lower" if objective.sign > 0 else "higher"
        title = f"Mean of {name} ({word} is better)"
        return data.mean, title, t.mean_scale, objective.sign > 0, low, high, _bar_ticks(low, high)
    if panel == "std":
        low, high = _span(data.std[inside], better_low=True)
        return data.std, f"Standard deviation of {name}", t.std_scale, False, low, high, _bar_ticks(low, high)
    top = np.nanmax(np.where(data.allowed, data.acquisition, np.nan))
    z = np.clip((data.acquisition - top) / np.log(10), -DECADES, 0.0)
    ticks = {"tickvals": [-3, -2, -1, 0], "ticktext": ["≤ 1/1000", "1/100", "1/10", "highest"]}
    return z, "Acquisition, against its highest", t.acquisition_scale, False, -DECADES, 0.0, ticks


def _bar_ticks(low: float, high: float) -> dict[str, Any]:
    step = _nice_step(high - low, 5)
    return {"tickvals": np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step}


def _span(values: np.ndarray, *, better_low: bool) -> tuple[float, float]:
    """The scale's ends. A few cells far on the worse side share the last colour, lest the others look all the same."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(np.min(values)), float(np.max(values))
    if high - low <= 1e-12 * max(abs(high), 1e-300):
        pad = 0.01 * abs(high) or 0.01
        return low - pad, high + pad
    q1, q3 = np.percentile(values, [25, 75])
    if q3 > q1:
        fence = 4 * (q3 - q1)
        low, high = (low, min(high, float(q3 + fence))) if better_low else (max(low, float(q1 - fence)), high)
    return low, high


def _nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that gives at most ``most`` steps."""
    raw = span / most
    power = 10.0 ** np.floor(np.log10(raw))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999))


def _hover(data: Surface, panel: str, objective: Objective) -> dict[str, Any]:
    """Hover of a map's cells. Numbers travel as arrays, not as text: a map has thousands of cells."""
    x = "%{x:.4g}" if data.x_axis.kind != "categorical" else "%{text}"
    p = np.where(np.isfinite(data.p_feasible), data.p_feasible, 1.0)
    extra = compact(np.stack([data.mean, data.std, p], axis=-1))
    lines = [f"{escape(data.x_axis.name)} = {x}", f"{escape(data.y_axis.name)} = %{{y:.4g}}"]
    lines.append(f"{escape(objective.name)} %{{customdata[0]:.4g}} ± %{{customdata[1]:.2g}}")
    if p.min() < 0.995:
        lines.append("feasible with %{customdata[2]:.0%}")
    return {"customdata": extra, "hovertemplate": "<br>".join(lines) + "<extra></extra>"}


def _excluded(figure: go.Figure, data: Surface, t: Theme, at: Mapping[str, int]) -> None:
    """Covers what the known constraints exclude. The cover is of the map's own kind: Plotly draws by kind."""
    if not data.excluded.any():
        return
    common = {"x": data.border_x, "y": data.border_y, "z": data.excluded.astype(np.uint8), "hoverinfo": "skip",
              "showscale": False, "name": "Excluded", "showlegend": False}  # fmt: skip
    if _numeric(data):
        cover = {"type": "constraint", "operation": "<", "value": 0.5}  # Plotly fills what breaks it
        line = {"width": 1, "color": t.line, "smoothing": 0}
        figure.add_trace(go.Contour(**common, contours=cover, fillcolor=t.excluded, line=line), **at)
    else:
        figure.add_trace(go.Heatmap(**common, colorscale=[[0, "rgba(0,0,0,0)"], [1, t.excluded]], zmin=0, zmax=1), **at)


def _feasibility(figure: go.Figure, data: Surface, t: Theme, at: Mapping[str, int], *, first: bool) -> None:
    """The line where the outcome constraints hold with probability one half."""
    p = np.where(np.isfinite(data.p_feasible), data.p_feasible, 1.0)
    if not p.min() < 0.5 < p.max() or "categorical" in (data.x_axis.kind, data.y_axis.kind):
        return
    colour = t.infeasible
    figure.add_trace(
        go.Contour(
            x=data.x, y=data.y, z=p, showscale=False, hoverinfo="skip", name="Half a chance to be feasible",
            showlegend=first, legendgroup="p",
            contours={"coloring": "none", "type": "constraint", "operation": "=", "value": 0.5},
            line={"width": 2, "dash": "dash", "color": colour},
        ), **at,
    )  # fmt: skip


def _points(
    figure: go.Figure,
    data: Surface,
    observed: Observations,
    strength: np.ndarray,
    outcome: str,
    t: Theme,
    at: Mapping[str, int],
    *,
    first: bool,
) -> None:
    x, y = observed.at[data.x_axis.name], observed.at[data.y_axis.name]
    usable = np.isfinite(x) & np.isfinite(y)
    if usable.sum() > MAX_POINTS:  # the latest: they are where the engine looks now
        usable &= observed.numbers >= np.sort(observed.numbers[usable])[-MAX_POINTS]
    jitter = [0.16 * np.sin(k * observed.numbers) for k in (7.0, 11.0)]
    x = x + jitter[0] if data.x_axis.kind == "categorical" else x
    y = y + jitter[1] if data.y_axis.kind == "categorical" else y
    for status, label in (("feasible", "Trials"), ("infeasible", "Infeasible"), ("failed", "Failed")):
        found = np.flatnonzero(usable & (observed.status == status))
        rows = found[np.argsort(-strength[found], kind="stable")].tolist()  # the legend takes the first mark's strength
        if not len(rows):
            continue
        marker = {"symbol": SYMBOLS["feasible"], "size": 5.5, "color": "#ffffff",
                  "line": {"width": 1.1, "color": INK}}  # fmt: skip
        if status != "feasible":
            symbol = "x" if status == "infeasible" else "cross"
            colour = t.infeasible if status == "infeasible" else t.failed
            marker |= {"symbol": symbol, "size": 7, "color": colour, "line": {"width": 1, "color": "#ffffff"}}
        marker["opacity"] = strength[rows]
        words = (
            f"{escape(outcome)} %{{customdata[1]:.4~g}}" if np.isfinite(observed.value[rows]).all() else label.lower()
        )
        hover = trial_hover(observed.numbers[rows], [observed.params[r] for r in rows], words, observed.value[rows])
        figure.add_trace(
            go.Scatter(
                x=x[rows], y=y[rows], mode="markers", name=label, legendgroup=status, showlegend=first,
                marker=marker, **hover,
            ), **at,
        )  # fmt: skip


def _special(
    figure: go.Figure,
    data: Surface,
    incumbent: Mapping[str, Any] | None,
    candidates: Sequence[Mapping[str, Any]],
    pending: Sequence[Mapping[str, Any]],
    t: Theme,
    at: Mapping[str, int],
    *,
    first: bool,
) -> None:
    def add(items: Sequence[Mapping[str, Any]], label: str, marker: dict[str, Any], texts: Sequence[str] = ()) -> None:
        inside = [
            (p, s) for p, s in zip(items, texts or [""] * len(items)) if {data.x_axis.name, data.y_axis.name} <= set(p)
        ]
        if not inside:
            return
        figure.add_trace(
            go.Scatter(
                x=[data.x_axis.position(p[data.x_axis.name]) for p, _ in inside],
                y=[data.y_axis.position(p[data.y_axis.name]) for p, _ in inside],
                mode="markers+text" if texts else "markers", text=[s for _, s in inside] if texts else None,
                textfont={"size": 9, "color": "#ffffff" if not t.dark else "#12161d"}, textposition="middle center",
                name=label, legendgroup=label, showlegend=first, hoverinfo="text",
                hovertext=[
                    "<br>".join([f"<b>{label}</b>", *param_lines(p)]) for p, _ in inside
                ],
                marker=marker,
            ), **at,
        )  # fmt: skip

    add(pending, "Running", {"symbol": SYMBOLS["pending"], "size": 9, "color": t.pending, "line": {"width": 2}})
    if incumbent is not None:
        star = {"symbol": SYMBOLS["incumbent"], "size": 17, "color": t.incumbent, "line": {"width": 1.2, "color": INK}}
        add([incumbent], "Best trial", star)
    ranks = [str(i + 1) for i in range(len(candidates))] if len(candidates) > 1 else []
    edge = {"width": 1.2, "color": "#ffffff"}
    diamond = {"symbol": SYMBOLS["candidate"], "size": 14 if ranks else 11, "color": t.candidate, "line": edge}
    label = "Next candidates" if ranks else "Next candidate"
    add(candidates[::-1], label, diamond, ranks[::-1])  # the first one on top
