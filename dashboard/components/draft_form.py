"""The sections of the New study form. Each draws its widgets from a draft and returns what they say now.

The widgets' keys carry the draft's version: they start from the draft, and are thrown away when it is replaced as a
whole. In between the widgets lead, so that nothing that is typed is overwritten by what was read from it (a table
editor that is fed its own output loses every second edit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import drafts
from dashboard.components import draft_parts, space_table
from dashboard.components.text import plain
from engine.errors import InvalidInput
from engine.objectives import ObjectiveEntry, Setting, catalogue, find
from engine.objectives.catalogue import allowed_modules

DIRECTIONS = ("maximize", "minimize")

SECTION_FIELDS: dict[str, tuple[str, ...]] = {
    "objective": ("name", "objective", "settings", "tags", "notes"),
    "space": ("parameters", "constraints"),
    "goals": ("objectives", "outcome_constraints"),
    "running": ("budget", "workers", "seed", "trial_timeout", "max_attempts", "optimizer"),
}
"""Which section mends an error, by the first word of its field."""


def section_of(error: InvalidInput) -> str:
    first = error.field.replace("[", ".").partition(".")[0]
    return next((section for section, fields in SECTION_FIELDS.items() if first in fields), "")


def show_errors(errors: Sequence[InvalidInput], section: str) -> None:
    """The errors of a section, each a sentence that names its field."""
    mine = [error for error in errors if section_of(error) == section]
    if mine:
        st.error("  \n".join(plain(str(error)) for error in mine), icon=":material/error:")


class Form:
    """Widget keys and starting values of one version of a draft.

    replace: called with a new draft when a button or a choice changes it as a whole.
    """

    def __init__(self, draft: Mapping[str, Any], version: int, replace: Callable[[dict[str, Any]], None]) -> None:
        self.draft = draft
        self.version = version
        self.replace = replace

    def key(self, name: str) -> str:
        return f"draft_{self.version}_{name}"

    # --- what is tuned ----------------------------------------------------------------------------------------

    def objective(self) -> dict[str, Any]:
        """name, objective, settings, tags, notes."""
        draft = self.draft
        entries = catalogue()
        options = [*entries, drafts.MANUAL, *([draft_parts.OTHER] if allowed_modules() else [])]
        path = draft.get("objective")
        chosen = path if path in options else draft_parts.OTHER
        if chosen not in options:
            options.append(draft_parts.OTHER)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            st.selectbox(
                "Objective",
                options,
                index=options.index(chosen),
                format_func=draft_parts.objective_title,
                key=self.key("objective"),
                on_change=self._choose_objective,
                help="What a trial runs. The engine runs only what is installed on its machine and allowed there.",
            )
            if chosen == draft_parts.OTHER:
                path = st.text_input(
                    "Function",
                    str(path if isinstance(path, str) else ""),
                    key=self.key("path"),
                    placeholder="package.module:function",
                )
            entry = find(path) if isinstance(path, str) else None
            if entry is not None:
                st.caption(plain(entry.summary))
            elif chosen == drafts.MANUAL:
                st.caption("Trials wait until their result is reported, by a person here or by another program.")
        known = [str(tag) for tag in draft["tags"]] if isinstance(draft.get("tags"), (list, tuple)) else []
        with right:
            name = st.text_input("Study name", str(draft.get("name") or ""), max_chars=200, key=self.key("name"))
            tags = st.multiselect(
                "Tags",
                list(dict.fromkeys(known)),
                default=list(dict.fromkeys(known)),
                accept_new_options=True,
                placeholder="Type a word and press Enter",
                key=self.key("tags"),
            )
        out: dict[str, Any] = {"name": name, "objective": path, "tags": list(tags)}
        if entry is not None:
            out["settings"] = self._settings(entry)
            draft_parts.outcomes(entry)
        return out

    def _choose_objective(self) -> None:
        chosen = st.session_state[self.key("objective")]
        kept = st.session_state.get("draft_current") or self.draft
        entry = catalogue().get(chosen)
        if entry is not None:
            self.replace(drafts.from_entry(entry, kept))
        elif chosen == drafts.MANUAL:
            self.replace(drafts.from_manual(kept))
        else:
            self.replace({**drafts.from_manual(kept), "objective": "", "name": "my-study"})

    def _settings(self, entry: ObjectiveEntry) -> dict[str, Any]:
        given = self.draft.get("settings")
        given = given if isinstance(given, Mapping) else {}
        out = {name: value for name, value in given.items() if name not in {s.name for s in entry.settings}}
        if entry.settings:
            with st.grid(3, min_column_width=220, gap="small"):
                for setting in entry.settings:
                    out[setting.name] = self._setting(setting, given.get(setting.name, setting.default))
        return out

    def _setting(self, setting: Setting, value: Any) -> Any:
        label = setting.name.replace("_", " ").capitalize()
        key = self.key(f"setting_{setting.name}")
        if setting.choices is not None:
            options = list(setting.choices) + ([value] if value not in setting.choices else [])
            return st.selectbox(label, options, index=options.index(value), key=key, help=setting.help)
        if isinstance(setting.default, bool):
            return st.toggle(label, value is True, key=key, help=setting.help)
        if isinstance(setting.default, str):
            return st.text_input(label, str(value), key=key, help=setting.help)
        whole = isinstance(setting.default, int)
        start = value if isinstance(value, (int, float)) and not isinstance(value, bool) else setting.default
        start = int(start) if whole and float(start).is_integer() else float(start)
        format_ = "%d" if isinstance(start, int) else "%g"
        return st.number_input(label, value=start, format=format_, key=key, help=setting.help)

    # --- the search space -------------------------------------------------------------------------------------

    def space(self, entry: ObjectiveEntry | None) -> tuple[dict[str, Any], list[InvalidInput]]:
        """parameters and constraints, and what in the table can't be read."""
        edited = st.data_editor(
            space_table.to_frame(self.draft.get("parameters")),
            key=self.key("parameters"),
            num_rows="dynamic",
            hide_index=True,
            height="content",
            placeholder="",
            column_config=draft_parts.space_columns(),
            alt="Parameters of the search space",
        )
        parameters, errors = space_table.from_frame(edited, self.draft.get("parameters"))
        if entry is not None:
            self._further(entry, parameters)
            draft_parts.baseline(entry, parameters)
        left, right = st.columns([2, 3], gap="medium")
        with left:
            lines = st.text_area(
                "Constraints",
                draft_parts.lines_text(self.draft.get("constraints")),
                key=self.key("constraints"),
                placeholder="fast < slow",
                help="One a line. Every suggestion satisfies them: compare parameters with <, <=, ==, and, or, not, "
                "arithmetic, and abs, exp, log, sqrt, min, max.",
            )
            constraints = [line.strip() for line in lines.splitlines() if line.strip()]
            draft_parts.mark_constraints(constraints, list(parameters))
        with right:
            draft_parts.preview(parameters, constraints)
        return {"parameters": parameters, "constraints": constraints}, errors

    def _further(self, entry: ObjectiveEntry, parameters: Mapping[str, Any]) -> None:
        """Parameters that the objective knows and the table lacks, to be added with a click."""
        names = [name for name in (*entry.space.names, *entry.further) if name not in parameters]
        if not names:
            return
        st.selectbox(
            "Add a parameter of this objective",
            names,
            index=None,
            placeholder=f"Add another parameter of this objective ({len(names)})",
            label_visibility="collapsed",
            key=self.key("further"),
            on_change=self._add_parameter,
            args=(entry,),
        )

    def _add_parameter(self, entry: ObjectiveEntry) -> None:
        name = st.session_state[self.key("further")]
        if not name:
            return
        definition = (
            drafts.further_parameter(entry, name)
            if name in entry.further
            else entry.space.to_dict()["parameters"][name]
        )
        current = st.session_state.get("draft_current") or self.draft
        self.replace({**current, "parameters": {**current["parameters"], name: definition}})

    # --- goals --------------------------------------------------------------------------------------------------

    def goals(self, entry: ObjectiveEntry | None) -> dict[str, Any]:
        """objectives and outcome_constraints."""
        given = self.draft.get("objectives")
        rows = [row if isinstance(row, Mapping) else {} for row in given] if isinstance(given, (list, tuple)) else []
        outcomes = list(entry.outcomes) if entry is not None else []
        objectives = [self._goal(i, row, outcomes, last=len(rows) == 1) for i, row in enumerate(rows)]
        st.button(
            "Add an objective",
            icon=":material/add:",
            type="tertiary",
            key=self.key("add_goal"),
            on_click=self._add_goal,
            args=(outcomes,),
            help="With several objectives the best value shown is that of the first.",
        )
        lines = st.text_area(
            "Limits on outcomes",
            draft_parts.lines_text(self.draft.get("outcome_constraints")),
            key=self.key("limits"),
            placeholder="max_drawdown <= 0.35",
            help="One a line, outcome <= number or >= number. A trial that breaks one is never the best.",
        )
        limits = [line.strip() for line in lines.splitlines() if line.strip()]
        return {"objectives": objectives, "outcome_constraints": limits}

    def _goal(self, i: int, row: Mapping[str, Any], outcomes: Sequence[str], *, last: bool) -> dict[str, Any]:
        name, direction = row.get("name"), row.get("direction", "minimize")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            label = "Optimise" if i == 0 else "and"
            if outcomes:
                options = list(outcomes) + ([name] if name not in outcomes else [])
                name = st.selectbox(label, options, index=options.index(name), key=self.key(f"goal_{i}"))
            else:
                name = st.text_input(label, str(name or ""), key=self.key(f"goal_{i}"))
            chosen = st.segmented_control(
                "Direction",
                DIRECTIONS,
                default=direction if direction in DIRECTIONS else None,
                key=self.key(f"direction_{i}"),
                label_visibility="collapsed",
                required=True,
            )
            if not last:
                st.button(
                    "Remove",
                    icon=":material/delete:",
                    type="tertiary",
                    key=self.key(f"remove_goal_{i}"),
                    on_click=self._remove_goal,
                    args=(i,),
                )
        return {"name": name, "direction": chosen or direction}

    def _add_goal(self, outcomes: Sequence[str]) -> None:
        current = st.session_state.get("draft_current") or self.draft
        taken = {row["name"] for row in current["objectives"]}
        name = next((o for o in outcomes if o not in taken), f"value_{len(taken) + 1}")
        self.replace({**current, "objectives": [*current["objectives"], {"name": name, "direction": "minimize"}]})

    def _remove_goal(self, i: int) -> None:
        current = st.session_state.get("draft_current") or self.draft
        self.replace({**current, "objectives": [row for j, row in enumerate(current["objectives"]) if j != i]})

    # --- budget and running -------------------------------------------------------------------------------------

    def running(self) -> dict[str, Any]:
        """budget, workers, seed, trial_timeout, max_attempts."""
        draft = self.draft
        budget = draft.get("budget")
        budget = dict(budget) if isinstance(budget, Mapping) else {}
        left, right = st.columns(2)
        with left:
            budget["trials"] = self._number(
                "Trials", "trials", budget.get("trials", 50), "Finished trials that end it."
            )
            workers = self._number("Workers", "workers", draft.get("workers", 1), "Trials that run at the same time.")
            timeout = self._number(
                "Time limit of a trial (s)",
                "trial_timeout",
                draft.get("trial_timeout", 600),
                "A trial that takes longer is killed and fails.",
            )
        with right:
            seconds = self._number(
                "Time limit of the study (s)",
                "seconds",
                budget.pop("seconds", None),
                "After that nothing new starts. Empty: no limit.",
            )
            seed = self._number("Seed", "seed", draft.get("seed", 0), "The same seed and results give the same trials.")
            attempts = self._number(
                "Runs of a lost trial",
                "max_attempts",
                draft.get("max_attempts", 3),
                "How often a trial whose worker died is run before it fails.",
            )
        if seconds is not None:
            budget["seconds"] = seconds
        return {
            "budget": budget,
            "workers": workers,
            "seed": seed,
            "trial_timeout": timeout,
            "max_attempts": attempts,
        }

    def _number(self, label: str, name: str, value: Any, help_: str) -> Any:
        """A whole number; the checker of studies says what is wrong with it, so that it is said once."""
        usable = isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
        start = int(value) if usable and abs(value) < 2**53 else None
        return st.number_input(
            label, value=start, step=1, format="%d", key=self.key(name), help=help_, placeholder="No limit"
        )
