"""Finding and listing studies, revisions, sparklines."""

from __future__ import annotations

import pytest

from engine.errors import InvalidInput, NotFound
from engine.governance import actions
from engine.store import Store
from engine.study import StudySpec
from tests.support.studies import ANALYST, leased, make_spec, make_study, run_trial


def test_the_definition_comes_back_as_it_was(store: Store) -> None:
    spec = StudySpec.from_stored(make_spec("ünïcode 名", tags=("desk", "fx"), notes="a\nb", workers=3).to_dict())
    record = store.get_study(actions.create_study(store, spec, ANALYST))
    assert record.spec == spec
    assert (record.name, record.owner, record.state, record.revision) == ("ünïcode 名", "ana", "queued", 1)
    assert record.started_at is None
    assert abs(record.now - record.created_at) < 60


def test_a_definition_with_infinity_is_refused_and_writes_nothing(store: Store) -> None:
    with pytest.raises(InvalidInput, match="can't be stored"):
        actions.create_study(store, make_spec(settings={"limit": float("inf")}), ANALYST)
    assert store.list_studies() == ([], 0)


def test_a_study_is_found_by_id_beginning_or_name(store: Store) -> None:
    first, second = make_study(store, "alpha"), make_study(store, "beta")
    twin = make_study(store, "beta")
    assert store.get_study(first).id == store.get_study(first[:8]).id == store.get_study("alpha").id == first
    with pytest.raises(NotFound, match="fits several"):
        store.get_study("beta")
    assert {second, twin} == {s.id for s in store.list_studies(search="beta")[0]}
    for unknown in ("", "abc", "%", "____", "alph", first + "0"):
        with pytest.raises(NotFound):
            store.get_study(unknown)


def test_lists_search_filter_sort_and_page(store: Store) -> None:
    ids = [make_study(store, f"Study {i}", tags=("FX",) if i % 2 else ("100%_rates",)) for i in range(5)]
    actions.send_command(store, ids[0], "cancel", ANALYST)

    def listed(**query) -> list[str]:
        return [s.id for s in store.list_studies(**query)[0]]

    assert listed() == ids[::-1]  # newest first
    assert listed(sort="name", descending=False) == ids
    assert listed(search="fx STUDY", sort="name", descending=False) == [ids[1], ids[3]]
    assert listed(search="0%_r", sort="name", descending=False) == [ids[0], ids[2], ids[4]]  # no wildcards
    assert listed(states=["cancelled"]) == [ids[0]]
    assert store.list_studies(limit=2, offset=4)[1] == 5
    assert listed(limit=2, offset=4) == [ids[0]]
    with pytest.raises(InvalidInput, match="'size' is not known"):
        listed(sort="size")


def test_sorting_by_best_puts_studies_without_one_last(store: Store) -> None:
    empty = make_study(store, "empty")
    low, lease = leased(store, "low", engine="e1")
    run_trial(store, lease, sharpe=1.0)
    high, lease = leased(store, "high", engine="e2")
    run_trial(store, lease, sharpe=2.0)
    for descending, expected in ((True, [high, low, empty]), (False, [low, high, empty])):
        assert [s.id for s in store.list_studies(sort="best_value", descending=descending)[0]] == expected


def test_every_write_moves_the_revision_of_its_study_alone(store: Store) -> None:
    other = make_study(store, "other")
    study_id, lease = leased(store)
    seen = [store.revision(study_id)]

    def moved() -> bool:
        seen.append(store.revision(study_id))
        return seen[-1] > seen[-2]

    store.add_trial(lease, {"x": 0.5, "kind": "a"})
    assert moved()
    store.start_trial(lease, 0)
    assert moved()
    store.finish_trial(lease, 0, 1, "complete", {"sharpe": 1.0, "drawdown": 0.1})
    assert moved()
    store.save_model(lease, 1, {"lengthscale": 0.3})
    assert moved()
    command = actions.send_command(store, study_id, "pause", ANALYST)
    assert moved()
    store.acknowledge(lease, command.id, state="paused")
    assert moved()
    store.beat("engine-1")
    assert not moved()  # a heartbeat changes no picture
    assert store.get_study(study_id).revision == seen[-1]
    assert store.revision(other) == 1


def test_sparklines_are_best_so_far_and_bounded(store: Store) -> None:
    study_id, lease = leased(store, budget_trials=1000)
    empty = make_study(store, "empty")
    best, expected = None, []
    for i in range(70):
        value = ((i * 37) % 101) / 10
        run_trial(store, lease, sharpe=value)
        best = value if best is None else max(best, value)
        expected.append(best)
    curves = store.sparklines([study_id, empty, "unknown"], points=20)
    assert curves.keys() == {study_id, empty}
    assert curves[empty] == []
    curve = curves[study_id]
    assert len(curve) == 20
    assert curve == sorted(curve)
    assert curve[-1] == expected[-1]
    assert set(curve) <= set(expected)
