"""How one study goes: the figures, the best so far, what a colleague would point out, what runs next, every trial."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from dashboard import data, pictures
from dashboard.components import live, study_header, trial_drawer, trials_table
from dashboard.components.card import card, dark, guarded, narrow
from dashboard.components.live_chart import live_chart
from dashboard.components.text import ago, count, number, plain
from dashboard.figures.progress import outside_view, progress_figure, progress_text
from engine.analysis import Progress, duration_words, explain, forecast, health
from engine.analysis.axes import format_value
from engine.analysis.finish import RECENT
from engine.analysis.trust import Level
from engine.store.records import ModelRecord, StudyRecord, TrialRecord

MODEL_TRIALS = 3000  # above it the model is judged on its own page only: no page costs O(all trials)
HOVER_TRIALS = 500  # trials whose parameters travel with the chart for its hovers; above it, a click shows them
LEVELS: dict[Level, str] = {
    "good": ":green[:material/check_circle:]",
    "watch": ":orange[:material/visibility:]",
    "bad": ":red[:material/error:]",
    "unknown": ":gray[:material/hourglass_empty:]",
}


def baseline(study: StudyRecord) -> float | None:
    """The first objective of the trial that ran the objective's defaults."""
    first, _ = data.trials(study.id, study.revision, limit=1)
    if not first or first[0].origin != "default":
        return None
    return first[0].values.get(study.spec.objectives[0].name)


def figures_row(study: StudyRecord) -> None:
    """The row of figures, and under it the Live toggle. A part of the page's live fragment."""
    with guarded("The row of figures"):
        objective, base = study.spec.objectives[0], baseline(study)
        with st.grid(4, min_column_width=150, gap="small"):
            best_metric(study, base)
            share = study.n_finished / study.spec.budget_trials
            st.metric(
                "Trials", f"{study.n_finished:,} / {study.spec.budget_trials:,}", delta=f"{share:.0%} of the budget",
                delta_color="off", delta_arrow="off", border=True, height="stretch",
            )  # fmt: skip
            lost = study.n_failed + study.n_infeasible
            st.metric(
                "Lost trials", f"{lost:,}", border=True, height="stretch",
                delta=f"{study.n_failed:,} failed, {study.n_infeasible:,} not evaluable", delta_color="off",
                delta_arrow="off", help="Failed: an error, a time limit, a worker that died. Not evaluable: the "
                "objective said that the parameters make no sense there.",
            )  # fmt: skip
            time_metric(study)
        if base is None and study.n_finished and not study.spec.manual:
            st.caption(f"The defaults gave no {plain(objective.name)} to compare with.")
    live.bar(study, hold=trial_drawer.wanted() is not None)


def best_metric(study: StudyRecord, base: float | None) -> None:
    objective = study.spec.objectives[0]
    label = f"Best {plain(objective.name)}"
    if study.best_value is None:
        st.metric(label, "–", delta="no feasible trial yet", delta_color="off", delta_arrow="off", border=True,
                  height="stretch")  # fmt: skip
        return
    gain = None if base is None else study.best_value - base
    better: Literal["normal", "inverse"] = "normal" if objective.sign < 0 else "inverse"
    delta = "no baseline" if gain is None else f"{gain:+.3g} vs defaults {number(base, 3)}"
    flat = gain is None or gain == 0
    st.metric(
        label, number(study.best_value), delta=delta, delta_color="off" if flat else better,
        delta_arrow="off" if flat else "auto", border=True, height="stretch",
        help=f"Trial #{study.best_number}, the best feasible one as observed.",
    )  # fmt: skip


def time_metric(study: StudyRecord) -> None:
    if study.started_at is None:
        st.metric("Time", "–", delta="not started", delta_color="off", delta_arrow="off", border=True, height="stretch")
        return
    recent, _ = data.trials(study.id, study.revision, sort="finished_order", descending=True, limit=RECENT)
    seen = forecast(
        [t.finished_at for t in recent], study.n_finished, study.spec.budget_trials,
        running=study.state in ("running", "stopping"),
    )  # fmt: skip
    ended = study.finished_at is not None
    elapsed = (study.finished_at or study.now) - study.started_at
    pace = f"; {duration_words(seen.per_trial)} a trial" if seen.per_trial else ""
    st.metric(
        "Took" if ended else "Running for", duration_words(elapsed),
        delta=f"{duration_words(elapsed / study.n_finished)} a trial" if ended and study.n_finished
        else seen.text.rstrip(".") + pace,
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help="The estimate takes the pace of the latest trials, all workers together.",
    )  # fmt: skip


