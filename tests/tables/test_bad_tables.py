"""Each way in which a file can be bad gives one error: file, row, column, value, remedy, count."""

from __future__ import annotations

import gzip
import os
import re

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError
from evalkit.tables import read


def refusal(kind, path, connection, **options):
    with pytest.raises(InputError) as caught:
        read(kind, path, connection, **options)
    error = caught.value
    assert error.path == str(path)
    assert str(error).startswith(f"{path}: ")
    assert error.remedy
    assert error.remedy in str(error)
    assert len(error.problems) == min(error.total, 10)
    return error


def problems(error):
    return [(p.row, p.column, p.value, p.message) for p in error.problems]


def test_a_missing_file(connection, tmp_path):
    error = refusal("run", tmp_path / "no.run", connection)
    assert "there is no such file" in str(error)
    assert "Check the path" in error.remedy


def test_a_folder(connection, tmp_path):
    assert "is a folder" in str(refusal("run", tmp_path, connection))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(connection, make):
    path = make("a.run", "q1 Q0 a 1 1 s\n")
    path.chmod(0)
    assert "cannot be read (Permission denied)" in str(refusal("run", path, connection))


@pytest.mark.parametrize("name", ["a.run", "a.csv", "a.parquet", "a.jsonl", "a.csv.gz", "a.zst"])
def test_an_empty_file(connection, make, name):
    assert "is empty" in str(refusal("run", make(name, ""), connection))


def test_only_a_byte_order_mark(connection, make):
    assert "is empty" in str(refusal("run", make("a.csv", "\ufeff"), connection))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "query_id,product_id,rank\n", "has columns but no rows"),
        ("a.csv", "query_id,product_id,rank\n\n\n", "has columns but no rows"),
        ("a.tsv", "query_id\tproduct_id\trank", "has columns but no rows"),
        ("a.run", "\n  \n", "has no rows"),
    ],
)
def test_a_header_without_rows(connection, make, name, text, message):
    assert message in str(refusal("run", make(name, text), connection))


def test_parquet_without_rows(connection, tmp_path):
    pq.write_table(pa.table({"query_id": pa.array([], pa.string())}), tmp_path / "q.parquet")
    error = refusal("queries", tmp_path / "q.parquet", connection)
    assert "has columns but no rows" in str(error)


@pytest.mark.parametrize("cut", [0.5, 8, 4])
def test_a_truncated_gzip_file_is_not_taken_for_a_short_one(connection, tmp_path, cut):
    packed = gzip.compress(b"".join(b"q%d Q0 d%d 1 2.5 s\n" % (i, i * 7919) for i in range(9999)))
    kept = int(len(packed) * cut) if cut < 1 else len(packed) - cut
    path = tmp_path / "a.run.gz"
    path.write_bytes(packed[:kept])
    error = refusal("run", path, connection)
    assert "is a damaged or incomplete gzip file" in str(error)
    assert "Copy or write it again" in error.remedy


def test_a_gzip_file_with_a_wrong_checksum(connection, tmp_path):
    packed = gzip.compress(b"q1 Q0 a 1 1 s\n")
    (tmp_path / "a.run.gz").write_bytes(packed[:-8] + b"\0\0\0\0" + packed[-4:])
    error = refusal("run", tmp_path / "a.run.gz", connection)
    assert "is a damaged or incomplete gzip file (CRC check failed" in str(error)


def test_a_truncated_zstd_file(connection, tmp_path):
    text = b"".join(b"q%d Q0 d%d 1 2.5 s\n" % (i, i * 7919) for i in range(9999))
    packed = pa.compress(text, codec="zstd", asbytes=True)
    (tmp_path / "a.run.zst").write_bytes(packed[:-100])
    error = refusal("run", tmp_path / "a.run.zst", connection)
    assert "is a damaged or incomplete zstd file" in str(error)


def test_a_plain_file_called_gz(connection, tmp_path):
    (tmp_path / "a.run.gz").write_text("q1 Q0 a 1 1 s\n")
    error = refusal("run", tmp_path / "a.run.gz", connection)
    assert "ends in .gz but is no gzip file" in str(error)
    assert "Rename it without .gz" in error.remedy


