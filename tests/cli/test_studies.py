"""`tunedesk study …`, `trials`, `audit`, `objectives`: what they print, and that bad input writes nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from engine.errors import StoreError
from engine.store import Store
from tests.cli.support import Run, environment, spawn

BRANIN = {
    "name": "my-branin",
    "objective": "engine.objectives.synthetic:branin",
    "parameters": {"x": {"type": "float", "low": -5, "high": 10}, "y": {"type": "float", "low": 0, "high": 15}},
    "objectives": [{"name": "value", "direction": "minimize"}],
    "budget": {"trials": 8},
}


def _write(folder: Path, **changes: object) -> Path:
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(BRANIN | changes))
    return file


BAD = {
    "an empty space": ({"parameters": {}}, "parameters: "),
    "low above high": ({"parameters": {"x": {"type": "float", "low": 3, "high": 3}}}, "parameters.x: low (3)"),
    "log of zero": ({"parameters": {"x": {"type": "float", "low": 0, "high": 1, "log": True}}}, "parameters.x.low: "),
    "an unknown objective": ({"objective": "engine.objectives.synthetic:brannin"}, "objective: "),
    "an objective that isn't allowed": ({"objective": "os:system"}, "objective: 'os:system' is not on the allow-list"),
    "an impossible constraint": ({"constraints": ["x > 11"]}, "constraints: "),
    "a constraint on nothing": ({"constraints": ["z < 1"]}, "constraints['z < 1']: z is not a parameter"),
    "a budget of nothing": ({"budget": {"trials": 0}}, "budget.trials: "),
    "no workers": ({"workers": 0}, "workers: "),
    "a section that doesn't exist": ({"worker": 2}, "worker: is not a section of a study. Did you mean workers?"),
}


@pytest.mark.parametrize("verb", ["create", "run"])
@pytest.mark.parametrize("what", BAD)
def test_bad_study_files_are_refused_in_words(tmp_path: Path, tunedesk: Run, verb: str, what: str) -> None:
    changes, sentence = BAD[what]
    result = tunedesk("study", verb, _write(tmp_path, **changes), "--store", "store.db")
    assert result.returncode == 2
    assert sentence in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "store.db").exists()


def test_a_refusal_in_a_process_of_its_own(tmp_path: Path) -> None:
    process = spawn("study", "create", _write(tmp_path, parameters={}), "--store", "store.db", cwd=tmp_path)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert stderr == "parameters: the space is empty: add at least one parameter.\n"
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: [1, 2\nbudget: {", "study.yaml: line"),
        ("parameters:\n  x: {type: float, low: 0, high: 1}\n  x: {type: int, low: 0, high: 1}\n", "x stands twice"),
        ("just some words", "study: must be a mapping"),
        (b"\xff\xfe\x00\x01", "is not a text file in UTF-8"),
    ],
)  # fmt: skip
def test_corrupt_study_files_are_refused_in_words(
    tmp_path: Path, tunedesk: Run, text: str | bytes, sentence: str
) -> None:
    (tmp_path / "study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    result = tunedesk("study", "create", "study.yaml", "--store", "store.db")
    assert result.returncode == 2
    assert sentence in result.stderr
    assert not (tmp_path / "store.db").exists()


def test_a_study_from_creation_to_its_end(tmp_path: Path, tunedesk: Run) -> None:
    created = tunedesk("study", "create", _write(tmp_path))
    assert created.returncode == 0, created.stderr
    study_id = created.stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{12}", study_id)
    assert (tmp_path / "tunedesk.db").exists()

    paused = tunedesk("study", "pause", study_id)
    assert (paused.returncode, paused.stdout) == (0, "my-branin: paused\n")
    again = tunedesk("study", "pause", study_id)
    assert again.returncode == 2
    assert "it is paused already" in again.stderr
    resumed = tunedesk("study", "resume", study_id, "--json")
    assert json.loads(resumed.stdout)["study"]["state"] == "queued"

    run = tunedesk("study", "run", study_id, "--store", "tunedesk.db")
    assert run.returncode == 0, run.stderr
    assert "my-branin: complete, 8 of 8 trials" in run.stdout
    assert "value 24.1300 with the defaults →" in run.stdout.replace("24.13 ", "24.1300 ")

    shown = json.loads(tunedesk("study", "show", study_id[:6], "--json").stdout)
    assert (shown["state"], shown["n_complete"]) == ("complete", 8)
    assert set(shown["best_params"]) == {"x", "y"}
    listed = json.loads(tunedesk("study", "list", "--json").stdout)
    assert [s["id"] for s in listed] == [study_id]
    rows = list(csv.DictReader(io.StringIO(tunedesk("trials", study_id, "--csv").stdout)))
    assert [int(row["number"]) for row in rows] == list(range(8))
    assert min(float(row["value"]) for row in rows) == shown["best_value"]
    trials = json.loads(tunedesk("trials", study_id, "--json").stdout)
    assert trials[0]["origin"] == "default"
    assert len(tunedesk("trials", study_id).stdout.splitlines()) == 10

    late = tunedesk("study", "cancel", study_id)
    assert late.returncode == 2
    assert "it has ended (complete)" in late.stderr
    assert tunedesk("audit", "verify").returncode == 0
    exported = tunedesk("audit", "export").stdout.splitlines()
    assert json.loads(exported[-1])["entries"] == 3


def test_a_run_without_a_store_keeps_nothing(tmp_path: Path, tunedesk: Run) -> None:
    result = tunedesk("study", "run", _write(tmp_path), "--trials", "3", "--workers", "2", "--json")
    assert result.returncode == 0, result.stderr
    out = json.loads(result.stdout)
    assert (out["n_complete"], out["spec"]["workers"]) == (3, 2)
    assert out["default_params"] == {"x": 2.5, "y": 7.5}
    assert [p.name for p in tmp_path.iterdir()] == ["study.yaml"]


def test_ctrl_c_stops_a_run_and_says_how_to_go_on(tmp_path: Path) -> None:
    slow = {"objective": "engine.objectives.synthetic:slow_noisy_bowl", "budget": {"trials": 500}}
    file = _write(tmp_path, **slow, settings={"seconds": 0.2}, parameters={
        name: {"type": "float", "low": -5, "high": 5} for name in ("x", "y")})  # fmt: skip
    process = spawn("study", "run", file, "--store", "store.db", cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not _finished_trials(tmp_path / "store.db"):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    resume = re.search(r"To go on: tunedesk study run (\w+) --store store.db", stderr)
    assert resume, stderr
    with Store.open(tmp_path / "store.db", readonly=True) as store:
        study = store.get_study(resume[1])
        assert (study.state, study.n_running, study.engine_id) == ("queued", 0, None)


def _finished_trials(path: Path) -> int:
    try:
        with Store.open(path, readonly=True) as store:
            studies, _ = store.list_studies()
            return sum(s.n_finished for s in studies)
    except StoreError:  # not made yet
        return 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["study", "list", "--store", "nowhere.db"], "There is no store at"),
        (["study", "show", "abcdef", "--store", "empty.db"], "There is no study 'abcdef'"),
        (["study", "list", "--store", "text.db"], "is not a Tunedesk store"),
        (["study", "list", "--store", "empty.db", "--state", "lazy"], "'lazy' is no state"),
        (["study", "run", "nofile.yaml"], "is no file here"),
        (["study", "create", "nofile.yaml"], "can't be read: No such file"),
        (["trials", "abcdef", "--store", "empty.db", "--csv", "--json"], "don't go together"),
        (["engine", "--store", "empty.db", "--executor", "somewhere"], "executor: must be local or a Dask"),
        (["engine", "--store", "empty.db", "--objectives", "no/module"], "is no module's name"),
        (["audit", "export", "--store", "empty.db", "--out", "text.db"], "can't be written: File exists"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, tunedesk: Run, arguments: list[str], sentence: str
) -> None:
    Store.open(tmp_path / "empty.db", create=True).close()
    (tmp_path / "text.db").write_text("no database, " * 100)
    result = tunedesk(*arguments)
    assert result.returncode == 2, result.stderr
    assert sentence in result.stderr


def test_the_catalogue_and_the_version(tmp_path: Path, tunedesk: Run) -> None:
    entries = json.loads(tunedesk("objectives", "--json").stdout)
    assert "engine.objectives.strategy:moving_average_cross" in [e["path"] for e in entries]
    assert tunedesk("version").stdout.startswith("tunedesk 0.")
    upgraded = tunedesk("db", "upgrade", "--store", "new.db")
    assert (upgraded.returncode, (tmp_path / "new.db").exists()) == (0, True)


def test_a_start_loads_no_numeric_library(tmp_path: Path) -> None:
    """The command answers quickly, and a worker, which imports the same entry point, stays small."""
    heavy = ("numpy", "pandas", "sqlalchemy", "rich.table")
    code = f"import sys, engine.cli.app; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
