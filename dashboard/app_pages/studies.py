"""Studies: every study in the store, found by search, state and sort, one page at a time; live."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, get_args

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components.states import STATES, engines_line, pulse
from dashboard.components.text import count, moment, number, plain, viewer_zone
from engine.errors import TunedeskError
from engine.store.records import EngineRecord, StudyRecord, StudyState

PAGE_SIZE = 25
LIVE_SECONDS = 3.0
SORTS: dict[str, tuple[str, bool]] = {
    "Newest first": ("created_at", True),
    "Oldest first": ("created_at", False),
    "Name": ("name", False),
    "State": ("state", False),
    "Most trials": ("n_trials", True),
    "Last ended": ("finished_at", True),
    "Owner": ("owner", False),
}


def open_study(ids: Sequence[str], key: str) -> None:
    """Callback of a click in the table. ``ids`` are those of the rows that were on the screen when it was drawn."""
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(ids):
        st.session_state["open_study"] = ids[cells[0][0]]


def clear_filters() -> None:
    st.session_state["studies_search"] = ""
    st.session_state["studies_states"] = []


def first_page() -> None:
    st.session_state["studies_page"] = 1


def table(found: list[StudyRecord], engines: list[EngineRecord]) -> pd.DataFrame:
    """One row a study. User text stays text: a data frame shows no markup."""
    curves = data.sparklines([(study.id, study.revision) for study in found])
    rows = []
    for study in found:
        rows.append(
            {
                "Name": study.name,
                "State": [study.state],
                "Trials": f"{study.n_finished:,} / {study.spec.budget_trials:,}",
                "Progress": study.n_finished / study.spec.budget_trials,
                "Best": "–"
                if study.best_value is None
                else f"{number(study.best_value)} {study.spec.objectives[0].name}",
                "Best so far": curves.get(study.id) or None,
                "Engine": pulse(study, engines).short,
                "Created": moment(study.created_at),
                "Owner": study.owner,
                "Tags": list(study.spec.tags),
            }
        )
    return pd.DataFrame(rows)


def columns(found: list[StudyRecord]) -> dict[str, Any]:
    """How each column looks; tags and owners are left out where they tell nothing."""
    config = st.column_config
    dark = st.context.theme.type == "dark"
    out: dict[str, Any] = {
        "Name": config.TextColumn(width=215),
        "State": config.MultiselectColumn(
            width=90, options=list(STATES), color=[look.dark if dark else look.light for look in STATES.values()]
        ),
        "Trials": config.TextColumn(width=80, alignment="right", help="Finished trials and the budget."),
        "Progress": config.ProgressColumn(width=66, min_value=0, max_value=1, format=" "),
        "Best": config.TextColumn(width=115, help="The best feasible value of the first objective, and its name."),
        "Best so far": config.LineChartColumn(width=105, help="The best feasible value as trials finished."),
        "Engine": config.TextColumn(width=98, help="When the engine that drives the study was last heard of."),
        "Created": config.DatetimeColumn(width=105, format="D MMM, HH:mm", timezone=str(viewer_zone())),
        "Owner": config.TextColumn(width=80),
        "Tags": config.ListColumn(width=140),
    }
    if not any(study.spec.tags for study in found):
        out["Tags"] = None
    if len({study.owner for study in found}) == 1:
        out["Owner"] = None
    return out


@st.fragment(run_every=LIVE_SECONDS, key="studies_list")
def studies_list(search: str, states: list[StudyState], sort: str) -> None:
    """The one live part of the page: a page of rows, the engines, the sparklines of what changed."""
    by, descending = SORTS[sort]
    page = st.session_state.get("studies_page", 1)
    try:
        engines = data.engines()
        read = functools.partial(
            data.studies, search=search, states=states or None, sort=by, descending=descending, limit=PAGE_SIZE
        )
        found, total = read(offset=(page - 1) * PAGE_SIZE)
        if not found and page > 1:
            page = 1
            found, total = read()
    except TunedeskError as error:
        st.warning(plain(str(error)), title="No news from the store", icon=":material/cloud_off:")
        return
    line = engines_line(engines, found[0].now if found else None)
    if not found and not search and not states:
        empty(line.text if line.trouble else "")
        return
    if line.trouble:
        st.warning(line.text, icon=":material/power_off:")
    if not found:
        st.info("No study fits this search.", icon=":material/search_off:")
        st.button("Show all studies", icon=":material/filter_alt_off:", on_click=clear_filters)
        return
    ids = [study.id for study in found]
    key = f"studies_table_{hash(tuple(ids)) & 0xFFFFFFFF:x}"
    st.dataframe(
        table(found, engines),
        column_config=columns(found),
        hide_index=True,
        height="content",
        row_height=40,
        placeholder="–",
        key=key,
        on_select=functools.partial(open_study, ids, key),
        selection_mode="single-cell",
        alt="Studies with their state, progress, best value and engine",
    )
    if "open_study" in st.session_state:
        st.switch_page("app_pages/overview.py", query_params={"study": st.session_state.pop("open_study")})
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        first = (page - 1) * PAGE_SIZE + 1
        shown = (
            f"{first}–{first + len(found) - 1} of {total:,}" if total > len(found) else count(total, "study", "studies")
        )
        st.caption(f"{shown}  ·  {line.text}" if not line.trouble else shown, width="content")
        pages = -(-total // PAGE_SIZE)
        if pages > 1:
            st.pagination(pages, key="studies_page", bind="query-params")


def empty(engine_hint: str) -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown("### :material/tune: No studies yet", width="content", text_alignment="center")
        st.markdown(
            "A study tunes one objective: you give the parameters and their bounds, the engine proposes trials, "
            "runs them and learns.",
            width=520,
            text_alignment="center",
        )
        if st.button("Define a study", type="primary", icon=":material/add:"):
            st.switch_page("app_pages/new_study.py")
        if engine_hint:
            st.caption(engine_hint, text_alignment="center")
        st.space("medium")


with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Studies", anchor=False, width="content")
    if st.button("New study", type="primary", icon=":material/add:", key="studies_new"):
        st.switch_page("app_pages/new_study.py")

search_column, state_column, sort_column = st.columns([4, 4, 2])
searched = search_column.text_input(
    "Search",
    key="studies_search",
    type="search",
    live="300ms",
    placeholder="Search by name, objective, owner or tag",
    label_visibility="collapsed",
    on_change=first_page,
    bind="query-params",
)
filtered = state_column.multiselect(
    "State",
    list(get_args(StudyState)),
    key="studies_states",
    placeholder="Any state",
    label_visibility="collapsed",
    on_change=first_page,
    bind="query-params",
)
sorted_by = sort_column.selectbox(
    "Sort", list(SORTS), key="studies_sort", label_visibility="collapsed", on_change=first_page, bind="query-params"
)
studies_list(searched or "", list(filtered or []), sorted_by)
