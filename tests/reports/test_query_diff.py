import json
import math

import pyarrow as pa
import pytest
from score_documents import large, result_lists

from evalkit.reports.query_diff import diff_entries, format_diff, format_diff_json
from evalkit.reports.terminal import display_width


def item(product_id, rank, good, **fields):
    return {"product_id": product_id, "rank": rank, "good": good, **fields}


def entry(control=(), treatment=(), **fields):
    return {
        "query_id": "q1",
        "query": "rake for leaves",
        "segment": {"query_type": "general"},
        "measure": "item_goodrate",
        "cutoff": 3,
        "control": 1 / 3,
        "treatment": 2 / 3,
        "delta": 1 / 3,
        "lists": {"control": list(control), "treatment": list(treatment)},
        **fields,
    }


EXAMPLE = entry(
    control=[
        item("p1", 1, False, grade=0, title="Hoe", price=9.5),
        item("p2", 2, True, grade=2, title="Leaf rake", price=24.0),
        item("p3", 3, None, title="Spade, long handle, ash", price=31.99),
        item("p4", 4, None),
    ],
    treatment=[
        item("p2", 1, True, grade=2, title="Leaf rake", price=24.0),
        item("p5", 2, True, grade=1, title="Rake", price=18.0),
        item("p3", 3, None, title="Spade, long handle, ash", price=31.99),
    ],
)

DRAWN = """\
1. rake for leaves  (q1)               Item Goodrate@3 33.33 → 66.67  +33.33
   general
   control                             │  treatment
     1 -0 Hoe             9.50  gone   │    1 +2 Leaf rake      24.00  → #2
     2 +2 Leaf rake      24.00  → #1   │    2 +1 Rake           18.00  new
     3 ?  Spade, long …  31.99  =      │    3 ?  Spade, long …  31.99  =
   ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 3          │
     4 ?  p4                    gone   │
"""


def test_both_lists_stand_side_by_side():
    assert format_diff([EXAMPLE], width=76).startswith(DRAWN)


def test_a_product_in_both_lists_says_where_it_stands_in_the_other():
    text = format_diff([EXAMPLE])
    (line,) = [line for line in text.splitlines() if "Hoe" in line]
    assert line.split("│")[0].split() == ["1", "-0", "Hoe", "9.50", "gone"]
    assert line.split("│")[1].split() == ["1", "+2", "Leaf", "rake", "24.00", "→", "#2"]


def test_an_empty_list_is_said_to_be_empty():
    assert "(nothing)" in format_diff([entry(treatment=EXAMPLE["lists"]["treatment"])])


def test_a_query_without_lists_is_still_shown():
    text = format_diff([entry(lists=None)])
    assert "rake for leaves" in text
    assert "(no result lists)" in text


def test_a_query_without_text_is_shown_by_its_id():
    assert format_diff([entry(query=None)]).startswith("1. q1 ")


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width):
    _, columns = large()
    lists = result_lists(columns)
    for found in lists.values():
        found["treatment"][0]["title"] = "靴 ブーツ 防水 " * 10
        found["control"][1]["grade"] = "Excellent match"
    entries = diff_entries(columns, lists, "item_goodrate", 5)
    text = format_diff(entries, width=width)
    assert max(display_width(line) for line in text.splitlines()) <= width


def test_the_bar_between_the_lists_stands_still():
    _, columns = large()
    lists = result_lists(columns)
    for found in lists.values():
        found["control"][0]["title"] = "靴 ブーツ 防水 " * 10
        found["control"][1]["title"] = "cafe\u0301 table"
    text = format_diff(diff_entries(columns, lists, "item_goodrate", 5), width=110)
    places = {display_width(line.split("│")[0]) for line in text.splitlines() if "│" in line}
    assert len(places) == 1


def test_narrow_terminals_get_one_list_beneath_the_other():
    lines = [line.strip() for line in format_diff([EXAMPLE], width=60).splitlines()]
    assert lines.index("control") < lines.index("treatment")
    assert not any("│" in line for line in lines)


def test_control_characters_do_not_reach_the_terminal():
    nasty = "\x1b]0;owned\x07 \x9b31m \u202e rake\r\n"
    hostile = entry(
        control=[item(nasty, 1, True, title=nasty, price=nasty, grade=nasty)],
        query=nasty,
        query_id=nasty,
        segment={"query_type": nasty},
    )
    text = format_diff([hostile])
    assert not set(text) & set("\x1b\x07\x9b\u202e\r")


def test_colour_is_only_written_when_asked_for():
    assert "\x1b" not in format_diff([EXAMPLE])
    assert "\x1b[36m+2\x1b[0m" in format_diff([EXAMPLE], color=True)


def test_the_largest_changes_of_either_direction_come_first():
    columns = {
        "query_id": ["a", "b", "c", "d", "e"],
        "query_type": ["x"] * 5,
        "measure": ["mrr"] * 5,
        "cutoff": [None] * 5,
        "control": [0.5, 0.5, 1.0, 0.2, 0.5],
        "treatment": [1.0, 0.5, 0.0, 0.7, None],
        "delta": [0.5, 0.0, -1.0, 0.5, None],
    }
    entries = diff_entries(pa.table(columns), {}, "mrr", None)
    assert [(found["query_id"], found["delta"]) for found in entries] == [
        ("c", -1.0),
        ("a", 0.5),
        ("d", 0.5),
    ]
    assert entries[0]["segment"] == {"query_type": "x"}


def test_other_cutoffs_and_measures_do_not_enter():
    _, columns = large()
    for measure, cutoff in (("item_goodrate", 5), ("item_goodrate", 10), ("mrr", None)):
        found = diff_entries(columns, {}, measure, cutoff, count=1000)
        expected = sum(
            m == measure and c == cutoff and abs(d) > 1e-12
            for m, c, d in zip(columns["measure"], columns["cutoff"], columns["delta"], strict=True)
        )
        assert len(found) == expected > 20


def test_nothing_moved_is_a_sentence():
    assert format_diff([]) == "No query moved.\n"


def test_json_holds_the_entries_and_never_nan():
    text = format_diff_json([{**EXAMPLE, "control": math.nan}, EXAMPLE])
    read = json.loads(text)
    assert read["queries"][0]["control"] is None
    assert read["queries"][1] == EXAMPLE


def test_of_many_losses_the_biggest_are_kept():
    columns = {
        "query_id": ["a", "b", "c"],
        "measure": ["mrr"] * 3,
        "cutoff": [None] * 3,
        "control": [1.0] * 3,
        "treatment": [0.9, 0.1, 0.5],
        "delta": [-0.1, -0.9, -0.5],
    }
    entries = diff_entries(columns, {}, "mrr", None, count=2)
    assert [found["query_id"] for found in entries] == ["b", "c"]
