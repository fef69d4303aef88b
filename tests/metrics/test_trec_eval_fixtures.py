"""Agreement with trec_eval on its own regression data, to the four decimals that it prints.

The data is not ours to ship: set EVALKIT_TREC_EVAL_TEST to the `test` folder of a trec_eval
checkout (https://github.com/usnistgov/trec_eval) to run these tests.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from small_runs import JUDGMENTS, RUN, asked, frame

from metrics import per_query, score_runs

FOLDER = Path(os.environ.get("EVALKIT_TREC_EVAL_TEST") or "absent")
pytestmark = pytest.mark.skipif(
    not (FOLDER / "qrels.test").is_file(), reason="EVALKIT_TREC_EVAL_TEST names no such folder"
)

CUTOFFS = (1, 5, 10, 15, 20, 30, 100, 200, 500, 1000)
OURS = {
    "P": "precision",
    "recall": "recall",
    "ndcg_cut": "ndcg",
    "success": "success",
    "map": "map",
    "bpref": "bpref",
    "recip_rank": "mrr",
}
# output, qrels, results, trec_eval's options
CASES = {
    "out.test.aq": ("qrels.test", "results.test", ()),
    "out.test.aqc": ("qrels.test", "results.trunc", ("-c",)),
    "out.test.aql": ("qrels.rel_level", "results.test", ("-l2",)),
    "out.test.aqcM": ("qrels.test", "results.trunc", ("-c", "-M100")),
}

Figure = tuple[str, int | None, str]


def read(name: str, *fields: int) -> list[tuple[str, str, float]]:
    """Some fields of a TREC file; whatever follows the sixth field of a line is a comment."""
    lines = [line.split() for line in (FOLDER / name).read_text().splitlines()]
    query, product, value = fields
    return [(line[query], line[product], float(line[value])) for line in lines]


def printed(name: str) -> dict[Figure, str]:
    """What trec_eval printed of the measures that we offer, with the query or `all`."""
    figures: dict[Figure, str] = {}
    for line in (FOLDER / name).read_text().splitlines():
        measure, query, value = line.split()
        stem, _, cutoff = measure.rpartition("_")
        if measure in OURS:
            figures[OURS[measure], None, query] = value
        elif stem in OURS and cutoff.isdigit():
            figures[OURS[stem], int(cutoff), query] = value
    return figures


def evaluated(qrels: str, results: str, options: tuple[str, ...]) -> tuple:
    judged, found = read(qrels, 0, 2, 3), read(results, 0, 2, 4)
    if "-M100" in options:
        best = sorted(found, key=lambda row: (row[2], row[1].encode()), reverse=True)
        lists = {
            query: [row for row in best if row[0] == query] for query in {row[0] for row in found}
        }
        found = [row for rows in lists.values() for row in rows[:100]]
    queries = {row[0] for row in judged}
    if "-c" not in options:
        queries &= {row[0] for row in found}
    good = 2.0 if "-l2" in options else 1.0
    frames = (frame("pyarrow", found, RUN), frame("pyarrow", judged, JUDGMENTS))
    return *frames, asked(*sorted(queries)).to_arrow(), good


@cache
def scored(name: str) -> dict[Figure, str]:
    """The same figures by this package, printed to four decimals."""
    run, judged, queries, good = evaluated(*CASES[name])
    scores = score_runs(
        {"run": run},
        judged,
        queries,
        measures=list(OURS.values()),
        cutoffs=CUTOFFS,
        good=good,
        order="score",
    )
    figures = {(row.measure, row.cutoff, "all"): f"{row.value:.4f}" for row in scores.rows}
    for row in scores.per_query.to_pylist():
        figures[row["measure"], row["cutoff"], row["query_id"]] = f"{row['value']:.4f}"
    return figures


@pytest.mark.parametrize("name", CASES)
def test_every_figure_that_both_print_is_the_same(name: str) -> None:
    theirs = printed(name)
    assert {key: scored(name)[key] for key in theirs} == theirs


@pytest.mark.parametrize("name", CASES)
def test_the_outputs_hold_every_measure_that_is_compared(name: str) -> None:
    figures = printed(name)
    assert {measure for measure, _, _ in figures} == set(OURS.values())
    assert {query for _, _, query in figures} == {"301", "302", "303", "all"}
    # P, recall and ndcg_cut at nine cutoffs, success at three, and three without a cutoff
    assert len(figures) == 4 * (3 * 9 + 3 + 3)


def test_a_query_without_results_counts_as_zero_under_minus_c() -> None:
    figures = scored("out.test.aqc")
    assert figures["mrr", None, "302"] == "0.0000"
    assert float(figures["mrr", None, "all"]) > 0


@pytest.mark.parametrize("name", ["out.test.aq", "out.test.aqc"])
def test_the_judged_share_is_what_trec_eval_leaves_unjudged(name: str) -> None:
    run, judged, queries, _ = evaluated(*CASES[name])
    counts = per_query(run, judged, queries, cutoffs=(5, 10, 20), order="score").to_pylist()
    by_query = {row["query_id"]: row for row in counts}
    theirs = [line.split() for line in (FOLDER / name).read_text().splitlines()]
    compared = 0
    for measure, query, value in theirs:
        if measure.startswith("unj_") and query in by_query:
            n = int(measure.removeprefix("unj_"))
            row = by_query[query]
            assert f"{(row[f'shown_{n}'] - row[f'judged_{n}']) / n:.4f}" == value
            compared += 1
    assert compared == 9
