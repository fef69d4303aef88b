"""Bad files and settings: one message with file, row, column, value and remedy, and exit code 2.

Nothing is written, nothing is dropped, cast or deduplicated silently.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Score = Callable[..., Any]


def refused(done: Any, *words: str) -> None:
    """The command ended with exit code 2, said every word on standard error, printed nothing."""
    assert (done.code, done.out) == (2, ""), done.err
    for word in words:
        assert word in done.err
    assert done.err.startswith("evalkit: ")
    assert "Traceback" not in done.err


def one_line(done: Any, *words: str) -> None:
    refused(done, *words)
    assert done.err.count("\n") == 1


RUN = "query_id,product_id,rank,score\n"

BAD_RUNS = {
    "a repeated product": (
        RUN + "q1,a,1,3\nq1,b,2,2\nq1,a,3,1\n",
        "run.csv: row 4, query 'q1', product 'a': repeated product of the query, first in row 2. "
        "Use --on-duplicate first to keep the first.",
    ),
    "an empty query id": (
        RUN + ",a,1,3\n",
        "run.csv: row 2, column query_id, product 'a': query_id is empty",
    ),
    "an empty product id": (
        RUN + "q1,,1,3\n",
        "run.csv: row 2, column product_id, query 'q1': product_id is empty",
    ),
    "a score that is text": (
        RUN + "q1,a,1,high\n",
        "row 2, column score, query 'q1', product 'a': score is not a number: 'high'. "
        "Correct these values or leave the rows out.",
    ),
    "a score that is NaN": (RUN + "q1,a,1,nan\n", "score is not a finite number: 'nan'"),
    "a score that is infinite": (RUN + "q1,a,1,-inf\n", "score is not a finite number: '-inf'"),
    "a score that is missing": (RUN + "q1,a,1,\n", "column score, query 'q1', product 'a'"),
    "a repeated rank": (
        RUN + "q1,a,1,3\nq1,b,1,2\n",
        "row 3, column rank, query 'q1', product 'b': repeated rank of the query, first in row 2",
    ),
    "a rank below 1": (
        RUN + "q1,a,0,3\n",
        "row 2, column rank, query 'q1', product 'a': rank is below 1: '0'. "
        "Ranks are whole numbers from 1; or order the run by its scores with --order score.",
    ),
    "a rank that is no whole number": (
        RUN + "q1,a,1.5,3\n",
        "column rank, query 'q1', product 'a': rank is not a whole number: '1.5'",
    ),
    "no product column": (
        "query_id,price,rank\nq1,3,1\n",
        "run.csv: no column product_id. The file has: query_id, price, rank. "
        "Name it with --map product_id=COLUMN.",
    ),
    "neither rank nor score": (
        "query_id,product_id\nq1,a\n",
        "run.csv: neither a rank nor a score column. The file has: query_id, product_id. "
        "Name one with --map rank=COLUMN or --map score=COLUMN.",
    ),
    "two columns for one thing": (
        "query_id,asin,docid,rank\nq1,a,b,1\n",
        "run.csv: columns 'asin' and 'docid' both mean product_id. "
        "Say which one with --map product_id=COLUMN, or rename the other.",
    ),
    "two systems in one file": (
        "query_id,product_id,rank,system\nq1,a,1,bm25\nq1,b,2,dense\n",
        "the run holds 2 systems (bm25, dense)",
    ),
    "a row with a field too many": (RUN + "q1,a,1,3\nq1,b,2,2,9\n", "run.csv: row 3"),
    "a row with a field too few": (RUN + "q1,a,1,3\nq1,b,2\n", "run.csv: row 3"),
    "nothing": ("", "run.csv: is empty. Check the command that should have written it."),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_a_run_is_refused_with(score: Score, case: str) -> None:
    content, message = BAD_RUNS[case]
    Path("run.csv").write_text(content)
    one_line(score("--control", "run.csv"), message)


BAD_JUDGMENTS = {
    "a repeated judgment": (
        "query_id,product_id,grade\nq1,a,1\nq1,a,2\n",
        "bad.csv: row 3, query 'q1', product 'a': repeated judgment, first in row 2. "
        "Keep one judgment for each query_id, product_id.",
    ),
    "a grade that is text among numbers": (
        "query_id,product_id,grade\nq1,a,1\nq1,b,great\n",
        "row 3, column grade, query 'q1', product 'b': grade is not a number: 'great'",
    ),
    "a grade that is NaN": (
        "query_id,product_id,relevance\nq1,a,1\nq1,b,NaN\n",
        "row 3, column relevance, query 'q1', product 'b': grade is not a finite number: 'NaN'",
    ),
    "a grade that is missing": (
        "query_id,product_id,grade\nq1,a,1\nq1,b,\n",
        "column grade, query 'q1', product 'b': grade is empty",
    ),
    "an empty id": ("query_id,product_id,grade\nq1,,1\n", "product_id is empty"),
    "no grade column": ("query_id,product_id,price\nq1,a,1\n", "bad.csv: no column grade"),
}


@pytest.mark.parametrize("case", BAD_JUDGMENTS)
def test_judgments_are_refused_with(score: Score, case: str) -> None:
    content, message = BAD_JUDGMENTS[case]
    Path("bad.csv").write_text(content)
    one_line(score("--judgments", "bad.csv"), message)


BAD_QUERIES = {
    "a repeated query": (
        "query_id,query\nq1,a\nq1,b\n",
        "bad.csv: row 3, query 'q1': repeated query, first in row 2",
    ),
    "a weight of zero": ("query_id,weight\nq1,0\n", "row 2, column weight"),
    "a weight below zero": ("query_id,weight\nq1,-2\n", "weight is not above 0: '-2'"),
    "an empty id": ("query_id,query\n,a\n", "query_id is empty"),
    "no query_id column": ("text,kind\na,b\n", "bad.csv: no column query_id"),
}


@pytest.mark.parametrize("case", BAD_QUERIES)
def test_queries_are_refused_with(score: Score, case: str) -> None:
    content, message = BAD_QUERIES[case]
    Path("bad.csv").write_text(content)
    one_line(score("--queries", "bad.csv"), message)


def test_a_trec_run_of_five_fields_is_refused_with_its_row(score: Score) -> None:
    Path("short.run").write_text("q1 Q0 a 1 3.0 x\nq1 Q0 b 2 2.0\n")
    one_line(score("--control", "short.run"), "short.run: row 2", "6")


def test_a_trec_score_that_is_text_is_refused(score: Score) -> None:
    Path("word.run").write_text("q1 Q0 a 1 3.0 x\nq1 Q0 b 2 high x\n")
    one_line(score("--control", "word.run"), "word.run: row 2", "score", "'high'")


def test_a_broken_line_of_json_is_refused_with_its_row(score: Score) -> None:
    Path("run.jsonl").write_text(
        '{"query_id": "q1", "product_id": "a", "rank": 1}\n{"query_id": "q1", \n'
    )
    one_line(score("--control", "run.jsonl"), "run.jsonl: row 2")


def test_parquet_values_are_checked_too(score: Score) -> None:
    table = {"query_id": ["q1", "q1"], "product_id": ["a", "b"], "score": [1.0, float("nan")]}
    pq.write_table(pa.table(table), "run.parquet")
    one_line(
        score("--control", "run.parquet"),
        "run.parquet: row 2, column score, query 'q1', product 'b': score is not a finite number",
    )


def test_a_file_that_is_no_parquet_is_refused(score: Score) -> None:
    Path("run.parquet").write_text("query_id,product_id,rank\nq1,a,1\n")
    one_line(score("--control", "run.parquet"), "run.parquet: ")


def test_a_truncated_gzip_file_is_refused(score: Score) -> None:
    whole = gzip.compress(Path("control.run").read_bytes())
    Path("control.run.gz").write_bytes(whole[:-12])
    one_line(score("--control", "control.run.gz"), "control.run.gz: is a damaged", "Copy or write")


def test_a_missing_file_and_a_folder_are_refused(score: Score) -> None:
    one_line(score("--control", "nowhere.run"), "nowhere.run: there is no such file")
    Path("folder").mkdir()
    one_line(score("--judgments", "folder"), "folder: is a folder. Name one of the files in it.")


def test_all_problems_are_counted_and_ten_are_shown(score: Score) -> None:
    rows = "".join(f"q{i},a,{i},bad\n" for i in range(1, 26))
    Path("run.csv").write_text(RUN + rows)
    done = score("--control", "run.csv")
    refused(done, "run.csv: 25 problems. Correct these values or leave the rows out.")
    lines = done.err.splitlines()
    assert len(lines) == 12
    assert lines[1] == (
        "  row 2, column score, query 'q1', product 'a': score is not a number: 'bad'"
    )
    assert lines[-1] == "  and 15 more"


def test_a_score_order_needs_scores_and_a_rank_order_ranks(score: Score) -> None:
    Path("run.csv").write_text("query_id,product_id,rank\nq1,a,1\n")
    one_line(score("--control", "run.csv", "--order", "score"), "run.csv: no column score")
    Path("run.csv").write_text("query_id,product_id,score\nq1,a,1\n")
    one_line(score("--control", "run.csv", "--order", "rank"), "run.csv: no column rank")


def test_repeated_ranks_do_not_matter_when_scores_order(score: Score) -> None:
    Path("run.csv").write_text(RUN + "q1,a,1,3\nq1,b,1,2\n")
    pair = ("--control", "run.csv", "--treatment", "run.csv")
    assert score(*pair).code == 2
    assert score(*pair, "--order", "score").code == 0


def test_a_mapped_column_must_be_there(score: Score) -> None:
    one_line(
        score("--map", "run.product_id=asin", "--control", "treatment.parquet"),
        "no column 'asin', which --map product_id=asin names. "
        "The file has: query_id, product_id, rank.",
    )


SETTINGS = {
    "no runs": ((), "give --control and --treatment, or --run"),
    "one run of two": (("--control", "control.run"), "give both --control and --treatment"),
    "both ways at once": (
        ("--control", "control.run", "--treatment", "control.run", "--run", "control.run"),
        "but not both",
    ),
    "two runs of one name": (
        ("--run", "control.run", "--run", "control.run"),
        "two runs are called 'control'; write --run NAME=FILE.",
    ),
    "a primary measure of single runs": (
        ("--run", "control.run", "--primary", "ndcg"),
        "--primary is for comparisons",
    ),
    "gsb of a single run": (
        ("--run", "control.run", "--measures", "gsb"),
        "gsb compares a control with a treatment; single runs have none.",
    ),
    "a run without a name": (("--run", "=control.run"), "write --run NAME=FILE."),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_runs_are_asked_for_in_one_way(score_run: Score, case: str) -> None:
    options, message = SETTINGS[case]
    one_line(score_run(*options), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", "ten"), "--at 'ten' is not a list of whole numbers; write 5,10,20."),
        (("--at", "0"), "cutoffs must be whole numbers from 1, not [0]."),
        (("--at", "3,3"), "a cutoff is given twice: [3, 3]."),
        (("--measures", "goodness"), "unknown measure 'goodness'; there are: item_goodrate,"),
        (("--primary", "mrr"), "primary measure 'mrr' is not among the measures"),
        (("--by", "price"), "column 'price' not found in queries; it has: query_id, query,"),
        (("--min-good", "0"), "min_good must be 1 or more, not 0."),
        (("--margin", "-1"), "margin must be 0 or more, not -1.0."),
        (("--memory-limit", "lots"), "'lots' is not a size; write 600MB or 4GB."),
        (("--memory-limit", "10MB"), "'10MB' is too small; give 300MB or more."),
        (("--map", "asin"), "--map 'asin' is not understood; write product_id=asin"),
        (("--map", "shop.grade=x"), "--map 'shop.grade=x' is not understood"),
        (("--gains", "E"), "--gains 'E' is not understood; write E=3,S=2,C=1,I=0."),
        (("--source", "human"), "source 'human' is asked for, but the judgments have no source"),
        (("--unjudged", "drop", "--ties", "expected"), "unjudged='drop' needs ties='id'"),
        (("--unjudged", "bounds", "--ties", "bounds"), "cannot be combined; choose one"),
        (("--format", "html"), "--format html needs a file: add -o report.html."),
        (("--per-query", "moved.run"), "TREC files hold runs and judgments, not per_query."),
        (("--per-query", "no/where.csv"), "no/where.csv: the folder"),
        (("--map", "prodct_id=asin"), "--map 'prodct_id=asin': no table has a column of that name"),
        (("--map", "run.grade=stars"), "a run table has no column 'grade'; it has query_id,"),
        (("--good-labels", "E"), "good labels (E) are for text grades, and these are numbers"),
        (("--good", "nan"), "good must be a finite number, not nan."),
        (("--good", "inf"), "good must be a finite number, not inf."),
        (("--gains", "E=3,S=2"), "gains are given for E, S, but the grades are numbers"),
        (
            ("--gains", "1=nan,0=0"),
            "the gain of grade '1' must be a finite number from 0, not nan.",
        ),
        (
            ("--gains", "1=-3,0=0"),
            "the gain of grade '1' must be a finite number from 0, not -3.0.",
        ),
        (("--gains", "1=3,1=4,0=0"), "--gains '1=3,1=4,0=0' is not understood"),
        (("--gains", "=3,0=0"), "--gains '=3,0=0' is not understood"),
        (("--seed", "x"), "'--seed': 'x' is not a valid integer."),
        (("--on-duplicate", "last"), "'last' is not one of 'error', 'first'."),
        (("--nope",), "No such option '--nope'."),
        (("-o", ""), "has no name. Name a file."),
        (("-o", "/"), "/: is a folder. Name a file."),
        (("-o", "no/where.json"), "no/where.json: the folder"),
        (("-o", "same.csv", "--per-query", "same.csv"), "same.csv is named for two outputs."),
        (("--per-query", "-"), "two outputs go to standard output; name a file with -o."),
        (("--judgments", "-", "--queries", "-"), "only one file can come from standard input"),
    ],
)
def test_settings_are_refused_in_one_line(
    score: Score, options: tuple[str, ...], message: str
) -> None:
    one_line(score(*options), message)


def test_text_grades_need_good_labels_or_gains(score: Score) -> None:
    Path("labels.csv").write_text("query_id,product_id,label\nq1,t11,E\n")
    one_line(score("--judgments", "labels.csv"), "labels.csv", "text", "--good-labels")
    one_line(
        score("--judgments", "labels.csv", "--good-labels", "Exact"),
        "none of the good labels (Exact) occurs; judgments have: E",
    )
    one_line(
        score("--judgments", "labels.csv", "--gains", "S=2"),
        "grade 'E' has no gain; judgments have: E; gains are given for: S",
    )


def test_several_sources_or_annotators_need_a_choice(score: Score) -> None:
    Path("two.csv").write_text("query_id,product_id,grade,source\nq1,a,1,human\nq1,a,0,llm\n")
    one_line(score("--judgments", "two.csv"), "two.csv", "2 sources (human, llm)", "--source")
    one_line(score("--judgments", "two.csv", "--source", "imp"), "no judgment has source 'imp'")
    Path("votes.csv").write_text("query_id,product_id,grade,annotator\nq1,a,1,x\nq1,a,0,y\n")
    one_line(
        score("--judgments", "votes.csv"), "query 'q1', product 'a' has 2 grades", "--aggregate"
    )
    Path("words.csv").write_text("query_id,product_id,grade,annotator\nq1,a,E,x\nq1,a,I,y\n")
    one_line(
        score("--judgments", "words.csv", "--good-labels", "E", "--aggregate", "median"),
        "the median needs numeric grades; text labels can use majority",
    )


# ---------------------------------------------------------------- nothing half-written


@pytest.mark.parametrize("name", ["scores.json", "scores.html", "scores.md"])
def test_a_run_that_fails_leaves_the_old_file_untouched(
    evalkit: Score, files: Path, name: str
) -> None:
    Path("bad.csv").write_text(RUN + "q1,a,1,high\n")
    Path(name).write_text("the figures of yesterday")
    Path("moved.csv").write_text("the queries of yesterday")
    before = sorted(path.name for path in files.iterdir())
    done = evalkit(
        *("score", "--control", "bad.csv", "--treatment", "treatment.parquet"),
        *("--judgments", "judgments.csv", "-o", name, "--per-query", "moved.csv"),
    )
    one_line(done, "bad.csv: row 2, column score")
    assert Path(name).read_text() == "the figures of yesterday"
    assert Path("moved.csv").read_text() == "the queries of yesterday"
    assert sorted(path.name for path in files.iterdir()) == before


def test_a_form_is_not_guessed_from_an_ending_that_is_no_form(evalkit: Score, files: Path) -> None:
    pair = ("score", "--run", "control.run", "--judgments", "judgments.csv")
    for ending in ("parquet", "tsv", "jsonl"):
        done = evalkit(*pair, "-o", f"scores.{ending}")
        one_line(done, f"-o scores.{ending}: no form of a score ends in .{ending}", "--format")
        assert not Path(f"scores.{ending}").exists()
    assert evalkit(*pair, "-o", "scores.tsv", "--format", "table").code == 0


def test_an_output_that_cannot_be_written_leaves_the_other_unwritten(
    score: Score, files: Path
) -> None:
    before = sorted(path.name for path in files.iterdir())
    for options in (
        ("--per-query", "moved.csv", "-o", "no/where.json"),
        ("-o", "scores.json", "--per-query", "no/where.csv"),
    ):
        one_line(score(*options), "no/where", "does not exist")
        assert sorted(path.name for path in files.iterdir()) == before


def test_a_run_that_succeeds_leaves_nothing_beside_its_files(score: Score, files: Path) -> None:
    before = {path.name for path in files.iterdir()}
    assert score("-o", "scores.json", "--per-query", "moved.csv").code == 0
    assert {path.name for path in files.iterdir()} - before == {"scores.json", "moved.csv"}
