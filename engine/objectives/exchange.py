"""Exchange connectivity: a client that trades through a rate-limited exchange, simulated request by request.

Documented limits (Binance spot, as read in 2026; they change): request weight 6,000 a minute and 50 orders in 10
seconds, in fixed windows aligned to the clock; status 429 until the window ends, then 418, a ban of two minutes that
doubles each time. Assumptions of ours, all constants below: weights of a request, sizes and arrivals of parent
orders, market impact growing with size^0.6 and decaying, an edge that decays while one waits, how often connections
break and for how long, and how a herd of clients slows reconnection.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context
from engine.space import Float, Objective, SearchSpace

WEIGHT_LIMIT, WEIGHT_WINDOW = 6000, 60.0
ORDER_LIMIT, ORDER_WINDOW = 50, 10.0
STRIKES, BAN = 3, 120.0

ORDER_WEIGHT, HEARTBEAT_WEIGHT = 10, 20
CLOCK_SKEW = 0.5
ARRIVAL_MEAN, PARENT_MEDIAN, PARENT_SIGMA, DEADLINE = 30.0, 8.0, 0.7, 60.0
IMPACT, IMPACT_EXPONENT, IMPACT_KEPT, IMPACT_DECAY = 1.5, 0.6, 0.1, 2.0
EDGE, EDGE_DECAY, NOISE = 3.0, 30.0, 0.5
UNFILLED_PENALTY = 5.0
DISCONNECT_MEAN, OUTAGE_MEAN, HEARTBEAT_TIMEOUT, CONNECT_SECONDS = 900.0, 4.0, 1.0, 0.2
HERD, HERD_DECAY = 0.8, 3.0
LATENCY_MEDIAN, LATENCY_SIGMA = 0.05, 0.4

EXCHANGE_CLIENT = ObjectiveEntry(
    path="engine.objectives.exchange:exchange_client",
    title="Client of a rate-limited exchange",
    summary=(
        "Splits parent orders into child orders and sends them through an exchange with request weights, order limits, "
        "bans, lost connections and reconnection with backoff. Shortfall against completion time, no bans, nearly all "
        "filled. A simulation with listed assumptions; noise by seed. 20 to 300 ms."
    ),
    area="exchange",
    space=SearchSpace(
        [
            Float("rate", 1.0, 20.0, log=True, help="Orders a second that the client allows itself"),
            Float("burst", 1.0, 50.0, log=True, help="Orders that it may send at once after a pause"),
            Float("child_size", 0.05, 10.0, log=True, help="Units of a child order"),
            Float("safety_share", 0.5, 1.0, help="Share of the weight limit that it uses"),
            Float("wait_factor", 0.5, 3.0, log=True, help="Wait after a refusal, as a multiple of what is asked for"),
            Float("heartbeat", 1.0, 60.0, log=True, help="Seconds between heartbeats, which reveal a lost connection"),
            Float("reconnect_base", 0.05, 10.0, log=True, help="Seconds before the first attempt to reconnect"),
            Float("reconnect_factor", 1.2, 3.0, help="Growth of the wait from attempt to attempt"),
            Float("reconnect_cap", 1.0, 120.0, log=True, help="Longest wait between attempts, in seconds"),
            Float("jitter", 0.0, 1.0, help="Random share of a wait: 0 none, 1 anything from 0 to the whole wait"),
        ]
    ),
    objectives=(Objective("shortfall_bps", "minimize"), Objective("completion_p95", "minimize")),
    outcome_constraints=("bans <= 0", "fill >= 0.99"),
    defaults={
        "rate": 8.0,
        "burst": 10.0,
        "child_size": 0.5,
        "safety_share": 0.9,
        "wait_factor": 1.0,
        "heartbeat": 5.0,
        "reconnect_base": 0.5,
        "reconnect_factor": 2.0,
        "reconnect_cap": 30.0,
        "jitter": 0.5,
    },
    settings=(
        Setting("hours", 1.0, "Simulated time of a replicate.", low=0.1, high=24),
        Setting("replicates", 3, "Independent simulations that are averaged.", low=1, high=100),
        Setting("common_scenario", False, "Whether all trials see the same arrivals, prices and disconnections."),
    ),
    outcomes={
        "shortfall_bps": "Implementation shortfall against the price at arrival, by volume, in basis points",
        "completion_p95": "95 % of the parent orders are done after this many seconds; unfilled ones count 60",
        "fill": "Share of the volume that is filled before its deadline of 60 s",
        "bans": "Bans an hour",
        "refusals": "Refused requests (429) an hour",
        "lost_orders": "Orders an hour sent into a connection that was down unnoticed",
        "downtime": "Share of the time without a connection or banned, from 0 to 1",
        "orders": "Orders sent an hour",
        "shortfall_error": "Standard error of shortfall_bps over the replicates; 0 for a single one",
    },
)


@dataclass(frozen=True)
class Scenario:
    """What the client can't influence, each component from a random stream of its own.

    arrivals, sizes: of parent orders. outages: (start, length) of lost connections. seeds: of the streams that are
    drawn from as requests are made (price noise, latency, jitter of reconnection).
    """

    horizon: float
    arrivals: list[float]
    sizes: list[float]
    outages: list[tuple[float, float]]
    seeds: tuple[np.random.SeedSequence, ...]

    @classmethod
    def draw(cls, seed: int, replicate: int, horizon: float) -> Scenario:
        streams = np.random.SeedSequence([seed, replicate]).spawn(6)
        arriving, sizing, breaking = (np.random.default_rng(s) for s in streams[:3])
        gaps = arriving.exponential(ARRIVAL_MEAN, math.ceil(3 * horizon / ARRIVAL_MEAN) + 20)
        arrivals = np.cumsum(gaps)
        arrivals = arrivals[arrivals < horizon - DEADLINE]
        sizes = np.exp(sizing.normal(math.log(PARENT_MEDIAN), PARENT_SIGMA, len(arrivals)))
        count = math.ceil(3 * horizon / DISCONNECT_MEAN) + 20
        starts = np.cumsum(breaking.exponential(DISCONNECT_MEAN, count))
        lengths = breaking.exponential(OUTAGE_MEAN, count)
        outages = [(s, o) for s, o in zip(starts.tolist(), lengths.tolist()) if s < horizon]
        return cls(horizon, arrivals.tolist(), sizes.tolist(), outages, tuple(streams[3:]))


@dataclass(frozen=True)
class Link:
    """The connection as it was: broken at down[k], noticed by the client at noticed[k], up again at up[k]."""

    down: list[float]
    noticed: list[float]
    up: list[float]

    def next_up(self, t: float) -> float:
        """t, or when the connection is back if the client knows at t that it is lost."""
        k = bisect.bisect_right(self.noticed, t) - 1
        return max(t, self.up[k]) if k >= 0 else t

    def lost(self, t: float) -> bool:
        """Whether what is sent at t gets lost."""
        k = bisect.bisect_right(self.down, t) - 1
        return k >= 0 and t < self.up[k]


def connect(scenario: Scenario, params: Mapping[str, float]) -> Link:
    """Plays the disconnections against the client's heartbeats and its backoff."""
    rng = np.random.default_rng(scenario.seeds[0])
    down: list[float] = []
    noticed: list[float] = []
    up: list[float] = []
    for start, outage in scenario.outages:
        if up and start <= up[-1]:
            continue  # it is down already
        beat = math.ceil(start / params["heartbeat"]) * params["heartbeat"]
        t = beat + HEARTBEAT_TIMEOUT
        down.append(start)
        noticed.append(t)
        wait = params["reconnect_base"]
        while True:
            t += wait * (1 - params["jitter"] * rng.random()) + CONNECT_SECONDS
            wait = min(params["reconnect_cap"], wait * params["reconnect_factor"])
            since = t - start - outage
            # After an outage everybody comes back; those who wait in step with all the others are turned away.
            refused = HERD * (1 - params["jitter"]) * math.exp(-max(since, 0.0) / HERD_DECAY)
            if (since >= 0 and rng.random() >= refused) or t > scenario.horizon:
                break
        up.append(t)
    return Link(down, noticed, up)