@pytest.mark.parametrize("damage", ["end", "middle", "text"])
def test_damaged_parquet(connection, tmp_path, damage):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"query_id": [f"q{i}" for i in range(9999)], "product_id": ["d"] * 9999,
                  "score": [float(i) for i in range(9999)]}), path)  # fmt: skip
    data = path.read_bytes()
    path.write_bytes({
        "end": data[:-20],
        "middle": data[:100] + b"\xff" * (len(data) // 2) + data[100 + len(data) // 2 :],
        "text": b"query_id,product_id,rank\nq1,a,1\n",
    }[damage])  # fmt: skip
    error = refusal("run", path, connection)
    assert "cannot be read as Parquet (" in str(error)
    assert "\n" not in str(error)


def test_a_trec_line_with_five_fields(connection, make):
    path = make("a.run", "q1 Q0 a 1 2.5 s\n\nq1 Q0 b 2 1.5\n")
    error = refusal("run", path, connection)
    assert problems(error) == [(
        3, None, "q1 Q0 b 2 1.5",
        "5 fields where a TREC run has 6 (query Q0 product rank score tag)",
    )]  # fmt: skip
    assert "ids and tags must hold none" in error.remedy


def test_an_empty_field_between_two_spaces_does_not_hide_a_missing_one(connection, make):
    error = refusal("run", make("a.run", "q1  a 1 2.5 s\n"), connection)
    assert "row 1: 5 fields where a TREC run has 6" in str(error)


def test_a_trec_line_with_seven_fields(connection, make):
    path = make("a.run", "q1 Q0 a 1 2.5 my run\nq1 Q0 b 2 1.5 my run\n")
    error = refusal("run", path, connection)
    assert (error.total, error.row) == (2, 1)
    assert "7 fields where a TREC run has 6" in str(error)


def test_a_headerless_file_with_a_tag_of_several_words_is_refused_as_trec(connection, make):
    path = make("a.txt", "q1\tQ0\ta\t1\t 2.5\tmy run, again\n")
    assert "8 fields where a TREC run has 6" in str(refusal("run", path, connection))


def test_a_tab_inside_a_field_of_a_trec_file_apart_by_spaces(connection, make):
    path = make("a.run", "q1 Q0 a 1 2.5 s\nq1 Q0 b\tc 2 1.5 s\n")
    assert problems(refusal("run", path, connection))[0][0] == 2


def test_wrong_trec_judgments(connection, make):
    path = make("a.qrels", "q1 0 a 1\nq1 0 b 1 extra\n# a comment\n")
    assert problems(refusal("judgments", path, connection)) == [
        (2, None, "q1 0 b 1 extra",
         "5 fields where TREC judgments have 4 (query iteration product grade)"),
        (3, None, "# a comment",
         "3 fields where TREC judgments have 4 (query iteration product grade)"),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("a.tsv", "\t")])
def test_rows_with_too_few_and_too_many_fields(connection, make, name, mark):
    text = "query_id,product_id,rank\nq1,a,1\n\nq1,b\nq1,c,3,x\nq1,d,4,,\n"
    error = refusal("run", make(name, text.replace(",", mark)), connection)
    assert [p[::3] for p in problems(error)] == [
        (4, "2 fields where the header has 3"),
        (5, "4 fields where the header has 3"),
        (6, "5 fields where the header has 3"),
    ]
    assert "in quotes" in error.remedy


def test_a_missing_column_says_which_columns_there_are(connection, make):
    error = refusal("run", make("a.csv", "qid,name,rank\nq1,a,1\n"), connection)
    assert str(error).endswith(
        "no column product_id. The file has: qid, name, rank. Name it with --map product_id=COLUMN."
    )


def test_several_missing_columns_are_counted(connection, make):
    error = refusal("judgments", make("a.csv", "a,b\n1,2\n"), connection)
    assert error.total == 3


def test_a_run_with_neither_rank_nor_score(connection, make):
    error = refusal("run", make("a.csv", "qid,asin,price\nq1,a,1\n"), connection)
    assert "neither a rank nor a score column" in str(error)
    assert "The file has: qid, asin, price." in error.remedy


@pytest.mark.parametrize(("order", "has"), [("rank", "score"), ("score", "rank")])
def test_the_column_that_orders_the_run_must_be_there(connection, make, order, has):
    error = refusal("run", make("a.csv", f"qid,asin,{has}\nq1,a,1\n"), connection, order=order)
    assert f"no column {order}. The file has: qid, asin, {has}." in str(error)


def test_a_mapping_to_a_column_that_is_not_there(connection, make):
    path = make("a.csv", "qid,asin,rank\nq1,a,1\n")
    error = refusal("run", path, connection, mapping={"product_id": "sku"})
    assert "no column 'sku', which --map product_id=sku names" in str(error)
    assert "The file has: qid, asin, rank." in str(error)


