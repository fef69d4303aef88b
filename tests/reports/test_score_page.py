import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from page_reading import Outline, Visit
from score_documents import large, result_lists, single, worked

from evalkit.reports.figures import COLORS
from evalkit.reports.markup import element, script_json
from evalkit.reports.score_page import write_page

HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>"
CSS = Path(__file__).parents[2] / "evalkit" / "reports" / "page" / "score.css"


def outline(document, tmp_path, per_query=None, **options):
    path = tmp_path / "page.html"
    write_page(document, per_query, path, **options)
    return Outline(path.read_text(encoding="utf-8"))


def hostile_page(tmp_path):
    """A page in which every text that comes from outside tries to become markup."""
    document, columns = large(24)
    for name in ("query_type", "language"):
        columns[name] = [f"{value}{HOSTILE}" for value in columns[name]]
    for result in document["results"]:
        result["segment"] = {key: f"{value}{HOSTILE}" for key, value in result["segment"].items()}
    document["warnings"].append(HOSTILE)
    document["settings"]["source"] = HOSTILE
    document["query_set"]["source"] = HOSTILE
    document["inputs"][0]["path"] = HOSTILE
    document["results"][0]["note"] = HOSTILE
    lists = result_lists(columns)
    for entry in lists.values():
        entry["query"] = HOSTILE
        for item in entry["control"]:
            item |= {"title": HOSTILE, "brand": HOSTILE, "grade": HOSTILE, "price": HOSTILE}
            item["image"] = "https://example.org/spy.png"
    path = tmp_path / "hostile.html"
    write_page(document, columns, path, lists=lists, title=HOSTILE)
    return path


def test_the_headline_of_the_worked_figures(tmp_path):
    text = outline(worked(), tmp_path).text
    assert "44.44 → 54.55" in text
    assert "Δ +10.10 points, 95% interval [−52.31, +72.51]" in text
    assert "Item Goodrate@3: no difference shown." in text
    found = "a true difference of 54.96 points would be found four times in five"
    assert f"{found} before Holm, a smaller one less" in text


@pytest.mark.parametrize(
    ("delta", "p", "p_holm", "verdict"),
    [
        (0.1, 0.01, 0.04, "Better"),
        (-0.1, 0.01, 0.04, "Worse"),
        (0.1, 0.01, 0.06, "No difference shown"),
        (0.1, 0.01, None, "Exploratory"),
        (0.1, None, None, "Not tested"),
    ],
)
def test_the_verdict_says_what_the_declared_test_says(tmp_path, delta, p, p_holm, verdict):
    document = worked()
    document["results"] = [document["results"][0] | {"delta": delta, "p": p, "p_holm": p_holm}]
    texts = outline(document, tmp_path).texts
    verdicts = {"Better", "Worse", "No difference shown", "Exploratory", "Not tested"}
    assert [text for text in texts if text in verdicts] == [verdict]


def test_bounds_that_hold_zero_are_said_to_turn_the_sign(tmp_path):
    text = outline(worked(bounds=True), tmp_path).text
    assert "Δ lies in −1.01 … +19.19: they could turn the sign." in text


def test_gsb_without_identical_lists_stands_in_card_and_table(tmp_path):
    document = worked()
    document["results"][2] |= {"identical": 1, "without_identical": 2 / 3}
    said = "GSB without the query whose lists are identical: +66.67"
    assert outline(document, tmp_path).text.count(said) == 1
    document["settings"]["primary"] = ["gsb"]
    texts = outline(document, tmp_path).texts
    assert [text for text in texts if said in text] == [f"{said}.", f"(G+S)/(B+S) 2.00; {said}"]
    assert "identical:" not in outline(worked(), tmp_path).text


def test_warnings_come_before_the_figures(tmp_path):
    text = outline(worked(), tmp_path).text
    assert text.index("items shown differ by 22%") < text.index("44.44 → 54.55")


def test_a_page_without_per_query_figures_or_lists_is_whole(tmp_path):
    page = outline(worked(), tmp_path)
    assert "Biggest wins" not in page.text
    assert page.tags.count("h1") == 1
    assert page.tags.count("html") == 1


