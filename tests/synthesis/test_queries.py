"""Typed queries of the sample shop: what they claim is checked product by product."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from jackets import write_jackets

import evalkit.synthesis
from evalkit.constraints import QUERY_TYPES, Condition, Structure
from evalkit.errors import InputError, SettingsError
from evalkit.knowledge import normalise, says
from evalkit.manifest import read_manifest
from evalkit.synthesis import QuerySettings, synthesize_queries
from evalkit.synthesis.duplicates import word_set
from evalkit.synthesis.queries import MAKING

PRODUCTS = Path(__file__).parents[2] / "sample_data" / "products.jsonl"
WORDING = Path(evalkit.synthesis.__file__).parent / "wording"
EACH = 150

Row = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "queries.parquet"
    synthesize_queries(PRODUCTS, path, settings=QuerySettings(per_type=EACH, seed=5))
    return path


@pytest.fixture(scope="module")
def rows(made: Path) -> list[Row]:
    found: list[Row] = pq.read_table(made).to_pylist()
    return found


@pytest.fixture(scope="module")
def products() -> list[Row]:
    return [json.loads(line) for line in PRODUCTS.read_text(encoding="utf-8").splitlines()]


def stated(product: Row, attribute: str) -> list[str]:
    """The values of an attribute of a product, as words."""
    if attribute == "brand":
        return [product["brand"].lower()]
    value = product["attributes"].get(attribute)
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [
        "yes"
        if part is True
        else "no"
        if part is False
        else normalise(str(part)).removesuffix(".0")
        for part in values
    ]


def has(product: Row, condition: Condition) -> bool:
    values = stated(product, condition.attribute or "")
    if not condition.values:
        return any(value not in ("no", "none") and not value.startswith("none") for value in values)
    if condition.attribute == "brand":
        return values[0] in condition.values
    return any(
        value == wanted or (not wanted[0].isdigit() and says(value, wanted))
        for value in values
        for wanted in condition.values
    )


def satisfies(product: Row, structure: Structure, products: list[Row]) -> bool:
    if structure.kinds and product["kind"] not in structure.kinds:
        return False
    if not all(has(product, condition) for condition in structure.required):
        return False
    for condition in structure.excluded:
        if not stated(product, condition.attribute or "") or has(product, condition):
            return False
    if structure.price_max is not None and product["price"] > structure.price_max:
        return False
    reference = structure.reference
    if reference is None:
        return True
    if reference.product_id is not None:
        (own,) = (other for other in products if other["product_id"] == reference.product_id)
        if own["product_id"] == product["product_id"]:
            return False
        price = own["price"]
    else:
        if product["brand"] == reference.brand:
            return False
        price = median(
            other["price"]
            for other in products
            if other["brand"] == reference.brand and other["kind"] == product["kind"]
        )
    if structure.price_share is not None:
        return bool(product["price"] <= structure.price_share * price)
    return bool(product["price"] < price)


def test_at_least_three_products_satisfy_every_query(rows: list[Row], products: list[Row]) -> None:
    by_kind: dict[str, list[Row]] = {}
    for product in products:
        by_kind.setdefault(product["kind"], []).append(product)
    for row in rows:
        structure = Structure.from_json(row["structure"])
        pool = [product for kind in structure.kinds for product in by_kind[kind]]
        good = sum(satisfies(product, structure, products) for product in pool)
        assert good >= 3, (row["query"], row["structure"])


def test_of_what_a_negative_query_excludes_some_products_of_its_kind_have_it(
    rows: list[Row], products: list[Row]
) -> None:
    for row in rows:
        structure = Structure.from_json(row["structure"])
        assert bool(structure.excluded) == (row["query_type"] == "negative")
        for condition in structure.excluded:
            assert any(
                product["kind"] in structure.kinds and has(product, condition)
                for product in products
            ), row["query"]


def test_there_are_as_many_of_each_type_as_were_asked_for(rows: list[Row], made: Path) -> None:
    assert Counter(row["query_type"] for row in rows) == dict.fromkeys(QUERY_TYPES, EACH)
    counts = read_manifest(made).counts
    assert counts["rows"] == 4 * EACH
    assert read_manifest(made).seeds == {"seed": 5}
    assert read_manifest(made).settings["making"] == MAKING
    assert {row["seed"] for row in rows} == {5}


def test_every_type_has_the_structure_that_its_name_promises(rows: list[Row]) -> None:
    for row in rows:
        structure = Structure.from_json(row["structure"])
        assert structure.query_type == row["query_type"]
        assert structure.kinds
        assert (structure.reference is not None) == (row["query_type"] == "alternative")
        assert (structure.need is not None) == (row["query_type"] == "knowledge")
        if row["query_type"] == "general":
            assert structure.required


def test_what_is_excluded_or_named_stands_in_the_query(rows: list[Row]) -> None:
    for row in rows:
        structure = Structure.from_json(row["structure"])
        text = row["query"].lower()
        for condition in structure.excluded:
            for value in condition.values:
                assert value in text, row
        if structure.reference is not None:
            assert structure.reference.text in text
        if structure.price_max is not None:
            assert f"{structure.price_max:g}" in text


def test_a_name_that_the_shop_gives_to_several_kinds_stands_with_its_kind(
    rows: list[Row], products: list[Row]
) -> None:
    titles = [
        (set(re.split(r"[\s,()]+", each["title"].lower())), each["kind"]) for each in products
    ]
    unclear = 0
    for row in rows:
        structure = Structure.from_json(row["structure"])
        if structure.reference is None or "~typo" in row["template"]:
            continue
        named = set(structure.reference.text.split())
        if (
            len({kind for words, kind in titles if named <= words}) > 1
            and row["source"] == "templates"
        ):
            unclear += 1
            assert structure.kinds[0][:-2] in row["query"].lower(), row["query"]
    assert unclear > 10


def test_nobody_asks_for_an_alternative_of_what_must_fit(rows: list[Row]) -> None:
    kinds = {(row["query_type"], Structure.from_json(row["structure"]).kinds[0]) for row in rows}
    for kind in ("phone case", "cable"):
        assert ("negative", kind) in kinds
        assert ("alternative", kind) not in kinds


def test_ids_are_distinct_and_tell_the_type(rows: list[Row]) -> None:
    assert len({row["query_id"] for row in rows}) == len(rows)
    assert all(row["query_id"].startswith(f"{row['query_type'][0]}-") for row in rows)
    assert all(len(row["query_id"]) == 12 for row in rows)


def test_templates_are_wordings_of_the_files(rows: list[Row]) -> None:
    known = {
        entry["id"]
        for name in ("negative", "alternative", "knowledge", "general", "openings")
        for entry in yaml.safe_load((WORDING / f"{name}.yaml").read_text(encoding="utf-8"))
    }
    for row in rows:
        parts = row["template"].partition("~")[0].split("+")
        assert set(parts) - {"tail"} <= known, row


def test_wordings_have_distinct_ids_and_there_are_enough_of_them() -> None:
    ids = {
        name: [
            entry["id"]
            for entry in yaml.safe_load((WORDING / f"{name}.yaml").read_text(encoding="utf-8"))
        ]
        for name in ("negative", "alternative", "knowledge", "general", "openings")
    }
    everything = [found for several in ids.values() for found in several]
    assert len(set(everything)) == len(everything)
    assert len(ids["negative"]) >= 60
    assert min(len(ids[name]) for name in ("alternative", "knowledge", "general")) >= 40


def test_kinds_and_wordings_are_used_alike(rows: list[Row]) -> None:
    negative = [row for row in rows if row["query_type"] == "negative"]
    kinds = Counter(Structure.from_json(row["structure"]).kinds for row in negative)
    assert len(kinds) == 60
    assert max(kinds.values()) <= 6
    assert len({row["template"].split("+")[0] for row in negative}) > 40


def test_a_family_has_no_more_than_its_share_while_there_are_others(rows: list[Row]) -> None:
    for kind in ("negative", "alternative", "general"):
        families = Counter(row["family"] for row in rows if row["query_type"] == kind)
        assert max(families.values()) <= 3


def test_families_are_named_by_what_must_not_leak(rows: list[Row]) -> None:
    starts = {
        "negative": "negative|", "alternative": "reference|", "knowledge": "need|",
        "general": "general|",
    }  # fmt: skip
    assert all(row["family"].startswith(starts[row["query_type"]]) for row in rows)


def test_no_query_nearly_repeats_another(rows: list[Row]) -> None:
    sets = [word_set(row["query"]) for row in rows]
    for number, mine in enumerate(sets):
        for yours in sets[:number]:
            assert len(mine & yours) < 0.8 * len(mine | yours)


def test_both_sources_are_used(rows: list[Row]) -> None:
    sources = Counter((row["query_type"], row["source"]) for row in rows)
    assert all(sources[kind, name] > 20 for kind in QUERY_TYPES for name in ("templates", "graph"))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_queries(tmp_path: Path) -> None:
    settings = QuerySettings(per_type=20, seed=3)
    for name in ("one.csv", "two.csv"):
        synthesize_queries(PRODUCTS, tmp_path / name, settings=settings)
    other = QuerySettings(per_type=20, seed=4)
    synthesize_queries(PRODUCTS, tmp_path / "three.csv", settings=other)
    one, two, three = ((tmp_path / f"{name}.csv").read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_what_is_up_to_date_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "queries.csv"
    settings = QuerySettings(per_type=5)
    synthesize_queries(PRODUCTS, path, settings=settings)
    before = path.stat().st_mtime_ns
    synthesize_queries(PRODUCTS, path, settings=settings)
    assert path.stat().st_mtime_ns == before
    assert "up to date" in capsys.readouterr().err
    synthesize_queries(PRODUCTS, path, settings=settings, force=True)
    assert path.stat().st_mtime_ns > before


def test_a_constraint_without_enough_answers_is_not_made(tmp_path: Path) -> None:
    """Of seven jackets three lack a hood, so nobody is asked for four of them."""
    products = write_jackets(tmp_path)
    for wanted, expected in ((3, True), (4, False)):
        path = tmp_path / f"{wanted}.parquet"
        settings = QuerySettings(per_type=60, types=("negative",), min_products=wanted)
        synthesize_queries(products, path, settings=settings)
        excluded = [
            condition
            for text in pq.read_table(path).column("structure").to_pylist()
            for condition in Structure.from_json(text).excluded
        ]
        assert (Condition("hood") in excluded) == expected
        assert Condition("material", ("leather",)) in excluded
        assert Condition("zipper") not in excluded  # no jacket has one: nothing to exclude


def test_a_shortage_is_said_in_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "queries.parquet"
    settings = QuerySettings(per_type=5000, types=("alternative",))
    done = synthesize_queries(write_jackets(tmp_path), path, settings=settings)
    assert len(done.warnings) == 1
    assert "of 5,000 alternative queries could be made" in done.warnings[0]


def test_the_users_triples_give_needs_of_their_own(tmp_path: Path) -> None:
    triples = tmp_path / "triples.csv"
    triples.write_text(
        "subject,relation,object\njacket:material=cotton,implies,an allergy to everything else\n"
        "jacket:hood=none,implies,a hat of my own\n"
    )
    path = tmp_path / "queries.parquet"
    settings = QuerySettings(per_type=40, types=("knowledge",), min_products=2)
    products = write_jackets(tmp_path)
    synthesize_queries(products, path, settings=settings, triples=triples)
    needs = {row["family"] for row in pq.read_table(path).to_pylist()}
    assert needs >= {"need|an allergy to everything else", "need|a hat of my own"}


def test_a_need_that_any_product_of_a_kind_answers_names_no_kind(tmp_path: Path) -> None:
    """Of "which jacket if i lost my coat" every jacket would be an answer."""
    triples = tmp_path / "triples.csv"
    triples.write_text(
        "subject,relation,object\njacket,implies,i lost my coat\n"
        "jacket:hood=none,implies,i have a hat of my own\n"
    )
    path = tmp_path / "queries.parquet"
    settings = QuerySettings(per_type=60, types=("knowledge",), min_products=2, per_family=30)
    synthesize_queries(write_jackets(tmp_path), path, settings=settings, triples=triples)
    queries: dict[str, list[str]] = {}
    for row in pq.read_table(path).to_pylist():
        queries.setdefault(row["family"], []).append(row["query"].lower())
    assert len(queries["need|i lost my coat"]) >= 3
    assert not any("jacket" in query for query in queries["need|i lost my coat"])
    assert any("jacket" in query for query in queries["need|i have a hat of my own"])


def test_a_catalogue_that_gives_nothing_is_refused(tmp_path: Path) -> None:
    settings = QuerySettings(min_products=50)
    with pytest.raises(InputError, match="no query has 50 products that satisfy it"):
        synthesize_queries(write_jackets(tmp_path), tmp_path / "q.csv", settings=settings)
    assert not (tmp_path / "q.csv").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"per_type": 0}, "--per-type must be 1 or more"),
        ({"min_products": 0}, "--min-products must be 1 or more"),
        ({"similarity": 0.0}, "--similarity must be above 0"),
        ({"types": ("vague",)}, "--types names 'vague'; there are knowledge, negative"),
        ({"sources": ()}, "--source names nothing; there are templates, graph, llm"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        QuerySettings(**wrong)
