"""Gaussian processes: kernels, priors, fitting, prediction, warps and diagnostics. Arrays only.

Belongs here: everything that turns (X, y) into a posterior and says how far to trust it. X is (n, d) in the unit cube,
NaN where a conditional column is inactive. Doesn't belong: parameters by name, acquisition, trials.
"""

from engine.surrogate.exact import GaussianProcess
from engine.surrogate.inputs import Columns

__all__ = ["Columns", "GaussianProcess"]
