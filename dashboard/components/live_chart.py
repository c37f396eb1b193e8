"""The chart that a viewer watches while it grows: new data are drawn under the viewer's own zoom."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.figures.theme import CONFIG
from dashboard.vendor import PLOTLY_PATH

_JS = Path(__file__).with_suffix(".js")


@cache
def _component() -> Any:
    return st.components.v2.component(
        "tunedesk_live_chart",
        html='<div class="live-chart" style="width: 100%"></div>\n',
        js=_JS.read_text(encoding="utf-8"),
        isolate_styles=False,  # Plotly puts its styles into the document
    )


def live_chart(figure: go.Figure, alt: str, *, key: str, view: str, buttons: bool = True) -> int | None:
    """Draws a figure; the trial of a point that was just clicked (its customdata[0]), else None.

    view: zoom and pan are kept as long as it stays the same. buttons: Plotly's tools in the corner.
    """
    result = _component()(
        key=key,
        data={
            "figure": figure.to_json(),
            "alt": alt,
            "view": view,
            "config": CONFIG if buttons else CONFIG | {"displayModeBar": False},
            "source": PLOTLY_PATH,
        },
        on_clicked_change=lambda: None,
    )
    clicked = result.clicked
    return int(clicked) if isinstance(clicked, (int, float)) else None
