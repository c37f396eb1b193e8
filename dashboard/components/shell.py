"""What surrounds a page: the mark, the study that the address names, the switcher between studies, the store."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import PurePath

import streamlit as st

from dashboard import data
from dashboard.components.text import plain
from engine.errors import NotFound

STUDY_PAGES = ("overview", "surrogate")
"""Addresses of the pages that show one study, by ``?study=``."""
SWITCHER_SIZE = 100


def enter(page: str) -> None:
    """Notes whether this run comes from another page, and keeps ``?study=`` in the address of study pages.

    The navigation drops the query string; the session remembers which study was looked at last.
    """
    st.session_state["page_entered"] = st.session_state.get("page") != page
    st.session_state["page"] = page
    if page not in STUDY_PAGES:
        return
    study_id = st.query_params.get("study") or st.session_state.get("study") or _newest()
    if study_id:
        st.session_state["study"] = study_id
        if st.query_params.get("study") != study_id:
            st.query_params["study"] = study_id


def sidebar(page: str) -> None:
    with st.sidebar:
        if page in STUDY_PAGES:
            _switcher()
        store = data.store()
        name = PurePath(store.place).name if "://" not in store.place else store.place.rpartition("/")[2]
        st.caption(f":material/database: {plain(name)}", help=plain(store.place))


def _switcher() -> None:
    """Another study on the same page. The newest ones are offered; the list of studies has them all."""
    current = st.query_params.get("study", "")
    newest, total = data.studies(limit=SWITCHER_SIZE)
    shown = {study.id: study.name for study in newest}
    if current and current not in shown:
        with contextlib.suppress(NotFound):
            shown[current] = data.study(current).name
    if not shown:
        return
    often = Counter(shown.values())
    names = {id_: f"{name} ({id_[:6]})" if often[name] > 1 else name for id_, name in shown.items()}
    st.session_state["study_switcher"] = current if current in names else None
    st.selectbox(
        "Study",
        list(names),
        format_func=lambda id_: names.get(id_, id_),
        key="study_switcher",
        placeholder="Choose a study",
        on_change=_switch,
        help=f"The newest {SWITCHER_SIZE} of {total:,}; Studies lists them all." if total > SWITCHER_SIZE else None,
    )


def _switch() -> None:
    chosen = st.session_state.get("study_switcher")
    if chosen:
        st.session_state["study"] = chosen
        st.query_params["study"] = chosen


def _newest() -> str | None:
    found, _ = data.studies(limit=1)
    return found[0].id if found else None
