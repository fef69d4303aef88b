"""The weekly report as a page: what stands on it, in which order, and that texts stay texts."""

from __future__ import annotations

import base64
import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from page_reading import Outline
from score_documents import worked
from weekly_records import calibration, keep, score, study

from evalkit.reports.score_numbers import signed
from evalkit.reports.weekly.document import weekly_document
from evalkit.reports.weekly.markdown import format_weekly_markdown
from evalkit.reports.weekly.page import format_weekly_page
from evalkit.store import StudyDesign, create_study, open_store

if TYPE_CHECKING:
    from pathlib import Path

WEEK = "2026-W47"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def outline(full) -> Outline:
    return Outline(format_weekly_page(full))


def bare(path: Path, **more: Any) -> dict[str, Any]:
    """The document of a week of which nothing but the score is known."""
    with open_store(f"sqlite:///{path}/bare.db", create=True) as store:
        document, values = score(**more)
        keep(store, "score", WEEK, document, values=values)
        return weekly_document(store, WEEK)


def poisoned(value: Any) -> Any:
    """The same with every text that comes from outside trying to become markup."""
    names = {"query", "title", "brand", "note", "signal", "set_aside_reason", "reason", "command",
             "path", "name", "judge", "source"}  # fmt: skip
    if isinstance(value, dict):
        return {
            key: HOSTILE if key in names and isinstance(item, str) else poisoned(item)
            for key, item in value.items()
        }
    return [poisoned(item) for item in value] if isinstance(value, list | tuple) else value


def test_page_one_says_verdict_cards_warnings_and_change_in_this_order(outline):
    said = [
        "Week 2026-W47: dense against lexical",
        "16 to 22 November 2026",
        "People prefer the treatment (GSB +",
        "Of 100 products shown, this many are good.",
        "Of 100 queries, this many show at least one good product.",
        "Queries where people prefer the treatment",
        "Δ of all queries, corrected by what people found",
        "Read this first",
        "Since 2026-W46",
        "In this report",
    ]
    places = [outline.text.index(text) for text in said]
    assert places == sorted(places)


def test_the_sections_come_in_the_order_of_reading(full):
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", format_weekly_page(full))
    assert headings == [
        "Better by people",
        "In short",
        "Read this first",
        "Since 2026-W46",
        "Control against treatment",
        "Over weeks",
        "Biggest wins and losses",
        "What people said",
        "The judge",
        "What the figures mean",
        "Settings, fingerprints, commands",
        "All results",
    ]


def test_judged_and_agreement_stand_beside_every_figure(full, outline):
    rows = [*full["figures"]["overall"]]
    for block in full["figures"]["segments"]:
        for group in block["groups"]:
            rows += group["rows"]
    assert outline.text.count("97.0 → 91.0") >= len(rows)
    assert "Agrees with people, 2026-W46" in outline.text
    in_card_and_table = "78.0% of 80, τ-b 0.42"
    assert outline.text.count(in_card_and_table) == 2
    assert outline.text.count("not checked") == sum(row["agreement"] is None for row in rows)


def test_where_no_sign_can_be_compared_only_tau_stands(full):
    document = deepcopy(full)
    document["figures"]["overall"][0]["agreement"] |= {"sign_agreement": None, "sign_queries": 0}
    text = Outline(format_weekly_page(document)).text
    assert "–% of" not in text
    assert "τ-b 0.42" in text


def test_a_report_of_nothing_but_a_score_is_whole_and_names_the_commands(tmp_path):
    page = Outline(format_weekly_page(bare(tmp_path)))
    assert "Not checked by people this week" in page.text
    assert "Nothing is recorded for an earlier week" in page.text
    assert "What is not in this report" in page.text
    for command in ("study create", "calibrate", "correlate", "drift"):
        assert f"evalkit {command}" in page.text
    assert page.tags.count("h1") == 1


@pytest.mark.parametrize("bounds", [False, True])
def test_a_score_that_was_recorded_before_it_named_judge_and_systems_has_a_report(tmp_path, bounds):
    with open_store(f"sqlite:///{tmp_path}/old.db", create=True) as store:
        keep(store, "score", "2026-W46", worked(), query_set=None)
        keep(store, "score", WEEK, worked(bounds=bounds), query_set=None)
        document = weekly_document(store, WEEK)
    text = Outline(format_weekly_page(document)).text
    assert "Week 2026-W47: treatment against control" in text
    assert "4 queries, judged by an unnamed judge" in text
    assert "44.44 → 54.55" in text
    assert ("they could turn the sign" in text) is bounds
    assert "| Item Goodrate@3 | 4 | 44.44 | 54.55 |" in format_weekly_markdown(document)


