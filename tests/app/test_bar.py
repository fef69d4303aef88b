"""A press counts once, and only for the page that was drawn last."""

import pytest

testing = pytest.importorskip("streamlit.testing.v1")


def bar_of_one():
    import streamlit as st

    from annotate_app import bar

    def vote(word):
        st.session_state["votes"] = [*st.session_state.get("votes", ()), word]

    bar.drawing("7-1")
    bar.vote_button("Left better", "1", "vote-1", "7-1", vote, "left")
    bar.action("Undo", "U", "undo", "7-1", vote, "undo")
    bar.drawn()


@pytest.fixture
def page():
    return testing.AppTest.from_function(bar_of_one).run()


def votes(page):
    try:
        return page.session_state["votes"]
    except KeyError:
        return []


def test_a_press_is_one_answer(page):
    page.button(key="vote-1-7-1").click().run()
    assert votes(page) == ["left"]


def test_two_presses_are_two(page):
    page.button(key="vote-1-7-1").click().run()
    page.button(key="undo-7-1").click().run()
    assert votes(page) == ["left", "undo"]


def test_a_press_on_a_page_that_is_not_there_any_more_is_none(page):
    page.session_state["drawn"] = "8-1"
    page.button(key="vote-1-7-1").click().run()
    assert votes(page) == []
