from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.tables import read
from evalkit.tables.schema import KINDS, SCHEMAS

ROWS = [("q1", "007", 1, 2.5), ("q1", "b,c", 2, 0.1), ("q2", "#x", 1, 1e-7), ("q2", '"y', 2, -3.0)]
RUN = {
    "run": "".join(f"{q} Q0 {p} {r} {s} bm25\n" for q, p, r, s in ROWS),
    "csv": "query_id,product_id,rank,score,system\n"
    'q1,007,1,2.5,bm25\nq1,"b,c",2,0.1,bm25\nq2,#x,1,1e-7,bm25\nq2,"""y",2,-3.0,bm25\n',
    "tsv": "query_id\tproduct_id\trank\tscore\tsystem\n"
    'q1\t007\t1\t2.5\tbm25\nq1\tb,c\t2\t0.1\tbm25\nq2\t#x\t1\t1e-7\tbm25\nq2\t"""y"\t2\t-3\tbm25\n',
    "jsonl": '{"query_id":"q1","product_id":"007","rank":1,"score":2.5,"system":"bm25"}\n'
    '{"product_id":"b,c","query_id":"q1","rank":2,"score":0.1,"system":"bm25"}\n'
    '{"query_id":"q2","product_id":"#x","rank":1,"score":1e-7,"system":"bm25"}\n'
    '{"query_id":"q2","product_id":"\\"y","rank":2,"score":-3,"system":"bm25"}\n',
}


def rows(table):
    return sorted(table.relation.fetchall())


