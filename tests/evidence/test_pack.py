"""The whole pack: no to the best of many random strategies on real prices, yes to real skill, never a NaN."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.errors import InvalidInput
from engine.evidence import Gate, dispersion, generic, generic_pack, splits, stability, trading_pack, walkforward

IN_SAMPLE = 3300
REQUIRED = {"deflated_sharpe", "overfitting", "track_record", "walk_forward", "benchmark", "trades", "costs", "plateau"}


def random_crosses(count, seed):
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        fast, slow = sorted(int(value) for value in np.exp(rng.uniform(math.log(2), math.log(300), 2)))
        if fast < slow:
            found.append((fast, slow, bool(rng.integers(2))))
    return found


@pytest.fixture(scope="module")
def best_of_random(sp500):
    """The best of 150 random moving-average crosses on the S&P 500, with everything that a review would ask for."""
    configurations = random_crosses(150, 0)
    trials = np.column_stack([sp500.cross(*configuration)[2] for configuration in configurations])
    inside = trials[:IN_SAMPLE]
    best = int(np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1)))
    positions, gross, net = sp500.cross(*configurations[best])
    return {
        "returns": net[:IN_SAMPLE],
        "periods": 252,
        "benchmarks": {"buy and hold": sp500.returns[-len(net) :][:IN_SAMPLE]},
        "trials": inside,
        "random": np.ones(150, dtype=bool),
        "positions": positions[:IN_SAMPLE],
        "gross_returns": gross[:IN_SAMPLE],
        "cost_bps": 2.0,
        "holdout": net[IN_SAMPLE:],
        "walk_forward": walkforward.reselect(inside, splits.walk_forward(IN_SAMPLE, 1260, 252), 252),
        "regimes": dispersion.volatility_regimes(sp500.returns[-len(net) :][:IN_SAMPLE]),
        "replicates": 300,
    }


def test_best_of_random_strategies_on_real_prices_is_refused_in_words(best_of_random):
    pack = trading_pack(**best_of_random)
    deflated = pack.verdict.check("deflated_sharpe")
    assert deflated.status == "red"
    assert deflated.value < 0.95
    assert pack.verdict.answer == "no"
    assert pack.verdict.sentence.startswith("No. ")
    assert "Deflated Sharpe ratio" in pack.verdict.sentence
    assert "the best of 150 trials without skill" in deflated.sentence
    # The undeflated probability would have waved it through.
    assert pack.numbers.probabilistic_sharpe > 0.95
    # More independent trials than there were can't help it: even the effective number refuses.
    assert pack.numbers.deflated_effective.trials < 150
    assert deflated.value <= pack.numbers.deflated_effective.probability < 0.95
    assert pack.numbers.benchmarks[0].name == "buy and hold"
    assert len(pack.numbers.by_regime.parts) == 3
    assert "of 3 market regimes" in pack.verdict.check("regimes").sentence


def test_every_random_choice_is_refused(sp500):
    for seed in (1, 2, 3):
        trials = np.column_stack([sp500.cross(*c)[2] for c in random_crosses(60, seed)])
        best = int(np.argmax(trials.mean(axis=0) / trials.std(axis=0, ddof=1)))
        pack = trading_pack(
            trials[:, best],
            periods=252,
            benchmarks={"buy and hold": sp500.returns[-len(trials) :]},
            trials=trials,
            replicates=100,
        )
        assert pack.verdict.check("deflated_sharpe").value < 0.95
        assert pack.verdict.answer == "no"


def skilled(seed=0, periods=1260):
    """A position that is right a little more often than not, among 99 that know nothing."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0002, 0.01, periods)
    positions = np.where(rng.random((periods, 100)) < 0.5, 1.0, -1.0)
    positions[:, 42] = np.where(rng.random(periods) < 0.62, np.sign(market), -np.sign(market))
    gross = positions * market[:, None]
    net = gross - np.abs(np.diff(positions, axis=0, prepend=0.0)) * 0.5 / 1e4
    return {
        "returns": net[:, 42],
        "periods": 252,
        "benchmarks": {"buy and hold": market, "half": market * 0.5 + rng.normal(0, 1e-4, periods)},
        "trials": net,
        "positions": positions[:, 42],
        "gross_returns": gross[:, 42],
        "cost_bps": 0.5,
        "walk_forward": walkforward.reselect(net, splits.walk_forward(periods, 252, 126), 252),
        "plateau": stability.plateau(3.0, [2.9, 2.8, 3.1, 2.7]),
        "replicates": 200,
    }


