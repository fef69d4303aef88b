"""One screen, equal sides, nothing hidden: measured where it is painted, not where it stands in
the document."""

import pytest
from annotation_studies import make_study

from evalkit.store import invite, open_store

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

PAINTED = """selector => [...document.querySelectorAll(selector)].filter(element => {
  const box = element.getBoundingClientRect();
  const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return at && (element === at || element.contains(at) || at.contains(element));
}).length"""
BOX = """selector => { const box = document.querySelector(selector).getBoundingClientRect();
  return { left: box.left, right: box.right, top: box.top, bottom: box.bottom,
           width: box.width, height: box.height }; }"""


@pytest.fixture(scope="module")
def world(tmp_path_factory, serve):
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'study.db'}"
    make_study(url, tasks=12)
    store = open_store(url)
    _, token = invite(store, "Ann")
    store.close()
    return serve(url), token


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1366, 900), (1920, 1080)])
def test_the_whole_decision_is_on_one_screen(world, visit, width, height):
    ann = visit(*world, viewport={"width": width, "height": height})
    page = ann.page
    rows = page.evaluate(
        "[...document.querySelectorAll('.ek-row')].map(row => row.getBoundingClientRect().height)"
    )
    assert len(rows) == 20
    assert max(rows) <= 54
    assert page.evaluate(PAINTED, ".ek-row") == 20
    assert page.evaluate(PAINTED, ".ek-query h1") == 1
    assert page.evaluate(PAINTED, ".st-key-votes button") == 6
    assert page.evaluate(PAINTED, ".st-key-extras button") == 12
    last = page.evaluate("document.querySelectorAll('.ek-row')[9].getBoundingClientRect().bottom")
    assert last <= page.evaluate(BOX, "[data-testid=stBottom]")["top"]
    assert (
        page.evaluate(
            "(() => { const main = document.querySelector('[data-testid=stMain]');"
            " return main.scrollHeight - main.clientHeight; })()"
        )
        == 0
    )
    assert page.evaluate(PAINTED, "[data-testid=stHeader], [data-testid=stSidebar]") == 0


def test_a_strong_vote_still_fits(world, visit):
    ann = visit(*world)
    ann.press("5")
    expect(ann.page.locator(".st-key-saved button").first).to_be_visible()
    last = ann.page.evaluate(
        "document.querySelectorAll('.ek-row')[9].getBoundingClientRect().bottom"
    )
    assert last <= ann.page.evaluate(BOX, "[data-testid=stBottom]")["top"]
    ann.press("u")
    ann.press("3")


def test_rows_of_one_rank_stand_beside_each_other(world, visit):
    ann = visit(*world, viewport={"width": 390, "height": 844})
    tops = ann.page.evaluate(
        "[...document.querySelectorAll('.ek-side')].map(side =>"
        " [...side.querySelectorAll('.ek-row')].map(row => row.getBoundingClientRect().top))"
    )
    assert tops[0] == tops[1]
    assert len(tops[0]) == 10


def test_buttons_are_large_and_equal(world, visit):
    ann = visit(*world)
    sizes = ann.page.evaluate(
        "[...document.querySelectorAll('.st-key-votes button')].map(button =>"
        " [button.getBoundingClientRect().width, button.getBoundingClientRect().height])"
    )
    assert max(width for width, _ in sizes) - min(width for width, _ in sizes) < 1
    assert min(height for _, height in sizes) >= 44


