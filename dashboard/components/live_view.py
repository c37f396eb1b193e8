"""What counts in a scope now and why, its ramp step by step, and what was live when."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern
from dashboard.components.card import card
from dashboard.components.text import age, ago, moment, moment_words, plain, viewer_zone
from engine.analysis.axes import format_value
from engine.governance import live, rollout
from engine.governance.limits import changed
from engine.governance.live import Interval, ScopeView
from engine.governance.scopes import GLOBAL

TIMELINE = 60
_WHAT = {
    "live initial": "began", "live proposal": "proposal went live", "live rollback": "rollback",
    "ramp step": "ramp step", "ramp end": "ramp ended", "ramp abort": "ramp aborted", "override set": "override",
    "override clear": "override ended", "override drop": "override dropped", "override expired": "override ran out",
    "kill trip": "KILLED", "kill ask": "re-arm asked", "kill rearm": "re-armed",
}  # fmt: skip
_JUDGED = {
    "pass": ":green[:material/check_circle:]",
    "fail": ":red[:material/cancel:]",
    "inconclusive": ":orange[:material/hourglass_empty:]",
}


def state_band(view: ScopeView) -> None:
    """Which layer counts, in one band that can't be overlooked."""
    found, name = view.live, plain(view.record.name)
    version = f"Version {found.version}"
    if found.source == "kill":
        kill = view.kill if view.kill.tripped else view.global_kill
        which = "The kill switch of all scopes" if kill.scope == GLOBAL else "The kill switch"
        words = f"{which} was tripped {ago(found.at - (kill.at or found.at))} by {plain(kill.by)}: {plain(kill.reason)}"
        if kill.waits_for_second:
            asked = f"{plain(kill.asked_by)} asked to re-arm it ({plain(kill.asked_reason.rstrip('.'))})"
            left = age((kill.confirm_until or found.at) - found.at)
            words += f"  \n**{asked}; another person has to confirm within {left}.**"
        govern.band("kill", f"KILLED – the safe values count in {name}", words, view.record.name)
    elif found.source == "override":
        left = "" if found.until is None else f" Falls back by itself in {age(found.until - found.at)}."
        over = ", ".join(f"{n} = {format_value(v)}" for n, v in found.override.items())
        govern.band("override", f"OVERRIDDEN by hand in {name}",
                    f"{plain(over)} – {govern.sentence(found.override_reason)}{left}", view.record.name)  # fmt: skip
    elif found.source == "ramp" and view.under_way is not None:
        ramp = view.under_way
        paused = ramp.state == "paused"
        held = "PAUSED at" if paused else "RAMPING,"
        govern.band("paused" if paused else "ramp", f"{held} step {ramp.step} of {len(ramp.plan)} in {name}",
                    f"{plain(govern.name_of(ramp))}. {plain(ramp.note)} {version} counts again if it is aborted.",
                    view.record.name)  # fmt: skip
    else:
        since = moment_words(found.since)
        kind = "Initial" if view.version.proposal_id is None else "Approved"  # nobody approves what a scope began with
        govern.band(
            "live",
            f"{kind} values are live in {name}",
            f"{version} since {since}, by {plain(_by(view))}: {plain(view.version.reason)}",
            view.record.name,
        )
    if found.problem:
        st.error(f"{plain(found.problem)} They stay live until a person acts: roll back, override or kill.",
                 icon=":material/block:", title="The live values are outside of today's hard limits")  # fmt: skip
    for window in view.freezes:
        if window.starts_at <= view.record.now < window.ends_at:
            st.info(
                f"{govern.sentence(window.reason)} Until {moment_words(window.ends_at)} nothing new goes live; "
                "stopping works.",
                icon=":material/ac_unit:",
                title="Frozen",
            )


def _by(view: ScopeView) -> str:
    approvers = view.version.approvers
    return f"{view.version.actor}, approved by {', '.join(approvers)}" if approvers else view.version.actor


def values_table(view: ScopeView) -> None:
    found, definition = view.live, view.definition
    rows = []
    for p in definition.space:
        rows.append(
            {
                "Parameter": p.name,
                "Live now": format_value(found.values[p.name]),
                "From": [govern.LAYERS[found.sources[p.name]].word],
                f"Version {found.version}": format_value(view.version.params[p.name]),
                "Safe": format_value(definition.safe[p.name]),
                "Hard limits": govern.limits_words(definition, p.name),
                "Unit": p.help,
            }
        )
    dark = st.context.theme.type == "dark"
    looks = list(govern.LAYERS.values())
    st.dataframe(
        pd.DataFrame(rows),
        column_config={
            "From": st.column_config.MultiselectColumn(
                width=90, options=[k.word for k in looks], color=[k.dark if dark else k.light for k in looks],
                help="Which layer the value comes from: kill before override before ramp before live.",
            ),
            f"Version {found.version}": st.column_config.TextColumn(help="The approved version that is live."),
            "Safe": st.column_config.TextColumn(help="What the kill switch sets."),
        },
        column_order=[c for c in rows[0] if c != "Unit" or any(r["Unit"] for r in rows)],
        hide_index=True, height="content", alt="Every parameter with its value, where it comes from, and its limits",
    )  # fmt: skip
    st.caption(f"These values count since {moment_words(found.since)}.")


