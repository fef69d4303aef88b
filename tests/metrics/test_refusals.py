"""What cannot be scored is refused with a sentence that says what was there and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from small_runs import JUDGMENTS, RANKED, RUN, asked, frame, judge, run

from metrics import MetricsError, Scoring, compare_runs, one_grade, per_query, score_runs

ROWS = [("q1", "a", 3.0), ("q1", "b", 2.0), ("q2", "c", 1.0)]
JUDGED = [("q1", "a", 0), ("q1", "b", 2), ("q2", "c", 1)]
LIBRARIES = ["polars", "pandas", "pyarrow", "duckdb"]
NAN, INFINITE = float("nan"), float("inf")


def compared(control: Any = None, judged: Any = None, queries: Any = None, **how: Any) -> Any:
    return compare_runs(
        run(ROWS) if control is None else control,
        run(ROWS),
        judge(JUDGED) if judged is None else judged,
        queries,
        **how,
    )


def refused(words: str, *arguments: Any, **how: Any) -> None:
    """The words, in their order, stand in the sentence."""
    with pytest.raises(MetricsError) as caught:
        compared(*arguments, **how)
    sentence, at = str(caught.value), 0
    for word in words.split(" | "):
        found = sentence.find(word, at)
        assert found >= 0, f"{word!r} not in {sentence[at:]!r}"
        at = found + len(word)


def test_errors_can_be_caught_as_value_errors() -> None:
    assert issubclass(MetricsError, ValueError)


# columns


def test_a_missing_column_says_what_there_is() -> None:
    table = run(ROWS)
    refused(
        "'product_id' not found in control | query_id, asin, score",
        table.rename({"product_id": "asin"}),
    )
    refused("'query_id' not found in control | qid", table.rename({"query_id": "qid"}))
    refused(
        "'grade' not found in judgments | query_id, product_id, label",
        None,
        judge(JUDGED).rename({"grade": "label"}),
    )
    refused(
        "'query_id' not found in queries | query",
        None,
        None,
        asked("q1").rename({"query_id": "query"}),
    )


def test_a_run_without_an_order_is_refused() -> None:
    refused(
        "control has neither a rank nor a score column | query_id, product_id",
        run(ROWS).drop("score"),
    )
    refused("order='rank' needs a rank column in control | score", order="rank")
    ranked = run([("q1", "a", 1.0)], RANKED)
    with pytest.raises(MetricsError, match="order='score' needs a score column"):
        score_runs({"x": ranked}, judge(JUDGED), order="score")


@pytest.mark.parametrize("wrong", [[("q1", "a", 1)], {"query_id": ["q1"]}, "run.csv", None])
def test_what_is_no_frame_is_refused_by_its_argument(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"treatment must be a data frame.*{type(wrong).__name__}"):
        compare_runs(run(ROWS), wrong, judge(JUDGED))
    with pytest.raises(TypeError, match="judgments must be a data frame"):
        score_runs({"x": run(ROWS)}, wrong)


def test_lazy_frames_of_two_libraries_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"control.* polars .*judgments.*duckdb"):
        compared(frame("polars-lazy", ROWS, RUN), frame("duckdb", JUDGED, JUDGMENTS))


@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow"])
@pytest.mark.parametrize("other", ["polars", "pandas", "pyarrow"])
def test_eager_frames_of_two_libraries_may_be_mixed(library: str, other: str) -> None:
    mixed = compare_runs(
        frame(library, ROWS, RUN),
        frame(other, ROWS, RUN),
        frame(other, JUDGED, JUDGMENTS),
        frame(library, [("q1",), ("q2",)], ("query_id",)),
    )
    assert mixed.rows[0].control == pytest.approx(2 / 3)


# rows


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_repeated_product_is_refused_by_run_query_and_product(library: str) -> None:
    table = frame(library, [*ROWS, ("q1", "a", 1.0)], RUN)
    with pytest.raises(MetricsError) as caught:
        score_runs({"today": table}, frame(library, JUDGED, JUDGMENTS))
    assert str(caught.value).startswith("today: query_id 'q1', product_id 'a' stands 2 times")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_repeated_judgment_is_refused_with_the_remedy(library: str) -> None:
    table = frame(library, [*JUDGED, ("q2", "c", 0)], JUDGMENTS)
    with pytest.raises(MetricsError, match=r"query_id 'q2', product_id 'c'.*one_grade"):
        score_runs({"x": frame(library, ROWS, RUN)}, table)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("wrong", [NAN, INFINITE, -INFINITE, None])
def test_a_score_or_a_grade_that_is_no_finite_number_is_refused(library: str, wrong: Any) -> None:
    good_run, good_grades = frame(library, ROWS, RUN), frame(library, JUDGED, JUDGMENTS)
    bad_run = frame(library, [*ROWS, ("q2", "d", wrong)], RUN)
    with pytest.raises(MetricsError, match="x: the score of query 'q2', product 'd' is no finite"):
        score_runs({"x": bad_run}, good_grades)
    bad_grades = frame(library, [*JUDGED, ("q2", "d", wrong)], JUDGMENTS)
    with pytest.raises(MetricsError, match="judgments: the grade of query 'q2', product 'd' is no"):
        score_runs({"x": good_run}, bad_grades)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("wrong", ["", None])
def test_an_empty_id_is_refused(library: str, wrong: Any) -> None:
    judged = frame(library, JUDGED, JUDGMENTS)
    for row, column in (((wrong, "a", 1.0), "query_id"), (("q1", wrong, 1.0), "product_id")):
        with pytest.raises(MetricsError, match=f"x holds an empty {column}"):
            score_runs({"x": frame(library, [*ROWS, row], RUN)}, judged)
        with pytest.raises(MetricsError, match=f"judgments holds? an empty {column}"):
            score_runs({"x": frame(library, ROWS, RUN)}, frame(library, [*JUDGED, row], JUDGMENTS))


@pytest.mark.parametrize("wrong", ["", None])
def test_an_empty_label_is_refused(wrong: Any) -> None:
    labelled = [("q1", "a", "E"), ("q1", "b", wrong)]
    with pytest.raises(MetricsError, match="'b'"):
        score_runs({"x": run(ROWS)}, judge(labelled), good_labels=["E"])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("wrong", [0.0, -1.0, 0.5])
def test_a_rank_below_one_is_refused(library: str, wrong: float) -> None:
    table = frame(library, [("q1", "a", wrong), ("q1", "b", 2.0)], RANKED)
    with pytest.raises(MetricsError, match=f"x: query 'q1' has rank {wrong}, below 1"):
        score_runs({"x": table}, frame(library, JUDGED, JUDGMENTS))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_repeated_rank_is_refused(library: str) -> None:
    table = frame(library, [("q1", "a", 1.0), ("q1", "b", 1.0)], RANKED)
    with pytest.raises(MetricsError, match=r"query_id 'q1', rank 1\.0 stands 2 times"):
        score_runs({"x": table}, frame(library, JUDGED, JUDGMENTS))


def test_the_score_column_of_a_ranked_run_may_hold_anything() -> None:
    table = frame("polars", [("q1", "a", 2.0, NAN), ("q1", "b", 1.0, None)], (*RANKED, "score"))
    row = score_runs({"x": table}, judge(JUDGED), asked("q1"), measures=["mrr"]).rows[0]
    assert row.value == 1.0


# queries


def test_a_segment_that_is_no_column_says_which_there_are() -> None:
    refused("'kind' not found in queries | query_id, tier", None, None, tiers(), by=["kind"])
    refused("segments (kind)", by=["kind"])


def tiers() -> Any:
    return asked("q1", "q2", tier=["x", "y"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_empty_query_set_is_refused(library: str) -> None:
    nothing = frame(library, [], ("query_id",))
    table, judged = frame(library, ROWS, RUN), frame(library, JUDGED, JUDGMENTS)
    with pytest.raises(MetricsError, match="the query set is empty"):
        score_runs({"x": table}, judged, nothing)
    with pytest.raises(MetricsError, match="the query set is empty"):
        score_runs({"x": table}, frame(library, [], JUDGMENTS))


def test_a_repeated_or_an_empty_query_is_refused() -> None:
    refused("'q1' stands more than once in queries", None, None, asked("q1", "q2", "q1"))
    refused("queries hold an empty query_id", None, None, asked("q1", ""))
    nameless = frame("polars", [("q1",), (None,)], ("query_id",))
    refused("queries hold an empty query_id", None, None, nameless)


@pytest.mark.parametrize("wrong", [0.0, -1.0, NAN, INFINITE, None])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_weight_is_a_finite_number_above_zero(library: str, wrong: Any) -> None:
    queries = frame(library, [("q1", 1.0), ("q2", wrong)], ("query_id", "weight"))
    with pytest.raises(MetricsError, match="weight of query 'q2' must be a finite number above 0"):
        score_runs({"x": frame(library, ROWS, RUN)}, frame(library, JUDGED, JUDGMENTS), queries)


# settings


def test_an_unknown_measure_says_which_there_are() -> None:
    refused("'ndgc' | item_goodrate | ndcg | judged", measures=["ndcg", "ndgc"])
    refused("no measure is asked for", measures=[])


def test_a_primary_measure_must_be_computed() -> None:
    refused("'gsb' is not among the measures: ndcg", measures=["ndcg"], primary=["gsb"])


def test_gsb_needs_two_runs_and_scoring_needs_one() -> None:
    with pytest.raises(MetricsError, match="control with a treatment"):
        score_runs({"x": run(ROWS)}, judge(JUDGED), measures=["gsb"])
    with pytest.raises(MetricsError, match="no run"):
        score_runs({}, judge(JUDGED))


@pytest.mark.parametrize("cutoffs", [(0,), (-1,), (), (2.5,), (5, 0)])
def test_cutoffs_are_whole_numbers_from_one(cutoffs: Any) -> None:
    with pytest.raises(MetricsError, match="cutoffs must be whole numbers from 1"):
        Scoring(cutoffs=cutoffs)


def test_a_repeated_cutoff_is_refused() -> None:
    with pytest.raises(MetricsError, match=r"a cutoff is given twice: \[5, 10, 5\]"):
        Scoring(cutoffs=(5, 10, 5))


@pytest.mark.parametrize("ties", ["expected", "bounds"])
def test_condensed_lists_need_one_order_of_ties(ties: Any) -> None:
    with pytest.raises(MetricsError, match=f"unjudged='drop' needs ties='id', not '{ties}'"):
        Scoring(unjudged="drop", ties=ties)


def test_bounds_of_unjudged_and_of_ties_exclude_each_other() -> None:
    with pytest.raises(MetricsError, match="cannot be combined"):
        Scoring(unjudged="bounds", ties="bounds")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("order", "random", "rank"),
        ("ties", "random", "id, expected, bounds"),
        ("unjudged", "skip", "bad, drop, bounds"),
        ("average", "macro", "pooled, query"),
        ("depth", "deep", "shown, fixed"),
        ("min_good", 0, "1 or more"),
        ("margin", -1, "0 or more"),
        ("margin", NAN, "0 or more"),
    ],
)
def test_a_setting_that_does_not_exist_says_which_do(name: str, value: Any, words: str) -> None:
    with pytest.raises(MetricsError, match=f"{name} must be .*{words}"):
        Scoring(**{name: value})


def test_an_unknown_setting_or_interval_is_refused() -> None:
    refused("ci must be default or bootstrap", ci="wald")
    with pytest.raises(TypeError, match="cutof"):
        compared(cutof=(3,))


def test_gains_and_labels_must_meet_the_grades() -> None:
    labelled = judge([("q1", "a", "E"), ("q1", "b", "X")])
    refused("'X' has no gain | E, X | E, S", None, labelled, gains={"E": 3, "S": 2})
    refused("none of the good labels (S) occurs | E, X", None, labelled, good_labels=["S"])
    refused("are for text grades", good_labels=["E"])
    refused("grade 2", gains={"0": 0, "1": 1})


def test_the_per_query_table_refuses_what_it_cannot_count() -> None:
    with pytest.raises(MetricsError, match="'product_id' not found in run"):
        per_query(run(ROWS).drop("product_id"), judge(JUDGED))


# one grade a pair


def votes(*rows: tuple[str, Any, str, str]) -> Any:
    columns = ("query_id", "product_id", "grade", "source", "annotator")
    return frame("polars", [("q1", *row) for row in rows], columns)


def grades(table: Any) -> dict[str, Any]:
    return dict(table.sort("product_id").select("product_id", "grade").iter_rows())


HUMAN = [("a", 0.0, "human", "x"), ("a", 2.0, "human", "y"), ("a", 3.0, "human", "z")]
MODEL = [("a", 1.0, "llm", "m"), ("b", 3.0, "llm", "m")]


def test_several_sources_must_be_chosen_from() -> None:
    both = votes(*HUMAN, *MODEL)
    with pytest.raises(MetricsError, match=r"2 sources \(human, llm\)"):
        one_grade(both)
    assert grades(one_grade(both, source="llm")) == {"a": 1, "b": 3}
    with pytest.raises(MetricsError, match="no judgment has source 'crowd'"):
        one_grade(both, source="crowd")
    with pytest.raises(MetricsError, match="no source column"):
        one_grade(judge(JUDGED), source="human")


def test_several_annotators_need_to_be_told_how_they_become_one() -> None:
    with pytest.raises(MetricsError, match="query 'q1', product 'a' has 3 grades"):
        one_grade(votes(*HUMAN))
    with pytest.raises(MetricsError, match="median or majority, not 'mean'"):
        one_grade(votes(*HUMAN), aggregate="mean")  # type: ignore[arg-type]
    assert grades(one_grade(votes(*HUMAN), aggregate="median")) == {"a": 2}


def test_the_median_of_two_grades_lies_between_them() -> None:
    assert grades(one_grade(votes(*HUMAN[:2]), aggregate="median")) == {"a": 1}


def test_of_equally_frequent_grades_the_majority_takes_the_lowest() -> None:
    more = votes(*HUMAN, ("b", 2.0, "human", "x"), ("b", 2.0, "human", "y"))
    assert grades(one_grade(more, aggregate="majority")) == {"a": 0, "b": 2}


def test_labels_have_a_majority_but_no_median() -> None:
    labelled = votes(("a", "E", "human", "x"), ("a", "S", "human", "y"), ("a", "S", "human", "z"))
    assert grades(one_grade(labelled, aggregate="majority")) == {"a": "S"}
    with pytest.raises(MetricsError, match="numeric"):
        one_grade(labelled, aggregate="median")
