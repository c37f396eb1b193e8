"""Live without pulling a chart from under the viewer's hands.

A page shows a study at one revision. While Live is on, it moves to the newest revision every few seconds; while Live
is off nothing that is drawn changes, zoom and selection stay, and a button says what is new. The page's one live
fragment (components.study_header) calls ``bar``; everything below it is drawn from ``shown``.
"""

from __future__ import annotations

import dataclasses
import time

import streamlit as st

from dashboard.components.text import count
from engine.store.records import ACTIVE_STUDIES, StudyRecord

REFRESH_SECONDS = 4.0
"""Least time between two moves of a live page: long enough to look at a chart."""
KEY = "live"
_HELD = "live_held"


def shown(study: StudyRecord) -> StudyRecord:
    """The record that the page draws from: the newest when Live is on or the page was just entered.

    Call it before the head is drawn: the head's ``bar`` compares with it.
    """
    entered = st.session_state.pop("page_entered", False)
    held = st.session_state.get(_HELD)
    if held is None or entered or st.session_state.get(KEY, True) or held[0].id != study.id:
        held = (study, time.monotonic())
        st.session_state[_HELD] = held
    return dataclasses.replace(held[0], now=study.now)


def bar(study: StudyRecord, *, hold: bool = False) -> None:
    """The toggle, and what is new since the page was drawn. hold: something is open that a refresh would disturb."""
    held, at = st.session_state.get(_HELD, (study, 0.0))
    live = st.session_state.setdefault(KEY, True)  # gone when the toggle wasn't drawn for a while
    behind = study.revision != held.revision
    if behind and live and not hold and time.monotonic() - at >= REFRESH_SECONDS:
        st.rerun()
    if study.state not in ACTIVE_STUDIES and not behind:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.toggle(
            "Live",
            value=True,
            key=KEY,
            help="On: charts and tables follow the study. Off: they stay as they are, with your zoom and selection, "
            "until you ask for the news.",
        )
        if behind and not live:
            fresh = study.n_finished - held.n_finished
            label = f"{count(fresh, 'new trial')} – update" if fresh > 0 else "Something changed – update"
            if st.button(label, key="live_update", icon=":material/refresh:", type="primary"):
                del st.session_state[_HELD]
                st.rerun()
