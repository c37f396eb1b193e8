"""A bordered card that fails alone: what goes wrong in it becomes a sentence, the rest of the page stands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components.text import plain
from dashboard.figures.theme import CONFIG
from engine.errors import TunedeskError

logger = logging.getLogger("tunedesk.dashboard")


@contextmanager
def card(title: str, *, help: str | None = None, height: Any = "content") -> Iterator[None]:
    """Draws a title and what the block draws. An error of ours is shown as it reads; any other is logged in full,
    and the card says that it couldn't be drawn."""
    with st.container(border=True, height=height):
        st.subheader(title, anchor=False, help=help)
        with guarded(title):
            yield


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """The block's errors as sentences in its place."""
    try:
        yield
    except TunedeskError as error:
        st.warning(plain(str(error)), icon=":material/error:")
    except Exception as error:
        logger.exception("%s can't be drawn", what)
        st.warning(
            f"{what} can't be drawn here: an unexpected {type(error).__name__}. "
            "The dashboard's log has the details; everything else on this page is unaffected.",
            icon=":material/error:",
        )


def dark() -> bool:
    """Whether the viewer looks at the dark theme."""
    return st.context.theme.type == "dark"


def narrow() -> bool:
    """Whether the viewer's browser says that it runs on a phone: panels are then stacked."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def chart(figure: go.Figure, alt: str, *, key: str, **options: Any) -> Any:
    """A Plotly figure in its own look, with its sentence as the accessible name."""
    config = CONFIG | {"displayModeBar": False} if narrow() else CONFIG
    return st.plotly_chart(figure, theme=None, config=config, key=key, alt=alt, **options)
