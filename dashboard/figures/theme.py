"""One look for all figures: colours that colour-blind people tell apart, one symbol for one meaning, light and dark.

The hues are those of the app's theme; maps run evenly from dark to light (the mean in Viridis), so that they also read
in grey. Meaning is never carried by colour alone: every kind of point has its own symbol.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.analysis.axes import Axis, format_value

FONT = '"Source Sans", "Source Sans 3", "Source Sans Pro", system-ui, sans-serif'
WEBGL_ABOVE = 1_000
"""Points above which a scatter is drawn by WebGL: SVG gets slow there, and a page has few WebGL contexts."""


@dataclass(frozen=True)
class Theme:
    """Colours of one appearance."""

    dark: bool
    text: str
    muted: str
    grid: str
    line: str
    surface: str
    observed: str
    best: str
    mean: str
    band: tuple[str, str]
    incumbent: str
    candidate: str
    pending: str
    infeasible: str
    failed: str
    excluded: str
    mean_scale: list[list[Any]]
    std_scale: list[list[Any]]
    acquisition_scale: list[list[Any]]


def _scale(*colours: str) -> list[list[Any]]:
    return [[i / (len(colours) - 1), c] for i, c in enumerate(colours)]


LIGHT = Theme(
    dark=False,
    text="#1e2a35",
    muted="#56616c",
    grid="#ebe7df",
    line="#c4bfb4",
    surface="#fdfcfa",
    observed="#66717c",
    best="#0b6e7a",
    mean="#0b6e7a",
    band=("rgba(11,110,122,0.24)", "rgba(11,110,122,0.12)"),
    incumbent="#e8962e",
    candidate="#b33a72",
    pending="#2f86b3",
    infeasible="#c8452c",
    failed="#7a3e0b",
    excluded="#e6e2d9",
    mean_scale=_scale("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"),
    std_scale=_scale("#fbf9fd", "#dcd5ea", "#b3a4d0", "#8b73b5", "#65449a", "#3f1a78"),
    acquisition_scale=_scale("#fdfaf5", "#f6e2c6", "#eabf8b", "#d9924f", "#b4610b", "#703903"),
)
DARK = Theme(
    dark=True,
    text="#dce3e8",
    muted="#a3aeb8",
    grid="#232d36",
    line="#44515d",
    surface="#1a222a",
    observed="#96a2ad",
    best="#4fb3bf",
    mean="#4fb3bf",
    band=("rgba(79,179,191,0.30)", "rgba(79,179,191,0.15)"),
    incumbent="#f2b25c",
    candidate="#ea82b3",
    pending="#8cc8e8",
    infeasible="#f27d66",
    failed="#d9a066",
    excluded="#2a343d",
    mean_scale=_scale("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"),
    std_scale=_scale("#17141f", "#34294f", "#54407d", "#7a5fb0", "#a58ddb", "#dccbff"),
    acquisition_scale=_scale("#1b150f", "#43290f", "#78460f", "#b36b1e", "#e29a4a", "#ffd9a3"),
)

SYMBOLS = {
    "feasible": "circle",
    "infeasible": "x-thin",
    "failed": "line-ns",
    "incumbent": "star",
    "candidate": "diamond",
    "pending": "circle-open-dot",
}


def theme(dark: bool) -> Theme:
    """The colours for an appearance."""
    return DARK if dark else LIGHT


@functools.cache
def _template(dark: bool) -> go.layout.Template:
    """Everything that figures share, as Plotly's own defaults: much cheaper than setting it axis by axis."""
    t = theme(dark)
    axis = {
        "gridcolor": t.grid, "linecolor": t.line, "zeroline": False, "showline": True, "ticks": "outside", "ticklen": 4,
        "tickcolor": t.line, "tickfont": {"size": 11, "color": t.muted}, "automargin": True,
        "title": {"font": {"size": 12, "color": t.text}},
    }  # fmt: skip
    return go.layout.Template(
        layout={
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 13, "color": t.text},
            "legend": {
                "orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom",
                "bgcolor": "rgba(0,0,0,0)", "font": {"size": 12, "color": t.muted}, "itemsizing": "constant",
            },
            "hoverlabel": {
                "bgcolor": t.surface, "bordercolor": t.line, "align": "left",
                "font": {"family": FONT, "size": 12, "color": t.text},
            },
            "hovermode": "closest",
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": t.muted, "activecolor": t.text},
            "xaxis": axis,
            "yaxis": axis | {"title": {"font": {"size": 12, "color": t.text}, "standoff": 6}},
        }
    )  # fmt: skip


def style(figure: go.Figure, dark: bool, *, height: int, legend: bool = True) -> go.Figure:
    """Applies the look to a figure, in place: fonts, grid, hover, margins, a legend above the plot."""
    figure.update_layout(
        template=_template(dark), height=height, showlegend=legend, dragmode="zoom",
        margin={"l": 8, "r": 12, "t": 36 if legend else 16, "b": 8},
    )  # fmt: skip
    return figure


CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg", "scale": 2},
}
"""For ``st.plotly_chart(config=…)``: no logo, vector export, only the buttons that do something here."""


