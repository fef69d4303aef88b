"""The script that Streamlit runs: who is there, which pages they have, and the page itself."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from annotate_app.navigation import navigate
from annotate_app.session import current_person, forget_person
from annotate_app.showing import problem
from evalkit.errors import NotAllowed

st.set_page_config(page_title="evalkit", layout="wide", initial_sidebar_state="collapsed")
st.html(Path(__file__).parent / "style.css")
try:
    navigate(current_person()).run()
except NotAllowed as error:
    forget_person()
    problem(f"{error} Load the page again.")
