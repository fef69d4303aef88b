"""`evalkit score`: every option does what it says, on files small enough to count by hand."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable

    Score = Callable[..., Any]

COMPARED = {
    *("measure", "cutoff", "segment", "queries", "control", "treatment", "delta", "relative"),
    *("ci_low", "ci_high", "p", "p_holm", "improved", "same", "worse", "mde"),
    *("judged_control", "judged_treatment"),
}
BOUNDS = {f"{end}_{of}" for end in ("lower", "upper") for of in ("control", "treatment", "delta")}


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-12)


def has(row: dict[str, Any], **expected: Any) -> None:
    """Every named field of a row has its expected value, numbers to 1e-12."""
    found = {name: row[name] for name in expected}
    assert found == {
        name: near(value) if isinstance(value, float) else value for name, value in expected.items()
    }


def table_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text)))


# ---------------------------------------------------------------- the worked figures


def test_item_goodrate_is_pooled_over_the_items_shown(score: Score) -> None:
    has(
        score().row("item_goodrate"),
        queries=4,
        control=4 / 9,
        treatment=6 / 11,
        delta=6 / 11 - 4 / 9,
        relative=(6 / 11 - 4 / 9) / (4 / 9),
        improved=2,
        same=2,
        worse=0,
        judged_control=8 / 9,
        judged_treatment=10 / 11,
    )


def test_the_interval_of_item_goodrate_is_the_delta_method_over_queries(score: Score) -> None:
    row = score().row("item_goodrate")
    good, shown = ([1, 0, 3, 0], [3, 3, 3, 0]), ([2, 1, 3, 0], [3, 2, 3, 3])
    control = [(g - 4 / 9 * d) / (9 / 4) for g, d in zip(*good, strict=True)]
    treatment = [(g - 6 / 11 * d) / (11 / 4) for g, d in zip(*shown, strict=True)]
    e = [t - c for t, c in zip(treatment, control, strict=True)]
    se = math.sqrt(sum((x - sum(e) / 4) ** 2 for x in e) / 3 / 4)
    half = float(stats.t.ppf(0.975, 3)) * se
    has(row, ci_low=row["delta"] - half, ci_high=row["delta"] + half)
    z = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert row["mde"] == pytest.approx(z * se, abs=1e-9)


def test_the_swap_test_enumerates_all_exchanges_of_few_queries(score: Score) -> None:
    control, treatment = [(1, 3), (0, 3), (3, 3), (0, 0)], [(2, 3), (1, 2), (3, 3), (0, 3)]

    def delta(swapped: tuple[int, ...]) -> float:
        c = [t if swap else c for c, t, swap in zip(control, treatment, swapped, strict=True)]
        t = [c if swap else t for c, t, swap in zip(control, treatment, swapped, strict=True)]
        return sum(g for g, _ in t) / sum(d for _, d in t) - sum(g for g, _ in c) / sum(
            d for _, d in c
        )

    seen = [abs(delta(swapped)) for swapped in itertools.product((0, 1), repeat=4)]
    share = sum(value >= seen[0] - 1e-12 for value in seen) / len(seen)
    has(score("--average", "pooled").row("item_goodrate"), p=share)


def test_query_goodrate_has_tangos_interval_and_mcnemars_p(score: Score) -> None:
    row = score().row("query_goodrate")
    has(row, control=0.5, treatment=0.75, delta=0.25, p=1.0, improved=1, same=3, worse=0)
    # Tango's interval for b = 1, c = 0, n = 4, from solving its score equation by bisection.
    has(row, ci_low=_tango(1, 0, 4, -1), ci_high=_tango(1, 0, 4, 1))


def _tango(b: int, c: int, n: int, side: int) -> float:
    """Solve |score(delta)| = z by bisection, on one side of the estimate."""
    z = float(stats.norm.ppf(0.975))

    def statistic(delta: float) -> float:
        p = 2 * n
        q = -b - c + (2 * n - b + c) * delta
        r = -c * delta * (1 - delta)
        q21 = (math.sqrt(q * q - 4 * p * r) - q) / (2 * p)
        variance = n * (2 * q21 + delta * (1 - delta))
        return abs(b - c - n * delta) / math.sqrt(variance) if variance > 0 else math.inf

    inside, outside = (b - c) / n, float(side)
    for _ in range(200):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if statistic(middle) < z else (inside, middle)
    return inside


def test_gsb_counts_queries_with_more_good_items(score: Score) -> None:
    row = score().row("gsb")
    has(row, control=None, treatment=None, relative=None, delta=0.5, p=0.5, p_holm=None)
    has(row, good=2, same=2, bad=0, win_rate=1.0, good_or_same_ratio=2.0)
    # Trinomial: (p_G + p_B - (p_G - p_B)^2) / n
    half = float(stats.norm.ppf(0.975)) * math.sqrt((0.5 - 0.25) / 4)
    has(row, ci_low=0.5 - half, ci_high=0.5 + half)


def test_standard_measures_of_the_worked_runs(score: Score) -> None:
    done = score("--measures", "precision,recall,success,mrr,map,bpref,judged,ndcg")
    has(done.row("precision"), control=4 / 12, treatment=6 / 12)
    has(done.row("success"), control=2 / 4, treatment=3 / 4)
    has(done.row("mrr", None), control=(1 / 3 + 0 + 1 + 0) / 4, treatment=(1 + 1 + 1 + 0) / 4)
    # Good products in the judgments: q1 3, q2 1, q3 6, q4 none.
    has(done.row("recall"), control=(1 / 3 + 0 + 3 / 6) / 4, treatment=(2 / 3 + 1 + 3 / 6) / 4)
    has(done.row("map", None), control=(1 / 9 + 0 + 3 / 6) / 4, treatment=(2 / 3 + 1 + 3 / 6) / 4)
    # bpref: c13 of q1 stands below 2 bad ones, of at most min(3 good, 3 bad) = 3.
    has(done.row("bpref", None), control=((1 - 2 / 3) / 3 + 0 + 3 / 6) / 4)
    has(done.row("judged"), control=8 / 9, treatment=10 / 11)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    q1 = (1 + 1 / math.log2(3)) / ideal
    has(done.row("ndcg"), control=((1 / 2) / ideal + 0 + 1 + 0) / 4, treatment=(q1 + 1 + 1) / 4)


def test_segments_are_computed_from_their_own_rows(score: Score) -> None:
    done = score("--by", "query_type")
    has(done.row("item_goodrate", query_type="negative"), control=1 / 6, treatment=3 / 5, queries=2)
    has(done.row("query_goodrate", query_type="negative"), control=0.5, treatment=1.0)
    has(done.row("item_goodrate", query_type="knowledge"), control=1.0, treatment=0.5, queries=2)
    has(done.row("item_goodrate"), control=4 / 9)


def test_the_query_set_and_the_warnings_are_told(score: Score) -> None:
    document = score().document()
    query_set = dict(document["query_set"])
    assert query_set.pop("fingerprint").startswith("sha256:")
    assert list(query_set.pop("columns")) == ["query_id", "query"]
    assert query_set == {
        "source": "queries file",
        "size": 4,
        "judged": 4,
        "in_control": 3,
        "in_treatment": 4,
        "in_both": 3,
    }
    shown, missing = document["warnings"]
    assert "the treatment shows 11 items, the control 9 (+22.2%)" in shown
    assert missing == "control: queries without results, 1 in all: 'q4'."


def test_without_a_queries_file_the_judged_queries_are_the_query_set(
    evalkit: Score, files: Path
) -> None:
    judged = Path("judgments.csv").read_text().splitlines()
    Path("few.csv").write_text("\n".join(line for line in judged if "q4" not in line) + "\n")
    pair = ("--control", "control.run", "--treatment", "treatment.parquet")
    done = evalkit("score", *pair, "--judgments", "few.csv", "--at", 3, "--format", "json")
    assert done.document()["query_set"]["source"] == "judgments"
    has(done.row("query_goodrate"), queries=3, control=2 / 3, treatment=1.0)
    assert (
        "treatment: queries outside the query set are left out, 1 in all: 'q4'."
        in (done.document()["warnings"])
    )


# ---------------------------------------------------------------- the shape of the outputs


def test_json_has_the_structure_that_readers_rely_on(score: Score) -> None:
    document = score("--by", "query_type").document()
    assert set(document) == {
        *("kind", "settings", "query_set", "judge", "systems"),
        *("warnings", "inputs", "runs", "results"),
    }
    for path, entry in zip(
        ["control.run", "treatment.parquet", "judgments.csv", "queries.tsv"],
        document["inputs"],
        strict=True,
    ):
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        rows = {"control.run": 9, "treatment.parquet": 11, "judgments.csv": 18, "queries.tsv": 4}
        assert entry == {"path": path, "fingerprint": f"sha256:{digest}", "rows": rows[path]}
    counts = {"good", "bad", "win_rate", "good_or_same_ratio", "identical", "without_identical"}
    assert len(document["results"]) == 4 * 3
    for row in document["results"]:
        assert set(row) - {"note"} == (COMPARED | counts if row["measure"] == "gsb" else COMPARED)


def test_settings_record_everything_that_was_chosen(score: Score) -> None:
    settings = score(
        *("--at", "3,2", "--by", "query_type", "--seed", 7, "--min-good", 2, "--margin", 1),
        *("--unjudged", "bounds", "--measures", "item_goodrate,gsb", "--primary", "gsb"),
    ).document()["settings"]
    assert settings == {
        "cutoffs": [3, 2],
        "good": 1.0,
        "good_labels": None,
        "gains": None,
        "order": None,
        "ties": "id",
        "unjudged": "bounds",
        "average": "pooled",
        "depth": "shown",
        "min_good": 2,
        "margin": 1.0,
        "measures": ["item_goodrate", "gsb"],
        "by": ["query_type"],
        "primary": ["gsb"],
        "ci": "default",
        "seed": 7,
        "weighted": False,
        "query_goodrate_from": "items",
        "source": None,
        "aggregate": None,
        "on_duplicate": "error",
        "map": {},
        "formats": {},
    }


def test_a_number_that_does_not_exist_is_null_with_a_note(score: Score) -> None:
    Path("none.csv").write_text("query_id,product_id,rank\nq9,x,1\n")
    done = score("--control", "none.csv")
    row = done.row("item_goodrate")
    has(row, control=None, delta=None, ci_low=None, p=None)
    assert "shown" in row["note"]
    has(row, judged_control=None, treatment=6 / 11)
    assert "NaN" not in done.out


def test_one_query_has_a_difference_but_no_interval(score: Score) -> None:
    Path("one.csv").write_text("query_id\nq1\n")
    row = score("--queries", "one.csv").row("item_goodrate")
    has(row, delta=1 / 3, ci_low=None, ci_high=None, mde=None)
    assert row["note"].endswith("fewer than 2 queries")


def test_single_runs_are_named_and_have_absolute_values(score_run: Score) -> None:
    done = score_run("--run", "today=control.run", "--run", "treatment.parquet")
    document = done.document()
    assert document["query_set"]["in_runs"] == {"today": 3, "treatment": 4}
    rows = {(row["measure"], row["system"]): row for row in document["results"]}
    assert list(rows) == [
        (measure, system)
        for measure in ("item_goodrate", "query_goodrate", "ndcg")
        for system in ("today", "treatment")
    ]
    has(rows["item_goodrate", "today"], value=4 / 9, judged=8 / 9, queries=4, cutoff=3)
    has(rows["query_goodrate", "treatment"], value=3 / 4)
    # Wilson's interval of 3 in 4
    z = float(stats.norm.ppf(0.975))
    middle, half = (
        (3 + z * z / 2) / (4 + z * z),
        z * math.sqrt(3 / 4 * 1 / 4 / 4 + z * z / 64) / (1 + z * z / 4),
    )
    has(rows["query_goodrate", "treatment"], ci_low=middle - half, ci_high=middle + half)
    expected = {"measure", "cutoff", "segment", "queries", "system", "value", "ci_low", "ci_high"}
    assert {frozenset(set(row) - {"note"}) for row in rows.values()} == {
        frozenset({*expected, "judged"})
    }


def test_single_runs_are_single_runs_whatever_they_are_called(score_run: Score) -> None:
    done = score_run("--run", "control=control.run", "--run", "treatment=treatment.parquet")
    rows = done.document()["results"]
    assert {row["system"] for row in rows} == {"control", "treatment"}
    assert all("delta" not in row for row in rows)


def test_csv_has_a_line_a_result_and_a_column_a_segment(score: Score) -> None:
    lines = table_of(score("--by", "query_type", "--format", "csv").out)
    document = score("--by", "query_type").document()
    assert len(lines) == len(document["results"])
    assert list(lines[0])[:6] == [
        *("measure", "cutoff", "query_type", "queries", "control", "treatment")
    ]
    for line, row in zip(lines, document["results"], strict=True):
        assert line["query_type"] == row["segment"].get("query_type", "")
        assert line["delta"] == ("" if row["delta"] is None else repr(row["delta"]))


def test_markdown_is_a_table_of_points(score: Score) -> None:
    lines = score("--format", "markdown").out.splitlines()
    row = next(line for line in lines if line.startswith("| Item Goodrate@3 |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == ["4", "44.44", "54.55", "+10.10"]
    assert "| --- | ---: |" in "\n".join(lines)


def test_the_table_reads_in_points_with_warnings_below(score: Score) -> None:
    text = score("--format", "table").out
    row = next(line for line in text.splitlines() if line.startswith("Item Goodrate@3"))
    assert row.split()[2:6] == ["4", "44.44", "54.55", "+10.10"]
    assert "88.9→90.9" in row
    assert "\x1b" not in text
    assert text.index("Warnings (2)") > text.index("GSB@3")


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("scores.json", '{\n  "kind": "score"'),
        ("scores.csv", "measure,cutoff"),
        ("scores.md", "**Query set"),
        ("scores.txt", "Query set: 4 queries"),
        ("scores.html", "<!doctype html>"),
    ],
)
def test_the_name_of_the_output_chooses_its_form(
    evalkit: Score, files: Path, name: str, starts: str
) -> None:
    done = evalkit(
        *("score", "--control", "control.run", "--treatment", "treatment.parquet"),
        *("--judgments", "judgments.csv", "-o", name),
    )
    assert (done.code, done.out) == (0, "")
    assert Path(name).read_text(encoding="utf-8").startswith(starts)


def test_the_page_stands_alone_and_shows_titles_of_the_biggest_moves(score: Score) -> None:
    Path("products.jsonl").write_text('{"product_id": "t21", "title": "Rain coat Wren"}\n')
    done = score("--products", "products.jsonl", "--format", "html", "-o", "report.html")
    assert (done.code, done.out, done.err) == (0, "", "Wrote report.html\n")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "Rain coat Wren" in page
    assert 'src="http' not in page
    assert len(page.encode()) < 7_000_000


def test_values_of_every_query_go_to_a_file_of_any_format(score: Score) -> None:
    for name in ("queries_moved.csv", "queries_moved.parquet"):
        done = score("--by", "query_type", "--at", "3,2", "--per-query", name)
        assert done.code == 0
    lines = table_of(Path("queries_moved.csv").read_text())
    assert list(lines[0]) == [
        *("query_id", "query_type", "measure", "cutoff", "control", "treatment", "delta"),
        *("weight_control", "weight_treatment", "judged_control", "judged_treatment"),
    ]
    assert len(lines) == 4 * 4 * 2
    table = pq.read_table("queries_moved.parquet").to_pylist()
    row = next(
        row
        for row in table
        if (row["query_id"], row["measure"], row["cutoff"]) == ("q2", "item_goodrate", 3)
    )
    has(row, query_type="negative", control=0.0, treatment=0.5, judged_control=2 / 3)
    empty = next(row for row in table if row["query_id"] == "q4" and row["cutoff"] == 3)
    has(empty, control=0.0, judged_control=None)
    verdicts = {row["query_id"]: row for row in table if row["measure"] == "gsb"}
    assert verdicts["q1"]["control"] is None
    assert [verdicts[query]["delta"] for query in ("q1", "q2", "q3", "q4")] == [1, 1, 0, 0]


def test_values_of_every_query_name_the_system_of_single_runs(score_run: Score) -> None:
    done = score_run("--run", "today=control.run", "--per-query", "moved.csv")
    assert done.code == 0
    lines = table_of(Path("moved.csv").read_text())
    assert list(lines[0]) == [
        *("query_id", "measure", "cutoff", "system", "value", "weight", "judged")
    ]
    assert {line["system"] for line in lines} == {"today"}


# ---------------------------------------------------------------- what is read


def test_the_same_figures_come_from_every_mixture_of_formats(score: Score) -> None:
    first = score().document()["results"]
    Path("control.csv").write_text(
        "qid,asin,sim\n"
        + "".join(
            f"{query},{product},{value}\n"
            for query, _, product, _, value, _ in map(
                str.split, Path("control.run").read_text().splitlines()
            )
        )
    )
    rows = pq.read_table("treatment.parquet").to_pylist()
    Path("treatment.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = [line.split(",") for line in Path("judgments.csv").read_text().splitlines()[1:]]
    Path("judgments.qrels").write_text(
        "".join(f"{query} 0 {product} {grade}\n" for query, product, grade in judged)
    )
    compressed = pa.compress(Path("judgments.qrels").read_bytes(), codec="zstd", asbytes=True)
    Path("judgments.qrels.zst").write_bytes(compressed)
    second = score(
        *("--control", "control.csv", "--treatment", "treatment.jsonl"),
        *("--qrels", "judgments.qrels.zst"),
    )
    assert second.document()["results"] == first


def test_map_names_a_column_for_all_tables_or_for_one(score: Score) -> None:
    Path("run.csv").write_text("search,item_number,place\nq1,t11,1\nq2,t21,1\n")
    Path("stars.csv").write_text("search,item_number,stars,stars_old\nq1,t11,1,0\nq2,t21,1,0\n")
    done = score(
        *("--control", "run.csv", "--treatment", "run.csv", "--judgments", "stars.csv"),
        *("--map", "run.query_id=search", "--map", "judgments.query_id=search"),
        *("--map", "rank=place", "--map", "judgments.grade=stars"),
        *("--map", "run.product_id=item_number", "--map", "judgments.product_id=item_number"),
    )
    has(done.row("item_goodrate"), control=1.0, queries=4)


def test_map_without_a_table_is_for_every_table_that_has_the_column(score: Score) -> None:
    Path("run.csv").write_text("query_id,item_number,rank\nq1,t11,1\n")
    Path("grades.csv").write_text("query_id,item_number,grade\nq1,t11,1\n")
    done = score(
        *("--control", "run.csv", "--treatment", "run.csv", "--judgments", "grades.csv"),
        *("--map", "product_id=item_number"),
    )
    has(done.row("item_goodrate"), control=1.0)


def test_a_format_is_named_where_the_name_does_not_tell(score: Score) -> None:
    Path("control.dat").write_bytes(Path("control.run").read_bytes())
    Path("queries.dat").write_text("query_id,query\nq1,a\nq2,b\nq3,c\nq4,d\n")
    Path("judgments.dat").write_text(
        Path("judgments.csv").read_text().replace("docno", "product_id").replace(",", "\t")
    )
    done = score(
        *("--run-format", "trec", "--control", "control.dat", "--treatment", "control.dat"),
        *("--judgments", "judgments.dat", "--judgments-format", "tsv"),
        *("--queries", "queries.dat", "--queries-format", "csv"),
    )
    has(done.row("item_goodrate"), control=4 / 9, treatment=4 / 9)


def test_one_source_of_judgments_is_scored(score: Score) -> None:
    Path("two.csv").write_text(
        "query_id,product_id,grade,source\n"
        "q1,t11,1,human\nq1,t11,0,llm\nq1,c11,0,human\nq1,c11,1,llm\n"
    )
    human = score("--judgments", "two.csv", "--source", "human", "--at", 1)
    has(human.row("query_goodrate", 1), control=0.0, treatment=0.25)
    llm = score("--judgments", "two.csv", "--source", "llm", "--at", 1)
    has(llm.row("query_goodrate", 1), control=0.25, treatment=0.0)
    assert llm.document()["settings"]["source"] == "llm"


def test_grades_of_several_annotators_become_one(score: Score) -> None:
    rows = [
        *[("t11", "x", 2), ("t11", "y", 2), ("t11", "z", 0)],
        *[("c11", "x", 0), ("c11", "y", 1), ("c11", "z", 3)],
    ]
    Path("votes.csv").write_text(
        "query_id,product_id,annotator,grade\n"
        + "".join(f"q1,{product},{who},{grade}\n" for product, who, grade in rows)
    )
    options = ("--judgments", "votes.csv", "--at", 1, "--measures", "success")
    # The median of 0, 1, 3 is 1; the most frequent of three different grades is the lowest.
    median = score(*options, "--aggregate", "median")
    has(median.row("success", 1), control=0.25, treatment=0.25)
    majority = score(*options, "--aggregate", "majority")
    has(majority.row("success", 1), control=0.0, treatment=0.25)


def test_a_repeated_product_is_kept_once_when_asked(score: Score) -> None:
    Path("twice.csv").write_text("query_id,product_id,rank\nq1,t11,1\nq1,t11,2\nq1,t13,3\n")
    done = score("--control", "twice.csv", "--treatment", "twice.csv", "--on-duplicate", "first")
    has(done.row("item_goodrate"), control=1 / 2)
    assert (
        "twice.csv: 1 repeated products were left out (--on-duplicate first)."
        in (done.document()["warnings"])
    )


def test_weights_count_queries_by_their_traffic(score: Score) -> None:
    Path("weights.csv").write_text("query_id,weight\nq1,3\nq2,1\nq3,1\nq4,1\n")
    done = score("--queries", "weights.csv")
    has(done.row("item_goodrate"), control=(3 * 1 + 0 + 3) / (3 * 3 + 3 + 3), treatment=10 / 17)
    has(done.row("query_goodrate"), control=4 / 6, treatment=5 / 6)
    assert done.document()["settings"]["weighted"] is True


# ---------------------------------------------------------------- what counts as what


def test_good_is_the_smallest_grade_that_is_good(score: Score) -> None:
    Path("graded.csv").write_text(
        "query_id,product_id,grade\nq1,c11,2\nq1,c12,1\nq1,t11,3\nq1,t12,2\n"
    )
    options = ("--judgments", "graded.csv", "--at", 2, "--measures", "precision")
    for threshold, control, treatment in ((1, 2, 2), (2, 1, 2), (2.5, 0, 1), (4, 0, 0)):
        row = score(*options, "--good", threshold).row("precision", 2)
        has(row, control=control / 2 / 4, treatment=treatment / 2 / 4)


LABELS = "query_id,product_id,esci_label\nq1,c11,C\nq1,c12,S\nq1,t11,E\nq1,t12,I\n"


def test_good_labels_are_good_and_graded_measures_say_that_they_need_gains(score: Score) -> None:
    Path("labels.csv").write_text(LABELS)
    options = ("--judgments", "labels.csv", "--at", 2, "--measures", "precision,ndcg")
    done = score(*options, "--good-labels", "E,S")
    has(done.row("precision", 2), control=1 / 2 / 4, treatment=1 / 2 / 4)
    has(done.row("ndcg", 2), control=None, delta=None)
    assert "gains" in done.row("ndcg", 2)["note"]


def test_gains_grade_labels_for_ndcg(score: Score) -> None:
    Path("labels.csv").write_text(LABELS)
    done = score(
        *("--judgments", "labels.csv", "--at", 2, "--measures", "precision,ndcg"),
        *("--good-labels", "E,S", "--gains", "E=3,S=2,C=1,I=0"),
    )
    ideal = 3 + 2 / math.log2(3)
    has(done.row("precision", 2), control=1 / 2 / 4)
    has(done.row("ndcg", 2), control=(1 + 2 / math.log2(3)) / ideal / 4, treatment=3 / ideal / 4)


def test_a_negative_grade_is_pooled_but_not_judged(score: Score) -> None:
    Path("pooled.csv").write_text("query_id,product_id,grade\nq1,t11,-1\nq1,t12,1\n")
    row = score("--judgments", "pooled.csv", "--at", 2).row("item_goodrate", 2)
    has(row, treatment=1 / 8, judged_treatment=1 / 8)


def test_unjudged_items_are_dropped_before_the_cutoff(score: Score) -> None:
    done = score("--unjudged", "drop")
    has(done.row("item_goodrate"), control=4 / 8, treatment=6 / 10, judged_control=8 / 9)


def test_unjudged_items_bound_the_figures_and_their_difference(score: Score) -> None:
    done = score("--unjudged", "bounds")
    row = done.row("item_goodrate")
    assert set(row) == COMPARED | BOUNDS
    has(row, control=4 / 9, lower_control=4 / 9, upper_control=5 / 9)
    has(row, treatment=6 / 11, lower_treatment=6 / 11, upper_treatment=7 / 11)
    has(row, lower_delta=6 / 11 - 5 / 9, upper_delta=7 / 11 - 4 / 9)
    has(done.row("query_goodrate"), upper_control=3 / 4, lower_delta=0.0, upper_delta=0.25)
    has(done.row("gsb"), lower_control=None, lower_delta=0.25, upper_delta=0.5)


def test_one_product_has_one_grade_in_both_runs(score: Score) -> None:
    Path("control.run").write_text(Path("control.run").read_text().replace("c22", "t22"))
    row = score("--unjudged", "bounds").row("item_goodrate")
    has(row, lower_delta=7 / 11 - 5 / 9, upper_delta=6 / 11 - 4 / 9)


def test_item_goodrate_can_be_averaged_over_queries_or_of_fixed_depth(score: Score) -> None:
    has(score("--average", "query").row("item_goodrate"), control=(1 / 3 + 0 + 1) / 3)
    has(score("--average", "query").row("item_goodrate"), treatment=(2 / 3 + 1 / 2 + 1 + 0) / 4)
    has(score("--depth", "fixed").row("item_goodrate"), control=4 / 12, treatment=6 / 12)


def test_min_good_asks_for_more_good_items_a_query(score: Score) -> None:
    has(score("--min-good", 2).row("query_goodrate"), control=1 / 4, treatment=2 / 4)
    has(score("--min-good", 4).row("query_goodrate"), control=0.0, treatment=0.0)


def test_margin_asks_for_a_larger_win(score: Score) -> None:
    Path("better.csv").write_text(
        "query_id,product_id,rank\nq1,t11,1\nq1,t12,2\nq1,c13,3\nq2,t21,1\nq3,t31,1\nq3,t32,2\n"
    )
    # q1 gains 2, q2 gains 1, q3 loses 1.
    has(score("--treatment", "better.csv").row("gsb"), good=2, same=1, bad=1, win_rate=2 / 3)
    wide = score("--treatment", "better.csv", "--margin", 1)
    has(wide.row("gsb"), good=1, same=3, bad=0, delta=0.25)


def test_identical_lists_are_counted_and_gsb_stands_without_them(score: Score) -> None:
    rows = "q1,t11,1\nq1,t12,2\nq1,t13,3\nq2,t21,1\nq2,t22,2\nq3,c31,10\nq3,c32,20\nq3,c33,30\n"
    Path("same.csv").write_text(f"query_id,product_id,rank\n{rows}")
    # q1 and q2 are Good, q3 has one list in both runs, q4 none in either.
    done = score("--treatment", "same.csv", "--by", "query_type")
    has(done.row("gsb"), good=2, same=2, bad=0, delta=0.5, identical=2, without_identical=1.0)
    of_knowledge = done.row("gsb", query_type="knowledge")
    has(of_knowledge, queries=2, delta=0.0, identical=2, without_identical=None)
    assert "no GSB without identical lists" in of_knowledge["note"]
    (line, *_) = table_of(score("--treatment", "same.csv", "--format", "csv").out)[2:]
    assert (line["measure"], line["identical"], line["without_identical"]) == ("gsb", "2", "1.0")
    text = score("--treatment", "same.csv", "--format", "table").out
    assert "GSB without the 2 queries whose lists are identical: +100.00\n" in text
    has(score().row("gsb"), identical=0, without_identical=0.5)
    assert "lists are identical" not in score("--format", "table").out


def test_order_chooses_between_rank_and_score(score: Score) -> None:
    Path("both.csv").write_text("query_id,product_id,rank,score\nq1,t11,2,9.5\nq1,t13,1,3.5\n")
    options = ("--control", "both.csv", "--treatment", "both.csv", "--at", 1)
    has(score(*options).row("query_goodrate", 1), control=0.0)
    by_rank = score(*options, "--order", "rank")
    has(by_rank.row("query_goodrate", 1), control=0.0)
    by_score = score(*options, "--order", "score")
    has(by_score.row("query_goodrate", 1), control=0.25)


def test_a_trec_file_is_ordered_by_score_unless_told(score: Score) -> None:
    Path("contrary.run").write_text("q1 Q0 t13 1 1.0 x\nq1 Q0 t11 2 2.0 x\n")
    options = ("--control", "contrary.run", "--treatment", "contrary.run", "--at", 1)
    has(score(*options).row("query_goodrate", 1), control=0.25)
    has(score(*options, "--order", "rank").row("query_goodrate", 1), control=0.0)


@pytest.fixture
def tied(files: Path) -> tuple[object, ...]:
    """Three tied products of q1, one of them good: t11 good, c11 and c12 bad."""
    Path("tied.run").write_text("q1 Q0 c11 1 5 x\nq1 Q0 t11 2 5 x\nq1 Q0 c12 3 5 x\n")
    Path("q1.csv").write_text("query_id\nq1\n")
    return ("--run", "tied.run", "--queries", "q1.csv", "--at", 1, "--measures", "success,mrr")


def test_ties_are_broken_by_product_id_descending(score_run: Score, tied: tuple[object]) -> None:
    done = score_run(*tied)
    has(done.row("success", 1), value=1.0)  # t11 > c12 > c11, byte by byte
    assert any("100.0% of the rows in the top 1 are tied" in w for w in done.document()["warnings"])


def test_ties_can_be_averaged_over_all_orders(score_run: Score, tied: tuple[object]) -> None:
    done = score_run(*tied, "--ties", "expected")
    has(done.row("success", 1), value=1 / 3)
    has(done.row("mrr", None), value=None, note="its expectation over tied orders is not offered")


def test_ties_can_bound_a_figure(score_run: Score, tied: tuple[object]) -> None:
    done = score_run(*tied, "--ties", "bounds")
    assert {name: value for name, value in done.row("success", 1).items() if "ties" in name} == {
        "ties_lower": 0.0,
        "ties_upper": 1.0,
    }


def test_tied_orders_bound_the_difference(score: Score) -> None:
    Path("tied.run").write_text("q1 Q0 c11 1 5 x\nq1 Q0 t11 2 5 x\nq1 Q0 c12 3 5 x\n")
    row = score("--treatment", "tied.run", "--ties", "bounds", "--at", 1).row("query_goodrate", 1)
    has(row, control=0.25, treatment=0.25, delta=0.0)  # the control's q3 is good at 1
    has(row, ties_lower_control=0.25, ties_upper_control=0.25)
    has(row, ties_lower_treatment=0.0, ties_upper_treatment=0.25)
    has(row, ties_lower_delta=-0.25, ties_upper_delta=0.0)


# ---------------------------------------------------------------- measures, intervals, tests


def test_every_cutoff_has_its_rows_and_the_first_is_primary(score: Score) -> None:
    done = score("--at", "2,3", "--measures", "query_goodrate,mrr")
    assert [(row["measure"], row["cutoff"]) for row in done.document()["results"]] == [
        ("query_goodrate", 2),
        ("query_goodrate", 3),
        ("mrr", None),
    ]
    has(done.row("query_goodrate", 2), control=1 / 4, treatment=3 / 4, p_holm=0.5)
    has(done.row("query_goodrate", 3), p_holm=None)


def test_holm_covers_the_primary_measures_overall_and_in_segments(score: Score) -> None:
    done = score("--by", "query_type", "--primary", "ndcg")
    rows = done.document()["results"]
    family = [row for row in rows if row["p_holm"] is not None]
    assert [(row["measure"], row["segment"]) for row in family] == [
        ("ndcg", {}),
        ("ndcg", {"query_type": "knowledge"}),
        ("ndcg", {"query_type": "negative"}),
    ]
    assert [row["p"] for row in family] == [0.5, 1.0, 0.5]
    assert [row["p_holm"] for row in family] == [1.0, 1.0, 1.0]


def test_the_bootstrap_gives_an_interval_and_no_p(score: Score) -> None:
    first = score("--ci", "bootstrap").row("item_goodrate")
    has(first, control=4 / 9, p=None, p_holm=None)
    assert first["ci_low"] < first["delta"] < first["ci_high"]
    assert first["ci_low"] != score().row("item_goodrate")["ci_low"]


def test_the_same_seed_gives_the_same_bytes(score: Score) -> None:
    # 20 queries that differ: more than the swap test enumerates.
    rows = range(20)
    Path("a.csv").write_text("query_id,product_id,rank\n" + "".join(f"q{i},a,1\n" for i in rows))
    Path("b.csv").write_text("query_id,product_id,rank\n" + "".join(f"q{i},b,1\n" for i in rows))
    Path("grades.csv").write_text(
        "query_id,product_id,grade\n"
        + "".join(f"q{i},a,{int(i % 3 == 0)}\nq{i},b,{int(i % 3 > 0)}\n" for i in rows)
    )
    pair = ("--control", "a.csv", "--treatment", "b.csv", "--judgments", "grades.csv")
    for ci in ("default", "bootstrap"):
        options = (*pair, "--queries", "a.csv", "--ci", ci, "--at", 1)
        first = score(*options, "--seed", 1).out
        assert score(*options, "--seed", 1).out == first
        other = json.loads(score(*options, "--seed", 2).out)
        assert other["results"] != json.loads(first)["results"]


def test_query_goodrate_comes_from_page_grades_when_people_gave_them(score: Score) -> None:
    # q1: two of three call the treatment's page good or mid. q3: one of two does, which is a tie.
    Path("pages.csv").write_text(
        "query_id,system,page_grade,annotator\n"
        "q1,control,bad,x\nq1,treatment,good,x\nq1,treatment,mid,y\nq1,treatment,bad,z\n"
        "q2,control,bad,x\nq2,treatment,mid,x\n"
        "q3,control,mid,x\nq3,treatment,bad,x\nq3,treatment,good,y\n"
    )
    done = score("--page-grades", "pages.csv")
    row = done.row("query_goodrate", cutoff=None)  # a page grade has no cutoff
    has(row, control=1 / 3, treatment=2 / 3, improved=2, same=0, worse=1)
    assert row["note"] == "from people's page grades of 3 queries"
    assert done.document()["settings"]["query_goodrate_from"] == "page grades"
    has(done.row("item_goodrate"), control=4 / 9)


# ---------------------------------------------------------------- the sample shop


@pytest.fixture(scope="module")
def shop() -> Path:
    return Path(__file__).parents[2] / "sample_data"


def test_the_sample_shop_is_scored_by_query_type(
    evalkit: Score, shop: Path, tmp_path: Path
) -> None:
    """A run made of the judgments: for every query its products by grade, best first."""
    graded = table_of((shop / "judgments.csv").read_text(encoding="utf-8"))
    lists: dict[str, list[dict[str, str]]] = {}
    for row in graded:
        lists.setdefault(row["query_id"], []).append(row)
    for name, key in (("best", -1), ("worst", 1)):
        with (tmp_path / f"{name}.tsv").open("w") as file:
            file.write("query_id\tproduct_id\trank\n")
            for query, rows in lists.items():
                rows.sort(key=lambda row: (key * int(row["grade"]), row["product_id"]))
                for rank, row in enumerate(rows[:10], 1):
                    file.write(f"{query}\t{row['product_id']}\t{rank}\n")
    done = evalkit(
        *("score", "--control", tmp_path / "worst.tsv", "--treatment", tmp_path / "best.tsv"),
        *("--judgments", shop / "judgments.csv", "--queries", shop / "queries.csv"),
        *("--good", 2, "--by", "query_type", "--format", "json"),
    )
    good = {
        query: min(10, sum(int(row["grade"]) >= 2 for row in rows)) for query, rows in lists.items()
    }
    has(done.row("query_goodrate", 10), control=0.0, treatment=157 / 160)  # three have no good one
    has(done.row("item_goodrate", 10), control=0.0, treatment=sum(good.values()) / 1600)
    # nDCG knows grade 1 as well: only queries with nothing but zeros have no ideal list.
    some = sum(any(int(row["grade"]) > 0 for row in rows) for rows in lists.values())
    has(done.row("ndcg", 10), treatment=some / 160)
    for kind in ("knowledge", "negative", "alternative", "general"):
        has(done.row("item_goodrate", 10, query_type=kind), queries=40, judged_control=1.0)
    assert done.document()["query_set"]["size"] == 160


@pytest.mark.parametrize("name", ["query_id", "delta", "weight"])
def test_a_column_that_the_results_use_cannot_be_a_segment(score: Score, name: str) -> None:
    Path("taken.csv").write_text("query_id,delta,weight\nq1,5,1\nq2,1,1\n")
    done = score("--queries", "taken.csv", "--by", name)
    assert done.code == 2
    assert f"column '{name}' cannot be a segment" in done.err


def test_cluster_takes_queries_with_the_same_value_as_one(score: Score) -> None:
    found = score("--cluster", "query_type", "--by", "query_type", "--measures", "item_goodrate")
    document = found.document()
    assert document["settings"]["cluster"] == "query_type"
    assert document["query_set"]["families"] == 2
    row = found.row("item_goodrate")
    plain = score("--measures", "item_goodrate").row("item_goodrate")
    assert (row["families"], row["queries"]) == (2, 4)
    assert (row["delta"], row["improved"]) == (plain["delta"], plain["improved"])
    assert row["ci_low"] != plain["ci_low"]
    assert row["p"] in (0.5, 1.0), "two families have four exchanges"
    part = found.row("item_goodrate", query_type="negative")
    assert (part["families"], part["ci_low"], part["p"]) == (1, None, None)
    assert "families" not in plain
    assert "cluster" not in score().document()["settings"]


def test_table_and_page_say_how_many_families_there_are(score: Score) -> None:
    table = score("--cluster", "query_type", "--format", "table")
    assert table.code == 0, table.err
    assert "4 queries in 2 families" in table.out
    page = score("--cluster", "query_type", "--format", "html", "-o", "report.html")
    assert page.code == 0, page.err
    told = Path("report.html").read_text("utf-8")
    assert "4 queries in 2 families" in told
    assert "over families of queries (query_type)" in told
    assert "swap test, which exchanges whole families" in told
    seeds = ("--treatment", "treatment.parquet") * 2
    assert score(*seeds, "--cluster", "query_type").row("query_goodrate")["families"] == 2


def test_cluster_is_refused_where_there_are_no_families(score: Score, score_run: Score) -> None:
    assert "--cluster is for comparisons" in score_run("--run", "control.run",
                                                       "--cluster", "query_type").err  # fmt: skip
    done = score("--cluster", "famly")
    assert done.code == 2
    assert "column 'famly' not found in queries; it has: " in done.err
