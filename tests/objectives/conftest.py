import subprocess
import sys

import pytest


@pytest.fixture
def python():
    """Runs a piece of code in an interpreter of its own."""

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