def ramp_card(view: ScopeView) -> None:
    ramp = view.under_way
    if ramp is None:
        return
    progress = rollout.progress(data.store(), ramp.id)
    if progress is None:
        return
    steps = len(ramp.plan)
    with card(f"Ramp: {plain(govern.name_of(ramp))}"):
        st.progress(ramp.step / steps, text=f"Step **{ramp.step} of {steps}**")
        moving = list(changed(view.version.params, ramp.params))
        rows = [{"": "✓ before", "Step": "live"} | {n: format_value(view.version.params[n]) for n in moving}]
        for i, step in enumerate(ramp.plan, 1):
            mark = "✓ done" if i < ramp.step else "➤ now" if i == ramp.step else "next" if i == ramp.step + 1 else ""
            rows.append({"": mark, "Step": f"{i}"} | {n: format_value(step[n]) for n in moving})
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content" if len(rows) < 9 else 300,
                     alt="Steps of the ramp with their values")  # fmt: skip
        for verdict, words in progress.gates:
            st.markdown(f"{_JUDGED[verdict]} **Gate** {plain(words)}")
        if not progress.gates:
            st.caption("No gates: it goes on by time alone.")
        left = progress.next_at - ramp.now
        if ramp.state == "paused":
            st.markdown(f":orange[:material/pause_circle: **Waits for a person.** {plain(ramp.note)}]")
        elif progress.waits_for:
            st.caption(f":material/ac_unit: Waits: {plain(progress.waits_for)}")
        else:
            coming = "Goes live" if ramp.step >= steps else "The next step comes"
            when = (
                f"at {moment(progress.next_at):%H:%M:%S} at the earliest" if left > 0 else "as soon as its gates pass"
            )
            st.caption(f"{coming} {when}.")
        st.page_link("app_pages/approvals.py", label="The proposal", icon=":material/rate_review:",
                     query_params={"proposal": ramp.id})  # fmt: skip


def timeline_card(view: ScopeView) -> None:
    with card("Timeline", help="What counted from when to when, without gaps, by whose decision and why."):
        intervals = live.history(data.store(), view.record.name, TIMELINE)
        rows = []
        for i, interval in enumerate(intervals):
            older = intervals[i + 1] if i + 1 < len(intervals) else None
            rows.append(
                {
                    "From": moment(interval.start),
                    "For": age((interval.end or view.record.now) - interval.start) + ("" if interval.end else ", now"),
                    "What": _WHAT.get(interval.what, interval.what) + (f" {interval.step}" if interval.step else ""),
                    "Counts": [govern.LAYERS[interval.source].word],  # type: ignore[index]
                    "Version": interval.version,
                    "Changed": _changed(older, interval),
                    "Who": interval.who,
                    "Why": interval.why,
                }
            )
        dark = st.context.theme.type == "dark"
        looks = list(govern.LAYERS.values())
        st.dataframe(
            pd.DataFrame(rows),
            column_config={
                "From": st.column_config.DatetimeColumn(
                    width=110, format="D MMM, HH:mm:ss", timezone=str(viewer_zone())
                ),
                "For": st.column_config.TextColumn(width=72),
                "What": st.column_config.TextColumn(width=122),
                "Counts": st.column_config.MultiselectColumn(
                    width=85, options=[k.word for k in looks], color=[k.dark if dark else k.light for k in looks]
                ),
                "Version": st.column_config.NumberColumn(width=56),
                "Changed": st.column_config.TextColumn(width=165),
                "Who": st.column_config.TextColumn(width=64),
            },
            hide_index=True, height="content" if len(rows) < 12 else 440, row_height=36,
            alt="What was live from when to when, who decided it and why",
        )  # fmt: skip
        if len(intervals) == TIMELINE:
            st.caption(f"The newest {TIMELINE} stretches; `tunedesk live history` has them all.")


def _changed(older: Interval | None, newer: Interval) -> str:
    if older is None:
        return "the first values"
    return govern.change_words(older.values, newer.values) or "no value"
