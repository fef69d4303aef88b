"""The fast scorer equals the plain one: settings, weights, bounds of unjudged, orders of ties."""

from __future__ import annotations

from typing import Any

import plain_scorer as plain
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_runs import JUDGMENTS, QUERIES, RUN, Row, frame, judgments, scored_run

from metrics import compare_runs, score_runs

SINGLE = ["item_goodrate", "query_goodrate", "ndcg", "precision", "recall", "success", "judged"]
WHOLE = ["mrr", "map"]
BOUNDED = ["item_goodrate", "query_goodrate", "precision", "success", "mrr"]
TIED = ["item_goodrate", "query_goodrate", "precision", "success", "ndcg"]
CUTOFFS = (1, 2, 3, 10)
UNJUDGED = ["bad", "drop"]

quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
deep = settings(quick, max_examples=600)

ways = st.fixed_dictionaries(
    {
        "good": st.sampled_from([1, 2]),
        "average": st.sampled_from(["pooled", "query"]),
        "depth": st.sampled_from(["shown", "fixed"]),
        "min_good": st.sampled_from([1, 2, 3]),
        "margin": st.sampled_from([0, 0.5, 1, 2]),
    }
)
# Polars answers a small question sooner; PyArrow tables are lent to DuckDB
libraries = st.sampled_from(["polars-lazy", "polars-lazy", "polars-lazy", "pyarrow"])
weights = st.dictionaries(st.sampled_from(QUERIES), st.sampled_from([0.25, 1.0, 3.0]), min_size=1)


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=1e-9)


def query_frame(library: str, queries: dict[str, float]) -> Any:
    return frame(library, list(queries.items()), ("query_id", "weight"))


def few(run: list[Row], queries: int = 2, products: int = 4) -> list[Row]:
    """A run that is small enough to go through every case."""
    kept = [row for row in run if row[0] in QUERIES[:queries]]
    lists = plain.in_order(plain.by_query(kept))
    return [row for row in kept if row[1] in lists[row[0]][:products]]


# values under every setting


def check_values(
    library: str,
    run: list[Row],
    judged: list[Row],
    queries: dict[str, float],
    how: dict[str, Any],
) -> None:
    scores = score_runs(
        {"run": frame(library, run, RUN)},
        frame(library, judged, JUDGMENTS),
        query_frame(library, queries),
        measures=SINGLE + WHOLE,
        cutoffs=CUTOFFS,
        **how,
    )
    lists, grades = plain.in_order(plain.by_query(run)), plain.by_query(judged)
    for row in scores.rows:
        n = row.cutoff or 10
        assert row.value == near(plain.figure(row.measure, lists, grades, queries, n, **how)), row
        assert row.judged == near(
            plain.figure("judged", lists, grades, queries, row.cutoff or CUTOFFS[0])
        )


@given(
    libraries, scored_run(), judgments(fewest=1), weights, ways, st.sampled_from(["bad", "drop"])
)
@quick
def test_every_setting_gives_the_plain_value(library, run, judged, queries, how, unjudged) -> None:
    check_values(library, run, judged, queries, {**how, "unjudged": unjudged})


@pytest.mark.slow
@pytest.mark.parametrize("library", ["polars-lazy", "pyarrow"])
@given(scored_run(), judgments(fewest=1), weights, ways, st.sampled_from(["bad", "drop"]))
@deep
def test_every_setting_gives_the_plain_value_on_many_runs(
    library, run, judged, queries, how, unjudged
) -> None:
    check_values(library, run, judged, queries, {**how, "unjudged": unjudged})


def check_gsb(
    library: str,
    control: list[Row],
    treatment: list[Row],
    judged: list[Row],
    queries: dict[str, float],
    how: dict[str, Any],
) -> None:
    comparison = compare_runs(
        *(frame(library, rows, RUN) for rows in (control, treatment)),
        frame(library, judged, JUDGMENTS),
        query_frame(library, queries),
        measures=["gsb"],
        cutoffs=CUTOFFS,
        **how,
    )
    before, after = (plain.in_order(plain.by_query(rows)) for rows in (control, treatment))
    for row in comparison.rows:
        case = (before, after, plain.by_query(judged), queries, row.cutoff)
        votes = list(plain.verdicts(*case, **how).values())
        assert row.delta == near(plain.delta("gsb", *case, **how))
        counts = [votes.count(vote) for vote in (1, 0, -1)]
        assert [row.extra[name] for name in ("good", "same", "bad")] == counts
        decided = counts[0] + counts[2]
        assert row.extra["win_rate"] == (near(counts[0] / decided) if decided else None)
        assert [row.improved, row.same, row.worse] == counts
        rest = plain.different(before, after, queries, row.cutoff)
        assert row.extra["identical"] == len(queries) - len(rest)
        without = plain.delta("gsb", *case[:3], rest, row.cutoff, **how) if rest else None
        assert row.extra["without_identical"] == near(without)


