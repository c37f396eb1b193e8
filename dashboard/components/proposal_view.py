"""A proposal as its reviewers read it: what changes, the evidence, the way to get there, what was said."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern
from dashboard.components.card import card
from dashboard.components.text import age, count, moment, moment_words, number, plain
from engine.analysis.axes import format_value
from engine.errors import NotFound
from engine.governance import audit, evidence_freeze, proposals
from engine.governance.gates import RampOptions
from engine.governance.limits import changed, margins
from engine.governance.live import ScopeView
from engine.governance.states import ENDED
from engine.store.governance_records import ProposalRecord, ReviewRecord

NEAR = 0.05
"""A value within this part of its range from a hard limit is called near it."""
HISTORY = 100
CROSS = ":red[:material/cancel:]"


def warnings(proposal: ProposalRecord, view: ScopeView) -> None:
    """What a reviewer must know before reading on: it moved, it doesn't fit, its study went on, it was altered."""
    if altered := evidence_freeze.altered(proposal):
        st.error(plain(altered), icon=":material/gpp_bad:", title="The evidence isn't what was frozen")
    if proposal.state == "suspended":
        st.warning(
            f"{plain(proposal.note)} Its authors rebase it onto what is live; then it is reviewed again.",
            icon=":material/sync_problem:", title="Suspended: the baseline moved",
        )  # fmt: skip
    elif proposal.baseline_version != view.record.live_version and proposal.state in ("draft", "changes_requested"):
        st.warning(
            f"It is compared with version {proposal.baseline_version}, and version {view.record.live_version} is live. "
            "Rebase it before it is submitted.",
            icon=":material/sync_problem:", title="Stale: the baseline moved",
        )  # fmt: skip
    if problem := view.definition.problem(proposal.params):
        st.error(plain(problem), icon=":material/block:", title="Outside of today's hard limits")
    if view.live.source in ("kill", "override"):
        what = "The kill switch is tripped" if view.live.source == "kill" else "An override is active"
        st.warning(f"{what} in {plain(proposal.scope)} at the moment; the table compares with the approved version.",
                   icon=govern.LAYERS[view.live.source].icon)  # fmt: skip
    for words in _study_moved(proposal):
        st.info(plain(words), icon=":material/update:")


def _study_moved(proposal: ProposalRecord) -> list[str]:
    """What became of the study since, if the values came from one."""
    if proposal.study_id is None:
        return []
    try:
        study = data.study(proposal.study_id)
    except NotFound:
        return ["The study that these values come from is no longer in the store; what was frozen of it is."]
    out = []
    frozen = proposal.sources.get("study", {}).get("sha256")
    if frozen and frozen != evidence_freeze.sources(study, _trial(proposal))["study"]["sha256"]:
        out.append(f"The definition of the study {study.name} was changed after this was proposed.")
    if study.best_number is not None and study.best_number != proposal.trial_number:
        objective = study.spec.objectives[0].name
        out.append(
            f"The best of the study {study.name} is trial #{study.best_number} by now, with {objective} "
            f"{number(study.best_value)}; this is trial #{proposal.trial_number}."
        )
    return out


def _trial(proposal: ProposalRecord) -> Any:
    return data.store().get_trial(str(proposal.study_id), int(proposal.trial_number or 0))


