"""What must be true of every measure: the registry is walked, and a new measure joins by itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_runs import (
    JUDGMENTS,
    PRODUCTS,
    QUERIES,
    RANKED,
    RUN,
    Row,
    frame,
    judgments,
    kind,
    scored_run,
)

from metrics import _queries, compare_runs, per_query, score_runs
from metrics.measures import MEASURES

if TYPE_CHECKING:
    from metrics.results import Compared

LIBRARIES = ["pandas", "polars", "polars-lazy", "pyarrow", "duckdb"]
SETTINGS = [
    {},
    {"average": "query", "min_good": 2, "good": 2},
    {"depth": "fixed", "margin": 1},
    {"unjudged": "drop"},
    {"unjudged": "bounds"},
    {"ties": "expected"},
    {"ties": "bounds"},
]
CUTOFFS = (1, 3)

every_measure = pytest.mark.parametrize("measure", MEASURES)
quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ways = st.sampled_from(SETTINGS)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row]]:
    """A control, a treatment and judgments."""
    return draw(scored_run()), draw(scored_run()), draw(judgments(fewest=4))


def compare(
    case: tuple[list[Row], ...],
    measures: Any = tuple(MEASURES),
    library: str = "polars-lazy",
    queries: dict[str, float] | None = None,
    **how: Any,
) -> list[Compared]:
    control, treatment, judged = case
    weights = dict.fromkeys(QUERIES, 1.0) if queries is None else queries
    listed = frame(library, list(weights.items()), ("query_id", "weight"))
    if queries is None:
        listed = frame(library, [(query,) for query in weights], ("query_id",))
    return compare_runs(
        frame(library, control, RUN),
        frame(library, treatment, RUN),
        frame(library, judged, JUDGMENTS),
        listed,
        measures=measures,
        **{"cutoffs": CUTOFFS, **how},
    ).rows


Figures = dict[tuple[str, int | None, str], Any]


def figures(rows: list[Compared]) -> Figures:
    """Every number of every row."""
    return {
        (row.measure, row.cutoff, key): value
        for row in rows
        for key, value in row.to_dict().items()
    }


def points(rows: list[Compared]) -> Figures:
    """The point values of every row."""
    kept = ("control", "treatment", "delta")
    return {key: value for key, value in figures(rows).items() if key[2] in kept}


def near(values: Figures) -> Figures:
    """The same, to nine decimals."""
    return {
        key: pytest.approx(value, abs=1e-9) if isinstance(value, float) else value
        for key, value in values.items()
    }


@given(ways, cases(), st.randoms(use_true_random=False))
@quick
def test_the_order_of_rows_does_not_matter(how: Any, case: Any, rng: random.Random) -> None:
    shuffled = tuple(rng.sample(rows, len(rows)) for rows in case)
    assert figures(compare(shuffled, **how)) == near(figures(compare(case, **how)))


@given(ways, cases(), st.permutations(QUERIES))
@quick
def test_the_names_and_the_order_of_queries_do_not_matter(how: Any, case: Any, names: Any) -> None:
    renamed = dict(zip(QUERIES, names, strict=True))
    other = tuple([(renamed[query], *rest) for query, *rest in rows] for rows in case)
    # the seeded draws of the tests depend on the multiset of queries only
    assert figures(compare(other, **how)) == near(figures(compare(case, **how)))


@given(ways, cases())
@quick
def test_renaming_products_changes_nothing_where_ties_keep_their_order(how: Any, case: Any) -> None:
    names = sorted({row[1] for rows in case for row in rows}, key=str.encode)
    renamed = {name: f"{at:04}-ß" for at, name in enumerate(names)}
    other = tuple([(query, renamed[name], value) for query, name, value in rows] for rows in case)
    assert figures(compare(other, **how)) == near(figures(compare(case, **how)))


@given(ways, cases())
@quick
def test_every_value_lies_between_zero_and_one(how: Any, case: Any) -> None:
    for row in compare(case, **how):
        values = [row.control, row.treatment]
        values += [
            value
            for key, value in row.extra.items()
            if key.endswith(("_control", "_treatment", "win_rate"))
        ]
        assert all(-1e-12 <= value <= 1 + 1e-12 for value in values if value is not None), row
        deltas = [row.delta, row.extra.get("lower_delta"), row.extra.get("ties_upper_delta")]
        assert all(-1 - 1e-12 <= value <= 1 + 1e-12 for value in deltas if value is not None), row


@given(ways, cases())
@quick
def test_bounds_hold_the_value_between_them(how: Any, case: Any) -> None:
    for row in compare(case, **how):
        for prefix in ("", "ties_"):
            for of in ("control", "treatment", "delta"):
                low, high = (row.extra.get(f"{prefix}{end}_{of}") for end in ("lower", "upper"))
                if low is not None and high is not None:
                    assert low - 1e-12 <= getattr(row, of, 0) <= high + 1e-12, row


@st.composite
def full_runs(draw: st.DrawFn) -> list[Row]:
    """A run that fills the top three of every query."""
    lists = st.permutations(PRODUCTS).map(lambda order: order[: draw(st.integers(3, 6))])
    return [(q, p, draw(st.integers(-2, 2)) / 8) for q in QUERIES for p in draw(lists)]


@every_measure
@pytest.mark.parametrize("grade", [None, -1.0, 0.0], ids=["unjudged", "pooled", "judged bad"])
@given(
    control=full_runs(),
    treatment=full_runs(),
    judged=judgments(fewest=4),
    ties=st.sampled_from(["id", "expected"]),
)
@settings(quick, max_examples=4)
def test_products_that_are_not_good_below_the_cutoff_change_nothing(
    measure: str, grade: float | None, control: Any, treatment: Any, judged: Any, ties: str
) -> None:
    judged = judged + [(query, "zz", grade) for query in QUERIES if grade is not None]
    lowest = [(query, "zz", -9.0) for query in QUERIES]
    how = {"measures": [measure], "ties": ties}
    longer = compare((control + lowest, treatment + lowest, judged), **how)
    assert points(longer) == near(points(compare((control, treatment, judged), **how)))


@given(ways, cases())
@quick
def test_swapping_the_runs_mirrors_everything(how: Any, case: Any) -> None:
    control, treatment, judged = case
    there = compare(case, **how)
    back = compare((treatment, control, judged), **how)
    for row, mirror in zip(there, back, strict=True):
        assert mirror.delta == _negative(row.delta)
        assert (mirror.control, mirror.treatment) == (row.treatment, row.control)
        assert (mirror.ci_low, mirror.ci_high) == (_negative(row.ci_high), _negative(row.ci_low))
        assert (mirror.p, mirror.p_holm) == (row.p, row.p_holm)
        assert (mirror.improved, mirror.same, mirror.worse) == (row.worse, row.same, row.improved)
        assert mirror.mde == (None if row.mde is None else pytest.approx(row.mde))
        for prefix in ("", "ties_"):
            if f"{prefix}lower_delta" in row.extra:
                low, high = (row.extra[f"{prefix}{end}_delta"] for end in ("lower", "upper"))
                assert mirror.extra[f"{prefix}lower_delta"] == _negative(high)
                assert mirror.extra[f"{prefix}upper_delta"] == _negative(low)


def _negative(value: float | None) -> Any:
    return None if value is None else pytest.approx(-value, abs=1e-9)


@given(ways, cases())
@quick
def test_a_run_against_itself_differs_nowhere(how: Any, case: Any) -> None:
    control, _, judged = case
    for row in compare((control, control, judged), **how):
        assert row.delta is None or abs(row.delta) < 1e-12, row
        if "note" not in row.extra and how.get("ties") != "expected":
            assert (row.improved, row.same, row.worse) == (0, len(QUERIES), 0)
            assert row.p == 1.0


weights = st.fixed_dictionaries({query: st.sampled_from([1, 2, 3]) for query in QUERIES})


@given(ways, cases(), weights, st.sampled_from([0.125, 7.0, 1e6]))
@quick
def test_scaling_all_weights_changes_nothing(
    how: Any, case: Any, queries: dict[str, int], scale: float
) -> None:
    scaled = {query: weight * scale for query, weight in queries.items()}
    assert figures(compare(case, queries=scaled, **how)) == near(
        figures(compare(case, queries=queries, **how))
    )


@given(ways, cases(), weights)
@quick
def test_a_weight_of_three_counts_like_three_equal_queries(
    how: Any, case: Any, queries: dict[str, int]
) -> None:
    copies = [(query, copy) for query, weight in queries.items() for copy in range(weight)]
    repeated = tuple(
        [
            (f"{query}-{copy}", *rest)
            for query, *rest in rows
            for other, copy in copies
            if query == other
        ]
        for rows in case
    )
    # the judged share describes what is shown, so it has no weights
    weighty = [name for name in MEASURES if name != "judged"]
    once = {f"{query}-{copy}": 1.0 for query, copy in copies}
    assert points(compare(repeated, weighty, queries=once, **how)) == near(
        points(compare(case, weighty, queries=queries, **how))
    )


@pytest.mark.parametrize("library", LIBRARIES)
@given(how=ways, case=cases())
@settings(quick, max_examples=7)
def test_every_library_gives_the_same_numbers(how: Any, library: str, case: Any) -> None:
    assert figures(compare(case, library=library, **how)) == near(figures(compare(case, **how)))


@pytest.mark.parametrize("measure", [name for name in MEASURES if name != "gsb"])
def test_a_ranked_run_scores_like_the_scored_run_it_came_from(measure: str) -> None:
    rng = random.Random(measure)
    names = [f"p{at}" for at in range(8)]
    judged = [(query, name, rng.randint(-1, 3)) for query in QUERIES for name in names]
    scored, ranked = [], []
    for query in QUERIES:
        order = rng.sample(names, 6)
        scored += [(query, name, -at / 4) for at, name in enumerate(order)]
        # gaps between ranks do not matter
        ranked += [(query, name, 2.0 * at + 1) for at, name in enumerate(order)]
    by_score, by_rank = (
        score_runs(
            {"run": frame("polars", rows, columns)},
            frame("polars", judged[::2], JUDGMENTS),
            measures=[measure],
            cutoffs=CUTOFFS,
        ).rows
        for rows, columns in ((scored, RUN), (ranked, RANKED))
    )
    assert [row.value for row in by_rank] == [row.value for row in by_score]
    assert by_score[0].value is not None


@given(cases())
@settings(quick, max_examples=5)
def test_summing_a_range_of_queries_at_a_time_changes_nothing(case: Any) -> None:
    assume(all(case))
    whole = near(figures(compare(case)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_queries, "_PAIRS_A_PART", 1)
        for library in ("polars-lazy", "duckdb"):
            assert figures(compare(case, library=library)) == whole


# what goes out is of the kind that came in

RUN_ROWS = [("q1", "a", 3.0), ("q1", "b", 2.0), ("q2", "c", 1.0)]
JUDGED = [("q1", "a", 0), ("q1", "b", 2), ("q2", "c", 1)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_per_query_counts_are_of_the_callers_kind(library: str) -> None:
    counts = per_query(
        frame(library, RUN_ROWS, RUN), frame(library, JUDGED, JUDGMENTS), cutoffs=(1,)
    )
    assert kind(counts) == library


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", ["table", "per_query"])
def test_the_tables_of_a_result_are_of_the_callers_kind(library: str, name: str) -> None:
    run, judged = frame(library, RUN_ROWS, RUN), frame(library, JUDGED, JUDGMENTS)
    compared = compare_runs(run, run, judged, measures=list(MEASURES), unjudged="bounds")
    scored = score_runs({"a": run, "b": run}, judged)
    assert [kind(getattr(result, name)) for result in (compared, scored)] == [library] * 2


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_tables_of_a_result_hold_its_rows(library: str) -> None:
    import narwhals as nw

    run, judged = frame(library, RUN_ROWS, RUN), frame(library, JUDGED, JUDGMENTS)
    scored = score_runs({"a": run, "b": run}, judged, measures=["mrr", "ndcg"], cutoffs=(1, 2))

    def rows(table: Any) -> list[dict[str, Any]]:
        return nw.from_native(table).lazy().collect(backend="pyarrow").rows(named=True)

    table = rows(scored.table)
    assert [row["value"] for row in table] == [row.value for row in scored.rows]
    assert [row["system"] for row in table] == ["a", "b"] * 3
    each = rows(scored.per_query)
    # two queries, two systems, mrr and ndcg at two cutoffs
    assert len(each) == 2 * 2 * 3
    first = [(row["query_id"], row["value"]) for row in each if row["measure"] == "mrr"]
    assert first == [("q1", 0.5), ("q2", 1.0)] * 2
