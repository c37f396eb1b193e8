"""Models by number of observations, and how many of them are kept."""

from __future__ import annotations

import itertools
import math

import pytest

from engine.errors import InvalidInput
from engine.store import Store, models
from tests.support.studies import leased


def test_models_are_found_by_what_they_had_seen(store: Store) -> None:
    study_id, lease = leased(store)
    assert store.latest_model(study_id) is None
    for n in (5, 10, 15):
        candidate = {"params": {"x": 0.5}, "acquisition": -math.inf, "mean": 1.0}
        store.save_model(lease, n, {"lengthscales": [0.1 * n], "noise": 1e-6}, [candidate] * 50)
    latest = store.latest_model(study_id)
    assert latest is not None
    assert (latest.n_observations, latest.model) == (15, {"lengthscales": [1.5], "noise": 1e-6})
    assert latest.candidates == [{"params": {"x": 0.5}, "acquisition": None, "mean": 1.0}] * models.MAX_CANDIDATES
    assert latest.revision <= store.revision(study_id)
    assert [n for n, _ in store.models(study_id)] == [5, 10, 15]
    past = store.model_at(study_id, 12)
    assert past is not None
    assert past.n_observations == 10
    assert store.model_at(study_id, 4) is None
    store.save_model(lease, 15, {"lengthscales": [9.0]})
    replaced = store.latest_model(study_id)
    assert replaced is not None
    assert replaced.model == {"lengthscales": [9.0]}


def test_a_model_with_nan_or_of_any_size_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    study_id, lease = leased(store)
    with pytest.raises(InvalidInput, match="model"):
        store.save_model(lease, 1, {"noise": math.nan})
    monkeypatch.setattr(models, "MAX_MODEL_BYTES", 100)
    with pytest.raises(InvalidInput, match="100 bytes"):
        store.save_model(lease, 1, {"weights": list(range(100))})
    assert store.models(study_id) == []


def test_old_models_are_thinned_out_evenly_and_the_recent_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_MODELS", 20)
    monkeypatch.setattr(models, "RECENT", 5)
    study_id, lease = leased(store)
    for n in range(1, 61):
        store.save_model(lease, n, {"n": n})
    kept = [n for n, _ in store.models(study_id)]
    assert len(kept) <= 20
    assert kept[0] == 1
    assert kept[-5:] == [56, 57, 58, 59, 60]


def test_a_replay_covers_a_long_study_without_large_gaps() -> None:
    kept: list[int] = []
    for n in range(1, 20_001):
        kept.append(n)
        if len(kept) > models.MAX_MODELS:
            kept = sorted(models.spread(kept, (models.MAX_MODELS - models.RECENT) // 2, models.RECENT))
    assert kept[0] == 1
    assert kept[-models.RECENT :] == list(range(20_001 - models.RECENT, 20_001))
    assert max(b - a for a, b in itertools.pairwise(kept)) <= 3 * 20_000 / 96
