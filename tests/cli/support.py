"""Runs the command: in this process where a test only looks at what it says, in one of its own where that matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Said]


def environment() -> dict[str, str]:
    """Without what the user of this machine may have set for Tunedesk, able to import this checkout from anywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNEDESK_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def spawn(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """`tunedesk …` as a leader of its own process group, with stdout and stderr kept apart."""
    return subprocess.Popen(
        [sys.executable, "-m", "engine.cli", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_here(arguments: tuple[object, ...], capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> Said:
    """`tunedesk …` by its console script's function, in the present folder."""
    from engine.cli import main

    patch.setattr(sys, "argv", ["tunedesk", *map(str, arguments)])
    capture.readouterr()
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    out, err = capture.readouterr()
    return Said(code, out, err)
