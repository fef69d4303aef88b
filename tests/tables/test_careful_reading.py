"""The fast way and the careful way must give the same table, and both what Python's csv gives."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.errors import InputError
from evalkit.tables import read, readers, staging
from evalkit.tables.sources import open_source

CELLS = st.text(alphabet='ab ",\n\r\té"', max_size=6)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8)
)
ODD_TABLE = [["x", 'a"'], ["y", '"'], ["z", '""\n"'], ["w", '\n"\n,"'], ["v", "b"]]


def staged(text: str, width: int, delimiter: str = ",") -> list[tuple]:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, "t.csv")
        path.write_bytes(text.encode())
        with open_source(path) as source:
            table = staging.stage_delimited(connection, source, delimiter, width)
            return connection.execute(f"SELECT * FROM {table} ORDER BY _row").fetchall()


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@settings(max_examples=60, deadline=None)
@given(table=TABLES)
@example(table=ODD_TABLE)
def test_quoted_records_are_taken_apart_as_python_does(delimiter, end, table):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow([f"h{place}" for place in range(len(table[0]))])
    writer.writerows(table)

    rows = staged(out.getvalue(), len(table[0]), delimiter)

    assert [list(row[3:]) for row in rows] == table
    assert all(row[1] is None for row in rows)


@settings(max_examples=60, deadline=None)
@given(table=TABLES)
def test_a_record_has_the_number_of_the_line_on_which_it_begins(table):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    starts = []
    for row in [[f"h{place}" for place in range(len(table[0]))], *table]:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    assert [row[0] for row in staged(out.getvalue(), len(table[0]))] == starts[1:]


IDS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(
    ids=st.lists(st.tuples(IDS, IDS), min_size=1, max_size=12, unique=True),
    text=st.lists(CELLS, min_size=12, max_size=12),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_the_careful_way_gives_the_table_of_the_fast_way(suffix, ids, text, quoting):
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter="\t" if suffix == ".tsv" else ",",
        lineterminator="\n",
        quoting=quoting,
    )
    writer.writerow(["query_id", "product_id", "score", "note"])
    for place, (query_id, product_id) in enumerate(ids):
        writer.writerow([query_id, product_id, place / 7, text[place]])
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, f"t{suffix}")
        path.write_bytes(out.getvalue().encode())
        fast = read("run", path, connection)
        original = readers._load_fast
        try:
            readers._load_fast = lambda request, plan: None
            careful = read("run", path, connection)
        finally:
            readers._load_fast = original
        assert careful.columns == fast.columns
        assert careful.relation.types == fast.relation.types
        a, b = careful.relation.fetchall(), fast.relation.fetchall()
        if quoting == csv.QUOTE_ALL:
            # An empty quoted text is a text; both ways must say so.
            assert all(row[3] is not None for row in b)
        assert sorted(a, key=repr) == sorted(b, key=repr)
        assert sorted(row[:3] for row in a) == sorted(
            (q, p, place / 7) for place, (q, p) in enumerate(ids)
        )


@pytest.mark.parametrize("block", [1, 2, 7, 1000])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_lines_are_numbered_across_blocks(monkeypatch, tmp_path, block, end):
    monkeypatch.setattr(staging, "_BLOCK", block)
    lines = ["\ufeffone", "", "three é", "x" * 20, "five"]
    path = tmp_path / "t.csv"
    path.write_bytes((end or "\n").join(lines).encode() + end.encode())
    with open_source(path) as source, duckdb.connect() as connection:
        table = staging.stage_lines(connection, source)
        got = connection.execute(f"SELECT _row, line FROM {table} ORDER BY _row").fetchall()
    assert got == list(enumerate(["one", *lines[1:]], start=1))


FIELDS = st.text(alphabet="ab1#\"'é.", min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(
        st.tuples(
            st.lists(FIELDS | st.sampled_from(["1", "2.5", "nan", ""]), min_size=4, max_size=7),
            st.sampled_from([" ", "\t", "  ", " \t"]),
            st.sampled_from(["", " ", "\r"]),
        ),
        min_size=1,
        max_size=6,
    )
)
@example(lines=[(["q", "", "0", "d", "1"], " ", "")])
@example(lines=[(["q", "0", "d", ""], " ", "")])
def test_trec_judgments_are_read_as_plain_python_reads_them(lines):
    text = "".join(separator.join(fields) + end + "\n" for fields, separator, end in lines)
    # The plain reading: fields between white space, four of them, the last a finite number or,
    # in every line, text; no pair twice.
    plain = [
        [field for field in line.rstrip("\r\n").replace("\t", " ").split(" ") if field]
        for line in text.split("\n")
    ]
    plain = [fields for fields in plain if fields]
    expected = None
    if plain and all(len(fields) == 4 for fields in plain):
        pairs = {(fields[0], fields[2]) for fields in plain}
        grades = [as_number(fields[3]) for fields in plain]
        if len(pairs) == len(plain):
            if all(grade not in ("text", "not finite") for grade in grades):
                expected = [(f[0], f[2], g) for f, g in zip(plain, grades, strict=True)]
            elif all(grade == "text" for grade in grades):
                expected = [(f[0], f[2], f[3]) for f in plain]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, "t.qrels")
        path.write_bytes(text.encode())
        try:
            got = read("judgments", path, connection, format="trec").relation.fetchall()
        except InputError:
            got = None
    assert (got and sorted(got)) == (expected and sorted(expected))


def as_number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return "text"
    return "not finite" if number != number or abs(number) == float("inf") else number