@dataclass
class _Venue:
    """The exchange's side of the limits: fixed windows aligned to its clock, strikes, bans."""

    background: float
    """Weight that heartbeats use in every minute."""
    orders: int = 0
    order_window: int = -1
    weight: float = 0.0
    weight_window: int = -1
    refused_until: float = -1.0
    strikes: int = 0
    bans: int = 0
    refusals: int = 0

    def accept(self, t: float) -> float:
        """0 if an order that arrives at t is accepted; else how many seconds it asks to wait, negative for a ban."""
        if int(t / ORDER_WINDOW) != self.order_window:
            self.order_window, self.orders = int(t / ORDER_WINDOW), 0
        if int(t / WEIGHT_WINDOW) != self.weight_window:
            self.weight_window, self.weight = int(t / WEIGHT_WINDOW), self.background
        self.orders += 1
        self.weight += ORDER_WEIGHT
        end = 0.0
        if self.orders > ORDER_LIMIT:
            end = (self.order_window + 1) * ORDER_WINDOW
        if self.weight > WEIGHT_LIMIT:
            end = max(end, (self.weight_window + 1) * WEIGHT_WINDOW)
        if not end:
            return 0.0
        self.refusals += 1
        self.strikes = self.strikes + 1 if t < self.refused_until else 1
        self.refused_until = end
        if self.strikes >= STRIKES:
            self.strikes = 0
            self.bans += 1
            return -BAN * 2 ** (self.bans - 1)
        return max(end - t, 1e-3)


