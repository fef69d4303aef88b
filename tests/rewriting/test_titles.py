"""The language of titles, without brands and model names."""

import json
from pathlib import Path

import duckdb
import numpy as np

from evalkit.knowledge import Catalogue, read_catalogue
from evalkit.rewriting.titles import TitleLanguage
from tests.rewriting.shop import make_graph


def catalogue(folder: Path, *titles: tuple[str, str]) -> Catalogue:
    path = folder / "products.jsonl"
    rows = [
        {"product_id": f"p{number}", "title": title, "brand": brand, "kind": "drill"}
        for number, (title, brand) in enumerate(titles)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_catalogue(path, duckdb.connect())


def test_brands_and_model_names_are_taken_off(tmp_path: Path) -> None:
    titles = TitleLanguage(make_graph(tmp_path).catalogue)
    assert titles.segments(0) == (("nappa", "leather", "jacket"), ("black",))
    assert titles.is_name("Atelier")
    assert not titles.is_name("nappa")


def test_a_brand_after_by_is_taken_off(tmp_path: Path) -> None:
    found = catalogue(
        tmp_path, ("Cordless drill Duo by Ostro", "Ostro"), ("Hand drill Uno by Kvist", "Kvist")
    )
    assert TitleLanguage(found).segments(0) == (("cordless", "drill"),)


def test_a_number_keeps_its_unit_and_model_numbers_go(tmp_path: Path) -> None:
    found = catalogue(
        tmp_path,
        ("Ostro X200 cordless drill, 18 V", "Ostro"),
        ("Kvist 40 cordless drill, 18 V", "Kvist"),
    )
    titles = TitleLanguage(found)
    assert titles.segments(0) == (("cordless", "drill"), ("18 v",))
    assert titles.segments(1) == (("cordless", "drill"), ("18 v",))


def test_a_phrase_is_said_by_two_brands_and_stands_for_shorter_ones(tmp_path: Path) -> None:
    found = catalogue(
        tmp_path,
        ("Ostro Uno cordless hammer drill", "Ostro"),
        ("Kvist Due cordless hammer drill", "Kvist"),
        ("Kvist Tre bench drill", "Kvist"),
        ("Kvist Sei bench drill", "Kvist"),
    )
    titles = TitleLanguage(found)
    phrases = titles.phrases(np.arange(4, dtype=np.int64), titles.heads("drill"))
    assert [(phrase.text, phrase.support) for phrase in phrases] == [
        ("drill", 2),
        ("cordless hammer drill", 2),
    ]


def test_other_nouns_that_titles_end_in_are_heads_of_the_kind(tmp_path: Path) -> None:
    found = catalogue(
        tmp_path,
        ("Ostro Uno cordless screwdriver, blue", "Ostro"),
        ("Kvist Due hand screwdriver with bits", "Kvist"),
        ("Kvist Tre bench drill", "Kvist"),
    )
    heads = TitleLanguage(found).heads("drill")
    assert "drill" in heads
    assert len(heads) == 2
