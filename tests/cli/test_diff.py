"""`evalkit diff`: the queries that moved most, with both lists side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]


@pytest.fixture
def diff(evalkit: Command, files: Path) -> Command:
    def run(*more: object) -> Any:
        return evalkit(
            *("diff", "--control", "control.run", "--treatment", "treatment.parquet"),
            *("--judgments", "judgments.csv", "--queries", "queries.tsv", "--at", "3", *more),
        )

    return run


def moved(done: Any) -> list[dict[str, Any]]:
    """The queries of the JSON that was printed."""
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)["queries"]
    return found


def test_the_query_that_moved_most_comes_first(diff: Command) -> None:
    entries = moved(diff("--format", "json"))
    assert [(entry["query_id"], entry["delta"]) for entry in entries] == [
        ("q2", 0.5),
        ("q1", pytest.approx(1 / 3)),
    ]
    assert entries[0]["query"] == "query 2"


def test_the_lists_carry_grades_and_unjudged_products(diff: Command) -> None:
    entry = moved(diff("--format", "json", "-n", 1))[0]
    found = [(item["product_id"], item["rank"], item["good"]) for item in entry["lists"]["control"]]
    assert found == [("c21", 1, False), ("c22", 2, None), ("c23", 3, False)]
    assert (entry["control"], entry["treatment"]) == (0.0, 0.5)
    assert [item["product_id"] for item in entry["lists"]["treatment"]] == ["t21", "t22"]
    assert [item["grade"] for item in entry["lists"]["treatment"]] == [1.0, None]


def test_lists_are_as_deep_as_the_cutoff(diff: Command) -> None:
    entry = moved(diff("--format", "json", "--at", 1, "-n", 1))[0]
    assert [len(items) for items in entry["lists"].values()] == [1, 1]


def test_titles_come_from_the_catalogue(diff: Command) -> None:
    Path("products.csv").write_text("product_id,title,price\nt21,Rain coat Wren,49.5\n")
    text = diff("--products", "products.csv", "-n", 1).out
    assert "Rain coat Wren" in text
    assert "49.50" in text
    assert "c21" in text  # without a title, the id


def test_the_text_says_what_moved_and_reads_side_by_side(diff: Command) -> None:
    text = diff().out
    first = text.splitlines()[0]
    assert first.startswith("1. query 2  (q2)")
    assert first.endswith("Item Goodrate@3 0.00 → 50.00  +50.00")
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text


@pytest.mark.parametrize(("measure", "first"), [("ndcg", "q2"), ("gsb", "q1"), ("mrr", "q2")])
def test_another_measure_can_be_followed(diff: Command, measure: str, first: str) -> None:
    entries = moved(diff("--measure", measure, "--format", "json"))
    assert entries[0]["query_id"] == first
    assert {entry["query_id"] for entry in entries} == {"q1", "q2"}


def test_nothing_moved_is_said(diff: Command) -> None:
    done = diff("--treatment", "control.run")
    assert done.code == 0
    assert done.out.strip()
    assert moved(diff("--treatment", "control.run", "--format", "json")) == []


def test_the_output_goes_to_a_file(diff: Command) -> None:
    done = diff("-o", "moved.txt")
    assert (done.code, done.out) == (0, "")
    assert Path("moved.txt").read_text(encoding="utf-8").startswith("1. query 2")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--measure", "speed"), "unknown measure 'speed'"),
        (("-n", "0"), "'-n'"),
        (("--at", "x"), "--at 'x' is not a list of whole numbers"),
        (("--control", "nowhere.run"), "nowhere.run: there is no such file"),
    ],
)
def test_what_the_user_can_mend_is_told_with_exit_code_2(
    diff: Command, more: tuple[str, ...], message: str
) -> None:
    done = diff(*more)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
