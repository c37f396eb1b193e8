"""Published test problems on the unit cube, for the benchmarks of acquisitions.

Several objectives: BraninCurrin and VehicleSafety as in BoTorch's test functions (Liao et al. 2008 for the latter),
ZDT (Zitzler, Deb and Thiele 2000), DTLZ2 (Deb et al. 2002), C2-DTLZ2 (Jain and Deb 2014), all minimised. One
objective: Branin, Hartmann, Ackley, Levy, Rosenbrock, with their optima.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Several:
    """function: (d,) in the unit cube -> (m,), then limits where slack >= 0 is feasible. reference: the worst
    corner.
    """

    function: Function
    dimension: int
    reference: tuple[float, ...]
    slack: Callable[[np.ndarray], float] | None = None


@dataclass(frozen=True)
class Single:
    function: Callable[[np.ndarray], float]
    dimension: int
    optimum: float
    noise: float = field(default=0.0)


def branin(x: np.ndarray) -> float:
    a, b = 15 * x[0] - 5, 15 * x[1]
    return (b - 5.1 / (4 * np.pi**2) * a * a + 5 / np.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10


def currin(x: np.ndarray) -> float:
    top = 2300 * x[0] ** 3 + 1900 * x[0] ** 2 + 2092 * x[0] + 60
    return (1 - np.exp(-0.5 / max(x[1], 1e-12))) * top / (100 * x[0] ** 3 + 500 * x[0] ** 2 + 4 * x[0] + 20)


def branin_currin(x: np.ndarray) -> np.ndarray:
    return np.array([branin(x), currin(x)])


def zdt(x: np.ndarray, kind: int) -> np.ndarray:
    g = 1 + 9 * x[1:].mean()
    ratio = x[0] / g
    shape = 1 - np.sqrt(ratio) if kind != 2 else 1 - ratio**2
    if kind == 3:
        shape -= ratio * np.sin(10 * np.pi * x[0])
    return np.array([x[0], g * shape])


def dtlz2(x: np.ndarray, m: int) -> np.ndarray:
    radius = 1 + ((x[m - 1 :] - 0.5) ** 2).sum()
    angles = x[: m - 1] * np.pi / 2
    out = np.full(m, radius)
    for i in range(m):
        out[i] *= np.cos(angles[: m - 1 - i]).prod() * (np.sin(angles[m - 1 - i]) if i else 1.0)
    return out


def c2_slack(x: np.ndarray, m: int = 2, r: float = 0.2) -> float:
    f = dtlz2(x, m)
    ends = min((f[i] - 1) ** 2 + (f**2).sum() - f[i] ** 2 - r * r for i in range(m))
    return -min(ends, ((f - 1 / np.sqrt(m)) ** 2 - r * r).sum())  # r^2 once an objective, as in BoTorch


def vehicle_safety(x: np.ndarray) -> np.ndarray:
    a, b, c, d, e = 1 + 2 * x
    mass = 1640.2823 + 2.3573285 * a + 2.3220035 * b + 4.5688768 * c + 7.7213633 * d + 4.4559504 * e
    acceleration = 6.5856 + 1.15 * a - 1.0427 * b + 0.9738 * c + 0.8364 * d - 0.3695 * a * d + 0.0861 * a * e
    acceleration += 0.3628 * b * d - 0.1106 * a * a - 0.3437 * c * c + 0.1764 * d * d
    intrusion = -0.0551 + 0.0181 * a + 0.1024 * b + 0.0421 * c - 0.0073 * a * b + 0.024 * b * c - 0.0118 * b * d
    intrusion += -0.0204 * c * d - 0.008 * c * e - 0.0241 * b * b + 0.0109 * d * d
    return np.array([mass, acceleration, intrusion])


SEVERAL = {
    "BraninCurrin": Several(branin_currin, 2, (18.0, 6.0)),
    "ZDT1": Several(partial(zdt, kind=1), 4, (11.0, 11.0)),
    "ZDT2": Several(partial(zdt, kind=2), 4, (11.0, 11.0)),
    "ZDT3": Several(partial(zdt, kind=3), 4, (11.0, 11.0)),
    "DTLZ2, 2": Several(partial(dtlz2, m=2), 6, (1.1, 1.1)),
    "DTLZ2, 3": Several(partial(dtlz2, m=3), 6, (1.1, 1.1, 1.1)),
    "DTLZ2, 4": Several(partial(dtlz2, m=4), 6, (1.1, 1.1, 1.1, 1.1)),
    "VehicleSafety": Several(vehicle_safety, 5, (1864.72022, 11.81993945, 0.2903999384)),
    "C2-DTLZ2": Several(partial(dtlz2, m=2), 12, (1.1, 1.1), c2_slack),
}

_A3 = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
_P3 = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
_A6 = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P6 = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(x: np.ndarray, A: np.ndarray, P: np.ndarray) -> float:
    return float(-np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-(A * (x - P) ** 2).sum(1)))


def ackley(x: np.ndarray) -> float:
    z = 30 * x - 10  # the optimum is off the centre
    return float(-20 * np.exp(-0.2 * np.sqrt((z * z).mean())) - np.exp(np.cos(2 * np.pi * z).mean()) + 20 + np.e)


def levy(x: np.ndarray) -> float:
    w = 1 + (20 * x - 11) / 4
    middle = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)).sum()
    return float(np.sin(np.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


def rosenbrock(x: np.ndarray) -> float:
    z = 4 * x - 2
    return float((100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum())


SINGLE = {
    "Branin": Single(branin, 2, 0.39788735772973816),
    "Hartmann3": Single(partial(hartmann, A=_A3, P=_P3), 3, -3.86278214782076),
    "Ackley4": Single(ackley, 4, 0.0),
    "Levy4": Single(levy, 4, 0.0),
    "Rosenbrock3": Single(rosenbrock, 3, 0.0),
    "Hartmann3, noisy": Single(partial(hartmann, A=_A3, P=_P3), 3, -3.86278214782076, noise=0.3),
}
