from __future__ import annotations

import io
import os
import tempfile
import threading
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.engines import open_engine
from evalkit.errors import InputError, SettingsError
from evalkit.tables import read, write

RUN = {
    "query_id": ["q1", "q1", "q2"],
    "product_id": ["007", "8", "8"],
    "rank": [1, 2, 1],
    "score": [2.5, 0.1, -1e-300],
}
NAMES = [
    f"t{suffix}{packed}"
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
    for packed in ("", ".gz", ".zst")
]
# Surrogates are no text; U+0000 is refused in ids everywhere and in CSV altogether.
TEXT = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"),
    max_size=8,
) | st.text(alphabet="\", \t\n\r'\\#;|\ufeff", max_size=5)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet"])
@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(
        st.tuples(TEXT.filter(bool), TEXT.filter(bool), FLOATS, st.none() | TEXT),
        min_size=1,
        max_size=10,
        unique_by=lambda row: row[:2],
    )
)
@example(data=[("\ufeff", '"', 5e-324, ""), (" ", "\r", 1.7976931348623157e308, None)])
@example(data=[("a\r\nb", "\n", 0.1, "\r\n"), ("a", "b", -0.0, '"\n"')])
def test_what_is_written_is_read_back_exactly(name, data):
    query_id, product_id, score, note = (list(column) for column in zip(*data, strict=True))
    columns = {"query_id": query_id, "product_id": product_id, "score": score}
    frame = pa.table({**columns, "note": pa.array(note, pa.string())})
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, name)
        write(frame, path, kind="run")
        table = read("run", path, connection)
        assert sorted(table.relation.fetchall(), key=repr) == sorted(data, key=repr)


IDS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc"),
                           exclude_characters="\ufeff"),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(IDS, IDS, FLOATS), min_size=1, max_size=10, unique_by=lambda r: r[:2]))
@example([('"q"', "#1", 5e-324), ("'", '"', 1e22), ("q", ",", 123456789.12345679)])
def test_trec_runs_and_judgments_are_read_back_exactly(data):
    query_id, product_id, number = (list(column) for column in zip(*data, strict=True))
    keys = {"query_id": query_id, "product_id": product_id}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, "t")
        write(pa.table({**keys, "score": number}), path, kind="run", format="trec")
        got = read("run", path, connection, format="trec", order="rank").relation.fetchall()
        assert sorted((q, p, s) for q, p, _, s, _ in got) == sorted(data)
        for q in set(query_id):
            ranked = sorted((r, s, p) for query, p, r, s, _ in got if query == q)
            assert [r for r, _, _ in ranked] == list(range(1, len(ranked) + 1))
            # Python and DuckDB both order text by code points, as UTF-8 bytes are ordered.
            by_score = sorted(((s, p) for _, s, p in ranked), reverse=True)
            assert [(s, p) for _, s, p in ranked] == by_score
        write(pa.table({**keys, "grade": number}), path, kind="judgments", format="trec")
        got = read("judgments", path, connection, format="trec").relation.fetchall()
        assert sorted(got) == sorted(data)


