"""What the model believes: maps and slices with their uncertainty, where it looks next, and how far to trust it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import data, pictures
from dashboard.components import live, study_header, trial_drawer
from dashboard.components.card import card, chart, dark, guarded, narrow
from dashboard.components.text import count, number, plain
from dashboard.figures.slices import slices_figure, slices_text
from dashboard.figures.surface import surface_figure, surface_text
from dashboard.figures.surface3d import surface3d_figure
from dashboard.figures.trust import trust_figure, trust_text
from dashboard.pictures import Model
from engine.analysis import Trust, anchor_row, explain
from engine.analysis.axes import format_value, grid
from engine.analysis.trust import Level
from engine.space import Categorical, Objective
from engine.store.records import ACTIVE_STUDIES, StudyRecord, TrialRecord

BEST, CENTRE, TRIAL = "Best trial", "Centre of the space", "A trial"
BADGES: dict[Level, tuple[str, str]] = {
    "good": (":material/verified:", "green"),
    "watch": (":material/visibility:", "orange"),
    "bad": (":material/error:", "red"),
    "unknown": (":material/hourglass_empty:", "gray"),
}
SLICES_SHOWN = 12  # the strongest come first; all on request
SUCCESS = "success"  # the engine's name for "did the trial run?", modelled where trials fail


def new_model_bar(study: StudyRecord) -> None:
    live.bar(study, hold=trial_drawer.wanted() is not None or st.session_state.get("surrogate_replaying", False))


def explain_absence(study: StudyRecord) -> None:
    """Why there is no picture yet, and when there will be one."""
    if study.n_finished == 0:
        st.info(
            "The model starts after the initial design: a few trials spread over the space. None has finished yet.",
            title="No model yet", icon=":material/hourglass_empty:",
        )  # fmt: skip
        return
    first = study.spec.optimizer.get("initial") or min(12, max(4, len(study.spec.space) + 1))
    missing = max(0, int(first) - study.n_finished)
    if study.n_complete == 0:
        text = (
            f"{count(study.n_finished, 'trial')} finished, but none gave a value: there is nothing to model. "
            "The Overview shows what went wrong."
        )
    elif missing and study.state in ACTIVE_STUDIES:
        text = (
            f"The initial design needs about {count(missing, 'more trial')} ({study.n_finished} of {first} finished): "
            "a few points spread over the space, before a model is worth looking at."
        )
    elif study.state in ACTIVE_STUDIES:
        text = "The initial design has finished: the first model appears with the next suggestion."
    else:
        text = f"The study ended after {count(study.n_finished, 'trial')}, before its first model."
    st.info(text, title="No model yet", icon=":material/hourglass_empty:")


def choose_model(study: StudyRecord) -> Model | None:
    """The model to show: the latest, or an earlier one by the replay slider."""
    kept = [n for n, _ in data.models(study.id, study.revision)]
    chosen = None
    if len(kept) > 1:
        with st.popover("Replay", icon=":material/history:", help="Show what the model believed earlier."):
            key = f"surrogate_replay_{study.id}_{kept[-1]}"
            chosen = st.select_slider(
                "Finished trials that the model had seen", kept, value=kept[-1], key=key,
                help="Each step is the model as the engine had it then, rebuilt exactly.",
            )  # fmt: skip
    replaying = chosen is not None and chosen != kept[-1]
    st.session_state["surrogate_replaying"] = replaying  # a live page stays where it is meanwhile
    return pictures.model(study, chosen if replaying else None)


def choose_outcome(model: Model) -> str:
    names = list(model.surrogate.outcomes)
    if len(names) == 1:
        return names[0]
    return st.selectbox(
        "Outcome", names, key="surrogate_outcome", bind="query-params", width=200,
        format_func=lambda n: "chance to succeed" if n == SUCCESS else n,
    )  # fmt: skip


def choose_anchor(model: Model) -> tuple[str, dict[str, Any] | None]:
    """(a key of the choice, the configuration that the other parameters are held at; None for the centre)."""
    best = model.incumbent
    options = [BEST, CENTRE, TRIAL] if best is not None else [CENTRE, TRIAL]
    choice = st.segmented_control(
        "Others held at", options, default=options[0], required=True, key="surrogate_anchor",
        help="A slice and a map vary one or two parameters. The others stay at this point.",
    )  # fmt: skip
    if choice == BEST and best is not None:
        return f"trial {best.number}", dict(best.params)
    if choice == TRIAL:
        numbers = [t.number for t in model.trials]
        n = st.number_input("Trial", 0, max(numbers), min(numbers), key="surrogate_trial", width=120)
        found = next((t for t in model.trials if t.number == n), None)
        if found is not None:
            return f"trial {n}", dict(found.params)
        st.caption(f"Trial {n} isn't among the {len(numbers)} that this model had seen: the centre is shown.")
    return "centre", None


def adjust(model: Model, anchor_key: str, anchor: dict[str, Any] | None) -> dict[str, Any]:
    """The anchor after the sliders: each starts at the anchor's value and moves every picture."""
    space = model.spec.space
    start = space.decode(space.snap(anchor_row(space, anchor)[None, :]))[0]
    out = dict(start)
    with st.expander("Move the held parameters", icon=":material/tune:"), st.grid(4, min_column_width=190):
        for p in space:
            if p.name not in start:
                continue
            key = f"hold_{model.study_id}_{anchor_key}_{p.name}"
            if isinstance(p, Categorical):
                out[p.name] = st.selectbox(
                    p.name, p.choices, index=p.index(start[p.name]), key=key, format_func=format_value
                )
            else:
                steps = sorted({*(p.native(v) for v in grid(p, 81)[0]), start[p.name]})
                out[p.name] = st.select_slider(p.name, steps, value=start[p.name], key=key, format_func=format_value)
    if not space.feasible(space.encode([out]))[0]:
        st.caption(
            f":orange[:material/warning:] This point breaks {plain(', '.join(c.text for c in space.constraints))}: "
            "curves pass through a point that the engine would never try."
        )
    return out


