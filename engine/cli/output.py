"""How studies and trials look on a terminal and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from engine.store.records import StudyRecord


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(table: Table) -> None:
    """On a terminal in its width; through a pipe as wide as it needs, so that scripts find a row a line."""
    from rich.console import Console

    Console(highlight=False, width=None if sys.stdout.isatty() else 4000).print(table)


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def cell(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def params(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {cell(value)}" for name, value in values.items())


def ago(seconds: float) -> str:
    """An age for people: 4 s, 3 min, 5 h, 2 days."""
    for limit, unit, word in ((100, 1, "s"), (6000, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{max(0.0, seconds) / unit:.0f} {word} ago"
    return f"{seconds / 86400:.0f} days ago"


def counts(study: StudyRecord) -> str:
    """``57 of 60 trials (3 infeasible, 1 failed)``"""
    extra = [f"{n} {word}" for n, word in ((study.n_infeasible, "infeasible"), (study.n_failed, "failed")) if n]
    text = f"{study.n_finished} of {study.spec.budget_trials} trials"
    return text + (f" ({', '.join(extra)})" if extra else "")
