"""What the pages hold for whom, without a browser."""

import pytest
from annotation_studies import HOSTILE, REASONS, item, make_study, real

from evalkit.store import (
    Ballot,
    audit,
    find_study,
    guideline,
    invite,
    next_task,
    open_store,
    people,
    set_asides,
    set_state,
    submit,
)

testing = pytest.importorskip("streamlit.testing.v1")


def whole(person):
    from annotate_app.navigation import navigate

    navigate(person).run()


def one_page(name, person):
    from importlib import import_module

    import streamlit as st

    st.session_state["pages"] = {}
    import_module(f"annotate_app.views.{name}").show(person)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A store with a study and one person of every role; the app's own connection as well."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    monkeypatch.setenv("EVALKIT_DB", url)
    make_study(url, tasks=12)
    store = open_store(url)

    class Shop:
        annotator, analyst, admin = (
            invite(store, role.capitalize(), role=role)[0]
            for role in ("annotator", "analyst", "admin")
        )

        def vote(self, count=4, who=None, name="lamps", **fields):
            who, study = who or self.annotator, find_study(store, name)
            for number in range(count):
                served = next_task(store, study.id, who)
                ballot = Ballot(shown=(1, 2, -1, 0)[number % 4], **fields)
                submit(store, served.assignment_id, served.revision, ballot, who)

        def page(self, name, person):
            return testing.AppTest.from_function(
                one_page, args=(name, person), default_timeout=20
            ).run()

    made = Shop()
    made.url, made.store = url, store
    yield made
    store.close()
    from annotate_app.session import _opened, open_database

    open_database().close()
    _opened.cache_clear()


def html_of(page):
    return "\n".join(part.proto.body for part in page.get("html"))


def test_an_annotator_gets_a_task_with_its_keys(shop):
    page = testing.AppTest.from_function(whole, args=(shop.annotator,)).run()
    assert not page.exception
    keys = {button.label: button.proto.shortcut for button in page.button}
    assert keys == {
        "Left much better": "1",
        "Left better": "2",
        "About the same": "3",
        "Right better": "4",
        "Right much better": "5",
        "Both bad": "b",
        "Marks": "m",
        "Skip": "s",
        "Flag": "f",
        "Undo": "u",
        "Guidelines": "g",
    }
    [reasons] = page.get("button_group")
    assert tuple(option.content for option in reasons.proto.options) == REASONS


def test_a_three_point_study_has_three_keys_and_both_bad(shop):
    make_study(shop.url, "three", tasks=3, scale=3)
    page = testing.AppTest.from_function(whole, args=(shop.annotator,))
    page.query_params["study"] = "2"
    page.run()
    assert [button.proto.shortcut for button in page.button][:4] == ["1", "2", "3", "b"]


def test_a_click_stores_the_vote_and_shows_the_next_task(shop):
    page = testing.AppTest.from_function(whole, args=(shop.annotator,)).run()
    before = html_of(page)
    page.button[3].click().run()
    after = html_of(page)
    assert 'data-done="1"' in after
    assert "Saved: Right better" in after
    assert before != after


def test_whoever_is_moved_to_another_study_is_told(shop):
    second = make_study(shop.url, "three", tasks=3, scale=3)
    page = testing.AppTest.from_function(whole, args=(shop.annotator,)).run()
    assert "another study" not in html_of(page)
    set_state(shop.store, find_study(shop.store, "lamps").id, "paused")
    page.run()
    assert f"This is another study now: Study {second.id}." in html_of(page)
    page.button[1].click().run()
    assert "another study" not in html_of(page)


@pytest.mark.parametrize("name", ["studies", "agreement", "queries"])
def test_results_are_refused_to_annotators_by_the_store(shop, name):
    shop.vote()
    page = shop.page(name, shop.annotator)
    assert not page.exception
    text = html_of(page)
    assert "ek-warn" in text
    assert "newengine" not in text
    assert "lamp for desk" not in text
    assert not page.get("plotly_chart")


@pytest.mark.parametrize("name", ["setup", "annotators", "audit"])
def test_admin_pages_are_refused_to_annotators_by_the_store(shop, name):
    page = shop.page(name, shop.annotator)
    assert not page.exception
    assert "ek-warn" in html_of(page)
    assert "Analyst" not in html_of(page)


def test_an_analyst_reads_the_figures(shop):
    shop.vote(8)
    text = html_of(shop.page("studies", shop.analyst))
    assert "GSB by segment" in text
    assert "Position bias" in text
    agreement = html_of(shop.page("agreement", shop.analyst))
    assert "Krippendorff" in agreement
    assert "Annotator" in agreement


