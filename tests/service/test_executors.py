"""The pool of local workers, and how an objective's return value is read."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from engine.service.executors import LocalExecutor
from engine.service.outcomes import MAX_LOG
from engine.service.task import Outcome, TrialTask, UnusableResult, read_result
from tests.service import workloads
from tests.service.support import wait_for


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    woken = threading.Event()
    pool = LocalExecutor(2, woken.set)
    yield pool
    pool.close()
    assert woken.is_set()


def _task(number: int, function: str = "bowl", **params: Any) -> TrialTask:
    return TrialTask(
        number=number,
        attempt=1,
        objective=f"{workloads.PATH}:{function}",
        params=params or {"x": 0.3},
        seed=number,
        settings={},
        objectives=("value",),
        limited=(),
        timeout=60.0,
    )


def _outcomes(executor: LocalExecutor, n: int) -> dict[int, Outcome]:
    """By trial number."""
    got: dict[int, Outcome] = {}

    def all_there() -> bool:
        got.update((task.number, outcome) for task, outcome in executor.poll())
        return len(got) == n

    wait_for(all_there, f"{n} outcomes")
    return got


@pytest.mark.parametrize("killed", ["idle workers", "fork server"])
def test_a_pool_heals(executor: LocalExecutor, killed: str) -> None:
    executor.submit(_task(0))
    _outcomes(executor, 1)
    servers = [p for p in psutil.Process().children() if "forkserver" in " ".join(p.cmdline())]
    workers = [p for server in servers for p in server.children()]
    assert workers
    victims = workers if killed == "idle workers" else servers
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)
    wait_for(lambda: not any(_lives(p) for p in workers), "the workers to end")
    for attempt in range(1, 4):  # a trial that was handed over before the pool knew is lost: the driver tries again
        executor.submit(_task(attempt))
        outcome = _outcomes(executor, 1)[attempt]
        if outcome.state != "lost":
            break
    assert (outcome.state, outcome.values) == ("complete", {"value": 0.0})


def test_it_may_be_used_again_after_it_was_closed(executor: LocalExecutor) -> None:
    executor.submit(_task(0, "behaves", how="hang"))
    executor.close()
    assert executor.poll() == []
    executor.resize(1)
    executor.submit(_task(1))
    assert _outcomes(executor, 1)[1].state == "complete"


def test_a_flood_of_output_is_cut_in_its_middle_and_draws_repeat(executor: LocalExecutor) -> None:
    executor.submit(_task(0, "chatty"))
    executor.submit(_task(1, "chatty"))
    first = _outcomes(executor, 2)
    assert len(first[0].log) < MAX_LOG + 100
    assert first[0].log.startswith("line 0\n")
    assert first[0].log.endswith("line 99999\n")
    assert "bytes left out" in first[0].log
    assert first[0].values != first[1].values  # another trial, other draws
    executor.submit(_task(0, "chatty"))
    assert _outcomes(executor, 1)[0].values == first[0].values


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("result", "values"),
    [
        (1, {"value": 1.0}),
        (np.float32(0.5), {"value": 0.5}),
        ({"value": 2, "extra": np.int64(3)}, {"value": 2.0, "extra": 3.0}),
        ({"value": 2, "extra": math.nan, "note": "text"}, {"value": 2.0}),
    ],
)
def test_what_counts_as_a_result(result: Any, values: dict[str, float]) -> None:
    assert read_result(result, ["value"], [])[0] == values


@pytest.mark.parametrize(
    ("result", "objectives", "limited", "words"),
    [
        (None, ["value"], [], "None as value, not a finite number"),
        (True, ["value"], [], "True as value"),
        (math.inf, ["value"], [], "inf as value"),
        ("1.0", ["value"], [], "'1.0' as value"),
        ({}, ["value"], [], "no value; it returned nothing"),
        ({"value": 1.0}, ["value"], ["risk"], "no risk; it returned value"),
        ({"value": 1.0, "risk": math.nan}, ["value"], ["risk"], "nan as risk"),
        (1.0, ["value", "risk"], [], "returned 1.0, but must return a dict with value and risk"),
    ],
)
def test_what_teaches_nothing_is_told_in_a_sentence(
    result: Any, objectives: list[str], limited: list[str], words: str
) -> None:
    with pytest.raises(UnusableResult, match=words):
        read_result(result, objectives, limited)
