"""Creating a scope and editing its limits: the inputs, and what is sent when they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components import govern
from dashboard.components.limits_table import COLUMNS, TYPES, from_frame, to_frame
from dashboard.components.text import plain
from engine.governance import scope_changes
from engine.governance.actors import identity
from engine.governance.limits import changed
from engine.governance.live import ScopeView
from engine.governance.scopes import AREAS, Policy
from engine.store import Store

_START: dict[str, Any] = {
    "parameters": {"": {"type": "float", "low": None, "high": None}},
    "safe": {"": ""},
    "constraints": [],
}


def fields(key: str, definition: Mapping[str, Any], *, new: bool) -> None:
    """The inputs of a definition; their values lie in the session under ``key``."""
    config = st.column_config
    frame = to_frame(definition)
    if new:
        frame = pd.DataFrame([{"type": "float"}], columns=list(COLUMNS)).astype(COLUMNS)
    edited = st.data_editor(
        frame,
        key=f"{key}_table", hide_index=True, placeholder="–", num_rows="dynamic" if new else "fixed", width="stretch",
        disabled=[] if new else ["name", "type"],
        column_order=[c for c in COLUMNS if new or c != "initial"],
        column_config={
            "name": config.TextColumn("Parameter", width=120),
            "type": config.SelectboxColumn("Kind", options=list(TYPES), width=80),
            "low": config.NumberColumn("Hard low", format="%.6g", help="Nothing lower goes live, by whatever way."),
            "high": config.NumberColumn("Hard high", format="%.6g", help="Nothing higher goes live, by whatever way."),
            "choices": config.TextColumn("Choices", help="Of a categorical, separated by commas."),
            "safe": config.TextColumn("Safe value", help="What the kill switch sets."),
            "initial": config.TextColumn("Live today", help="What runs today: version 1. Empty: the safe value."),
            "max_step": config.NumberColumn("Largest step", format="%.6g", help="In one step of a ramp, in its units."),
            "min_dwell": config.NumberColumn("Least wait, s", format="%.6g", help="Seconds between two changes."),
            "switch_at": config.NumberColumn("Switches at", min_value=0.0, max_value=1.0, help="Of a categorical: the "
                                             "part of a ramp after which it switches; 1 is the last step."),
            "explore": config.TextColumn("Studies may try", help="low, high or choices; empty: the hard limits."),
            "help": config.TextColumn("Unit or meaning", width=170),
        },
        alt="Limits of each parameter",
    )  # fmt: skip
    st.session_state[f"{key}_frame"] = edited
    left, right = st.columns(2)
    left.text_area("Constraints between parameters, one a line", "\n".join(definition.get("constraints", [])),
                   key=f"{key}_constraints", height=90, placeholder="fast < slow")  # fmt: skip
    right.text_area("Description", definition.get("description", ""), key=f"{key}_description", height=90)
    policy = Policy(**definition.get("policy", {})) if definition.get("policy") else Policy(evidence_required=True)
    tier, hours, review, needs = st.columns(4, vertical_alignment="bottom")
    tier.selectbox("Tier", ["low", "high"], index=int(definition.get("tier", "high") == "high"), key=f"{key}_tier",
                   format_func={"low": "low: 1 approval", "high": "high: 2 approvals"}.__getitem__)  # fmt: skip
    hours.number_input("Longest override, hours", 0.01, 8784.0, policy.max_override_hours, key=f"{key}_override")
    review.number_input("A proposal expires after, hours", 0.01, 8784.0, policy.review_hours, key=f"{key}_review")
    needs.checkbox("Evidence is required", policy.evidence_required, key=f"{key}_evidence")
    st.session_state[f"{key}_rearm"] = policy.rearm_hours


def read(key: str, name: str, area: str, known: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(definition, initial values) from the inputs. Raises InvalidInput for a row that can't be read."""
    state = st.session_state
    parameters, safe, initial = from_frame(state[f"{key}_frame"], known)
    lines = [line.strip() for line in govern.said(f"{key}_constraints").splitlines() if line.strip()]
    definition = {
        "name": name,
        "area": area,
        "tier": state[f"{key}_tier"],
        "description": govern.said(f"{key}_description"),
        "parameters": parameters,
        "constraints": lines,
        "safe": safe,
        "policy": {
            "max_override_hours": state[f"{key}_override"],
            "review_hours": state[f"{key}_review"],
            "rearm_hours": state[f"{key}_rearm"],
            "evidence_required": bool(state[f"{key}_evidence"]),
        },
    }
    return definition, initial


