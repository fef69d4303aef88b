"""The weekly report for a chat: short, and nothing in it does what a text from outside wants."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from weekly_records import keep, score, study

from evalkit.reports.weekly.document import weekly_document
from evalkit.reports.weekly.markdown import code, escape, format_weekly_markdown
from evalkit.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

WEEK = "2026-W47"
JOINER = "\N{WORD JOINER}"
HOSTILE = "[win](http://evil.example) <!channel> @all | **b** `c` ![x](y) <b>z</b>"


def weekly(path: Path, **more: Any) -> dict[str, Any]:
    with open_store(f"sqlite:///{path}/weekly.db", create=True) as store:
        document, values = score(**more)
        keep(store, "score", WEEK, document, values=values)
        keep(store, "study", WEEK, study(complete=50))
        return weekly_document(store, WEEK)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Item Goodrate@10 is 7.24 points higher", "Item Goodrate@10 is 7.24 points higher"),
        ("95% interval [+4.54, +9.94], p <0.0001", "95% interval [+4.54, +9.94], p <0.0001"),
        ("a_b_c _d_", r"a_b_c \_d\_"),
        ("*a* ~b~ `c` a|b c\\d", rf"\*a\* \~{JOINER}b\~ \`c\` a\|b c\\d"),
        ("[a](b) [c][d]", r"\[a\](b) [c\][d]"),
        ("<!here> <@U1> <a>", "&lt;!here> &lt;@" + JOINER + "U1> &lt;a>"),
        ("&lt; &#64; R&D", "&amp;lt; &amp;#" + JOINER + "64; R&D"),
        ("ask @ann or a@b.example", f"ask @{JOINER}ann or a@{JOINER}b.{JOINER}example"),
        ("see #12", f"see #{JOINER}12"),
        ("http://x www.y.example", f"http:{JOINER}//x www.y.{JOINER}example"),
        (":tada: 12:30", f":{JOINER}tada: 12:30"),
        ("# heading", f"{JOINER}# heading"),
        ("- item\n- next", f"{JOINER}- item - next"),
        ("1. first", f"{JOINER}1. first"),
        ("78.3% of 46 signs", "78.3% of 46 signs"),
        (">quote", f"{JOINER}>quote"),
        ("a\x1b[2Jb", "a[2Jb"),
    ],
)
def test_texts_are_escaped_no_more_than_they_must_be(text, shown):
    assert escape(text) == shown


def test_code_spans_cannot_be_left():
    assert code("a ` b | c <!here>\n```") == "`a ′ b ¦ c ‹!here› ′′′`"
    assert code("x" * 200) == f"`{'x' * 79}…`"
    assert code("") == "–"


def test_it_says_verdict_figures_moves_and_where_the_rest_is(full):
    text = format_weekly_markdown(full, "report-2026-W47.html")
    lines = text.splitlines()
    assert lines[0] == "## Week 2026-W47: dense against lexical"
    assert lines[4] == f"**{full['verdict']['sentence']}**"
    assert lines[-1] == "Full report: `report-2026-W47.html`"
    assert len(lines) < 70
    places = [
        text.index(part)
        for part in ("Against 2026-W46", "| Item Goodrate@10 |", "| GSB of people |",
                     "corrected by labels", "**Read this first**", "**Biggest wins**",
                     "**Biggest losses**", "**Still needed**")
    ]  # fmt: skip
    assert places == sorted(places)


def test_every_row_of_the_table_has_the_columns_of_its_head(full):
    rows = [line for line in format_weekly_markdown(full).splitlines() if line.startswith("|")]
    assert len(rows) > 8
    assert {row.count("|") - row.count(r"\|") for row in rows} == {10}


def test_three_wins_and_three_losses_are_listed(full):
    text = format_weekly_markdown(full)
    wins = text[text.index("**Biggest wins**") : text.index("**Biggest losses**")]
    assert wins.count("\n- ") == 3
    assert f"`{full['moves']['wins'][0]['lists']['query']}`" in wins


def test_of_many_segments_only_those_that_moved_are_listed(full):
    text = format_weekly_markdown(full)
    moved = [
        row
        for block in full["figures"]["segments"]
        for group in block["groups"]
        for row in group["rows"]
        if row["standing"] in ("better", "worse")
    ]
    assert f"{12 - len(moved)} more segments are in the full report." in text
    for row in moved:
        assert f"| {row['label']}, {row['where']} |" in text


def test_a_running_study_says_what_it_still_needs(tmp_path):
    text = format_weekly_markdown(weekly(tmp_path))
    assert "at any look" in text
    assert "- Study pages: Missing: 180 votes on 60 queries" in text


def test_the_same_document_gives_the_same_bytes(full):
    assert format_weekly_markdown(full) == format_weekly_markdown(full)


def test_nothing_from_outside_becomes_a_link_a_cell_a_mention_or_markup(tmp_path):
    markdown = pytest.importorskip("markdown_it")
    document, values = score(warnings=[HOSTILE, f"[x]: http://evil.example {HOSTILE}"])
    for key, entry in document["lists"].items():
        if key != "moves":
            entry["query"] = HOSTILE
    document["systems"] = {"control": HOSTILE, "treatment": "dense"}
    document["judge"]["name"] = HOSTILE
    for row in document["results"]:
        row["segment"] = {key: f"{value} {HOSTILE}" for key, value in row["segment"].items()}
    with open_store(f"sqlite:///{tmp_path}/hostile.db", create=True) as store:
        keep(store, "score", WEEK, document, values=values)
        keep(store, "study", WEEK, study(HOSTILE))
        text = format_weekly_markdown(weekly_document(store, WEEK), HOSTILE)
    parser = markdown.MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {
        "link_open",
        "image",
        "html_inline",
        "html_block",
        "fence",
        "blockquote_open",
    }
    assert "code_inline" in kinds
    assert "table_open" in kinds
    strong = [after.content for before, after in pairwise(inline) if before.type == "strong_open"]
    assert "b" not in strong
    outside_code = "".join(child.content for child in inline if child.type == "text")
    assert "@all" not in outside_code
    assert "<!channel>" not in text.replace("&lt;", "")
    assert "://evil" not in outside_code
    cells = sum(token.type == "td_open" for token in tokens)
    rows = sum(token.type == "tr_open" for token in tokens) - 1
    assert cells == 9 * rows
