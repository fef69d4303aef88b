"""What a catalogue says, read from files of every kind."""

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError, SettingsError
from evalkit.knowledge import Catalogue, CatalogueSettings, read_catalogue


def catalogue(
    path: Path, products: list[dict[str, Any]], settings: CatalogueSettings | None = None
) -> Catalogue:
    path.write_text("".join(json.dumps(product) + "\n" for product in products))
    return read_catalogue(path, duckdb.connect(), settings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "products.jsonl"


def stated(found: Catalogue, attribute: str) -> dict[str, list[str]]:
    """Which products state which value."""
    known = found.attributes[attribute]
    return {
        value: [found.product_ids[number] for number in known.positions(value)]
        for value in known.values
    }


def test_products_are_numbered_by_id_and_arrays_follow(file: Path) -> None:
    found = catalogue(
        file,
        [
            {"product_id": "b", "title": "Bowl", "price": 4, "brand": " Rim ", "kind": "Bowl"},
            {"product_id": "a", "title": "Cup", "price": 2, "brand": "Rim", "kind": "Cup"},
        ],
    )
    assert found.product_ids == ("a", "b")
    assert found.titles == ("Cup", "Bowl")
    assert found.brands == ("Rim", "Rim")
    assert found.prices.tolist() == [2.0, 4.0]
    assert found.kinds == ("bowl", "cup")
    assert found.kind.tolist() == [1, 0]
    assert found.kind_confidence.tolist() == [1.0, 1.0]
    assert found.numbers_of(["b", "nobody", "a"]).tolist() == [1, -1, 0]
    assert found.of_kind("bowl").tolist() == [1]
    assert found.of_kind("spoon").tolist() == []


def test_booleans_numbers_lists_and_texts_become_plain_values(file: Path) -> None:
    found = catalogue(
        file,
        [
            {
                "product_id": "a",
                "title": "x",
                "attributes": {
                    "Vegan": True,
                    "lined": False,
                    "heel height": 4.0,
                    "weight": 2.5,
                    "count": 12,
                    "colours": ["Red", "dark  Blue"],
                    "cover": " Washed\tLinen ",
                },
            }
        ],
    )
    assert stated(found, "vegan") == {"yes": ["a"]}
    assert stated(found, "lined") == {"no": ["a"]}
    assert stated(found, "heel_height") == {"4": ["a"]}
    assert stated(found, "weight") == {"2.5": ["a"]}
    assert stated(found, "count") == {"12": ["a"]}
    assert found.attributes["count"].number.tolist() == [12.0]
    assert np.isnan(found.attributes["vegan"].number).all()
    assert stated(found, "colours") == {"dark blue": ["a"], "red": ["a"]}
    assert stated(found, "cover") == {"washed linen": ["a"]}


def test_words_joined_by_bare_commas_are_several_values_and_numbers_are_not(file: Path) -> None:
    found = catalogue(
        file,
        [
            {"product_id": "a", "title": "x", "attributes": {"colour": "Black,Silver"}},
            {"product_id": "b", "title": "x", "attributes": {"colour": "white, matt"}},
            {"product_id": "c", "title": "x", "attributes": {"battery": "1,400 mAh"}},
            {"product_id": "d", "title": "x", "attributes": {"battery": "10,20"}},
        ],
    )
    assert stated(found, "colour") == {"black": ["a"], "silver": ["a"], "white, matt": ["b"]}
    assert stated(found, "battery") == {"1,400 mah": ["c"], "10,20": ["d"]}


def test_what_a_product_does_not_state_is_unknown_and_not_absent(file: Path) -> None:
    found = catalogue(
        file,
        [
            {"product_id": "a", "title": "x", "attributes": {"hood": "none"}},
            {"product_id": "b", "title": "x", "attributes": {"hood": None}},
            {"product_id": "c", "title": "x", "attributes": {"hood": "  "}},
            {"product_id": "d", "title": "x", "attributes": {}},
            {"product_id": "e", "title": "x"},
        ],
    )
    assert found.attributes["hood"].stated().tolist() == [0]
    assert stated(found, "hood") == {"none": ["a"]}


def test_prices_in_cents_are_scaled_and_no_price_is_unknown(file: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"product_id": "a", "title": "x", "price_cents": 1999},
        {"product_id": "b", "title": "x", "price_cents": None},
        {"product_id": "c", "title": "x", "price_cents": 0},
    ]
    found = catalogue(file, rows).prices
    assert found[0] == pytest.approx(19.99)
    assert np.isnan(found[1:]).all()
    scaled = catalogue(file, rows, CatalogueSettings(price_scale=0.02))
    assert scaled.prices[0] == pytest.approx(39.98)


