"""The page of people against metrics: what it says, that it is whole, that it cannot be abused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from correlation_documents import HOSTILE, correlated, sides
from page_reading import Outline, Visit

from evalkit.reports.correlation.document import studies_document
from evalkit.reports.correlation.page import write_correlation_page

if TYPE_CHECKING:
    from pathlib import Path

STUDIES = {
    "settings": {"confidence": 0.95, "draws": 200, "seed": 0},
    "results": [
        {
            "measure": "item_goodrate", "cutoff": 10, "studies": 3, "kendall": 1 / 3,
            "kendall_low": None, "kendall_high": None, "p": 1.0, "note": "no interval: too few",
        }
    ],
    "points": [
        {"study": f"2026-W4{week}", "measure": "item_goodrate", "cutoff": 10, "gsb": gsb,
         "delta": delta}
        for week, gsb, delta in ((4, 0.1, 0.01), (5, 0.3, 0.02), (6, 0.2, 0.03))
    ],
}  # fmt: skip


def written(tmp_path: Path, people: Any, automated: Any, **settings: Any) -> Path:
    document, found, names = correlated(people, automated, **settings)
    document["command"] = "evalkit correlate --study shoes"
    path = tmp_path / "correlation.html"
    write_correlation_page(document, found, path, names=names)
    return path


def outline(path: Path) -> Outline:
    return Outline(path.read_text(encoding="utf-8"))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return written(tmp_path, *sides())


def test_page_one_says_in_words_what_was_found(page: Path) -> None:
    text = outline(page).text
    top = text[: text.index("How closely each measure follows people")]
    assert "Item Goodrate@10 and people point the same way on" in top
    assert "Of the 2 measures nDCG@10 follows people most closely here (τ-b" in top
    assert "180 votes by 3 annotators on 60 queries" in top


def test_the_sections_stand_in_the_order_of_reading(page: Path) -> None:
    text = outline(page).text
    headings = [
        "People against metrics",
        "In short",
        "How closely each measure follows people",
        "Item Goodrate@10, query by query",
        "nDCG@10, query by query",
        "Item Goodrate@10 by segment",
        "Where people and Item Goodrate@10 differ most",
        "All results",
        "Settings and inputs",
        "What the figures mean",
    ]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)


def test_every_figure_has_its_numbers_and_a_sentence(page: Path) -> None:
    found = outline(page)
    plots = [attrs for tag, attrs in found.attributes if attrs.get("class") == "plot"]
    behind = [attrs for tag, attrs in found.attributes if attrs.get("class") == "behind"]
    # ranking, twice scatter, confusion and ROC, segments
    assert len(plots) == len(behind) == 8
    assert all(plot["role"] == "img" and len(plot["aria-label"]) > 40 for plot in plots)
    assert found.tags.count("table") == found.tags.count("caption") == 8 + 3


def test_the_counts_of_the_verdicts_stand_in_the_page(page: Path) -> None:
    document, _, _ = correlated(*sides())
    row = document["results"][0]
    label = next(
        attrs["aria-label"]
        for _, attrs in outline(page).attributes
        if attrs.get("aria-label", "").startswith("Verdicts of people against Item")
        and attrs.get("class") == "plot"
    )
    agreed = sum(row["confusion"][at][at] for at in range(3))
    assert f"the same on {agreed} of 60" in label
    assert f"people good: {row['confusion'][2][0]} Δ < 0" in label


def test_disagreements_show_both_lists_and_the_votes(page: Path) -> None:
    found = outline(page)
    assert found.tags.count("ol") == 20
    assert "Product t" in found.text
    assert "Votes: " in found.text
    assert "Brand" in found.text


def test_items_without_judgments_carry_no_mark(page: Path) -> None:
    marks = [attrs for _, attrs in outline(page).attributes if attrs.get("class") == "mark"]
    assert marks == []


def test_unknown_lists_are_said_to_be_unknown(tmp_path: Path) -> None:
    people, automated = sides(20)
    people.lists.clear()
    text = outline(written(tmp_path, people, automated)).text
    assert "The result lists of this query are not known." in text
    assert "query q0" in text


def test_no_tag_comes_from_a_text(tmp_path: Path) -> None:
    found = outline(written(tmp_path, *sides(24, text=HOSTILE)))
    assert found.tags.count("img") == 0
    assert found.tags.count("script") == 4
    assert found.tags.count("html") == found.tags.count("body") == 1
    assert not [name for _, attrs in found.attributes for name in attrs if name.startswith("on")]


def test_a_measure_without_any_difference_has_a_page(tmp_path: Path) -> None:
    people, automated = sides(12)
    names = automated.values.column_names
    flat = automated.values.set_column(
        names.index("delta"), "delta", [[0.0] * automated.values.num_rows]
    )
    still = type(automated)(flat, automated.source, automated.fingerprint)
    text = outline(written(tmp_path, people, still)).text
    assert "there are no directions to compare" in text
    assert "no correlation: the Δ are all equal" in text


def test_a_handful_of_queries_has_a_page_without_intervals(tmp_path: Path) -> None:
    text = outline(written(tmp_path, *sides(5))).text
    assert "Too little for an interval" in text
    assert "without intervals that says nothing of other queries" in text


def test_many_queries_are_told_in_part_and_it_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, *sides(700), draws=0)
    found = outline(path)
    assert "300 of 700 queries, evenly from the lowest to the highest Δ." in found.text
    assert path.stat().st_size < 7_000_000


def test_a_page_over_studies_only(tmp_path: Path) -> None:
    path = tmp_path / "studies.html"
    write_correlation_page(studies_document(STUDIES), None, path)
    found = outline(path)
    assert "Over 3 studies, Δ of Item Goodrate@10 and GSB go together with τ-b 0.33, p 1.0000" in (
        found.text
    )
    assert "2026-W45" in found.text
    assert "All results" not in found.text


def test_a_document_without_its_queries_still_has_verdicts(tmp_path: Path) -> None:
    document, _, _ = correlated(*sides(20))
    path = tmp_path / "document.html"
    write_correlation_page(document, None, path)
    found = outline(path)
    assert "Verdicts: people against the sign of Δ" in found.text
    assert "Good from Bad" not in found.text


# -- in a real browser ---------------------------------------------------------------------------


def test_the_page_opens_offline_without_a_request_or_a_complaint(chromium: Any, page: Path) -> None:
    with Visit(chromium, page) as visit:
        assert visit.requests == [page.as_uri()]
        assert visit.complaints == []
        assert visit.page.locator(".plot .main-svg").count() >= 8
        # nine counts, written in the cells
        cells = visit.page.locator(".plot .heatmaplayer .heatmap-label").all_inner_texts()
        assert len(cells) == 18


def test_hostile_texts_are_shown_and_not_run(chromium: Any, tmp_path: Path) -> None:
    path = written(tmp_path, *sides(24, text=HOSTILE))
    with Visit(chromium, path) as visit:
        assert visit.complaints == []
        assert visit.requests == [path.as_uri()]
        assert HOSTILE in visit.page.locator("details.query summary strong").first.inner_text()
        assert visit.page.locator(".plot img, .plot a, .plot script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(
    chromium: Any, page: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    with Visit(chromium, page, viewport=size, color_scheme=scheme) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        # unfolded, the numbers scroll by themselves
        visit.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_fits_on_paper(chromium: Any, page: Path) -> None:
    with Visit(chromium, page, viewport={"width": 688, "height": 1000}) as visit:
        visit.page.emulate_media(media="print")
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 688
