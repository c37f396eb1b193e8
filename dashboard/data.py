"""What the pages read: the store, its rows and the catalogue, through bounded caches.

Whatever belongs to a study is keyed by (study, revision, settings): a cached picture can't be stale and no timer
guesses. What is one indexed row (a study, the engines) is read each time.

Cached values are shared between sessions and never copied: treat them as read-only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import streamlit as st

from engine.errors import NotFound
from engine.store import Store
from engine.store.progress import ProgressPoint
from engine.store.records import (
    EngineRecord,
    EventRecord,
    ModelRecord,
    StudyRecord,
    StudyState,
    TrialRecord,
    TrialState,
)

STORE_VARIABLE = "TUNEDESK_STORE"
DEFAULT_STORE = "tunedesk.db"


def store_url() -> str:
    """The store that this dashboard shows: TUNEDESK_STORE, which ``tunedesk dashboard --store`` sets."""
    return os.environ.get(STORE_VARIABLE) or DEFAULT_STORE


def store() -> Store:
    """The store for reading; nothing can be written through it. Raises StoreError in one sentence."""
    return _open(store_url(), readonly=True)


def writable() -> Store:
    """The store for ``engine.governance.actions``, the only place through which pages write."""
    return _open(store_url(), readonly=False)


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(url: str, readonly: bool) -> Store:
    return Store.open(url, readonly=readonly)


# --- one indexed row, read each time ------------------------------------------------------------------


def study(study_id: str) -> StudyRecord:
    """Raises NotFound. ``study_id`` is a whole id: an address must never lead to another study."""
    found = store().get_study(study_id)
    if found.id != study_id:
        raise NotFound(f"There is no study {study_id!r}.")
    return found


def studies(
    *,
    search: str = "",
    states: Sequence[StudyState] | None = None,
    sort: str = "created_at",
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
    include_archived: bool = False,
) -> tuple[list[StudyRecord], int]:
    """One page of studies, and how many fit the filter in all."""
    return store().list_studies(
        search=search,
        states=states,
        sort=sort,
        descending=descending,
        limit=limit,
        offset=offset,
        include_archived=include_archived,
    )


def engines() -> list[EngineRecord]:
    return store().engines()


# --- of a study at a revision: cached ---------------------------------------------------------------------


def progress(study_id: str, revision: int, max_points: int = 2000) -> list[ProgressPoint]:
    """Finished trials for a progress chart, decimated in SQL; incumbents and failures are kept."""
    return _progress(store_url(), study_id, revision, max_points)


def trials(
    study_id: str,
    revision: int,
    *,
    states: Sequence[TrialState] | None = None,
    sort: str = "number",
    descending: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[TrialRecord], int]:
    """One page of trials, and how many fit the filter in all."""
    wanted = tuple(states) if states is not None else None
    return _trials(store_url(), study_id, revision, wanted, sort, descending, limit, offset)


def finished(study_id: str, revision: int, upto: int | None = None) -> list[TrialRecord]:
    """Finished trials in the order in which they were told to the optimizer, the first ``upto`` of them."""
    return _finished(store_url(), study_id, None if upto is not None else revision, upto)


def unfinished(study_id: str, revision: int) -> list[TrialRecord]:
    """Queued and running trials."""
    return _unfinished(store_url(), study_id, revision)


def model(study_id: str, revision: int, n_observations: int | None = None) -> ModelRecord | None:
    """The latest model of a study, or the one that had seen ``n_observations`` finished trials."""
    if n_observations is not None:
        return _model_at(store_url(), study_id, n_observations)
    return _latest_model(store_url(), study_id, revision)


def models(study_id: str, revision: int) -> list[tuple[int, int]]:
    """(n_observations, revision) of every model that was kept, oldest first."""
    return _models(store_url(), study_id, revision)


def events(study_id: str, revision: int, limit: int = 50) -> list[EventRecord]:
    """The newest events of a study."""
    return _events(store_url(), study_id, revision, limit)


def sparklines(states: Sequence[tuple[str, int]], points: int = 30) -> dict[str, list[float]]:
    """Best-so-far curves of the studies given as (id, revision)."""
    return _sparklines(store_url(), tuple(states), points)


# The URL is a part of each key: one process may show several stores, as tests do.


@st.cache_resource(max_entries=64, show_spinner=False)
def _progress(url: str, study_id: str, revision: int, max_points: int) -> list[ProgressPoint]:
    return store().progress(study_id, max_points=max_points)


@st.cache_resource(max_entries=128, show_spinner=False)
def _trials(
    url: str,
    study_id: str,
    revision: int,
    states: tuple[TrialState, ...] | None,
    sort: str,
    descending: bool,
    limit: int,
    offset: int,
) -> tuple[list[TrialRecord], int]:
    return store().list_trials(study_id, states=states, sort=sort, descending=descending, limit=limit, offset=offset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _finished(url: str, study_id: str, revision: int | None, upto: int | None) -> list[TrialRecord]:
    return store().finished_trials(study_id, upto=upto)


@st.cache_resource(max_entries=64, show_spinner=False)
def _unfinished(url: str, study_id: str, revision: int) -> list[TrialRecord]:
    return store().unfinished_trials(study_id)


@st.cache_resource(max_entries=64, show_spinner=False)
def _latest_model(url: str, study_id: str, revision: int) -> ModelRecord | None:
    return store().latest_model(study_id)


@st.cache_resource(max_entries=64, show_spinner=False)
def _model_at(url: str, study_id: str, n_observations: int) -> ModelRecord | None:
    return store().model_at(study_id, n_observations)


@st.cache_resource(max_entries=64, show_spinner=False)
def _models(url: str, study_id: str, revision: int) -> list[tuple[int, int]]:
    return store().models(study_id)


@st.cache_resource(max_entries=64, show_spinner=False)
def _events(url: str, study_id: str, revision: int, limit: int) -> list[EventRecord]:
    return store().events(study_id, limit=limit)


@st.cache_resource(max_entries=64, show_spinner=False)
def _sparklines(url: str, states: tuple[tuple[str, int], ...], points: int) -> dict[str, list[float]]:
    return store().sparklines([study_id for study_id, _ in states], points=points)