def test_the_kind_is_the_end_of_a_path_a_name_or_a_list(file: Path) -> None:
    found = catalogue(
        file,
        [
            {"product_id": "a", "title": "x", "category": "Home > Kitchen > Kettles"},
            {"product_id": "b", "title": "x", "category": "lip_liner"},
            {"product_id": "c", "title": "x", "category": ""},
        ],
    )
    assert found.kinds == ("kettles", "lip liner")
    assert found.kind.tolist() == [0, 1, -1]
    assert found.kind_confidence.tolist() == [1.0, 1.0, 0.0]
    listed = catalogue(
        file, [{"product_id": "a", "title": "x", "categories": ["Phones", "Phone Cases"]}]
    )
    assert listed.kinds == ("phone cases",)


def test_attributes_in_a_cell_of_csv_are_read_as_json(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text(
        'product_id,title,attributes\na,Lamp,"{""colour"": ""Red"", ""dimmable"": true}"\nb,Lamp,\n'
    )
    found = read_catalogue(path, duckdb.connect())
    assert stated(found, "colour") == {"red": ["a"]}
    assert stated(found, "dimmable") == {"yes": ["a"]}


def test_attributes_in_a_struct_of_parquet_are_read(tmp_path: Path) -> None:
    path = tmp_path / "products.parquet"
    rows = [
        {"product_id": "a", "title": "x", "attributes": {"vegan": True, "sizes": ["S", "M"]}},
        {"product_id": "b", "title": "x", "attributes": {"vegan": None, "sizes": []}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = read_catalogue(path, duckdb.connect())
    assert stated(found, "vegan") == {"yes": ["a"]}
    assert stated(found, "sizes") == {"m": ["a"], "s": ["a"]}


def test_columns_prefixes_and_equal_names_follow_the_settings(file: Path) -> None:
    found = catalogue(
        file,
        [
            {
                "product_id": "a",
                "title": "x",
                "tags": ["Vegan", "No Talc"],
                "attributes": {"t_product_colour": "red", "n_package_weight": 3, "t_size": "M"},
            },
            {"product_id": "b", "title": "x", "tags": [], "attributes": {"t_colour": "blue"}},
        ],
        CatalogueSettings(
            columns=("tags",),
            strip=("t_", "n_"),
            ignore=("package_weight",),
            same={"colour": ("product_colour",)},
        ),
    )
    assert sorted(found.attributes) == ["colour", "size", "tags"]
    assert stated(found, "colour") == {"blue": ["b"], "red": ["a"]}
    assert stated(found, "tags") == {"no talc": ["a"], "vegan": ["a"]}


def test_a_product_without_a_kind_in_the_column_gets_it_from_its_title(file: Path) -> None:
    found = catalogue(
        file,
        [
            {"product_id": "a", "title": "Copper kettle", "kind": "kettles"},
            {"product_id": "b", "title": "Steel kettle", "kind": ""},
            {"product_id": "c", "title": "Wireless keyboard"},
            {"product_id": "d", "title": "X1 42"},
        ],
    )
    assert found.kinds == ("kettles", "keyboard")
    assert found.kind.tolist() == [0, 0, 1, -1]
    assert found.kind_confidence[0] == 1
    assert 0 < found.kind_confidence[1] < 1
    assert found.kind_confidence[3] == 0


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("19.99", 19.99),
        ("$1,299.00", 1299.0),
        ("19,99 €", 19.99),
        ("1.299,00", 1299.0),
        ("CHF 1'299.50", 1299.5),
        (" £5 ", 5.0),
        ({"value": 3, "currency": "USD"}, 3.0),
        ({"amount": "4,50"}, 4.5),
    ],
)
def test_prices_are_read_as_shops_write_them(file: Path, written: Any, price: float) -> None:
    found = catalogue(file, [{"product_id": "a", "title": "Kettle", "price": written}])
    assert found.prices.tolist() == [price]


def test_prices_that_cannot_be_read_are_unknown_and_counted(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = ["on request", "inf", "3.50", "", "0"]
    products = [
        {"product_id": str(number), "title": "Kettle", "price": price}
        for number, price in enumerate(prices)
    ]
    found = catalogue(file, products)
    assert np.isnan(found.prices).tolist() == [True, True, False, True, True]
    said = capsys.readouterr().err
    assert "2 of 4 prices" in said
    assert "1 of 4 prices" in said
    assert "are 0 or less, and count as unknown" in said


@pytest.mark.parametrize("zero", [0, 0.0, "0", "0.00", "$0.00", {"value": 0}])
def test_a_price_of_0_is_an_unknown_price(file: Path, zero: Any) -> None:
    rows = [{"product_id": "a", "title": "Kettle", "price": zero}]
    assert np.isnan(catalogue(file, rows).prices).tolist() == [True]


def test_attributes_that_are_no_object_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ["{bad", '{"colour": "red"}', "", "{}", "null", "[1]"]
    with (tmp_path / "shop.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["product_id", "title", "attributes"])
        writer.writerows([f"p{number}", "Boot", cell] for number, cell in enumerate(cells, 1))
    found = read_catalogue(tmp_path / "shop.csv", duckdb.connect())
    assert set(found.attributes) == {"colour"}
    said = capsys.readouterr().err
    assert "2 of 3 cells of attributes in" in said
    assert "(first: product p1, '{bad')" in said


def test_attributes_that_are_all_objects_are_not_told_of(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue(file, [
        {"product_id": "a", "title": "x", "attributes": {"colour": "red"}},
        {"product_id": "b", "title": "x", "attributes": {}},
        {"product_id": "c", "title": "x", "attributes": None},
    ])  # fmt: skip
    assert capsys.readouterr().err == ""


def test_a_catalogue_without_kinds_gets_them_from_titles_and_stated_types(file: Path) -> None:
    found = catalogue(
        file,
        [
            {"product_id": "a", "title": "Acme Z1 keyboard black", "brand": "Acme"},
            {
                "product_id": "b",
                "title": "Acme 4711",
                "brand": "Acme",
                "attributes": {"type": "jigsaw puzzle"},
            },
            {"product_id": "c", "title": "Acme 4712", "brand": "Acme"},
        ],
    )
    assert found.kinds == ("jigsaw puzzle", "keyboard")
    assert found.kind.tolist() == [1, 0, -1]
    assert 0 < found.kind_confidence[0] < 1
    assert found.kind_confidence[2] == 0


def test_a_missing_column_is_named_with_the_columns_there_are(file: Path) -> None:
    rows = [{"product_id": "a", "title": "x", "cost": 3}]
    with pytest.raises(SettingsError, match=r"'costs' for price.*product_id, title, cost"):
        catalogue(file, rows, CatalogueSettings(fields={"price": "costs"}))
    with pytest.raises(SettingsError, match="'colour'"):
        catalogue(file, rows, CatalogueSettings(columns=("colour",)))
    file.write_text('{"product_id": "a", "label": "x"}\n')
    with pytest.raises(SettingsError, match=r"has no title.*It has: product_id, label"):
        read_catalogue(file, duckdb.connect())


def test_attributes_that_are_no_objects_are_refused_with_a_remedy(file: Path) -> None:
    with pytest.raises(InputError, match=r"attributes: is no object.*'colour: red'.*Write \{"):
        catalogue(file, [{"product_id": "a", "title": "x", "attributes": "colour: red"}])


def test_a_catalogue_whose_attributes_are_all_empty_states_nothing(file: Path) -> None:
    products = [{"product_id": "1", "title": "Kettle", "kind": "kettle", "attributes": {}}]
    assert catalogue(file, products).attributes == {}