def test_true_skill_is_recognised():
    pack = trading_pack(**skilled())
    assert pack.verdict.answer == "yes", [c.sentence for c in pack.verdict.checks if c.status != "green"]
    assert pack.verdict.passed
    assert {c.name for c in pack.verdict.checks if c.status == "green"} >= REQUIRED
    assert pack.numbers.overfitting.probability < 0.01
    assert pack.numbers.deflated_all.probability > 0.99
    assert len(pack.numbers.benchmarks) == 2
    assert [stress.multiple for stress in pack.numbers.cost_stress] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("left_out", ["walk_forward", "plateau", "positions", "cost_bps"])
def test_what_nobody_looked_at_is_no_yes(left_out):
    evidence = skilled()
    evidence[left_out] = None
    pack = trading_pack(**evidence)
    assert pack.verdict.answer == "not yet"
    assert "not known" in pack.verdict.sentence


def test_a_needle_and_a_high_cost_turn_it_to_no():
    evidence = skilled()
    evidence["plateau"] = stability.plateau(3.0, [0.3, 0.1, -1.0])
    assert trading_pack(**evidence).verdict.check("plateau").status == "red"
    evidence = skilled()
    evidence["cost_bps"] = 1000.0
    pack = trading_pack(**evidence)
    assert pack.verdict.check("costs").status == "red"
    assert pack.verdict.answer == "no"


def test_an_optimisers_crowd_is_not_allowed_to_shrink_the_hurdle():
    rng = np.random.default_rng(1)
    ratios = np.concatenate([rng.normal(0.0, 0.06, 20), rng.normal(0.05, 0.002, 300)])
    evidence = {**skilled(), "trials": None, "trial_sharpes": ratios}
    flattered = trading_pack(**evidence)
    honest = trading_pack(**evidence, random=np.arange(320) < 20)
    assert honest.numbers.trial_variance.source == "random"
    assert honest.numbers.deflated_all.hurdle > 2 * flattered.numbers.deflated_all.hurdle
    assert any("random trials" in note for note in honest.notes)
    assert honest.verdict.check("overfitting").status == "missing", "ratios alone can't be cross-validated"


def test_a_single_idea_is_not_deflated_and_has_nothing_to_overfit():
    pack = trading_pack(**{**skilled(), "trials": None, "trial_count": 1})
    assert pack.numbers.deflated_all.probability == pack.numbers.probabilistic_sharpe
    assert pack.verdict.check("overfitting").status == "missing"
    assert pack.verdict.answer == "yes"


def test_trials_that_never_traded_count_but_do_not_break_it():
    evidence = skilled()
    evidence["trials"] = np.hstack([evidence["trials"], np.zeros((1260, 20))])
    evidence["random"] = np.ones(120, dtype=bool)
    pack = trading_pack(**evidence)
    assert pack.numbers.deflated_all.trials == 120
    assert pack.numbers.overfitting.configurations == 100
    assert pack.notes[0].startswith("20 of 120 trials never traded")
    assert trading_pack(**{**evidence, "trial_count": 500}).numbers.deflated_all.trials == 500


def test_pack_is_frozen_json_with_a_stable_digest():
    one, other = trading_pack(**skilled()), trading_pack(**skilled())
    assert one.to_json() == other.to_json()
    assert one.digest == other.digest
    assert one.digest != trading_pack(**{**skilled(), "seed": 1}).digest
    assert one.digest != trading_pack(**{**skilled(), "gate": Gate.from_dict({"trades": {"green": 50}})}).digest
    data = json.loads(one.to_json())
    assert data == one.to_dict()
    assert data["verdict"]["answer"] == "yes"
    assert data["gate"]["deflated_sharpe"] == {"green": 0.95, "amber": 0.8, "high": True, "required": True}


