"""New study: define it in a form or as YAML, always in step, checked while it is typed; launch it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import data, drafts
from dashboard.components import draft_form
from dashboard.components.states import START_ENGINE, engines_line
from dashboard.components.text import count, plain
from engine.errors import InvalidInput, InvalidStudy, NotFound, TunedeskError
from engine.governance import actions, local_actor
from engine.objectives import catalogue, find
from engine.study import StudySpec

FORM, YAML = "Form", "YAML"
DRAFT, CLONE = "draft", "clone"
"""Arguments of the address: the draft, and the study that a new draft repeats."""


@st.cache_resource(max_entries=1, show_spinner=False)
def all_drafts() -> drafts.Drafts:
    return drafts.Drafts()


# --- the draft of this session -------------------------------------------------------------------------------


def current_draft() -> tuple[dict[str, Any], int]:
    """(the draft that the widgets start from, its version). The widgets forget everything when the page is left."""
    state = st.session_state
    if CLONE in st.query_params:
        state["draft_name"] = drafts.new_name()
        replace(cloned(st.query_params[CLONE]))
        del st.query_params[CLONE]
    known = state.get("draft_name")
    name = st.query_params.get(DRAFT) or known
    if name is None or name != known:
        stored = all_drafts().get(name) if name else None
        if name is None or stored is None or stored.launched:
            name = drafts.new_name()
        state["draft_name"] = name
        replace(copy.deepcopy(stored.content) if stored is not None and not stored.launched else initial())
    elif state.get("page_entered"):
        replace(state.get("draft_current") or initial())
    if st.query_params.get(DRAFT) != name:
        st.query_params[DRAFT] = name
    return state["draft_base"], state["draft_version"]


def cloned(study_id: str) -> dict[str, Any]:
    """A draft that repeats a study; the usual start if there is no such study."""
    try:
        spec = data.study(study_id).spec
    except NotFound:
        return initial()
    return drafts.from_spec(spec, f"{spec.name} (copy)"[:200])


def initial() -> dict[str, Any]:
    return drafts.from_entry(next(iter(catalogue().values())))


def replace(content: dict[str, Any]) -> None:
    """Makes new widgets from a whole draft."""
    st.session_state["draft_base"] = content
    st.session_state["draft_current"] = content
    st.session_state["draft_version"] = st.session_state.get("draft_version", 0) + 1


def keep(content: dict[str, Any]) -> None:
    """After every interaction: what a reload of the page brings back."""
    st.session_state["draft_current"] = content
    all_drafts().put(st.session_state["draft_name"], drafts.Draft(content))


# --- callbacks -----------------------------------------------------------------------------------------------


def start_over() -> None:
    replace(initial())


def read_text(text: str) -> None:
    """Replaces the draft by a study file. What can't be read as YAML is kept as typed, with the reason."""
    try:
        content = drafts.parse(text)
    except InvalidStudy as error:
        st.session_state["draft_unreadable"] = (text, str(error))
        return
    st.session_state.pop("draft_unreadable", None)
    replace(content)


def text_changed(key: str) -> None:
    read_text(st.session_state[key])


def file_given(key: str) -> None:
    given = st.session_state[key]
    if given is None:
        return
    try:
        read_text(given.getvalue().decode("utf-8"))
    except UnicodeDecodeError:
        st.session_state["draft_unreadable"] = (None, f"{given.name} is not a text file in UTF-8.")


def view_changed() -> None:
    """The form's widgets are made anew from what the YAML says, and the other way round."""
    st.session_state.pop("draft_unreadable", None)
    replace(st.session_state["draft_current"])


def launch() -> None:
    """Checks once more and writes the study. A second click on the same draft leads to the same study."""
    name = st.session_state["draft_name"]
    stored = all_drafts().get(name)
    try:
        if stored is None or stored.launched is None:
            spec = StudySpec.from_dict(st.session_state["draft_current"])
            study_id = actions.create_study(data.writable(), spec, local_actor())
            all_drafts().put(name, drafts.Draft(st.session_state["draft_current"], launched=study_id))
        else:
            study_id = stored.launched
    except TunedeskError as error:
        st.session_state["draft_refused"] = str(error)
        return
    for key in ("draft_name", "draft_base", "draft_current"):
        st.session_state.pop(key, None)
    st.session_state["draft_launched"] = study_id


# --- views -----------------------------------------------------------------------------------------------------