def parquet_of(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", ["run", "csv", "tsv", "jsonl"])
def test_every_text_format_and_compression_gives_the_same_run(connection, make, form, suffix):
    path = make(f"today.{form}{suffix}", RUN[form])

    table = read("run", path, connection, order="rank")

    assert table.columns == ("query_id", "product_id", "rank", "score", "system")
    assert [str(t) for t in table.relation.types] == [
        "VARCHAR", "VARCHAR", "INTEGER", "DOUBLE", "VARCHAR",
    ]  # fmt: skip
    assert rows(table) == sorted((*row, "bm25") for row in ROWS)
    assert table.rows == 4
    assert table.path == str(path)
    stored = hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.fingerprint == f"sha256:{stored}"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_parquet_gives_the_same_run_and_may_be_compressed_again(connection, make, suffix):
    query_id, product_id, rank, score = (list(column) for column in zip(*ROWS, strict=True))
    sink = io.BytesIO()
    columns = {"query_id": query_id, "product_id": product_id, "rank": rank, "score": score}
    pq.write_table(pa.table(columns), sink)

    table = read("run", make(f"today.parquet{suffix}", sink.getvalue()), connection)

    assert rows(table) == sorted(ROWS)
    assert [str(t) for t in table.relation.types] == ["VARCHAR", "VARCHAR", "INTEGER", "DOUBLE"]


@pytest.mark.parametrize("form", ["run", "csv", "tsv", "jsonl"])
def test_the_format_is_recognised_from_the_content_of_a_nameless_file(connection, make, form):
    assert len(rows(read("run", make("today", RUN[form]), connection))) == 4


def test_standard_input_is_read_like_a_file(connection):
    table = read("run", "-", connection, stdin=io.BytesIO(RUN["run"].encode()))
    assert (table.path, table.format, table.rows) == ("-", "trec", 4)
    assert table.fingerprint == f"sha256:{hashlib.sha256(RUN['run'].encode()).hexdigest()}"


def test_a_pipe_is_read_like_a_file(connection, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(RUN["run"],))
    writer.start()
    table = read("run", pipe, connection)
    writer.join()
    assert (table.path, table.format, table.rows) == (str(pipe), "trec", 4)


def test_an_option_overrides_the_extension(connection, make):
    assert read("run", make("today.txt", RUN["jsonl"]), connection, format="jsonl").rows == 4
    with pytest.raises(InputError, match="1 field where a TREC run has 6"):
        read("run", make("today.csv", RUN["csv"]), connection, format="trec")


@pytest.mark.parametrize("name", ["q.txt", "q.tsv", "q.csv", "q.qrels", "q"])
def test_a_file_with_no_header_is_trec_by_its_shape(connection, make, name):
    table = read("judgments", make(name, "q1\t0\td1\t1\nq1\t0\td2\t0\n"), connection)
    assert table.format == "trec"
    assert rows(table) == [("q1", "d1", 1.0), ("q1", "d2", 0.0)]


def test_a_qrels_file_with_a_header_is_no_trec(connection, make):
    path = make("beir.qrels", "query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    table = read("judgments", path, connection)
    assert (table.format, table.columns) == ("tsv", ("query_id", "product_id", "grade"))


@pytest.mark.parametrize(
    "text",
    [
        "q1 Q0 a 1 2.5 s\r\nq1 Q0 b 2 1.5 s\r\n",
        "q1 Q0 a 1 2.5 s\nq1 Q0 b 2 1.5 s",
        "\n\nq1 Q0 a 1 2.5 s\n\n   \nq1 Q0 b 2 1.5 s\n\n",
        "\ufeffq1 Q0 a 1 2.5 s\nq1 Q0 b 2 1.5 s\n",
        "q1\tQ0\ta\t1\t2.5\ts\nq1\tQ0\tb\t2\t1.5\ts\n",
        "q1 Q0  a   1 2.5 s\n  q1 Q0 b 2 1.5 s  \n",
        "q1 Q0 a\t1 2.5 s\nq1 \t Q0 b 2 1.5 s\r\n",
        "q1 Q0 a 1 2.5 s\r\nq1 Q0 b 2 1.5 s\n",
        "q1 Q0 a 1 2.5 s\rq1 Q0 b 2 1.5 s\r",
    ],
    ids=["crlf", "no-last-newline", "blank-lines", "bom", "tabs", "aligned", "mixed-separators",
         "mixed-line-ends", "cr"],
)  # fmt: skip
def test_trec_lines_may_be_laid_out_in_any_of_these_ways(connection, make, text):
    table = read("run", make("a.run", text), connection)
    assert rows(table) == [("q1", "a", 2.5, "s"), ("q1", "b", 1.5, "s")]


@pytest.mark.parametrize(
    "text",
    [
        "qid,asin,rank\r\nq1,a,1\r\nq1,b,2\r\n",
        "\ufeffqid,asin,rank\nq1,a,1\n\nq1,b,2\n\n",
        "\n\nqid,asin,rank\nq1,a,1\nq1,b,2\n",
        'qid,"asin",rank\nq1,"a","1"\n"q1","b",2',
        "qid,asin,rank\nq1,a,1,\nq1,b,2,\n",
        "qid,asin,rank\r\nq1,a,1\nq1,b,2\n",
        "qid,asin,rank\nq1,a,1.0\nq1,b,2e0\n",
    ],
    ids=["crlf", "bom-and-blanks", "blank-first", "quoted", "comma-at-end", "mixed-line-ends",
         "whole-floats"],
)  # fmt: skip
def test_csv_may_be_laid_out_in_any_of_these_ways(connection, make, text):
    table = read("run", make("a.csv", text), connection)
    assert rows(table) == [("q1", "a", 1), ("q1", "b", 2)]


def test_ids_are_text_byte_for_byte(connection, make):
    path = make("a.csv", "query_id,product_id,score\n007, a b ,1\n7,1.50,2\nNULL,nan,3\n")
    table = read("run", path, connection)
    assert rows(table) == [("007", " a b ", 1.0), ("7", "1.50", 2.0), ("NULL", "nan", 3.0)]


def test_a_hash_starts_an_id_and_not_a_comment(connection, make):
    table = read("judgments", make("a.qrels", "#q1 0 #d1 1\n"), connection)
    assert rows(table) == [("#q1", "#d1", 1.0)]


def test_json_ids_may_be_whole_numbers_and_extras_keep_their_types(connection, make):
    path = make(
        "p.jsonl",
        '{"id": 12, "title": "x", "price": 1.50, "new": true, "stock": 3, "tags": {"a": [1]}}\n'
        '{"id": "007", "price": null, "ean": "0042", "a\\"*/~": "odd"}\n',
    )
    table = read("products", path, connection)
    assert table.columns == (
        "product_id", "title", "price", "new", "stock", "tags", 'a"*/~', "ean",
    )  # fmt: skip
    assert rows(table) == [
        ("007", None, None, None, None, None, "odd", "0042"),
        ("12", "x", 1.5, True, 3, '{"a":[1]}', None, None),
    ]


def test_grades_keep_their_fractions(connection, make):
    table = read("judgments", make("a.qrels", "q1 0 a 0.9\nq1 0 b 7.0\nq1 0 c -1\n"), connection)
    assert rows(table) == [("q1", "a", 0.9), ("q1", "b", 7.0), ("q1", "c", -1.0)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "query_id,product_id,esci_label\nq1,a,E\nq1,b,S\n"),
        ("a.qrels", "q1 0 a E\nq1 0 b S\n"),
        ("a.jsonl", '{"qid":"q1","docid":"a","label":"E"}\n{"qid":"q1","docid":"b","label":"S"}'),
    ],
)
def test_grades_without_any_number_are_labels(connection, make, name, text):
    table = read("judgments", make(name, text), connection)
    assert str(table.relation.types[2]) == "VARCHAR"
    assert rows(table) == [("q1", "a", "E"), ("q1", "b", "S")]


