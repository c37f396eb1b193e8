"""What is left of a result when its parameters are chosen on the past only.

Source of walk-forward efficiency: Pardo, The Evaluation and Optimization of Trading Strategies, 2nd ed., 2008.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InvalidInput
from engine.evidence import inputs
from engine.evidence.performance import Performance, performance
from engine.evidence.splits import Split


@dataclass(frozen=True)
class WalkForward:
    """Summary of walk-forward folds, annualised.

    ``efficiency`` = mean out-of-sample / mean in-sample annual return over the folds, None where the latter isn't
    positive (there was nothing to keep). ``consistency`` = share of folds with a positive out-of-sample return.
    ``out_of_sample`` is computed on the one series that the folds' out-of-sample returns form; ``chosen`` the
    configuration of each fold if the choice was made here.
    """

    folds: int
    efficiency: float | None
    consistency: float
    in_sample_return: float
    out_of_sample_return: float
    fold_returns: tuple[float, ...]
    out_of_sample: Performance
    chosen: tuple[int, ...] | None = None


def summarise(
    in_sample: Sequence[ArrayLike],
    out_of_sample: Sequence[ArrayLike],
    periods: float,
    chosen: Sequence[int] | None = None,
) -> WalkForward:
    """Summary of the folds' net return series, in-sample and out-of-sample, with ``periods`` = periods per year.

    The parameters are taken to have been optimised afresh on each in-sample series.
    """
    if len(in_sample) != len(out_of_sample) or len(in_sample) < 2:
        raise InvalidInput(
            "out_of_sample",
            f"has {len(out_of_sample)} folds and in_sample {len(in_sample)}; at least two pairs are needed.",
        )
    q = inputs.number(periods, "periods", 0.0, math.inf, open_ends=True)
    inside = [float(np.mean(inputs.series(fold, f"in_sample.{i}"))) * q for i, fold in enumerate(in_sample)]
    pieces = [inputs.series(fold, f"out_of_sample.{i}", 1) for i, fold in enumerate(out_of_sample)]
    outside = [float(np.mean(piece)) * q for piece in pieces]
    before, after = float(np.mean(inside)), float(np.mean(outside))
    return WalkForward(
        folds=len(pieces),
        efficiency=after / before if before > 0.0 else None,
        consistency=float(np.mean(np.array(outside) > 0.0)),
        in_sample_return=before,
        out_of_sample_return=after,
        fold_returns=tuple(outside),
        out_of_sample=performance(np.concatenate(pieces), q),
        chosen=None if chosen is None else tuple(int(c) for c in chosen),
    )


def reselect(returns: ArrayLike, splits: Sequence[Split], periods: float) -> WalkForward:
    """Walk forward over evaluated trials: in each fold the configuration with the best in-sample Sharpe ratio is held.

    ``returns`` (T, N): net returns of N configurations. It re-chooses among the trials there are; a fresh optimisation
    in each fold (``summarise``) is the stricter test where the trials themselves were proposed with the whole history
    in view.
    """
    x = inputs.matrix(returns, "returns")
    chosen, inside, outside = [], [], []
    for split in splits:
        train = x[split.train]
        deviation = np.std(train, axis=0, ddof=1)
        idle = inputs.is_flat(train)
        ratios = np.where(idle, 0.0, np.mean(train, axis=0) / np.where(idle, 1.0, deviation))
        best = int(np.argmax(ratios))
        chosen.append(best)
        inside.append(train[:, best])
        outside.append(x[split.test, best])
    return summarise(inside, outside, periods, chosen)