@pytest.mark.parametrize(
    ("header", "mapping"),
    [("qid,asin,docid,rank", None), ("qid,product_id,sku_2,rank", {"product_id": "sku_2"})],
)
def test_two_columns_that_mean_the_same(connection, make, header, mapping):
    path = make("a.csv", f"{header}\nq1,a,b,1\n")
    error = refusal("run", path, connection, mapping=mapping)
    assert "both mean product_id" in str(error)
    assert "--map product_id=COLUMN" in error.remedy


def test_two_columns_of_one_name(connection, make):
    error = refusal("queries", make("q.csv", "qid,Type,type\n1,a,b\n"), connection)
    assert "two columns are called 'Type' and 'type'" in str(error)


def test_trec_holds_only_runs_and_judgments(connection, make):
    error = refusal("queries", make("q.txt", "q1 a b\n"), connection, format="trec")
    assert "TREC files hold runs and judgments, not queries" in str(error)


def test_an_unknown_format(connection, make):
    error = refusal("run", make("a.run", "q1 Q0 a 1 1 s\n"), connection, format="xml")
    assert "unknown format 'xml'" in str(error)
    assert "trec, csv, tsv, jsonl, parquet" in error.remedy


def test_content_that_is_no_format(connection, make):
    error = refusal("run", make("a.dat", "hello\n"), connection)
    assert "cannot tell the format" in str(error)


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("a.csv", "query_id,product_id,score\nq1,a,1\n,b,2\nq1,,3\n", 3),
        ("a.csv", 'query_id,product_id,score\nq1,a,1\n"",b,2\nq1,"",3\n', 3),
        ("a.tsv", "query_id\tproduct_id\tscore\nq1\ta\t1\n\tb\t2\nq1\t\t3\n", 3),
        ("a.jsonl", '{"query_id":"q1","product_id":"a","score":1}\n'
         '{"query_id":"","product_id":"b","score":1}\n{"query_id":"q1","score":1}\n', 2),
    ],
)  # fmt: skip
def test_an_empty_id(connection, make, name, text, row):
    error = refusal("run", make(name, text), connection)
    assert [p[::3] for p in problems(error)] == [
        (row, "query_id is empty"),
        (row + 1, "product_id is empty"),
    ]
    assert [p.column for p in error.problems] == ["query_id", "product_id"]