def form_view(base: Mapping[str, Any], version: int) -> tuple[dict[str, Any], list[InvalidInput]]:
    """The draft as the widgets have it now, and what in them can't be expressed in a study file."""
    form = draft_form.Form(base, version, replace)
    content = dict(base)
    slots = {}
    with st.container(border=True):
        st.subheader("What is tuned", anchor=False)
        content |= form.objective()
        slots["objective"] = st.container()
    if "settings" in content and find(str(content["objective"])) is None and not content["settings"]:
        del content["settings"]
    entry = find(content["objective"]) if isinstance(content["objective"], str) else None
    with st.container(border=True):
        st.subheader("Search space", anchor=False)
        space, unreadable = form.space(entry)
        content |= space
        slots["space"] = st.container()
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.subheader("Goals and limits", anchor=False)
        content |= form.goals(entry)
        slots["goals"] = st.container()
    with right.container(border=True, height="stretch"):
        st.subheader("Budget and running", anchor=False)
        content |= form.running()
        slots["running"] = st.container()
    errors = unreadable + [e for e in drafts.check(content)[1] if str(e) not in set(map(str, unreadable))]
    for section, slot in slots.items():
        with slot:
            draft_form.show_errors(errors, section)
    return content, unreadable


def yaml_view(base: dict[str, Any], version: int) -> tuple[dict[str, Any], list[InvalidInput]]:
    """The same draft as a study file; the form follows it."""
    key = f"draft_{version}_yaml"
    typed, problem = st.session_state.get("draft_unreadable", (None, ""))
    left, right = st.columns([3, 2], gap="medium")
    left.text_area(
        "Study file",
        typed if typed is not None else drafts.dump(base),
        height=620,
        key=key,
        on_change=text_changed,
        args=(key,),
        help="Checked when you leave the field or press Ctrl+Enter.",
    )
    unreadable = [InvalidInput("", problem)] if problem else []
    upload = f"draft_{version}_file"
    with right:
        st.file_uploader(
            "Open a study file", type=["yaml", "yml", "json"], key=upload, on_change=file_given, args=(upload,)
        )
        st.caption(
            "It is the file that `tunedesk study create` and `POST /api/v1/studies` take. "
            "Sections that are left out come from the catalogue."
        )
        errors = unreadable or drafts.check(base)[1]
        if errors:
            st.error("  \n".join(plain(str(error)) for error in errors), icon=":material/error:")
        else:
            st.success("The study file can be launched as it is.", icon=":material/check_circle:")
    return base, unreadable


if "draft_launched" in st.session_state:
    st.switch_page("app_pages/overview.py", query_params={"study": st.session_state.pop("draft_launched")})

base, version = current_draft()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("New study", anchor=False, width="content")
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
        st.button("Start over", icon=":material/restart_alt:", type="tertiary", on_click=start_over)
        view = st.segmented_control(
            "View",
            [FORM, YAML],
            default=FORM,
            key="draft_view",
            label_visibility="collapsed",
            required=True,
            on_change=view_changed,
            persist_state="session",
        )

content, unreadable = yaml_view(base, version) if view == YAML else form_view(base, version)
spec, found = drafts.check(content)
errors = unreadable + [error for error in found if str(error) not in set(map(str, unreadable))]
keep(content)

with st.bottom.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
        if errors:
            with st.popover(f"{count(len(errors), 'thing')} to mend", icon=":material/error:"):
                for error in errors:
                    st.markdown(f":red[:material/close:] {plain(str(error))}")
        elif spec is not None:
            st.markdown(
                f":green[:material/check_circle:] Ready: {count(len(spec.space), 'parameter')}, "
                f"{count(spec.budget_trials, 'trial')}, {count(spec.workers, 'worker')}"
            )
        if engines_line(data.engines(), None).trouble:
            st.caption(f"{START_ENGINE} The study waits until then.", width="content")
    with st.container(horizontal=True, width="content", gap="small"):
        st.download_button(
            "YAML",
            drafts.dump(content),
            file_name=f"{drafts.file_name(content)}.yaml",
            mime="application/yaml",
            icon=":material/download:",
            on_click="ignore",
            help="The study file, for the command line, the API or a colleague.",
        )
        st.button(
            "Launch study",
            type="primary",
            icon=":material/rocket_launch:",
            disabled=bool(errors),
            help="First mend: " + plain("; ".join(str(error) for error in errors[:3])) if errors else None,
            on_click=launch,
            key="draft_launch",
        )
    if "draft_refused" in st.session_state:
        st.error(plain(st.session_state.pop("draft_refused")), icon=":material/block:")