def test_the_biggest_wins_and_losses_show_both_lists(tmp_path):
    document, columns = large()
    lists = result_lists(columns)
    for entry in lists.values():
        entry["control"][0]["price"] = 17.9
    page = outline(document, tmp_path, pa.table(columns), lists=lists, count=3)
    assert [tag for tag in page.tags if tag == "details"] == ["details"] * 6
    assert page.text.count("17.90") == 6
    assert page.tags.count("ol") == 12
    assert page.tags.count("li") == 120 + len(document["warnings"]) + len(document["runs"])


def test_a_moved_query_without_lists_says_that_they_were_not_given(tmp_path):
    document, columns = large()
    assert (
        "result lists of this query were not given"
        in outline(document, tmp_path, columns, count=1).text
    )


def test_single_runs_have_a_page_without_verdicts(tmp_path):
    text = outline(single(), tmp_path).text
    assert "dense: Query Goodrate@3 75.00 points, 95% interval [55.00, 95.00]" in text
    assert "difference" not in text.split("What the figures mean")[0]


def test_inputs_stand_with_their_whole_fingerprints(tmp_path):
    assert "control.csv 9 sha256:" + "0a" * 32 in outline(worked(), tmp_path).text


def test_every_table_has_a_caption(tmp_path):
    document, columns = large()
    page = outline(document, tmp_path, columns)
    assert page.tags.count("table") == page.tags.count("caption") == 3


def test_no_tag_comes_from_a_text(tmp_path):
    page = Outline(hostile_page(tmp_path).read_text(encoding="utf-8"))
    assert page.tags.count("img") == 0
    assert page.tags.count("script") == 4
    assert page.tags.count("html") == page.tags.count("body") == 1
    assert not [
        name for _, attributes in page.attributes for name in attributes if "onerror" in name
    ]


def test_only_images_that_are_data_are_shown(tmp_path):
    document, columns = large()
    lists = result_lists(columns)
    for entry in lists.values():
        entry["control"][0]["image"] = "data:image/png;base64,iVBORw0KGgo="
        entry["control"][1]["image"] = "http://example.org/a.png"
        entry["control"][2]["image"] = "data:image/svg+xml;base64,PHN2Zz4="
        entry["control"][3]["image"] = 'data:image/png;base64,x" onload="alert(1)'
    page = outline(document, tmp_path, columns, lists=lists, count=1)
    sources = [attributes["src"] for tag, attributes in page.attributes if tag == "img"]
    assert sources == ["data:image/png;base64,iVBORw0KGgo="] * 2