def test_an_empty_id_in_parquet(connection, tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"qid": ["q1", None], "asin": ["", "b"], "score": [1.0, 2.0]}), path)
    error = refusal("run", path, connection)
    assert problems(error) == [
        (1, "asin", "", "product_id is empty"),
        (2, "qid", None, "query_id is empty"),
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("abc", "score is not a number"),
        ("nan", "score is not a finite number"),
        ("NaN", "score is not a finite number"),
        ("inf", "score is not a finite number"),
        ("-Infinity", "score is not a finite number"),
        ("1e999", "score is not a finite number"),
        ("", "score is empty"),
        ("1,5", "score is not a number"),
        ("true", "score is not a number"),
        ("0x1A", "score is not a number"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.run", "a.jsonl", "a.parquet"])
def test_a_score_that_is_no_finite_number(connection, make, tmp_path, name, value, message):
    if name == "a.csv":
        path, row = make(name, f'qid,asin,sim\nq1,a,1\nq1,b,"{value}"\n'), 3
    elif name == "a.run":
        if not value:
            pytest.skip("TREC has no empty fields")
        path, row = make(name, f"q1 Q0 a 1 1 s\nq1 Q0 b 2 {value} s\n"), 2
    elif name == "a.jsonl":
        path, row = make(name, f'{{"qid":1,"asin":"a","sim":1}}\n'
                         f'{{"qid":1,"asin":"b","sim":"{value}"}}\n'), 2  # fmt: skip
    else:
        path, row = tmp_path / name, 2
        columns = {"qid": ["q1", "q1"], "asin": ["a", "b"], "sim": ["1", value]}
        pq.write_table(pa.table(columns), path)
    error = refusal("run", path, connection)
    assert error.total == 1
    assert (error.row, error.value or "", error.problems[0].message) == (row, value, message)
    assert error.column == ("score" if name == "a.run" else "sim")
    assert error.problems[0].product_id == "b"
    assert "Correct these values" in error.remedy
    assert "\n" not in str(error)


def test_a_nan_in_a_parquet_column_of_numbers(connection, tmp_path):
    path = tmp_path / "a.parquet"
    scores = [1.0, float("nan"), float("inf"), None]
    pq.write_table(pa.table({"qid": ["q"] * 4, "asin": list("abcd"), "score": scores}), path)
    error = refusal("run", path, connection)
    assert [(p[0], p[2]) for p in problems(error)] == [(2, "nan"), (3, "inf"), (4, None)]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (["1", "E", "0"], [(3, "E", "grade is not a number")]),
        (["1", "nan"], [(3, "nan", "grade is not a finite number")]),
        (["E", "nan"], [(3, "nan", "grade is not a finite number")]),
        (["E", ""], [(3, None, "grade is empty")]),
        (["1", ""], [(3, None, "grade is empty")]),
        (["inf"], [(2, "inf", "grade is not a finite number")]),
        (["E", "2", "S"], [(2, "E", "grade is not a number"), (4, "S", "grade is not a number")]),
    ],
)
def test_a_grade_that_is_no_finite_number_among_numbers_nor_a_label_among_labels(
    connection, make, values, wrong
):
    lines = "".join(f"q1,d{place},{value}\n" for place, value in enumerate(values))
    error = refusal("judgments", make("j.csv", "qid,asin,label\n" + lines), connection)
    assert [(p[0], p[2], p[3]) for p in problems(error)] == wrong
    assert error.column == "label"
    assert "all finite numbers or all text labels" in error.remedy


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "rank is below 1"),
        ("-3", "rank is below 1"),
        ("1.5", "rank is not a whole number"),
        ("first", "rank is not a number"),
        ("", "rank is empty"),
        ("nan", "rank is not a finite number"),
        ("3000000000", "rank is too large"),
    ],
)
def test_a_rank_that_is_no_whole_number_from_one(connection, make, value, message):
    path = make("a.csv", f"qid,asin,pos_\nq1,a,1\nq1,b,{value}\n")
    error = refusal("run", path, connection, mapping={"rank": "pos_"})
    assert problems(error) == [(3, "pos_", value or None, message)]
    assert "--order score" in error.remedy


@pytest.mark.parametrize("name", ["a.csv", "a.run"])
def test_a_repeated_rank(connection, make, name):
    if name == "a.csv":
        text = "query_id,product_id,rank,score\nq1,a,1,3\nq2,a,1,2\nq1,b,1,1\n"
    else:
        text = "\nq1 Q0 a 1 3 s\nq2 Q0 a 1 2 s\nq1 Q0 b 1 1 s\n"
    error = refusal("run", make(name, text), connection, order="rank")
    assert problems(error) == [(4, "rank", "1", "repeated rank of the query, first in row 2")]
    assert error.problems[0].query_id == "q1"
    assert read("run", make(name, text), connection, order="score").rows == 3


@pytest.mark.parametrize("name", ["a.run", "a.csv", "a.jsonl", "a.parquet"])
def test_a_repeated_product_in_a_query(connection, make, tmp_path, name):
    data = [("q1", "a", 3.0), ("q2", "a", 2.0), ("q1", "a", 1.0)]
    if name == "a.run":
        path = make(name, "".join(f"{q} Q0 {p} 1 {s} x\n" for q, p, s in data))
    elif name == "a.csv":
        path = make(name, "qid,asin,score\n" + "".join(f"{q},{p},{s}\n" for q, p, s in data))
    elif name == "a.jsonl":
        path = make(
            name, "".join(f'{{"qid":"{q}","asin":"{p}","score":{s}}}\n' for q, p, s in data)
        )
    else:
        path = tmp_path / name
        columns = zip(("qid", "asin", "score"), zip(*data, strict=True), strict=True)
        pq.write_table(pa.table({column: list(values) for column, values in columns}), path)
    error = refusal("run", path, connection)
    first = 2 if name == "a.csv" else 1
    [problem] = error.problems
    assert problem.message == f"repeated product of the query, first in row {first}"
    assert (problem.row, problem.query_id, problem.product_id) == (first + 2, "q1", "a")
    assert error.remedy == "Use --on-duplicate first to keep the first."


