"""Limits: what each scope may be set to, how fast, by how many people, and when nothing may change."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern, limits_form
from dashboard.components.card import card
from dashboard.components.text import moment, moment_words, plain, viewer_zone
from engine.governance import live, scope_changes
from engine.governance.live import ScopeView
from engine.governance.scopes import GLOBAL


def history_card(name: str) -> None:
    with card("Versions of the limits", help="Who changed which limit, when and why; also in the audit chain."):
        rows = [
            {
                "Version": d.version,
                "When": moment_words(d.at),
                "By": d.actor,
                "Confirmed by": d.confirmed_by or "–",
                "Why": d.reason,
            }
            for d in scope_changes.definitions(data.store(), name)
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, height=min(36 * len(rows) + 40, 260),
                     column_config={"Version": st.column_config.NumberColumn(width=62)},
                     alt="Versions of the limits with author, confirmation and reason")  # fmt: skip


def freezes_card(name: str) -> None:
    with card("Freeze windows", help="Between these times nothing goes live; stopping always works."):
        now = time.time()
        windows = [w for w in scope_changes.freezes(data.store(), now) if w.scope in (name, GLOBAL)]
        for window in windows:
            where = "all scopes" if window.scope == GLOBAL else plain(window.scope)
            begun = "in force" if window.starts_at <= now else "to come"
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f":material/ac_unit: **{moment_words(window.starts_at)} – {moment_words(window.ends_at)}** "
                            f"({begun}, {where}): {plain(window.reason)} :gray[by {plain(window.actor)}]")  # fmt: skip
                st.button("End it", key=f"freeze_end_{window.id}", type="tertiary", on_click=_end_freeze,
                          args=(window.id,))  # fmt: skip
        if not windows:
            st.caption("None now or to come.")
        with st.popover("Add a window", icon=":material/add:"):
            start = st.datetime_input("From", moment(now).replace(tzinfo=None), key="freeze_from")
            end = st.datetime_input("Until", moment(now + 86_400).replace(tzinfo=None), key="freeze_until")
            st.checkbox("In all scopes", key="freeze_all")
            govern.reason_box("freeze_why")
            st.button("Freeze", icon=":material/ac_unit:", type="primary", key="freeze_add", on_click=_freeze,
                      args=(name, start, end))  # fmt: skip


def _freeze(name: str, start: object, end: object) -> None:
    times = [st.session_state[k].replace(tzinfo=viewer_zone()).timestamp() for k in ("freeze_from", "freeze_until")]
    scope = GLOBAL if st.session_state.get("freeze_all") else name
    govern.give(
        "The window is set.",
        scope_changes.add_freeze,
        scope,
        *times,
        govern.actor(),
        govern.said("freeze_why"),
        clear=("freeze_why",),
    )


def _end_freeze(window: int) -> None:
    govern.give("The window is over.", scope_changes.end_freeze, window, govern.actor(), "Ended on the Limits page.")


def choose() -> None:
    st.query_params["scope"] = st.session_state["limits_scope"]


def begin(new: bool) -> None:
    if new:
        st.query_params["new"] = "1"
    else:
        st.query_params.pop("new", None)


def scope_page(view: ScopeView) -> None:
    definition = view.definition
    facts = [f"Area {definition.area}", f"version {view.record.definition_version} of the limits",
             f"created by {plain(view.record.created_by)} on {moment_words(view.record.created_at)}"]  # fmt: skip
    st.caption("  ·  ".join(facts))
    if definition.description:
        st.markdown(plain(definition.description))
    if view.live.problem:
        st.error(plain(view.live.problem), icon=":material/block:", title="What is live is outside of these limits")
    limits_form.waiting(view)
    with card("Hard limits", help="Checked when something is proposed, approved, started, and at every step."):
        limits_form.edit(view)
    left, right = st.columns([3, 2], gap="small")
    with left:
        history_card(view.record.name)
    with right:
        freezes_card(view.record.name)
    govern.acting_line()


govern.style()
govern.notice()
views = live.overview(data.store())
creating = "new" in st.query_params or not views
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.title("New scope" if creating else "Limits", anchor=False, width="content")
    if views and not creating:
        names = [v.record.name for v in views]
        wanted = st.query_params.get("scope") or st.session_state.get("limits_scope") or names[0]
        if wanted not in names:
            st.warning(f"There is no scope {plain(wanted[:60])} in this store.", icon=":material/search_off:")
            wanted = names[0]
        st.session_state["limits_scope"] = wanted
        st.query_params["scope"] = wanted
        st.selectbox("Scope", names, key="limits_scope", label_visibility="collapsed", width=260, on_change=choose)
    st.space("stretch")
    if views:
        st.button(
            "All scopes" if creating else "New scope",
            icon=":material/arrow_back:" if creating else ":material/add:",
            key="limits_begin",
            on_click=begin,
            args=(not creating,),
        )
if creating:
    st.caption("A scope is a set of live parameters. Its hard limits hold for every way in which a value can go live.")
    with card("The scope"):
        limits_form.create()
    govern.acting_line()
else:
    scope_page(next(v for v in views if v.record.name == wanted))
