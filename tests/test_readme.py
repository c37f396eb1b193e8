"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from engine.study import StudySpec

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_study_file_is_accepted():
    [text] = _blocks("yaml")
    assert StudySpec.from_yaml(text).budget_trials == 60


def test_the_python_example_prints_the_best():
    [code] = _blocks("python")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Best(params={'lr':")


def test_what_it_names_exists():
    linked = re.findall(r"\]\((docs/[^)#]+)\)", README)
    assert linked
    named = re.findall(r"python (tests/\S+\.py)", README) + re.findall(r"(sample_data/\S+\.yaml)", README)
    modules = [m.replace(".", "/") + ".py" for m in re.findall(r"python -m (tests\.\S+)", README)]
    missing = [name for name in [*linked, *named, *modules] if not (ROOT / name).is_file()]
    assert not missing


def test_ci_runs_the_test_command():
    command = next(line for line in _blocks("sh")[1].splitlines() if "pytest" in line)
    install, run = (part.strip() for part in command.split(" && ")[1:])
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert install.split("install ")[1] in script
    assert run in script