def objective_of(model: Model, outcome: str) -> Objective:
    """The outcome with the direction that is better; of a limited one, the direction away from its limit."""
    spec = model.spec
    for o in spec.objectives:
        if o.name == outcome:
            return o
    limit = next((c for c in spec.outcome_constraints if c.name == outcome), None)
    return Objective(outcome, "minimize" if limit is not None and limit.upper else "maximize")


def trust_line(study: StudyRecord, model: Model, trusted: Trust) -> None:
    """The verdict in a line: can this picture be believed?"""
    icon, colour = BADGES[trusted.level]
    finished = study.n_finished
    seen = (
        f"the model after {model.n:,} of {finished:,} finished trials"
        if model.n < finished
        else (f"the model after all {finished:,} finished trials")
    )
    st.markdown(
        f":{colour}-badge[{icon} {trusted.headline}] {plain(trusted.text)} "
        f":gray[Judged on {trusted.n:,} values, each predicted without itself. This is {seen}.]"
    )


def maps_card(study: StudyRecord, model: Model, outcome: str, anchor: dict[str, Any]) -> None:
    space = model.spec.space
    with card("Two parameters", help="The other parameters are held at the point chosen above."):
        active = [n for n in space.names if n in anchor]
        if len(active) < 2:
            st.info("The space has a single active parameter here: its slice below shows everything.")
            return
        first, second = strongest_pair(model, outcome, anchor, active)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            x = st.selectbox("Across", active, index=active.index(first), key=f"map_x_{model.study_id}", width=190)
            rest = [n for n in active if n != x]
            y = st.selectbox(
                "Up", rest, index=rest.index(second if second != x else first), key=f"map_y_{model.study_id}_{x}",
                width=190,
            )  # fmt: skip
            view = st.segmented_control(
                "View", ["Maps", "Landscape"], default="Maps", required=True, key="map_view",
                help="Maps: mean, deviation and acquisition side by side. Landscape: the mean in 3-D, coloured by its "
                "deviation.",
            )  # fmt: skip
        objective = objective_of(model, outcome)
        surface, near = pictures.model_surface(model, outcome, x, y, anchor)
        seen = pictures.model_observations(model, outcome)
        what = (study.id, model.n, outcome, x, y, repr(anchor), dark())
        if view == "Landscape":
            figure = pictures.figure(
                (*what, "landscape"), lambda: surface3d_figure(surface, seen, outcome=outcome, dark=dark())
            )
            chart(figure, surface_text(surface, objective), key="surrogate_landscape")
        else:
            best, pending = model.incumbent, [t.params for t in running(study, model)]
            figure = pictures.figure(
                (*what, "maps", narrow(), tuple(map(str, pending))),
                lambda: surface_figure(
                    surface, seen, near, objective=objective, dark=dark(), stacked=narrow(),
                    incumbent=None if best is None else best.params,
                    candidates=[c["params"] for c in model.record.candidates[:3]], pending=pending,
                ),
            )  # fmt: skip
            event = chart(
                figure, surface_text(surface, objective), key="surrogate_maps", on_select="rerun",
                selection_mode="points",
            )  # fmt: skip
            if trial_drawer.open_clicked(event, "surrogate_maps"):
                st.rerun()
        words = f"Points are {seen.computed_on}"
        if view == "Maps":
            words += (
                ", fainter the farther their other parameters are. The acquisition is the engine's own: expected "
                "improvement times the chance of being feasible, on a scale of powers of ten"
            )
        st.caption(f"{words}.")


def strongest_pair(model: Model, outcome: str, anchor: dict[str, Any], active: list[str]) -> tuple[str, str]:
    """The two parameters that the model says matter most: the shortest lengthscales."""
    scales = model.surrogate.lengthscales(outcome)
    ordered = sorted(active, key=lambda n: scales.get(n, float("inf")))
    pair = sorted(ordered[:2], key=active.index)
    return pair[0], pair[1]


def running(study: StudyRecord, model: Model) -> list[TrialRecord]:
    """Trials that run now, if the model is the latest."""
    newest = data.model(study.id, study.revision)
    if newest is None or newest.n_observations != model.n:
        return []
    return data.unfinished(study.id, study.revision)


