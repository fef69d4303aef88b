"""The weekly report in a real browser: offline, drawn, readable at every width, on paper too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reports"))

from page_reading import Visit  # noqa: E402
from weekly_records import full_history, keep, score  # noqa: E402

from evalkit.reports.weekly.document import weekly_document  # noqa: E402
from evalkit.reports.weekly.page import format_weekly_page  # noqa: E402
from evalkit.store import open_store  # noqa: E402

WEEK = "2026-W47"
UNFOLD = "document.querySelectorAll('details').forEach(each => { each.open = true; })"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The report of a week with all there can be, and of one with a score only."""
    folder = tmp_path_factory.mktemp("reports")
    for name in ("full", "bare"):
        with open_store(f"sqlite:///{folder}/{name}.db", create=True) as store:
            if name == "full":
                full_history(store)
            else:
                document, values = score()
                keep(store, "score", WEEK, document, values=values)
            page = format_weekly_page(weekly_document(store, WEEK))
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(params=["full", "bare"])
def report(reports, request):
    return reports / f"{request.param}.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_offline_without_a_request_or_a_complaint(chromium, report, scheme):
    with Visit(chromium, report, color_scheme=scheme) as visit:
        assert visit.requests == [report.as_uri()]
        assert visit.complaints == []
        drawn = visit.page.locator(".plot .main-svg").count()
        assert drawn >= visit.page.locator(".plot").count() >= 2


def test_figures_follow_the_theme(chromium, reports):
    colors = {}
    for scheme in ("light", "dark"):
        with Visit(chromium, reports / "full.html", color_scheme=scheme) as visit:
            colors[scheme] = visit.page.evaluate(
                "[getComputedStyle(document.body).backgroundColor,"
                " document.querySelector('.plot .xtick text').style.fill]"
            )
    assert colors["light"] == ["rgb(255, 255, 255)", "rgb(28, 33, 39)"]
    assert colors["dark"] == ["rgb(20, 23, 27)", "rgb(232, 234, 237)"]


@pytest.mark.parametrize(
    ("name", "width"), [("full", 390), ("full", 768), ("full", 1280), ("bare", 360)]
)
def test_nothing_is_wider_than_the_screen(chromium, reports, name, width):
    report = reports / f"{name}.html"
    with Visit(chromium, report, viewport={"width": width, "height": 844}) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        visit.page.evaluate(UNFOLD)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_changed_fits_on_a_phone(chromium, reports):
    with Visit(chromium, reports / "full.html", viewport={"width": 390, "height": 844}) as visit:
        hidden = visit.page.evaluate(
            "(() => { const box = document.querySelector('.since .scroll');"
            " return box.scrollWidth - box.clientWidth; })()"
        )
    assert hidden <= 1


def test_verdict_and_cards_stand_on_the_first_screen(chromium, reports):
    with Visit(chromium, reports / "full.html", viewport={"width": 1280, "height": 900}) as visit:
        for text in ("People prefer the treatment", "Item Goodrate@10", "GSB of people"):
            box = visit.page.get_by_text(text).first.bounding_box()
            assert box["y"] + box["height"] < 900, text


def test_what_scrolls_and_folds_can_be_reached_with_the_keyboard(chromium, reports):
    with Visit(chromium, reports / "full.html") as visit:
        names = visit.page.evaluate(
            "[...document.querySelectorAll('.scroll')].filter(e => e.tabIndex !== 0"
            " || !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')).length"
        )
        assert names == 0
        summary = visit.page.locator("details.behind > summary").first
        summary.focus()
        visit.page.keyboard.press("Enter")
        assert visit.page.locator("details.behind[open] table").first.is_visible()
        visit.page.locator("nav a").first.focus()
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate("location.hash") == "#compared"


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [("full", "light", 1280), ("full", "dark", 390), ("bare", "light", 390)],
)
def test_axe_finds_no_serious_problem(chromium, reports, name, scheme, width):
    found = sorted((ROOT / "build").glob("axe-core@*/node_modules/axe-core/axe.min.js"))
    if not found:
        pytest.skip("axe-core is not in build/; `make axe` fetches it, which needs npm")
    viewport = {"width": width, "height": 844}
    report = reports / f"{name}.html"
    with Visit(chromium, report, color_scheme=scheme, viewport=viewport, bypass_csp=True) as visit:
        visit.page.evaluate(UNFOLD)
        visit.page.evaluate(found[-1].read_text(encoding="utf-8"))
        results = visit.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    assert results["passes"], "axe looked at nothing"
    assert [
        f"{violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for violation in results["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ] == []


def test_on_paper_it_is_light_and_nothing_is_cut(chromium, reports):
    with Visit(chromium, reports / "full.html", color_scheme="dark") as visit:
        visit.page.emulate_media(media="print")
        visit.page.set_viewport_size({"width": 688, "height": 970})  # A4 less its margins
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        wide = visit.page.evaluate(
            "[...document.querySelectorAll('table, ol.list, .card')].filter(e => e.offsetParent"
            " && e.getBoundingClientRect().right > 689).map(e => e.textContent.slice(0, 60))"
        )
        assert wide == []
        assert not visit.page.locator("nav").is_visible()


def test_page_one_of_the_paper_ends_with_what_changed(chromium, reports):
    with Visit(chromium, reports / "full.html") as visit:
        visit.page.emulate_media(media="print")
        visit.page.set_viewport_size({"width": 688, "height": 970})
        box = visit.page.locator(".since").bounding_box()
        assert box["y"] + box["height"] < 1016  # 297 mm less 28 mm, at 96 dpi


def test_it_prints_to_a_pdf_of_some_pages(chromium, reports):
    with Visit(chromium, reports / "full.html") as visit:
        paper = visit.page.pdf(format="A4", print_background=True)
    assert paper.startswith(b"%PDF")
    assert 8 <= paper.count(b"/Type /Page\n") <= 20