@settings(max_examples=40, deadline=None)
@given(
    returns=hnp.arrays(np.float64, 40, elements=st.floats(-0.5, 0.5, width=16)),
    others=hnp.arrays(np.float64, (40, 3), elements=st.floats(-0.5, 0.5, width=16)),
)
def test_any_finite_history_gets_a_verdict_or_a_sentence(returns, others):
    try:
        pack = trading_pack(
            returns,
            periods=252,
            benchmarks={"other": others[:, 0]},
            trials=np.column_stack([returns, others]),
            replicates=100,
            blocks=4,
        )
    except InvalidInput:
        return
    assert pack.verdict.answer in ("yes", "not yet", "no")
    assert "nan" not in pack.to_json().lower()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"returns": np.zeros(1260)}, "returns"),
        ({"returns": np.full(1260, np.nan)}, "returns"),
        ({"returns": np.arange(20) / 1e3}, "returns"),
        ({"benchmarks": {}}, "benchmarks"),
        ({"benchmarks": {"hold": np.zeros(1260)}}, "benchmarks.hold"),
        ({"benchmarks": {"hold": np.arange(99) / 1e4}}, "benchmarks.hold"),
        ({"trials": None}, "trial_count"),
        ({"trials": None, "trial_count": 50}, "trial_sharpes"),
        ({"trials": np.zeros((10, 4))}, "trials"),
        ({"trials": np.full((1260, 4), np.nan)}, "trials"),
        ({"trial_count": 7}, "trial_count"),
        ({"random": np.ones(3, dtype=bool)}, "random"),
        ({"positions": np.ones(10)}, "positions"),
        ({"periods": 0}, "periods"),
    ],
)
def test_bad_input_is_named(change, field):
    with pytest.raises(InvalidInput) as caught:
        trading_pack(**{**skilled(), **change})
    assert caught.value.field == field


def test_latency_that_improves_is_believed_and_one_that_does_not_is_refused():
    rng = np.random.default_rng(0)
    baseline = rng.normal(50, 2, 8)
    effects = generic.sensitivity(lambda p: 40 + abs(p["workers"] - 16) * 0.2, {"workers": 16}, value=40.0)
    limits = [
        generic.limit_distance("errors", [0.0] * 8, 0.0),
        generic.limit_distance("memory", rng.normal(500, 5, 8), 600),
    ]
    good = generic_pack(rng.normal(40, 2, 8), baseline, metric="latency", effects=effects, limits=limits)
    assert good.verdict.answer == "yes", good.verdict
    assert good.numbers.comparison.improvement == pytest.approx(10, abs=3)

    worse = generic_pack(rng.normal(55, 2, 8), baseline, effects=effects, limits=limits)
    assert worse.verdict.answer == "no"
    doubtful = generic_pack(baseline - 0.2, baseline, effects=effects, limits=limits)
    assert doubtful.verdict.check("improvement").status == "amber"
    assert doubtful.verdict.answer == "not yet"
    broken = generic_pack(
        rng.normal(40, 2, 8), baseline, effects=effects, limits=[generic.limit_distance("errors", [1.0, 2.0], 0.0)]
    )
    assert broken.verdict.check("limits").status == "red"
    fragile = generic_pack(
        rng.normal(40, 2, 8),
        baseline,
        effects=generic.sensitivity(lambda p: None, {"workers": 16}, value=40.0),
        limits=limits,
    )
    assert fragile.verdict.check("sensitivity").status == "red"
    assert "workers" in fragile.verdict.check("sensitivity").sentence
    few = generic_pack([40.0, 41.0], [50.0, 51.0], effects=effects)
    assert few.verdict.check("replicates").status == "red"