def progress_card(study: StudyRecord, curve: Progress) -> None:
    objective = study.spec.objectives[0]
    with card(f"Best {plain(objective.name)} so far"):
        if not study.n_finished:
            st.info("The first point appears when the first trial has finished.", icon=":material/hourglass_empty:")
            return
        base = baseline(study)
        log = False
        if len(curve.value) and curve.value.min() > 0:
            log = st.toggle("Log scale", key="overview_log", help="Values on a logarithmic axis.")
        params = None
        if study.n_finished <= HOVER_TRIALS:
            params = {t.number: t.params for t in data.finished(study.id, study.revision)}
        figure = progress_figure(curve, dark=dark(), log=log, baseline=base, params=params)
        clicked = live_chart(
            figure, progress_text(curve, base), key="overview_progress", view=f"{study.id} {log}", buttons=not narrow()
        )
        notes = [f"Shows {curve.computed_on}."]
        if hidden := outside_view(curve, base):
            notes.append(f"Outside the view, far from the rest: {count(hidden, 'trial')}; a double click shows them.")
        notes.append("Click a point for its trial.")
        st.caption(" ".join(notes))
        if clicked is not None:
            trial_drawer.select(clicked)


def health_card(study: StudyRecord, curve: Progress) -> None:
    with card("Health", help="What a careful colleague would point out. Worst first."):
        trusted = None
        with guarded("The judgement of the model"):
            model = pictures.model(study) if study.n_finished <= MODEL_TRIALS else None
            if model is not None and model.surrogate.has_objective:
                trusted = pictures.model_trust(model, study.spec.objectives[0].name)
        best = None if study.best_number is None else data.store().get_trial(study.id, study.best_number)
        misses = None
        if study.spec.outcome_constraints:
            misses = int((curve.status == "infeasible").sum()), len(curve.numbers)
        for check in health(
            study.spec.space, curve, incumbent=None if best is None else best.params,
            n_complete=study.n_complete, n_failed=study.n_failed, n_infeasible=study.n_infeasible,
            constraint_misses=misses, trust=trusted,
        ):  # fmt: skip
            if check.name == "model" and study.n_finished > MODEL_TRIALS:
                st.markdown(f"{LEVELS['unknown']} **Model.** With so many trials it is judged on the Surrogate page.")
                continue
            st.markdown(f"{LEVELS[check.level]} **{check.title}.** {plain(check.text)}")


def next_card(study: StudyRecord) -> None:
    with card("Next", help="What runs now, and where the model would look next."):
        running = data.unfinished(study.id, study.revision)
        for trial in running[:3]:
            why = trial.reason.get("summary") or trial.reason.get("text") or ""
            st.markdown(f"**#{trial.number} {trial.state}** with {params_words(trial)}")
            if why:
                st.caption(plain(str(why)))
        if len(running) > 3:
            st.caption(f"and {len(running) - 3} more.")
        record = data.model(study.id, study.revision)
        fresh = [] if record is None else untried(study, record, running)
        if record is None or not fresh:
            if not running:
                st.caption("Nothing runs or waits." if study.n_finished else "The initial design comes first.")
            return
        objective = study.spec.objectives[0]
        told = []
        if record.n_observations <= MODEL_TRIALS:
            told = data.finished(study.id, study.revision, upto=record.n_observations)
        tried = [(t.number, t.params) for t in told]
        seen = explain(fresh[0], objective, study.best_value, study.spec.space, tried)
        st.markdown(
            f"**The model's choice after {count(record.n_observations, 'trial')}** predicts {plain(objective.name)} "
            f"**{number(seen.mean)} ± {number(seen.std, 2)}**."
        )
        table = {name: [format_value(value)] for name, value in seen.params.items()}
        st.dataframe(table, hide_index=True, height="content", alt="Parameters of the model's next candidate")
        st.caption(plain(seen.text))
        st.page_link("app_pages/surrogate.py", label="See the model", icon=":material/ssid_chart:",
                     query_params={"study": study.id})  # fmt: skip


def untried(study: StudyRecord, record: ModelRecord, running: list[TrialRecord]) -> list[dict[str, Any]]:
    """The model's candidates that neither run nor have finished since."""
    key = study.spec.space.key
    since = data.store().finished_trials(study.id, after=record.n_observations)
    seen = {key(t.params) for t in [*running, *since]}
    return [c for c in record.candidates if key(c["params"]) not in seen]


def params_words(trial: TrialRecord) -> str:
    return plain(", ".join(f"{k} = {format_value(v)}" for k, v in trial.params.items()))


def events_card(study: StudyRecord) -> None:
    with card("What happened"):
        rows = data.events(study.id, study.revision, limit=8)
        if not rows:
            st.caption("Nothing yet.")
        for event in rows:
            st.markdown(
                f":gray[{ago(study.now - event.at)}]  {plain(event.text)}  :gray[· {plain(event.actor)}]",
            )


newest = study_header.require_study()
study = live.shown(newest)
study_header.show(newest, live=figures_row)
curve = pictures.study_progress(study)
left, right = st.columns([2, 1], gap="small")
with left:
    progress_card(study, curve)
    next_card(study)
with right:
    health_card(study, curve)
    events_card(study)
with card("Trials"):
    trials_table.show(study)
trial_drawer.show(study)
