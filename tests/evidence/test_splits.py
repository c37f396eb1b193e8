"""Nothing that is trained on knows anything about what is tested on."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.evidence import splits


def label_ends(rng, observations, longest):
    return np.minimum(np.arange(observations) + rng.integers(0, longest + 1, observations), observations - 1)


def blocks_of(positions):
    return np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)


def kept_by_definition(test, ends, embargo):
    """Each training observation against each test observation, one by one."""
    tested = set(test.tolist())
    last = [max(ends[block]) for block in blocks_of(test)]
    kept = []
    for i in range(len(ends)):
        overlap = any(i <= ends[j] and j <= ends[i] for j in test)
        embargoed = any(end < i <= end + embargo for end in last)
        if i not in tested and not overlap and not embargoed:
            kept.append(i)
    return kept


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    observations=st.integers(6, 60),
    folds=st.integers(2, 6),
    longest=st.integers(0, 9),
    embargo=st.integers(0, 7),
)
def test_purge_leaves_no_overlap_and_embargo_drops_the_right_ones(seed, observations, folds, longest, embargo):
    ends = label_ends(np.random.default_rng(seed), observations, longest)
    made = splits.purged_folds(observations, folds, label_end=ends, embargo=embargo)
    np.testing.assert_array_equal(np.concatenate([split.test for split in made]), np.arange(observations))
    for split in made:
        assert split.train.tolist() == kept_by_definition(split.test, ends, embargo)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), longest=st.integers(0, 5), embargo=st.integers(0, 4))
def test_combinatorial_splits_are_purged_around_every_block(seed, longest, embargo):
    ends = label_ends(np.random.default_rng(seed), 48, longest)
    made = splits.combinatorial_splits(48, 6, 2, label_end=ends, embargo=embargo)
    for split in made.splits:
        assert split.train.tolist() == kept_by_definition(split.test, ends, embargo)


@pytest.mark.parametrize(
    ("groups", "tested", "count", "paths"), [(6, 2, 15, 5), (6, 3, 20, 10), (10, 1, 10, 1), (5, 4, 5, 4)]
)
def test_combinatorial_paths(groups, tested, count, paths):
    made = splits.combinatorial_splits(61, groups, tested)
    assert len(made.splits) == count == math.comb(groups, tested)
    assert made.paths.shape == (paths, groups)
    used = {(int(split), group) for path in made.paths for group, split in enumerate(path)}
    assert used == {(number, group) for number, choice in enumerate(made.tested) for group in choice}
    for path in made.paths:
        history = np.concatenate([made.groups[group] for group in range(groups)])
        assert all(set(made.groups[g]) <= set(made.splits[split].test) for g, split in enumerate(path))
        np.testing.assert_array_equal(history, np.arange(61))


def test_embargo_counts():
    assert splits.embargo_length(1000, 0.01) == 10
    assert splits.embargo_length(1001, 0.01) == 11
    assert splits.embargo_length(100, 0.07) == 7
    assert splits.embargo_length(50, 0.0) == 0
    first, middle, last = splits.purged_folds(30, 3, embargo=4)
    assert len(first.train) == 20 - 4
    assert len(middle.train) == 20 - 4, "only what follows the test block is embargoed"
    assert len(last.train) == 20, "nothing follows the last block"
    np.testing.assert_array_equal(middle.train, [*range(10), *range(24, 30)])


@pytest.mark.parametrize("embargo", [0, 3, 6])
def test_agrees_with_purgedcv(embargo):
    purgedcv = pytest.importorskip("purgedcv")
    import pandas as pd

    ends = label_ends(np.random.default_rng(2), 90, 6)
    start = pd.Series(pd.date_range("2024-01-01", periods=90, freq="D"))
    # Its intervals exclude the end, ours include it; its embargo counts the excluded end as the first day.
    end = start + pd.to_timedelta(ends - np.arange(90) + 1, unit="D")
    gap = pd.Timedelta(days=embargo - 1) if embargo else None
    times = {"prediction_times": start, "evaluation_times": end, "embargo": gap}
    for ours, (train, test) in zip(
        splits.purged_folds(90, 5, label_end=ends, embargo=embargo),
        purgedcv.PurgedKFold(5, **times).split(np.zeros((90, 1))),
    ):
        np.testing.assert_array_equal(ours.test, test)
        np.testing.assert_array_equal(ours.train, train)
    peer = purgedcv.CombinatorialPurgedCV(n_splits=6, n_test_groups=2, **times).split(np.zeros((90, 1)))
    for ours, (train, test) in zip(splits.combinatorial_splits(90, label_end=ends, embargo=embargo).splits, peer):
        np.testing.assert_array_equal(ours.test, test)
        np.testing.assert_array_equal(ours.train, train)


@given(st.integers(2, 30), st.integers(1, 12), st.booleans(), st.integers(0, 5), st.integers(0, 8), st.integers(0, 60))
def test_walk_forward_only_looks_back(train, test, anchored, gap, extra_step, extra):
    observations = train + gap + test + extra
    made = splits.walk_forward(observations, train, test, anchored=anchored, gap=gap, step=test + extra_step)
    assert made
    for split in made:
        assert split.test[0] == split.train[-1] + gap + 1
        assert len(split.test) == test
        assert split.train[0] == 0 if anchored else len(split.train) == train
        assert np.all(np.diff(split.train) == 1)
    assert all(a.test[-1] < b.test[0] for a, b in pairwise(made))
    assert made[-1].test[-1] < observations <= made[-1].test[-1] + test + extra_step


def test_walk_forward_windows():
    rolling = splits.walk_forward(10, 4, 2)
    assert [(s.train[0], s.train[-1], s.test[0], s.test[-1]) for s in rolling] == [
        (0, 3, 4, 5),
        (2, 5, 6, 7),
        (4, 7, 8, 9),
    ]
    anchored = splits.walk_forward(10, 4, 2, anchored=True)
    assert [len(s.train) for s in anchored] == [4, 6, 8]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: splits.purged_folds(3, 4), "folds"),
        (lambda: splits.purged_folds(10, 1), "folds"),
        (lambda: splits.purged_folds(10, 2, embargo=-1), "embargo"),
        (lambda: splits.purged_folds(3, 2, label_end=[0, 0, 2]), "label_end"),
        (lambda: splits.purged_folds(3, 2, label_end=[0, 1]), "label_end"),
        (lambda: splits.purged_folds(3, 2, label_end=[0.5, 1.0, 2.0]), "label_end"),
        (lambda: splits.combinatorial_splits(20, 4, 4), "tested"),
        (lambda: splits.walk_forward(10, 8, 3), "observations"),
        (lambda: splits.walk_forward(20, 8, 3, step=2), "step"),
        (lambda: splits.embargo_length(10, 1.5), "embargo"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.field == field
