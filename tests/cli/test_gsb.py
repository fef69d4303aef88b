"""`evalkit gsb`: votes gathered anywhere, as a table, JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from evalkit.reports.votes_table import format_votes_table
from evalkit.tables import write

if TYPE_CHECKING:
    from collections.abc import Callable

    Gsb = Callable[..., Any]

VOTES = """\
query_id,worker,winner,side,position,seconds,query_type,kind
q1,ann,left,left,1,8.5,negation,real
q1,bob,right,right,1,2.0,negation,real
q2,ann,tie,left,2,9.0,negation,real
q2,bob,both bad,right,2,7.0,negation,real
q3,ann,left,right,3,6.0,brand,real
q3,bob,right,left,3,11.0,brand,real
q4,ann,right,right,4,5.0,brand,real
q4,bob,left,right,4,4.0,brand,real
q5,,same,,5,,brand,automatic
q9,ann,left,left,,3.0,brand,gold
"""


@pytest.fixture
def gsb(
    evalkit: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Run `evalkit gsb` on a small file in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("votes.csv").write_text(VOTES)

    def run(*more: object, path: str = "votes.csv") -> Any:
        return evalkit("gsb", path, *more)

    return run


def lines_of(done: Any) -> list[str]:
    assert done.code == 0, done.err
    return done.out.splitlines()


def line(done: Any, start: str) -> list[str]:
    return next(text for text in lines_of(done) if text.startswith(start)).split()


# ------------------------------------------------------------------ the table


def test_the_table_says_how_much_there_is_and_what_was_left_out(gsb: Gsb) -> None:
    lines = lines_of(gsb())
    assert lines[0] == "5 queries, 8 votes by 2 annotators"
    assert lines[1] == "Left out: 1 gold"
    assert lines[2] == "Settings: votes votes.csv · aggregate majority · seed 0"


def test_the_table_has_gsb_with_interval_and_p(gsb: Gsb) -> None:
    done = gsb()
    # q1 Good, q2 Same, q3 Bad, q4 a tie, q5 automatic
    cells = line(done, "all queries")
    assert cells[2:6] == ["5", "8", "1:3:1", "0.00"]
    assert "[−55.44, +55.44]" in done.out
    assert "1 query with identical lists: automatic Sames; GSB without them 0.00" in done.out
    assert "1 vote calls both lists bad" in done.out


def test_the_table_has_position_bias_agreement_and_annotators(gsb: Gsb) -> None:
    done = gsb()
    # left: q1 ann, q3 ann, q4 bob
    assert "50.0  [11.8, 88.2]" in done.out
    assert "No lean to either side can be told from chance." in done.out
    assert line(done, "pairs of votes")[-4] == "0.750" or "0.750" in done.out
    assert "Krippendorff's alpha, nominal (G/S/B)" in done.out
    assert "Krippendorff's alpha, ordinal (3 points)" in done.out
    assert line(done, "ann ")[:3] == ["ann", "4", "75.0"]
    assert "At every look" not in done.out


def test_segments_stand_beneath_all_queries(gsb: Gsb) -> None:
    done = gsb("--by", "query_type")
    assert line(done, "  query_type negation")[2:5] == ["2", "4", "1:1:0"]
    assert line(done, "  query_type brand")[2:5] == ["3", "4", "0:2:1"]


def test_aggregate_votes_counts_votes(gsb: Gsb) -> None:
    done = gsb("--aggregate", "votes")
    # q1 2:0:0, q2 0:2:0, q3 0:0:2, q4 1:0:1, q5 one Same
    assert "3:3:3" in done.out
    assert "G, S and B count votes" in done.out


def test_sequential_says_whether_the_study_may_stop(gsb: Gsb) -> None:
    done = gsb("--sequential", "--overlap", "2", "--stop-width", "10")
    assert "At every look" in done.out
    assert "5 complete queries, 1 won, 1 lost; 0 not complete" in done.out
    assert "not decided (1/alpha = 20)" in done.out
    assert "95% sequence" in done.out
    assert "a sequence of GSB 10.00 points wide" in done.out


def test_a_narrow_terminal_leaves_columns_out_and_says_so(gsb: Gsb) -> None:
    document = gsb("--by", "query_type", "--format", "json").document()
    text = format_votes_table(document, width=72)
    assert all(len(row) <= 72 for row in text.splitlines())
    assert "Left out at this width: mean" in text
    assert "1:3:1" in text


def test_foreign_text_cannot_repaint_the_terminal(gsb: Gsb) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference\nq,\x1b[2Jann,1\nr,bob,0\n")
    done = gsb()
    assert "\x1b" not in done.out
    assert "[2Jann" in done.out


# ------------------------------------------------------------------ machines


def test_json_holds_every_figure(gsb: Gsb) -> None:
    document = gsb("--format", "json", "--by", "query_type", "--sequential").document()
    assert document.keys() == {
        "settings", "left_out", "warnings", "results", "agreement", "sequential", "remaining",
        "inputs",
    }  # fmt: skip
    row = document["results"][0]
    assert (row["good"], row["same"], row["bad"], row["automatic"]) == (1, 3, 1, 1)
    assert document["left_out"] == {"gold": 1}
    assert document["agreement"]["annotators"][1]["median_seconds"] == 5.5
    assert document["agreement"]["pairs"][0]["shared"] == 4
    assert document["inputs"][0]["rows"] == 10
    assert document["inputs"][0]["fingerprint"].startswith("sha256:")


def test_csv_has_a_line_a_segment(gsb: Gsb) -> None:
    done = gsb("--format", "csv", "--by", "query_type")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["query_type"] for row in rows] == ["", "brand", "negation"]
    assert [row["gsb"] for row in rows] == ["0.0", "-0.3333333333333333", "0.5"]
    assert rows[0]["left_votes"] == "6"


def test_a_segment_with_the_name_of_a_figure_gets_a_prefix(gsb: Gsb) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference,ratio\nq,ann,1,x\n")
    rows = list(csv.DictReader(io.StringIO(gsb("--format", "csv", "--by", "ratio").out)))
    assert rows[1]["segment_ratio"] == "x"


def test_markdown_holds_the_same_figures(gsb: Gsb) -> None:
    done = gsb("--format", "markdown", "--by", "query_type")
    assert "**5 queries, 8 votes by 2 annotators**" in done.out
    assert "| all queries | 5 | 8 | 1:3:1 | 0.00 |" in done.out
    assert "### Position bias" in done.out
    for row in done.out.splitlines():
        if row.startswith("| ---"):
            assert row.count("|") > 3


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.txt", "5 queries"), ("a.json", "{"), ("a.csv", "queries,votes"), ("a.md", "**5 queries")],
)
def test_the_name_of_the_output_tells_its_form(gsb: Gsb, name: str, start: str) -> None:
    done = gsb("-o", name)
    assert (done.code, done.out) == (0, "")
    assert Path(name).read_text().startswith(start)


def test_the_same_votes_give_the_same_bytes(gsb: Gsb) -> None:
    first = gsb("--format", "json", "--aggregate", "dawid_skene").out
    lines = VOTES.splitlines(keepends=True)
    Path("votes.csv").write_text("".join([lines[0], *reversed(lines[1:])]))
    again = json.loads(gsb("--format", "json", "--aggregate", "dawid_skene").out)
    first = json.loads(first)
    assert again.pop("inputs") != first.pop("inputs")
    assert again == first


@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet", "v.tsv.gz", "v.csv.zst"])
def test_votes_come_in_any_format(gsb: Gsb, name: str) -> None:
    frame = {"query_id": ["q", "r"], "annotator": ["ann", "ann"], "preference": [1, -2]}
    write(pa.table(frame), name, kind="votes")
    assert gsb("--format", "json", path=name).document()["results"][0]["gsb"] == 0.0


def test_map_names_columns(gsb: Gsb) -> None:
    Path("votes.csv").write_text("query_id,who,better\nq,ann,good\nr,ann,same\n")
    done = gsb("--map", "annotator=who", "--map", "preference=better", "--format", "json")
    assert done.document()["results"][0]["gsb"] == 0.5


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--by", "colour"], "votes.csv: column 'colour' not found in votes"),
        (["--overlap", "2"], "are for --sequential"),
        (["--stop-width", "2"], "are for --sequential"),
        (["-o", "a.html"], "votes have no page"),
        (["--map", "annotator=nobody"], "no column 'nobody'"),
        (["-o", "nowhere/a.json"], "nowhere does not exist"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(
    gsb: Gsb, more: list[str], message: str
) -> None:
    done = gsb(*more)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_bad_vote_is_refused_with_its_place(gsb: Gsb) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference\nq,ann,1\nr,ann,great\n")
    done = gsb()
    assert done.code == 2
    assert "votes.csv: row 3, column preference, query 'r'" in done.err
    assert "'great'" in done.err


def test_sequential_needs_a_position(gsb: Gsb) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference\nq,ann,1\n")
    done = gsb("--sequential")
    assert done.code == 2
    assert "has no position" in done.err


def test_votes_of_which_none_counts_are_refused(gsb: Gsb) -> None:
    Path("votes.csv").write_text("query_id,annotator,preference,kind\nq,ann,1,gold\n")
    done = gsb()
    assert done.code == 2
    assert "none of the votes counts: 1 gold" in done.err


def test_the_file_that_is_read_is_not_written_over(gsb: Gsb) -> None:
    for output in ("votes.csv", "./votes.csv"):
        done = gsb("-o", output)
        assert done.code == 2
        assert f"{output} is read by this command; write to another file" in done.err
    assert Path("votes.csv").read_text() == VOTES
    assert gsb("-o", "figures.csv").code == 0
    assert gsb("-o", "figures.csv").code == 0  # an older result may be replaced


# ------------------------------------------------------------------ what is loaded


def test_no_model_library_and_no_page_is_loaded(gsb: Gsb) -> None:
    program = (
        "import sys; sys.argv = ['evalkit', 'gsb', 'votes.csv']\n"
        "from evalkit.cli import main\n"
        "main()\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "sklearn" in loaded
    assert not loaded & {"torch", "transformers", "faiss", "streamlit", "plotly", "sqlalchemy"}
