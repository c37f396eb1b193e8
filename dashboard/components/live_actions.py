"""What a person can do to what is live: kill, re-arm, roll back, override, steer a ramp."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern
from dashboard.components.card import card
from dashboard.components.text import age, moment_words, plain
from engine.analysis.axes import format_value
from engine.governance import kill, live, overrides, possible, rollout
from engine.governance.actors import identity
from engine.governance.kill import KillState
from engine.governance.limits import changed
from engine.governance.live import ScopeView
from engine.governance.scopes import GLOBAL
from engine.space import Categorical, Int

STOP_REASONS = ("Emergency stop", "Losses beyond plan", "Wrong or missing data", "Market disruption", "System fault")
VERSIONS = 50
_STEERING = (
    ("pause", "Pause", ":material/pause:"),
    ("resume", "Go on", ":material/play_arrow:"),
    ("abort", "Abort", ":material/cancel:"),
)


def kill_card(view: ScopeView) -> None:
    """The switch of this scope: one confirmation trips it, two people re-arm it."""
    name = view.record.name
    with card("Kill switch", help="One person trips it, and the safe values count at once. Two people re-arm it."):
        if view.kill.tripped:
            rearm(view.kill, "this scope")
        else:
            safe = ", ".join(f"{n} {format_value(v)}" for n, v in view.definition.safe.items())
            st.caption(f"Sets the safe values at once: {plain(safe)}. Ramps and overrides end.")
            trip(name, f"KILL {name}", f"Set the safe values of {plain(name)} now?")
        if view.global_kill.tripped:
            st.markdown(
                ":red[:material/emergency_home: **The switch of all scopes is tripped**] – re-arm it at the top."
            )


def trip(scope: str, label: str, question: str) -> None:
    """The button and its one confirmation; a reason is chosen already, so that nothing has to be typed."""
    key = "all" if scope == GLOBAL else scope
    with st.container(key=f"danger_open_{key}"), st.popover(label, icon=":material/emergency_home:", width="stretch",
                                                            disabled=not govern.actor().may("stop"),
                                                            key=f"kill_ask_{key}"):  # fmt: skip
        st.markdown(f"**{question}**")
        st.pills("Reason", STOP_REASONS, default=STOP_REASONS[0], required=True, key=f"kill_why_{key}")
        st.text_input("More, if there is time", key=f"kill_more_{key}")
        with st.container(key=f"danger_do_{key}"):
            st.button("Kill now", icon=":material/emergency_home:", key=f"kill_{key}", width="stretch",
                      on_click=_trip, args=(scope, key))  # fmt: skip


def rearm(state: KillState, of: str) -> None:
    """The first person asks, another one confirms."""
    key = "all" if state.scope == GLOBAL else state.scope
    me = govern.actor()
    words = f"Tripped by **{plain(state.by)}**"
    st.markdown(words + (f" on {moment_words(state.at)}: {plain(state.reason)}" if state.at else ""))
    mine = state.waits_for_second and identity(state.asked_by) == identity(me.name)
    if state.waits_for_second:
        st.markdown(f":orange[:material/group: **1 of 2.** {plain(state.asked_by)} asked to re-arm {of}: "
                    f"{govern.sentence(state.asked_reason)}]")  # fmt: skip
    else:
        st.markdown(f":material/group: **0 of 2.** Two people re-arm {of}: one asks, another one confirms.")
    st.text_area("Reason to re-arm", key=f"rearm_why_{key}", height=68, placeholder="Why it is safe again.",
                 disabled=mine)  # fmt: skip
    st.button("Confirm as the second person" if state.waits_for_second else "Ask to re-arm", key=f"rearm_{key}",
              icon=":material/lock_open:", disabled=mine or not me.may("rearm"), on_click=_rearm,
              args=(state.scope, key, state.waits_for_second))  # fmt: skip
    if mine:
        st.caption(":material/lock: You asked; another person has to confirm, from their own account: "
                   f"`tunedesk rearm {plain('all' if state.scope == GLOBAL else state.scope)} --reason …`")  # fmt: skip


def ramp_actions(view: ScopeView) -> None:
    ramp = view.under_way
    if ramp is None:
        return
    can, reasons = possible.moves(ramp), possible.why_not(data.store(), ramp.id, govern.actor())
    with card("Steer the ramp"):
        key = govern.reason_box(f"ramp_why_{ramp.id}")
        if "resume" in can:
            st.checkbox("The gate of this step passes by my decision", key=f"ramp_pass_{ramp.id}")
        with st.container(horizontal=True, gap="small"):
            for verb, label, icon in _STEERING:
                if verb in can:
                    why = reasons[verb]
                    st.button(label, icon=icon, key=f"ramp_{verb}", disabled=bool(why), help=plain(why) or None,
                              on_click=_ramp, args=(ramp.id, verb, key))  # fmt: skip
        st.caption(f"Abort brings version {view.record.live_version} back at once.")


def override_card(view: ScopeView) -> None:
    name, most = view.record.name, view.definition.policy.max_override_hours
    with card("Override by hand", help="Single parameters for a limited time; then what was approved counts again."):
        active = bool(view.live.override)
        killed = view.live.killed
        if killed:
            st.caption(":material/lock: Not while the kill switch is tripped.")
            return
        if active:
            left = age((view.live.until or view.live.at) - view.live.at)
            over = ", ".join(f"{n} = {format_value(v)}" for n, v in view.live.override.items())
            st.markdown(f":orange[:material/pan_tool: **Active for another {left}:** {plain(over)}]")
            govern.reason_box(f"clear_why_{name}")
            st.button("End the override", icon=":material/undo:", key="override_clear", on_click=_clear,
                      args=(name, f"clear_why_{name}"))  # fmt: skip
        with st.expander("Replace it" if active else "Set an override", icon=":material/pan_tool:"):
            chosen = st.multiselect("Parameters", view.definition.space.names, key=f"override_names_{name}")
            for n in chosen:
                _input(view, n, f"override_{name}_{n}")
            st.number_input("Hours", 0.05, float(most), min(1.0, most), key=f"override_hours_{name}",
                            help=f"At most {most:g} in this scope.")  # fmt: skip
            govern.reason_box(f"override_why_{name}")
            st.button(
                "Override now",
                icon=":material/pan_tool:",
                key="override_set",
                type="primary",
                disabled=not chosen,
                on_click=_override,
                args=(name, list(chosen), active),
            )


def _input(view: ScopeView, name: str, key: str) -> None:
    p, value = view.definition.space[name], view.live.base[name]
    hint = f"Hard limits: {plain(govern.limits_words(view.definition, name))}"
    if isinstance(p, Categorical):
        st.selectbox(
            plain(name), list(p.choices), index=list(p.choices).index(value), format_func=format_value, key=key
        )
    elif isinstance(p, Int):
        st.number_input(plain(name), int(p.low), int(p.high), int(value), step=p.step, key=key, help=hint)
    else:
        st.number_input(plain(name), float(p.low), float(p.high), float(value), format="%.6g", key=key, help=hint,
                        step=p.step or (p.high - p.low) / 100)  # fmt: skip


def rollback_card(view: ScopeView) -> None:
    name, current = view.record.name, view.record.live_version
    with card("Roll back", help="An earlier approved version becomes live at once, inside today's limits."):
        others = [v for v in live.versions(data.store(), name, VERSIONS) if v.version != current]
        if not others:
            st.caption(f"Version {current} is the only one so far.")
            return
        labels = {
            v.version: f"Version {v.version}, {moment_words(v.at)}, by {v.actor}"
            + (f", approved by {', '.join(v.approvers)}" if v.approvers else "")
            for v in others
        }
        before = view.previous.version if view.previous is not None else others[0].version
        options = list(labels)
        chosen = st.selectbox("To", options, index=options.index(before) if before in options else 0,
                              format_func=labels.__getitem__, key=f"rollback_to_{name}")  # fmt: skip
        target = next(v for v in others if v.version == chosen)
        rows = [
            {"Parameter": n, f"Version {current}": format_value(old), f"Version {chosen}": format_value(new)}
            for n, (old, new) in changed(view.version.params, target.params).items()
        ]
        if rows:
            st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", alt="What the rollback changes")
        problem = view.definition.problem(target.params)
        if problem:
            st.caption(f":material/lock: Outside of today's limits: {plain(problem)}")
        govern.reason_box(f"rollback_why_{name}")
        st.button(f"Roll back to version {chosen}", icon=":material/settings_backup_restore:", key="rollback",
                  disabled=bool(problem), on_click=_rollback, args=(name, chosen))  # fmt: skip
        if view.live.killed:
            st.caption("The kill switch goes on counting: it takes effect once that is re-armed.")


# --- callbacks ------------------------------------------------------------------------------------------------


def _trip(scope: str, key: str) -> None:
    more = govern.said(f"kill_more_{key}").strip()
    why = st.session_state.get(f"kill_why_{key}") or STOP_REASONS[0]
    what = "every scope" if scope == GLOBAL else scope
    govern.give(f"Killed: the safe values count in {what}.", kill.trip, scope, govern.actor(),
                f"{why}: {more}" if more else why, clear=(f"kill_more_{key}",))  # fmt: skip


def _rearm(scope: str, key: str, second: bool) -> None:
    done = "Re-armed: the approved values count again." if second else "Asked: another person has to confirm."
    govern.give(done, kill.rearm, scope, govern.actor(), govern.said(f"rearm_why_{key}"), clear=(f"rearm_why_{key}",))


def _ramp(proposal_id: str, verb: str, key: str) -> None:
    actor, reason, clear = govern.actor(), govern.said(key), (key,)
    if verb == "resume":
        passes = bool(st.session_state.get(f"ramp_pass_{proposal_id}"))
        govern.give("The ramp goes on.", rollout.resume, proposal_id, actor, reason, pass_gate=passes, clear=clear)
    elif verb == "pause":
        govern.give("Paused at this step.", rollout.pause, proposal_id, actor, reason, clear=clear)
    else:
        govern.give("Aborted: the values from before are live.", rollout.abort, proposal_id, actor, reason, clear=clear)


def _override(name: str, chosen: list[str], replace: bool) -> None:
    values: dict[str, Any] = {n: st.session_state.get(f"override_{name}_{n}") for n in chosen}
    hours = float(st.session_state.get(f"override_hours_{name}", 1.0))
    key = f"override_why_{name}"
    govern.give("The override counts.", overrides.set_override, name, values, govern.actor(), govern.said(key),
                hours=hours, replace=replace, clear=(key,))  # fmt: skip


def _clear(name: str, key: str) -> None:
    govern.give("The approved values count again.", overrides.clear_override, name, govern.actor(), govern.said(key),
                clear=(key,))  # fmt: skip


def _rollback(name: str, version: int) -> None:
    key = f"rollback_why_{name}"
    govern.give(f"Version {version} is live.", live.rollback, name, version, govern.actor(), govern.said(key),
                clear=(key,))  # fmt: skip