def test_a_repeated_judgment(connection, make):
    header = "query_id,product_id,grade,source,annotator\n"
    text = header + "q1,a,1,human,x\nq1,a,1,human,y\nq1,a,2,human,x\nq1,a,1,llm,\nq1,a,1,llm,\n"
    error = refusal("judgments", make("j.csv", text), connection)
    assert [p[::3] for p in problems(error)] == [
        (4, "repeated judgment, first in row 2"),
        (6, "repeated judgment, first in row 5"),
    ]
    assert "one judgment for each query_id, product_id, source, annotator" in error.remedy


def test_a_repeated_query_product_and_page_grade(connection, make):
    error = refusal("queries", make("q.csv", "qid,query\n1,a\n2,b\n1,c\n1,d\n"), connection)
    assert [p[::3] for p in problems(error)] == [
        (4, "repeated query, first in row 2"),
        (5, "repeated query, first in row 2"),
    ]
    error = refusal("products", make("p.jsonl", '{"id":1}\n\n{"id":"1"}\n'), connection)
    assert problems(error)[0][::3] == (3, "repeated product, first in row 1")
    text = "qid,system,page_grade,annotator\n1,a,good,x\n1,a,good,y\n1,a,bad,x\n"
    error = refusal("page_grades", make("g.csv", text), connection)
    assert problems(error)[0][::3] == (4, "repeated page grade, first in row 2")


def test_a_page_grade_that_is_none(connection, make):
    text = "qid,system,page_grade\n1,a,good\n2,a,Good\n3,a,\n"
    error = refusal("page_grades", make("g.csv", text), connection)
    assert problems(error) == [
        (3, "page_grade", "Good", "page_grade is not good, mid or bad"),
        (4, "page_grade", None, "page_grade is empty"),
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "weight is not above 0"),
        ("-1", "weight is not above 0"),
        ("inf", "weight is not a finite number"),
        ("many", "weight is not a number"),
        ("", "weight is empty"),
    ],
)
def test_a_weight_that_is_not_above_zero(connection, make, value, message):
    path = make("q.csv", f"qid,weight,x\n1,1,a\n2,{value},b\n")
    assert problems(refusal("queries", path, connection)) == [(3, "weight", value or None, message)]


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("a.run", b"q1 Q0 a 1 1 s\nq1 Q0 \xff\xfe 2 1 s\n", 2),
        ("a.csv", b"qid,asin,rank\nq1,a,1\nq1,\xe9t\xe9,2\n", 3),
        ("a.jsonl", b'{"qid":"1","asin":"a","rank":1}\n{"qid":"1","asin":"\xff","rank":2}\n', 2),
    ],
)
def test_bytes_that_are_not_utf8(connection, make, name, content, row):
    error = refusal("run", make(name, content), connection)
    assert error.total == 1
    assert error.row == row
    assert "is not UTF-8 text" in str(error)
    assert re.search(r"\\xff|\\xe9", error.value, re.IGNORECASE)


def test_a_header_that_is_not_utf8(connection, make):
    error = refusal("queries", make("q.csv", b"qid,caf\xe9\n1,2\n"), connection)
    assert "row 1: the header is not UTF-8 text" in str(error)


def test_utf16(connection, make):
    error = refusal("queries", make("q.csv", "qid,query\n1,2\n".encode("utf-16")), connection)
    assert "is UTF-16 text. Save it as UTF-8 text." in str(error)


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("a.run", b"q1 Q0 a 1 1 s\nq1 Q0 b\0 2 1 s\n", 2),
        ("a.run.gz", b"q1 Q0 a 1 1 s\nq1 Q0 b\0 2 1 s\n", 2),
        ("a.csv", b"qid,asin,rank\nq1,a,1\nq1,b\0,2\n", 3),
        ("a.jsonl", b'{"qid":"1","asin":"a","rank":1}\n{"qid":"1","asin":"\\u0000","rank":2}\n', 2),
    ],
)
def test_a_nul_byte(connection, make, name, content, row):
    error = refusal("run", make(name, content), connection)
    assert (error.total, error.row) == (1, row)
    assert re.search("holds a NUL (byte|character)", str(error))


def test_several_systems_in_one_run(connection, make):
    text = "q1 Q0 a 1 3 bm25\nq1 Q0 b 2 2 bm25\nq1 Q0 a 1 3 dense\nq1 Q0 b 2 2 dense\n"
    error = refusal("run", make("a.run", text), connection, on_duplicate="first")
    assert problems(error) == [(3, "system", "dense", "the run holds 2 systems (bm25, dense)")]
    assert error.remedy == "A run is one system: write one file a system."
    path = make("a.csv", "qid,asin,rank,run\nq1,a,1,x\nq2,b,1,\nq3,c,1,y\n")
    error = refusal("run", path, connection)
    assert "row 3, column run: the run holds 3 systems (x, (none), y): '(none)'" in str(error)