@pytest.mark.parametrize(
    "size",
    [{"width": 390, "height": 844}, {"width": 683, "height": 384}, {"width": 683, "height": 450}],
    ids=["phone", "zoom 200% at 768", "zoom 200% at 900"],
)
def test_on_a_small_screen_both_lists_are_whole_and_equal(world, visit, size):
    ann = visit(*world, viewport=size)
    sides = [ann.page.evaluate(BOX, f".ek-side:nth-child({number})") for number in (1, 2)]
    assert abs(sides[0]["width"] - sides[1]["width"]) < 1
    assert sides[0]["left"] >= 0
    assert sides[1]["right"] <= size["width"]
    wide = ann.page.evaluate(
        "[...document.querySelectorAll('.ek-title, .ek-meta, .ek-chip, .st-key-votes button')]"
        ".filter(element => { const box = element.getBoundingClientRect();"
        " return box.right > window.innerWidth + 1 || box.left < -1; }).length"
    )
    assert wide == 0
    # every row can be brought on screen, and the bar does not lie over it then
    hidden = ann.page.evaluate(
        "[...document.querySelectorAll('.ek-title')].filter(title => {"
        " title.scrollIntoView({ block: 'center' });"
        " const box = title.getBoundingClientRect();"
        " const at = document.elementFromPoint(box.left + 5, box.top + 5);"
        " return !(at && (title === at || title.contains(at) || at.contains(title))); }).length"
    )
    assert hidden == 0


def test_a_picture_that_does_not_load_looks_like_one_that_is_not_there(world, visit):
    ann = visit(*world)
    ann.page.wait_for_function(
        "[...document.querySelectorAll('.ek-image img')].every(image => image.complete)"
    )
    assert ann.page.locator(".ek-image img").count() > 0
    seen = set()
    for selector in (".ek-image:has(img)", ".ek-image:not(:has(img))"):
        box = ann.page.evaluate(BOX, selector)
        inside = {"x": int(box["left"]) + 3, "y": int(box["top"]) + 3, "width": 38, "height": 38}
        seen.add(ann.page.screenshot(clip=inside))
        assert (box["width"], box["height"]) == (44, 44)
    assert len(seen) == 1


def test_long_text_opens_and_closes(world, visit):
    ann = visit(*world)
    box = ann.page.locator(".ek-details").first
    box.locator("summary").click()
    expect(box.locator(".ek-more")).to_be_visible()
    box.locator("summary").click()
    expect(box.locator(".ek-more")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_can_be_read(world, visit, scheme):
    ann = visit(*world, color_scheme=scheme)
    colors = ann.page.evaluate(
        """() => {
          const number = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const light = rgb => rgb.map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = light(number(getComputedStyle(
            document.querySelector('[data-testid=stApp]')).backgroundColor));
          const contrast = selector => {
            const own = light(number(getComputedStyle(document.querySelector(selector)).color));
            return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05);
          };
          return [ground, ...['.ek-query h1', '.ek-title', '.ek-meta', '.ek-chip.ek-both',
            '.ek-chip.ek-only', '.ek-rank', '.ek-side-name', '.st-key-votes button p',
            '.ek-progress'].map(contrast)];
        }"""
    )
    assert (colors[0] > 0.5) == (scheme == "light")
    assert min(colors[1:]) >= 4.5


def test_the_cues_differ_by_more_than_colour(world, visit):
    ann = visit(*world)
    styles = ann.page.evaluate(
        "['.ek-row.ek-both', '.ek-row.ek-only'].map(selector =>"
        " getComputedStyle(document.querySelector(selector)).borderInlineStartStyle)"
    )
    assert styles == ["solid", "dashed"]


def test_the_keyboard_reaches_everything_and_says_where_it_is(world, visit):
    ann = visit(*world)
    ann.page.evaluate("document.activeElement.blur()")
    reached, silent = set(), []
    for _ in range(60):
        ann.page.keyboard.press("Tab")
        found = ann.page.evaluate(
            "(() => { const now = document.activeElement;"
            " const style = getComputedStyle(now);"
            " return { words: now.innerText || now.ariaLabel || '',"
            " tag: now.outerHTML.slice(0, 150),"
            " seen: now === document.body || style.outlineStyle !== 'none'"
            " || style.boxShadow !== 'none' }; })()"
        )
        reached.add(found["words"].split("\n")[0])
        if not found["seen"]:
            silent.append(found["tag"])
    assert {"Left much better", "Both bad", "Skip", "Undo", "Guidelines", "Menu"} <= reached
    assert silent == []
