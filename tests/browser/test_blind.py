"""Nothing that reaches the browser tells which list is the treatment.

Two studies are compared in which the runs and the sides are exchanged: the same lists stand in the
same places, so everything the browser gets must be the same as well.
"""

import re
import sqlite3
from html.parser import HTMLParser

import pytest
from annotation_studies import make_study, real
from annotator import Annotator

from evalkit.store import invite, next_task, open_store, people, studies

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

NAMES = ("oldengine-2041", "newengine-2042")
SECRET = re.compile(rb"oldengine|newengine|control|treatment", re.IGNORECASE)


def study_of(path, *, exchanged):
    url = f"sqlite:///{path}"
    control, treatment = reversed(NAMES) if exchanged else NAMES
    make_study(
        url,
        "-vs-".join(NAMES),
        drafts=[real(number, exchanged=exchanged) for number in range(8)],
        overlap=1,
        control_system=control,
        treatment_system=treatment,
    )
    if exchanged:
        with sqlite3.connect(path) as connection:
            connection.execute(
                "UPDATE slot SET side = CASE side WHEN 'left' THEN 'right' ELSE 'left' END"
            )
        connection.close()
    store = open_store(url)
    _, token = invite(store, "Ann")
    store.close()
    return url, token


def what_reaches(chromium, server, token):
    """Everything the server sent while somebody looked, voted, went back, skipped and read."""
    ann = Annotator(chromium, server, token)
    frames, bodies = [], []
    ann.page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame))
    )
    ann.page.on(
        "response",
        lambda response: bodies.append(response) if "/static/" not in response.url else None,
    )
    try:
        ann.enter()
        ann.press("4")
        ann.press("2")
        ann.press("u")
        ann.press("5")
        ann.key("s")
        ann.press("1")
        ann.key("g")
        ann.key("g")
        ann.page.get_by_text("Only differences").click()
        expect(ann.page.locator(".ek-same")).to_be_visible()
        page = settled(ann.page)
        ann.page.get_by_role("button", name="Menu").click()
        ann.page.get_by_role("link", name="My history").click()
        expect(ann.page.locator(".ek-mine")).to_have_count(3)
        history = settled(ann.page)
        texts = [response.body() for response in bodies if response.status == 200]
    finally:
        ann.context.close()
    return frames, page, history, texts


def settled(page):
    """The page once nothing of the one before it is left."""
    page.wait_for_function("!document.querySelector('[data-stale=true]')")
    return page.content()


def without_what_differs_anyway(frames):
    """Messages as text, without ids of the session and of the run, times and hashes of those."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    texts = []
    for frame in frames:
        message = ForwardMsg.FromString(frame if isinstance(frame, bytes) else frame.encode())
        kind = message.WhichOneof("type")
        if kind in ("script_finished", "session_status_changed", "session_event"):
            continue
        message.ClearField("hash")
        message.ClearField("metadata")
        if kind == "ref_hash":
            message.ClearField("ref_hash")
        if kind == "new_session":
            message.new_session.ClearField("initialize")
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", str(message))
        texts.append(re.sub(r"\d+ s a vote|, about \d+ min", "PACE", text))
    return texts


@pytest.fixture(scope="module")
def both(tmp_path_factory, serve, chromium):
    seen = []
    for exchanged in (False, True):
        folder = tmp_path_factory.mktemp("blind")
        url, token = study_of(folder / "study.db", exchanged=exchanged)
        server = serve(url)
        seen.append(what_reaches(chromium, server, token))
        server.kill()
    return seen


def test_no_run_name_and_no_side_reaches_the_browser(both):
    for frames, page, history, texts in both:
        assert len(frames) > 50
        shown = [frame if isinstance(frame, bytes) else frame.encode() for frame in frames]
        for text in (*shown, page.encode(), history.encode(), *texts):
            found = [word for word in SECRET.findall(text) if not of_the_page_itself(text, word)]
            assert not found, (found, text[:300])


def of_the_page_itself(text, word):
    """`cache-control` and the like are words of the web, not of the study."""
    return word.lower() == b"control" and not re.search(rb"(?<![-\w])control(?![-\w])", text, re.I)


def test_exchanging_runs_and_sides_changes_nothing_that_is_sent(both):
    (one, page_one, history_one, _), (other, page_other, history_other, _) = both
    first, second = without_what_differs_anyway(one), without_what_differs_anyway(other)
    assert len(first) == len(second)
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        assert a == b, number
    for a, b in ((page_one, page_other), (history_one, history_other)):
        assert drawn(a) == drawn(b)


class Drawn(HTMLParser):
    """What stands in the main part of a page; the order of attributes is left to chance."""

    def __init__(self, page):
        super().__init__()
        self.parts = []
        self.feed(page[page.index('data-testid="stMain"') :])

    def handle_starttag(self, tag, attrs):
        shown = [(name, value) for name, value in attrs if "react" not in (value or "")]
        self.parts.append((tag, sorted(shown, key=str)))

    def handle_data(self, data):
        self.parts.append(re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", data))


def drawn(page):
    return Drawn(page).parts


def test_the_studies_really_were_exchanged(tmp_path):
    shown = []
    for exchanged in (False, True):
        path = tmp_path / f"{exchanged}.db"
        url, _ = study_of(path, exchanged=exchanged)
        store = open_store(url)
        served = next_task(store, studies(store)[0].id, people(store)[0])
        shown.append((served.query, served.left, served.right))
        with sqlite3.connect(path) as connection:
            sides = connection.execute("SELECT side FROM assignment").fetchall()
        connection.close()
        shown.append(sides)
        store.close()
    assert shown[0] == shown[2]
    assert shown[1] != shown[3]
