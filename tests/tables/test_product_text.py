"""The text of a product."""

import json
from pathlib import Path

import duckdb
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.tables import read
from evalkit.tables.product_text import choose_fields, store_texts


def texts(path: Path, fields: list[str]) -> dict[str, str]:
    connection = duckdb.connect()
    relation, _, _ = store_texts(connection, read("products", path, connection), fields)
    return dict(relation.fetchall())


def jsonl(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def attributes_of(tmp_path: Path, attributes: object) -> str:
    path = jsonl(tmp_path / "p.jsonl", {"product_id": "1", "title": "T", "attributes": attributes})
    return texts(path, ["title", "attributes"])["1"].removeprefix("T").strip()


def test_fields_stand_in_the_order_that_was_chosen(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "p.jsonl", {"product_id": "1", "title": "Kettle", "brand": "Almo"})
    assert texts(path, ["brand", "title"]) == {"1": "Almo\nKettle"}


def test_without_a_choice_the_usual_fields_that_exist_are_taken() -> None:
    columns = ["product_id", "attributes", "price", "title", "kind"]
    assert choose_fields(columns, None) == ("title", "kind", "attributes")


def test_an_unknown_field_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match=r"colour is not a column.*product_id, title"):
        choose_fields(["product_id", "title"], ["title", "colour"])


def test_attributes_are_written_as_name_and_value(tmp_path: Path) -> None:
    found = attributes_of(tmp_path, {"heel_height_cm": 4.0, "material": "leather", "n": 12})
    assert found == "heel height cm: 4; material: leather; n: 12"


def test_a_true_attribute_is_its_name_and_a_false_one_is_left_out(tmp_path: Path) -> None:
    assert attributes_of(tmp_path, {"noise_cancelling": True, "wired": False}) == "noise cancelling"


def test_lists_in_attributes_are_joined_and_nothing_is_made_of_null(tmp_path: Path) -> None:
    found = attributes_of(tmp_path, {"colours": ["red", "blue"], "size": None, "note": ""})
    assert found == "colours: red, blue"


def test_attributes_in_a_csv_cell_are_read_as_json(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('product_id,title,attributes\n1,T,"{""vegan"": true, ""cut"": ""slim""}"\n')
    assert texts(path, ["title", "attributes"]) == {"1": "T\nvegan; cut: slim"}


def test_a_cell_that_only_looks_like_json_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("product_id,title\n1,{curly} braces\n2,[sic] brackets\n")
    assert texts(path, ["title"]) == {"1": "{curly} braces", "2": "[sic] brackets"}


def test_parquet_structs_and_lists_are_read_like_json(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    duckdb.sql(
        "SELECT '1' AS product_id, {vegan: true, size_mm: 4.0, none: NULL::VARCHAR} AS attributes,"
        " ['a', 'b'] AS tags"
    ).write_parquet(str(path))
    assert texts(path, ["attributes", "tags"]) == {"1": "vegan; size mm: 4\na, b"}


def test_products_are_in_descending_byte_order_of_their_ids(tmp_path: Path) -> None:
    rows = [{"product_id": name, "title": "x"} for name in ("a", "B", "é", "10", "9", "Z")]
    connection = duckdb.connect()
    table = read("products", jsonl(tmp_path / "p.jsonl", *rows), connection)
    relation, _, _ = store_texts(connection, table, ["title"])
    ids = [product_id for product_id, _ in relation.fetchall()]
    assert ids == sorted(ids, key=str.encode, reverse=True) == ["é", "a", "Z", "B", "9", "10"]


def test_products_without_text_are_counted_and_left_out(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "p.jsonl",
        {"product_id": "1", "title": "Kettle"},
        {"product_id": "2", "title": "  "},
        {"product_id": "3", "title": None},
    )
    connection = duckdb.connect()
    relation, count, empty = store_texts(connection, read("products", path, connection), ["title"])
    assert (relation.fetchall(), count, empty) == ([("1", "Kettle")], 1, 2)


def test_a_catalogue_without_any_text_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "p.jsonl", {"product_id": "1", "title": ""})
    with pytest.raises(InputError, match="no product has a text in title"):
        texts(path, ["title"])