def test_an_analyst_cannot_change_a_study(shop):
    page = shop.page("setup", shop.analyst)
    page.button(key="to-paused").click().run()
    assert "ek-warn" in html_of(page)
    assert find_study(shop.store, "lamps").state == "open"


def test_an_admin_pauses_and_the_audit_says_so(shop):
    page = shop.page("setup", shop.admin)
    page.button(key="to-paused").click().run()
    assert find_study(shop.store, "lamps").state == "paused"
    assert audit(shop.store, limit=1)[0].actor == "Admin"
    assert "Admin" in html_of(shop.page("audit", shop.admin))


def test_closing_needs_a_second_word(shop):
    page = shop.page("setup", shop.admin)
    assert page.button(key="to-closed").disabled
    page.checkbox(key="sure").check().run()
    page.button(key="to-closed").click().run()
    assert find_study(shop.store, "lamps").state == "closed"


def test_an_admin_sets_votes_aside_with_a_reason(shop):
    shop.vote()
    page = shop.page("setup", shop.admin)
    page.selectbox(key="aside-who").select(shop.annotator.id)
    page.text_input(key="aside-why").input("always left")
    page.button[-1].click().run()
    study = find_study(shop.store, "lamps")
    [aside] = set_asides(shop.store, study.id)
    assert (aside.name, aside.reason, aside.by) == ("Annotator", "always left", "Admin")


def test_an_invitation_shows_its_link_once(shop):
    page = shop.page("invites", shop.admin)
    page.text_input(key="invite-name").input("Newcomer")
    page.button[-1].click().run()
    [code] = page.code
    assert "/invite/" in code.value
    assert "Newcomer" in {one.name for one in people(shop.store)}
    page.run()
    assert not page.code


def test_an_analyst_cannot_invite(shop):
    page = shop.page("invites", shop.analyst)
    page.text_input(key="invite-name").input("Newcomer")
    page.button[-1].click().run()
    assert not page.code
    assert "Newcomer" not in {one.name for one in people(shop.store)}


def test_an_admin_writes_the_next_version_of_a_guideline(shop):
    page = shop.page("guidelines", shop.admin)
    page.text_area[0].input("Second thoughts").run()
    page.button[-1].click().run()
    study = find_study(shop.store, "lamps")
    assert guideline(shop.store, study.id).version == 2
    assert guideline(shop.store, study.id).text == "Second thoughts"


def test_an_annotator_reads_guidelines_and_no_study_name(shop):
    page = shop.page("guidelines", shop.annotator)
    text = html_of(page)
    assert "The feature must be there." in text
    assert not page.text_area
    assert "lamps" not in text


def test_history_holds_only_ones_own_answers(shop):
    shop.vote(3)
    shop.vote(2, who=shop.analyst, comment="somebody else's")
    text = html_of(shop.page("history", shop.annotator))
    assert text.count('class="ek-mine"') == 3
    assert "somebody else" not in text


def test_hostile_texts_are_texts_on_every_page(shop):
    bad = [
        item(1, 1, title=HOSTILE, brand=HOSTILE, price=HOSTILE, image=HOSTILE, url=HOSTILE),
        item(2, 2, title=HOSTILE, description=HOSTILE, image=None, attributes={HOSTILE: HOSTILE}),
    ]
    drafts = [
        real(
            number,
            query=f"{HOSTILE} {number}",
            query_type=HOSTILE,
            segments={"query_type": HOSTILE},
            control=tuple(bad),
            treatment=tuple(reversed(bad)),
        )
        for number in range(4)
    ]
    make_study(shop.url, HOSTILE, drafts=drafts, reasons=(HOSTILE,))
    eve, _ = invite(shop.store, HOSTILE, role="admin")
    shop.vote(3, who=eve, name=HOSTILE, comment=HOSTILE, reasons=(HOSTILE,))
    names = (
        "annotate",
        "history",
        "studies",
        "agreement",
        "queries",
        "setup",
        "annotators",
        "audit",
    )
    for name in names:
        page = testing.AppTest.from_function(one_page, args=(name, eve), default_timeout=20)
        page.query_params["study"] = "2"
        page.run()
        assert not page.exception, name
        text = html_of(page)
        assert "<script" not in text, name
        assert "<img" not in text, name
        assert not page.markdown, name
        labels = [button.label for button in page.button]
        assert not [label for label in labels if ":red[" in label], name
