"""Runs the trial that a proposal was made from once more: frozen numbers that can't be had again are no evidence."""

from __future__ import annotations

import contextlib
import io
import math

from engine.errors import NotAllowed
from engine.governance import Actor, evidence_freeze, proposals, reviews
from engine.objectives.catalogue import allowed_modules
from engine.service.task import TrialTask, trial_seed
from engine.service.worker import run
from engine.store import Store
from engine.store.governance_records import ReplayRecord
from engine.study import StudySpec

TOLERANCE = 1e-9
"""Relative difference that counts as the same: a sum may be added in another order on another machine."""


def replay(store: Store, proposal_id: str, actor: Actor) -> ReplayRecord:
    """Evaluates the frozen parameters by the frozen study and compares every outcome; the answer joins the record.

    It runs here and now, for as long as the trial takes, with this machine's code and data. Raises NotAllowed for a
    proposal that comes from no trial, or from a study that people evaluate.
    """
    proposal = proposals.get(store, proposal_id)
    if "trial" not in proposal.sources:
        raise NotAllowed(f"The proposal {proposal.id} comes from no trial: there is nothing to run again.")
    spec = StudySpec.from_stored(proposal.sources["study"]["definition"])
    if spec.manual:
        raise NotAllowed(f"The study {spec.name} is evaluated by people: a program can't run it again.")
    trial = proposal.sources["trial"]
    task = TrialTask(
        number=trial["number"],
        attempt=1,
        objective=spec.objective,
        params=dict(trial["params"]),
        seed=trial_seed(spec.seed, trial["number"]),
        settings=dict(spec.settings),
        objectives=tuple(o.name for o in spec.objectives),
        limited=tuple(c.name for c in spec.outcome_constraints),
        timeout=spec.trial_timeout,
        allowed=tuple(allowed_modules()),
    )
    with contextlib.redirect_stdout(io.StringIO()):
        outcome = run(task)
    frozen: dict[str, float] = trial["values"]
    code = evidence_freeze.code_of(spec.objective)
    same_code = code == proposal.sources.get("code")
    if outcome.state != "complete":
        ok, words = False, f"It doesn't reproduce: the trial is {outcome.state} now. {outcome.error}"
    else:
        other = [n for n, v in frozen.items() if not _same(v, outcome.values.get(n))]
        ok = not other
        words = f"It reproduces: all {len(frozen)} outcomes are the same."
        if other:
            shown = "; ".join(f"{n} was {frozen[n]:.9g} and is {outcome.values.get(n, math.nan):.9g}" for n in other)
            words = f"It doesn't reproduce: {shown}."
    if not same_code:
        words += " The objective's code is another one than when it was frozen."
    return reviews.record_replay(store, proposal.id, actor, ReplayRecord(ok, same_code, outcome.values, words.strip()))


def _same(a: float, b: float | None) -> bool:
    return b is not None and math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-12)