def test_parquet_labels_and_integer_ids_are_read_as_text(connection, tmp_path):
    path = parquet_of(tmp_path / "j.parquet", qid=["q1"], product_id=[7], label=["E"])
    assert rows(read("judgments", path, connection)) == [("q1", "7", "E")]


def test_parquet_numbers_kept_as_text_are_numbers(connection, tmp_path):
    path = parquet_of(tmp_path / "j.parquet", qid=["q1"], product_id=[b"x"], grade=["0.5"])
    assert rows(read("judgments", path, connection)) == [("q1", "x", 0.5)]


def test_extra_columns_of_queries_become_numbers_only_when_no_digit_is_lost(connection, make):
    path = make(
        "q.csv",
        "query_id,query,query_type,words,price,code,long,weight\n"
        "1,a b,negative,2,1.50,007,12345678901234567890,1\n"
        '2,"",general,,-2e3,1,1,0.5\n',
    )
    table = read("queries", path, connection)
    assert [str(t) for t in table.relation.types] == [
        "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "DOUBLE", "VARCHAR", "VARCHAR", "DOUBLE",
    ]  # fmt: skip
    assert table.relation.fetchall() == [
        ("1", "a b", "negative", 2, 1.5, "007", "12345678901234567890", 1.0),
        ("2", "", "general", None, -2000.0, "1", "1", 0.5),
    ]


def test_queries_and_products_keep_the_order_of_the_file(connection, make):
    # Larger than two read buffers, so that two threads read it.
    text = "text " * 60
    lines = "".join(f"p{(i * 7919) % 60013},{i},{text}\n" for i in range(60013))
    table = read("products", make("p.csv", "product_id,place,title\n" + lines), connection)
    assert [row[1] for row in table.relation.fetchall()] == list(range(60013))


def test_a_quoted_field_may_hold_line_ends_commas_and_quotes(connection, make):
    path = make("p.csv", 'product_id,title,x\n1,"a ""b"",\nc",y\n2,"17"" tv",\n')
    table = read("products", path, connection)
    assert table.relation.fetchall() == [("1", 'a "b",\nc', "y"), ("2", '17" tv', None)]


@pytest.mark.parametrize("alias", ["docid", "docno", "asin", "doc_id", "product", "Corpus-ID"])
def test_common_names_of_the_product_id_are_known(connection, make, alias):
    table = read("run", make("a.csv", f"QID,{alias},Rank\nq1,a,1\n"), connection)
    assert table.columns == ("query_id", "product_id", "rank")


