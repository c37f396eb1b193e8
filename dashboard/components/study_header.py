"""The head of every study page: which study, its state and counts, the engine's pulse, and the control buttons.

A page calls ``require_study`` for the study in its address and ``show`` to draw the head. The head is the page's one
live fragment; a page that has more to keep live passes a function, which is drawn under it in the same fragment.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from dashboard import data
from dashboard.components.states import START_ENGINE, VERB_ICONS, badge, pulse
from dashboard.components.text import ago, count, number, plain
from engine.errors import NotFound, TunedeskError
from engine.governance import actions, local_actor
from engine.store.records import ACTIVE_STUDIES, VERBS, StudyRecord, Verb
from engine.store.states import why_not

FRAGMENT = "study_header"
LIVE_SECONDS = 1.0
IDLE_SECONDS = 15.0
NOTICE_SECONDS = 8.0
_SHOWN, _NOTICE = "study_header_shown", "study_header_notice"
_FINAL: tuple[Verb, ...] = ("stop", "cancel")
"""Commands that can't be taken back: they ask once more."""


def require_study() -> StudyRecord:
    """The study that ``?study=`` names. Without one the page explains itself and ends."""
    study_id = st.query_params.get("study", "")
    if not study_id:
        _explain("No study is chosen", "Choose one from the list of studies.")
    try:
        return data.study(study_id)
    except NotFound:
        _explain(
            "This study isn't in the store",
            f"The address names the study {plain(study_id[:60])}, which was deleted or belongs to another store.",
        )
    raise AssertionError("unreachable: st.stop ends the run")


def show(study: StudyRecord, live: Callable[[StudyRecord], None] | None = None) -> None:
    """Draws the head of a study's page and keeps it live. live: drawn under it with the newest record, every time.

    When the study's state changes the whole page runs again, so that it can adapt.
    """
    st.session_state.pop(_SHOWN, None)
    every = LIVE_SECONDS if study.state in ACTIVE_STUDIES else IDLE_SECONDS
    st.fragment(_body, run_every=every, key=FRAGMENT)(study.id, live)


def _body(study_id: str, live: Callable[[StudyRecord], None] | None) -> None:
    try:
        study = data.study(study_id)
        engines = data.engines()
        command = next(iter(data.store().commands(study_id, limit=1)), None)
    except NotFound:
        st.warning("This study was deleted while you looked at it.", icon=":material/delete:")
        return
    except TunedeskError as error:
        st.warning(plain(str(error)), title="No news from the store", icon=":material/cloud_off:")
        return
    if st.session_state.setdefault(_SHOWN, (study.id, study.state)) != (study.id, study.state):
        st.rerun()

    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.title(plain(study.name), anchor=False, width="content")
            badge(study.state)
            st.space("stretch")
            if st.button(
                "Clone",
                icon=":material/content_copy:",
                type="tertiary",
                key="clone_study",
                help="Starts a new study from this one's definition.",
            ):
                st.switch_page("app_pages/new_study.py", query_params={"clone": study.id})
        heartbeat = pulse(study, engines)
        facts = _facts(study)
        if heartbeat.text and heartbeat.text != START_ENGINE:
            facts.append(f"{heartbeat.icon} {heartbeat.text}")
        st.caption("  ·  ".join(facts))
    st.progress(min(1.0, study.n_finished / study.spec.budget_trials))
    if study.message:
        show_message = st.error if study.state == "failed" else st.info
        show_message(plain(study.message))
    if heartbeat.text == START_ENGINE:
        st.warning(START_ENGINE, icon=":material/power_off:")
    _controls(study)
    if command is not None and command.acknowledged_at is None:
        st.caption(
            f":material/send: {command.verb.capitalize()} was sent {ago(study.now - command.issued_at)} by "
            f"{plain(command.issued_by)} and waits for the engine's answer."
        )
    elif command is not None and command.accepted is False and study.now - (command.acknowledged_at or 0) < 60:
        st.warning(f"The engine refused to {command.verb}: {plain(command.note)}")
    _notice()
    if live is not None:
        live(study)


def _facts(study: StudyRecord) -> list[str]:
    """Counts as short phrases; what is zero isn't said."""
    facts = [f"**{study.n_finished:,} of {study.spec.budget_trials:,}** trials"]
    facts += [
        f"{n:,} {word}"
        for n, word in (
            (study.n_running, "running"),
            (study.n_infeasible, "infeasible"),
            (study.n_failed, "failed"),
        )
        if n
    ]
    objective = study.spec.objectives[0]
    if study.best_value is not None:
        facts.append(f"best {plain(objective.name)} **{number(study.best_value)}** in trial {study.best_number}")
    elif study.n_finished:
        facts.append("no feasible result yet")
    if len(study.spec.objectives) > 1:
        facts.append(count(len(study.spec.objectives), "objective"))
    facts.append(f"owner {plain(study.owner)}")
    return facts


def _controls(study: StudyRecord) -> None:
    """A button for each command that can be carried out now, its meaning beside it."""
    verbs = [verb for verb in VERBS if why_not(verb, study.state) is None]
    if not verbs:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for verb in verbs:
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
                if verb in _FINAL:
                    _confirmed_button(study, verb)
                else:
                    _button(study, verb, verb.capitalize(), primary=verb == "resume")
                st.caption(VERBS[verb], width="content")


def _button(study: StudyRecord, verb: Verb, label: str, *, primary: bool = False) -> None:
    st.button(
        label,
        key=f"command_{verb}",
        icon=VERB_ICONS[verb],
        type="primary" if primary else "secondary",
        on_click=_send,
        args=(study.id, verb),
    )


def _confirmed_button(study: StudyRecord, verb: Verb) -> None:
    with st.popover(verb.capitalize(), icon=VERB_ICONS[verb], key=f"ask_{verb}"):
        st.markdown(f"**{VERBS[verb]}** The study can't be resumed afterwards; its results stay.")
        _button(study, verb, f"{verb.capitalize()} this study", primary=True)


def _send(study_id: str, verb: Verb) -> None:
    """Callback of the buttons. The right and the state are checked where the command is written, not here."""
    try:
        record = actions.send_command(data.writable(), study_id, verb, local_actor())
    except TunedeskError as error:
        st.session_state[_NOTICE] = (time.monotonic(), "refused", str(error))
    else:
        at_once = record.note if record.acknowledged_at is not None else ""
        st.session_state[_NOTICE] = (time.monotonic(), "done", at_once)


def _notice() -> None:
    """What became of the last click: why it changed nothing, for a few seconds, or that it was carried out at once."""
    at, kind, text = st.session_state.get(_NOTICE, (0.0, "", ""))
    if not text:
        return
    if kind == "done":
        st.toast(plain(text), icon=":material/check:")
        del st.session_state[_NOTICE]
    elif time.monotonic() - at < NOTICE_SECONDS:
        st.error(plain(text), icon=":material/block:")


def _explain(title: str, text: str) -> None:
    st.title(title, anchor=False)
    st.markdown(text)
    with st.container(horizontal=True):
        st.page_link("app_pages/studies.py", label="All studies", icon=":material/list:")
        st.page_link("app_pages/new_study.py", label="New study", icon=":material/add:")
    st.stop()
