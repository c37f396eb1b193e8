"""Gaussian processes: kernels, priors, fitting, prediction, warps and diagnostics. Arrays only."""