def changes_card(proposal: ProposalRecord, view: ScopeView) -> None:
    definition, before, column = view.definition, view.version.params, f"Version {view.record.live_version}"
    if proposal.state in ("live", *ENDED):  # what it was compared with, whatever is live by now
        old = {name: was for name, (was, _) in proposals.diff(data.store(), proposal.id).items()}
        before, column = proposal.params | old, f"Version {proposal.baseline_version}"
    elif view.live.source == "live":
        column = "Live now"
    with card("What changes"):
        rows, near = [], []
        for name, margin in margins(definition, before, proposal.params).items():
            p = definition.space[name]
            if margin.room is not None and margin.room < NEAR:
                near.append(f"{name} ends {margin.room:.0%} of its range from its limit {format_value(margin.nearest)}")
            rows.append(
                {
                    "Parameter": name,
                    column: format_value(margin.old),
                    "Proposed": format_value(margin.new),
                    "Change": _delta(margin.old, margin.new),
                    "Of the range": None if margin.share is None else margin.share,
                    "To the limit": "–" if margin.room is None
                    else f"{format_value(abs(margin.new - margin.nearest))} ({margin.room:.0%})",
                    "Hard limits": govern.limits_words(definition, name),
                    "Unit": p.help,
                }
            )  # fmt: skip
        if not rows:
            st.caption("Nothing: these values are live.")
            return
        config = st.column_config
        st.dataframe(
            pd.DataFrame(rows),
            column_config={
                "Of the range": config.ProgressColumn(
                    min_value=0, max_value=1, format="percent", width=105,
                    help="How far the value moves, as a part of its allowed range.",
                ),
                "To the limit": config.TextColumn(help="From the proposed value to the nearest hard limit."),
                "Unit": config.TextColumn(help="What the parameter counts, as the scope says."),
            },
            column_order=[c for c in rows[0] if any(r[c] not in (None, "", "–") for r in rows)],
            hide_index=True, height="content", placeholder="–",
            alt="Each parameter that changes: live and proposed value, size of the change, distance to the limits",
        )  # fmt: skip
        for words in near:
            st.markdown(f":orange[:material/warning: **Near a hard limit.** {plain(words)}.]")
        same = [
            f"{n} {format_value(v)}" for n, v in proposal.params.items() if n not in changed(before, proposal.params)
        ]
        if same:
            st.caption(f"Unchanged: {plain(', '.join(same))}.")
        st.markdown(f"**Why:** {plain(proposal.rationale)}")
        _source(proposal)


def _delta(old: Any, new: Any) -> str:
    if isinstance(new, (bool, str)) or isinstance(old, (bool, str)) or old is None:
        return "switches"
    sign = "+" if new > old else "−"
    relative = f" ({sign}{abs(new - old) / abs(old):.0%})" if old else ""
    return f"{sign}{format_value(abs(new - old))}{relative}"


def _source(proposal: ProposalRecord) -> None:
    study = proposal.sources.get("study")
    if not study:
        st.caption(":material/edit: Values of a person's choice, not of a trial.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f":material/science: Trial #{proposal.trial_number} of {plain(study.get('name', ''))}", width="content"
        )
        st.page_link(
            "app_pages/overview.py", label="Open the trial", icon=":material/open_in_new:",
            query_params={"study": str(proposal.study_id), "trial": str(proposal.trial_number)},
        )  # fmt: skip


def evidence_card(proposal: ProposalRecord, entries: list[audit.Entry]) -> None:
    with card("Evidence", help="The pack that was frozen with the proposal. Approvals are bound to its hash."):
        _replay(proposal, entries)
        if proposal.evidence is None:
            st.warning("There is no evidence pack: nothing was tested for luck, overfitting or costs.",
                       icon=":material/help:", title="No evidence")  # fmt: skip
            return
        verdict = proposal.evidence["verdict"]
        answer = verdict["answer"]
        show, word, icon = {
            "yes": (st.success, "Yes", ":material/check_circle:"),
            "not yet": (st.warning, "Not yet", ":material/warning:"),
            "no": (st.error, "No", ":material/cancel:"),
        }[answer]
        show(plain(verdict.get("sentence", "")), icon=icon, title=f"The evidence says: {word}")
        checks = verdict.get("checks", [])
        if checks:
            tally = {s: sum(c.get("status") == s for c in checks) for s in govern.CHECKS}
            st.markdown("  ·  ".join(f"{icon} {tally[s]} {w}" for s, (icon, w) in govern.CHECKS.items() if tally[s]))
        for check in checks:
            icon, word = govern.CHECKS.get(str(check.get("status")), govern.CHECKS["missing"])
            optional = "" if check.get("required", True) else ", not required"
            st.markdown(f"{icon} {plain(check.get('sentence', ''))} :gray[({word}{optional})]")
        for words in proposal.evidence.get("notes", []):
            st.caption(plain(words))
        st.caption("Frozen with the hash")
        st.code(proposal.evidence_digest, language=None)


def plan_card(proposal: ProposalRecord) -> None:
    options = RampOptions.from_dict(proposal.ramp)
    with card("How it goes live"):
        if len(proposal.plan) <= 1 and not options.gates:
            st.markdown("In one step, without gates.")
        else:
            dwell = f", at least {age(options.dwell)} each" if options.dwell else ""
            st.markdown(f"In {count(len(proposal.plan), 'step')}{dwell}, every one of them inside the hard limits.")
        for gate in options.gates:
            fails = f", fails by {plain(gate.fails.text)}" if gate.fails is not None else ", anything else fails"
            st.markdown(
                f":material/toll: **Gate:** {gate.statistic} of {plain(gate.metric)} passes by "
                f"{plain(gate.passes.text)}{fails}; at least {count(gate.min_count, 'report')}."
            )
        if len(proposal.plan) > 1:
            moving = list(changed(proposal.plan[0], proposal.plan[-1])) or list(proposal.changes)
            rows = [
                {"Step": i} | {n: format_value(step[n]) for n in dict.fromkeys([*proposal.changes, *moving])}
                for i, step in enumerate(proposal.plan, 1)
            ]
            st.dataframe(pd.DataFrame(rows), hide_index=True, height="content" if len(rows) < 9 else 300,
                         alt="The values of each step")  # fmt: skip