@st.composite
def similar_runs(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Two runs whose lists of some queries are the same, or the same down to some place."""
    control, treatment = draw(scored_run()), draw(scored_run())
    for query in draw(st.sets(st.sampled_from(QUERIES))):
        treatment = [row for row in treatment if row[0] != query]
        same = sorted((row for row in control if row[0] == query), key=lambda row: -row[2])
        kept = draw(st.sampled_from([len(same), len(same), 1, 3]))
        other_scores = draw(st.sampled_from([1, 8]))
        treatment += [(query, product, other_scores * score) for _, product, score in same[:kept]]
    return control, draw(st.permutations(treatment))


@given(libraries, similar_runs(), judgments(fewest=4), weights, ways, st.sampled_from(UNJUDGED))
@quick
def test_gsb_counts_the_queries_beyond_the_margin_and_those_with_identical_lists(
    library, runs, judged, queries, how, unjudged
) -> None:
    check_gsb(library, *runs, judged, queries, {**how, "unjudged": unjudged})


@pytest.mark.slow
@pytest.mark.parametrize("library", ["polars-lazy", "pyarrow"])
@given(similar_runs(), judgments(fewest=4), weights, ways, st.sampled_from(UNJUDGED))
@deep
def test_gsb_and_identical_lists_on_many_runs(
    library, runs, judged, queries, how, unjudged
) -> None:
    check_gsb(library, *runs, judged, queries, {**how, "unjudged": unjudged})


# unjudged products: every assignment of good and bad


def check_bounds(
    library: str,
    control: list[Row],
    treatment: list[Row],
    judged: list[Row],
    queries: dict[str, float],
    how: dict[str, Any],
) -> None:
    before, after = (plain.in_order(plain.by_query(rows)) for rows in (control, treatment))
    cases = list(plain.assignments(plain.by_query(judged), before, after, good=how["good"]))
    comparison = compare_runs(
        *(frame(library, rows, RUN) for rows in (control, treatment)),
        frame(library, judged, JUDGMENTS),
        query_frame(library, queries),
        measures=[*BOUNDED, "gsb"],
        cutoffs=CUTOFFS[1:3],
        unjudged="bounds",
        **how,
    )
    for row in comparison.rows:
        rest = (queries, row.cutoff or 10)
        expected: dict[str, float | None] = {}
        for of, lists in (("control", before), ("treatment", after)):
            range_ = (None, None)
            if row.measure != "gsb":
                range_ = plain.ends(
                    [plain.figure(row.measure, lists, case, *rest, **how) for case in cases]
                )
            expected[f"lower_{of}"], expected[f"upper_{of}"] = range_
        expected["lower_delta"], expected["upper_delta"] = plain.ends(
            [plain.delta(row.measure, before, after, case, *rest, **how) for case in cases]
        )
        found = {key: row.extra[key] for key in expected}
        assert found == {key: near(value) for key, value in expected.items()}, row.measure


@st.composite
def open_cases(draw: st.DrawFn, most: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Two runs and judgments that leave only a few products unjudged."""
    control, treatment = (few(draw(scored_run())) for _ in range(2))
    assume(control and treatment)  # an empty run has no Item Goodrate, and so no bounds
    judged = draw(judgments(fewest=6))
    grades = plain.by_query(judged)
    shown = {row[:2] for row in control + treatment}
    unjudged = [pair for pair in sorted(shown) if grades.get(pair[0], {}).get(pair[1], -1) < 0]
    rest = set(unjudged[most:])
    kept = [row for row in judged if row[:2] not in rest]
    return control, treatment, kept + [(*pair, draw(st.integers(0, 2))) for pair in sorted(rest)]


@given(libraries, open_cases(most=7), weights, ways)
@settings(quick, max_examples=60)
def test_bounds_are_the_least_and_greatest_value_over_all_assignments(
    library, case, queries, how
) -> None:
    check_bounds(library, *case, queries, how)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["polars-lazy", "pyarrow"])
@given(open_cases(most=8), weights, ways)
@settings(deep, max_examples=250)
def test_bounds_are_tight_on_many_runs(library, case, queries, how) -> None:
    check_bounds(library, *case, queries, how)