def edit(view: ScopeView) -> None:
    name, version = view.record.name, view.record.definition_version
    key = f"limits_{name}_{version}"
    fields(key, view.record.definition, new=False)
    govern.reason_box(f"{key}_why")
    st.button("Save the limits", type="primary", icon=":material/save:", key="limits_save", on_click=_save,
              args=(view, key, version))  # fmt: skip
    st.caption("What only tightens is in force at once. What allows more waits until another person confirms it.")


def create() -> None:
    left, right = st.columns(2)
    left.text_input("Name", key="limits_new_name", placeholder="strategy-wti",
                    help="Letters, digits, dots, dashes, underscores.")  # fmt: skip
    right.selectbox("Area", AREAS, key="limits_new_area")
    fields("limits_new", _START, new=True)
    govern.reason_box("limits_new_why")
    st.button("Create the scope", type="primary", icon=":material/add:", key="limits_create", on_click=_create)


def waiting(view: ScopeView) -> None:
    """Looser limits that wait for a second person."""
    pending = view.record.pending
    if pending is None:
        return
    name, me = view.record.name, govern.actor()
    st.warning(
        f"{plain(pending['by'])} asks for it: {plain(pending['reason'])}  \nIt allows more: "
        f"{plain('; '.join(pending['looser']))}.",
        icon=":material/group:", title="Looser limits wait for a second person",
    )  # fmt: skip
    rows = [
        {"What": what, "In force": str(old), "Asked for": str(new)}
        for what, (old, new) in changed(_flat(view.record.definition), _flat(pending["definition"])).items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", alt="What is in force and what is asked for")
    govern.reason_box("limits_second_why")
    mine = identity(pending["by"]) == identity(me.name)
    with st.container(horizontal=True, gap="small"):
        st.button("Confirm", type="primary", icon=":material/check:", key="limits_confirm", disabled=mine,
                  on_click=_second, args=(name, scope_changes.pending_digest(pending), True))  # fmt: skip
        st.button("Take it back" if mine else "Refuse", icon=":material/block:", key="limits_drop", on_click=_second,
                  args=(name, "", False))  # fmt: skip
    if mine:
        st.caption(":material/lock: You asked for it: another person has to confirm, from their own account: "
                   f"`tunedesk scope confirm {plain(name)} --reason …`")  # fmt: skip


def _flat(definition: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"parameters fast high": 100, …}"""
    out: dict[str, Any] = {}
    for name, value in definition.items():
        out |= _flat(value, f"{prefix}{name} ") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return out


# --- callbacks ------------------------------------------------------------------------------------------------


def _save(view: ScopeView, key: str, version: int) -> None:
    def write(store: Store) -> None:
        known = view.record.definition["parameters"]
        definition, _ = read(key, view.record.name, view.record.definition["area"], known)
        scope_changes.change_limits(
            store, view.record.name, definition, govern.actor(), govern.said(f"{key}_why"), version=version
        )

    govern.give("The limits are saved.", write, clear=(f"{key}_why",))


def _create() -> None:
    name = govern.said("limits_new_name").strip()

    def write(store: Store) -> None:
        definition, initial = read("limits_new", name, st.session_state["limits_new_area"], {})
        values = definition["safe"] | initial if initial else None
        reason = govern.said("limits_new_why")
        scope_changes.create_scope(store, definition, govern.actor(), reason=reason, initial=values)
        st.query_params["scope"] = name
        st.query_params.pop("new", None)

    govern.give(f"The scope {name} is there.", write, clear=("limits_new_why", "limits_new_name"))


def _second(name: str, digest: str, yes: bool) -> None:
    reason, actor, clear = govern.said("limits_second_why"), govern.actor(), ("limits_second_why",)
    if yes:
        done = "The limits are in force."
        govern.give(done, scope_changes.confirm_limits, name, actor, reason, digest=digest, clear=clear)
    else:
        govern.give("Nothing waits any more.", scope_changes.drop_limits, name, actor, reason, clear=clear)
