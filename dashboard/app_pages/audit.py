"""Audit: every decision of a person, each entry bound to the one before it; searched, verified, exported."""

from __future__ import annotations

import functools
import io
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern
from dashboard.components.text import count, moment, plain, viewer_zone
from engine.governance import audit

PAGE_SIZE = 50
KINDS: dict[str, str] = {
    "Everything": "",
    "Proposals": "proposal.",
    "Kill switches": "kill.",
    "Overrides": "override.",
    "Live": "live.",
    "Limits": "limits.",
    "Scopes": "scope.",
    "Studies": "study.",
    "Trials": "trial.",
}


def first_page() -> None:
    st.session_state["audit_page"] = 1


def verify() -> None:
    """Callback: walks the chain once; the verdict stays until the page is left or asked for again."""
    st.session_state["audit_verdict"] = audit.verify(data.store())


def export() -> bytes:
    """The whole chain as JSON lines, read when the button is pressed."""
    out = io.StringIO()
    audit.export(data.store(), govern.actor(), out)
    return out.getvalue().encode("utf-8", "backslashreplace")


def row(entry: audit.Entry) -> dict[str, Any]:
    event, details = entry.event, entry.event.get("details") or {}
    subject = details.get("scope") or details.get("name") or event.get("study") or ""
    words = details.get("reason") or details.get("comment") or details.get("rationale") or ""
    return {
        "No.": entry.seq,
        "When": moment(event["at"]),
        "Who": event["actor"],
        "What": event["action"].replace(".", ": ").replace("_", " "),
        "On": str(subject),
        "Why": str(words),
        "Hash": entry.hash[:12],
    }


def verdict() -> None:
    found = st.session_state.get("audit_verdict")
    if found is None:
        return
    if found.ok:
        st.success(
            f"{count(found.entries, 'entry', 'entries')}, each fits the one before it. Keep the head somewhere else: "
            "whoever can rewrite the whole table can't rewrite that.",
            icon=":material/verified:", title="The chain is whole",
        )  # fmt: skip
        st.code(found.head, language=None)
    else:
        st.error(f"{plain(found.text)} The {count(found.entries, 'entry', 'entries')} before it are whole.",
                 icon=":material/gpp_bad:", title=f"The chain is BROKEN at entry {found.bad_seq}")  # fmt: skip


govern.style()
if st.session_state.get("page_entered"):
    st.session_state.pop("audit_verdict", None)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    st.title("Audit", anchor=False, width="content")
    st.space("stretch")
    st.button("Verify the chain", icon=":material/verified_user:", type="primary", key="audit_verify", on_click=verify)
    may = govern.actor().may("export_audit")
    st.download_button("Export JSONL", export, "audit.jsonl", "application/jsonl", icon=":material/download:",
                       key="audit_export", on_click="ignore", disabled=not may,
                       help="Every entry with its hash, and the head at the end.")  # fmt: skip
verdict()
kind_column, actor_column, search_column = st.columns([2, 2, 4])
kind = kind_column.selectbox("Kind", list(KINDS), key="audit_kind", label_visibility="collapsed", on_change=first_page,
                             bind="query-params")  # fmt: skip
who = actor_column.text_input("Who", key="audit_who", placeholder="Any person", label_visibility="collapsed",
                              on_change=first_page, bind="query-params")  # fmt: skip
search = search_column.text_input(
    "Search",
    key="audit_search",
    type="search",
    placeholder="Any text: a scope, a reason, an id, a value",
    label_visibility="collapsed",
    on_change=first_page,
    bind="query-params",
)
page = st.session_state.get("audit_page", 1)
read = functools.partial(
    audit.page, data.store(), actions=KINDS[kind or "Everything"], actor=(who or "").strip(),
    search=(search or "").strip(), limit=PAGE_SIZE,
)  # fmt: skip
entries, total = read(offset=(page - 1) * PAGE_SIZE)
if not entries and page > 1:
    entries, total = read()
if not entries:
    st.info("No entry fits." if kind != "Everything" or who or search else "Nobody has decided anything yet.",
            icon=":material/search_off:")  # fmt: skip
else:
    key = f"audit_table_{entries[0].seq}_{entries[-1].seq}_{total}"
    event = st.dataframe(
        pd.DataFrame([row(entry) for entry in entries]),
        column_config={
            "No.": st.column_config.NumberColumn(width=55),
            "When": st.column_config.DatetimeColumn(width=145, format="D MMM YYYY, HH:mm:ss",
                                                    timezone=str(viewer_zone())),
            "Who": st.column_config.TextColumn(width=90),
            "What": st.column_config.TextColumn(width=145),
            "On": st.column_config.TextColumn(width=105),
            "Why": st.column_config.TextColumn(width=260),
            "Hash": st.column_config.TextColumn(width=115),
        },
        hide_index=True, height=min(36 * len(entries) + 40, 640), row_height=36, key=key, on_select="rerun",
        selection_mode="single-row", alt="Entries of the audit chain, the newest first",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{count(total, 'entry', 'entries')}. Select a row for all of it.", width="content")
        if (pages := -(-total // PAGE_SIZE)) > 1:
            st.pagination(pages, key="audit_page", bind="query-params")
    for index in event.selection.rows[:1]:
        if index < len(entries):
            st.markdown(f"**Entry {entries[index].seq}**")
            st.json(entries[index].event)
            st.caption("Hash")
            st.code(entries[index].hash, language=None)