def test_a_draft_study_without_votes_is_told_as_such(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/draft.db", create=True) as store:
        document, values = score()
        keep(store, "score", WEEK, document, values=values)
        design = StudyDesign("fresh", control_system="lexical", treatment_system="dense")
        create_study(store, design, [])
        found = Outline(format_weekly_page(weekly_document(store, WEEK, studies=["fresh"])))
    assert "Study fresh has no vote that counts." in found.text


def test_a_study_of_grades_is_told_and_checks_nothing(tmp_path):
    graded = study(
        "grades",
        gsb=None,
        agreement=None,
        position_bias=None,
        sequential={"available": False, "reason": "there are no votes yet"},
        grades={
            "items": [{"grade": 0, "word": "Bad", "number": 30}],
            "pages": [{"system": "dense", "good": 3, "mid": 2, "bad": 1}],
            "agreement": {"units": 12, "alpha_nominal": 0.71},
        },
    )
    graded["study"]["kind"] = "grade"
    with open_store(f"sqlite:///{tmp_path}/grades.db", create=True) as store:
        document, values = score()
        keep(store, "score", WEEK, document, values=values)
        keep(store, "study", WEEK, graded)
        text = Outline(format_weekly_page(weekly_document(store, WEEK))).text
    assert "Not checked by people this week" in text
    assert "pages of dense good 3, mid 2, bad 1; α 0.71 nominal over 12 products" in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"complete": 50}, "the interval holds however often one looks"),
        ({"complete": 50, "policy": "disagreement"}, "The serving order depends on votes"),
        ({}, "(sign test over queries)"),
    ],
)
def test_the_card_of_people_says_on_what_it_rests(tmp_path, more, said):
    with open_store(f"sqlite:///{tmp_path}/study.db", create=True) as store:
        document, values = score()
        keep(store, "score", WEEK, document, values=values)
        keep(store, "study", WEEK, study(**more))
        text = Outline(format_weekly_page(weekly_document(store, WEEK))).text
    assert said in text[: text.index("In this report")]


def test_a_correction_without_width_is_no_interval_on_page_one(tmp_path):
    why = "an interval without width is too few labels, not certainty"
    labels = calibration(item=(0.0144, 0.0144, 0.0144))
    for row in labels["results"]:
        row["note"] = why
    with open_store(f"sqlite:///{tmp_path}/labels.db", create=True) as store:
        document, values = score()
        keep(store, "score", WEEK, document, values=values)
        keep(store, "calibration", WEEK, labels)
        text = Outline(format_weekly_page(weekly_document(store, WEEK))).text
    one = text[: text.index("In this report")]
    assert "[+1.44, +1.44]" not in one
    assert "Item Goodrate@10, decides nothing" in one
    assert one.count("An interval without width is too few labels, not certainty.") == 1


def test_a_correction_for_these_queries_only_says_so_on_page_one(tmp_path):
    labels = calibration()
    labels["settings"]["target"] = "queries"
    with open_store(f"sqlite:///{tmp_path}/labels.db", create=True) as store:
        document, values = score()
        keep(store, "score", WEEK, document, values=values)
        keep(store, "calibration", WEEK, labels)
        found = weekly_document(store, WEEK)
    text = Outline(format_weekly_page(found)).text
    one = text[: text.index("In this report")]
    assert "Item Goodrate@10, points [+1.80, +10.40] on these queries, decides nothing" in one
    assert one.count("--target population speaks of the change.") == 1
    shown = "+6.10 | [+1.80, +10.40] on these queries, decides nothing |"
    assert shown in format_weekly_markdown(found)


def test_a_query_goodrate_of_page_grades_is_not_explained_by_products(tmp_path):
    document = bare(tmp_path)
    said = "this many show at least one good product"
    assert said in format_weekly_page(document)
    document["score"]["settings"]["query_goodrate_from"] = "items"
    assert said in format_weekly_page(document)
    document["score"]["settings"]["query_goodrate_from"] = "page grades"
    assert said not in format_weekly_page(document)


def test_breaks_are_told_once_and_in_words(outline):
    assert outline.text.count("2026-W44: the query set changed: 120 → 160 queries.") == 1


