"""Live: what counts in each scope now and why, and how to stop it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern, live_actions, live_view
from dashboard.components.card import card, guarded
from dashboard.components.text import age, plain
from engine.analysis.axes import format_value
from engine.errors import TunedeskError
from engine.governance import kill, live, rollout
from engine.governance.live import ScopeView
from engine.governance.scopes import GLOBAL

LIVE_SECONDS = 2.0


def fingerprint(views: list[ScopeView], scope: str) -> tuple[object, ...]:
    """What the rest of the page is drawn from: it runs again when this moves."""
    ramp = next((v.under_way for v in views if v.record.name == scope), None)
    progress = None if ramp is None else rollout.progress(data.store(), ramp.id)
    gates = None if progress is None else (tuple(progress.gates), progress.waits_for)
    return (*((v.record.name, v.record.revision, v.live.etag) for v in views), gates)


@st.fragment(run_every=LIVE_SECONDS, key="live_head")
def head(scope: str, drawn: tuple[object, ...]) -> None:
    """The one live part of the page: every scope in a row, and the band of the chosen one."""
    try:
        views = live.overview(data.store())
        moved = fingerprint(views, scope) != drawn
    except TunedeskError as error:
        st.warning(plain(str(error)), title="No news from the store: what is shown may be old",
                   icon=":material/cloud_off:")  # fmt: skip
        return
    if moved:
        st.rerun()
    if len(views) > 1:
        scopes_table(views, scope)
    for view in views:
        if view.record.name == scope:
            with guarded("What is live"):
                live_view.state_band(view)


def open_scope(names: Sequence[str], key: str) -> None:
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(names):
        choose(names[cells[0][0]])


def choose(name: str) -> None:
    st.query_params["scope"] = name
    st.session_state["live_scope"] = name


def scopes_table(views: list[ScopeView], chosen: str) -> None:
    """Every scope in a row, so that nothing that isn't as approved hides behind a choice."""
    names = [v.record.name for v in views]
    dark = st.context.theme.type == "dark"
    looks = list(govern.LAYERS.values())
    rows = [
        {
            "": "➤" if v.record.name == chosen else "",
            "Scope": v.record.name,
            "Counts": [govern.LAYERS[v.live.source].word],
            "Since": age(v.live.at - v.live.since),
            "Version": v.record.live_version,
            "Values": ", ".join(f"{n} {format_value(x)}" for n, x in v.live.values.items()),
            "Area": v.definition.area,
            "Tier": v.definition.tier,
        }
        for v in views
    ]
    key = f"live_scopes_{hash(tuple(names)) & 0xFFFFFFFF:x}"
    st.dataframe(
        pd.DataFrame(rows),
        column_config={
            "": st.column_config.TextColumn(width=30),
            "Counts": st.column_config.MultiselectColumn(
                width=90, options=[k.word for k in looks], color=[k.dark if dark else k.light for k in looks]
            ),
        },
        hide_index=True, height="content" if len(rows) < 9 else 320, key=key, selection_mode="single-cell",
        on_select=functools.partial(open_scope, names, key), alt="Every scope and what counts in it",
    )  # fmt: skip


def empty() -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown("### :material/sensors_off: Nothing is live yet", width="content", text_alignment="center")
        st.markdown("A scope is a set of live parameters with hard limits and the safe values of its kill switch.",
                    width=520, text_alignment="center")  # fmt: skip
        st.page_link("app_pages/limits.py", label="Define a scope", icon=":material/add:")
        st.space("medium")


govern.style()
govern.notice()
all_views = live.overview(data.store())
everywhere = kill.state(data.store())
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.title("Live", anchor=False, width="content")
    known = [v.record.name for v in all_views]
    if known:
        wanted = st.query_params.get("scope") or st.session_state.get("live_scope") or known[0]
        if wanted not in known:
            st.warning(f"There is no scope {plain(wanted[:60])} in this store.", icon=":material/search_off:")
            wanted = known[0]
        st.session_state["live_scope"] = wanted
        if len(known) > 1:
            st.selectbox("Scope", known, key="live_scope", label_visibility="collapsed", width=260,
                         on_change=lambda: choose(st.session_state["live_scope"]))  # fmt: skip
        st.query_params["scope"] = wanted
    st.space("stretch")
    if all_views and not everywhere.tripped:
        with st.container(width=230):
            live_actions.trip(GLOBAL, "KILL ALL SCOPES", f"Set the safe values of all {len(all_views)} scopes now?"
                              if len(all_views) > 1 else "Set the safe values of every scope now?")  # fmt: skip
if everywhere.tripped:
    with st.container(border=True):
        st.markdown("#### :red[:material/emergency_home: The kill switch of all scopes is tripped]")
        live_actions.rearm(everywhere, "all scopes")
if not all_views:
    empty()
else:
    shown = next(v for v in all_views if v.record.name == wanted)
    head(wanted, fingerprint(all_views, wanted))
    left, right = st.columns([2, 1], gap="small")
    with left:
        with card("Values"):
            live_view.values_table(shown)
        live_view.ramp_card(shown)
        live_actions.rollback_card(shown)
    with right:
        live_actions.kill_card(shown)
        live_actions.ramp_actions(shown)
        live_actions.override_card(shown)
    live_view.timeline_card(shown)
    govern.acting_line()
    st.page_link("app_pages/limits.py", label="Limits of this scope", icon=":material/rule:",
                 query_params={"scope": wanted})  # fmt: skip
