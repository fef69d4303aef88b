"""GSB of people's votes: figures worked by hand, a plain second implementation, properties."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import plain_votes as plain
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metrics import MetricsError, VoteScored, gsb_from_votes

if TYPE_CHECKING:
    import random

NAMES = ("query_id", "annotator", "preference", "treatment_side", "kind", "set_aside", "counts")
# query, annotator, preference, side of the treatment, kind, set aside, counts
WORKED = [
    ("q1", "ann", 2, "left", "real", False, True),
    ("q1", "bob", 1, "right", "real", False, True),
    ("q1", "cy", -1, "left", "real", False, True),
    ("q2", "ann", 0, "left", "real", False, True),
    ("q2", "bob", 0, "right", "real", False, True),  # both bad
    ("q2", "cy", 1, "right", "real", False, True),
    ("q3", "ann", -2, "right", "real", False, True),
    ("q4", "ann", 1, "left", "real", False, True),
    ("q4", "bob", -1, "left", "real", False, True),
    ("q5", None, 0, None, "automatic", False, True),
    # none of these may enter
    ("q1", "dan", -1, "left", "real", True, True),
    ("q7", "dan", 1, "left", "real", True, True),
    ("q3", "eve", 1, "left", "real", False, False),
    ("q8", "ann", -1, "left", "gold", False, True),
    ("q1", "ann", -1, "right", "twin", False, True),
    ("q9", "ann", -1, "right", "practice", False, True),
]
BOTH_BAD = [row[:2] == ("q2", "bob") for row in WORKED]
TYPES = {"q1": "negation", "q2": "negation", "q7": "negation", "q3": "brand", "q4": "brand"}


def worked() -> dict[str, list[Any]]:
    table = {
        name: list(column) for name, column in zip(NAMES, zip(*WORKED, strict=True), strict=True)
    }
    table["both_bad"] = BOTH_BAD
    table["query_type"] = [TYPES.get(query, "other") for query in table["query_id"]]
    return table


def small(*votes: tuple[str, str, int], **more: list[Any]) -> pa.Table:
    query, annotator, preference = (list(column) for column in zip(*votes, strict=True))
    return pa.table({"query_id": query, "annotator": annotator, "preference": preference, **more})


def overall(votes: Any, **options: Any) -> VoteScored:
    return gsb_from_votes(votes, **options).rows[0]


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-12)


# ------------------------------------------------------------------ the worked figures


def test_majority_takes_the_most_frequent_verdict_and_a_tie_is_same() -> None:
    row = overall(pa.table(worked()))
    assert (row.good, row.same, row.bad) == (1, 3, 1)
    assert (row.queries, row.votes, row.annotators) == (5, 9, 3)
    assert (row.automatic, row.both_bad) == (1, 1)
    assert row.gsb == 0.0
    assert row.ratio == 1.0
    assert row.win_rate == 0.5
    assert row.gsb_without_automatic == 0.0


def test_the_interval_of_the_majority_is_trinomial_over_queries() -> None:
    row = overall(pa.table(worked()))
    half = stats.norm.ppf(0.975) * (0.4 / 5) ** 0.5
    assert (row.ci_low, row.ci_high) == (near(-half), near(half))
    wilson = stats.binomtest(1, 2).proportion_ci(method="wilson")
    assert (row.win_low, row.win_high) == (near(wilson.low), near(wilson.high))


def test_votes_count_each_by_itself_with_queries_as_clusters() -> None:
    row = overall(pa.table(worked()), aggregate="votes")
    # G 2+1+0+1, S 0+2+0+0 and the automatic one, B 1+0+1+1
    assert (row.good, row.same, row.bad) == (4, 3, 3)
    assert row.gsb == near(0.1)
    # influences .35, .35, -.55, -.1, -.05: variance .14, t with 4 degrees of freedom
    half = stats.t.ppf(0.975, 4) * (0.14 / 5) ** 0.5
    assert (row.ci_low, row.ci_high) == (near(0.1 - half), near(0.1 + half))
    assert row.win_rate == near(4 / 7)
    assert row.gsb_without_automatic == near(1 / 9)


@pytest.mark.parametrize("aggregate", ["majority", "votes", "dawid_skene"])
def test_p_is_the_sign_test_over_queries_whatever_the_aggregation(aggregate: str) -> None:
    # more for than against: q1, q2; against: q3; neither: q4 and the automatic one
    row = overall(pa.table(worked()), aggregate=aggregate)
    assert row.p == near(stats.binomtest(2, 3).pvalue)


def test_the_mean_preference_is_over_queries_and_keeps_the_five_points() -> None:
    # 2/3, 1/3, -2, 0, and 0 for identical lists
    assert overall(pa.table(worked())).mean_preference == near(-0.2)


def test_position_bias_is_the_left_share_of_decided_votes_with_an_exact_interval() -> None:
    row = overall(pa.table(worked()))
    # left: q1 ann, q3 ann, q4 ann; right: q1 bob, q1 cy, q2 cy, q4 bob
    assert (row.left_share, row.left_votes) == (near(3 / 7), 7)
    exact = stats.binomtest(3, 7).proportion_ci(method="exact")
    assert (row.left_low, row.left_high) == (near(exact.low), near(exact.high))


def test_side_adjusted_gsb_is_the_mean_of_both_sides() -> None:
    row = overall(pa.table(worked()))
    assert (row.gsb_treatment_left, row.gsb_treatment_right) == (0.0, 0.25)
    assert row.gsb_side_adjusted == 0.125


def test_what_was_left_out_is_counted_by_reason() -> None:
    found = gsb_from_votes(pa.table(worked()))
    assert found.left_out == {
        "gold": 1, "twin": 1, "practice": 1, "set_aside": 2, "surplus": 1,
    }  # fmt: skip
    assert (found.rows[0].set_aside, found.rows[0].surplus) == (2, 1)
    assert found.warnings == ["1 query has votes, but none that counts, and so enter no figure."]


def test_segments_hold_the_queries_of_their_value() -> None:
    found = gsb_from_votes(pa.table(worked()), by=["query_type"])
    rows = {row.segment.get("query_type", "all"): row for row in found.rows}
    assert list(rows) == ["all", "brand", "negation", "other"]
    assert (rows["negation"].good, rows["negation"].same, rows["negation"].bad) == (1, 1, 0)
    assert (rows["brand"].good, rows["brand"].same, rows["brand"].bad) == (0, 1, 1)
    assert rows["other"].automatic == 1
    assert (rows["negation"].set_aside, rows["brand"].surplus) == (2, 1)
    assert rows["negation"].left_votes + rows["brand"].left_votes == rows["all"].left_votes


def test_dawid_skene_distrusts_who_contradicts_everybody() -> None:
    votes = [
        (f"q{number}", who, truth if who != "cy" else -truth)
        for number in range(30)
        for who in ("ann", "bob", "cy")
        for truth in [1 if number % 3 else -1]
    ]
    # on the last query only cy voted, and said Bad
    row = overall(small(*votes, ("r", "cy", -1)), aggregate="dawid_skene")
    assert (row.good, row.bad) == (21, 10)
    assert overall(small(*votes, ("r", "cy", -1))).good == 20


def test_per_query_holds_what_every_query_got() -> None:
    table = gsb_from_votes(pa.table(worked()), by=["query_type"]).per_query.to_pylist()
    assert [row["query_id"] for row in table] == ["q1", "q2", "q3", "q4", "q5"]
    assert table[0] == {
        "query_id": "q1",
        "query_type": "negation",
        "automatic": False,
        "votes": 3,
        "good": 2,
        "same": 0,
        "bad": 1,
        "both_bad": 0,
        "mean_sign": near(1 / 3),
        "mean_preference": near(2 / 3),
        "verdict": 1,
    }
    assert [row["verdict"] for row in table] == [1, 0, -1, 0, 0]


def test_dawid_skene_adds_probabilities_to_the_queries() -> None:
    table = gsb_from_votes(pa.table(worked()), aggregate="dawid_skene").per_query.to_pylist()
    for row in table:
        assert row["p_bad"] + row["p_same"] + row["p_good"] == near(1)
    assert table[-1]["p_same"] == 1.0


# ------------------------------------------------------------------ figures that do not exist


def test_one_query_has_no_interval() -> None:
    row = overall(small(("q", "ann", 1)))
    assert (row.gsb, row.ci_low, row.ci_high, row.win_low) == (1.0, None, None, None)
    assert row.note.startswith("no interval: fewer than 2 queries")


def test_queries_that_all_agree_have_an_interval_without_width_and_a_note() -> None:
    row = overall(small(("q1", "ann", 1), ("q2", "ann", 1)))
    assert (row.ci_low, row.ci_high, row.ratio) == (1.0, 1.0, None)
    assert "too narrow" in row.note


def test_nothing_decided_has_no_win_rate() -> None:
    row = overall(small(("q1", "ann", 0), ("q2", "ann", 0)))
    assert (row.win_rate, row.win_low, row.win_high, row.p) == (None, None, None, 1.0)
    assert (row.left_share, row.left_votes) == (None, 0)


def test_automatic_sames_alone_are_a_result() -> None:
    votes = small(("q1", "", 0), ("q2", "", 0), kind=["automatic"] * 2)
    row = overall(votes)
    assert (row.gsb, row.queries, row.votes, row.annotators) == (0.0, 2, 0, 0)
    assert row.gsb_without_automatic is None


def test_a_side_that_was_never_shown_gives_no_adjusted_gsb() -> None:
    row = overall(small(("q1", "ann", 1), ("q2", "ann", -1), treatment_side=["left", "left"]))
    assert (row.gsb_treatment_left, row.gsb_treatment_right) == (0.0, None)
    assert row.gsb_side_adjusted is None


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ({"preference": [3]}, "query 'q', annotator 'ann': preference must be"),
        ({"preference": [0.5]}, "not 0.5"),
        ({"preference": [None]}, "preference must be"),
        ({"preference": ["good"]}, "preference holds no numbers; write 1"),
        ({"query_id": [""]}, "empty query_id"),
        ({"query_id": [None]}, "empty query_id"),
        ({"annotator": [""]}, "has no annotator"),
        ({"kind": ["golden"]}, "kind must be one of real, gold"),
        ({"treatment_side": ["top"]}, "treatment_side must be one of left, right"),
        ({"both_bad": [True]}, "both bad is a 0"),
        ({"kind": ["automatic"]}, "an automatic one is a 0"),
        ({"seconds": [-1.0]}, "seconds are below 0"),
        ({"set_aside": [True]}, "none of the votes counts: 1 set aside"),
        ({"kind": ["gold"]}, "none of the votes counts: 1 gold"),
    ],
)
def test_what_cannot_be_meant_is_refused(votes: dict[str, list[Any]], message: str) -> None:
    whole = {"query_id": ["q"], "annotator": ["ann"], "preference": [1], **votes}
    with pytest.raises(MetricsError, match=message):
        gsb_from_votes(pa.table(whole))


def test_a_vote_that_stands_twice_is_refused() -> None:
    with pytest.raises(MetricsError, match="query 'q', annotator 'ann' stands more than once"):
        gsb_from_votes(small(("q", "ann", 1), ("q", "ann", -1)))


def test_a_superseded_vote_may_stand_beside_the_one_that_counts() -> None:
    votes = small(("q", "ann", 1), ("q", "ann", -1), counts=[False, True])
    assert overall(votes).bad == 1


def test_a_query_is_automatic_or_voted_on_but_not_both() -> None:
    votes = small(("q", "ann", 1), ("q", "", 0), kind=["real", "automatic"])
    with pytest.raises(MetricsError, match="'q' has an automatic Same and votes of people"):
        gsb_from_votes(votes)


def test_votes_of_several_studies_are_refused() -> None:
    votes = small(("q", "ann", 1), ("r", "ann", 1), study=["may", "june"])
    with pytest.raises(MetricsError, match=r"2 studies \(june, may\)"):
        gsb_from_votes(votes)


def test_a_segment_is_a_property_of_the_query() -> None:
    votes = small(("q", "ann", 1), ("q", "bob", 1), kind_of=["a", "b"])
    with pytest.raises(MetricsError, match="'q' has several values of 'kind_of'"):
        gsb_from_votes(votes, by=["kind_of"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": ["nowhere"]}, "column 'nowhere' not found in votes"),
        ({"by": ["preference"]}, "cannot be a segment"),
        ({"by": ["task_id", "task_id"]}, "segments are named twice"),
        ({"aggregate": "mean"}, "aggregate must be one of majority, votes, dawid_skene"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        gsb_from_votes(small(("q", "ann", 1), task_id=["t"]), **options)


def test_no_votes_at_all_are_refused() -> None:
    with pytest.raises(MetricsError, match="there are no votes"):
        gsb_from_votes(pa.table(worked()).slice(0, 0))


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(TypeError, match="votes must be a data frame"):
        gsb_from_votes([1, 2])


# ------------------------------------------------------------------ frames in, frames out

LIBRARIES = {
    "pandas": (pd.DataFrame, pd.DataFrame),
    "polars": (pl.DataFrame, pl.DataFrame),
    "polars lazy": (pl.LazyFrame, pl.LazyFrame),
    "pyarrow": (pa.table, pa.Table),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_gives_the_same_figures_and_its_own_tables(library: str) -> None:
    make, kind = LIBRARIES[library]
    found = gsb_from_votes(make(worked()), by=["query_type"])
    expected = gsb_from_votes(pa.table(worked()), by=["query_type"])
    assert found.to_json() == expected.to_json()
    assert isinstance(found.table, kind)
    assert isinstance(found.per_query, kind)


def test_duckdb_relations_come_back_as_such() -> None:
    with duckdb.connect() as connection:
        votes = connection.from_arrow(pa.table(worked()))
        found = gsb_from_votes(votes)
        assert found.rows == gsb_from_votes(pa.table(worked())).rows
        assert isinstance(found.table, duckdb.DuckDBPyRelation)


def test_a_result_reads_as_json_and_as_text() -> None:
    found = gsb_from_votes(pa.table(worked()), by=["query_type"])
    document = json.loads(found.to_json())
    assert document["results"][1]["segment"] == {"query_type": "brand"}
    assert document["settings"] == {
        "aggregate": "majority", "by": ["query_type"], "confidence": 0.95, "seed": 0,
    }  # fmt: skip
    lines = repr(found).splitlines()
    assert lines[0].split()[:3] == ["segment", "queries", "votes"]
    assert lines[1].split()[:4] == ["all", "5", "9", "1:3:1"]
    assert lines[-1].startswith("! 1 query has votes")
    assert "<td>query_type=brand</td>" in found._repr_html_()
    names = found.table.column_names
    assert (names[0], found.table["segment"].to_pylist()[1]) == ("segment", "query_type=brand")


def test_text_in_html_is_escaped() -> None:
    found = gsb_from_votes(small(("q", "ann", 1), kind_of=["<b>"]), by=["kind_of"])
    assert "<b>" not in found._repr_html_()


# ------------------------------------------------------------------ a plain second implementation


@settings(deadline=None)
@given(plain.tables())
def test_majority_is_what_plain_counting_finds(votes: list[plain.Vote]) -> None:
    verdicts = [plain.majority(signs) for signs in plain.by_query(votes).values()]
    row = overall(pl.DataFrame(plain.columns(votes), infer_schema_length=None))
    assert (row.good, row.same, row.bad) == tuple(verdicts.count(sign) for sign in (1, 0, -1))
    value, error = plain.trinomial(verdicts)
    assert row.gsb == near(value)
    if len(verdicts) > 1:
        half = stats.norm.ppf(0.975) * error
        assert row.ci_low == pytest.approx(max(-1, value - half), abs=1e-9)
        assert row.ci_high == pytest.approx(min(1, value + half), abs=1e-9)
    assert row.p == pytest.approx(plain.sign_test(votes), abs=1e-12)
    assert row.left_votes == plain.left_votes(votes)[1]
    if row.left_votes:
        assert row.left_share == near(plain.left_votes(votes)[0] / row.left_votes)
    assert row.votes == len(plain.counted(votes))


@settings(deadline=None)
@given(plain.tables())
def test_all_votes_are_what_plain_counting_finds(votes: list[plain.Vote]) -> None:
    value, error = plain.clustered(votes)
    row = overall(pl.DataFrame(plain.columns(votes), infer_schema_length=None), aggregate="votes")
    assert row.gsb == near(value)
    if error is not None:
        half = stats.t.ppf(0.975, row.queries - 1) * error
        assert row.ci_low == pytest.approx(max(-1, value - half), abs=1e-9)
        assert row.ci_high == pytest.approx(min(1, value + half), abs=1e-9)


# ------------------------------------------------------------------ properties


@settings(deadline=None)
@given(plain.tables(), st.randoms(use_true_random=False), st.sampled_from(["majority", "votes"]))
def test_the_order_of_rows_says_nothing(
    votes: list[plain.Vote], shuffle: random.Random, aggregate: str
) -> None:
    mixed = votes.copy()
    shuffle.shuffle(mixed)
    first, second = (
        gsb_from_votes(
            pl.DataFrame(plain.columns(each), infer_schema_length=None), aggregate=aggregate
        ).to_json()
        for each in (votes, mixed)
    )
    assert first == second


@settings(max_examples=10, deadline=None)
@given(plain.tables(), st.randoms(use_true_random=False))
def test_dawid_skene_does_not_depend_on_the_order_of_rows(
    votes: list[plain.Vote], shuffle: random.Random
) -> None:
    mixed = votes.copy()
    shuffle.shuffle(mixed)
    first, second = (
        gsb_from_votes(
            pl.DataFrame(plain.columns(each), infer_schema_length=None), aggregate="dawid_skene"
        ).to_json()
        for each in (votes, mixed)
    )
    assert first == second


@settings(deadline=None)
@given(plain.tables(), st.sampled_from(["majority", "votes"]))
def test_exchanging_control_and_treatment_mirrors_gsb_and_interval(
    votes: list[plain.Vote], aggregate: str
) -> None:
    row, mirror = (
        overall(pl.DataFrame(plain.columns(each), infer_schema_length=None), aggregate=aggregate)
        for each in (votes, plain.mirrored(votes))
    )
    assert (mirror.good, mirror.same, mirror.bad) == (row.bad, row.same, row.good)
    assert mirror.gsb == near(-row.gsb)
    assert mirror.p == near(row.p)
    assert mirror.mean_preference == near(-row.mean_preference)
    if row.ci_low is not None:
        assert (mirror.ci_low, mirror.ci_high) == (
            pytest.approx(-row.ci_high, abs=1e-9), pytest.approx(-row.ci_low, abs=1e-9),
        )  # fmt: skip
    # who stood left is as popular as before
    assert (mirror.left_share, mirror.left_low) == (row.left_share, row.left_low)


def test_exchanging_control_and_treatment_mirrors_dawid_skene() -> None:
    rng = np.random.default_rng(4)
    votes: list[plain.Vote] = [
        {"query_id": f"q{q}", "annotator": who, "preference": int(rng.choice([-1, 0, 1, 1]))}
        for q in range(40)
        for who in ("ann", "bob", "cy")
    ]
    row, mirror = (
        overall(pl.DataFrame(plain.columns(each)), aggregate="dawid_skene")
        for each in (votes, plain.mirrored(votes))
    )
    assert (mirror.good, mirror.bad) == (row.bad, row.good)
    assert mirror.ci_low == pytest.approx(-row.ci_high, abs=1e-9)
    assert mirror.ci_high == pytest.approx(-row.ci_low, abs=1e-9)


@settings(deadline=None)
@given(plain.tables(), st.sampled_from(["majority", "votes"]))
def test_figures_stay_in_their_bounds(votes: list[plain.Vote], aggregate: str) -> None:
    row = overall(pl.DataFrame(plain.columns(votes), infer_schema_length=None), aggregate=aggregate)
    shares = [row.win_rate, row.win_low, row.win_high, row.left_share, row.left_low, row.left_high]
    assert all(share is None or 0 <= share <= 1 for share in [*shares, row.p])
    signed = [row.gsb, row.ci_low, row.ci_high, row.gsb_without_automatic, row.gsb_side_adjusted]
    assert all(value is None or -1 <= value <= 1 for value in signed)
    assert -2 <= row.mean_preference <= 2
    if row.ci_low is not None:
        assert row.ci_low - 1e-9 <= row.gsb <= row.ci_high + 1e-9
    total = row.queries if aggregate == "majority" else row.votes + row.automatic
    assert row.good + row.same + row.bad == total


@settings(deadline=None)
@given(plain.tables())
def test_new_names_of_queries_change_nothing(votes: list[plain.Vote]) -> None:
    renamed = [{**vote, "query_id": vote["query_id"][::-1] + "x"} for vote in votes]
    first, second = (
        overall(pl.DataFrame(plain.columns(each), infer_schema_length=None)).to_dict()
        for each in (votes, renamed)
    )
    # the mean preference is a sum in another order
    assert second.pop("mean_preference") == near(first.pop("mean_preference"))
    assert first == second


@settings(deadline=None)
@given(plain.tables(some_left_out=False), st.integers(0, 5))
def test_votes_left_out_are_as_if_they_were_not_there(votes: list[plain.Vote], more: int) -> None:
    extra = [
        {**votes[0], "annotator": f"new{number}", "query_id": f"new{number}", "kind": kind}
        for number, kind in enumerate(["gold", "twin", "practice"] * 2)
    ][:more]
    first, second = (
        overall(pl.DataFrame(plain.columns(each), infer_schema_length=None))
        for each in (votes, votes + extra)
    )
    assert first == second


def test_the_seed_decides_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    votes = small(
        *[(f"q{q}", who, int(rng.integers(-1, 2))) for q in range(30) for who in ("a", "b", "c")]
    )
    first, again, other = (
        gsb_from_votes(votes, aggregate="dawid_skene", seed=seed).rows[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert (first.ci_low, first.ci_high) != (other.ci_low, other.ci_high)
