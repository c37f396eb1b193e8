"""Kernels with unit diagonal, and what fitting and prediction need of them: values and contracted gradients.

A kernel is a description; its parameters travel beside it as a vector theta (log lengthscales, logits). Gradients
are never formed as matrices: ``contract`` sums M * dk/dtheta over pairs, ``contract_inputs`` sums W * dk/dx over rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.surrogate.inputs import Columns, Pairs, Points
from engine.surrogate.profiles import PROFILES


@dataclass(frozen=True)
class ParameterInfo:
    """One entry of theta: its kind, its column (-1 for none) and, for lengthscales, how many columns share its
    kernel."""

    kind: str  # "lengthscale", "mix" (logit of a share), "gate" (logit of a correlation)
    column: int = -1
    dimension: int = 1


class Kernel(Protocol):
    def parameters(self) -> list[ParameterInfo]:
        """Describes theta."""

    def pairs(self, theta: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, Any]:
        """k at all pairs (N,), and a cache for ``contract``."""

    def contract(self, theta: np.ndarray, pairs: Pairs, cache: Any, M: np.ndarray) -> np.ndarray:
        """sum over pairs of M * dk/dtheta: (p,). M is (N,)."""

    def values(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        """k between rows of A and of B: (m, n)."""

    def cross(self, theta: np.ndarray, A: Points, B: Points) -> tuple[np.ndarray, Any]:
        """k between rows of A and of B: (m, n), and a cache for ``contract_inputs``."""

    def contract_inputs(self, theta: np.ndarray, A: Points, B: Points, cache: Any, W: np.ndarray) -> np.ndarray:
        """sum over B's rows of W * dk/dA.F: (m, f). W is (m, n)."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description; see ``kernel_from_dict``."""


