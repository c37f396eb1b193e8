"""The documentation of objectives: its examples run, its tables are complete."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import yaml

from engine.objectives import Context, Infeasible, catalogue, resolve
from engine.objectives.catalogue import ALLOW_VARIABLE
from engine.objectives.strategy.indicators import INDICATORS
from engine.study import StudySpec

FOLDER = Path(__file__).parents[2] / "docs" / "objectives"


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (FOLDER / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def _desk_models(tmp_path, monkeypatch):
    function, *_ = blocks("yours.md", "python")
    (tmp_path / "desk_models.py").write_text(function)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(ALLOW_VARIABLE, "desk_models")
    monkeypatch.delitem(sys.modules, "desk_models", raising=False)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("_desk_models")
def test_the_example_of_a_function_runs_as_its_study_says():
    [text] = blocks("yours.md", "yaml")
    spec = StudySpec.from_yaml(text)
    curve = []
    context = Context(report=lambda step, value: curve.append(step))
    out = resolve(spec.objective)({"slices": 10, "urgency": 1.0}, context)
    assert set(out) == {"cost_bps", "risk"}
    assert curve == [1, 2, 3, 4, 5]
    with pytest.raises(Infeasible):
        resolve(spec.objective)({"slices": 60, "urgency": 10.0}, context)


def test_the_example_of_an_entry_is_one():
    _, entry, _ = blocks("yours.md", "python")
    names: dict = {}
    exec(entry, names)
    assert names["EXECUTION"].slug == "execution_cost"
    assert names["EXECUTION"].space.check(names["EXECUTION"].defaults)


def test_the_example_of_ask_and_tell_finds_the_minimum():
    *_, loop = blocks("yours.md", "python")
    names: dict = {}
    exec(loop, names)
    assert names["optimizer"].best.params["threshold"] == pytest.approx(0.3, abs=0.05)


def test_every_indicator_is_in_the_table():
    text = (FOLDER / "strategy.md").read_text(encoding="utf-8")
    assert not [name for name in INDICATORS if not re.search(rf"[ |]{name}[ |]", text)]
    assert f"{len(INDICATORS)} indicators, {sum(bool(i.parameters) for i in INDICATORS.values())} of them" in text


@pytest.mark.parametrize("entry", [e for e in catalogue().values() if e.area != "synthetic"], ids=lambda e: e.slug)
def test_every_objective_has_a_page_that_names_its_parameters(entry):
    text = (FOLDER / f"{entry.area}.md").read_text(encoding="utf-8")
    assert entry.path in text
    if entry.slug != "indicator_vote":
        family = {"boosting", "forest", "svm", "network"} if entry.slug == "classifier" else set()
        for name in entry.space.names:
            short = name.partition("_")[2] if name.partition("_")[0] in family else name
            assert re.search(rf"\b{short}\b", text), f"{name} is missing on {entry.area}.md"


def test_study_files_in_the_documentation_parse():
    for page in sorted(FOLDER.glob("*.md")):
        for text in blocks(page.name, "yaml"):
            assert isinstance(yaml.safe_load(text), dict)