def simulate(scenario: Scenario, params: Mapping[str, float]) -> dict[str, float]:
    """One replicate: parent orders one after the other, each cut into child orders until it is filled or too late."""
    link = connect(scenario, params)
    noise, latency = (np.random.default_rng(s) for s in scenario.seeds[1:])
    venue = _Venue(HEARTBEAT_WEIGHT * WEIGHT_WINDOW / params["heartbeat"])
    rate, burst, allowed = params["rate"], params["burst"], params["safety_share"] * WEIGHT_LIMIT
    tokens, refilled, now, blocked = burst, 0.0, 0.0, 0.0
    minute, used = -1, 0.0
    sent = lost = 0
    banned: list[tuple[float, float]] = []
    cost = volume = done = 0.0
    durations = []
    delays = _stream(latency)
    for arrival, size in zip(scenario.arrivals, scenario.sizes):
        left, deadline, last = size, arrival + DEADLINE, arrival
        now, kept, walk = max(now, arrival), 0.0, 0.0
        while left > 1e-9:
            now = link.next_up(max(now, blocked))
            tokens, refilled = min(burst, tokens + (now - refilled) * rate), now
            if tokens < 1.0 - 1e-9:
                now += (1.0 - tokens) / rate
                continue
            here = int((now + CLOCK_SKEW) / WEIGHT_WINDOW)
            if here != minute:
                minute, used = here, venue.background
            if used + ORDER_WEIGHT > allowed and allowed > venue.background + ORDER_WEIGHT:
                now = (minute + 1) * WEIGHT_WINDOW - CLOCK_SKEW
                continue
            if now > deadline:
                break
            tokens -= 1.0
            used += ORDER_WEIGHT
            sent += 1
            if link.lost(now):
                lost += 1
                continue
            at = now + next(delays)
            answer = venue.accept(at)
            if answer < 0:
                blocked = at - answer
                banned.append((at, blocked))
            elif answer > 0:
                blocked = at + answer * params["wait_factor"]
            else:
                child = min(left, params["child_size"])
                gap = at - last
                walk += NOISE * math.sqrt(gap) * float(noise.standard_normal()) if gap > 0 else 0.0
                kept *= math.exp(-max(gap, 0.0) / IMPACT_DECAY)
                impact = IMPACT * child**IMPACT_EXPONENT
                cost += child * (walk + kept + impact + EDGE * (1 - math.exp(-(at - arrival) / EDGE_DECAY)))
                kept += IMPACT_KEPT * impact
                left -= child
                last = max(last, at)
        filled = size - left if left > 1e-9 else size
        done += filled
        volume += size
        missed = size - filled
        cost += missed * (EDGE * (1 - math.exp(-DEADLINE / EDGE_DECAY)) + UNFILLED_PENALTY)
        durations.append(DEADLINE if missed else last - arrival)
    hours = scenario.horizon / 3600
    return {
        "shortfall_bps": cost / volume if volume else 0.0,
        "completion_p95": float(np.quantile(durations, 0.95)) if durations else 0.0,
        "fill": done / volume if volume else 1.0,
        "bans": venue.bans / hours,
        "refusals": venue.refusals / hours,
        "lost_orders": lost / hours,
        "downtime": _covered([*zip(link.down, link.up), *banned], scenario.horizon) / scenario.horizon,
        "orders": sent / hours,
    }


def _stream(rng: np.random.Generator) -> Any:
    """Latencies one after the other, drawn in blocks."""
    while True:
        yield from np.exp(rng.normal(math.log(LATENCY_MEDIAN), LATENCY_SIGMA, 512)).tolist()


def _covered(intervals: list[tuple[float, float]], horizon: float) -> float:
    """Length of the union of intervals, clipped to [0, horizon]."""
    total, reached = 0.0, 0.0
    for start, end in sorted(intervals):
        start, end = max(start, reached), min(end, horizon)
        if end > start:
            total += end - start
            reached = end
    return total


def exchange_client(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Averages replicates of the simulation; see ``EXCHANGE_CLIENT`` for parameters and outcomes.

    The context's seed decides all randomness, unless the setting common_scenario asks for the same one in each trial.
    """
    context = context or Context()
    values, settings = read_arguments(EXCHANGE_CLIENT, params, context)
    EXCHANGE_CLIENT.space.check(values)  # outside these bounds a client may wait for ever
    seed = 0 if settings["common_scenario"] else context.seed
    horizon = settings["hours"] * 3600
    runs = [simulate(Scenario.draw(seed, r, horizon), values) for r in range(settings["replicates"])]
    out = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    shortfalls = [run["shortfall_bps"] for run in runs]
    error = float(np.std(shortfalls, ddof=1)) / math.sqrt(len(runs)) if len(runs) > 1 else 0.0
    return out | {"shortfall_error": error}


ENTRIES = (EXCHANGE_CLIENT,)
