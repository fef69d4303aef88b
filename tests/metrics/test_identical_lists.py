"""Which lists are identical, and what GSB is without them: case by case, for every library."""

from __future__ import annotations

from typing import Any

import pytest
from small_runs import JUDGMENTS, RANKED, RUN, Row, frame

import metrics._pairs
from metrics import _queries, compare_runs

LIBRARIES = ["pandas", "polars", "polars-lazy", "pyarrow", "duckdb"]


def ranked(**lists: str) -> list[Row]:
    """`q1="abc"` is a list of three products, whose ranks have gaps."""
    return [
        (query, product, 10.0 * at)
        for query, products in lists.items()
        for at, product in enumerate(products, 1)
    ]


def row(
    control: list[Row],
    treatment: list[Row],
    judged: list[Row],
    weights: dict[str, float] | None = None,
    *,
    columns: tuple[str, ...] = RANKED,
    library: str = "polars",
    cutoff: int = 3,
    **how: Any,
) -> Any:
    queries = None
    if weights is not None:
        queries = frame(library, list(weights.items()), ("query_id", "weight"))
    (found,) = compare_runs(
        frame(library, control, columns),
        frame(library, treatment, columns),
        frame(library, judged, JUDGMENTS),
        queries,
        measures=["gsb"],
        cutoffs=(cutoff,),
        **how,
    ).rows
    return found


def identical(found: Any) -> tuple[int, float | None]:
    return found.extra["identical"], found.extra["without_identical"]


JUDGED = [
    (query, product, float(product in "ab")) for query in ("q1", "q2", "q3") for product in "abcd"
]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_list_is_identical_with_the_same_products_in_the_same_order(library: str) -> None:
    control = ranked(q1="abc", q2="abc", q3="abc")
    treatment = ranked(q1="abc", q2="bac", q3="cda")
    # q2 is a Same although its lists differ, q3 is Bad
    found = row(control, treatment, JUDGED, library=library)
    assert (found.delta, *identical(found)) == (-1 / 3, 1, -1 / 2)


def test_only_the_cutoff_counts() -> None:
    control, treatment = ranked(q1="abcd", q2="abc", q3="cba"), ranked(q1="abdc", q2="ab", q3="cba")
    assert [
        row(control, treatment, JUDGED, cutoff=n).extra["identical"] for n in (1, 2, 3, 4, 9)
    ] == [3, 3, 1, 1, 1]


def test_the_longer_list_is_another_list() -> None:
    assert identical(row(ranked(q1="ab"), ranked(q1="abc"), JUDGED[:4])) == (0, 0)


def test_two_empty_lists_are_identical_and_one_empty_list_is_not() -> None:
    found = row(ranked(q2="a"), [], JUDGED)
    assert (found.delta, *identical(found)) == (-1 / 3, 2, -1)


def test_scores_may_differ_where_the_order_does_not() -> None:
    control, treatment = [("q1", "a", 3.0), ("q1", "b", 2.0)], [("q1", "a", 9.0), ("q1", "b", 1.0)]
    assert row(control, treatment, JUDGED[:4], columns=RUN).extra["identical"] == 1


def test_one_run_may_be_ordered_by_rank_and_the_other_by_score() -> None:
    scored = frame("polars", [("q1", "a", 0.5), ("q1", "b", 0.25)], RUN)
    (found,) = compare_runs(
        frame("polars", ranked(q1="ab"), RANKED),
        scored,
        frame("polars", JUDGED[:4], JUDGMENTS),
        measures=["gsb"],
    ).rows
    assert identical(found) == (1, None)


def test_where_all_lists_are_identical_the_figure_is_null_and_a_note_says_so() -> None:
    found = row(ranked(q1="abc"), ranked(q1="abc"), JUDGED)
    assert (found.delta, *identical(found)) == (0, 3, None)
    assert "no GSB without identical lists" in found.extra["note"]


def test_where_no_list_is_identical_it_is_gsb() -> None:
    found = row(ranked(q1="c", q2="c", q3="a"), ranked(q1="a", q2="d", q3="b"), JUDGED)
    assert identical(found) == (0, found.delta) == (0, 1 / 3)
    assert "identical" not in found.extra.get("note", "")


def test_weights_weigh_the_queries_that_remain() -> None:
    control, treatment = ranked(q1="a", q2="c", q3="a"), ranked(q1="a", q2="a", q3="c")
    found = row(control, treatment, JUDGED, {"q1": 5, "q2": 3, "q3": 1})
    assert (found.delta, *identical(found)) == ((3 - 1) / 9, 1, (3 - 1) / 4)


def test_dropped_lists_are_compared_as_they_are_shown() -> None:
    # x and y are not judged: condensed, q1 is alike; q2 is not, by what stands below the cutoff
    control, treatment = ranked(q1="xab", q2="xyca"), ranked(q1="yab", q2="xycd")
    found = row(control, treatment, JUDGED[:8], unjudged="drop", cutoff=3)
    assert (found.delta, *identical(found)) == (-1 / 2, 1, 0)


@pytest.mark.parametrize("ties", ["expected", "bounds"])
def test_tied_products_are_compared_in_the_order_of_their_ids(ties: str) -> None:
    # all tied, or told apart as the ids would: c stands above a
    tied = [("q1", product, 1.0) for product in "ac"]
    apart = [("q1", "c", 2.0), ("q1", "a", 1.0)]
    found = row(tied, apart, JUDGED[:4], columns=RUN, ties=ties, cutoff=1)
    assert identical(found) == (1, None)
    assert found.delta == (-0.5 if ties == "expected" else 0)


@pytest.mark.parametrize("library", ["polars-lazy", "duckdb"])
def test_a_range_of_queries_at_a_time_finds_the_same(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, treatment = ranked(q1="ab", q2="ba", q3="c"), ranked(q1="ab", q2="ab", q3="c")
    whole = identical(row(control, treatment, JUDGED, library=library))
    monkeypatch.setattr(_queries, "_PAIRS_A_PART", 1)
    assert identical(row(control, treatment, JUDGED, library=library)) == whole == (2, 0)


def test_lists_are_looked_at_only_where_gsb_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(metrics._pairs, "count_same_places", lambda *given: asked.append(given))
    compare_runs(
        frame("polars", ranked(q1="ab"), RANKED),
        frame("polars", ranked(q1="ab"), RANKED),
        frame("polars", JUDGED, JUDGMENTS),
        measures=["item_goodrate", "ndcg"],
    )
    assert asked == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_table_has_both_fields(library: str) -> None:
    found = compare_runs(
        frame(library, ranked(q1="ab", q2="a"), RANKED),
        frame(library, ranked(q1="ab", q2="c"), RANKED),
        frame(library, JUDGED[:8], JUDGMENTS),
        measures=["gsb"],
    ).table
    names = found.collect_schema().names() if library == "polars-lazy" else list(found.columns)
    if library == "pyarrow":
        names = found.column_names
    assert {"identical", "without_identical"} < set(names)
