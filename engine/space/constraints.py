"""Known constraints: arithmetic on parameters that every suggestion must satisfy, such as ``fast < slow``.

An expression is parsed once into a checked syntax tree; nothing else than numbers, text, parameter names, arithmetic,
comparisons, ``and``/``or``/``not``, ``in`` and a few functions gets through, and nothing is ever passed to ``eval``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from engine.errors import InvalidInput

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
    "max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
}
_ARITHMETIC: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_MAX_LENGTH = 500


class Constraint:
    """One expression over the parameters ``names``.

    ``violation`` is 0 where it holds and grows with the distance from holding, which a search can descend.
    """

    def __init__(self, text: str, known: Iterable[str]) -> None:
        field = f"constraints[{text!r}]"
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput("constraints", f"must be text such as 'fast < slow', not {text!r}.")
        if len(text) > _MAX_LENGTH:
            raise InvalidInput(
                "constraints", f"an expression may have {_MAX_LENGTH} characters, this one has {len(text)}."
            )
        self.text = text.strip()
        try:
            self._tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise InvalidInput(field, "is not an expression such as 'fast < slow'.") from None
        names: set[str] = set()
        self._collect(self._tree, names, field)
        known = list(known)
        for name in sorted(names - set(known)):
            close = get_close_matches(name, known, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise InvalidInput(field, f"{name} is not a parameter.{hint}")
        if not names:
            raise InvalidInput(field, "names no parameter.")
        if not isinstance(self._tree, (ast.Compare, ast.BoolOp)) and not self._is_not(self._tree):
            raise InvalidInput(field, "must compare something, as in 'fast < slow'.")
        self.names = frozenset(names)

    def __repr__(self) -> str:
        return f"Constraint({self.text!r})"

    def violation(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """How far each point is from satisfying it: shape (n,), 0 where it holds, infinity where it is undefined."""
        with np.errstate(all="ignore"):
            v = np.asarray(self._distance(self._tree, values), dtype=float)
        return np.where(np.isfinite(v), np.maximum(v, 0.0), np.inf)

    # --- checking -----------------------------------------------------------------------------

    @staticmethod
    def _is_not(node: ast.AST) -> bool:
        return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)

    def _collect(self, node: ast.AST, names: set[str], field: str) -> None:
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, (int, float, str, bool)):
                raise InvalidInput(field, f"{node.value!r} can't be used here.")
        elif isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords or not node.args:
                raise InvalidInput(field, f"only these functions are known: {', '.join(_FUNCTIONS)}.")
            for argument in node.args:
                self._collect(argument, names, field)
        elif isinstance(node, (ast.BinOp, ast.UnaryOp)):
            if type(node.op) not in _ARITHMETIC and not isinstance(node.op, ast.Not):
                raise InvalidInput(field, f"{type(node.op).__name__} is not supported.")
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._collect(child, names, field)
        elif isinstance(node, (ast.Compare, ast.BoolOp, ast.Tuple, ast.List)):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._collect(child, names, field)
        else:
            raise InvalidInput(
                field, f"{type(node).__name__} is not supported; compare parameters, as in 'fast < slow'."
            )

    # --- evaluation: arithmetic gives values, logic gives distances ------------------------------

    def _value(self, node: ast.AST, values: Mapping[str, np.ndarray]) -> Any:
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Call):
            return _FUNCTIONS[node.func.id](*(self._value(a, values) for a in node.args))  # type: ignore[attr-defined]
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, values), self._value(node.right, values)
            return _ARITHMETIC[type(node.op)](np.asarray(left, float), np.asarray(right, float))
        if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
            return _ARITHMETIC[type(node.op)](np.asarray(self._value(node.operand, values), float))
        if isinstance(node, (ast.Tuple, ast.List)):
            return [self._value(e, values) for e in node.elts]
        return np.where(np.asarray(self._distance(node, values)) <= 0, 1.0, 0.0)

    def _distance(self, node: ast.AST, values: Mapping[str, np.ndarray]) -> Any:
        if isinstance(node, ast.BoolOp):
            parts = [np.asarray(self._distance(v, values), float) for v in node.values]
            combine = np.add.reduce if isinstance(node.op, ast.And) else np.minimum.reduce
            return combine(np.broadcast_arrays(*parts))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return np.where(np.asarray(self._distance(node.operand, values)) > 0, 0.0, 1.0)
        if isinstance(node, ast.Compare):
            operands = [self._value(e, values) for e in (node.left, *node.comparators)]
            total: Any = 0.0
            for left, op, right in zip(operands, node.ops, operands[1:]):
                total = total + self._compare(left, op, right)
            return total
        return np.where(np.asarray(self._value(node, values), float) != 0, 0.0, 1.0)

    @staticmethod
    def _compare(left: Any, op: ast.cmpop, right: Any) -> np.ndarray:
        if isinstance(op, (ast.In, ast.NotIn)):
            found = np.logical_or.reduce(np.broadcast_arrays(*[np.asarray(left == r) for r in right]))
            return np.where(found if isinstance(op, ast.In) else ~found, 0.0, 1.0)
        if isinstance(op, (ast.Eq, ast.NotEq)):
            try:
                gap = np.abs(np.asarray(left, float) - np.asarray(right, float))
            except (TypeError, ValueError):
                gap = np.where(np.asarray(left == right), 0.0, 1.0)
            return gap if isinstance(op, ast.Eq) else np.where(gap == 0, 1.0, 0.0)
        gap = np.asarray(left, float) - np.asarray(right, float)
        if isinstance(op, (ast.Gt, ast.GtE)):
            gap = -gap
        if isinstance(op, (ast.Lt, ast.Gt)):  # strict: equality is a violation, but a small one
            return np.where(gap >= 0, gap + 1e-9 * (1 + np.abs(gap)), np.where(np.isnan(gap), np.inf, 0.0))
        return np.where(np.isnan(gap), np.inf, np.maximum(gap, 0.0))
