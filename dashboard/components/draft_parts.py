"""Around the widgets of the New study form: outcomes, the baseline, checked constraints, points of the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import drafts
from dashboard.components import space_table
from dashboard.components.text import count, number, plain
from engine.errors import InvalidInput, TunedeskError
from engine.objectives import ObjectiveEntry, catalogue
from engine.space import SearchSpace
from engine.space.constraints import Constraint

SAMPLES = 5
SHARE_SAMPLES = 4096
OTHER = "other"
"""Stands in the list of objectives for a function of an allowed module."""


def objective_title(path: str) -> str:
    if path == drafts.MANUAL:
        return "Manual – results are reported"
    if path == OTHER:
        return "Another function that is allowed here"
    entry = catalogue()[path]
    return f"{entry.title} – {entry.area}"


def outcomes(entry: ObjectiveEntry) -> None:
    with st.expander(f"What a trial reports: {count(len(entry.outcomes), 'outcome')}", icon=":material/output:"):
        st.dataframe(
            pd.DataFrame({"Outcome": list(entry.outcomes), "Meaning": list(entry.outcomes.values())}),
            hide_index=True,
            height="content",
            column_config={"Outcome": st.column_config.TextColumn(width="medium")},
            alt="Outcomes of the objective and their meaning",
        )


def baseline(entry: ObjectiveEntry, parameters: Mapping[str, Any]) -> None:
    shown = [f"{plain(name)} **{plain(shown_value(value))}**" for name, value in entry.defaults.items()]
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    st.caption(
        f"The baseline, which every result is compared with: {', '.join(shown[:8])}{more}. "
        "A parameter that isn't in the table stays at its baseline."
    )


def space_columns() -> dict[str, Any]:
    config = st.column_config
    return {
        "name": config.TextColumn("Name", width=150, required=True),
        "type": config.SelectboxColumn("Type", width=105, options=space_table.TYPES, default="float", required=True),
        "low": config.NumberColumn("Low", width=80, format="%.10g"),
        "high": config.NumberColumn("High", width=80, format="%.10g"),
        "log": config.CheckboxColumn(
            "Log", width=55, default=False, help="Spaces values by their logarithm: for what spans orders of magnitude."
        ),
        "step": config.NumberColumn("Step", width=65, format="%.10g", help="Distance of allowed values, from low on."),
        "choices": config.TextColumn("Choices", width=190, help="Of a categorical, with commas: sma, ema, wma"),
        "when": config.TextColumn(
            "Only when", width=190, help="When the parameter matters at all: kernel = rbf, matern and mode = fast"
        ),
    }


def mark_constraints(lines: Sequence[str], names: Sequence[str]) -> None:
    """Which lines can be used; what is wrong with the others is said with the section's errors."""
    marks = []
    for line in lines:
        try:
            Constraint(line, names)
        except InvalidInput:
            marks.append(f":red[:material/close:] {plain(line)}")
        else:
            marks.append(f":green[:material/check:] {plain(line)}")
    if marks:
        st.caption("  \n".join(marks))


def lines_text(lines: Any) -> str:
    if isinstance(lines, str):
        return lines
    return "\n".join(map(str, lines)) if isinstance(lines, (list, tuple)) else ""


def preview(parameters: Mapping[str, Any], constraints: Sequence[str]) -> None:
    """The feasible share of the box and some points of it, or nothing while the space can't be read."""
    result = sample(repr(parameters), list(constraints), parameters)
    if result is None:
        st.caption("Points of the space appear here as soon as it can be read.")
        return
    share, size, points = result
    words = [f"**{number(100 * share, 3)} %** of the box is feasible" if constraints else "The whole box is feasible"]
    if size is not None:
        words.append(f"{size:,} configurations")
    st.caption(f"{', '.join(words)}. {SAMPLES} points of it:")
    frame = pd.DataFrame([{name: shown_value(value) for name, value in point.items()} for point in points])
    frame = frame.reindex(columns=[name for name in parameters if name in frame.columns])
    st.dataframe(frame, hide_index=True, height="content", placeholder="", alt="Points sampled from the search space")


@st.cache_data(max_entries=200, show_spinner=False)
def sample(
    key: str, constraints: list[str], _parameters: Mapping[str, Any]
) -> tuple[float, int | None, list[dict[str, Any]]] | None:
    """(share of the box that satisfies the constraints, number of cells if finite, sample points) or None."""
    try:
        space = SearchSpace.from_dict({"parameters": _parameters, "constraints": constraints})
        rng = np.random.default_rng(0)
        X = space.snap(rng.random((SHARE_SAMPLES, len(space))))
        return float(space.feasible(X).mean()), space.size, space.decode(space.sample(SAMPLES, rng))
    except TunedeskError:
        return None


def shown_value(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)
