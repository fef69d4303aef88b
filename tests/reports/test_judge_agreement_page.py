"""The page of a judge against people: order, figures, escaping, and that it is whole."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from page_reading import Outline, Visit

from evalkit.reports.judge_agreement.figures import (
    grade_map,
    kappa_by_segment,
    reliability_curve,
    verdict_map,
)
from evalkit.reports.judge_agreement.findings import agreement_findings, probability_findings
from evalkit.reports.judge_agreement.page import write_agreement_page
from evalkit.reports.judge_agreement.table import (
    format_agreement_markdown,
    format_agreement_table,
)
from metrics import judge_agreement

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>"
GRADES = [2, 2, 0, 0, 1, 2, 0, 1] * 20
SAID = [2, 0, 0, 2, 1, 2, 0, 0] * 20


def document(name: str = "tiny", text: str = "kettle", probability: bool = True) -> dict[str, Any]:
    """A document as the command makes it, from 160 pairs of 40 queries."""
    ids = {
        "query_id": [f"q{at % 40:02}" for at in range(160)],
        "product_id": [f"p{at:03}" for at in range(160)],
    }
    more = {"probability": [0.9 if grade == 2 else 0.2 for grade in SAID]} if probability else {}
    queries = pa.table(
        {
            "query_id": [f"q{at:02}" for at in range(40)],
            "query_type": ["negative", text] * 20,
        }
    )
    found = judge_agreement(
        pa.table({**ids, "grade": SAID, **more}),
        pa.table({**ids, "grade": GRADES}),
        queries,
        by=["query_type"],
        good=2,
    ).to_dict()
    pairs = [{**pair, "query": text, "title": f"{text} title"} for pair in found["differences"]]
    return {
        "kind": "agreement",
        **found,
        "settings": {**found["settings"], "source": None, "human_source": None, "aggregate": None},
        "judge": {"name": name, "model": None, "source": "classifier", "judgments": "sha256:a"},
        "human": {"source": f"{text}.csv", "judgments": "sha256:b"},
        "classifier": None,
        "differences": pairs,
        "inputs": [{"path": "judge.csv", "fingerprint": "sha256:a", "rows": 160}],
        "command": f"evalkit relevance agreement --judge {text}",
    }


def written(tmp_path: Path, document: dict[str, Any]) -> Path:
    path = tmp_path / "agreement.html"
    write_agreement_page(document, path)
    return path


def test_the_page_asks_and_answers_in_order(tmp_path: Path) -> None:
    text = Outline(written(tmp_path, document()).read_text(encoding="utf-8")).text
    assert "Does tiny say what people say?" in text
    headings = ("Where they meet", "By query_type", "Are its probabilities what they say?",
                "Where they differ", "Settings and inputs", "What the figures mean")  # fmt: skip
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "40 of the 40 pairs" not in text
    assert "20 of the 40 pairs that only one of them calls good, the surest first" in text


def test_without_probabilities_there_is_no_curve_and_no_word_of_it(tmp_path: Path) -> None:
    found = document(probability=False)
    text = Outline(written(tmp_path, found).read_text(encoding="utf-8")).text
    assert "Are its probabilities" not in text
    assert "the farthest apart first" in text
    assert probability_findings(found) == []


def test_the_cells_hold_the_counts_and_frames_where_both_say_the_same() -> None:
    found = document()
    spec = verdict_map(found["results"][0]).spec
    assert spec["data"][0]["text"] == [["40", "20"], ["20", "80"]]
    assert len(spec["layout"]["shapes"]) == 2
    # shades are shares of the columns
    assert spec["data"][0]["z"][0][0] == pytest.approx(40 / 60)
    assert spec["data"][0]["z"][0][1] == pytest.approx(20 / 100)
    assert len(grade_map(found["grades"], same=True).spec["layout"]["shapes"]) == 3
    assert "shapes" not in grade_map(found["grades"], same=False).spec["layout"]


def test_the_curve_has_a_mark_a_range_and_the_line_of_truth() -> None:
    found = document()["reliability"]
    spec = reliability_curve([("these pairs", found), ("held out", found)]).spec
    assert [len(trace["x"]) for trace in spec["data"]] == [2, 2, 2]
    assert list(spec["data"][1]["y"]) == [each["good"] for each in found["bins"]]
    assert max(spec["data"][1]["marker"]["size"]) == 26


def test_segments_stand_below_all_pairs() -> None:
    spec = kappa_by_segment(document()["results"]).spec
    assert list(spec["layout"]["yaxis"]["ticktext"]) == [
        "all pairs (160)", "kettle (80)", "negative (80)",
    ]  # fmt: skip


def test_sentences_say_bias_and_the_weakest_segment() -> None:
    said = " ".join(agreement_findings(document()))
    assert "Judge and people agree on 75.0% of the pairs" in said
    assert "calling every pair not good would agree on 62.5%" in said
    assert "Of what the judge calls good, 66.7% is good by people" in said
    assert "It agrees least on" in said
    assert "kinder" not in said
    kinder = document()
    kinder["results"][0] = {**kinder["results"][0], "good_judge": 0.5, "good_human": 0.4}
    assert "it is kinder by 10.0 points" in " ".join(agreement_findings(kinder))


@pytest.mark.parametrize("probability", [True, False])
def test_foreign_text_never_becomes_markup(tmp_path: Path, probability: bool) -> None:
    found = document(HOSTILE, HOSTILE, probability)
    page = written(tmp_path, found).read_text(encoding="utf-8")
    outline = Outline(page)
    assert "img" not in outline.tags
    assert HOSTILE in outline.text
    data = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.S)
    assert data is not None
    assert "<img" not in json.dumps(json.loads(data[1]))
    assert re.search(r"(?<!\\)<img", format_agreement_markdown(found)) is None
    assert "\x1b" not in format_agreement_table(document("a\x1b[2Jb", "a\x1b[2Jb"), color=False)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_table_keeps_to_the_width(width: int) -> None:
    text = format_agreement_table(document(), width=width)
    longest = max(map(len, text.splitlines()))
    assert longest <= max(width, 80)


def test_the_page_is_whole_offline_and_fits_a_phone(tmp_path: Path, chromium: Any) -> None:
    path = written(tmp_path, document(HOSTILE, HOSTILE))
    for width, scheme in ((1280, "light"), (390, "dark")):
        visit = Visit(chromium, path, viewport={"width": width, "height": 800}, color_scheme=scheme)
        with visit as seen:
            assert seen.complaints == []
            assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