def test_query_is_the_text_in_a_queries_file_and_the_id_in_a_run(connection, make):
    assert read("queries", make("q.csv", "qid,query\n1,red shoes\n"), connection).columns == (
        "query_id",
        "query",
    )
    assert read("run", make("r.csv", "query,asin,rank\nq1,a,1\n"), connection).columns == (
        "query_id",
        "product_id",
        "rank",
    )
    both = read("run", make("b.csv", "query,query_id,asin,rank\ntext,q1,a,1\n"), connection)
    assert both.columns == ("query", "query_id", "product_id", "rank")


def test_a_mapping_names_columns_that_no_alias_knows(connection, make):
    path = make("a.csv", "search,asin,item,pos\nq1,a,x,1\n")
    table = read(
        "run",
        path,
        connection,
        mapping={"query_id": "search", "product_id": "item", "rank": "pos"},
    )
    assert table.columns == ("query_id", "asin", "product_id", "rank")
    assert rows(table) == [("q1", "a", "x", 1)]


def test_a_mapping_says_nothing_about_trec(connection, make):
    path = make("a.qrels", "q1 0 a 1\n")
    assert rows(read("judgments", path, connection, mapping={"product_id": "asin"})) == [
        ("q1", "a", 1.0)
    ]


def test_column_names_are_quoted_in_sql(connection, make):
    odd = 'x"; DROP TABLE y; --'
    path = make(
        "a.csv", f'query_id,"{odd.replace(chr(34), chr(34) * 2)}","it\'s",select\n1,2,3,4\n'
    )
    table = read("queries", path, connection)
    assert table.columns == ("query_id", odd, "it's", "select")
    assert rows(table) == [("1", 2, 3, 4)]


def test_paths_may_hold_what_duckdb_takes_for_a_pattern(connection, tmp_path, make):
    folder = tmp_path / "week=1 [a]*?'s"
    folder.mkdir()
    path = folder / "run[1].csv"
    path.write_text(RUN["csv"])
    assert read("run", path, connection).columns == (
        "query_id", "product_id", "rank", "score", "system",
    )  # fmt: skip


def test_trec_ranks_are_read_only_when_they_order_the_run(connection, make):
    path = make("a.run", "q1 Q0 a 0 2.5 s\nq1 Q0 b 0 1.5 s\n")
    assert read("run", path, connection).columns == ("query_id", "product_id", "score", "system")
    with pytest.raises(InputError, match="rank is below 1"):
        read("run", path, connection, order="rank")


def test_ranks_are_not_checked_when_scores_order_the_run(connection, make):
    path = make("a.csv", "query_id,product_id,rank,score\nq1,a,0,2\nq1,b,0,1\n")
    assert rows(read("run", path, connection, order="score")) == [
        ("q1", "a", 0, 2.0),
        ("q1", "b", 0, 1.0),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.run", "q1 Q0 a 1 1 s\nq1 Q0 b 2 2 s\nq1 Q0 a 3 3 s\nq2 Q0 a 1 4 s\n"),
        ("a.run", "q1  Q0 a 1 1 s\nq1 Q0 b 2 2 s\nq1 Q0 a 3 3 s\nq2 Q0 a 1 4 s\n"),
        ("a.csv", "query_id,product_id,score\nq1,a,1\nq1,b,2\nq1,a,3\nq2,a,4\n"),
    ],
    ids=["fast", "careful", "csv"],
)
def test_on_duplicate_first_keeps_the_first_in_the_file_and_says_how_many_it_dropped(
    connection, make, name, text
):
    table = read("run", make(name, text), connection, on_duplicate="first")
    assert sorted(row[:3] for row in table.relation.fetchall()) == [
        ("q1", "a", 1.0),
        ("q1", "b", 2.0),
        ("q2", "a", 4.0),
    ]
    assert (table.rows, table.dropped) == (3, 1)


def test_the_first_of_many_duplicates_is_the_first_of_the_file(connection, make):
    tag = "s" * 100
    lines = [f"q{i % 100} Q0 d{i % 1000} 1 {i} {tag}\n" for i in range(160_000)]
    table = read("run", make("a.run", "".join(lines)), connection, on_duplicate="first")
    assert (table.rows, table.dropped) == (1000, 159_000)
    assert sorted(row[2] for row in table.relation.fetchall()) == [float(i) for i in range(1000)]


