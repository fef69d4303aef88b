"""Who gets in, and what everybody else sees."""

import json
import urllib.error
import urllib.request

import pytest
from annotation_studies import make_study

from evalkit.store import invite, open_store, revoke

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    made = f"sqlite:///{tmp_path_factory.mktemp('db') / 'study.db'}"
    make_study(made, tasks=6)
    return made


@pytest.fixture(scope="module")
def server(url, serve):
    return serve(url)


def invited(url, name, role="annotator", **fields):
    store = open_store(url)
    try:
        return invite(store, name, role=role, **fields)
    finally:
        store.close()


def test_without_a_link_there_is_only_the_sign_in_page(chromium, server):
    frames = []
    for path in ("", "studies", "audit", "history"):
        page = chromium.new_page()
        page.on(
            "websocket",
            lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)),
        )
        page.goto(f"{server.url}/{path}")
        expect(page.locator("#ek-sign-in")).to_contain_text("personal link")
        expect(page.get_by_role("button")).to_have_count(0)
        page.close()
    sent = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in frames)
    assert b"lamp for desk" not in sent


def test_a_link_signs_in_and_leaves_the_address(visit, url, server):
    _, token = invited(url, "Ann")
    ann = visit(server, token)
    assert ann.page.url == f"{server.url}/"
    assert token not in ann.page.content()
    [cookie] = [one for one in ann.context.cookies() if one["name"] == "evalkit_link"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert token not in ann.page.evaluate("document.cookie")


def test_a_link_that_ended_says_so_and_a_session_of_it_votes_no_more(visit, chromium, url, server):
    person, token = invited(url, "Eve")
    eve = visit(server, token)
    store = open_store(url)
    revoke(store, person.id)
    store.close()
    eve.page.keyboard.press("3")
    expect(eve.page.get_by_text("access")).to_be_visible()
    eve.page.reload()
    expect(eve.page.locator("#ek-sign-in")).to_be_visible()
    page = chromium.new_page()
    page.goto(f"{server.url}/invite/{token}")
    expect(page.locator("#ek-sign-in")).to_contain_text("does not work any more")
    page.close()


def test_signing_out_forgets_the_browser(visit, url, server):
    _, token = invited(url, "Sue")
    sue = visit(server, token)
    sue.page.get_by_role("button", name="Menu").click()
    sue.page.get_by_role("link", name="Sign out").click()
    expect(sue.page.locator("#ek-sign-in")).to_be_visible()
    assert [one for one in sue.context.cookies() if one["name"] == "evalkit_link"] == []


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        ("annotator", ["Annotate", "My history", "Guidelines"]),
        (
            "analyst",
            ["Annotate", "My history", "Guidelines", "Studies", "Agreement", "Queries"],
        ),
    ],
)
def test_everybody_has_the_pages_of_their_role(visit, url, server, role, pages):
    _, token = invited(url, f"one {role}", role)
    one = visit(server, token)
    one.page.get_by_role("button", name="Menu").click()
    links = one.page.locator("[data-testid=stPageLink-NavLink]")
    expect(links).to_have_text(pages)
    one.page.goto(f"{server.url}/audit")
    expect(one.page.get_by_text("for people with the role admin")).to_be_visible()
    expect(one.page.locator("table")).to_have_count(0)


def test_health_is_beside_the_pages(server):
    with urllib.request.urlopen(f"{server.url}/healthz") as answer:
        assert json.load(answer) == {"status": "ok", "studies": 1}
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_guessing_links_is_slowed_down_and_signs_nobody_else_out(visit, tmp_path, serve):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    make_study(url, tasks=6)
    _, token = invited(url, "Ann")
    server = serve(url)
    ann = visit(server, token)
    said = []
    for number in range(12):
        try:
            with urllib.request.urlopen(f"{server.url}/invite/guess{number}") as answer:
                said.append(answer.status)
        except urllib.error.HTTPError as error:
            said.append(error.code)
    assert said[0] == 200
    assert said[-1] == 429
    ann.page.reload()
    ann.until_ready()


def test_links_are_not_in_the_log(visit, url, server):
    _, token = invited(url, "Log")
    visit(server, token)
    assert token not in server.log.read_text()