def test_a_page_replaces_a_file_only_when_it_is_complete(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(KeyError):
        write_page({"results": [{"delta": 1}]}, None, path)
    assert path.read_text() == "before"
    write_page(worked(), None, path)
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_script_json_cannot_close_its_element():
    assert "<" not in script_json({"a": HOSTILE, "b": "<!--"})


def test_attributes_cannot_be_left():
    assert element("a", title='"><script>') == '<a title="&quot;&gt;&lt;script&gt;"></a>'


def luminance(color):
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_and_marks_can_be_read_in_both_themes(theme):
    css = CSS.read_text(encoding="utf-8")
    found = re.findall(r":root \{(.*?)\}", css, re.S)[theme]
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", found))
    for ground in ("page", "card"):
        for text in ("text", "quiet", "better", "worse"):
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    assert contrast(colors["text"], colors["caution"]) >= 7
    marks = [pair[theme] for pair in list(COLORS.items())[:6]]
    assert min(contrast(mark, colors["page"]) for mark in marks) >= 3


def test_tables_load_neither_plotly_nor_arrow():
    code = (
        "import sys, evalkit.reports.score_table;"
        "print([m for m in ('plotly', 'pyarrow', 'numpy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- in a real browser ---------------------------------------------------------------------------


@pytest.fixture
def big_page(tmp_path):
    document, columns = large()
    path = tmp_path / "big.html"
    write_page(document, pa.table(columns), path, lists=result_lists(columns))
    return path


def test_the_page_opens_offline_without_a_request_or_a_complaint(chromium, big_page):
    assert big_page.stat().st_size < 7_000_000
    with Visit(chromium, big_page) as visit:
        assert visit.requests == [big_page.as_uri()]
        assert visit.complaints == []
        headings = visit.page.locator("h2").all_inner_texts()
        assert visit.page.locator(".plot .main-svg").count() >= 3
        assert visit.page.locator(".plot[role=img][aria-label]").count() == 3
    assert headings == [
        "Read this first",
        "In short",
        "By segment",
        "Query by query",
        "Biggest wins",
        "Biggest losses",
        "All results",
        "Settings and inputs",
        "What the figures mean",
    ]


def test_hostile_texts_are_shown_and_not_run(chromium, tmp_path):
    path = hostile_page(tmp_path)
    with Visit(chromium, path) as visit:
        assert visit.complaints == []
        assert visit.requests == [path.as_uri()]
        assert visit.page.locator("h1").inner_text() == HOSTILE
        assert HOSTILE in visit.page.locator("summary strong").first.inner_text()
        assert visit.page.locator(".plot img, .plot a, .plot script").count() == 0
        assert "<script>alert(1)" in visit.page.locator(
            ".plot .yaxislayer-above"
        ).first.inner_html().replace("&lt;", "<").replace("&gt;", ">")


def test_a_script_that_is_not_ours_does_not_run(chromium, big_page):
    with Visit(chromium, big_page) as visit:
        ran = visit.page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
            " document.body.append(s); return window.ran === 1; }"
        )
    assert ran is False


def test_figures_follow_the_theme(chromium, big_page):
    expect = pytest.importorskip("playwright.sync_api").expect
    colors = {}
    for scheme in ("light", "dark"):
        with Visit(chromium, big_page, color_scheme=scheme) as visit:
            colors[scheme] = visit.page.evaluate(
                "[getComputedStyle(document.body).backgroundColor,"
                " document.querySelector('.plot .xtick text').style.fill,"
                " document.querySelector('.plot .bars path').style.fill]"
            )
            if scheme == "light":
                visit.page.emulate_media(color_scheme="dark")
                bar = visit.page.locator(".plot .bars path").first
                expect(bar).to_have_css("fill", "rgb(86, 180, 233)")
    assert colors["light"] == ["rgb(255, 255, 255)", "rgb(28, 33, 39)", "rgb(0, 114, 178)"]
    assert colors["dark"] == ["rgb(20, 23, 27)", "rgb(232, 234, 237)", "rgb(86, 180, 233)"]


@pytest.mark.parametrize("width", [360, 400, 1366])
def test_nothing_is_wider_than_the_screen(chromium, big_page, width):
    with Visit(chromium, big_page, viewport={"width": width, "height": 800}) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        widths = visit.page.evaluate(
            "[...document.querySelectorAll('.plot')].map("
            "p => p.querySelector('.main-svg').getBoundingClientRect().width - p.clientWidth)"
        )
        assert max(widths) <= 1


def test_nothing_moves_while_the_page_loads(chromium, big_page):
    with Visit(chromium, big_page) as visit:
        moved = visit.page.evaluate(
            "new Promise(done => { let sum = 0; new PerformanceObserver(list => {"
            " for (const entry of list.getEntries()) sum += entry.value; })"
            ".observe({ type: 'layout-shift', buffered: true }); setTimeout(() => done(sum), 300);"
            " })"
        )
    assert moved < 0.01


def test_single_runs_open_too(chromium, tmp_path):
    path = tmp_path / "single.html"
    write_page(single(), None, path)
    with Visit(chromium, path) as visit:
        assert visit.complaints == []
        assert visit.page.locator(".plot .main-svg").count() >= 2


def test_labels_of_figures_are_not_read_as_markup(chromium, tmp_path):
    document = worked()
    document["results"][4]["segment"] = {"query_type": "<b>x</b><br>y & z"}
    path = tmp_path / "labels.html"
    write_page(document, None, path)
    with Visit(chromium, path) as visit:
        labels = visit.page.locator(".plot .ytick text").all_text_contents()
    assert "<b>x</b><br>y & z (2)" in labels
