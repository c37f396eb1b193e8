"""Approvals: what waits for a decision, a proposal with all that a decision needs, and the form of a new one."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern, proposal_decision, proposal_form, proposal_view
from dashboard.components.text import age, count, moment_words, plain
from engine.errors import NotFound, TunedeskError
from engine.governance import evidence_freeze, live, proposals, reviews, states
from engine.governance.actors import identity
from engine.governance.live import ScopeView
from engine.store.governance_records import ProposalRecord

PAGE_SIZE = 25
LIVE_SECONDS = 4.0
FILTERS: dict[str, tuple[str, ...] | None] = {
    "To review": ("in_review",),
    "To start": ("approved", "scheduled"),
    "Under way": ("ramping", "paused"),
    "With authors": ("draft", "changes_requested", "suspended"),
    "Live": ("live",),
    "Ended": states.ENDED,
    "All": None,
}


def open_proposal(ids: Sequence[str], key: str) -> None:
    """Callback of a click in the table. ``ids`` are those of the rows that were on the screen when it was drawn."""
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(ids):
        show_proposal(ids[cells[0][0]])


def show_proposal(proposal_id: str | None) -> None:
    st.query_params.clear()
    st.session_state.pop("govern_seen", None)
    if proposal_id is not None:
        st.query_params["proposal"] = proposal_id


def new_proposal() -> None:
    st.query_params.clear()
    st.query_params["new"] = "1"


def needs(proposal: ProposalRecord, names: list[str], needed: int) -> str:
    """What it waits for, in the viewer's words."""
    if proposal.state == "in_review":
        me = identity(govern.actor().name)
        if me in {identity(n) for n in (proposal.author, *proposal.editors)}:
            return "somebody else's review: it is yours"
        if me in {identity(n) for n in names}:
            return "a second pair of eyes: you approved"
        return "a second pair of eyes" if names else f"review by {count(needed, 'person', 'people')}"
    return {
        "approved": "somebody to start it", "scheduled": "its time", "paused": "a person's decision",
        "ramping": "its next step", "draft": "its author", "changes_requested": "its author",
        "suspended": "a rebase by its author",
    }.get(proposal.state, "–")  # fmt: skip


def table(found: list[ProposalRecord]) -> pd.DataFrame:
    rows = []
    for p in found:
        names, needed = reviews.standing(data.store(), p.id)
        waits = p.state in states.EXPIRING and p.expires_at is not None
        rows.append(
            {
                "Proposal": govern.name_of(p),
                "State": [govern.PROPOSALS[p.state].word],  # type: ignore[index]
                "Scope": p.scope,
                "Evidence": [evidence_freeze.answer(p)],
                "Approvals": f"{len(names)} of {needed}" if p.state in (*states.BOUND, "draft") else "–",
                "Needs": needs(p, names, needed),
                "By": p.author,
                "Age": age(p.now - (p.submitted_at or p.created_at)),
                "Expires in": age(p.expires_at - p.now) if waits and p.expires_at else "–",
            }
        )
    return pd.DataFrame(rows)


