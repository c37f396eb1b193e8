"""Output transforms: raw outcomes to values a stationary GP can model, and posteriors back to natural units.

Every transform is increasing, so that the order of outcomes is kept. ``Output`` standardises, warps, and standardises
again; it is safe for magnitudes from 1e-300 to 1e300 and for constant values.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize_scalar

_LARGEST = np.finfo(float).max
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class Warp(Protocol):
    @property
    def name(self) -> str: ...

    def forward(self, z: np.ndarray) -> np.ndarray: ...

    def inverse(self, w: np.ndarray) -> np.ndarray: ...

    def log_slope(self, z: np.ndarray) -> np.ndarray:
        """log d forward / dz."""

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Standardise:
    """y -> (y / unit - centre) / spread."""

    unit: float
    centre: float
    spread: float

    @classmethod
    def of(cls, y: np.ndarray) -> Standardise:
        unit = float(np.abs(y).max()) if len(y) else 1.0
        unit = unit if unit > 0 else 1.0
        scaled = y / unit
        spread = float(scaled.std())
        return cls(unit, float(scaled.mean()), spread if spread > 1e-14 else 1.0)

    def forward(self, y: np.ndarray) -> np.ndarray:
        return (y / self.unit - self.centre) / self.spread

    def inverse(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.clip((z * self.spread + self.centre) * self.unit, -_LARGEST, _LARGEST)

    def deviation(self, std: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.minimum(std * self.spread * self.unit, _LARGEST)

    @property
    def log_slope(self) -> float:
        return float(-np.log(self.unit) - np.log(self.spread))


_AS_IS = Standardise(1.0, 0.0, 1.0)


@dataclass(frozen=True)
class Identity:
    name: str = "identity"

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z

    def inverse(self, w: np.ndarray) -> np.ndarray:
        return w

    def log_slope(self, z: np.ndarray) -> np.ndarray:
        return np.zeros_like(z)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name}


@dataclass(frozen=True)
class YeoJohnson:
    """The power transform of Yeo and Johnson (2000) for values of either sign."""

    power: float
    name: str = "yeo-johnson"

    @classmethod
    def of(cls, z: np.ndarray) -> YeoJohnson:
        """The power of greatest normal likelihood, between -2 and 4 (1 is the identity)."""

        def cost(power: float) -> float:
            warp = cls(power)
            return 0.5 * len(z) * np.log(warp.forward(z).var() + 1e-12) - warp.log_slope(z).sum()

        return cls(float(minimize_scalar(cost, bounds=(-2.0, 4.0), method="bounded", options={"xatol": 1e-3}).x))

    def forward(self, z: np.ndarray) -> np.ndarray:
        p, up = self.power, z >= 0
        a, b = np.log1p(np.where(up, z, 0.0)), np.log1p(np.where(up, 0.0, -z))
        positive = np.expm1(p * a) / p if abs(p) > 1e-6 else a
        negative = -np.expm1((2 - p) * b) / (2 - p) if abs(2 - p) > 1e-6 else -b
        return np.where(up, positive, negative)

    def inverse(self, w: np.ndarray) -> np.ndarray:
        p, up = self.power, w >= 0
        above, below = np.where(up, w, 0.0), np.where(up, 0.0, w)
        tiny = 1e-12  # beyond a bounded transform's range: the far end of it
        a = np.log(np.maximum(1 + p * above, tiny)) / p if abs(p) > 1e-6 else above
        q = 2 - p
        b = np.log(np.maximum(1 - q * below, tiny)) / q if abs(q) > 1e-6 else -below
        with np.errstate(over="ignore"):
            return np.clip(np.where(up, np.expm1(a), -np.expm1(b)), -_LARGEST, _LARGEST)

    def log_slope(self, z: np.ndarray) -> np.ndarray:
        return (self.power - 1) * np.sign(z) * np.log1p(np.abs(z))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "power": self.power}


@dataclass(frozen=True)
class ShiftedLog:
    """log(z - floor): for outcomes that bunch up at the good end, where differences are small, with a long bad tail."""

    floor: float
    name: str = "log"

    @classmethod
    def of(cls, z: np.ndarray) -> ShiftedLog:
        """The floor of greatest normal likelihood, between 0.001 and 10 deviations below the least value."""
        least = float(z.min())

        def cost(log_gap: float) -> float:
            w = np.log(z - least + np.exp(log_gap))
            return 0.5 * len(z) * np.log(w.var() + 1e-12) + w.sum()

        found = minimize_scalar(cost, bounds=np.log([1e-3, 10.0]), method="bounded", options={"xatol": 1e-3})
        return cls(least - float(np.exp(found.x)))

    def forward(self, z: np.ndarray) -> np.ndarray:
        return np.log(z - self.floor)

    def inverse(self, w: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.minimum(np.exp(w) + self.floor, _LARGEST)

    def log_slope(self, z: np.ndarray) -> np.ndarray:
        return -np.log(z - self.floor)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "floor": self.floor}


def warp_from_dict(data: dict[str, Any]) -> Warp:
    """Inverse of ``Warp.to_dict``. Raises ValueError for an unknown name."""
    if data["name"] == "identity":
        return Identity()
    if data["name"] == "yeo-johnson":
        return YeoJohnson(data["power"])
    if data["name"] == "log":
        return ShiftedLog(data["floor"])
    raise ValueError(f"unknown output transform {data['name']!r}")


@dataclass(frozen=True)
class Output:
    """Standardise, warp, standardise. Beyond the observed values, from low to high, the transform goes on as a straight
    line: a power's own tail would make anything of a prediction there.
    """

    first: Standardise
    warp: Warp
    second: Standardise
    low: float
    high: float

    @classmethod
    def of(cls, y: np.ndarray, kind: str = "identity") -> Output:
        """Fitted to y (n,), finite. kind: "none" (y as it is), "identity", "yeo-johnson" or "log"."""
        low, high = float(y.min()), float(y.max())
        if kind == "none":
            return cls(_AS_IS, Identity(), _AS_IS, low, high)
        first = Standardise.of(y)
        z = first.forward(y)
        if kind not in ("identity", "yeo-johnson", "log"):
            raise ValueError(f"unknown output transform {kind!r}")
        warp: Warp = Identity()
        if kind != "identity" and np.ptp(z) > 0:
            warp = YeoJohnson.of(z) if kind == "yeo-johnson" else ShiftedLog.of(z)
        return cls(first, warp, Standardise.of(warp.forward(z)), low, high)

    def forward(self, y: np.ndarray) -> np.ndarray:
        z = self.first.forward(y)
        inside, slope = self._inside(z)
        return self.second.forward(self.warp.forward(inside) + (z - inside) * slope)

    def inverse(self, w: np.ndarray) -> np.ndarray:
        return self.first.inverse(self._unwarp(w))

    def log_slope(self, y: np.ndarray) -> np.ndarray:
        """log dw/dy up to the constant of ``first``, which all transforms of the same y share."""
        return self.warp.log_slope(self._inside(self.first.forward(y))[0]) + self.second.log_slope

    def noise(self, y: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Noise variances of natural units in the transform's: by the width of y ± one deviation there, since a slope
        at y alone says little where the noise is wide.
        """
        deviation = np.sqrt(variance)
        with np.errstate(over="ignore"):
            up, down = (np.clip(y + d, -_LARGEST, _LARGEST) for d in (deviation, -deviation))
        return (0.5 * (self.forward(up) - self.forward(down))) ** 2

    def natural(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation in natural units of normal posteriors (m,), by 15-point Gauss-Hermite."""
        if isinstance(self.warp, Identity):
            scale = self.second.spread * self.second.unit
            return self.inverse(mean), self.first.deviation(std * scale)
        z = self._unwarp(mean[..., None] + std[..., None] * _NODES)
        centre = z @ _WEIGHTS
        spread = np.sqrt(np.maximum((z - centre[..., None]) ** 2 @ _WEIGHTS, 0.0))
        return self.first.inverse(centre), self.first.deviation(spread)

    def _inside(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z moved into the observed range, and the warp's slope there."""
        low, high = self.first.forward(np.array([self.low, self.high]))
        inside = np.clip(z, low, high)
        return inside, np.exp(self.warp.log_slope(inside))

    def _unwarp(self, w: np.ndarray) -> np.ndarray:
        """Back to what ``first`` made of the values."""
        v = self.second.inverse(w)
        ends = self.first.forward(np.array([self.low, self.high]))
        low, high = self.warp.forward(ends)
        inside = np.clip(v, low, high)
        z = np.clip(self.warp.inverse(inside), *ends)
        with np.errstate(over="ignore"):
            return np.clip(z + (v - inside) * np.exp(-self.warp.log_slope(z)), -_LARGEST, _LARGEST)

    def to_dict(self) -> dict[str, Any]:
        return {
            "first": asdict(self.first),
            "warp": self.warp.to_dict(),
            "second": asdict(self.second),
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Output:
        return cls(
            Standardise(**data["first"]),
            warp_from_dict(data["warp"]),
            Standardise(**data["second"]),
            data["low"],
            data["high"],
        )