class Radial:
    """One profile of the scaled distance over ``columns``, a lengthscale each (ARD)."""

    def __init__(self, profile: str, columns: Sequence[int], meaning: Columns) -> None:
        self.name, self.profile = profile, PROFILES[profile]
        self.columns = list(columns)
        self.features = meaning.features_of(self.columns)
        self.owner = np.searchsorted(self.columns, meaning.owner[self.features])
        self._all = len(self.features) == len(meaning.owner)

    def parameters(self) -> list[ParameterInfo]:
        return [ParameterInfo("lengthscale", j, len(self.columns)) for j in self.columns]

    def _square(self, pairs: Pairs) -> np.ndarray:
        return pairs.square if len(self.columns) == len(pairs.columns) else pairs.square[self.columns]

    def pairs(self, theta: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, Any]:
        return self.profile.value_and_slope(np.exp(-2 * theta) @ self._square(pairs))

    def contract(self, theta: np.ndarray, pairs: Pairs, cache: Any, M: np.ndarray) -> np.ndarray:
        return -2 * np.exp(-2 * theta) * (self._square(pairs) @ (M * cache))

    def values(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        return self.profile.value(self._distances(theta, A, B))

    def cross(self, theta: np.ndarray, A: Points, B: Points) -> tuple[np.ndarray, Any]:
        return self.profile.value_and_slope(self._distances(theta, A, B))

    def _distances(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        """Squared scaled distances (m, n) as one matrix product: [a, |a|^2, 1] [-2 b, 1, |b|^2]'."""
        scale = np.exp(-theta)[self.owner]
        f = len(scale)
        a, b = np.empty((len(A), f + 2)), np.empty((len(B), f + 2))
        np.multiply(A.F if self._all else A.F[:, self.features], scale, out=a[:, :f])
        np.multiply(B.F if self._all else B.F[:, self.features], scale, out=b[:, :f])
        a[:, f] = np.einsum("ij,ij->i", a[:, :f], a[:, :f])
        b[:, f + 1] = np.einsum("ij,ij->i", b[:, :f], b[:, :f])
        a[:, f + 1] = b[:, f] = 1.0
        b[:, :f] *= -2.0
        r2 = a @ b.T
        return np.maximum(r2, 0.0, out=r2)

    def contract_inputs(self, theta: np.ndarray, A: Points, B: Points, cache: Any, W: np.ndarray) -> np.ndarray:
        V = W * cache
        weight = 2 * np.exp(-2 * theta)[self.owner]
        if self._all:
            return weight * (A.F * V.sum(1)[:, None] - V @ B.F)
        out = np.zeros_like(A.F)
        f = self.features
        out[:, f] = weight * (A.F[:, f] * V.sum(1)[:, None] - V @ B.F[:, f])
        return out

    def to_dict(self) -> dict[str, Any]:
        return {"type": "radial", "profile": self.name, "columns": self.columns}


class Additive:
    """The mean of one-dimensional profiles, a column and a lengthscale each: main effects without interaction."""

    def __init__(self, profile: str, columns: Sequence[int], meaning: Columns) -> None:
        self.name, self.profile = profile, PROFILES[profile]
        self.columns = list(columns)
        self.parts = [Radial(profile, [j], meaning) for j in self.columns]
        self._features = [meaning.features_of([j])[0] for j in self.columns]
        self._categorical = [i for i, j in enumerate(self.columns) if not meaning.numeric[j]]

    def parameters(self) -> list[ParameterInfo]:
        return [ParameterInfo("lengthscale", j, 1) for j in self.columns]

    def pairs(self, theta: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, Any]:
        square = pairs.square if len(self.columns) == len(pairs.columns) else pairs.square[self.columns]
        k, slope = self.profile.value_and_slope(np.exp(-2 * theta)[:, None] * square)
        return k.sum(0) / len(self.columns), (square, slope)

    def contract(self, theta: np.ndarray, pairs: Pairs, cache: Any, M: np.ndarray) -> np.ndarray:
        square, slope = cache
        return (-2 / len(self.columns)) * np.exp(-2 * theta) * np.einsum("ij,ij,j->i", slope, square, M)

    def values(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        scale = np.exp(-theta)
        total = np.zeros((len(A), len(B)))
        for i, j in enumerate(self.columns):
            gap = np.subtract.outer(A.codes[:, j] * scale[i], B.codes[:, j] * scale[i])
            if i in self._categorical:
                gap = (gap != 0) * scale[i]
            gap *= gap
            total += self.profile.value(gap)
        total /= len(self.columns)
        return total

    def cross(self, theta: np.ndarray, A: Points, B: Points) -> tuple[np.ndarray, Any]:
        scale = np.exp(-theta)[:, None]
        a, b = A.codes[:, self.columns].T * scale, B.codes[:, self.columns].T * scale
        gap = a[:, :, None] - b[:, None, :]
        for i in self._categorical:
            gap[i] = (gap[i] != 0) * scale[i]
        k, slope = self.profile.value_and_slope(gap * gap)
        return k.sum(0) / len(self.columns), (gap, slope)

    def contract_inputs(self, theta: np.ndarray, A: Points, B: Points, cache: Any, W: np.ndarray) -> np.ndarray:
        gap, slope = cache
        by_column = np.einsum("dmn,dmn,mn->dm", slope, gap, W)
        by_column *= (2 / len(self.columns)) * np.exp(-theta)[:, None]
        by_column[self._categorical] = 0.0
        out = np.zeros_like(A.F)
        out[:, self._features] = by_column.T
        return out

    def to_dict(self) -> dict[str, Any]:
        return {"type": "additive", "profile": self.name, "columns": self.columns}


class Gated:
    """A conditional group with its inner kernel k: 1 where both rows are inactive, c where one is, c^2 + (1 - c^2) k
    where both are active, which is positive definite. theta = [logit c, inner ...].
    """

    def __init__(self, inner: Kernel, group: int) -> None:
        self.inner, self.group = inner, group

    def parameters(self) -> list[ParameterInfo]:
        return [ParameterInfo("gate"), *self.inner.parameters()]

    def pairs(self, theta: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, Any]:
        state, c = pairs.states[self.group], _sigmoid(theta[0])
        inner, cache = self.inner.pairs(theta[1:], pairs)
        k = np.where(state == 2, c * c + (1 - c * c) * inner, np.where(state == 1, c, 1.0))
        return k, (inner, cache)

    def contract(self, theta: np.ndarray, pairs: Pairs, cache: Any, M: np.ndarray) -> np.ndarray:
        state, c = pairs.states[self.group], _sigmoid(theta[0])
        inner, inner_cache = cache
        both, one = M * (state == 2), M * (state == 1)
        d_gate = c * (1 - c) * (2 * c * (both @ (1 - inner)) + one.sum())
        return np.concatenate([[d_gate], self.inner.contract(theta[1:], pairs, inner_cache, (1 - c * c) * both)])

    def values(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        return self._gate(theta, A, B, self.inner.values(theta[1:], A, B))

    def cross(self, theta: np.ndarray, A: Points, B: Points) -> tuple[np.ndarray, Any]:
        inner, cache = self.inner.cross(theta[1:], A, B)
        return self._gate(theta, A, B, inner), cache

    def _gate(self, theta: np.ndarray, A: Points, B: Points, inner: np.ndarray) -> np.ndarray:
        c = _sigmoid(theta[0])
        a, b = A.gates[self.group][:, None], B.gates[self.group]
        return np.where(a & b, c * c + (1 - c * c) * inner, np.where(a | b, c, 1.0))

    def contract_inputs(self, theta: np.ndarray, A: Points, B: Points, cache: Any, W: np.ndarray) -> np.ndarray:
        c = _sigmoid(theta[0])
        both = A.gates[self.group][:, None] & B.gates[self.group]
        return self.inner.contract_inputs(theta[1:], A, B, cache, np.where(both, (1 - c * c) * W, 0.0))

    def to_dict(self) -> dict[str, Any]:
        return {"type": "gated", "group": self.group, "inner": self.inner.to_dict()}


class Product:
    """The product of kernels; theta is theirs in order."""

    def __init__(self, parts: Sequence[Kernel]) -> None:
        self.parts = list(parts)
        self._slices = _slices([len(p.parameters()) for p in self.parts])

    def parameters(self) -> list[ParameterInfo]:
        return [info for part in self.parts for info in part.parameters()]

    def pairs(self, theta: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, Any]:
        found = [part.pairs(theta[s], pairs) for part, s in zip(self.parts, self._slices)]
        return _multiply([k for k, _ in found]), found

    def contract(self, theta: np.ndarray, pairs: Pairs, cache: Any, M: np.ndarray) -> np.ndarray:
        out = []
        for i, (part, s) in enumerate(zip(self.parts, self._slices)):
            others = _multiply([M, *(k for j, (k, _) in enumerate(cache) if j != i)])
            out.append(part.contract(theta[s], pairs, cache[i][1], others))
        return np.concatenate(out)

    def values(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        return _multiply([part.values(theta[s], A, B) for part, s in zip(self.parts, self._slices)])

    def cross(self, theta: np.ndarray, A: Points, B: Points) -> tuple[np.ndarray, Any]:
        found = [part.cross(theta[s], A, B) for part, s in zip(self.parts, self._slices)]
        return _multiply([k for k, _ in found]), found

    def contract_inputs(self, theta: np.ndarray, A: Points, B: Points, cache: Any, W: np.ndarray) -> np.ndarray:
        out = np.zeros_like(A.F)
        for i, (part, s) in enumerate(zip(self.parts, self._slices)):
            others = _multiply([W, *(k for j, (k, _) in enumerate(cache) if j != i)])
            out += part.contract_inputs(theta[s], A, B, cache[i][1], others)
        return out

    def to_dict(self) -> dict[str, Any]:
        return {"type": "product", "parts": [p.to_dict() for p in self.parts]}


class Mixture:
    """share * first + (1 - share) * second; theta = [logit share, first ..., second ...]."""

    def __init__(self, first: Kernel, second: Kernel) -> None:
        self.first, self.second = first, second
        self._cut = 1 + len(first.parameters())

    def parameters(self) -> list[ParameterInfo]:
        return [ParameterInfo("mix"), *self.first.parameters(), *self.second.parameters()]

    def pairs(self, theta: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, Any]:
        w = _sigmoid(theta[0])
        a, cache_a = self.first.pairs(theta[1 : self._cut], pairs)
        b, cache_b = self.second.pairs(theta[self._cut :], pairs)
        return w * a + (1 - w) * b, (a, cache_a, b, cache_b)

    def contract(self, theta: np.ndarray, pairs: Pairs, cache: Any, M: np.ndarray) -> np.ndarray:
        w = _sigmoid(theta[0])
        a, cache_a, b, cache_b = cache
        return np.concatenate(
            [
                [w * (1 - w) * (M @ (a - b))],
                w * self.first.contract(theta[1 : self._cut], pairs, cache_a, M),
                (1 - w) * self.second.contract(theta[self._cut :], pairs, cache_b, M),
            ]
        )

    def values(self, theta: np.ndarray, A: Points, B: Points) -> np.ndarray:
        w = _sigmoid(theta[0])
        a = self.first.values(theta[1 : self._cut], A, B)
        b = self.second.values(theta[self._cut :], A, B)
        a *= w
        b *= 1 - w
        a += b
        return a

    def cross(self, theta: np.ndarray, A: Points, B: Points) -> tuple[np.ndarray, Any]:
        w = _sigmoid(theta[0])
        a, cache_a = self.first.cross(theta[1 : self._cut], A, B)
        b, cache_b = self.second.cross(theta[self._cut :], A, B)
        return w * a + (1 - w) * b, (cache_a, cache_b)

    def contract_inputs(self, theta: np.ndarray, A: Points, B: Points, cache: Any, W: np.ndarray) -> np.ndarray:
        w = _sigmoid(theta[0])
        return w * self.first.contract_inputs(theta[1 : self._cut], A, B, cache[0], W) + (
            1 - w
        ) * self.second.contract_inputs(theta[self._cut :], A, B, cache[1], W)

    def to_dict(self) -> dict[str, Any]:
        return {"type": "mixture", "first": self.first.to_dict(), "second": self.second.to_dict()}


def make_kernel(name: str, meaning: Columns) -> Kernel:
    """The kernel called ``name`` over all columns, conditional groups gated.

    Names: a profile ("matern52", "rbf"), or two as in "matern52+rbf": a mixture of the first over all columns jointly
    with main effects of the second. Raises ValueError for an unknown name.
    """
    profile, _, extra = name.partition("+")
    if profile not in PROFILES or (extra and extra not in PROFILES):
        raise ValueError(f"unknown kernel {name!r}; known: {', '.join(PROFILES)}, and two of them joined by '+'")
    parts: list[Kernel] = []
    if meaning.unconditional:
        parts.append(_over(profile, extra, meaning.unconditional, meaning))
    for g, group in enumerate(meaning.groups):
        parts.append(Gated(Radial(profile, group, meaning), g))
    return parts[0] if len(parts) == 1 else Product(parts)


def kernel_from_dict(data: dict[str, Any], meaning: Columns) -> Kernel:
    """Inverse of ``Kernel.to_dict``."""
    kind = data["type"]
    if kind == "radial":
        return Radial(data["profile"], data["columns"], meaning)
    if kind == "additive":
        return Additive(data["profile"], data["columns"], meaning)
    if kind == "gated":
        return Gated(kernel_from_dict(data["inner"], meaning), data["group"])
    if kind == "product":
        return Product([kernel_from_dict(part, meaning) for part in data["parts"]])
    if kind == "mixture":
        return Mixture(kernel_from_dict(data["first"], meaning), kernel_from_dict(data["second"], meaning))
    raise ValueError(f"unknown kernel type {kind!r}")


def _over(profile: str, extra: str, columns: Sequence[int], meaning: Columns) -> Kernel:
    radial = Radial(profile, columns, meaning)
    if extra and len(columns) > 1:
        return Mixture(Additive(extra, columns, meaning), radial)
    return radial


def _sigmoid(t: float) -> float:
    return float(1 / (1 + np.exp(-t)))


def _multiply(arrays: Sequence[np.ndarray]) -> np.ndarray:
    out = arrays[0]
    for other in arrays[1:]:
        out = out * other
    return out


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = np.cumsum(sizes)
    return [slice(int(end - size), int(end)) for end, size in zip(ends, sizes)]
