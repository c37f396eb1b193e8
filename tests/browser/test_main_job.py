"""The main job as a person does it: define a study, launch it, watch it, see what the model learnt, stop another."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(300)

STUDY = "Größe <b>fünf</b> 📈"
"""A name with umlauts, markup and an emoji: all of it must be shown as it is."""


@pytest.fixture(scope="module")
def desk(start_desk: Callable[..., object]):
    """An empty desk: a fresh store, one engine, the dashboard."""
    return start_desk("up", "--store", "desk.db", "--no-browser")


def _settled(page) -> None:
    page.wait_for_selector('[data-testid="stMain"]')
    page.wait_for_function("() => !document.querySelector('[data-testid=\"stStatusWidget\"]')")


def _number(page, label: str, value: int) -> None:
    box = page.get_by_label(label, exact=True).first
    box.fill(str(value))
    box.press("Enter")


def _zoom_outlives_new_trials(page) -> None:
    """Zooms the chart of a running study and waits for more trials in it: the axis stays where the viewer put it."""
    chart = page.locator(".live-chart .plot-container")
    chart.wait_for()
    state = """() => {
        const box = document.querySelector(".live-chart");
        return {range: box.layout.xaxis.range, n: box.calcdata.reduce((n, points) => n + points.length, 0)};
    }"""
    page.wait_for_function(f"() => document.querySelector('.live-chart').calcdata && ({state})().n > 8")
    area = page.locator(".live-chart .nsewdrag").first.bounding_box()
    left, y = area["x"] + 0.3 * area["width"], area["y"] + 0.5 * area["height"]
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move(left + 0.3 * area["width"], y, steps=8)
    page.mouse.up()
    zoomed = page.evaluate(state)
    page.wait_for_function(f"n => ({state})().n > n", arg=zoomed["n"])
    assert page.evaluate(state)["range"] == zoomed["range"]


def test_an_empty_store_leads_to_the_first_study(desk, page) -> None:
    page.goto(desk.url)
    page.get_by_role("heading", name="Studies", exact=True).wait_for()
    page.get_by_text(re.compile("No stud", re.I)).first.wait_for()
    assert not page.errors


def test_a_study_launched_in_the_browser_shows_its_surrogate(desk, page) -> None:
    page.goto(f"{desk.url}/new_study")
    page.get_by_role("textbox", name="Study name").wait_for()
    name = page.get_by_role("textbox", name="Study name")
    name.fill(STUDY)
    name.press("Enter")
    _number(page, "Trials", 16)
    launch = page.get_by_role("button", name="Launch study")
    page.get_by_text("16 trials").first.wait_for()
    launch.click()

    page.get_by_role("heading", name=STUDY).wait_for()
    assert "study=" in page.url
    page.get_by_text(re.compile(r"16 of 16")).first.wait_for(timeout=120_000)
    page.get_by_text("complete").first.wait_for()
    page.locator(".js-plotly-plot").first.wait_for()

    study = re.search(r"study=([0-9a-f-]+)", page.url)
    assert study
    page.goto(f"{desk.url}/surrogate?study={study[1]}")
    page.get_by_text(re.compile("Mean of sharpe")).first.wait_for()
    page.get_by_text(re.compile("Standard deviation of sharpe")).first.wait_for()
    page.get_by_text(re.compile("Acquisition")).first.wait_for()
    page.get_by_text("Where it looks next", exact=True).wait_for()
    assert page.locator(".js-plotly-plot").count() >= 2
    assert "Something went wrong" not in page.content()
    assert not page.errors


def test_bad_input_names_the_field_and_nothing_is_written(desk, page) -> None:
    page.goto(desk.url)
    _settled(page)
    before = page.request.get(f"{desk.url}/api/v1/studies").json()["total"]
    page.goto(f"{desk.url}/new_study")
    page.get_by_role("textbox", name="Study name").wait_for()
    constraints = page.get_by_role("textbox", name="Constraints")
    constraints.fill("fast > slow and slow > 400")
    constraints.press("Control+Enter")
    page.get_by_text(re.compile("no point of the space satisfies")).first.wait_for()
    expect(page.get_by_role("button", name="Launch study")).to_be_disabled()
    assert page.request.get(f"{desk.url}/api/v1/studies").json()["total"] == before


def test_cancel_ends_a_running_study(desk, page) -> None:
    page.goto(f"{desk.url}/new_study")
    page.get_by_role("textbox", name="Study name").wait_for()
    name = page.get_by_role("textbox", name="Study name")
    name.fill("endless")
    name.press("Enter")
    _number(page, "Trials", 100_000)
    page.get_by_text("100000 trials").or_(page.get_by_text("100,000 trials")).first.wait_for()
    page.get_by_role("button", name="Launch study").click()
    page.get_by_role("heading", name="endless").wait_for()
    page.get_by_text("running").first.wait_for()
    _zoom_outlives_new_trials(page)
    page.get_by_role("button", name="Cancel", exact=False).first.click()
    page.get_by_role("button", name="Cancel this study").click()
    page.get_by_text("cancelled").first.wait_for()
    study = page.request.get(f"{desk.url}/api/v1/studies").json()["studies"][0]
    assert study["state"] == "cancelled"