def slices_card(model: Model, outcome: str, anchor: dict[str, Any]) -> None:
    with card("Every parameter alone", help="Each panel varies one parameter; the dotted line marks the held point."):
        parts, near = pictures.model_slices(model, outcome, anchor)
        order = sorted(range(len(parts)), key=lambda i: -parts[i].effect)
        if len(order) > SLICES_SHOWN:
            everything = st.toggle(f"All {len(order)} parameters", key="slices_all")
            order = order if everything else order[:SLICES_SHOWN]
        seen = pictures.model_observations(model, outcome)
        best = model.incumbent
        candidates = model.record.candidates
        shown = [parts[i] for i in order]
        figure = pictures.figure(
            (model.study_id, model.n, outcome, len(shown), repr(anchor), dark(), "slices", narrow()),
            lambda: slices_figure(
                shown, seen, near[:, order], outcome="chance to succeed" if outcome == SUCCESS else outcome,
                dark=dark(), columns=1 if narrow() else 3, incumbent=None if best is None else best.params,
                incumbent_value=None if best is None else best.values.get(outcome),
                candidate=candidates[0]["params"] if candidates else None,
            ),
        )  # fmt: skip
        chart(figure, slices_text(shown, outcome), key="surrogate_slices")
        st.caption(
            f"The parameter that moves {plain(outcome)} most comes first. Points are {seen.computed_on}: the nearer a "
            "trial lies to the slice in its other parameters, the stronger it is drawn."
        )


def candidates_card(study: StudyRecord, model: Model) -> None:
    with card("Where it looks next"):
        candidates = model.record.candidates
        if not candidates:
            ended = "The study has ended: no further candidate was sought. Replay shows those of earlier models."
            st.caption("No candidates came with this model." if study.state in ACTIVE_STUDIES else ended)
            return
        objective, best = model.spec.objectives[0], model.incumbent
        value = None if best is None else best.values.get(objective.name)
        tried = [(t.number, t.params) for t in model.trials]
        rows = []
        for rank, candidate in enumerate(candidates[:3], 1):
            seen = explain(candidate, objective, value, model.spec.space, tried)
            rows.append((rank, candidate, seen))
        columns: dict[str, list[Any]] = {"": [f"◆ {rank}" for rank, _, _ in rows]}
        columns[f"Predicted {objective.name}"] = [f"{number(s.mean)} ± {number(s.std, 2)}" for _, _, s in rows]
        columns["Chance to beat the best"] = ["–" if s.p_better is None else f"{s.p_better:.0%}" for _, _, s in rows]
        columns["Expected gain"] = [number(s.gain, 2) for _, _, s in rows]
        if any(s.p_feasible is not None and s.p_feasible < 0.995 for _, _, s in rows):
            columns["Feasible"] = ["–" if s.p_feasible is None else f"{s.p_feasible:.0%}" for _, _, s in rows]
        for name in model.spec.space.names:
            columns[name] = [format_value(c["params"][name]) if name in c["params"] else "" for _, c, _ in rows]
        st.dataframe(columns, hide_index=True, alt="The engine's top candidates with prediction and parameters")
        st.caption(plain(rows[0][2].text))


def trust_card(model: Model, outcome: str, trusted: Trust) -> None:
    with card(
        "Can it be believed?",
        help="Each trial is predicted by the model without it. Left: predictions against what came out. Right: how "
        "often the model's intervals held the value.",
    ):
        complete = [t for t in model.trials if t.state == "complete" and outcome in t.values]
        same = len(complete) == trusted.n
        figure = pictures.figure(
            (model.study_id, model.n, outcome, dark(), "trust", narrow()),
            lambda: trust_figure(
                trusted, dark=dark(), stacked=narrow(), numbers=[t.number for t in complete] if same else None,
                params=[t.params for t in complete] if same else None,
            ),
        )  # fmt: skip
        chart(figure, trust_text(trusted), key="surrogate_trust")
        st.caption(f"Leave-one-out on {trusted.n:,} trials. {plain(trusted.text)}")


def body(study: StudyRecord) -> None:
    """Controls and pictures; runs alone when a control moves. What goes wrong in it stays in it."""
    with guarded("The model"):
        pictures_of(study)


def pictures_of(study: StudyRecord) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        model = choose_model(study)
        if model is None:
            explain_absence(study)
            return
        if not model.surrogate.has_objective:
            st.info("No trial has completed: the model only knows where trials fail.", icon=":material/block:")
        outcome = choose_outcome(model)
        anchor_key, anchor = choose_anchor(model)
    held = adjust(model, anchor_key, anchor)
    trusted = None
    with guarded("The trust verdict"):
        trusted = pictures.model_trust(model, outcome)
        trust_line(study, model, trusted)
    maps_card(study, model, outcome, held)
    candidates_card(study, model)
    slices_card(model, outcome, held)
    if trusted is not None:
        trust_card(model, outcome, trusted)


newest = study_header.require_study()
study = live.shown(newest)
study_header.show(newest, live=new_model_bar)
st.fragment(body, key="surrogate_body")(study)
trial_drawer.show(study)
