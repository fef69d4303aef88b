"""What sample a difference in GSB needs, in queries and in votes."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from metrics import MetricsError, gsb_from_votes, plan_shares, plan_votes
from metrics.power import sign_power, sign_queries


def votes(said: list[list[int]], *, identical: int = 0, **columns: Any) -> pa.Table:
    """One list of preferences a query, and queries with identical lists."""
    rows = [
        {"query_id": f"q{at:03}", "annotator": f"a{place}", "preference": vote, "kind": "real"}
        for at, each in enumerate(said)
        for place, vote in enumerate(each)
    ]
    rows += [
        {"query_id": f"same{at:03}", "annotator": None, "preference": 0, "kind": "automatic"}
        for at in range(identical)
    ]
    return pa.Table.from_pylist(rows)


# 10 queries of which 6 have pairs that say the same; 5 Good, 8 Same and 7 Bad votes
PILOT = [[1, 1], [1, 0], [0, 0], [-1, 0], [-1, -1], [-1, -1], [0, 0], [1, -1], [1, 0], [0, -1]] * 4


def rows(table: Any = None, **how: Any) -> list[Any]:
    return list(plan_votes(votes(PILOT) if table is None else table, **how).rows)


def test_one_vote_a_query_is_planned_with_the_shares_of_the_votes() -> None:
    # 12 of 20 votes are decided; a GSB of 20 points: 40% Good and 20% Bad
    (row,) = rows(delta=0.2, overlaps=[1])
    assert row.needed_queries == sign_queries(0.4, 0.2)
    assert row.needed_votes == row.needed_queries
    assert row.power == pytest.approx(sign_power(0.4, 0.2, 40))
    assert (row.measure, row.cutoff, row.method, row.queries) == ("gsb", None, "sign_test", 40)


def test_more_votes_a_query_need_fewer_queries_and_more_votes() -> None:
    found = rows(delta=0.2, overlaps=[1, 3, 5])
    queries, needed = zip(*((row.needed_queries, row.needed_votes) for row in found), strict=True)
    assert sorted(queries, reverse=True) == list(queries)
    assert sorted(needed) == list(needed)
    assert [row.needed_votes for row in found] == [
        row.needed_queries * row.overlap for row in found
    ]
    assert [row.cheapest for row in found] == [True, False, False]


def test_where_queries_are_scarce_the_cheapest_overlap_makes_do_with_them() -> None:
    one, three, five = rows(delta=0.2, overlaps=[1, 3, 5])
    between = (three.needed_queries + one.needed_queries) // 2
    found = rows(delta=0.2, overlaps=[1, 3, 5], queries=between)
    assert [row.cheapest for row in found] == [False, True, False]
    assert [row.power >= 0.8 for row in found] == [False, True, True]
    few = rows(delta=0.2, overlaps=[1, 3, 5], queries=five.needed_queries - 1)
    assert not any(row.cheapest for row in few)


def test_queries_with_identical_lists_keep_their_share_and_cost_no_votes() -> None:
    (row,) = rows(votes(PILOT, identical=40), delta=0.1, overlaps=[1])
    # half of the queries are ties; 20 points on the others
    assert row.needed_queries == sign_queries(0.2, 0.1)
    assert row.needed_votes == math.ceil(row.needed_queries / 2)
    assert row.pilot_queries == 80
    plan = plan_votes(votes(PILOT, identical=40), delta=0.1)
    assert plan.pilot["identical"] == 0.5


def test_the_difference_found_is_the_one_with_the_power_asked_for() -> None:
    for row in rows(queries=200, overlaps=[1, 2, 3]):
        assert (row.needed_queries, row.power) == (None, None)
        (at,) = rows(delta=row.mde, queries=200, overlaps=[row.overlap])
        assert 0.8 <= at.power < 0.803


def test_the_width_is_that_of_gsb_by_majority() -> None:
    (row,) = rows(queries=40, overlaps=[1])
    # 25% Good and 35% Bad of single votes
    assert row.interval_width == pytest.approx(2 * 1.959964 * math.sqrt((0.6 - 0.01) / 40))


def test_the_pilot_is_described_as_it_was() -> None:
    plan = plan_votes(votes(PILOT), delta=0.2)
    assert plan.pilot == {
        "from": "votes",
        "queries": 40,
        "votes": 80,
        "good": 0.25,
        "same": 0.4,
        "bad": 0.35,
        "agreement": 0.5,
        "identical": 0.0,
    }
    assert plan.rows[0].pilot_delta == pytest.approx(-0.1)


def test_the_error_is_that_of_gsb_with_every_vote_by_itself() -> None:
    table = votes(PILOT)
    (row,) = rows(table, delta=0.2, overlaps=[1])
    interval = gsb_from_votes(table, aggregate="votes").rows[0]
    assert interval.ci_high is not None
    assert interval.ci_low is not None
    assert row.standard_error == pytest.approx(
        (interval.ci_high - interval.ci_low) / 2 / 2.0226909, abs=1e-6
    )


def test_only_votes_that_count_are_a_pilot() -> None:
    table = votes(PILOT)
    more = votes([[1, 1, 1]] * 30).append_column("counts", pa.array([False] * 90))
    more = more.set_column(0, "query_id", pa.array([f"x{at}" for at in range(90)]))
    both = pa.concat_tables([table.append_column("counts", pa.array([True] * 80)), more])
    assert [row.needed_queries for row in rows(both, delta=0.2)] == [
        row.needed_queries for row in rows(table, delta=0.2)
    ]


def test_more_votes_than_the_pilot_has_are_extrapolated() -> None:
    notes = [row.note for row in rows(delta=0.2, overlaps=[2, 3])]
    assert notes == ["", "extrapolated: few queries of the pilot have more than 2 votes"]


def test_one_vote_a_query_plans_no_more_until_agreement_is_said() -> None:
    table = votes([each[:1] for each in PILOT])
    one, three = rows(table, delta=0.2, overlaps=[1, 3])
    assert one.needed_queries is not None
    assert three.needed_queries is None
    assert "no query of the pilot has two votes" in three.note
    low, high = (rows(table, delta=0.2, overlaps=[3], agreement=share)[0] for share in (0.4, 0.9))
    assert low.needed_queries < high.needed_queries
    assert low.note == high.note == ""


def test_segments_have_their_own_pilots() -> None:
    table = votes([*[[1, 1], [-1, -1]] * 10, *[[0, 0], [1, 0], [-1, 0]] * 10])
    table = table.append_column("kind_of", pa.array(["clear"] * 40 + ["even"] * 60))
    plan = plan_votes(table, delta=0.2, overlaps=[1, 2], by=["kind_of"], queries=500)
    found = [(row.segment, row.overlap, row.pilot_queries, row.queries) for row in plan.rows]
    assert found == [
        ({}, 1, 50, 500), ({}, 2, 50, 500),
        ({"kind_of": "clear"}, 1, 20, 200), ({"kind_of": "clear"}, 2, 20, 200),
        ({"kind_of": "even"}, 1, 30, 300), ({"kind_of": "even"}, 2, 30, 300),
    ]  # fmt: skip
    clear, even = plan.rows[2], plan.rows[4]
    assert clear.needed_queries == sign_queries(0.6, 0.4)
    assert even.needed_queries == sign_queries((1 / 3 + 0.2) / 2, (1 / 3 - 0.2) / 2)


def test_a_segment_on_whose_lists_nobody_voted_says_so() -> None:
    table = votes(PILOT, identical=5).append_column("seen", pa.array(["yes"] * 80 + ["no"] * 5))
    last = plan_votes(table, delta=0.1, by=["seen"], overlaps=[1]).rows[1]
    assert last.segment == {"seen": "no"}
    assert "all lists are identical" in last.note


def test_a_difference_beyond_the_queries_that_differ_cannot_be() -> None:
    (row,) = rows(votes(PILOT, identical=120), delta=0.5, overlaps=[1])
    assert row.needed_queries is None
    assert "75.0% of the queries have identical lists" in row.note


def test_a_difference_beyond_the_decided_votes_takes_just_enough_of_them() -> None:
    table = votes([[0, 0]] * 36 + [[1, 0], [-1, 0]] * 2)
    (row,) = rows(table, delta=0.1, overlaps=[1])
    assert row.needed_queries == sign_queries(0.1, 0.0)
    assert "more votes are decided than the pilot's 5.0%" in row.note


@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_simulated_studies_find_as_often_as_planned(overlap: int) -> None:
    (row,) = rows(votes(PILOT, identical=10), delta=0.2, overlaps=[overlap], simulate=400, seed=5)
    assert row.simulated_power == pytest.approx(0.8, abs=3.5 * math.sqrt(0.16 / 400))


def test_the_seed_and_the_votes_decide_the_plan_and_not_their_order() -> None:
    table = votes(PILOT, identical=10)
    order = np.random.default_rng(1).permutation(table.num_rows)
    how: dict[str, Any] = {"delta": 0.2, "simulate": 30, "seed": 2}
    assert plan_votes(table, **how).to_dict() == plan_votes(table.take(order), **how).to_dict()


@pytest.mark.parametrize(
    ("library", "type_"),
    [
        (pa.Table.to_pandas, pd.DataFrame),
        (pl.from_arrow, pl.DataFrame),
        (duckdb.from_arrow, duckdb.DuckDBPyRelation),
    ],
)
def test_the_plan_comes_in_the_kind_of_frame_that_the_votes_were(library: Any, type_: Any) -> None:
    table = library(votes(PILOT).select(["query_id", "annotator", "preference"]))
    assert isinstance(plan_votes(table, delta=0.2).table, type_)


# without a pilot


def test_shares_stand_in_for_a_pilot() -> None:
    plan = plan_shares(50, 80, 70, agreement=0.5, delta=0.2, overlaps=[1, 3])
    pilot = rows(delta=0.2, overlaps=[1, 3])
    assert plan.rows[0].needed_queries == pilot[0].needed_queries
    assert plan.rows[1].needed_queries == pytest.approx(pilot[1].needed_queries, rel=0.15)
    assert plan.pilot["from"] == "shares"
    assert (plan.rows[0].pilot_queries, plan.rows[0].power, plan.rows[0].mde) == (None, None, None)
    assert isinstance(plan.table, pa.Table)


def test_the_difference_of_the_shares_is_the_one_to_be_found() -> None:
    plan = plan_shares(40, 40, 20, overlaps=[1])
    assert plan.settings["delta"] == pytest.approx(0.2)
    assert plan.rows[0].needed_queries == sign_queries(0.4, 0.2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plan_shares(-1, 2, 3), "numbers from 0"),
        (lambda: plan_shares(0, 0, 0), "numbers from 0"),
        (lambda: plan_shares(2, 2, 2), "Good and Bad are equal"),
        (lambda: plan_shares(3, 2, 2, agreement=70), "agreement is a share"),
        (lambda: rows(delta=0.2, overlaps=[0]), "overlap must be 1 to 25"),
        (lambda: rows(delta=0.2, overlaps=[26]), "overlap must be 1 to 25"),
        (lambda: rows(), "say which difference"),
        (lambda: rows(votes([[0]]).slice(0, 0), delta=0.2), "no votes"),
        (
            lambda: rows(votes([[0]]).append_column("counts", pa.array([False])), delta=0.2),
            "none of the votes counts",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(call: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        call()
