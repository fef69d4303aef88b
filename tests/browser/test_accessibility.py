"""No page of the app has a serious accessibility problem that axe-core can find, light and dark.

`make test` fetches axe-core with npm into build/; where that did not work, these are skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from annotation_studies import make_study, practice, real

from evalkit.store import Ballot, flag, invite, mark_shown, next_task, open_store, skip, submit

BUILD = Path(__file__).parents[2] / "build"
PAGES = ("history", "guidelines", "studies", "agreement", "queries", "setup", "invites")
PAGES += ("annotators", "audit")


@pytest.fixture(scope="session")
def axe():
    found = sorted(BUILD.glob("axe-core@*/node_modules/axe-core/axe.min.js"))
    if not found:
        pytest.skip("axe-core is not in build/; `make axe` fetches it, which needs npm")
    return found[-1].read_text(encoding="utf-8")


def vote(store, study, person, shown, **more):
    """Answer whatever is next for a person."""
    task = next_task(store, study.id, person, now=1_700_000_000_000)
    mark_shown(store, task.assignment_id, person, now=1_700_000_000_000)
    ballot = Ballot(shown=shown, active_ms=9_000, input_method="key", **more)
    submit(store, task.assignment_id, task.revision, ballot, person, now=1_700_000_012_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory, serve):
    """A side-by-side study with votes, skips and flags, a study of grades, and three people."""

    class World:
        url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'study.db'}"

    comparisons = make_study(World.url, "comparisons", tasks=12, scale=5)
    make_study(World.url, "grades", tasks=4, kind="grade", levels=((0, "Bad"), (1, "Good")))
    make_study(World.url, "practice", drafts=[practice(90), real(1)])
    with open_store(World.url) as store:
        people = {
            role: invite(store, f"{role} Ann", role=role)
            for role in ("annotator", "analyst", "admin")
        }
        for start, (person, _) in enumerate(people.values()):
            for number in range(9):
                shown = (start + number) % 5 - 2
                reasons = ("price", "variety") if shown else ()
                comment = "All of the left ones are lamps." if number == 3 else ""
                vote(store, comparisons, person, shown, reasons=reasons, comment=comment)
            task = next_task(store, comparisons.id, person)
            flag(store, task.assignment_id, "Wrong language", "", person)
            skip(store, task.assignment_id, task.revision, "I cannot decide", person)
    World.tokens = {role: token for role, (_, token) in people.items()}
    World.server = serve(World.url)
    return World


class Reader:
    """Somebody who opens pages and waits until they stand still."""

    def __init__(self, chromium, world, scheme: str, role: str | None) -> None:
        self.url = world.server.url
        self.context = chromium.new_context(
            viewport={"width": 1366, "height": 768}, color_scheme=scheme
        )
        self.context.route("https://images.shop.example/**", lambda route: route.abort())
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        if role is not None:
            self.context.request.get(f"{self.url}/invite/{world.tokens[role]}")

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}")
        self.page.wait_for_selector("h1")
        self.still()

    def still(self) -> None:
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


@pytest.fixture(scope="module")
def read(chromium, world):
    there: dict[tuple[str, str | None], Reader] = {}

    def reader(scheme: str, role: str | None = "admin") -> Reader:
        if (scheme, role) not in there:
            there[scheme, role] = Reader(chromium, world, scheme, role)
        return there[scheme, role]

    yield reader
    for one in there.values():
        one.context.close()


def problems(page, axe: str) -> list[str]:
    """Serious and critical violations, each with the elements that have it."""
    page.evaluate(axe)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    assert found["passes"], "axe looked at nothing"
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:300]}: {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


def test_the_sign_in_page_is_accessible(read, axe, scheme):
    reader = read(scheme, None)
    reader.open("")
    assert problems(reader.page, axe) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(read, axe, scheme, path):
    reader = read(scheme)
    reader.open(f"{path}?study=1")
    assert problems(reader.page, axe) == []


@pytest.mark.parametrize("study", [1, 2, 3], ids=["comparisons", "grades", "practice"])
def test_a_task_is_accessible(read, axe, scheme, study):
    reader = read(scheme, "annotator")
    reader.open(f"?study={study}")
    reader.page.wait_for_selector("#ek-task")
    assert problems(reader.page, axe) == []


@pytest.mark.parametrize("key", "gsfm")
def test_what_a_key_opens_on_a_task_is_accessible(read, axe, scheme, key):
    reader = read(scheme, "annotator")
    reader.open("?study=1")
    reader.page.wait_for_selector("[data-ek-ready] #ek-task")
    reader.page.keyboard.press(key)
    reader.page.wait_for_selector({"g": "#ek-guide", "m": ".ek-mark"}.get(key, "#ek-ask"))
    reader.still()
    assert problems(reader.page, axe) == []
    reader.page.keyboard.press(key if key in "gm" else "Escape")


def test_the_menu_and_the_comment_box_are_accessible(read, axe, scheme):
    reader = read(scheme, "annotator")
    reader.open("?study=1")
    for name, inside in (("Comment", "textarea"), ("Menu", "[data-testid=stPageLink]")):
        reader.page.get_by_role("button", name=name).click()
        reader.page.locator(inside).first.wait_for()
        assert problems(reader.page, axe) == []
        reader.page.keyboard.press("Escape")


def test_a_strong_vote_and_what_it_offers_are_accessible(read, axe, scheme):
    reader = read(scheme, "analyst")
    reader.open("?study=2")
    reader.page.wait_for_selector("[data-ek-ready] #ek-task")
    reader.page.keyboard.press("2")
    reader.still()
    assert problems(reader.page, axe) == []
