"""Equality with pytrec_eval-terrier, an independent implementation, on random runs.

Three limits of that package are stepped around here:
- it stores scores as float32, so scores are eighths, which float32 holds exactly;
- it evaluates the intersection of run and qrels, so a judged query without results is given the 0
  that trec_eval counts for it under `-c`;
- a query whose grades are all negative crashes it now and then (trec_eval refuses such a query with
  exit 4), so it never sees one; nothing of it can be good, and every measure is given the 0.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytrec_eval
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_runs import JUDGMENTS, QUERIES, RUN, Row, frame, judgments, scored_run

from metrics import score_runs

CUTOFFS = (1, 2, 3, 5, 10)
OURS = {
    "P": "precision",
    "recall": "recall",
    "ndcg_cut": "ndcg",
    "success": "success",
    "map": "map",
    "bpref": "bpref",
    "recip_rank": "mrr",
}
WANTED = {name if name in ("map", "bpref", "recip_rank") else f"{name}.1,2,3,5,10" for name in OURS}

Values = dict[tuple[str, int | None, str], float]
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def by_query(rows: list[Row]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for query, product, value in rows:
        nested.setdefault(query, {})[product] = value
    return nested


def theirs(run: list[Row], judged: list[Row], level: int) -> Values:
    """Per query and in the mean over the judged queries, missing ones counted 0."""
    qrels = by_query(judged)
    judgeable = {query: grades for query, grades in qrels.items() if max(grades.values()) >= 0}
    evaluator = pytrec_eval.RelevanceEvaluator(judgeable, WANTED, relevance_level=level)
    found = evaluator.evaluate(by_query(run))
    values: Values = {}
    for name, ours in OURS.items():
        for n in (None,) if name in WANTED else CUTOFFS:
            key = name if n is None else f"{name}_{n}"
            each = {query: found.get(query, {}).get(key, 0.0) for query in qrels}
            values |= {(ours, n, query): value for query, value in each.items()}
            values[ours, n, "all"] = sum(each.values()) / len(each)
    return values


def ours(library: str, run: list[Row], judged: list[Row], level: int) -> Values:
    scores = score_runs(
        {"run": frame(library, run, RUN)},
        frame(library, judged, JUDGMENTS),
        measures=list(OURS.values()),
        cutoffs=CUTOFFS,
        good=level,
    )
    values: Values = {(row.measure, row.cutoff, "all"): row.value for row in scores.rows}
    each = scores.per_query_columns
    keys = (each[name].to_pylist() for name in ("measure", "cutoff", "query_id", "value"))
    return values | {(m, n, query): value for m, n, query, value in zip(*keys, strict=True)}


def assert_equal(library: str, run: list[Row], judged: list[Row], level: int) -> None:
    expected = theirs(run, judged, level)
    found = ours(library, run, judged, level)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-9, rel=0)


@pytest.mark.parametrize("level", [1, 2])
@given(run=scored_run(), judged=judgments(fewest=1))
@quick
def test_polars_runs_score_as_in_pytrec_eval(level: int, run: list[Row], judged: list[Row]) -> None:
    assert_equal("polars-lazy", run, judged, level)


@pytest.mark.parametrize("level", [1, 2])
@given(run=scored_run(), judged=judgments(fewest=1))
@settings(quick, max_examples=12)
def test_duckdb_runs_score_as_in_pytrec_eval(level: int, run: list[Row], judged: list[Row]) -> None:
    assert_equal("duckdb", run, judged, level)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["polars", "polars-lazy", "duckdb", "pandas", "pyarrow"])
@given(run=scored_run(), judged=judgments(fewest=1), level=st.sampled_from([1, 2, 3]))
@settings(quick, max_examples=400)
def test_many_runs_score_as_in_pytrec_eval(
    library: str, run: list[Row], judged: list[Row], level: int
) -> None:
    assert_equal(library, run, judged, level)


LONG = [("q1", f"p{at:03}", (at * 7919 % 40) / 8) for at in range(300)]
LONG_JUDGED = [("q1", f"p{at:03}", at * 31 % 7 - 2) for at in range(0, 300, 2)]


@pytest.mark.parametrize("library", ["polars-lazy", "duckdb"])
def test_a_long_list_full_of_ties_scores_as_in_pytrec_eval(library: str) -> None:
    assert_equal(library, LONG, LONG_JUDGED, 1)


@pytest.mark.parametrize(
    ("run", "judged"),
    [
        pytest.param([], [("q1", "a", 1)], id="an empty run"),
        pytest.param([("q2", "a", 1.0)], [("q1", "a", 1)], id="no query in common"),
        pytest.param([("q1", "a", 1.0)], [("q1", "a", -1), ("q1", "b", -2)], id="all negative"),
        pytest.param([("q1", "a", 1.0)], [("q1", "a", 0)], id="nothing good"),
        pytest.param([("q1", "a", 0.0), ("q1", "b", -0.0)], [("q1", "b", 1)], id="minus zero"),
        pytest.param(
            [("q1", "b", 1.0), ("q1", "B", 1.0)], [("q1", "B", 1)], id="capital letters sort first"
        ),
        pytest.param(
            [("q1", "é", 1.0), ("q1", "z", 1.0)], [("q1", "é", 1)], id="accents sort by their bytes"
        ),
        pytest.param(
            [("q1", "p10", 1.0), ("q1", "p9", 1.0)], [("q1", "p9", 1)], id="digits sort as text"
        ),
    ],
)
@pytest.mark.parametrize("library", ["polars", "polars-lazy", "duckdb", "pandas", "pyarrow"])
def test_edge_cases_score_as_in_pytrec_eval(
    library: str, run: list[Row], judged: list[Row]
) -> None:
    assert_equal(library, run, judged, 1)


def test_the_queries_drawn_here_are_the_queries_scored() -> None:
    judged = [(query, "a", 1) for query in QUERIES]
    assert {key[2] for key in ours("polars", [], judged, 1)} == {*QUERIES, "all"}