@given(open_cases(most=5), weights, ways)
@settings(quick, max_examples=20)
def test_bounds_of_one_run_hold_for_expected_values_over_ties_too(case, queries, how) -> None:
    run, _, judged = case
    tied = plain.orders(plain.by_query(run))
    assume(len(tied) <= 24)
    cases = list(plain.assignments(plain.by_query(judged), tied[0], good=how["good"]))
    scores = score_runs(
        {"run": frame("polars-lazy", run, RUN)},
        frame("polars-lazy", judged, JUDGMENTS),
        query_frame("polars-lazy", queries),
        measures=TIED[:4],
        cutoffs=CUTOFFS[1:3],
        ties="expected",
        unjudged="bounds",
        **how,
    )
    for row in scores.rows:
        values = [
            plain.mean([plain.figure(row.measure, o, g, queries, row.cutoff, **how) for o in tied])
            for g in cases
        ]
        low, high = plain.ends(values)
        assert (row.extra["lower"], row.extra["upper"]) == (near(low), near(high)), row.measure


# tied scores: every order, in each run on its own


def check_ties(
    library: str,
    control: list[Row],
    treatment: list[Row],
    judged: list[Row],
    queries: dict[str, float],
    how: dict[str, Any],
) -> None:
    before, after = (plain.orders(plain.by_query(rows)) for rows in (control, treatment))
    grades = plain.by_query(judged)
    frames = [frame(library, rows, RUN) for rows in (control, treatment)]
    expected, ranged = (
        compare_runs(
            *frames,
            frame(library, judged, JUDGMENTS),
            query_frame(library, queries),
            measures=[*TIED, "gsb", "judged"],
            cutoffs=CUTOFFS[1:3],
            ties=ties,
            **how,
        ).rows
        for ties in ("expected", "bounds")
    )
    for mean_row, range_row in zip(expected, ranged, strict=True):
        name, n = mean_row.measure, mean_row.cutoff
        if name == "gsb":
            cases = [
                plain.delta(name, c, t, grades, queries, n, **how) for c in before for t in after
            ]
            assert mean_row.delta == near(plain.mean(cases))
            assert _ties(range_row, "delta") == tuple(map(near, plain.ends(cases)))
            by_id = [plain.in_order(plain.by_query(rows)) for rows in (control, treatment)]
            rest = plain.different(*by_id, queries, n)
            without: list[float | None] = [None, None]
            if rest:
                each_order = [
                    plain.delta(name, c, t, grades, rest, n, **how) for c in before for t in after
                ]
                without = [
                    plain.mean(each_order),
                    plain.delta(name, *by_id, grades, rest, n, **how),
                ]
            found = [row.extra["without_identical"] for row in (mean_row, range_row)]
            assert found == [near(value) for value in without]
            for row in (mean_row, range_row):
                assert row.extra["identical"] == len(queries) - len(rest)
            continue
        each = {
            of: [plain.figure(name, lists, grades, queries, n, **how) for lists in all_of]
            for of, all_of in (("control", before), ("treatment", after))
        }
        for of, values in each.items():
            assert getattr(mean_row, of) == near(plain.mean(values)), name
            if name != "judged":
                assert _ties(range_row, of) == tuple(map(near, plain.ends(values))), name
        if name != "judged" and None not in each["control"] + each["treatment"]:
            deltas = [t - c for c in set(each["control"]) for t in set(each["treatment"])]
            assert _ties(range_row, "delta") == tuple(map(near, plain.ends(deltas))), name


def _ties(row: Any, of: str) -> tuple[float | None, float | None]:
    return row.extra[f"ties_lower_{of}"], row.extra[f"ties_upper_{of}"]


@st.composite
def tied_cases(draw: st.DrawFn, most: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Two runs of few scores whose orders can all be gone through, and judgments."""
    runs = []
    for _ in range(2):
        rows = few(draw(scored_run(values=1)), products=4)
        assume(len(plain.orders(plain.by_query(rows))) <= most)
        runs.append(rows)
    return runs[0], runs[1], draw(judgments(fewest=6))


@given(libraries, tied_cases(most=36), weights, ways)
@quick
def test_tied_products_give_the_mean_and_the_range_over_all_orders(
    library, case, queries, how
) -> None:
    check_ties(library, *case, queries, how)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["polars-lazy", "pyarrow"])
@given(tied_cases(most=150), weights, ways)
@settings(deep, max_examples=100)
def test_ties_are_gone_through_on_many_runs(library, case, queries, how) -> None:
    check_ties(library, *case, queries, how)
