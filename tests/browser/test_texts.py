"""Texts from outside are texts, and fit: on every page, however long, in whichever direction."""

import pytest
from annotation_studies import HOSTILE, item, make_study, real
from test_layout import BOX, PAINTED

from evalkit.store import Ballot, flag, invite, next_task, open_store, save_guideline, submit

pytest.importorskip("playwright.sync_api")

MARKUP = (
    f"{HOSTILE} **bold** [link](https://evil.example) $x^2$ :material/home: `code` &amp; :smile: "
    "-> <- >= --"
)
LONG = "Schwimmbeckenabdeckungsreinigungsgeraet" * 8
CASES = {
    "right to left": "مصباح مكتب صغير مع ثلاث درجات حرارة للضوء",
    "300 characters": ("lamp for a small desk " * 14)[:300],
    "one long word": LONG[:300],
    "emoji": "👩🏽‍🚀🔦 lamp 🇺🇳",
    "markup": MARKUP,
}
FACTS = {f"Attribute number {number}": f"{MARKUP} {number}" for number in range(30)}
PAGES = ("history", "guidelines", "studies", "agreement", "queries", "setup", "invites")
PAGES += ("annotators", "audit")


def task(number, text):
    """Ten products, with the text wherever a catalogue has one; on the right, none at all."""
    left = tuple(
        item(
            number * 10 + rank,
            rank,
            title=text * (1 + rank % 2),
            brand=text,
            price=text if rank % 3 else "$9.90",
            attributes={text: text, **FACTS},
            description=text,
            image=MARKUP if rank % 2 else f"https://images.shop.example/{rank}.png",
        )
        for rank in range(1, 11)
    )
    return real(
        number,
        query=text,
        query_type=text[:60],
        segments={"query_type": text[:60]},
        control=left,
        treatment=left[::-1] if text is MARKUP else (),
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory, serve):
    class World:
        url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'study.db'}"

    made = {}
    for number, (name, text) in enumerate(CASES.items()):
        made[name] = make_study(
            World.url,
            f"{text[:80]} {number}",
            drafts=[task(number, text)],
            reasons=(MARKUP[:60], "price", "brand", text[:40]),
            scale=5,
        )
    made["grades"] = make_study(
        World.url, "grades", drafts=[task(9, MARKUP)], kind="grade", levels=((0, MARKUP), (1, "Ok"))
    )
    with open_store(World.url) as store:
        eve, World.token = invite(store, MARKUP, role="admin")
        other, _ = invite(store, LONG)
        for study in made.values():
            save_guideline(store, study.id, None, f"# {MARKUP}\n\n- {MARKUP}\n\n{LONG}")
        for person in (eve, other):
            study = made["markup"]
            served = next_task(store, study.id, person)
            flag(store, served.assignment_id, MARKUP, MARKUP, person)
            ballot = Ballot(shown=2, comment=MARKUP, reasons=(MARKUP[:60],))
            submit(store, served.assignment_id, 1, ballot, person)
        _, World.reader = invite(store, "Reader")
    World.studies = made
    World.server = serve(World.url)
    return World


INTERPRETED = """() => [...document.querySelectorAll(
  '[onerror], a[href*="evil.example"], .katex, del, code:not([data-testid=stCode] *),'
  + ' [data-testid=stMarkdownContainer] :is(strong, em, h1, [role=img], [style*=color])')]
  .map(one => one.outerHTML.slice(0, 200))"""


def nothing_interpreted(page):
    """No element that a text asked for: no script, link, bold, formula, icon or colour."""
    assert page.evaluate(INTERPRETED) == []
    assert not page.evaluate("() => window.ran")


@pytest.fixture
def visitor(visit, world):
    def enter(token):
        ann = visit(world.server, token)
        ann.page.add_init_script("window.alert = () => { window.ran = true; }")
        return ann

    return enter


def go(ann, path):
    ann.page.goto(f"{ann.server.url}/{path}")
    ann.page.wait_for_selector("h1")
    ann.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def all_on_screen(ann, rows):
    page = ann.page
    assert page.evaluate(PAINTED, ".ek-query h1") == 1
    assert page.evaluate(PAINTED, ".ek-progress") == 1
    assert page.evaluate(PAINTED, ".st-key-menu button") == 1
    assert (
        page.evaluate(PAINTED, ".st-key-votes button")
        == page.locator(".st-key-votes button").count()
    )
    assert page.evaluate(PAINTED, ".ek-row") == rows
    assert page.evaluate(PAINTED, ".ek-chip") == rows
    last = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.ek-row')]"
        ".map(row => row.getBoundingClientRect().bottom))"
    )
    assert last <= page.evaluate(BOX, "[data-testid=stBottom]")["top"]
    wide = page.evaluate(
        "[...document.querySelectorAll('#ek-task *, .ek-query, .ek-query *, .ek-progress,"
        " .st-key-menu, .st-key-votes button, .st-key-extras button')]"
        ".filter(one => !one.closest('details:not([open]) > .ek-more, .ek-meta'))"
        ".filter(one => one.getBoundingClientRect().right > window.innerWidth + 1)"
        ".map(one => one.className)"
    )
    assert wide == []


@pytest.mark.parametrize("name", CASES)
def test_any_text_leaves_a_comparison_whole(world, visitor, name):
    ann = visitor(world.reader)
    go(ann, f"?study={world.studies[name].id}")
    ann.until_ready()
    all_on_screen(ann, 20 if name == "markup" else 10)
    nothing_interpreted(ann.page)
    assert ann.page.locator(".ek-query h1").inner_text().strip() == CASES[name].strip()
    empty = ann.page.locator(".ek-empty").count()
    assert empty == (0 if name == "markup" else 1)
    ann.key("g")
    assert ann.page.evaluate(PAINTED, "#ek-guide") == 1
    nothing_interpreted(ann.page)
    assert ann.page.evaluate(BOX, "#ek-guide")["bottom"] <= 768
    ann.key("g")
    ann.page.locator(".ek-row summary").first.click()
    assert ann.page.locator(".ek-more li").first.is_visible()
    assert ann.page.locator(".ek-details[open] .ek-more li").count() == 31
    nothing_interpreted(ann.page)


def test_any_text_leaves_a_task_of_grades_whole(world, visitor):
    ann = visitor(world.reader)
    go(ann, f"?study={world.studies['grades'].id}")
    ann.until_ready()
    all_on_screen(ann, 10)
    nothing_interpreted(ann.page)
    words = ann.page.locator(".st-key-votes button").first.inner_text()
    assert MARKUP in words.replace("\u2060", "")


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_interpreted_on_any_other_page(world, visitor, path):
    ann = visitor(world.token)
    go(ann, f"{path}?study={world.studies['markup'].id}")
    nothing_interpreted(ann.page)
    assert ann.page.locator(".ek-warn").count() == 0
    page_wide = ann.page.evaluate(
        "(() => { const main = document.querySelector('[data-testid=stMain]');"
        " return main.scrollWidth - main.clientWidth; })()"
    )
    assert page_wide <= 0