@st.fragment(run_every=LIVE_SECONDS, key="approvals_list")
def inbox(chosen: str) -> None:
    """The one live part of the page."""
    page = st.session_state.get("approvals_page", 1)
    read = functools.partial(proposals.page, data.store(), states=FILTERS[chosen], limit=PAGE_SIZE)
    try:
        found, total = read(offset=(page - 1) * PAGE_SIZE)
        rows = table(found)
    except TunedeskError as error:
        st.warning(plain(str(error)), title="No news from the store", icon=":material/cloud_off:")
        return
    if not found:
        quiet = {"To review": "Nothing waits for a review.", "All": "Nobody has proposed anything yet."}
        st.info(quiet.get(chosen, "No proposal is in this state."), icon=":material/inbox:")
        return
    ids = [p.id for p in found]
    key = f"approvals_table_{hash(tuple(ids)) & 0xFFFFFFFF:x}"
    looks = list(govern.PROPOSALS.values())
    dark = st.context.theme.type == "dark"
    config = st.column_config
    st.dataframe(
        rows,
        column_config={
            "Proposal": config.TextColumn(width=230),
            "State": config.MultiselectColumn(
                width=120, options=[k.word for k in looks], color=[k.dark if dark else k.light for k in looks]
            ),
            "Evidence": config.MultiselectColumn(
                width=85,
                options=list(govern.ANSWERS),
                color=[k.dark if dark else k.light for k in govern.ANSWERS.values()],
                help="What the evidence pack says: yes, not yet or no; missing without one.",
            ),
            "Needs": config.TextColumn(width=210),
        },
        hide_index=True, height="content", row_height=40, key=key, selection_mode="single-cell",
        on_select=functools.partial(open_proposal, ids, key),
        alt="Proposals with state, evidence, approvals and what they wait for",
    )  # fmt: skip
    if "proposal" in st.query_params:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{count(total, 'proposal')}. A click opens one.", width="content")
        if (pages := -(-total // PAGE_SIZE)) > 1:
            st.pagination(pages, key="approvals_page", bind="query-params")


def inbox_page(views: list[ScopeView]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Approvals", anchor=False, width="content")
        st.button("New proposal", type="primary", icon=":material/add:", key="approvals_new", disabled=not views,
                  on_click=new_proposal)  # fmt: skip
    if not views:
        no_scope()
        return
    chosen = st.segmented_control("Show", list(FILTERS), default="To review", key="approvals_show", required=True,
                                  label_visibility="collapsed", bind="query-params")  # fmt: skip
    inbox(chosen or "To review")
    govern.acting_line()


def no_scope() -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown("### :material/verified_user: Nothing is governed yet", width="content", text_alignment="center")
        st.markdown(
            "A scope is a set of live parameters with hard limits and safe values. Once there is one, values are "
            "proposed for it, reviewed by other people, and go live in steps.",
            width=560, text_alignment="center",
        )  # fmt: skip
        st.page_link("app_pages/limits.py", label="Define a scope", icon=":material/add:")
        st.space("medium")


@st.fragment(run_every=LIVE_SECONDS, key="approvals_watch")
def watch(proposal_id: str, revision: int) -> None:
    """Notices that the proposal moved; the page then runs again, and says if it isn't what was opened."""
    try:
        if proposals.get(data.store(), proposal_id).revision != revision:
            st.rerun()
    except TunedeskError as error:
        st.warning(plain(str(error)), title="No news from the store", icon=":material/cloud_off:")


def proposal_page(proposal_id: str) -> None:
    st.button("All proposals", icon=":material/arrow_back:", type="tertiary", key="approvals_back",
              on_click=show_proposal, args=(None,))  # fmt: skip
    try:
        proposal = proposals.get(data.store(), proposal_id)
    except NotFound:
        st.title("This proposal isn't in the store", anchor=False)
        st.markdown(f"The address names the proposal {plain(proposal_id[:60])}, which belongs to another store.")
        return
    view = live.view(data.store(), proposal.scope)
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.title(plain(govern.name_of(proposal)), anchor=False, width="content")
            govern.proposal_badge(proposal.state)
            st.space("stretch")
            st.page_link("app_pages/live.py", label="What is live", icon=":material/sensors:",
                         query_params={"scope": proposal.scope})  # fmt: skip
        st.caption(proposal_view.facts(proposal))
    fresh = proposal_decision.unchanged_since_seen(proposal)
    proposal_view.warnings(proposal, view)
    if proposal.note and proposal.state not in ("suspended", "in_review"):
        st.caption(f"{plain(proposal.note)}  ·  {moment_words(proposal.changed_at)}")
    left, right = st.columns([2, 1], gap="small")
    with left:
        proposal_view.changes_card(proposal, view)
        entries, total = proposal_view.history(proposal)
        proposal_view.evidence_card(proposal, entries)
        proposal_view.plan_card(proposal)
        proposal_view.history_card(entries, total, proposals.reviews(data.store(), proposal.id))
    with right:
        proposal_decision.card_of(proposal, view, fresh=fresh)
        if states.why_not("edit", proposal.state) is None:  # type: ignore[arg-type]
            proposal_form.edit(proposal, view)
    watch(proposal.id, proposal.revision)


govern.style()
govern.notice()
if wanted := st.query_params.get("proposal"):
    proposal_page(wanted)
else:
    all_views = live.overview(data.store())
    if all_views and ("new" in st.query_params or "trial" in st.query_params):
        st.button("All proposals", icon=":material/arrow_back:", type="tertiary", key="approvals_back",
                  on_click=show_proposal, args=(None,))  # fmt: skip
        proposal_form.new(all_views)
    else:
        inbox_page(all_views)
