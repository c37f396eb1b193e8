"""Normal priors on log parameters, scaled with the dimension, and the box they are searched in."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from engine.surrogate.kernels import Kernel


@dataclass(frozen=True)
class Prior:
    """What is believed of the hyperparameters before data, in a cube with standardised outputs.

    lengthscale: median over sqrt(dimension); in d dimensions distances grow with sqrt(d), and so must lengthscales
    (Hvarfner et al. 2024). *_sd: standard deviations of the logarithms. noise: median of the noise variance.
    mix, gate: medians of the additive share and of the active/inactive correlation, on the logit scale with sd.
    scale: pseudo-observations that hold the output scale at 1; infinity fixes it.
    """

    lengthscale: float = 0.4
    lengthscale_sd: float = 1.0
    lengthscale_floor: float = 0.01
    noise: float = 3e-4
    noise_sd: float = 2.5
    noise_floor: float = 1e-8
    mix: float = 0.0
    mix_sd: float = 2.0
    gate: float = 0.0
    gate_sd: float = 1.5
    scale: float = float("inf")

    def arrays(self, kernel: Kernel) -> PriorArrays:
        mean, sd, low, high = [], [], [], []
        for info in kernel.parameters():
            if info.kind == "lengthscale":
                median = np.log(self.lengthscale * np.sqrt(info.dimension))
                mean.append(median)
                sd.append(self.lengthscale_sd)
                low.append(np.log(self.lengthscale_floor))
                high.append(median + 6.0)
            else:
                mean.append(self.mix if info.kind == "mix" else self.gate)
                sd.append(self.mix_sd if info.kind == "mix" else self.gate_sd)
                low.append(-6.0)
                high.append(6.0)
        mean.append(np.log(self.noise))
        sd.append(self.noise_sd)
        low.append(np.log(self.noise_floor))
        high.append(np.log(10.0))
        return PriorArrays(np.array(mean), np.array(sd), np.array(low), np.array(high), self.scale)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class PriorArrays:
    """``Prior`` for one kernel: theta = [kernel parameters, log noise]."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    scale: float

    def log_density(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Up to a constant, and its gradient."""
        z = (theta - self.mean) / self.sd
        return -0.5 * float(z @ z), -z / self.sd
