"""The progress picture: exact while small, bounded when large, incumbents and failures never lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import Store, progress
from tests.support.studies import fill, leased, make_study, run_trial

OUTCOME = st.one_of(st.none(), st.floats(-10, 10, allow_nan=False))


def test_a_small_study_is_shown_whole(store: Store) -> None:
    study_id, lease = leased(store)
    run_trial(store, lease, sharpe=1.0)
    run_trial(store, lease, state="failed")
    run_trial(store, lease, sharpe=2.0, drawdown=0.9)
    run_trial(store, lease, sharpe=2.0)
    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    points = store.progress(study_id)
    assert [(p.number, p.value, p.state, p.feasible, p.incumbent, p.n) for p in points] == [
        (0, 1.0, "complete", True, True, 1),
        (1, None, "failed", None, False, 1),
        (2, 2.0, "complete", False, False, 1),
        (3, 2.0, "complete", True, True, 1),
    ]
    assert store.progress(make_study(store, "empty")) == []


def test_a_large_study_is_decimated_but_keeps_what_matters(store: Store) -> None:
    study_id, n = make_study(store), 5000
    fill(store, study_id, n)
    trials = store.finished_trials(study_id)
    points = {p.number: p for p in store.progress(study_id, max_points=400)}
    values = [t.values["sharpe"] for t in trials if t.values]
    assert len(points) < 700
    assert {t.number for t in trials if t.incumbent} <= points.keys()
    assert {min(values), max(values)} <= {p.value for p in points.values()}
    assert sum(p.n for p in points.values() if p.state == "failed") == n / 10
    for point in points.values():
        assert (point.value, point.feasible) == (
            trials[point.number].values.get("sharpe"),
            trials[point.number].feasible,
        )


def test_incumbents_of_a_study_that_always_improves_are_bounded_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_id, lease = leased(store)
    for i in range(60):
        run_trial(store, lease, sharpe=float(i))
    points = store.progress(study_id, max_points=20)
    assert len(points) <= 40
    assert points[-1].value == 59.0


def test_buckets_double_and_lose_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MAX_BUCKETS", 4)
    study_id, lease = leased(store)
    outcomes = [0.0, 5.0, None, -3.0, 1.0, 1.0, None, 7.0, 2.0, None, 4.0]
    for value in outcomes:
        run_trial(store, lease, sharpe=value, state="complete" if value is not None else "failed")
    points = {p.number: p for p in store.progress(study_id)}
    assert {3, 7} <= points.keys()  # the lowest and the highest
    assert {0, 1, 7} <= points.keys()  # the incumbents
    assert sum(p.n for p in points.values() if p.state == "failed") == 3
    with store.snapshot() as connection:
        buckets = list(progress._buckets(connection, study_id, 100))
    assert len(buckets) <= 4
    assert sum(b["n_complete"] for b in buckets) == 8


@given(st.lists(OUTCOME, max_size=40), st.integers(1, 7))
def test_merging_buckets_is_the_same_in_any_grouping(outcomes: list[float | None], size: int) -> None:
    singles = [
        progress.single(i, "failed" if v is None else "complete", v, None if v is None else v > 0)
        for i, v in enumerate(outcomes)
    ]
    groups = [progress.merged(singles[i : i + size]) for i in range(0, len(singles), size)]
    assert progress.merged(groups) == progress.merged(singles)


@settings(max_examples=50)
@given(st.integers(0, 2000))
def test_the_kept_curve_is_evenly_spaced(n: int) -> None:
    curve: dict = {"step": 1, "points": []}
    for i in range(1, n + 1):
        curve = progress.extended(curve, i, float(i))
    step = curve["step"]
    assert curve["points"] == [float(i) for i in range(step, n + 1, step)]
    assert len(curve["points"]) <= progress.CURVE_POINTS
    assert n < 2 * progress.CURVE_POINTS or len(curve["points"]) >= progress.CURVE_POINTS // 2
