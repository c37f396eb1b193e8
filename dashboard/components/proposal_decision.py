"""The buttons of a proposal: each says why it can't be used, and gives its command with the reason that was written."""

from __future__ import annotations

import time
from datetime import datetime

import streamlit as st

from dashboard import data
from dashboard.components import govern
from dashboard.components.card import card
from dashboard.components.text import age, moment, moment_words, plain, viewer_zone
from engine.governance import evidence_freeze, possible, proposals, reviews, rollout
from engine.governance.live import ScopeView
from engine.governance.possible import Verb
from engine.store.governance_records import ProposalRecord

REASON = "govern_reason"
_SEEN = "govern_seen"
_WRITERS: tuple[Verb, ...] = ("submit", "rebase", "withdraw")
_REVIEWERS: tuple[Verb, ...] = ("approve", "request_changes", "reject")
_LABELS: dict[Verb, tuple[str, str, str]] = {
    "submit": ("Submit for review", ":material/send:", "Submitted: it waits for its reviewers."),
    "rebase": ("Rebase onto what is live", ":material/sync:", "Rebased: it is compared with what is live."),
    "withdraw": ("Withdraw", ":material/keyboard_return:", "Withdrawn."),
    "approve": ("Approve", ":material/check:", "Your approval is in the record."),
    "request_changes": ("Request changes", ":material/undo:", "Sent back to its authors."),
    "reject": ("Reject", ":material/block:", "Rejected."),
    "start": ("Start now", ":material/play_arrow:", "Started."),
    "schedule": ("Schedule", ":material/schedule:", "Scheduled."),
    "pause": ("Pause the ramp", ":material/pause:", "Paused at this step."),
    "resume": ("Go on", ":material/play_arrow:", "The ramp goes on."),
    "abort": ("Abort the ramp", ":material/cancel:", "Aborted: the values from before are live."),
}


def unchanged_since_seen(proposal: ProposalRecord) -> bool:
    """Whether the proposal is still what this viewer opened; says so where it isn't.

    An approval is bound to what was read, so a change under the reader's eyes has to be acknowledged first.
    """
    seen = st.session_state.setdefault(_SEEN, {})
    if st.session_state.pop("page_entered", False):
        seen.pop(proposal.id, None)
    if seen.setdefault(proposal.id, proposal.digest) == proposal.digest:
        return True
    st.warning(
        "Values, evidence, baseline or ramp aren't those that you opened. Approving waits until you say that "
        "you have read it again.",
        icon=":material/edit_notifications:",
        title="Changed while you read it",
    )
    st.button(
        "I have read it again",
        icon=":material/visibility:",
        key="govern_seen_again",
        on_click=lambda: seen.__setitem__(proposal.id, proposal.digest),
    )
    return False


def card_of(proposal: ProposalRecord, view: ScopeView, *, fresh: bool) -> None:
    """The decision: who has approved, and what the viewer can do. fresh: it is what the viewer opened."""
    actor = govern.actor()
    can, reasons = possible.moves(proposal), possible.why_not(data.store(), proposal.id, actor)
    if proposal.baseline_version == view.record.live_version and proposal.state != "suspended":
        can.discard("rebase")  # it would change nothing
    if not fresh:
        reasons["approve"] = reasons["approve"] or "It was changed while you read it."
    if "approve" in can or proposal.state in ("approved", "scheduled"):
        with card("Approval"):
            _standing(proposal, view)
    if can:
        with card("Decision"):
            _decide(proposal, can, reasons)
    with card("Comment"):
        st.text_area("Comment", key="govern_comment", height=68, label_visibility="collapsed",
                     placeholder="Ask or answer; it changes nothing.")  # fmt: skip
        st.button("Add comment", icon=":material/chat:", key="govern_add_comment", on_click=_comment,
                  args=(proposal.id,))  # fmt: skip
    govern.acting_line()
    if "approve" in can:
        with st.popover("How a second person approves", icon=":material/group:", type="tertiary"):
            st.markdown("From their own account, in their own dashboard on this store, or with this command. The "
                        "digest binds the approval to exactly what is shown here.")  # fmt: skip
            st.code(
                f"tunedesk proposal approve {proposal.id} \\\n  --store {data.store_url()} \\\n"
                f'  --digest {proposal.digest} \\\n  --reason "…"',
                language="bash", wrap_lines=True,
            )  # fmt: skip


def _standing(proposal: ProposalRecord, view: ScopeView) -> None:
    names, needed = reviews.standing(data.store(), proposal.id)
    missing = needed - len(names)
    st.progress(
        min(1.0, len(names) / needed), text=f"**{len(names)} of {needed}** approvals, tier {view.definition.tier}"
    )
    for name in names:
        st.markdown(f":green[:material/verified:] {plain(name)}")
    if missing > 0:
        eyes = "Needs a second pair of eyes." if names else f"Needs {missing} {'person' if missing == 1 else 'people'}."
        st.markdown(f":orange[:material/visibility:] **{eyes}** Nobody approves what they wrote a part of.")


