"""The trials of a study as a table: sorted, filtered and paged in SQL, a click on a row opens the trial."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import trial_drawer
from dashboard.components.text import count
from dashboard.components.trial_states import TRIAL_STATES, state_words
from engine.store.records import StudyRecord, TrialRecord, TrialState

PAGE_SIZE = 50
EXPORT_CHUNK = 2_000
_NEWEST, _OLDEST = "newest first", "oldest first"


def show(study: StudyRecord) -> None:
    """Controls, one page of trials, the export. Keys carry the study: another study starts at its first page."""
    key = f"trials_{study.id}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        order = st.selectbox("Order", _orders(study), key=f"{key}_order", width=230)
        states = st.multiselect(
            "States", list(TRIAL_STATES), key=f"{key}_states", placeholder="all", width=260,
            help="Sorting, filtering and paging happen in the store, over all trials of the study.",
        )  # fmt: skip
        st.download_button(
            "CSV",
            data=lambda: export(study),
            file_name=f"{_file_name(study.name)}-trials.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key=f"{key}_csv",
            help="All trials of the study with parameters, outcomes, states, times and errors.",
        )
    sort, descending = _sorting(study, order)
    wanted: list[TrialState] | None = states or None
    pages_key = f"{key}_page"
    page = int(st.session_state.get(pages_key) or 1)
    rows, total = _page(study, wanted, sort, descending, page)
    pages = max(1, -(-total // PAGE_SIZE))
    if page > pages:  # the filter left fewer pages
        page = pages
        st.session_state[pages_key] = page
        rows, total = _page(study, wanted, sort, descending, page)
    if not rows:
        st.caption("No trial in these states." if wanted else "No trial yet: the first ones appear within seconds.")
        return
    event = st.dataframe(
        _frame(study, rows),
        hide_index=True,
        height="content" if len(rows) <= 12 else 460,
        column_config=_columns(study),
        on_select="rerun",
        selection_mode="single-row",
        key=f"{key}_table_{study.revision}_{page}_{order}_{','.join(states)}",
        alt=f"Trials of the study, {order}: number, state, outcomes, parameters, duration and error",
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        first = (page - 1) * PAGE_SIZE
        st.caption(f"{first + 1:,} to {first + len(rows):,} of {count(total, 'trial')}. Select a row for its details.")
        if pages > 1:
            st.pagination(pages, key=pages_key)
    _open_selected(study, rows, event.selection.rows, key)


def _open_selected(study: StudyRecord, rows: list[TrialRecord], selected: list[int], key: str) -> None:
    """Opens the trial of a newly selected row; one that was opened and closed before stays closed."""
    chosen = rows[selected[0]].number if selected and selected[0] < len(rows) else None
    if chosen != st.session_state.get(f"{key}_opened"):
        st.session_state[f"{key}_opened"] = chosen
        if chosen is not None:
            trial_drawer.select(chosen)


def _page(
    study: StudyRecord, states: list[TrialState] | None, sort: str, descending: bool, page: int
) -> tuple[list[TrialRecord], int]:
    return data.trials(
        study.id, study.revision, states=states, sort=sort, descending=descending, limit=PAGE_SIZE,
        offset=(page - 1) * PAGE_SIZE,
    )  # fmt: skip


def _orders(study: StudyRecord) -> list[str]:
    """Newest, oldest, then best and worst of each objective, and of each constrained outcome."""
    out = [_NEWEST, _OLDEST]
    for objective in study.spec.objectives:
        out += [f"best {objective.name}", f"worst {objective.name}"]
    named = {o.name for o in study.spec.objectives}
    others = [c.name for c in study.spec.outcome_constraints if c.name not in named]
    out += [f"{way} {name}" for name in others for way in ("least", "most")]
    return list(dict.fromkeys(out))


def _sorting(study: StudyRecord, order: str) -> tuple[str, bool]:
    """(sort, descending) of an entry of ``_orders``."""
    if order in (_NEWEST, _OLDEST):
        return "number", order == _NEWEST
    way, _, name = order.partition(" ")
    if way in ("least", "most"):
        return name, way == "most"
    maximised = next(o.sign < 0 for o in study.spec.objectives if o.name == name)
    return name, maximised == (way == "best")


def outcome_names(study: StudyRecord, rows: list[TrialRecord]) -> list[str]:
    """Objectives, constrained outcomes, then what else the trials report."""
    names = [o.name for o in study.spec.objectives] + [c.name for c in study.spec.outcome_constraints]
    return list(dict.fromkeys([*names, *sorted({name for row in rows for name in row.values})]))


def _frame(study: StudyRecord, rows: list[TrialRecord]) -> pd.DataFrame:
    named = [*(o.name for o in study.spec.objectives), *(c.name for c in study.spec.outcome_constraints)]
    records: list[dict[str, Any]] = []
    for t in rows:
        mark = "★ " if t.number == study.best_number else ""
        record: dict[str, Any] = {"number": t.number, "state": mark + state_words(t)}
        record |= {_key("out", n): t.values.get(n) for n in dict.fromkeys(named)}
        for p in study.spec.space:
            value = t.params.get(p.name)
            record[_key("par", p.name)] = str(value) if isinstance(value, (bool, str)) else value
        took = None if t.started_at is None or t.finished_at is None else t.finished_at - t.started_at
        records.append(record | {"took": took, "origin": t.origin, "error": t.error.strip().partition("\n")[0]})
    frame = pd.DataFrame(records)
    return frame if frame["error"].any() else frame.drop(columns="error")


def _key(kind: str, name: str) -> str:
    """Column names of outcomes and parameters may collide: each gets its kind."""
    return f"{kind}:{name}"


def _columns(study: StudyRecord) -> dict[str, Any]:
    column = st.column_config
    out: dict[str, Any] = {
        "number": column.NumberColumn("Trial", format="%d", pinned=True, width=62),
        "state": column.TextColumn("State", pinned=True, width=118),
        "took": column.NumberColumn("Took (s)", format="%.3g", width=76),
        "origin": column.TextColumn("Origin", help="defaults, initial design, model, or a person", width=72),
        "error": column.TextColumn("Error", width="large"),
    }
    for name in {o.name for o in study.spec.objectives} | {c.name for c in study.spec.outcome_constraints}:
        out[_key("out", name)] = column.NumberColumn(name, format="%.4g", help="an outcome")
    for p in study.spec.space:
        out[_key("par", p.name)] = column.Column(p.name, help=p.help or "a parameter")
    return out


def export(study: StudyRecord) -> str:
    """All trials as CSV, read in pages. Text that a spreadsheet would run as a formula is quoted."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    outcomes: list[str] = []
    chunks = list(_all_trials(study))
    for rows in chunks:
        outcomes = list(dict.fromkeys([*outcomes, *outcome_names(study, rows)]))
    params = list(study.spec.space.names)
    writer.writerow(
        ["number", "state", "feasible", *outcomes, *params, "origin", "attempt", "started_at", "finished_at", "error"]
    )
    for rows in chunks:
        for t in rows:
            writer.writerow(
                [t.number, t.state, "" if t.feasible is None else t.feasible]
                + [t.values.get(n, "") for n in outcomes]
                + [_cell(t.params.get(n, "")) for n in params]
                + [t.origin, t.attempt, t.started_at, t.finished_at, _cell(t.error)]
            )
    return buffer.getvalue()


def _all_trials(study: StudyRecord) -> Iterator[list[TrialRecord]]:
    offset = 0
    while True:
        rows, total = data.store().list_trials(study.id, limit=EXPORT_CHUNK, offset=offset)
        yield rows
        offset += len(rows)
        if not rows or offset >= total:
            return


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def _file_name(name: str) -> str:
    cleaned = "".join(c if c.isalnum() or c in "-_" else "-" for c in name).strip("-")
    return cleaned[:60] or "study"