def test_a_quote_that_is_never_closed(connection, make):
    path = make("p.csv", 'id,title\n1,"a\nb"\n2,c\n3,"d\n4,e\n')
    error = refusal("products", path, connection)
    assert problems(error) == [(5, None, '3,"d\n4,e', "a quote is opened and never closed")]


def test_text_after_a_closing_quote(connection, make):
    error = refusal("products", make("p.csv", 'id,title\n1,"a"b\n2,c\n'), connection)
    assert problems(error) == [(2, None, '1,"a"b', "text follows the closing quote of a field")]


def test_rows_after_quoted_line_ends_keep_the_number_of_their_line(connection, make):
    path = make("p.csv", 'id,title\n1,"a\n\n""b"",\nc"\n2,17" tv\n3,"x\ny",z\n,w\n')
    error = refusal("products", path, connection)
    assert [p[::3] for p in problems(error)] == [
        (7, "3 fields where the header has 2"),
        (9, "product_id is empty"),
    ]


def test_json_that_is_no_json_lines(connection, make):
    path = make("p.jsonl", '{"id": 1}\n{"id": 2\n[3]\n\n"x"\n{"id": 4, "id": 5}\n{"id": 1.5}\n')
    error = refusal("products", path, connection)
    assert [p[::3] for p in problems(error)] == [
        (2, "the line is not valid JSON"),
        (3, "the line is not a JSON object"),
        (5, "the line is not a JSON object"),
        (6, "the object has a key twice"),
        (7, "an id is neither text nor a whole number"),
    ]
    assert "one object a line" in error.remedy


@pytest.mark.parametrize("text", ['[{"id": 1}, {"id": 2}]', "[\n]", "{{", "{}", "{}\n{}"])
def test_json_of_another_shape(connection, make, text):
    error = refusal("products", make("p.jsonl", text), connection)
    assert error.total >= 1


def test_ids_that_parquet_stores_as_fractions(connection, tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"qid": ["q"], "asin": [7.0], "rank": [1]}), path)
    error = refusal("run", path, connection)
    assert "column asin: product_id is stored as DOUBLE. Store it as text." in str(error)


def test_scores_that_parquet_stores_as_lists_or_booleans(connection, tmp_path):
    path = tmp_path / "a.parquet"
    for score in ([[1.0]], [True]):
        pq.write_table(pa.table({"qid": ["q"], "asin": ["a"], "score": score}), path)
        assert "score is stored as" in str(refusal("run", path, connection))


def test_problems_of_all_kinds_are_counted_and_the_first_ten_shown_in_file_order(connection, make):
    lines = ["q1,a,1,1"] + [f"q{i},a,0,x" for i in range(20)] + ["q1", "q1,a,2,2"]
    text = "query_id,product_id,rank,score\n" + "\n".join(lines) + "\n"
    error = refusal("run", make("a.csv", text), connection)
    # Two wrong cells in each of 20 rows, one short row, and q1/a three times.
    assert error.total == 20 * 2 + 1 + 2
    assert [p.row for p in error.problems] == [3, 3, 4, 4, 4, 5, 5, 6, 6, 7]
    assert str(error).count("\n") == 11
    assert "a.csv: 43 problems." in str(error)
    assert str(error).endswith("and 33 more")


def test_a_large_file_with_one_bad_line_names_that_line(connection, make):
    lines = [f"q{i // 100} Q0 d{i} {i % 100 + 1} {i}.5 s\n" for i in range(300_000)]
    lines[234_567] = "q2345 Q0 d234567 68 1.5.5 s\n"
    error = refusal("run", make("a.run", "".join(lines)), connection)
    assert (error.total, error.row, error.value) == (1, 234_568, "1.5.5")


def test_running_out_of_memory_is_no_bad_input(make):
    lines = "".join(f"q{i} Q0 {'d' * 30}{i} 1 1 s\n" for i in range(200_000))
    path = make("a.run", lines)
    with duckdb.connect() as small:
        small.execute("SET memory_limit = '4MB'")
        small.execute("SET max_temp_directory_size = '0KB'")
        with pytest.raises(duckdb.OutOfMemoryException):
            read("run", path, small)