def parameter_axis(axis: Axis, *, title: bool = True) -> dict[str, Any]:
    """Plotly's settings of a parameter's axis: type, range, ticks and labels from the search space."""
    out: dict[str, Any] = {"title_text": escape(axis.name) if title else None}
    if axis.kind == "categorical":
        labels = [escape(shorten(label, 18)) for label in axis.labels]
        return out | {
            "type": "linear", "range": [axis.low, axis.high], "tickmode": "array",
            "tickvals": list(range(len(labels))), "ticktext": labels, "showgrid": False,
        }  # fmt: skip
    if axis.log:
        ticks = _log_ticks(axis.low, axis.high)
        low, high = np.log10([axis.low, axis.high])
        pad = 0.015 * (high - low)
        return out | {
            "type": "log", "range": [low - pad, high + pad], "tickmode": "array",
            "tickvals": ticks, "ticktext": [_power(v) for v in ticks],
        }  # fmt: skip
    pad = 0.015 * (axis.high - axis.low)
    out |= {"type": "linear", "range": [axis.low - pad, axis.high + pad], "nticks": 6}
    if axis.kind == "integer":
        if axis.high - axis.low <= 12:
            out |= {"dtick": 1 if axis.high - axis.low <= 8 else 2, "tick0": axis.low}
            out["range"] = [axis.low - 0.5, axis.high + 0.5]
        out["tickformat"] = "d"
    return out


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, thinned to seven; 1-2-5 steps where the range spans less than three decades."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1,) if last - first > 3 else (1, 2, 5) if last - first > 1 else (1, 2, 3, 5, 7)
    ticks = [m * 10.0**e for e in range(first, last + 1) for m in steps]
    ticks = [v for v in ticks if low * 0.999 <= v <= high * 1.001]
    return ticks[:: max(1, -(-len(ticks) // 7))]


def _power(value: float) -> str:
    if 1e-3 <= value < 1e5:
        return f"{value:g}"
    exponent = int(np.floor(np.log10(value) + 1e-9))
    factor = value / 10.0**exponent
    return (f"{factor:g}·" if abs(factor - 1) > 1e-9 else "") + f"10<sup>{exponent}</sup>"


def scatter(n: int) -> type[go.Scatter] | type[go.Scattergl]:
    """The trace for n points."""
    return go.Scattergl if n > WEBGL_ABOVE else go.Scatter


def escape(text: Any) -> str:
    """Text for a figure: Plotly reads a little HTML, so a user's words must not."""
    return html.escape(str(text), quote=False)


def shorten(text: str, length: int) -> str:
    """The text, cut in its middle to at most ``length`` characters."""
    return text if len(text) <= length else f"{text[: length // 2]}…{text[len(text) - (length - length // 2 - 1) :]}"


def trial_hover(
    numbers: np.ndarray, params: Sequence[Mapping[str, Any]], value: str, values: np.ndarray | None = None
) -> dict[str, Any]:
    """customdata, text and hovertemplate of trials: number, outcome, every parameter on a line.

    customdata[0] is the trial's number, then come its numeric parameters; numbers travel as one array, since a figure
    may show thousands of trials in each of a dozen panels. value: a template for the line of the outcome, which may
    use %{x}, %{y} or, with ``values``, %{customdata[1]}.
    """
    names = list(dict.fromkeys(name for p in params for name in p))
    numeric = [n for n in names if all(_is_number(p[n]) for p in params if n in p)]
    columns = [np.asarray(numbers, dtype=float)] + ([np.asarray(values, dtype=float)] if values is not None else [])
    lines = [f"<b>#%{{customdata[0]:d}}</b>  {value}".rstrip()]
    for name in numeric:
        column = np.array([float(p.get(name, np.nan)) for p in params])
        if not np.isnan(column).any():
            lines.append(f"{escape(name)} = %{{customdata[{len(columns)}]:.4~g}}")
            columns.append(column)
    shown = {line.partition(" = ")[0] for line in lines}
    others = [n for n in names if escape(n) not in shown]
    out: dict[str, Any] = {"customdata": compact(np.column_stack(columns))}
    if others:
        out["text"] = ["<br>".join(param_lines({n: p[n] for n in others if n in p})) for p in params]
        lines.append("%{text}")
    return out | {"hovertemplate": "<br>".join(lines) + "<extra></extra>"}


def compact(values: np.ndarray) -> np.ndarray:
    """Half the bytes for numbers that are only read in a hover, unless they are too large for it."""
    largest = np.abs(values).max(initial=0.0, where=np.isfinite(values))
    return values.astype(np.float32) if largest < np.finfo(np.float32).max else values


def hover_number(customdata: Any) -> int | None:
    """The trial's number in a point's customdata, in each of the shapes that a browser sends back; None without one."""
    if isinstance(customdata, Mapping):  # a row of a typed array comes back as {"0": number, …}
        customdata = customdata.get("0")
    elif isinstance(customdata, (list, tuple, np.ndarray)):
        customdata = customdata[0] if len(customdata) else None
    return int(customdata) if isinstance(customdata, (int, float, np.number)) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def param_lines(params: Mapping[str, Any]) -> list[str]:
    """``name = value`` of every parameter, escaped."""
    return [f"{escape(k)} = {escape(shorten(format_value(v), 40))}" for k, v in params.items()]


def robust_range(values: np.ndarray, *, better_low: bool | None = None, keep: Sequence[float] = ()) -> list[float]:
    """[low, high] that shows the bulk: values beyond Tukey's far fence are left out, on the worse side only if
    ``better_low`` says which side is better. ``keep`` is always inside."""
    finite = values[np.isfinite(values)]
    kept = np.asarray([v for v in keep if np.isfinite(v)], dtype=float)
    if len(finite) == 0 and len(kept) == 0:
        return [0.0, 1.0]
    if len(finite) >= 8:
        q1, q3 = np.percentile(finite, [25, 75])
        fence = 3 * (q3 - q1)
        low = finite.min() if better_low is True else finite[finite >= q1 - fence].min()
        high = finite.max() if better_low is False else finite[finite <= q3 + fence].max()
    else:
        low, high = (finite.min(), finite.max()) if len(finite) else (kept.min(), kept.max())
    low, high = min(low, *kept) if len(kept) else low, max(high, *kept) if len(kept) else high
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return [float(low - pad), float(high + pad)]
