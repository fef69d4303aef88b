"""The votes table: words and numbers, sides, aliases, what is refused, and written again."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.tables import read, write
from metrics import gsb_from_votes

CANONICAL = """\
query_id,annotator,preference,treatment_side,kind,set_aside,counts,both_bad,position,query_type
q1,ann,2,left,real,,,,1,negation
q1,bob,-1,right,,true,,,1,negation
q2,,0,,automatic,false,true,false,2,brand
q3,ann,0,left,real,no,yes,TRUE,3,brand
q3,bob,1,right,gold,0,0,n,3,brand
"""


def rows(table: Any, *names: str) -> list[tuple[Any, ...]]:
    return table.relation.select(*names).fetchall() if names else table.relation.fetchall()


def refused(connection: Any, path: Any, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read("votes", path, connection, **options)
    return caught.value


# ------------------------------------------------------------------ what is read


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_a_canonical_file_is_read_with_its_types(connection, make, packed):
    table = read("votes", make(f"votes.csv{packed}", CANONICAL), connection)

    types = dict(zip(table.columns, map(str, table.relation.types), strict=True))
    assert types == {
        "query_id": "VARCHAR",
        "annotator": "VARCHAR",
        "preference": "INTEGER",
        "treatment_side": "VARCHAR",
        "kind": "VARCHAR",
        "set_aside": "BOOLEAN",
        "counts": "BOOLEAN",
        "both_bad": "BOOLEAN",
        "position": "BIGINT",
        "query_type": "VARCHAR",
    }
    assert rows(table) == [
        ("q1", "ann", 2, "left", "real", False, True, False, 1, "negation"),
        ("q1", "bob", -1, "right", "real", True, True, False, 1, "negation"),
        ("q2", None, 0, None, "automatic", False, True, False, 2, "brand"),
        ("q3", "ann", 0, "left", "real", False, True, True, 3, "brand"),
        ("q3", "bob", 1, "right", "gold", False, False, False, 3, "brand"),
    ]


@pytest.mark.parametrize(
    ("word", "preference", "both_bad"),
    [
        *[("good", 1, False), ("same", 0, False), ("bad", -1, False), ("tie", 0, False)],
        *[(" Good ", 1, False), ("BAD", -1, False), ("Both bad", 0, True), ("both_bad", 0, True)],
        *[("-2", -2, False), ("2.0", 2, False), ("+1", 1, False), ("0", 0, False)],
    ],
)
def test_a_preference_is_a_word_or_a_number(connection, make, word, preference, both_bad):
    path = make("votes.csv", f"query_id,annotator,preference\nq,ann,{word}\n")
    table = read("votes", path, connection)
    assert rows(table, "preference", "both_bad") == [(preference, both_bad)]


@pytest.mark.parametrize(
    ("vote", "side", "preference", "both_bad"),
    [
        *[("left", "left", 1, False), ("left", "right", -1, False), ("right", "left", -1, False)],
        *[("right", "right", 1, False), ("RIGHT", "Right", 1, False), ("-2", "left", 2, False)],
        *[("2", "left", -2, False), ("same", "left", 0, False), ("tie", "", 0, False)],
        *[("both bad", "right", 0, True), ("0", "", 0, False)],
    ],
)
def test_a_vote_as_shown_is_turned_by_the_side_of_the_treatment(
    connection, make, vote, side, preference, both_bad
):
    path = make("votes.csv", f"query_id,annotator,vote,treatment_side\nq,ann,{vote},{side}\n")
    table = read("votes", path, connection)
    assert table.columns == ("query_id", "annotator", "preference", "treatment_side", "both_bad")
    assert rows(table) == [("q", "ann", preference, side.lower() or None, both_bad)]


def test_names_of_other_tools_are_understood(connection, make):
    path = make("votes.csv", "qid,Worker,winner,side,domain\n7,58,left,right,tea\n")
    table = read("votes", path, connection)
    assert table.columns[:4] == ("query_id", "annotator", "preference", "treatment_side")
    assert rows(table, "query_id", "annotator", "preference", "domain") == [("7", "58", -1, "tea")]


@pytest.mark.parametrize("name", ["rater", "rater_id", "worker", "annotator_id", "assessor"])
def test_an_annotator_has_many_names(connection, make, name):
    path = make("votes.csv", f"query_id,{name},preference\nq,007,1\n")
    assert rows(read("votes", path, connection), "annotator") == [("007",)]


def test_map_names_any_column(connection, make):
    path = make("votes.csv", "query_id,who,better\nq,ann,good\n")
    table = read("votes", path, connection, mapping={"annotator": "who", "preference": "better"})
    assert rows(table, "annotator", "preference") == [("ann", 1)]


def test_map_of_an_unknown_column_is_refused(connection, make):
    path = make("votes.csv", "query_id,annotator,preference\nq,ann,1\n")
    with pytest.raises(SettingsError, match="a votes table has no column 'grade'"):
        read("votes", path, connection, mapping={"grade": "preference"})


def test_beside_a_preference_a_column_called_vote_is_just_a_column(connection, make):
    path = make("votes.csv", "query_id,annotator,preference,winner,vote\nq,ann,1,banana,17\n")
    table = read("votes", path, connection)
    assert table.columns == ("query_id", "annotator", "preference", "winner", "vote", "both_bad")
    assert rows(table) == [("q", "ann", 1, "banana", 17, False)]


def test_json_lines_hold_numbers_booleans_and_nulls(connection, make):
    path = make(
        "votes.jsonl",
        '{"query_id":"q1","annotator":3,"preference":-2,"set_aside":true,"seconds":4.5}\n'
        '{"query_id":"q2","annotator":null,"preference":"same","kind":"automatic"}\n',
    )
    table = read("votes", path, connection)
    assert rows(table, "query_id", "annotator", "preference", "set_aside", "seconds", "kind") == [
        ("q1", "3", -2, True, 4.5, "real"),
        ("q2", None, 0, False, None, "automatic"),
    ]


def test_parquet_holds_integers_booleans_and_nulls(connection, make):
    sink = io.BytesIO()
    columns = {
        "query_id": ["q1", "q2"],
        "annotator": pa.array([58, 83], pa.int32()),
        "preference": pa.array([1, -2], pa.int8()),
        "both_bad": [False, None],
        "counts": [True, False],
        "position": pa.array([1.0, None]),
        "comment": pa.nulls(2),
        "twin_of": pa.array([12, None], pa.int64()),
    }
    pq.write_table(pa.table(columns), sink)
    table = read("votes", make("votes.parquet", sink.getvalue()), connection)
    assert rows(table) == [
        ("q1", "58", 1, False, True, 1, None, "12"),
        ("q2", "83", -2, False, False, None, None, None),
    ]


def test_a_gold_preference_is_a_word_or_a_number_or_absent(connection, make):
    path = make(
        "votes.csv",
        "query_id,annotator,preference,kind,gold_preference\n"
        "q1,ann,1,gold,good\nq2,ann,1,gold,-2\nq3,ann,1,real,\n",
    )
    assert rows(read("votes", path, connection), "gold_preference") == [(1,), (-2,), (None,)]


def test_the_relation_goes_straight_into_metrics(connection, make):
    table = read("votes", make("votes.csv", CANONICAL), connection)
    found = gsb_from_votes(table.relation, by=["query_type"])
    row = found.rows[0]
    assert (row.good, row.same, row.bad, row.automatic, row.both_bad) == (1, 2, 0, 1, 1)
    assert found.left_out == {"gold": 1, "set_aside": 1}


# ------------------------------------------------------------------ what is refused

HEADER = "query_id,annotator,preference,treatment_side,kind,counts,both_bad,position,seconds\n"


@pytest.mark.parametrize(
    ("line", "column", "value", "message"),
    [
        ("q,ann,great,,,,,,", "preference", "great", "preference is no word or number"),
        ("q,ann,3,,,,,,", "preference", "3", "preference is no word or number"),
        ("q,ann,0.5,,,,,,", "preference", "0.5", "preference is no word or number"),
        ("q,ann,nan,,,,,,", "preference", "nan", "preference is no word or number"),
        ("q,ann,,,,,,,", "preference", None, "preference is empty"),
        ("q,,1,,,,,,", "annotator", None, "annotator is empty"),
        (",ann,1,,,,,,", "query_id", None, "query_id is empty"),
        ("q,ann,1,middle,,,,,", "treatment_side", "middle", "is not left or right"),
        ("q,ann,1,,golden,,,,", "kind", "golden", "kind is not known"),
        ("q,ann,1,,,maybe,,,", "counts", "maybe", "counts is neither true nor false"),
        ("q,ann,1,,,,true,,", "both_bad", "true", "both bad contradicts the preference"),
        ("q,ann,1,,,,,1.5,", "position", "1.5", "position is not a whole number"),
        ("q,ann,1,,,,,,-3", "seconds", "-3", "seconds is not a finite number from 0 up"),
        ("q,,good,,automatic,,,,", "preference", "good", "an automatic row is not a Same"),
    ],
)
def test_a_bad_value_is_refused_with_its_place(connection, make, line, column, value, message):
    path = make("votes.csv", f"{HEADER}ok,ann,1,left,real,true,false,1,2\n{line}\n")

    error = refused(connection, path)

    assert error.path == str(path)
    assert (error.row, error.column, error.value) == (3, column, value)
    assert message in str(error)
    assert error.total == 1
    assert error.remedy


def test_a_decided_vote_needs_the_side_of_the_treatment(connection, make):
    path = make("votes.csv", "query_id,annotator,vote,treatment_side\nq,ann,same,\nq,bob,left,\n")
    error = refused(connection, path)
    assert (error.row, error.column, error.value) == (3, "vote", "left")
    assert "the side of the treatment is not given" in str(error)
    assert "needs its treatment_side" in error.remedy


def test_votes_as_shown_need_a_column_of_sides(connection, make):
    error = refused(connection, make("votes.csv", "query_id,annotator,vote\nq,ann,left\n"))
    assert "votes as shown need a column treatment_side" in str(error)
    assert "The file has: query_id, annotator, vote" in error.remedy


def test_a_file_without_preferences_is_refused(connection, make):
    error = refused(connection, make("votes.csv", "query_id,annotator\nq,ann\n"))
    assert "no column preference" in str(error)
    assert "--map preference=COLUMN" in error.remedy


@pytest.mark.parametrize("more", ["", ",task_id", ",task_id,assignment_id,revision"])
def test_the_same_vote_twice_is_refused(connection, make, more):
    cells = {"": "", ",task_id": ",t1"}.get(more, ",t1,a1,1")
    path = make(
        "votes.csv", f"query_id,annotator,preference{more}\nq,ann,1{cells}\nq,ann,0{cells}\n"
    )
    error = refused(connection, path)
    assert error.row == 3
    assert "repeated vote, first in row 2" in str(error)
    assert "query_id, annotator" in error.remedy


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        *[("task_id", "t1", "t2"), ("revision", "1", "2"), ("assignment_id", "a", "b")],
        *[("kind", "real", "twin"), ("study", "may", "june")],
    ],
)
def test_what_tells_two_votes_apart(connection, make, column, first, second):
    path = make(
        "votes.csv",
        f"query_id,annotator,preference,{column}\nq,ann,1,{first}\nq,ann,0,{second}\n",
    )
    assert read("votes", path, connection).rows == 2


def test_parquet_of_a_wrong_type_is_refused(connection, make):
    sink = io.BytesIO()
    table = pa.table({"query_id": ["q"], "annotator": [1.5], "preference": [1]})
    pq.write_table(table, sink)
    error = refused(connection, make("votes.parquet", sink.getvalue()))
    assert "annotator is stored as DOUBLE" in str(error)


def test_trec_has_no_votes(connection, make):
    with pytest.raises(InputError, match="TREC files hold runs and judgments, not votes"):
        read("votes", make("votes.trec", "q 0 p 1\n"), connection, format="trec")


# ------------------------------------------------------------------ what is written


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_what_is_written_is_read_back(connection, make, tmp_path, form, packed):
    table = read("votes", make("votes.csv", CANONICAL), connection)
    path = tmp_path / f"again.{form}{packed}"

    write(table.relation, path, kind="votes")

    again = read("votes", path, connection)
    assert again.columns == table.columns
    assert rows(again) == rows(table)


def test_a_bad_vote_is_not_written(tmp_path):
    frame = pa.table({"query_id": ["q"], "annotator": ["ann"], "preference": [3]})
    with pytest.raises(InputError, match="preference is no word or number"):
        write(frame, tmp_path / "votes.csv", kind="votes")
    assert not (tmp_path / "votes.csv").exists()


def test_a_column_that_is_missing_is_not_written(tmp_path):
    frame = pa.table({"query_id": ["q"], "annotator": ["ann"]})
    with pytest.raises(InputError, match="no column preference to write"):
        write(frame, tmp_path / "votes.csv", kind="votes")