def _replay(proposal: ProposalRecord, entries: list[audit.Entry]) -> None:
    """Whether its trial was run again with the same outcome, and how that is done."""
    if "trial" not in proposal.sources:
        return
    replays = [e.event for e in entries if e.event["action"] == "proposal.replay"]
    if not replays:
        st.markdown(f":gray[:material/replay: Not run again yet: `tunedesk proposal replay {proposal.id}` does so.]")
        return
    details = replays[0]["details"]
    sound = details.get("ok") and details.get("same_code")
    mark = ":green[:material/replay:]" if sound else ":orange[:material/warning:]" if details.get("ok") else CROSS
    st.markdown(f"{mark} **Replay** by {plain(replays[0]['actor'])}: {plain(details.get('text', ''))}")


def history(proposal: ProposalRecord) -> tuple[list[audit.Entry], int]:
    """Its newest entries in the audit chain, newest first, and how many there are."""
    return audit.page(data.store(), actions="proposal.", search=proposal.id, limit=HISTORY)


def history_card(entries: list[audit.Entry], total: int, said: list[ReviewRecord]) -> None:
    """Everything that happened to it, out of the audit chain, and the discussion."""
    with card("History and discussion", help="Out of the audit chain; nothing here can be edited."):
        revoked = {(r.actor, r.reason): r.revoked_because for r in said if r.revoked_at is not None}
        for entry in reversed(entries):
            event = entry.event
            details = event.get("details") or {}
            verb = event["action"].partition(".")[2].replace("_", " ")
            words = (
                details.get("comment") or details.get("text") or details.get("reason") or details.get("rationale") or ""
            )
            line = f":gray[{moment_words(event['at'])}]  **{_VERBS.get(verb, verb)}** by {plain(event['actor'])}"
            if verb == "approve":
                line += f" ({details.get('approvals')} of {details.get('needed')})"
                if details.get("despite_evidence"):
                    line += " :orange[despite the evidence]"
            st.markdown(line + (f"  \n{plain(words)}" if words else ""))
            if because := revoked.get((event["actor"], words)) if verb == "approve" else None:
                st.caption(f":material/undo: Revoked: {plain(because)}")
        if total > len(entries):
            st.caption(f"The newest {len(entries)} of {total:,} entries; Audit has them all.")


_VERBS = {
    "create": "Drafted", "submit": "Submitted", "edit": "Edited", "rebase": "Rebased", "approve": "Approved",
    "reject": "Rejected", "request changes": "Changes requested", "withdraw": "Withdrawn", "comment": "Comment",
    "replay": "Run again",
    "start": "Started", "schedule": "Scheduled", "step": "Step taken", "pause": "Paused", "resume": "Resumed",
    "abort": "Aborted", "live": "Went live", "supersede": "Superseded", "suspend": "Suspended", "expire": "Expired",
    "roll back": "Rolled back", "restore": "Restored",
}  # fmt: skip


def facts(proposal: ProposalRecord) -> str:
    """Scope, author, age and expiry in one line."""
    who = ", ".join(dict.fromkeys([proposal.author, *proposal.editors]))
    out = [f":material/adjust: {plain(proposal.scope)}", f"by {plain(who)}"]
    since = proposal.submitted_at or proposal.created_at
    out.append(f"{'submitted' if proposal.submitted_at else 'drafted'} {age(proposal.now - since)} ago")
    if proposal.expires_at is not None and proposal.state in ("in_review", "approved", "scheduled", "suspended"):
        out.append(f"expires in {age(proposal.expires_at - proposal.now)}")
    if proposal.due_at is not None and proposal.state == "scheduled":
        out.append(f"starts {moment(proposal.due_at):%-d %b, %H:%M}")
    out.append(f"compared with version {proposal.baseline_version}")
    return "  ·  ".join(out)
