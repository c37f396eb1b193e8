"""The pure rules beside ramps: the state machine, gates, and what counts when several layers are set."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.governance import states
from engine.governance.gates import Gate, RampOptions, judge
from engine.governance.resolve import LayerState, resolve
from engine.governance.scopes import definition_from_dict
from engine.store import governance_proposals
from tests.support.governance import SAFE, make_definition

SCOPE = definition_from_dict(make_definition())


# --- states ---------------------------------------------------------------------------------------------------


def test_store_and_rules_agree_on_what_expires() -> None:
    assert set(governance_proposals.EXPIRING) == set(states.EXPIRING) == set(states.MOVES["expire"])


def test_every_state_is_reached_and_explained() -> None:
    reached = {"draft"} | {to for moves in states.MOVES.values() for to in moves.values()}
    assert reached == set(states.STATES) == set(states.MEANING)


def test_nothing_goes_live_without_approval_and_start() -> None:
    """Every path from draft to live passes approved and ramping; a restored version was live before."""
    into = {m: list(moves.values()) for m, moves in states.MOVES.items()}
    assert [m for m in into if "live" in into[m]] == ["finish", "restore"]
    assert states.MOVES["finish"] == {"ramping": "live"}
    assert set(states.MOVES["restore"]) == {"superseded", "rolled_back"}
    assert [m for m in into if "approved" in into[m]] == ["approve"]
    assert states.MOVES["approve"] == {"in_review": "approved"}
    assert {s for m in ("start", "resume") for s in states.MOVES[m]} == {"approved", "scheduled", "paused"}


def test_what_has_ended_stays_ended() -> None:
    for state in ("rejected", "withdrawn", "expired", "aborted"):
        assert [m for m, moves in states.MOVES.items() if state in moves] == []


def test_a_scheduled_or_running_proposal_is_not_edited() -> None:
    for state in ("scheduled", "ramping", "paused", "live", *states.ENDED):
        assert states.why_not("edit", state)
        assert states.why_not("rebase", state)
    assert states.why_not("edit", "draft") is None


# --- gates -----------------------------------------------------------------------------------------------------

BAND = {"pass": "dd <= 0.1", "fail": "dd >= 0.2"}


@pytest.mark.parametrize(
    ("gate", "values", "verdict"),
    [
        (BAND, [0.05], "pass"),
        (BAND, [0.1], "pass"),
        (BAND, [0.2], "fail"),
        (BAND, [0.15], "inconclusive"),
        (BAND, [], "inconclusive"),
        (BAND | {"min_count": 2}, [0.05], "inconclusive"),
        (BAND | {"min_count": 2}, [0.05, 0.05], "pass"),
        (BAND | {"statistic": "max"}, [0.05, 0.3], "fail"),
        (BAND | {"statistic": "last"}, [0.3, 0.05], "pass"),
        (BAND | {"statistic": "median"}, [0.05, 0.05, 9.0], "pass"),
        ({"pass": "dd <= 0.1"}, [0.11], "fail"),
        ({"pass": "sharpe >= 0.5", "fail": "sharpe <= 0"}, [0.2], "inconclusive"),
    ],
)
def test_a_gate_passes_fails_or_can_not_tell(gate: dict[str, Any], values: list[float], verdict: str) -> None:
    [parsed] = RampOptions.from_dict({"gates": [gate]}).gates
    assert parsed.judge(values)[0] == verdict
    assert RampOptions.from_dict({"gates": [parsed.to_dict()]}).gates == (parsed,)


@given(st.lists(st.sampled_from(["pass", "fail", "inconclusive"]), max_size=5))
def test_one_failing_gate_fails_and_one_that_can_not_tell_holds(wanted: list[str]) -> None:
    values = {"pass": [0.0], "fail": [1.0], "inconclusive": [0.15]}
    gates, reported = [], {}
    for i, w in enumerate(wanted):
        gates.append({"pass": f"m{i} <= 0.1", "fail": f"m{i} >= 0.2"})
        reported[f"m{i}"] = values[w]
    verdict, sentences = judge(RampOptions.from_dict({"gates": gates}).gates, reported)
    assert verdict == ("fail" if "fail" in wanted else "inconclusive" if "inconclusive" in wanted else "pass")
    assert len(sentences) == wanted.count(verdict)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"stages": 0}, "ramp.stages"), ({"stages": True}, "ramp.stages"), ({"dwell": -1}, "ramp.dwell"),
        ({"dwell": float("nan")}, "ramp.dwell"), ({"speed": 1}, "ramp"), ({"gates": "dd"}, "ramp.gates"),
        ({"gates": [{"pass": "dd"}]}, "ramp.gates[0]"),
        ({"gates": [{"pass": "dd <= 1", "fail": "x >= 2"}]}, "ramp.gates[0]"),
        ({"gates": [{"pass": "dd <= 1", "fail": "dd <= 2"}]}, "ramp.gates[0]"),
        ({"gates": [BAND | {"statistic": "mode"}]}, "ramp.gates[0].statistic"),
        ({"gates": [BAND | {"min_count": 0}]}, "ramp.gates[0].min_count"),
    ],
)  # fmt: skip
def test_options_that_can_not_be_meant(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        RampOptions.from_dict(options)
    assert caught.value.field == field


def test_a_gate_without_a_failure_limit_fails_what_does_not_pass() -> None:
    assert Gate(RampOptions.from_dict({"gates": [BAND]}).gates[0].passes).judge([0.15])[0] == "fail"


# --- what counts ---------------------------------------------------------------------------------------------------

values = st.builds(
    lambda fast, gap, weight: {"fast": fast, "slow": fast + gap, "weight": weight, "mode": "calm"},
    st.integers(5, 90), st.integers(1, 100), st.floats(0, 1),
)  # fmt: skip
layer = st.one_of(st.none(), st.just(LayerState(None)), values.map(LayerState))


overrides = st.none() | st.dictionaries(st.sampled_from(["fast", "weight"]), st.just(1) | st.just(5))


@given(values, layer, overrides, st.floats(1, 100), st.booleans())
def test_kill_over_override_over_ramp_over_live(
    live: dict[str, Any], ramp: LayerState | None, over: dict[str, Any] | None, until: float, killed: bool
) -> None:
    at = 50.0
    override = LayerState(over, until=until)
    kill = LayerState({}) if killed else LayerState(None)
    found = resolve(SCOPE, at, live=LayerState(live, version=3), ramp=ramp, override=override, kill=kill)
    base = ramp.params if ramp is not None and ramp.params is not None else live
    assert found.base == base
    combined = dict(base) | (over or {})
    active = bool(over) and at < until and not SCOPE.problem(combined)
    if killed:
        assert (found.source, found.values) == ("kill", SAFE)
    elif active:
        assert (found.source, found.values) == ("override", combined)
        assert found.until == until
    else:
        assert (found.source, found.values) == ("ramp" if base is not live else "live", base)
        assert found.until is None
    assert not found.problem
    assert list(found.values) == list(SCOPE.space.names) == list(found.sources)


def test_what_breaks_the_limits_is_passed_over_and_a_live_version_that_does_is_named() -> None:
    live = LayerState(SAFE, version=1)
    outside = LayerState(SAFE | {"fast": 500})
    assert resolve(SCOPE, 0.0, live=live, ramp=outside).source == "live"
    assert resolve(SCOPE, 0.0, live=live, override=LayerState({"fast": 500})).values == SAFE
    found = resolve(SCOPE, 0.0, live=LayerState(SAFE | {"fast": 500}, version=1))
    assert "outside 2 to 100" in found.problem


def test_the_tag_moves_with_the_values_not_with_the_time() -> None:
    live = LayerState(SAFE, version=1)
    tag = resolve(SCOPE, 1.0, live=live).etag
    assert resolve(SCOPE, 2.0, live=live).etag == tag
    assert resolve(SCOPE, 1.0, live=live, kill=LayerState({})).etag != tag
    assert resolve(SCOPE, 1.0, live=LayerState(SAFE, version=2)).etag != tag
    assert resolve(SCOPE, 1.0, live=live, override=LayerState({"fast": 21}, until=9.0)).etag != tag