def test_equal_hashes_of_different_rows_would_still_be_told_apart(connection):
    from evalkit.tables.validation import all_distinct

    # `hash` is shadowed so that all rows meet; only the exact look can tell them apart.
    connection.execute("CREATE MACRO hash(a, b) AS CAST(1 AS UBIGINT)")
    connection.execute("CREATE TABLE t AS SELECT i AS a, i AS b FROM range(10) r(i)")
    assert all_distinct(connection, "t", ["a", "b"], 10)
    connection.execute("INSERT INTO t VALUES (3, 3)")
    assert not all_distinct(connection, "t", ["a", "b"], 11)


def test_judgments_of_several_sources_and_annotators_are_no_repetition(connection, make):
    path = make(
        "j.csv",
        "query_id,product_id,grade,source,annotator,rule\n"
        "q1,a,1,human,ann,r1\nq1,a,0,human,bob,r2\nq1,a,1,llm,,r3\n",
    )
    table = read("judgments", path, connection)
    assert table.columns == ("query_id", "product_id", "grade", "source", "annotator", "rule")
    assert ("q1", "a", 1.0, "llm", None, "r3") in table.relation.fetchall()


def test_page_grades_are_read(connection, make):
    path = make("g.tsv", "query_id\tsystem\tpage_grade\trater\nq1\tbm25\tmid\tann\n")
    table = read("page_grades", path, connection)
    assert table.columns == ("query_id", "system", "page_grade", "annotator")
    assert rows(table) == [("q1", "bm25", "mid", "ann")]


def test_two_files_can_be_read_into_one_connection(connection, make):
    a = read("run", make("a.run", RUN["run"]), connection)
    b = read("run", make("b.csv", RUN["csv"]), connection)
    joined = connection.sql(
        f"SELECT count(*) FROM {a.name} JOIN {b.name} USING (query_id, product_id)"
    )
    assert joined.fetchone() == (4,)


def test_nothing_but_the_tables_is_left_in_the_connection(connection, make):
    read("run", make("a.run", "q1  Q0 a 1 1 s\n"), connection)
    with pytest.raises(InputError):
        read("run", make("b.csv", "query_id,product_id,score\nq1,a,x\n"), connection)
    with pytest.raises(InputError):
        read("run", make("c.jsonl", '{"query_id":1}\n{\n'), connection)
    names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert len(names) == 1
    setting = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchone()
    assert setting == (False,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "ballots"}, "Unknown kind of table 'ballots'"),
        ({"kind": "run", "on_duplicate": "last"}, "use error or first"),
        ({"kind": "judgments", "on_duplicate": "first"}, "is for runs, not for judgments"),
        ({"kind": "queries", "order": "rank"}, "does not fit queries"),
        ({"kind": "run", "mapping": {"grade": "x"}}, "a run table has no column 'grade'"),
        ({"kind": "run", "mapping": {"rank": "query_id", "score": "query_id"}}, "two names"),
    ],
)
def test_options_that_do_not_fit_are_refused(connection, make, arguments, message):
    path = make("a.csv", RUN["csv"])
    kind = arguments.pop("kind")
    with pytest.raises(SettingsError, match=message):
        read(kind, path, connection, **arguments)


def test_importing_the_tables_imports_no_heavy_package():
    heavy = ["duckdb", "pandas", "polars", "pyarrow", "numpy", "scipy", "torch", "narwhals"]
    code = f"import sys, evalkit.tables; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_trec_imports_neither_pandas_nor_polars_nor_pyarrow(make):
    path = make("a.run", RUN["run"])
    code = (
        "import sys, duckdb, evalkit.tables as t\n"
        f"t.read('run', {str(path)!r}, duckdb.connect())\n"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_kind_has_roles_for_what_it_requires():
    for kind in KINDS:
        schema = SCHEMAS[kind]
        targets = {*schema.aliases.values(), *schema.weak_aliases.values()}
        assert {*schema.required, *schema.key, *targets} <= set(schema.roles)
