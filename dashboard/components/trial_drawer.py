"""One trial in a drawer: what it tried against the best, why, what came out, what it printed. ``?trial=`` opens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components.card import guarded
from dashboard.components.text import moment_words, number, plain
from dashboard.components.trial_states import trial_badge
from dashboard.figures.theme import hover_number
from engine.analysis import duration_words
from engine.analysis.axes import format_value
from engine.errors import NotFound
from engine.store.records import StudyRecord, TrialRecord

PARAM = "trial"
LOG_LINES = 200


def wanted() -> int | None:
    """The trial that the address names, if it is a number."""
    text = st.query_params.get(PARAM, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def select(trial: int | None) -> None:
    """Opens the drawer on the next run, or closes it."""
    if trial is None:
        st.query_params.pop(PARAM, None)
    else:
        st.query_params[PARAM] = str(trial)


def open_clicked(event: Any, key: str) -> bool:
    """Opens the trial of a point that was newly clicked in a chart; True if there is one.

    A selection stays with the chart, so one that was opened and closed before stays closed.
    """
    points = event.selection.points if event is not None else []
    chosen = hover_number(points[0].get("customdata")) if points else None
    if chosen == st.session_state.get(f"{key}_clicked"):
        return False
    st.session_state[f"{key}_clicked"] = chosen
    if chosen is None:
        return False
    select(chosen)
    return True


def show(study: StudyRecord) -> None:
    """Draws the drawer if a trial is chosen. Call it once, at the end of a page."""
    if (trial := wanted()) is not None:
        st.dialog(f"Trial #{trial}", width="medium", position="right", on_dismiss=_dismissed)(_body)(study, trial)


def _dismissed() -> None:
    select(None)


def _body(study: StudyRecord, trial_number: int) -> None:
    with guarded("The trial"):
        try:
            trial = data.store().get_trial(study.id, trial_number)
        except NotFound:
            st.info(f"The study has no trial #{trial_number}.")
            return
        best = None
        if study.best_number is not None and study.best_number != trial_number:
            best = data.store().get_trial(study.id, study.best_number)
        _head(study, trial)
        if trial.error:
            st.error(plain(trial.error), title="What went wrong", icon=":material/error:")
        _outcomes(study, trial, best)
        _params(study, trial, best)
        _why(trial)
        log = data.store().trial_log(study.id, trial_number)
        _propose(study, trial)
        with st.expander("What it printed", icon=":material/terminal:"):
            if log:
                lines = log.splitlines()
                if len(lines) > LOG_LINES:
                    st.caption(f"The last {LOG_LINES} of {len(lines):,} lines.")
                st.code("\n".join(lines[-LOG_LINES:]), language=None, height=260)
            else:
                st.caption("Nothing.")


def _propose(study: StudyRecord, trial: TrialRecord) -> None:
    """Leads to a proposal with this trial's values; what can't be proposed says so where it is written."""
    if trial.state != "complete" or trial.feasible is False:
        return
    help_ = "Opens a proposal with these values; other people review it before anything goes live."
    if st.button("Propose for approval", icon=":material/rate_review:", key="propose_trial", help=help_):
        st.switch_page(
            "app_pages/approvals.py", query_params={"new": "1", "study": study.id, "trial": str(trial.number)}
        )


def _head(study: StudyRecord, trial: TrialRecord) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        trial_badge(trial)
        if trial.number == study.best_number:
            st.badge("best", icon=":material/star:", color="orange")
        elif trial.incumbent:
            st.badge("was the best when it finished", icon=":material/star_half:", color="orange")
    facts = [f"attempt {trial.attempt}"] if trial.attempt > 1 else []
    if trial.started_at is not None:
        facts.insert(0, f"started {moment_words(trial.started_at)}")
        if trial.finished_at is not None:
            facts.insert(1, f"took {duration_words(trial.finished_at - trial.started_at)}")
    if facts:
        st.caption("  ·  ".join(facts))


def _outcomes(study: StudyRecord, trial: TrialRecord, best: TrialRecord | None) -> None:
    if not trial.values:
        return
    rows = []
    objectives = {o.name: o.direction for o in study.spec.objectives}
    limits = {c.name: c for c in study.spec.outcome_constraints}
    ordered = [*objectives, *(n for n in limits if n not in objectives)]
    ordered += sorted(n for n in trial.values if n not in ordered)
    for name in ordered:
        if name not in trial.values:
            continue
        value = trial.values[name]
        limit = limits.get(name)
        rows.append(
            {
                "Outcome": name,
                "This trial": number(value),
                "Best trial": number(best.values.get(name)) if best else "",
                "": objectives.get(name) or ("" if limit is None else _kept(limit, value)),
            }
        )
    _table(rows, hide="Best trial" if best is None else None, alt="Outcomes of the trial beside those of the best")


def _kept(limit: Any, value: float) -> str:
    kept = limit.slack(value) >= 0
    return f"{'within' if kept else 'beyond'} {'≤' if limit.upper else '≥'} {limit.limit:g}"


def _params(study: StudyRecord, trial: TrialRecord, best: TrialRecord | None) -> None:
    rows = []
    for p in study.spec.space:
        here, there = trial.params.get(p.name), None if best is None else best.params.get(p.name)
        if p.name not in trial.params and (best is None or p.name not in best.params):
            continue
        rows.append(
            {
                "Parameter": p.name,
                "This trial": format_value(here) if p.name in trial.params else "not active",
                "Best trial": "" if best is None else format_value(there) if p.name in best.params else "not active",
                "": _difference(here, there, p.name, trial.params, best.params) if best else "",
            }
        )
    _table(rows, hide="Best trial" if best is None else None, alt="Parameters of the trial beside those of the best")


def _difference(here: Any, there: Any, name: str, params: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    if (name in params) != (name in best) or isinstance(here, (str, bool)) or here is None:
        return "same" if name in params and name in best and here == there else "differs"
    if here == there:
        return "same"
    sign = "+" if here > there else "−"
    if there:
        ratio = abs(here / there)
        return f"{sign}{abs(here - there) / abs(there):.0%}" if 0.5 < ratio < 2 else f"× {ratio:.3g}"
    return f"{sign}{format_value(abs(here - there))}"


def _table(rows: list[dict[str, str]], *, hide: str | None, alt: str) -> None:
    if not rows:
        return
    frame = pd.DataFrame(rows)
    frame = frame.drop(columns=hide) if hide else frame
    if not frame[""].any():
        frame = frame.drop(columns="")
    st.dataframe(frame, hide_index=True, alt=alt)


def _why(trial: TrialRecord) -> None:
    words = {
        "default": "The objective's defaults, as a baseline.",
        "design": "Part of the space-filling initial design.",
        "manual": "A person asked for it.",
    }
    text = str(trial.reason.get("summary") or trial.reason.get("text") or words.get(trial.origin, ""))
    if text:
        st.markdown(f"**Why this point:** {plain(text)}")
