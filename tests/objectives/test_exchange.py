"""The simulated exchange: its limits by hand, its clock, and randomness that a client's choices don't disturb."""

import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.objectives import Context, exchange, find
from engine.objectives.exchange import Link, Scenario, connect, exchange_client, simulate

ENTRY = find("engine.objectives.exchange:exchange_client")
DEFAULTS = dict(ENTRY.defaults)


def evaluate(seed=0, hours=0.5, **changes):
    return exchange_client(DEFAULTS | changes, Context(seed=seed, settings={"hours": hours}))


def quiet(arrivals, sizes, outages=(), horizon=600.0):
    """A scenario by hand."""
    streams = tuple(np.random.SeedSequence(0).spawn(3))
    return Scenario(horizon, list(arrivals), list(sizes), list(outages), streams)


def test_orders_beyond_fifty_in_ten_seconds_are_refused_until_the_window_ends():
    venue = exchange._Venue(background=0)
    assert all(venue.accept(1.0) == 0 for _ in range(50))
    assert venue.accept(4.0) == pytest.approx(6.0)
    assert venue.accept(10.0) == 0
    assert venue.refusals == 1


def test_the_weight_of_a_minute_counts_heartbeats_too():
    venue = exchange._Venue(background=exchange.WEIGHT_LIMIT - 2 * exchange.ORDER_WEIGHT)
    assert [venue.accept(t) == 0 for t in (1.0, 12.0)] == [True, True]
    assert venue.accept(23.0) == pytest.approx(37.0)


def test_whoever_comes_back_too_early_is_banned_twice_as_long_each_time():
    venue = exchange._Venue(background=0)
    answers = [venue.accept(0.1) for _ in range(53)]
    assert answers[50] > 0
    assert answers[51] > 0
    assert answers[52] == -120
    for _ in range(50):
        venue.accept(200.0)
    assert [venue.accept(200.0) for _ in range(3)][-1] == -240
    assert venue.bans == 2


def test_waiting_as_long_as_asked_is_never_a_strike():
    venue = exchange._Venue(background=0)
    t = 0.0
    for _ in range(400):
        wait = venue.accept(t)
        t += wait if wait > 0 else 0.01
    assert venue.bans == 0
    assert venue.refusals > 0


def test_reconnection_by_hand():
    """Heartbeats at 0, 5, 10 …; attempts 0.5, 1, 2, 4 s after each other, each of 0.2 s; jitter 0 and no herd."""
    params = DEFAULTS | {"jitter": 0.0, "heartbeat": 5.0, "reconnect_base": 0.5, "reconnect_factor": 2.0}
    scenario = quiet([], [], [(12.0, 6.0)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "HERD", 0.0)
        link = connect(scenario, params)
    assert link.down == [12.0]
    assert link.noticed == [16.0]
    assert link.up == pytest.approx([16 + 0.7 + 1.2 + 2.2])  # the first attempt after 18


def test_the_client_learns_of_a_lost_connection_only_at_the_heartbeat():
    link = Link([12.0], [16.0], [20.0])
    assert link.lost(13.0)
    assert link.next_up(13.0) == 13.0
    assert link.next_up(17.0) == 20.0
    assert not link.lost(20.0)
    assert link.next_up(25.0) == 25.0


def test_one_parent_order_by_hand():
    """Ten children, all within the burst: each adds its impact, a tenth of it stays for the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "NOISE", 0.0)
        patch.setattr(exchange, "LATENCY_SIGMA", 0.0)
        out = simulate(quiet([100.0], [5.0]), DEFAULTS)
    impact = 1.5 * 0.5**0.6
    edge = 3.0 * (1 - np.exp(-0.05 / 30))
    assert out["shortfall_bps"] == pytest.approx(impact * (1 + 0.1 * np.mean(np.arange(10))) + edge, rel=1e-9)
    assert out["completion_p95"] == pytest.approx(0.05)
    assert out["fill"] == 1
    assert out["orders"] == pytest.approx(10 * 6)


def test_what_isnt_filled_by_the_deadline_costs_and_counts():
    out = simulate(quiet([10.0], [10.0], [(0.0, 300.0)]), DEFAULTS | {"heartbeat": 1.0})
    assert out["fill"] == 0
    assert out["completion_p95"] == 60
    assert out["shortfall_bps"] == pytest.approx(3 * (1 - np.exp(-2)) + 5)


def test_downtime_never_exceeds_the_time():
    assert exchange._covered([(0, 5), (3, 8), (20, 90)], 30) == 18
    out = evaluate(rate=20.0, burst=50.0, wait_factor=0.5, child_size=0.1, safety_share=1.0)
    assert out["bans"] > 0
    assert 0.3 < out["downtime"] <= 1
    assert out["fill"] < 0.7


def test_what_the_client_does_leaves_the_scenario_alone():
    first, second = Scenario.draw(3, 0, 3600), Scenario.draw(3, 0, 3600)
    simulate(first, DEFAULTS)
    assert (first.arrivals, first.sizes, first.outages) == (second.arrivals, second.sizes, second.outages)
    assert Scenario.draw(3, 1, 3600).arrivals != first.arrivals
    assert first.arrivals[-1] < 3600 - exchange.DEADLINE


def test_the_seed_decides_unless_the_scenario_is_common():
    assert evaluate(seed=1) == evaluate(seed=1)
    assert evaluate(seed=1) != evaluate(seed=2)
    common = {"hours": 0.2, "common_scenario": True}
    results = [exchange_client(DEFAULTS, Context(seed=s, settings=common)) for s in (1, 2)]
    assert results[0] == results[1]


def test_larger_children_are_quicker_and_dearer():
    outs = [evaluate(child_size=s) for s in (0.5, 2.0, 10.0)]
    assert [o["completion_p95"] for o in outs] == sorted((o["completion_p95"] for o in outs), reverse=True)
    assert [o["shortfall_bps"] for o in outs] == sorted(o["shortfall_bps"] for o in outs)


def test_rarer_heartbeats_lose_more_orders():
    assert evaluate(heartbeat=60.0, hours=2)["lost_orders"] > evaluate(heartbeat=1.0, hours=2)["lost_orders"]


def test_random_points_give_finite_documented_outcomes():
    points = ENTRY.space.decode(ENTRY.space.sample(25, np.random.default_rng(0)))
    for i, params in enumerate(points):
        out = exchange_client(params, Context(seed=i, settings={"hours": 0.3}))
        assert set(out) == set(ENTRY.outcomes)
        assert all(type(v) is float and np.isfinite(v) for v in out.values())
        assert 0 <= out["fill"] <= 1
        assert 0 <= out["downtime"] <= 1


def test_values_that_would_wait_for_ever_are_refused():
    with pytest.raises(InvalidInput, match="lies outside"):
        exchange_client(DEFAULTS | {"burst": 0.5})
