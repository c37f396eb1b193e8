"""The form of a proposal: values of a person's choice or of a trial, why, how it goes live, the evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components import govern
from dashboard.components.card import card
from dashboard.components.text import plain
from engine.analysis.axes import format_value
from engine.errors import InvalidInput, NotFound
from engine.governance import proposals
from engine.governance.live import ScopeView
from engine.space import Categorical, Int
from engine.store import Store
from engine.store.governance_records import ProposalRecord
from engine.store.records import TrialRecord

_GATES = ("pass", "fail", "statistic", "min_count")


def trial_of_address() -> tuple[str, TrialRecord] | None:
    """The study's id and the trial that ``?study=`` and ``?trial=`` name, if they do. Raises NotFound."""
    study_id, number = st.query_params.get("study", ""), st.query_params.get("trial", "")
    if not study_id or not number.isascii() or not number.isdigit() or len(number) > 9:
        return None
    return study_id, data.store().get_trial(data.study(study_id).id, int(number))


def new(views: list[ScopeView]) -> None:
    """The page of a new proposal; with a trial in the address its values are taken over."""
    try:
        found = trial_of_address()
    except NotFound as error:
        st.warning(plain(str(error)), icon=":material/search_off:")
        found = None
    study_id, trial = found or ("", None)
    fitting = [v for v in views if trial is None or any(n in trial.params for n in v.definition.space.names)]
    st.title("New proposal", anchor=False)
    if trial is not None and not fitting:
        st.warning("No scope has a parameter in common with this trial: a risk manager defines one under Limits.",
                   icon=":material/search_off:")  # fmt: skip
        return
    names = [v.record.name for v in fitting]
    wanted = st.query_params.get("scope")
    chosen = st.selectbox("Scope", names, index=names.index(wanted) if wanted in names else 0, key="propose_scope",
                          help="The set of live parameters that would change.")  # fmt: skip
    view = fitting[names.index(chosen)]
    needed = view.definition.approvers
    st.caption(f"Tier {view.definition.tier}: takes {needed} {'approval' if needed == 1 else 'approvals'} of people "
               f"who wrote no part of it. Version {view.record.live_version} is live.")  # fmt: skip
    left, right = st.columns([3, 2], gap="small")
    with left, card("Values"):
        if trial is None:
            _inputs(view, view.version.params, "propose")
        else:
            _taken_over(view, study_id, trial)
    with right, card("Why and how"):
        _text_fields("propose", "", "")
        _ramp_fields("propose", {})
        _evidence_field("propose", required=view.definition.policy.evidence_required)
        with st.container(horizontal=True, gap="small"):
            for label, submit in (("Submit for review", True), ("Save as draft", False)):
                st.button(
                    label,
                    type="primary" if submit else "secondary",
                    icon=":material/send:" if submit else ":material/save:",
                    key=f"propose_{'submit' if submit else 'draft'}",
                    on_click=_create,
                    args=(view, None if trial is None else (study_id, trial.number), submit),
                )
        govern.acting_line()


def edit(proposal: ProposalRecord, view: ScopeView) -> None:
    """Under a proposal: change what is given; every approval is revoked by that."""
    key = f"edit_{proposal.id}"
    with st.expander("Edit this proposal", icon=":material/edit:"):
        st.caption("Whoever edits counts as an author from then on. An edit revokes every approval.")
        _inputs(view, view.version.params | proposal.changes, key)
        _text_fields(key, proposal.title, proposal.rationale)
        _ramp_fields(key, proposal.ramp)
        _evidence_field(key, required=False)
        st.button("Save the changes", icon=":material/save:", key=f"{key}_save", on_click=_edit,
                  args=(proposal, view, key))  # fmt: skip


# --- fields -----------------------------------------------------------------------------------------------


def _inputs(view: ScopeView, values: Mapping[str, Any], key: str) -> None:
    """One input a parameter; the widgets hold the hard limits, and the service checks them again."""
    live = view.version.params
    with st.grid(2, min_column_width=220, gap="small"):
        for p in view.definition.space:
            at, label = f"{key}_value_{view.record.name}_{p.name}", plain(p.name)
            hint = f"Live: {format_value(live[p.name])}. Hard limits: {govern.limits_words(view.definition, p.name)}."
            hint += f" {p.help}." if p.help else ""
            value = values.get(p.name, live[p.name])
            with st.container(gap="xxsmall"):
                if isinstance(p, Categorical):
                    options = list(p.choices)
                    st.selectbox(label, options, index=options.index(value) if value in options else 0,
                                 format_func=format_value, key=at, help=plain(hint))  # fmt: skip
                elif isinstance(p, Int):
                    st.number_input(label, int(p.low), int(p.high), min(max(int(value), p.low), p.high), step=p.step,
                                    key=at, help=plain(hint))  # fmt: skip
                else:
                    st.number_input(
                        label,
                        float(p.low),
                        float(p.high),
                        min(max(float(value), p.low), p.high),
                        step=p.step or (p.high - p.low) / 100,
                        format="%.6g",
                        key=at,
                        help=plain(hint),
                    )
                st.caption(f"live {plain(format_value(live[p.name]))}, allowed "
                           f"{plain(govern.limits_words(view.definition, p.name))}")  # fmt: skip


