"""Is a result real? Statistics of backtests and of repeated trials, and the gate that may say no.

Belongs here: numbers computed from arrays of returns, positions, trial values and a posterior callable, and the verdict
on them. Doesn't: running a backtest, reading the store, drawing. Everything is a pure function of its arguments and a
seed, so that evidence can be computed again and compared. ``docs/evidence.md`` explains each number in plain words.
"""

from engine.evidence.pack import EvidencePack, generic_pack, trading_pack
from engine.evidence.verdict import Check, Gate, Verdict, judge

__all__ = ["Check", "EvidencePack", "Gate", "Verdict", "generic_pack", "judge", "trading_pack"]
