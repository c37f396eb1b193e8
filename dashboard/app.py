"""The frame around every page: navigation, mark, study switcher, store. Streamlit runs it on every interaction."""

from __future__ import annotations

import streamlit as st

from dashboard.components import shell
from dashboard.components.mark import ICON, LOGO
from dashboard.components.text import plain
from engine.errors import TunedeskError

pages = {
    "Explore": [
        st.Page(
            "app_pages/studies.py",
            title="Studies",
            icon=":material/list_alt:",
            default=True,
            help="Every study in the store, with its state, progress and best value so far.",
        ),
        st.Page(
            "app_pages/overview.py",
            title="Overview",
            icon=":material/show_chart:",
            help="How one study goes: progress, best so far, health checks, its trials.",
        ),
        st.Page(
            "app_pages/surrogate.py",
            title="Surrogate",
            icon=":material/ssid_chart:",
            help="What the model believes: slices, surfaces, uncertainty, and where it looks next.",
        ),
    ],
    "Operate": [
        st.Page(
            "app_pages/new_study.py",
            title="New study",
            icon=":material/add_circle:",
            help="Define an objective, a search space and a budget, and launch it.",
        ),
    ],
    "Govern": [
        st.Page(
            "app_pages/approvals.py",
            title="Approvals",
            icon=":material/rate_review:",
            help="What waits for a decision: proposed values, their evidence, who has approved them.",
        ),
        st.Page(
            "app_pages/live.py",
            title="Live",
            icon=":material/sensors:",
            help="What counts now and why: ramps, overrides, roll back, kill switch.",
        ),
        st.Page(
            "app_pages/limits.py",
            title="Limits",
            icon=":material/rule:",
            help="Hard ranges, pace, safe values, tiers and freeze windows of each scope.",
        ),
        st.Page(
            "app_pages/audit.py",
            title="Audit",
            icon=":material/policy:",
            help="Every decision of a person in a chain that can be verified and exported.",
        ),
    ],
}

# Before the navigation: otherwise the browser fetches the page's own icon from a font server on the internet.
st.set_page_config(page_icon=ICON, layout="wide", initial_sidebar_state=236)
page = st.navigation(pages)
st.set_page_config(page_title=f"{page.title} · Tunedesk")
st.logo(LOGO, icon_image=ICON, size="large")
shell.enter(page.url_path)
try:
    shell.sidebar(page.url_path)
    page.run()
except TunedeskError as error:
    st.error(plain(str(error)), icon=":material/error:")
