"""Every page on an empty store, on studies in every state, and on names that try to be code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.text import plain
from engine.store import Store
from tests.dashboard.conftest import PAGES, study_called, texts
from tests.dashboard.seeding import HOSTILE_NAME

OpenPage = Callable[..., AppTest]
SITUATIONS = ("WTI", "imbalance", "script", "AAPL", "Queued", "SPX", "leased")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_explains_itself_on_an_empty_store(page: str, empty_store: Store, open_page: OpenPage) -> None:
    app = open_page(page)
    assert not app.exception
    assert len(texts(app)) > 20


@pytest.mark.parametrize("page", ["overview", "surrogate"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_study_pages_draw_in_every_state(page: str, situation: str, full_store: Store, open_page: OpenPage) -> None:
    study = full_store.get_study(study_called(full_store, situation))
    app = open_page(page, study=study.id)
    assert not app.exception
    assert app.title[0].value == plain(study.name)
    assert f"{study.n_finished:,} of {study.spec.budget_trials:,}" in texts(app)


@pytest.mark.parametrize("page", ["overview", "surrogate"])
def test_an_unknown_study_gets_an_explanation(page: str, full_store: Store, open_page: OpenPage) -> None:
    app = open_page(page, study="0123456789ab")
    assert not app.exception
    assert "isn't in the store" in app.title[0].value


def test_a_part_of_an_id_opens_no_study(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("overview", study=study_called(full_store, "WTI")[:8])
    assert "isn't in the store" in app.title[0].value


def test_a_study_page_without_an_address_shows_the_newest_study(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("overview")
    newest, _ = full_store.list_studies(limit=1)
    assert app.title[0].value == plain(newest[0].name)
    assert app.query_params["study"] == newest[0].id


def test_studies_lists_name_state_progress_and_best(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("studies")
    assert not app.exception
    table = app.dataframe[0].value
    assert len(table) == len(SITUATIONS)
    row = table[table["Name"].str.contains("WTI")].iloc[0]
    assert list(row["State"]) == ["complete"]
    assert row["Trials"] == "40 / 40"
    assert row["Best"].endswith("sharpe")
    assert len(row["Best so far"]) > 5
    assert HOSTILE_NAME in set(table["Name"])


def test_studies_are_found_by_search_and_state(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("studies")
    app.text_input(key="studies_search").set_value("sma spx").run()
    assert list(app.dataframe[0].value["Name"]) == ["SMA cross SPX"]
    app.text_input(key="studies_search").set_value("").run()
    app.multiselect(key="studies_states").set_value(["failed"]).run()
    assert list(app.dataframe[0].value["Name"]) == ["Order-book imbalance, first attempt"]
    app.multiselect(key="studies_states").set_value(["cancelled"]).run()
    assert "No study fits" in app.info[0].value
    app.button[1].click().run()
    assert len(app.dataframe[0].value) == len(SITUATIONS)


def test_studies_leads_to_a_first_study_and_names_the_missing_engine(empty_store: Store, open_page: OpenPage) -> None:
    app = open_page("studies")
    assert "No studies yet" in texts(app)
    assert "tunedesk engine" in texts(app)


def test_names_stay_text_wherever_they_stand(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("overview", study=study_called(full_store, "script"))
    shown = app.title[0].value
    assert "<script>" not in shown.replace("\\<", "")
    assert "![x](http" not in shown
    assert ":red[" not in shown


def test_the_head_names_the_engine_and_what_each_command_means(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("overview", study=study_called(full_store, "SPX"))
    said = texts(app)
    assert "last seen" in said
    for meaning in ("Finish what runs, start nothing new.", "End after what runs.", "Kill what runs and end."):
        assert meaning in said
    assert {button.key for button in app.button} >= {"command_pause", "command_stop", "command_cancel"}
    assert "command_resume" not in {button.key for button in app.button}


def test_a_command_is_written_and_its_refusal_explained(full_store: Store, open_page: OpenPage) -> None:
    study_id = study_called(full_store, "Queued")
    app = open_page("overview", study=study_id)
    app.button(key="command_pause").click().run()
    assert not app.exception
    assert full_store.get_study(study_id).state == "paused"
    assert "command_resume" in {button.key for button in app.button}

    stale = open_page("overview", study=study_id)
    app.button(key="command_resume").click().run()
    assert full_store.get_study(study_id).state == "queued"
    stale.button(key="command_resume").click().run()  # another viewer's page, drawn before the first click
    assert any("can't be resumed" in error.value.replace("\\", "") for error in stale.error)


def test_a_failed_study_says_why(full_store: Store, open_page: OpenPage) -> None:
    app = open_page("overview", study=study_called(full_store, "imbalance"))
    assert any("can't be loaded" in error.value.replace("\\", "") for error in app.error)


def test_a_store_that_vanishes_is_a_sentence(full_store: Store, open_page: OpenPage, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TUNEDESK_STORE", str(tmp_path / "nowhere.db"))
    app = open_page("studies")
    assert not app.exception
    assert "There is no store" in app.error[0].value.replace("\\", "")
