"""The command in this process, in a folder of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.service.worker import THREAD_VARIABLES
from tests.cli.support import Run, run_here


@pytest.fixture
def tunedesk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """tunedesk("study", "list") -> exit code, stdout and stderr."""
    for name in [*THREAD_VARIABLES, *(n for n in os.environ if n.startswith("TUNEDESK_"))]:
        monkeypatch.setenv(name, "")  # so that what the command sets is undone after the test
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(arguments, capsys, monkeypatch)