def _decide(proposal: ProposalRecord, can: set[Verb], reasons: dict[Verb, str]) -> None:
    key = f"{REASON}_{proposal.id}"
    takes_reason = can - {"submit", "rebase", "start", "schedule"}
    if takes_reason:
        govern.reason_box(key)
    if "approve" in can:
        said = evidence_freeze.answer(proposal)
        if said in ("no", "not yet"):
            despite = st.checkbox(
                f"I approve although the evidence says **{said}**", key=f"govern_despite_{proposal.id}"
            )
            if not despite:
                reasons["approve"] = (
                    reasons["approve"] or f"The evidence says {said}: tick the box to approve it anyway."
                )
    if "resume" in can:
        st.checkbox("The gate of this step passes by my decision", key=f"govern_pass_{proposal.id}")
    for group in (_REVIEWERS, ("pause", "resume", "abort"), _WRITERS):
        with st.container(horizontal=True, gap="small"):
            for verb in group:
                if verb in can:
                    _button(proposal, verb, reasons[verb], key)
    told = dict.fromkeys(reasons[v] for v in (*_REVIEWERS, "pause", "resume", "abort", *_WRITERS) if v in can)
    for words in told:
        if words:
            st.caption(f":material/lock: {plain(words)}")
    if "start" in can:
        _go_live(proposal, reasons)


def _button(proposal: ProposalRecord, verb: Verb, why_not: str, key: str) -> None:
    label, icon, _ = _LABELS[verb]
    primary = verb in ("approve", "submit", "start", "resume")
    st.button(label, icon=icon, key=f"govern_{verb}", type="primary" if primary else "secondary",
              disabled=bool(why_not), help=plain(why_not) or None, on_click=_give,
              args=(proposal.id, verb, st.session_state["govern_seen"][proposal.id], key))  # fmt: skip


def _go_live(proposal: ProposalRecord, reasons: dict[Verb, str]) -> None:
    st.markdown("**Make it live**")
    if reasons["start"]:
        st.caption(f":material/lock: {plain(reasons['start'])}")
    _button(proposal, "start", reasons["start"], "")
    if proposal.due_at is not None:
        st.caption(f"Starts by itself on {moment_words(proposal.due_at)}.")
    with st.popover("Start later", icon=":material/schedule:", disabled=bool(reasons["schedule"])):
        chosen = st.datetime_input("Start at", value=moment(time.time() + 3600.0).replace(tzinfo=None),
                                   key="govern_schedule_at", help="In your time zone.")  # fmt: skip
        if proposal.expires_at is not None:
            st.caption(f"The approvals expire in {age(proposal.expires_at - proposal.now)}.")
        st.button("Schedule", icon=":material/schedule:", key="govern_schedule", type="primary", on_click=_schedule,
                  args=(proposal.id, chosen))  # fmt: skip


# --- callbacks ------------------------------------------------------------------------------------------------


def _give(proposal_id: str, verb: Verb, digest: str, key: str) -> None:
    actor, reason, done = govern.actor(), govern.said(key), _LABELS[verb][2]
    clear = (key,) if key else ()
    if verb == "approve":
        despite = bool(st.session_state.get(f"govern_despite_{proposal_id}"))
        govern.give(
            done, reviews.approve, proposal_id, actor, reason, digest=digest, despite_evidence=despite, clear=clear
        )
    elif verb == "resume":
        passes = bool(st.session_state.get(f"govern_pass_{proposal_id}"))
        govern.give(done, rollout.resume, proposal_id, actor, reason, pass_gate=passes, clear=clear)
    elif verb in ("submit", "rebase", "start"):
        bare = {"submit": proposals.submit, "rebase": proposals.rebase, "start": rollout.start}
        govern.give(done, bare[verb], proposal_id, actor)
        if verb == "rebase":  # the one who rebases has read what came out
            st.session_state.get(_SEEN, {}).pop(proposal_id, None)
    else:
        command = {
            "reject": reviews.reject, "request_changes": reviews.request_changes, "withdraw": proposals.withdraw,
            "pause": rollout.pause, "abort": rollout.abort,
        }[verb]  # fmt: skip
        govern.give(done, command, proposal_id, actor, reason, clear=clear)


def _comment(proposal_id: str) -> None:
    govern.give("Said.", reviews.comment, proposal_id, govern.actor(), govern.said("govern_comment"),
                clear=("govern_comment",))  # fmt: skip


def _schedule(proposal_id: str, at: datetime) -> None:
    when = st.session_state.get("govern_schedule_at") or at
    govern.give(_LABELS["schedule"][2], rollout.schedule, proposal_id, when.replace(tzinfo=viewer_zone()).timestamp(),
                govern.actor())  # fmt: skip