@pytest.mark.parametrize("name", NAMES)
def test_every_format_and_compression_holds_the_same_run(connection, tmp_path, name):
    write(pa.table(RUN), tmp_path / name, kind="run")
    table = read("run", tmp_path / name, connection)
    assert sorted(table.relation.fetchall()) == sorted(zip(*RUN.values(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_table_gives_the_same_bytes(tmp_path, name):
    contents = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(pa.table(RUN), tmp_path / folder / name, kind="run")
        contents.append((tmp_path / folder / name).read_bytes())
    assert contents[0] == contents[1]
    if name.endswith(".gz"):
        assert contents[0][4:8] == bytes(4), "the time of writing is in the file"


@pytest.mark.parametrize("name", ["q.csv", "q.tsv", "q.jsonl", "q.parquet"])
def test_typed_columns_of_queries_and_products_are_read_back(connection, tmp_path, name):
    queries = {
        "query_id": ["1", "2", "3"],
        "query": ["red shoes", "", None],
        "weight": [1.0, 0.25, 3.5],
        "query_type": ["negative", "general", None],
        "words": [2, None, 7],
        "share": [0.1, 1e-17, None],
        "zip": ["007", "1", "2"],
    }
    write(pa.table(queries), tmp_path / name, kind="queries")
    table = read("queries", tmp_path / name, connection)
    assert table.relation.fetchall() == list(zip(*queries.values(), strict=True))


@pytest.mark.parametrize(
    "frame",
    [
        pa.table(RUN),
        pa.table(RUN).to_reader(),
        pd.DataFrame(RUN, index=["x", "y", "z"]),
        pl.DataFrame(RUN),
        pl.LazyFrame(RUN),
        pa.table(RUN).to_batches()[0],
    ],
    ids=["pyarrow", "reader", "pandas", "polars", "lazy", "batch"],
)
@pytest.mark.parametrize("name", ["t.csv", "t.run"])
def test_any_frame_can_be_written(connection, tmp_path, frame, name):
    if isinstance(frame, pa.RecordBatchReader):
        frame = pa.table(RUN).to_reader()
    write(frame, tmp_path / name, kind="run")
    table = read("run", tmp_path / name, connection, order="rank")
    assert sorted(row[:4] for row in table.relation.fetchall()) == sorted(
        zip(*RUN.values(), strict=True)
    )


@pytest.mark.parametrize("given", [True, False])
def test_a_relation_can_be_written_with_its_own_connection(connection, tmp_path, given):
    connection.execute(
        "CREATE TEMP TABLE t AS SELECT 'q' || (i // 10) AS query_id, 'p' || i AS product_id, "
        "i * 0.1 AS score FROM range(500000) r(i)"
    )
    relation = connection.table("t")
    path = tmp_path / "t.run"
    write(relation, path, kind="run", connection=connection if given else None)
    table = read("run", path, connection)
    assert table.rows == 500_000
    left = connection.sql(
        f"SELECT count(*) FROM (SELECT query_id, product_id, CAST(score AS DOUBLE) FROM t "
        f"EXCEPT SELECT query_id, product_id, score FROM {table.name})"
    )
    assert left.fetchone() == (0,)


def test_a_run_that_was_read_can_be_written(connection, tmp_path, make):
    path = make("a.run", "q1 Q0 a 1 2.5 bm25\nq1 Q0 b 2 1.5 bm25\n")
    table = read("run", path, connection)
    write(table.relation, tmp_path / "b.run", kind="run")
    assert (tmp_path / "b.run").read_text() == path.read_text()


def test_a_trec_run_without_scores_keeps_its_order_by_score(connection, tmp_path):
    frame = pa.table({"query_id": ["q", "q"], "product_id": ["b", "a"], "rank": [1, 2]})
    write(frame, tmp_path / "t.run", kind="run")
    text = (tmp_path / "t.run").read_text()
    assert text == "q Q0 b 1 -1.0 evalkit\nq Q0 a 2 -2.0 evalkit\n"


def test_standard_output(tmp_path):
    out = io.BytesIO()
    write(pa.table(RUN).drop(["score"]), "-", kind="run", format="csv", stdout=out)
    assert out.getvalue() == b"query_id,product_id,rank\nq1,007,1\nq1,8,2\nq2,8,1\n"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write(pa.table(RUN).select(["query_id", "product_id", "rank"]), pipe, kind="run")
    reader.join()
    assert got == ["query_id,product_id,rank\nq1,007,1\nq1,8,2\nq2,8,1\n"]
    assert not pipe.is_file()


def test_an_option_overrides_the_extension(connection, tmp_path):
    write(pa.table(RUN), tmp_path / "t.txt", kind="run", format="jsonl")
    assert read("run", tmp_path / "t.txt", connection).format == "jsonl"


@pytest.mark.parametrize("character", [" ", "\t", "\n", "\r", "\v", "\f", "\ufeff"])
@pytest.mark.parametrize("column", ["query_id", "product_id", "system"])
def test_trec_refuses_ids_with_white_space(tmp_path, column, character):
    columns = {**RUN, "system": ["s"] * 3}
    columns[column] = [f"a{character}b", *columns[column][1:]]
    if column == "system":
        columns["system"] = [f"a{character}b"] * 3
    with pytest.raises(InputError) as caught:
        write(pa.table(columns), tmp_path / "t.run", kind="run")
    error = caught.value
    assert error.row == 1
    assert error.value == f"a{character}b"
    assert f"{column} is empty or holds white space, which TREC cannot carry" in str(error)
    assert list(tmp_path.iterdir()) == []


def test_trec_refuses_columns_that_it_has_no_place_for(tmp_path):
    frame = pa.table({"query_id": ["q"], "product_id": ["p"], "grade": [1], "rule": ["r"]})
    with pytest.raises(InputError, match="TREC has no place for the column rule"):
        write(frame, tmp_path / "t.qrels", kind="judgments")


def test_trec_refuses_several_systems(tmp_path):
    frame = pa.table({**RUN, "system": ["a", "b", "a"]})
    with pytest.raises(InputError, match="holds several systems"):
        write(frame, tmp_path / "t.run", kind="run")


@pytest.mark.parametrize("name", ["t.csv", "t.run", "t.parquet", "t.jsonl"])
def test_bad_values_are_refused_with_their_row_and_nothing_is_left(tmp_path, name):
    frame = pa.table({**RUN, "score": [1.0, float("nan"), None]})
    with pytest.raises(InputError) as caught:
        write(frame, tmp_path / name, kind="run")
    assert (caught.value.total, caught.value.row, caught.value.column) == (2, 2, "score")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_as_it_is_when_writing_fails(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(InputError, match="query_id is empty"):
        write(pa.table({**RUN, "query_id": ["q", "", "q"]}), path, kind="run")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_nul_character_is_refused_where_the_format_cannot_hold_it(tmp_path):
    frame = pa.table({"product_id": ["1"], "title": ["a\0b"]})
    with pytest.raises(InputError, match="title holds a NUL character, which CSV cannot carry"):
        write(frame, tmp_path / "p.csv", kind="products")
    write(frame, tmp_path / "p.jsonl", kind="products")


def test_missing_columns_are_named(tmp_path):
    with pytest.raises(InputError, match="no column grade to write") as caught:
        write(pa.table(RUN), tmp_path / "t.csv", kind="judgments")
    assert caught.value.remedy == "The table has: query_id, product_id, rank, score."
    with pytest.raises(InputError, match="no column rank or score to write"):
        write(pa.table(RUN).drop(["rank", "score"]), tmp_path / "t.csv", kind="run")


def test_places_that_cannot_be_written_to(tmp_path):
    with pytest.raises(InputError, match=r"the folder .* does not exist"):
        write(pa.table(RUN), tmp_path / "no" / "t.csv", kind="run")
    with pytest.raises(InputError, match="is a folder"):
        write(pa.table(RUN), tmp_path, kind="run", format="csv")


@pytest.mark.parametrize(
    ("name", "kind", "asked", "message"),
    [
        ("t.doc", "run", None, "the name does not tell the format; say one of trec, csv"),
        ("-", "run", None, "the name does not tell the format"),
        ("t.xls", "votes", None, r"say one of csv, tsv, jsonl, parquet, or end the name in \.csv,"),
        ("t.csv", "run", "xml", "unknown format 'xml'"),
        ("t.run", "queries", None, "TREC files hold runs and judgments, not queries"),
        ("t.csv", "ballots", None, "Unknown kind of table 'ballots'"),
    ],
)
def test_formats_that_do_not_fit_are_refused(tmp_path, name, kind, asked, message):
    path = name if name == "-" else tmp_path / name
    with pytest.raises(SettingsError, match=message):
        write(pa.table(RUN), path, kind=kind, format=asked)


def test_a_written_file_has_the_usual_permissions_and_replaces_the_target_of_a_link(tmp_path):
    old = os.umask(0o027)
    try:
        (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
        write(pa.table(RUN), tmp_path / "link.csv", kind="run")
    finally:
        os.umask(old)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o640


def test_the_rows_of_several_chunks_are_written_in_their_order(tmp_path: Path) -> None:
    ids = [f"p{number:06d}" for number in range(200_000)]
    whole = pa.table({"query_id": ["q"] * len(ids), "product_id": ids})
    pieces = pa.concat_tables([whole.slice(start, 5_000) for start in range(0, len(ids), 5_000)])
    path = tmp_path / "pairs.parquet"
    contents = set()
    for _ in range(3):
        with open_engine() as connection:
            write(pieces, path, kind="pairs", connection=connection)
        contents.add(path.read_bytes())
        assert pq.read_table(path).column("product_id").to_pylist() == ids
    assert len(contents) == 1
