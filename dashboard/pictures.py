"""What the pictures are drawn from: rebuilt models and the analyses on them, through bounded caches.

Keyed by (store, study, n_observations, settings): a model that has seen n trials never changes. Nothing is fitted here.
Cached values are shared between sessions and never copied: treat them as read-only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from dashboard import data
from engine.analysis import (
    Observations,
    Progress,
    Slice,
    Surface,
    Trust,
    anchor_row,
    closeness,
    closeness_to_plane,
    observations,
    progress,
    slices,
    surface,
    trust,
)
from engine.analysis.surface import grid_points
from engine.optimizer import Surrogate, rebuild
from engine.store.records import ModelRecord, StudyRecord, TrialRecord
from engine.study import StudySpec


@dataclass(frozen=True)
class Model:
    """A surrogate as it stood after ``n`` finished trials, and what it is drawn with."""

    study_id: str
    spec: StudySpec
    n: int
    record: ModelRecord
    surrogate: Surrogate
    trials: list[TrialRecord]

    @property
    def incumbent(self) -> TrialRecord | None:
        """The trial that the model holds for the best."""
        params = self.surrogate.incumbent
        if params is None:
            return None
        key = self.spec.space.key
        wanted = key(params)
        return next((t for t in self.trials if t.state == "complete" and key(t.params) == wanted), None)


def model(study: StudyRecord, n: int | None = None) -> Model | None:
    """The latest model of a study, or the newest that had seen at most n trials; None before the first.

    Raises TunedeskError if it can't be rebuilt.
    """
    record = data.model(study.id, study.revision, n)
    return None if record is None else _model(data.store_url(), study.id, record.n_observations, study, record)


@st.cache_resource(max_entries=8, show_spinner=False)
def _model(url: str, study_id: str, n: int, _study: StudyRecord, _record: ModelRecord) -> Model:
    spec, trials = _study.spec, data.finished(study_id, _study.revision, upto=n)
    finished = [(t.params, t.values or None, t.state) for t in trials]
    surrogate = rebuild(spec.space, spec.objectives, spec.outcome_constraints, finished, _record.model)
    return Model(study_id, spec, n, _record, surrogate, trials)


def model_trust(model: Model, outcome: str) -> Trust:
    """Leave-one-out fit of an outcome."""
    return _trust(data.store_url(), model.study_id, model.n, outcome, model)


@st.cache_resource(max_entries=64, show_spinner=False)
def _trust(url: str, study_id: str, n: int, outcome: str, _model: Model) -> Trust:
    return trust(outcome, _model.surrogate.loo(outcome))


def model_observations(model: Model, outcome: str) -> Observations:
    """The trials that the model had seen, as points."""
    return _observations(data.store_url(), model.study_id, model.n, outcome, model)


@st.cache_resource(max_entries=32, show_spinner=False)
def _observations(url: str, study_id: str, n: int, outcome: str, _model: Model) -> Observations:
    return observations(_model.trials, _model.spec.space, outcome)


def model_slices(model: Model, outcome: str, anchor: Mapping[str, Any] | None) -> tuple[list[Slice], np.ndarray]:
    """Slices through an anchor (None: the centre), and how near each observation lies to each."""
    return _slices(data.store_url(), model.study_id, model.n, outcome, repr(anchor), model, anchor)


@st.cache_resource(max_entries=64, show_spinner=False)
def _slices(
    url: str, study_id: str, n: int, outcome: str, anchor: str, _model: Model, _anchor: Mapping[str, Any] | None
) -> tuple[list[Slice], np.ndarray]:
    space = _model.spec.space
    row = anchor_row(space, _anchor)
    seen = model_observations(_model, outcome)
    found = slices(_model.surrogate, space, row, outcome=outcome, with_acquisition=False)
    return found, closeness(space, seen.params, row)


def model_surface(
    model: Model, outcome: str, x: str, y: str, anchor: Mapping[str, Any] | None
) -> tuple[Surface, np.ndarray]:
    """The model over two parameters through an anchor (None: the centre), and how near each observation lies to it."""
    return _surface(data.store_url(), model.study_id, model.n, outcome, x, y, repr(anchor), model, anchor)


@st.cache_resource(max_entries=64, show_spinner=False)
def _surface(
    url: str,
    study_id: str,
    n: int,
    outcome: str,
    x: str,
    y: str,
    anchor: str,
    _model: Model,
    _anchor: Mapping[str, Any] | None,
) -> tuple[Surface, np.ndarray]:
    space = _model.spec.space
    row = anchor_row(space, _anchor)
    found = surface(_model.surrogate, space, x, y, row, outcome=outcome, points=grid_points(_model.n))
    seen = model_observations(_model, outcome)
    return found, closeness_to_plane(space, seen.params, row, (x, y))


def study_progress(study: StudyRecord) -> Progress:
    """Best so far of a study at its revision, on decimated points."""
    points = data.progress(study.id, study.revision)
    return progress(points, study.spec.objectives[0], study.n_finished)


def figure(key: tuple[Any, ...], build: Callable[[], go.Figure]) -> go.Figure:
    """A figure that was built before with the same key; else ``build()``. The key holds all that it depends on."""
    return _figure(data.store_url(), key, build)


@st.cache_resource(max_entries=96, show_spinner=False)
def _figure(url: str, key: tuple[Any, ...], _build: Callable[[], go.Figure]) -> go.Figure:
    return _build()