def test_weeks_that_cannot_be_compared_stand_side_by_side_without_a_difference(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/weeks.db", create=True) as store:
        before, _ = score(1)
        before["settings"]["min_good"] = 2
        keep(store, "score", "2026-W46", before)
        keep(store, "score", WEEK, score(2)[0])
        text = format_weekly_page(weekly_document(store, WEEK))
    since = text[text.index('id="since"') : text.index("In this report")]
    assert "Not comparable with 2026-W46:</strong> settings changed: min-good 2 → 1." in since
    changes = re.findall(r"<td>([^<]*)</td></tr>", since)
    assert changes == ["–"] * 6


def test_weeks_that_can_be_compared_have_their_difference(full):
    text = format_weekly_page(full)
    since = text[text.index('id="since"') : text.index("In this report")]
    changes = re.findall(r"<td>([^<]*)</td></tr>", since)
    row = full["since"]["rows"][0]
    assert changes[0] == signed(row["now"]["control"] - row["before"]["control"])


def test_every_figure_has_a_place_and_a_summary_and_a_table_behind_it(outline):
    plots = [at for tag, at in outline.attributes if at.get("class") == "plot"]
    assert len(plots) == 9
    assert all(len(at["aria-label"]) > 40 and at["role"] == "img" for at in plots)
    behind = [at for tag, at in outline.attributes if at.get("class") == "behind"]
    assert len(behind) == 6 + 2  # of the trends, votes and judge; annotators; every figure


def test_every_table_has_a_caption_and_every_id_is_there_once(outline):
    assert outline.tags.count("table") == outline.tags.count("caption")
    ids = [at["id"] for _, at in outline.attributes if "id" in at]
    assert len(ids) == len(set(ids))
    links = [at["href"] for tag, at in outline.attributes if tag == "a"]
    assert links
    assert all(link.removeprefix("#") in ids for link in links)


def test_the_page_asks_for_nothing(full):
    text = format_weekly_page(full)
    page = Outline(text)
    assert not [at for tag, at in page.attributes if tag in ("link", "iframe", "object", "embed")]
    assert not [at["src"] for _, at in page.attributes if "src" in at]
    policy = next(at["content"] for _, at in page.attributes if at.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_the_same_document_gives_the_same_bytes(full):
    assert format_weekly_page(full) == format_weekly_page(deepcopy(full))


def test_no_text_from_outside_becomes_markup(full):
    text = format_weekly_page(poisoned(full))
    page, clean = Outline(text), Outline(format_weekly_page(full))
    assert page.tags.count("script") == clean.tags.count("script")
    assert page.tags.count("img") == 0
    assert not [name for _, at in page.attributes for name in at if name.startswith("on")]
    assert "{{ 7 * 7 }}" in page.text
    assert ">49<" not in text


def test_control_characters_do_not_reach_the_page(tmp_path):
    document = bare(tmp_path, warnings=["left\u202eright\x00 \x1b[2J"])
    assert "leftright [2J" in format_weekly_page(document)


def test_pictures_have_a_budget(tmp_path):
    kept, values = score()
    picture = "data:image/png;base64," + base64.b64encode(b"x" * 24_000).decode()
    for key, entry in kept["lists"].items():
        if key != "moves":
            for item in entry["control"] + entry["treatment"]:
                item["image"] = picture
    with open_store(f"sqlite:///{tmp_path}/pictures.db", create=True) as store:
        keep(store, "score", WEEK, kept, values=values)
        text = format_weekly_page(weekly_document(store, WEEK))
    assert 20 < text.count("<img") < 40
    assert len(text.encode()) < 7_000_000


def test_every_command_and_fingerprint_stands_on_the_page(full, outline):
    for source in full["sources"]:
        assert source["command"] in outline.text
        assert source["fingerprint"] in outline.text
    assert "evalkit report --week 2026-W47" in outline.text


def test_annotators_have_no_names_on_the_page(outline):
    assert "Person" not in outline.text
    assert "annotator 1" in outline.text


def test_every_first_cell_of_what_changed_wraps_on_a_phone(full):
    styles = format_weekly_page(full).partition("</style>")[0]
    rules = dict(re.findall(r"^ *([^{}\n]+?) \{([^{}\n]*)\}", styles, re.MULTILINE))
    assert "nowrap" in rules[".results tbody tr.beneath th"]
    # as specific as the rule of the rows beneath, and after it
    assert "white-space: normal" in rules[".since .results tbody tr th"]
    assert list(rules).index(".since .results tbody tr th") > list(rules).index(
        ".results tbody tr.beneath th"
    )


@pytest.mark.parametrize("complete", [True, False])
def test_beside_the_votes_stands_what_p_and_majorities_count(tmp_path, complete):
    with open_store(f"sqlite:///{tmp_path}/votes.db", create=True) as store:
        document, values = score()
        keep(store, "score", WEEK, document, values=values)
        keep(store, "study", WEEK, study(**({} if complete else {"complete": 50})))
        text = Outline(format_weekly_page(weekly_document(store, WEEK))).text
    said = "by majority; p goes by net votes"
    assert (said in text) is complete