def _taken_over(view: ScopeView, study_id: str, trial: TrialRecord) -> None:
    study = data.study(study_id)
    st.markdown(f":material/science: Trial #{trial.number} of **{plain(study.name)}**, as it was run.")
    common = [n for n in view.definition.space.names if n in trial.params]
    only = st.multiselect("Parameters to take over", common, default=common, key="propose_only")
    rows = [
        {
            "Parameter": n,
            "Live now": format_value(view.version.params[n]),
            "Proposed": format_value(trial.params[n]) if n in only else format_value(view.version.params[n]),
            "Hard limits": govern.limits_words(view.definition, n),
        }
        for n in view.definition.space.names
        if n in trial.params or n in view.version.params
        if n in common
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", alt="Live and proposed values")
    left_out = [n for n in trial.params if n not in common]
    if left_out:
        st.caption(f"The scope doesn't have: {plain(', '.join(left_out))}.")
    if problem := view.definition.problem(view.version.params | {n: trial.params[n] for n in only}):
        st.error(plain(problem), icon=":material/block:", title="Outside of the hard limits")
    st.caption("The study's definition, the trial and the code are frozen with their hashes.")


def _text_fields(key: str, title: str, rationale: str) -> None:
    st.text_input(
        "Title", title, key=f"{key}_title", max_chars=200, placeholder="Optional; such as Slower average for oil"
    )
    st.text_area("Why", rationale, key=f"{key}_why", height=90,
                 placeholder="What speaks for these values, and what could go wrong.")  # fmt: skip


def _ramp_fields(key: str, ramp: Mapping[str, Any]) -> None:
    left, right = st.columns(2)
    left.number_input("Steps of the ramp", 1, 1000, int(ramp.get("stages", 1)), key=f"{key}_stages",
                      help="At least so many; more where the largest allowed steps ask for it.")  # fmt: skip
    right.number_input("Minutes at each step", 0.0, 43_200.0, float(ramp.get("dwell", 0.0)) / 60.0, step=5.0,
                       key=f"{key}_dwell")  # fmt: skip
    with st.expander("Gates between the steps", icon=":material/toll:", expanded=bool(ramp.get("gates"))):
        st.caption("On metrics that the live system reports, such as `drawdown <= 0.05`. A value between pass and "
                   "fail, or too few reports, pauses the ramp for a person.")  # fmt: skip
        rows = pd.DataFrame(ramp.get("gates") or [], columns=list(_GATES))
        rows = rows.astype({"pass": "string", "fail": "string", "statistic": "string", "min_count": "float64"})
        edited = st.data_editor(
            rows, num_rows="dynamic", hide_index=True, key=f"{key}_gates", width="stretch", height=120,
            column_config={
                "pass": st.column_config.TextColumn("passes by"),
                "fail": st.column_config.TextColumn("fails by"),
                "statistic": st.column_config.SelectboxColumn("of", options=["mean", "median", "min", "max", "last"]),
                "min_count": st.column_config.NumberColumn("reports", min_value=1, step=1),
            },
            alt="Gates of the ramp",
        )  # fmt: skip
        st.session_state[f"{key}_gates_now"] = edited


def _evidence_field(key: str, *, required: bool) -> None:
    need = "Evidence pack (JSON), required in this scope" if required else "Evidence pack (JSON)"
    st.file_uploader(need, type="json", key=f"{key}_evidence",
                     help="As `engine.evidence` writes it; it is frozen with its hash.")  # fmt: skip


# --- callbacks ------------------------------------------------------------------------------------------------


def _values(view: ScopeView, key: str) -> dict[str, Any]:
    """What differs from what is live."""
    live = view.version.params
    given = {
        n: st.session_state.get(f"{key}_value_{view.record.name}_{n}", live[n]) for n in view.definition.space.names
    }
    return {n: v for n, v in given.items() if v != live[n]}


def _ramp(key: str) -> dict[str, Any]:
    gates = []
    for row in st.session_state.get(f"{key}_gates_now", pd.DataFrame()).to_dict("records"):
        kept = {k: v for k, v in row.items() if v is not None and not pd.isna(v) and v != ""}
        if kept:
            gates.append(kept)
    return {
        "stages": int(st.session_state.get(f"{key}_stages", 1)),
        "dwell": float(st.session_state.get(f"{key}_dwell", 0.0)) * 60.0,
        "gates": gates,
    }


def _evidence(key: str) -> dict[str, Any] | None:
    file = st.session_state.get(f"{key}_evidence")
    if file is None:
        return None
    try:
        return json.loads(file.getvalue().decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput("evidence", "is not a file of JSON.") from None


def _create(view: ScopeView, trial: tuple[str, int] | None, submit: bool) -> None:
    actor, scope = govern.actor(), view.record.name

    def write(store: Store) -> None:
        options: dict[str, Any] = {
            "rationale": govern.said("propose_why"), "title": govern.said("propose_title"),
            "ramp": _ramp("propose"), "evidence": _evidence("propose"),
        }  # fmt: skip
        if trial is None:
            made = proposals.propose(store, scope, _values(view, "propose"), actor, **options)
        else:
            only = st.session_state.get("propose_only")
            made = proposals.propose_trial(store, scope, *trial, actor, only=only, **options)
        for name in ("new", "study", "trial", "scope"):
            st.query_params.pop(name, None)
        st.query_params["proposal"] = made.id
        if submit:  # what can't be submitted yet is kept as a draft, and the page says why
            proposals.submit(store, made.id, actor)

    govern.give("Submitted: it waits for its reviewers." if submit else "Saved as a draft.", write)


def _edit(proposal: ProposalRecord, view: ScopeView, key: str) -> None:
    def write(store: Store) -> None:
        changes = _values(view, key)
        proposals.edit(
            store, proposal.id, govern.actor(), changes=changes if changes != proposal.changes else None,
            rationale=govern.said(f"{key}_why"), title=govern.said(f"{key}_title"), ramp=_ramp(key),
            evidence=_evidence(key), revision=proposal.revision,
        )  # fmt: skip
        st.session_state.get("govern_seen", {}).pop(proposal.id, None)

    govern.give("Saved; it has to be approved anew.", write)
